"""Handing messages on by SMTP: into Exim, Postfix and a scripted server."""

import re
import signal

import pytest

import maildir
import messages
from server import wait_for
from sinks import Code, as_sent, sink
from smtpd import CUT, CUT_AFTER, HANG, Smtpd

COUNT = 7


def smtp(server, **options):
    options = {"host": "127.0.0.1", "port": server.port, "tls": "none",
               "to": ["alice@example.org"], **options}
    return sink("smtp", **options)


@pytest.fixture
def mailbox(server):
    """An IMAP server with some mail for alice."""
    server.messages = list(messages.mailbox(COUNT, 5))
    server.fill(server.messages)
    return server


def fetch_into(home, mailbox, target, *args, **options):
    home.configure(mailbox, deliver=target, **options)
    return home.fetch(*args)


def bodies(far):
    return sorted(one.body() for one in far.messages)


def expected(mailbox):
    return sorted(as_sent(one.data) for one in mailbox.messages)


# What arrives

@pytest.mark.parametrize("capabilities", [
    (), ("PIPELINING",), ("PIPELINING", "8BITMIME", "SIZE 100000000"),
    ("PIPELINING", "CHUNKING", "8BITMIME", "BINARYMIME", "SMTPUTF8", "DSN"),
    ("CHUNKING",)])
def test_every_octet_arrives(home, mailbox, make_smtpd, capabilities):
    far = make_smtpd(capabilities=capabilities)
    run = fetch_into(home, mailbox, smtp(far))
    assert run.code == 0, run
    assert bodies(far) == expected(mailbox)
    assert far.connections == 1
    assert far.commands[-1] == b"QUIT"
    assert {tuple(one.recipients) for one in far.messages} == {
        ("alice@example.org",)}


@pytest.mark.parametrize("connections", [1, 3])
def test_many_messages_share_connections(home, server, make_smtpd,
                                         connections):
    """Over more batches than one."""
    server.fill(messages.mailbox(250, 5))
    far = make_smtpd()
    run = fetch_into(home, server, smtp(far, connections=connections))
    assert run.code == 0, run
    assert len(far.messages) == 250
    assert far.connections == connections


def test_check_asks_the_server(home, mailbox, make_smtpd):
    far = make_smtpd()
    home.configure(mailbox, deliver=smtp(far))
    run = home.run("check")
    assert run.code == 0, run
    assert [line.split()[0] for line in far.commands] == [b"EHLO", b"QUIT"]
    far.answers = {"connect": "554 5.7.1 go away"}
    run = home.run("check")
    assert run.code != 0 and "554 5.7.1 go away" in run.out + run.err


def test_a_server_without_ehlo_is_spoken_to_with_helo(home, mailbox,
                                                      make_smtpd):
    far = make_smtpd({"helo": "502 5.5.1 what?"})
    run = fetch_into(home, mailbox, smtp(far))
    assert run.code == 0, run
    assert len(far.messages) == COUNT
    assert any(line.startswith(b"HELO ") for line in far.commands)


@pytest.mark.parametrize("capabilities, chunks", [
    (("PIPELINING",), 0), (("PIPELINING", "CHUNKING"), 2)])
def test_a_large_message_arrives(home, server, make_smtpd, capabilities,
                                 chunks):
    line = b"." + b"x" * 71 + b"\r\n"
    server.append(b"Subject: large\r\n\r\n" + line * 60_000)
    far = make_smtpd(capabilities=capabilities)
    run = fetch_into(home, server, smtp(far))
    assert run.code == 0, run
    assert far.messages[0].data.endswith(b"large\r\n\r\n" + line * 60_000)
    assert [one.split()[0] for one in far.commands].count(b"BDAT") == chunks


SMUGGLED = (b"MAIL FROM:<evil@example.net>{0}RCPT TO:<alice@example.org>{0}"
            b"DATA{0}Subject: smuggled{0}{0}boo{0}.{0}")


ENDS = (b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r\n.\r", b"\r.\r\n",
        b"\n.\r", b"\r\n.\r\n", b"\r\r\n.\r\r\n")


@pytest.mark.parametrize("capabilities", [
    ("PIPELINING",), (), ("PIPELINING", "CHUNKING")], ids=repr)
