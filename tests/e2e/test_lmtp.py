"""LMTP into Dovecot and into a scripted server."""

import collections
import signal

import pytest

import messages
from server import wait_for
from sinks import as_sent, sink
from smtpd import CUT_AFTER, HANG, Smtpd

COUNT = 30


@pytest.fixture
def store(make_server):
    """Dovecot with mail for alice, which also takes mail by LMTP for bob."""
    server = make_server(users={"alice": "wonder land", "bob": "builder",
                                "carol": "carol"}, lmtp=True)
    server.messages = list(messages.mailbox(COUNT, 5))
    server.fill(server.messages)
    return server


@pytest.fixture
def make_lmtpd(tmp_path):
    servers = []

    def make(*args, **options):
        path = tmp_path / f"s{len(servers)}"
        servers.append(Smtpd(*args, lmtp=True, path=path, **options))
        servers[-1].path = str(path)
        return servers[-1]

    yield make
    for one in servers:
        one.close()


def below_trace(data):
    """A stored message without what Dovecot and the trace put above it."""
    lines = data.split(b"\n")
    at = 0
    while lines[at].startswith((b"Return-Path: ", b"Delivered-To: ",
                                b"Received: ", b"\t", b" ")):
        at += 1
    return b"\n".join(lines[at:])


def below_own(message):
    return below_trace(as_sent(message.data))


def stored(server, user):
    return sorted(map(below_trace, server.bodies(user=user).values()))


def wanted(server):
    return sorted(map(below_own, server.messages))


@pytest.mark.parametrize("disable", [[], ["CHUNKING"],
                                     ["CHUNKING", "PIPELINING"]], ids=repr)
def test_every_octet_arrives_over_a_unix_socket(store, home, disable):
    target = sink("lmtp", socket=store.lmtp_socket, to=["bob@example.org"],
                  disable=disable)
    home.configure(store, deliver=target)
    run = home.fetched()
    assert len(run.messages) == COUNT
    assert stored(store, "bob") == wanted(store)


def test_the_path_may_stand_alone_and_the_host_be_a_port(store, home):
    target = f'lmtp {{ "{store.lmtp_socket}", to = {{ "bob" }} }}'
    home.configure(store, deliver=target)
    home.fetched()
    assert len(store.bodies(user="bob")) == COUNT
    home.configure(store, name="other", deliver=sink(
        "lmtp", host="127.0.0.1", port=store.lmtp, to=["carol"]))
    home.fetched()
    assert len(store.bodies(user="carol")) == COUNT


def test_several_connections(store, home):
    home.configure(store, deliver=sink(
        "lmtp", socket=store.lmtp_socket, to=["bob"], connections=4))
    home.fetched()
    assert stored(store, "bob") == wanted(store)


def test_two_recipients_have_it_once_each(store, home):
    home.configure(store, deliver=sink(
        "lmtp", socket=store.lmtp_socket, to=["bob", "carol"]))
    home.fetched()
    assert stored(store, "bob") == stored(store, "carol") == wanted(store)


def test_multidrop_into_dovecot(make_server, home):
    server = make_server(users={"alice": "a", "bob": "b", "carol": "c"},
                         lmtp=True)
    for user in ("bob", "carol", "bob"):
        server.append(f"Delivered-To: {user}@example.org\r\n"
                      "Subject: x\r\n\r\nhello\r\n".encode())
    home.configure(server, deliver=sink(
        "lmtp", socket=server.lmtp_socket, to_header=["Delivered-To"],
        domains=["example.org"]))
    home.fetched()
    assert len(server.bodies(user="bob")) == 2
    assert len(server.bodies(user="carol")) == 1


def test_an_unknown_user_is_put_aside(store, home):
    home.configure(store, after="delete", deliver=sink(
        "lmtp", socket=store.lmtp_socket, to=["nobody"]))
    run = home.fetch()
    assert run.code != 0
    assert {one["status"] for one in run.messages} == {"failed"}, run
    assert "RCPT TO:<nobody>" in run.err
    assert len(store.list_uids()) == COUNT


