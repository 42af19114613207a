"""POP3: from Dovecot and from another server, over TLS and STLS; what a lost
connection leaves behind; what goes wrong and how it is said."""

import pathlib
import poplib
import socket
import ssl
import threading
import time
import types

import maildir
import messages
import otherpop
import pytest

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "scripts/examples"
# Other names for messages than Dovecot gives them by itself.
RENUMBERED = "protocol pop3 {{\n  pop3_uidl_format = {}\n}}\n"


@pytest.fixture
def server(make_server):
    return make_server(pop3=True)


def configure(home, server, **options):
    return home.configure(server, protocol="pop3", **options)


def assert_same(home, sent):
    """Exactly these messages were delivered; POP3 ends each last line."""
    maildir.assert_same(home.mail, [
        types.SimpleNamespace(delivered=one.delivered if
                              one.delivered.endswith(b"\n")
                              else one.delivered + b"\n") for one in sent])


def logins(server):
    """Lines of the server's log that show a credential was received."""
    return [line for line in server.log().splitlines()
            if "pop3-login: Login" in line or "auth failed" in line.lower()]


# ---- Fetching ---------------------------------------------------------------

@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_every_message_comes_as_it_is(server, home, tls):
    sent = list(messages.mailbox(200, 900))
    server.fill(sent)
    configure(home, server, tls=tls)
    run = home.fetched()
    assert len(run.messages) == 200
    assert_same(home, sent)
    assert len(server.list_uids()) == 200


@pytest.mark.parametrize("source", ["disable = { 'PIPELINING' }", "window = 1",
                                    "window = 2, window_octets = 1",
                                    'auth = { "USER" }', 'auth = { "LOGIN" }'])
def test_every_message_comes_in_other_ways(server, home, source):
    sent = list(messages.mailbox(30, 901))
    server.fill(sent)
    configure(home, server, source=source)
    home.fetched()
    assert_same(home, sent)


def test_dots_and_empty_lines_arrive(server, home):
    texts = [b".", b"..", b"...", b".\r\n.", b"x\r\n.\r\ny", b"\r\n\r\n",
             b"..x\r\n. \r\n", b""]
    for number, text in enumerate(texts):
        server.append(b"Subject: %d\r\n\r\n%s\r\n" % (number, text))
    configure(home, server)
    home.fetched()
    assert maildir.digests(one.data for one in maildir.entries(home.inbox)) \
        == maildir.digests(b"Subject: %d\n\n%s\n"
                           % (number, text.replace(b"\r\n", b"\n"))
                           for number, text in enumerate(texts))


def test_a_large_message_comes_whole(server, home):
    sent = [messages.large(20_000_000, 902)]
    server.fill(sent)
    configure(home, server)
    home.fetched()
    assert_same(home, sent)


def test_a_rule_decides(server, home):
    sent = list(messages.mailbox(20, 903))
    server.fill(sent)
    configure(home, server, rules="""
rule("all to another", function(m) m:deliver(mail / "other") end)
""")
    home.fetched()
    assert_same(home, sent)
    assert maildir.entries(home.inbox) == []


# ---- What stays, what goes ---------------------------------------------------

def test_keep_fetches_nothing_again(server, home):
    sent = list(messages.mailbox(40, 904))
    server.fill(sent)
    configure(home, server, after="keep")
    home.fetched()
    assert home.fetched().messages == []
    more = list(messages.mailbox(5, 905))
    server.fill(more)
    assert len(home.fetched().messages) == 5
    assert_same(home, sent + more)
    assert len(server.list_uids()) == 45


def test_delete_empties_the_maildrop(server, home):
    sent = list(messages.mailbox(300, 906))
    server.fill(sent)
    configure(home, server, after="delete")
    home.fetched()
    assert server.list_uids() == []
    assert_same(home, sent)
    assert home.fetched().messages == []


def test_delete_after_waits(server, home):
    sent = list(messages.mailbox(5, 907))
    server.fill(sent)
    configure(home, server, after='delete_after "2s"')
    home.fetched()
    assert len(server.list_uids()) == 5
    end = time.monotonic() + 30
    while server.list_uids() and time.monotonic() < end:
        time.sleep(0.5)
        assert home.fetched().messages == []
    assert server.list_uids() == []
    assert_same(home, sent)


