"""From one Dovecot account into another by APPEND."""

import pathlib
import re
import threading

import maildir
import messages
import proxy as proxy_module
import pytest
from server import wait_for

ODD = pathlib.Path(__file__).resolve().parent.parent / "data" / "odd"
USERS = {"alice": "wonder land", "bob": "builder"}


@pytest.fixture
def servers(make_server):
    """Where the mail comes from, and where it goes to."""
    return make_server(users=USERS), make_server(users=USERS)


def sink(home, server, port=None, name="out", more=""):
    secret = home.secret(server.users["bob"], "password-bob")
    return (f'local {name} = append {{ host = "localhost", '
            f'port = {port or server.imaps}, user = "bob", '
            f'password = file "{secret}", ca_file = "{server.ca_file}"'
            f'{more and ", " + more} }}\n')


def configure(home, source, target, port=None, more="", deliver="out",
              rules="", **options):
    return home.write(sink(home, target, port, more=more)
                      + home.account(source, deliver=deliver, **options)
                      + rules)


def arrived(server, folder="INBOX"):
    if not server.folder(folder, "bob").exists():
        return maildir.digests([])
    return maildir.digests(server.bodies(folder, "bob").values())


def wanted(sent):
    return maildir.digests(one.delivered for one in sent)


def compare(server, sent, folder="INBOX"):
    """(lost, doubled or alien)"""
    here, want = arrived(server, folder), wanted(sent)
    return sum((want - here).values()), sum((here - want).values())


def details(server, user):
    """For each message: octets, flags and date."""
    client = server.client(user)
    client.select("INBOX", readonly=True)
    _, answer = client.uid("fetch", "1:*",
                           "(FLAGS INTERNALDATE BODY.PEEK[])")
    client.logout()
    found = []
    for item in answer:
        if isinstance(item, tuple):
            head = item[0].decode()
            flags = set(re.search(r"FLAGS \(([^)]*)\)", head)[1].split())
            date = re.search(r'INTERNALDATE "([^"]*)"', head)[1]
            found.append((item[1], sorted(flags - {"\\Recent"}), date))
    return sorted(found)


def test_octets_flags_keywords_and_dates_stay(servers, home):
    source, target = servers
    source.fill(messages.mailbox(120, 700))
    source.append(b"Subject: kept\r\n\r\nx\r\n", date=837_596_665,
                  flags=("\\Answered", "\\Draft", "$Work", "todo"))
    configure(home, source, target)
    run = home.fetched()
    assert len(run.messages) == 121
    assert details(target, "bob") == details(source, "alice")
    assert home.fetched().messages == []
    assert details(target, "bob") == details(source, "alice")


def test_the_history_has_the_uid_it_got(servers, home):
    source, target = servers
    target.append(b"Subject: there before\r\n\r\n", user="bob")
    source.append(b"Message-ID: <a@example.org>\r\nSubject: x\r\n\r\nx\r\n")
    configure(home, source, target)
    home.fetched()
    assert "done (UID 2)" in home.run("why", "<a@example.org>").out


def test_flags_stay_behind_if_so_wished(servers, home):
    source, target = servers
    source.append(b"Subject: x\r\n\r\nx\r\n", flags=("\\Flagged", "todo"))
    configure(home, source, target, more="flags = false")
    home.fetched()
    assert list(target.flags(user="bob").values()) == [set()]


@pytest.mark.parametrize("lacks", [
    "", "MULTIAPPEND", "LITERAL+", "MULTIAPPEND LITERAL+ UIDPLUS"])
def test_a_server_that_can_less_gets_all_the_same(servers, home, lacks):
    source, target = servers
    sent = list(messages.mailbox(60, 701))
    source.fill(sent)
    disable = ", ".join(f'"{name}"' for name in lacks.split())
    configure(home, source, target, more=f"disable = {{ {disable} }}")
    home.fetched()
    assert compare(target, sent) == (0, 0)


def test_odd_messages_stay_as_they_are(servers, home):
    source, target = servers
    # Dovecot drops a bare CR that ends a message when it takes it by APPEND.
    sent = [messages.Message(path.read_bytes(), "odd", path.name, 1e9 + 1)
            for path in sorted(ODD.glob("*.eml")) if path.stat().st_size > 0
            and not path.read_bytes().endswith(b"\r")]
    assert len(sent) > 20
    source.fill(sent)
    configure(home, source, target)
    home.fetched()
    # What the source itself gives, which may not be what its files have.
    theirs = maildir.digests(source.bodies().values())
    assert arrived(target) == theirs