def test_a_socket_that_is_not_there(store, home):
    home.configure(store, deliver=sink(
        "lmtp", socket="/nowhere/lmtp", to=["bob"]))
    run = home.fetch()
    assert run.code != 0
    assert "cannot connect to /nowhere/lmtp" in run.err
    assert {one["status"] for one in run.messages} == {"later"}


def test_what_stands_behind_is_the_recipient(store, home, make_lmtpd):
    far = make_lmtpd()
    home.configure(store, deliver=sink(
        "lmtp", socket=far.path) + ' / "carol@example.org"')
    home.fetched()
    assert [one.recipients for one in far.messages] == \
        [["carol@example.org"]] * COUNT


@pytest.mark.parametrize("behind, words", [
    (' / "not one"', '"not one" is no address'),
    ("", "to whom? Set to, or to_header")])
def test_without_a_recipient_nothing_is_begun(store, home, behind, words):
    home.configure(store, deliver=sink("lmtp", socket=store.lmtp_socket)
                   + behind)
    run = home.fetch()
    assert run.code == 78, run
    assert words in run.err


def test_mail_is_killed_in_the_middle_and_arrives(store, home):
    """The crash leaves at most one message in doubt."""
    home.configure(store, deliver=sink(
        "lmtp", socket=store.lmtp_socket, to=["bob"]))
    for _ in range(3):
        process = home.start("fetch")
        try:
            wait_for(lambda: process.poll() is not None
                     or any((store.folder(user="bob") / "new").glob("*")),
                     30, "mail for bob")
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate()
    home.fetched()
    arrived = stored(store, "bob")
    assert set(arrived) == set(wanted(store))
    assert len(arrived) <= COUNT + 3


# Replies for each recipient

TWO = ["alice@example.org", "bob@example.org"]


def bob(answer):
    return lambda recipient: answer if recipient.startswith(b"bob") else None


@pytest.mark.parametrize("answer, status", [
    ("452 4.2.2 over quota", "later"), ("552 5.2.2 over quota", "failed")])
def test_one_of_two_recipients_has_no_room(store, home, make_lmtpd, answer,
                                           status):
    far = make_lmtpd({"message": bob(answer)})
    home.configure(store, after="delete", deliver=sink(
        "lmtp", socket=far.path, to=TWO))
    run = home.fetch()
    assert {one["status"] for one in run.messages} == {status}, run
    assert "over quota" in run.err
    assert len(far.messages) == COUNT
    assert all(one.recipients == TWO[:1] for one in far.messages)
    assert len(store.list_uids()) == COUNT


def test_a_later_run_goes_to_the_other_recipient_only(store, home, make_lmtpd):
    far = make_lmtpd({"message": bob("452 4.2.2 over quota")})
    home.configure(store, deliver=sink("lmtp", socket=far.path, to=TWO))
    home.fetch()
    far.answers = {}
    run = home.fetch("--retry")
    assert run.code == 0, run
    assert len(far.messages) == 2 * COUNT
    assert [one.recipients for one in far.messages] == \
        [TWO[:1]] * COUNT + [TWO[1:]] * COUNT


@pytest.fixture
def some(server):
    """Mail for alice, a few messages."""
    server.messages = list(messages.mailbox(8, 6))
    server.fill(server.messages)
    return server


def taken(far):
    """Who got which message, each as often as that came."""
    return collections.Counter((one.body(), recipient) for one in far.messages
                               for recipient in one.recipients)


def due(server):
    return collections.Counter((as_sent(one.data), recipient)
                               for one in server.messages for recipient in TWO)


STAGES = {"connect": "greeting: ", "helo": "LHLO: ", "mail": "MAIL FROM: ",
          "rcpt": f"RCPT TO:<{TWO[0]}>: ", "data": "DATA: ",
          "message": "message: "}