def test_what_is_put_aside_stays(server, home):
    sent = list(messages.mailbox(6, 908))
    server.fill(sent)
    server.append(b"Subject: not this one\r\n\r\ntext\r\n")
    configure(home, server, after="delete", rules="""
rule("one of them fails", function(m)
  if m.subject == "not this one" then error("no") end
end)
""")
    assert home.fetch().code == 75
    assert len(server.list_uids()) == 1
    assert_same(home, sent)


def test_repeated_uidls_double_and_lose_nothing(make_server, home):
    """All messages have the same UIDL: they are told apart by header."""
    server = make_server(pop3=True, extra=RENUMBERED.format("same-%v"))
    sent = list(messages.mailbox(12, 909))
    server.fill(sent)
    configure(home, server, after="keep")
    home.fetched()
    assert_same(home, sent)
    home.fetched()
    more = list(messages.mailbox(3, 910))
    server.fill(more)
    home.fetched()
    assert_same(home, sent + more)


def test_new_uidls_for_old_messages_double_nothing(server, home):
    sent = list(messages.mailbox(12, 911))
    server.fill(sent)
    configure(home, server, after="keep")
    home.fetched()
    server.restart(extra=RENUMBERED.format("new-%u-%v"))
    configure(home, server, after="keep")
    home.fetched()
    assert_same(home, sent)


# ---- Another server ----------------------------------------------------------

@pytest.mark.parametrize("tls", ["implicit", "starttls"])
@pytest.mark.parametrize("after", ["keep", "delete"])
def test_mailutils_pop3d(make_otherpop, home, tls, after):
    server = make_otherpop()
    sent = list(messages.mailbox(40, 912))
    server.fill(sent)
    configure(home, server, tls=tls, after=after)
    home.fetched()
    came = [otherpop.unmarked(data) for data in maildir.all_data(home.mail)]
    assert maildir.digests(came) == maildir.digests(
        otherpop.as_served(one.delivered) for one in sent)
    assert server.count() == (40 if after == "keep" else 0)
    assert home.fetched().messages == []


def test_apop_if_asked_for(make_otherpop, home):
    """This server greets with a time stamp, and knows nobody's APOP secret."""
    server = make_otherpop()
    configure(home, server, source='auth = { "APOP" }')
    run = home.fetch()
    assert run.code == 77, run
    assert "alice" in run.err
    configure(home, server)
    home.fetched()


# ---- A connection that breaks ------------------------------------------------

def test_server_dies_in_mid_fetch(server, home, make_proxy):
    sent = list(messages.mailbox(60, 913))
    server.fill(sent)
    proxy = make_proxy(server.pop3s)
    proxy.cut_after = sum(len(one.data) for one in sent) // 2
    configure(home, server, after="delete", port=proxy.port)
    assert home.fetch().code not in (0, 70)
    assert len(server.list_uids()) == 60
    assert maildir.leftovers(home.mail) == []
    proxy.cut_after = None
    home.fetched()
    assert server.list_uids() == []
    assert_same(home, sent)


class Quitter:
    """Speaks TLS to the client and to the server, and hands lines on until the
    client says QUIT: then it closes both lines, before or after the server has
    heard of it."""

    def __init__(self, server, is_heard):
        self.server, self.is_heard = server, is_heard
        self.quits = 0
        self.is_mute = False
        self.answered = threading.Event()
        tls = server.root / "tls"
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(tls / "good.pem", tls / "good.key")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def close(self):
        self.listener.close()

    def _serve(self):
        try:
            raw, _ = self.listener.accept()
            client = self.context.wrap_socket(raw, server_side=True)
            far = ssl.create_default_context(cafile=self.server.ca_file) \
                .wrap_socket(socket.create_connection(
                    ("127.0.0.1", self.server.pop3s)),
                    server_hostname="localhost")
            threading.Thread(target=self._down, args=(far, client),
                             daemon=True).start()
            while not self.quits:
                data = client.recv(65536)
                if not data:
                    return
                if data.endswith(b"QUIT\r\n"):
                    self.quits += 1
                    data = data[:-6]
                if data:
                    far.sendall(data)
            if self.is_heard:
                self.is_mute = True
                far.sendall(b"QUIT\r\n")
                self.answered.wait(20)
            for one in (client, far):
                one.shutdown(socket.SHUT_RDWR)
                one.close()
        except OSError:
            return

    def _down(self, far, client):
        try:
            while True:
                data = far.recv(65536)
                if self.is_mute:
                    self.answered.set()
                    return
                if not data:
                    return
                client.sendall(data)
        except OSError:
            return