@pytest.mark.parametrize("separator", ["/", "."])
def test_folders_are_made_with_the_servers_separator(
        make_server, home, separator):
    source = make_server(users=USERS)
    target = make_server(users=USERS, separator=separator)
    sent = list(messages.mailbox(5, 702))
    source.fill(sent)
    configure(home, source, target, more='folder = "/"',
              deliver='out / "Größe & Maß/2025"')
    home.fetched()
    client = target.client("bob")
    _, listed = client.list()
    client.logout()
    name = f"Gr&APYA3w-e &- Ma&AN8-{separator}2025"
    assert any(line.decode().rstrip('"').endswith(name) for line in listed)
    client = target.client("bob")
    status, count = client.select(f'"{name}"', readonly=True)
    client.logout()
    assert (status, int(count[0])) == ("OK", 5)


def test_a_folder_that_may_not_be_made_is_named(servers, home):
    source, target = servers
    source.fill(messages.mailbox(2, 703))
    configure(home, source, target,
              more='create = false, folder = "nowhere"')
    run = home.fetch()
    assert run.code == 75, run
    assert 'no folder "nowhere" on the server' in run.err, run
    target.create("nowhere", "bob")
    home.fetched()
    assert sum(arrived(target, "nowhere").values()) == 2


QUOTA = """\
mail_plugins = $mail_plugins quota
protocol imap {
  mail_plugins = $mail_plugins imap_quota
}
plugin {
  quota = maildir:User quota
  quota_rule = *:storage=200K
  quota_grace = 0
}
"""


def test_a_full_box_loses_nothing(make_server, home):
    source = make_server(users=USERS)
    target = make_server(users=USERS, extra=QUOTA)
    sent = list(messages.mailbox(60, 704))
    assert sum(len(one.data) for one in sent) > 300_000
    source.fill(sent)
    configure(home, source, target, after="delete")
    run = home.fetch()
    assert run.code == 75, run
    assert "quota" in run.err.lower(), run
    lost, alien = compare(target, sent)
    assert alien == 0 and 0 < lost < 60
    assert len(source.list_uids()) == lost
    target.restart(extra="")
    configure(home, source, target, after="delete")
    home.fetched()
    assert compare(target, sent) == (0, 0)
    assert source.list_uids() == []


@pytest.mark.parametrize("certificate", ["wrong-name", "expired", "alien"])
def test_a_wrong_certificate_gets_no_mail(make_server, home, certificate):
    source = make_server(users=USERS)
    target = make_server(users=USERS, certificate=certificate)
    source.fill(messages.mailbox(3, 705))
    configure(home, source, target, after="delete")
    run = home.fetch()
    assert run.code != 0, run
    assert len(source.list_uids()) == 3
    log = target.log()
    assert "bob" not in log, log


class CutOnce(proxy_module.Proxy):
    """Cuts one connection only; the next ones live."""

    def _is_cut(self):
        if not super()._is_cut():
            return False
        self.cut_after = None
        return True


def twins(count, seed):
    """Messages of which three are alike in all."""
    sent = list(messages.mailbox(count, seed))
    return sent + [sent[1], sent[1], sent[4]]


def places_to_cut(home, source, target, make_cutter):
    """Octets that the target sends in an undisturbed run."""
    proxy = make_cutter(target.imaps)
    configure(home, source, target, port=proxy.port)
    home.fetched()
    return proxy.down


@pytest.fixture
def make_cutter():
    cutters = []

    def make(port, kind=CutOnce):
        cutters.append(kind(port))
        return cutters[-1]

    yield make
    for one in cutters:
        one.close()


@pytest.mark.parametrize("more", ["", 'disable = { "MULTIAPPEND" }',
                                  'disable = { "MULTIAPPEND", "UIDPLUS", '
                                  '"LITERAL+" }'])