def test_no_message_hides_another(home, server, make_smtpd, capabilities):
    """A server that takes any mixture of CR and LF around a dot for the end
    sees as many messages as there are."""
    place = server.folder() / "new"
    place.mkdir(mode=0o700, exist_ok=True, parents=True)
    for i, end in enumerate(ENDS):
        hidden = end.join([b"harmless", SMUGGLED.replace(b"{0}", b"\r\n")])
        (place / f"{i}.M{i}P1.test").write_bytes(
            b"Subject: outer\n\n" + hidden + b"\nend\n")
    server.own_all()
    far = make_smtpd(capabilities=capabilities, lenient=True)
    run = fetch_into(home, server, smtp(far))
    assert run.code == 0, run
    assert len(far.messages) == len(ENDS)
    for one in far.messages:
        assert b"evil" in one.data and one.sender == ""
        text = one.data.replace(b"\r\n", b"")
        assert b"\r" not in text and b"\n" not in text


# What a server refuses

STAGES = ("connect", "helo", "mail", "rcpt", "data", "message")
BOTH = pytest.mark.parametrize("capabilities", [
    (), ("PIPELINING",), ("PIPELINING", "CHUNKING")], ids=repr)


def cases(stages=STAGES):
    """Each stage with the servers that have it: before EHLO nothing is known of
    one, and with CHUNKING there is no DATA."""
    for stage in stages:
        for capabilities in ((), ("PIPELINING",), ("PIPELINING", "CHUNKING")):
            is_same = stage in ("connect", "helo") and capabilities != ()
            has_none = stage == "data" and "CHUNKING" in capabilities
            if not is_same and not has_none:
                yield stage, capabilities


@pytest.mark.parametrize("stage, capabilities", list(cases()), ids=repr)
@pytest.mark.parametrize("answer", ["451 4.3.0 not now", "421 4.3.2 closing",
                                    "550 5.7.1 never", CUT])
def test_nothing_is_lost_whatever_is_refused(home, mailbox, make_smtpd, stage,
                                             answer, capabilities):
    far = make_smtpd({stage: answer, "plain helo": answer},
                     capabilities=capabilities)
    run = fetch_into(home, mailbox, smtp(far), after="delete")
    assert run.code != 0
    assert not far.messages
    assert len(mailbox.list_uids()) == COUNT
    # Before MAIL nothing is said about any message.
    is_final = answer[0] == "5" and stage not in ("connect", "helo")
    wanted = "failed" if is_final else "later"
    assert {one["status"] for one in run.messages} == {wanted}, run
    # Once the server thinks better of it, all of it arrives, once.
    far.answers = {}
    run = home.fetch("--retry")
    assert run.code == 0, run
    assert bodies(far) == expected(mailbox)
    assert mailbox.list_uids() == []


@pytest.mark.parametrize("stage, capabilities", list(cases(STAGES[2:])),
                         ids=repr)
@pytest.mark.parametrize("answer", ["451 4.3.0 not now", "421 4.3.2 closing",
                                    "550 5.7.1 never"])
def test_one_refusal_spoils_one_message(home, mailbox, make_smtpd, stage,
                                        answer, capabilities):
    far = make_smtpd({stage: [None, None, answer, None]},
                     capabilities=capabilities)
    run = fetch_into(home, mailbox, smtp(far))
    if answer[0] == "4" and answer[:3] == "421" and stage != "message":
        # The connection closed before the message: it went over another one.
        assert run.code == 0, run
        assert bodies(far) == expected(mailbox)
        return
    assert run.code != 0
    assert len(far.messages) == COUNT - 1
    assert home.fetch("--retry").code == 0
    assert bodies(far) == expected(mailbox)


@pytest.mark.parametrize("stage, capabilities", list(cases(STAGES[2:5])),
                         ids=repr)
def test_a_connection_that_is_cut_costs_nothing(home, mailbox, make_smtpd,
                                                stage, capabilities):
    far = make_smtpd({stage: [None, None, CUT, None]},
                     capabilities=capabilities)
    run = fetch_into(home, mailbox, smtp(far))
    assert run.code == 0, run
    assert bodies(far) == expected(mailbox)
    assert far.connections == 2