@pytest.mark.parametrize("is_heard", [False, True])
def test_line_is_cut_at_quit(server, home, is_heard):
    """What DELE marked is deleted by QUIT alone; if its answer is lost, nobody
    knows, and the next session sees."""
    sent = list(messages.mailbox(20, 914))
    server.fill(sent)
    quitter = Quitter(server, is_heard)
    configure(home, server, after="delete", port=quitter.port)
    run = home.fetch()
    quitter.close()
    assert quitter.quits == 1
    assert run.code not in (0, 70), run
    assert "QUIT" in run.err, run
    assert_same(home, sent)
    if not is_heard:
        assert len(server.list_uids()) == 20
    configure(home, server, after="delete")
    assert home.fetched().messages == []
    assert server.list_uids() == []
    assert_same(home, sent)


# ---- What goes wrong, in words -----------------------------------------------

def test_wrong_password(server, home):
    secret = home.secret("not the password", "wrong")
    configure(home, server, password=f'file "{secret}"')
    run = home.fetch()
    assert run.code == 77, run
    assert "work" in run.err and "alice" in run.err
    assert "check user and password" in run.err
    assert "not the password" not in run.err + run.out
    assert len(run.err.splitlines()) <= 3, run


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
@pytest.mark.parametrize("certificate, words", [
    ("wrong-name", ("name", "localhost")),
    ("expired", ("expired",)),
    ("alien", ("certificate",)),
])
def test_certificate_that_must_not_be_trusted(make_server, home, certificate,
                                              words, tls):
    server = make_server(certificate=certificate, pop3=True)
    configure(home, server, tls=tls)
    run = home.fetch("-v")
    assert run.code in (69, 76, 77, 78, 75) and run.code != 0, run
    for word in words:
        assert word in run.err, run
    assert logins(server) == []


def test_stls_that_is_not_offered(make_server, home):
    server = make_server(extra="ssl = no\n", pop3=True)
    configure(home, server, tls="starttls")
    run = home.fetch()
    assert run.code not in (0, 70), run
    assert "STLS" in run.err
    assert logins(server) == []


def test_password_over_a_clear_line_is_refused(server, home):
    configure(home, server, tls="none")
    run = home.fetch()
    assert run.code not in (0, 70), run
    assert "clear line" in run.err
    assert logins(server) == []


def test_locked_maildrop_is_for_later(make_server, home):
    """Two sessions at a time are one too many for a server that locks."""
    server = make_server(pop3=True, extra="protocol pop3 {\n"
                         "  pop3_lock_session = yes\n}\n")
    server.fill(messages.mailbox(3, 915))
    context = ssl.create_default_context(cafile=server.ca_file)
    other = poplib.POP3_SSL("localhost", server.pop3s, context=context,
                            timeout=60)
    other.user("alice")
    other.pass_(server.users["alice"])
    configure(home, server, source="timeout = 20")
    run = home.fetch()
    other.quit()
    assert run.code in (75, 69), run
    home.fetched()
    assert len(maildir.entries(home.inbox)) == 3


def test_no_secret_is_ever_printed(server, home):
    server.fill(messages.mailbox(3, 916))
    for auth in ("PLAIN", "LOGIN", "USER"):
        configure(home, server, source=f'auth = {{ "{auth}" }}')
        run = home.run("fetch", "-v", "-v")
        assert run.code == 0, run
        assert server.users["alice"] not in run.out + run.err
        assert "AHdvbmRlciBsYW5k" not in run.err and "d29uZGVy" not in run.err
        assert "hidden" in run.err


def test_a_mechanism_that_is_not_known(server, home):
    configure(home, server, source='auth = { "CRAM-MD5" }')
    run = home.run("check")
    assert run.code == 78, run
    assert "APOP" in run.err


def test_the_example_is_understood(home):
    home.mail.mkdir()
    run = home.run("check", "-o", "-c", str(EXAMPLES / "pop3.lua"))
    assert run.code == 0, run


def test_folders_that_cannot_be_had_are_refused(server, home):
    configure(home, server, folders='{ "INBOX", "Work" }')
    run = home.run("check", "--offline")
    assert run.code == 78, run
    assert "a pop3 source has one folder, INBOX, and no \"Work\"" in run.err
    configure(home, server, folders='{ "INBOX" }')
    assert home.run("check", "--offline").code == 0