def test_an_answer_that_is_lost_doubles_nothing_in_the_same_run(
        make_server, make_home, make_cutter, more):
    source = make_server(users=USERS)
    sent = twins(12, 706)
    source.fill(sent)
    whole = places_to_cut(make_home(), source, make_server(users=USERS),
                          make_cutter)
    target = make_server(users=USERS)
    mended = 0
    for number in range(8):
        proxy = make_cutter(target.imaps)
        # A line that breaks before the login is over is for the next run.
        proxy.cut_after = whole * (3 * number + 106) // 128
        home = make_home()
        configure(home, source, target, port=proxy.port,
                  more=f'folder = "f{number}", grace = "1s"'
                  + (more and ", " + more))
        run = home.fetch()
        if run.code == 75:  # cut before the login was over
            home.fetched()
        mended += run.code == 0
        assert compare(target, sent, f"f{number}") == (0, 0), run
    assert mended > 2


def test_an_answer_that_is_lost_doubles_nothing_in_the_next_run(
        make_server, make_home, make_cutter):
    source = make_server(users=USERS)
    sent = twins(12, 707)
    source.fill(sent)
    whole = places_to_cut(make_home(), source, make_server(users=USERS),
                          make_cutter)
    target = make_server(users=USERS)
    in_doubt = 0
    for number in range(8):
        proxy = make_cutter(target.imaps, proxy_module.Proxy)
        proxy.cut_after = whole * (number + 8) // 16
        home = make_home()
        folder = f'folder = "f{number}", grace = "1s"'
        configure(home, source, target, port=proxy.port, more=folder)
        run = home.fetch()
        assert run.code in (0, 75), run
        in_doubt += "before the server answered" in run.err
        # Still nobody there: it waits, and is not sent elsewhere or again.
        assert home.fetch().code in (0, 75)
        proxy.cut_after = None
        run = home.fetched()
        assert compare(target, sent, f"f{number}") == (0, 0), run
    assert in_doubt > 0


def test_a_server_that_is_killed_in_mid_append_loses_nothing(
        make_server, home, make_proxy):
    source = make_server(users=USERS)
    target = make_server(users=USERS)
    sent = twins(150, 708)
    total = sum(len(one.data) for one in sent)
    source.fill(sent)
    proxy = make_proxy(target.imaps)
    configure(home, source, target, port=proxy.port,
              more='grace = "1s", timeout = "3s", final_timeout = "3s"')
    for share in (4, 2):
        proxy.reset()
        process = home.start("fetch")
        wait_for(lambda: proxy.up > total // share
                 or process.poll() is not None, 60, "half of the mail")
        target.kill()
        run = home.finish(process)
        assert run.code in (0, 75), run
        target.start(same_ports=True)
    run = home.fetched()
    assert compare(target, sent) == (0, 0), run


def test_a_server_that_hangs_is_asked_once_for_all_it_may_have(
        make_server, home, make_proxy):
    source = make_server(users=USERS)
    target = make_server(users=USERS)
    sent = list(messages.mailbox(60, 711))
    total = sum(len(one.data) for one in sent)
    source.fill(sent)
    proxy = make_proxy(target.imaps)
    configure(home, source, target, port=proxy.port, more='grace = "1s", timeout = "2s"')
    process = home.start("fetch")
    wait_for(lambda: proxy.up > total // 3 or process.poll() is not None, 60,
             "a third of the mail")
    process.kill()
    process.wait()
    proxy.reset()
    proxy.stall_after = 0
    run = home.fetch()
    assert run.code == 75, run
    assert run.err.count("it waits, because") == 1, run
    assert "more messages were on their way to imap:" in run.err, run
    asking = proxy.connections
    assert asking <= 3, run
    proxy.stall_after = None
    proxy.stalled.clear()
    home.fetched()
    assert compare(target, sent) == (0, 0)


def test_a_line_closed_between_batches_is_opened_again(
        servers, home, make_cutter):
    source, target = servers
    sent = list(messages.mailbox(250, 709))
    source.fill(sent)
    proxy = make_cutter(target.imaps)
    stop = threading.Event()

    def cut_now_and_then():
        for _ in range(3):
            begun = proxy.down
            wait_for(lambda: proxy.down > begun + 9000 or stop.is_set(), 60,
                     "answers of the server")
            proxy.cut_after = proxy.down
    thread = threading.Thread(target=cut_now_and_then, daemon=True)
    configure(home, source, target, port=proxy.port, more='grace = "1s"')
    thread.start()
    run = home.fetch()
    stop.set()
    thread.join(60)
    proxy.cut_after = None
    assert run.code in (0, 75), run
    home.fetched()
    assert compare(target, sent) == (0, 0)