@pytest.mark.parametrize("size, doubt", [(10, True), (8_000_000, False)])
def test_only_a_message_sent_to_its_end_is_in_doubt(home, server, make_smtpd,
                                                    size, doubt):
    """Of the larger one, the end never left."""
    server.append(b"Subject: x\r\n\r\n" + b"hello, you\r\n" * (size // 10))
    far = make_smtpd({"content": [CUT, None]})
    run = fetch_into(home, server, smtp(far))
    assert run.code != 0 and not far.messages
    assert ("is not known" in run.err) == doubt, run
    assert home.fetch("--retry").code == 0
    assert len(far.messages) == 1


def test_soft_bounce_makes_never_a_later(home, mailbox, make_smtpd):
    far = make_smtpd({"rcpt": "550 5.1.1 no such user"})
    run = fetch_into(home, mailbox, smtp(far, soft_bounce=True))
    assert {one["status"] for one in run.messages} == {"later"}, run
    assert "no such user" in run.err


@BOTH
def test_a_lost_final_reply_is_reported_as_doubt(home, mailbox, make_smtpd,
                                                 capabilities):
    far = make_smtpd({"message": [None, CUT_AFTER, None]},
                     capabilities=capabilities)
    run = fetch_into(home, mailbox, smtp(far))
    assert run.code != 0
    assert "whether the server took it is not known" in run.err
    assert len(far.messages) == COUNT
    assert [one["status"] for one in run.messages].count("later") == 1
    assert home.fetch("--retry").code == 0
    # The one in doubt came again; no other did.
    assert len(far.messages) == COUNT + 1
    assert sorted(set(bodies(far))) == sorted(set(expected(mailbox)))


def test_a_silent_server_is_given_up(home, mailbox, make_smtpd):
    far = make_smtpd({"message": HANG})
    run = fetch_into(home, mailbox, smtp(far, final_timeout="1s"))
    assert run.code != 0
    assert "whether the server took it is not known" in run.err
    far = make_smtpd({"mail": HANG})
    run = fetch_into(home, mailbox, smtp(far, reply_timeout="1s"))
    assert run.code != 0 and not far.messages


def test_a_dead_server_is_not_asked_for_each_message(home, mailbox,
                                                     make_smtpd):
    far = make_smtpd({"connect": "554 5.7.1 go away"})
    run = fetch_into(home, mailbox, smtp(far))
    assert run.code != 0
    assert far.connections == 1


# Killed

@BOTH
@pytest.mark.parametrize("after", [0, 1, 4])
def test_killed_while_a_reply_is_due(home, mailbox, make_smtpd, after,
                                     capabilities):
    """One message at most is in doubt, and the next run says so."""
    taken = "250 2.0.0 taken"
    far = make_smtpd({"message": [*[taken] * after, HANG]},
                     capabilities=capabilities)
    home.configure(mailbox, deliver=smtp(far))
    process = home.start("fetch")
    wait_for(lambda: len(far.messages) == after and any(
        line.startswith((b"DATA", b"BDAT")) for line in far.commands),
        30, "a message")
    wait_for(lambda: "message" in far.answers
             and len(far.answers["message"]) == 1, 30, "the last answer")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    far.hang_up()
    far.answers = {}
    run = home.fetched()
    assert len(far.messages) <= COUNT + 1
    assert sorted(set(bodies(far))) == sorted(set(expected(mailbox)))


# Who it is from and for

def addressed(home, server, make_smtpd, header, capabilities=("PIPELINING",),
              **options):
    server.append(header.encode() + b"Subject: x\r\n\r\nhello\r\n")
    far = make_smtpd(capabilities=capabilities)
    run = fetch_into(home, server, smtp(far, **options))
    return far, run


MULTIDROP = {"to_header": ["Delivered-To", "Envelope-To"],
             "domains": ["example.org"]}


@pytest.mark.parametrize("header, sender", [
    ("Return-Path: <bob@example.net>\r\n", "bob@example.net"),
    ("Return-Path: <>\r\n", ""), ("", ""),
    ("Return-Path: <a b@example.net>\r\n", ""),
    ("Return-Path: <-x@example.net>\r\n", ""),
    ("Return-Path: <bob@example.net> BODY=8BITMIME\r\n", "")])
def test_the_sender_is_that_of_the_return_path(home, server, make_smtpd,
                                               header, sender):
    far, run = addressed(home, server, make_smtpd, header)
    assert run.code == 0, run
    assert far.messages[0].sender == sender


def test_a_fixed_sender(home, server, make_smtpd):
    far, run = addressed(home, server, make_smtpd,
                         "Return-Path: <bob@example.net>\r\n",
                         **{"from": "me@example.org"})
    assert far.messages[0].sender == "me@example.org"


@pytest.mark.parametrize("header, recipients", [
    ("Delivered-To: carol@example.org\r\n", ["carol@example.org"]),
    ("Delivered-To: carol@example.org\r\nDelivered-To: dan@example.org\r\n",
     ["carol@example.org"]),
    ("Envelope-To: carol@example.org,\r\n <dan@EXAMPLE.org>, e@example.net\r\n",
     ["carol@example.org", "dan@EXAMPLE.org"]),
    ("Delivered-To: carol@example.net\r\n", ["alice@example.org"]),
    ("X-Other: carol@example.org\r\n", ["alice@example.org"]),
    ("Delivered-To: \"a,b\"@example.org\r\n", ['"a,b"@example.org']),
    ("Delivered-To: a@example.org> NOTIFY=NEVER\r\n", ["alice@example.org"]),
    ("Delivered-To: a@example.org>\r\n RCPT TO:<b@example.org\r\n",
     ["alice@example.org"])])
def test_multidrop(home, server, make_smtpd, header, recipients):
    far, run = addressed(home, server, make_smtpd, header, **MULTIDROP)
    assert run.code == 0, run
    assert far.messages[0].recipients == recipients


def test_multidrop_without_a_recipient_is_put_aside(home, server, make_smtpd):
    far, run = addressed(home, server, make_smtpd, "", **MULTIDROP, to=[])
    assert run.code != 0 and not far.messages
    assert "no recipient" in run.err


def test_an_address_beyond_ascii_needs_smtputf8(home, server, make_smtpd):
    header = "Delivered-To: käthe@example.org\r\n"
    far, run = addressed(home, server, make_smtpd, header, **MULTIDROP)
    assert run.code != 0 and "SMTPUTF8" in run.err and not far.messages
    far = make_smtpd(capabilities=("SMTPUTF8", "8BITMIME"))
    home.configure(server, deliver=smtp(far, **MULTIDROP))
    assert home.fetch("--retry").code == 0
    assert far.messages[0].recipients == ["käthe@example.org"]
    assert "SMTPUTF8" in far.messages[0].parameters["mail"]


# Several recipients

TWO = ["alice@example.org", "bob@example.org"]


def refuse_bob(answer):
    return lambda argument: answer if b"bob" in argument else None


@BOTH
def test_a_refused_recipient_stops_the_message_for_all(home, mailbox,
                                                       make_smtpd,
                                                       capabilities):
    far = make_smtpd({"rcpt": refuse_bob("450 4.2.0 greylisted")},
                     capabilities=capabilities)
    run = fetch_into(home, mailbox, smtp(far, to=TWO))
    assert run.code != 0 and not far.messages
    far.answers = {}
    assert home.fetch("--retry").code == 0
    assert bodies(far) == expected(mailbox)
    assert all(one.recipients == TWO for one in far.messages)


@BOTH
def test_too_many_recipients_are_split(home, server, make_smtpd, capabilities):
    server.append(b"Subject: x\r\n\r\nhello\r\n")
    far = make_smtpd(capabilities=capabilities)
    taken = []

    def limited(argument):
        taken.append(argument)
        return "452 4.5.3 too many recipients" if len(taken) % 4 == 0 else None

    far.answers = {"rcpt": limited}
    many = [f"user{i}@example.org" for i in range(8)]
    run = fetch_into(home, server, smtp(far, to=many))
    assert run.code == 0, run
    assert sorted(sum((one.recipients for one in far.messages), [])) == many


def test_a_split_that_fails_halfway_goes_on_with_the_rest(home, server,
                                                          make_smtpd):
    server.append(b"Subject: x\r\n\r\nhello\r\n")
    many = [f"user{i}@example.org" for i in range(100)]
    room = {one.encode() for one in many[:80]}
    far = make_smtpd({
        "mail": [None, "451 4.3.0 not now"],
        "rcpt": lambda argument: None if argument[4:-1] in room
        else "452 4.5.3 too many recipients"})
    run = fetch_into(home, server, smtp(far, to=many))
    assert run.code == 75 and "not now" in run.err, run
    assert [one.recipients for one in far.messages] == [many[:80]]
    far.answers = {}
    run = home.fetch("--retry")
    assert run.code == 0, run
    assert [one.recipients for one in far.messages[1:]] == [many[80:]]


# Protection and login

@pytest.mark.parametrize("login", [["PLAIN"], ["LOGIN"], None])
def test_login_over_starttls(home, mailbox, make_smtpd, login):
    tls = mailbox.root / "tls"
    far = make_smtpd(tls=(tls / "good.pem", tls / "good.key"),
                     user=("alice", "wonder land"))
    options = {"auth": login} if login else {}
    run = fetch_into(home, mailbox, smtp(
        far, host="localhost", tls="starttls", ca_file=mailbox.ca_file,
        user="alice", password=Code(
            f'file "{home.secret("wonder land", "smtp")}"'), **options))
    assert run.code == 0, run
    assert len(far.messages) == COUNT
    assert far.auth in (b"PLAIN AGFsaWNlAHdvbmRlciBsYW5k",
                        (b"YWxpY2U=", b"d29uZGVyIGxhbmQ="))


def test_starttls_that_is_not_offered_ends_it(home, mailbox, make_smtpd):
    far = make_smtpd()
    run = fetch_into(home, mailbox, smtp(far, tls="starttls"))
    assert run.code != 0 and "STARTTLS" in run.err
    assert not any(line.startswith(b"MAIL") for line in far.commands)


@pytest.mark.parametrize("certificate", ["wrong-name", "expired", "alien"])
def test_a_bad_certificate_ends_it(home, mailbox, make_smtpd, certificate):
    tls = mailbox.root / "tls"
    far = make_smtpd(tls=(tls / f"{certificate}.pem",
                          tls / f"{certificate}.key"))
    run = fetch_into(home, mailbox, smtp(far, host="localhost", tls="starttls",
                                         ca_file=mailbox.ca_file))
    assert run.code != 0 and not far.messages


@pytest.mark.parametrize("certificate", ["wrong-name", "expired", "alien"])
def test_a_bad_certificate_ends_it_from_the_start(home, mailbox, make_exim,
                                                  certificate):
    """That a good one does not is in test_into_exim_with_a_login."""
    far = make_exim(certificate=certificate)
    run = fetch_into(home, mailbox, smtp(
        far, host="localhost", tls="implicit", port=far.tls_port,
        ca_file=far.ca_file))
    assert run.code != 0 and not far.files()
    assert len(mailbox.list_uids()) == COUNT


def test_a_refused_login_is_tried_once(home, mailbox, make_smtpd):
    far = make_smtpd({"auth": "535 5.7.8 no"}, user=("alice", "x"))
    run = fetch_into(home, mailbox, smtp(
        far, user="alice", insecure=True,
        password=Code(f'file "{home.secret("wrong", "smtp")}"')))
    assert run.code != 0 and not far.messages
    assert "check user and password" in run.err
    assert sum(line.startswith(b"AUTH") for line in far.commands) == 1
    assert "wrong" not in run.err


# Loops

def test_what_came_through_here_before_is_a_loop(home, mailbox, make_smtpd):
    far = make_smtpd()
    target = smtp(far)
    assert fetch_into(home, mailbox, target).code == 0
    mailbox.append(far.messages[0].data)
    run = home.fetch()
    assert run.code != 0 and "loop" in run.err
    assert len(far.messages) == COUNT


def test_too_many_hops_are_a_loop(home, server, make_smtpd):
    far, run = addressed(home, server, make_smtpd,
                         "Received: by example.org; x\r\n" * 4, hops=3)
    assert run.code != 0 and "loop" in run.err and not far.messages


# Real servers

def below_trace(data):
    """A delivered message without the fields that servers put above it."""
    lines = data.replace(b"\r\n", b"\n").split(b"\n")
    at = 0
    while re.match(rb"(Return-path|Envelope-to|Delivery-date|Received|"
                   rb"Delivered-To|X-Original-To|Return-Path|[ \t])",
                   lines[at], re.I):
        at += 1
    return b"\n".join(lines[at:])


def plain(message):
    return below_trace(as_sent(message.data))


@pytest.mark.parametrize("chunking", [True, False])
def test_into_exim(home, mailbox, make_exim, chunking):
    far = make_exim(chunking=chunking)
    run = fetch_into(home, mailbox, smtp(
        far, host="localhost", tls="starttls", ca_file=far.ca_file))
    assert run.code == 0, run
    arrived = far.mail(count=COUNT)
    assert sorted(map(below_trace, arrived)) == sorted(
        map(plain, mailbox.messages))


def test_into_exim_with_a_login(home, mailbox, make_exim):
    far = make_exim(closed=True)
    secret = home.secret("wonder land", "smtp")
    run = fetch_into(home, mailbox, smtp(
        far, host="localhost", tls="implicit", port=far.tls_port,
        ca_file=far.ca_file, user="alice", password=Code(f'file "{secret}"')))
    assert run.code == 0, run
    assert len(far.mail(count=COUNT)) == COUNT


def test_exim_refuses_content_and_recipients(home, server, make_exim):
    far = make_exim()
    server.append(b"Subject: refuse this\r\n\r\nx\r\n")
    server.append(b"Subject: take this\r\n\r\nx\r\n")
    run = fetch_into(home, server, smtp(far))
    assert sorted(one["status"] for one in run.messages) == ["done", "failed"]
    assert "content refused" in run.err
    server.append(b"Subject: for nobody\r\n\r\nx\r\n")
    run = fetch_into(home, server, smtp(far, to=["nobody@example.org"]))
    assert "no such user" in run.err
    assert len(far.mail(count=1)) == 1


def test_into_postfix(home, mailbox, make_postfix):
    far = make_postfix()
    run = fetch_into(home, mailbox, smtp(
        far, host="localhost", tls="starttls", ca_file=far.ca_file))
    assert run.code == 0, run
    arrived = far.mail(count=COUNT)
    assert sorted(map(below_trace, arrived)) == sorted(
        map(plain, mailbox.messages))


def test_postfix_refuses_content_and_recipients(home, server, make_postfix):
    far = make_postfix()
    server.append(b"Subject: refuse this\r\n\r\nx\r\n")
    server.append(b"Subject: take this\r\n\r\nx\r\n")
    run = fetch_into(home, server, smtp(far))
    assert sorted(one["status"] for one in run.messages) == ["done", "failed"]
    assert "content refused" in run.err
    server.append(b"Subject: for nobody\r\n\r\nx\r\n")
    run = fetch_into(home, server, smtp(far, to=["nobody@example.org"]))
    assert [one["status"] for one in run.messages] == ["failed"], run
    assert len(far.mail(count=1)) == 1


def test_trace_field(home, server, make_smtpd):
    far, run = addressed(home, server, make_smtpd, "")
    assert re.match(rb"Received: by \S+ \(postrider; mark [0-9a-f]{16}\) id "
                    rb"\S+;\r\n\t\w{3}, \d+ \w{3} \d{4} [0-9:]{8} \+0000\r\n",
                    far.messages[0].data)


def test_a_rule_redirects_a_copy(server, home, make_smtpd):
    server.fill(messages.mailbox(3, 88))
    far = make_smtpd()
    home.configure(server, rules=f"""
options {{ redirect = {smtp(far, **{"from": "me@example.org"})} }}
rule("away", function(m)
  m:redirect("pager@example.org", "home@example.org")
end)
""")
    run = home.fetched()
    assert {one["action"] for one in run.messages} == {"deliver"}
    assert len(maildir.entries(home.inbox)) == 3
    assert sorted(one.recipients[0] for one in far.messages) == \
        ["home@example.org"] * 3 + ["pager@example.org"] * 3
    assert {one.sender for one in far.messages} == {"me@example.org"}


def test_a_rule_that_cannot_redirect_says_why(server, home, make_smtpd):
    server.fill(messages.mailbox(1, 89))
    home.configure(server, rules="""
rule("away", function(m) m:redirect "pager@example.org" end)
""")
    assert "options { redirect = smtp" in home.fetch().err
    far = make_smtpd()
    home.configure(server, rules=f"""
options {{ redirect = {smtp(far)} }}
rule("away", function(m) m:redirect "not one" end)
""")
    assert "m:redirect: \"not one\" is no address" in home.fetch().err
    assert far.messages == []