@pytest.mark.parametrize("stage", STAGES)
def test_nothing_is_lost_whatever_is_refused(some, home, make_lmtpd, stage):
    far = make_lmtpd()
    home.configure(some, after="delete", deliver=sink(
        "lmtp", socket=far.path, to=TWO))
    # Before MAIL nothing is said about any message.
    never = "later" if stage in ("connect", "helo") else "failed"
    for answer, status in (("451 4.3.0 not now", "later"),
                           ("550 5.7.1 never", never)):
        far.answers = {stage: answer}
        run = home.fetch("--retry")
        assert run.code == 75, run
        assert {one["status"] for one in run.messages} == {status}, run
        assert {STAGES[stage] + f"the server says: {answer}"} == {
            one["error"] for one in run.messages}
        assert far.messages == [] and len(some.list_uids()) == 8
    far.answers = {}
    home.fetched("--retry")
    assert taken(far) == due(some)
    assert some.list_uids() == []


@pytest.mark.parametrize("stage, capabilities", [
    ("mail", ()), ("rcpt", ("PIPELINING",)), ("data", ()),
    ("message", ("PIPELINING",))], ids=repr)
def test_one_refusal_spoils_one_message(some, home, make_lmtpd, stage,
                                        capabilities):
    """The third time and the seventh."""
    far = make_lmtpd({stage: [None, None, "451 4.3.0 not now", None, None, None,
                              "550 5.7.1 never", None]},
                     capabilities=capabilities)
    home.configure(some, after="delete", deliver=sink(
        "lmtp", socket=far.path, to=TWO))
    run = home.fetch()
    assert run.code == 75
    fates = [one["status"] for one in run.messages]
    assert sorted(fates) == ["done"] * 6 + ["failed", "later"], run
    assert len(some.list_uids()) == 2
    home.fetched("--retry")
    assert taken(far) == due(some)
    assert some.list_uids() == []


@pytest.mark.parametrize("count", [80, 100])
def test_of_many_recipients_one_is_left(server, home, make_lmtpd, count):
    """Who has it is remembered, however many: to none of them it goes twice."""
    server.append(b"Subject: x\r\n\r\nhello\r\n")
    many = [f"user{i}@example.org" for i in range(count)]
    far = make_lmtpd({"message": lambda recipient: "452 4.2.2 over quota"
                      if recipient == many[-1].encode() else None})
    home.configure(server, deliver=sink("lmtp", socket=far.path, to=many))
    assert home.fetch().code == 75
    assert far.messages[0].recipients == many[:-1]
    far.answers = {}
    home.fetched("--retry")
    assert [one.recipients for one in far.messages[1:]] == [many[-1:]]
    rcpt = [line for line in far.commands if line.startswith(b"RCPT")]
    assert len(rcpt) == count + 1


def test_a_reply_that_is_lost_is_in_doubt(store, home, make_lmtpd):
    far = make_lmtpd({"message": [None, CUT_AFTER, None]})
    home.configure(store, deliver=sink("lmtp", socket=far.path, to=["bob"]))
    run = home.fetch()
    assert run.code != 0
    assert "is not known" in run.err
    assert home.fetch("--retry").code == 0
    assert len(far.messages) == COUNT + 1


def test_killed_while_a_reply_is_due(store, home, make_lmtpd):
    far = make_lmtpd({"message": [*["250 taken"] * 4, HANG]})
    home.configure(store, deliver=sink("lmtp", socket=far.path, to=["bob"]))
    process = home.start("fetch")
    wait_for(lambda: len(far.answers["message"]) == 1
             and len(far.messages) == 4, 30, "the last answer")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    far.hang_up()
    far.answers = {}
    home.fetched()
    got = [one.body() for one in far.messages]
    assert len(got) <= COUNT + 1
    assert set(got) == {as_sent(one.data) for one in store.messages}
