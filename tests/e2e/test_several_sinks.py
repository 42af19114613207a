"""One message for several sinks: it is delivered when all have it, and a retry
goes to those that lack it."""

import collections
import pathlib
import signal
import subprocess

import pytest

import dovecot
import maildir
import messages
from server import free_ports
from sinks import as_sent, sink
from smtpd import CUT, CUT_AFTER, Smtpd
from test_limits import namespace

COUNT = 12


@pytest.fixture
def mailbox(server):
    server.messages = list(messages.mailbox(COUNT, 71))
    server.fill(server.messages)
    return server


def smtp(far, name="smtp", **options):
    return sink(name, host="127.0.0.1", port=far.port, tls="none",
                to=["alice@example.org"], **options)


def sent_of(server):
    return sorted(as_sent(one.data) for one in server.messages)


def bodies(far):
    return sorted(one.body() for one in far.messages)


def into(home, server, *sinks, **options):
    """Every message goes into all of these."""
    options.setdefault("after", "delete")
    home.configure(server, deliver="{ " + ", ".join(sinks) + " }", **options)


HERE = 'mail / "inbox"'


def test_all_have_it_once(make_smtpd, mailbox, home):
    far, store = make_smtpd(), make_smtpd(lmtp=True)
    into(home, mailbox, HERE, f'mbox "{home.root}/box"', smtp(far),
         smtp(store, "lmtp"))
    assert len(home.fetched().messages) == COUNT
    maildir.assert_same(home.mail, mailbox.messages)
    assert bodies(far) == bodies(store) == sent_of(mailbox)
    assert (home.root / "box").read_bytes().count(b"\nFrom ") == COUNT - 1
    assert mailbox.list_uids() == []
    assert home.fetched().messages == []
    assert len(far.messages) == len(store.messages) == COUNT


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("stage, answer, delivered", [
    ("connect", "421 4.3.2 not now", 0),
    ("mail", "451 4.3.0 not now", 0),
    ("rcpt", "450 4.2.1 not now", 0),
    ("message", "452 4.3.1 no room", 0),
    ("message", [None] * 5 + ["451 4.3.0 not now"], 5),
], ids=["connect", "mail", "rcpt", "message", "some"])
def test_what_one_puts_off(make_smtpd, mailbox, home, first, stage, answer,
                           delivered):
    far = make_smtpd({stage: answer})
    sinks = [smtp(far), HERE] if first else [HERE, smtp(far)]
    into(home, mailbox, *sinks)
    run = home.fetch()
    assert run.code == 75, run
    maildir.assert_same(home.mail, mailbox.messages)
    assert len(far.messages) == delivered
    assert len(mailbox.list_uids()) == COUNT - delivered
    files = sorted(home.mail.rglob("*:2,*"))
    far.answers.clear()
    home.fetched("--retry")
    assert bodies(far) == sent_of(mailbox)
    assert sorted(home.mail.rglob("*:2,*")) == files
    assert mailbox.list_uids() == []
    assert home.fetched("--retry").messages == []


def test_what_one_refuses_for_good(make_smtpd, mailbox, home):
    far = make_smtpd({"message": "554 5.7.1 not wanted"})
    into(home, mailbox, smtp(far), HERE)
    run = home.fetch()
    assert run.code != 0 and "not wanted" in run.err, run
    maildir.assert_same(home.mail, mailbox.messages)
    assert len(mailbox.list_uids()) == COUNT
    far.answers.clear()
    home.fetched("--retry")
    assert bodies(far) == sent_of(mailbox)
    maildir.assert_same(home.mail, mailbox.messages)
    assert mailbox.list_uids() == []


def test_a_retry_comes_by_itself(make_smtpd, mailbox, home):
    far = make_smtpd({"message": "451 4.3.0 not now"})
    into(home, mailbox, HERE, smtp(far))
    assert home.fetch().code == 75
    far.answers.clear()
    home.fetched()
    assert bodies(far) == sent_of(mailbox)
    maildir.assert_same(home.mail, mailbox.messages)


def test_a_server_that_is_down(make_smtpd, mailbox, home):
    far = make_smtpd()
    down = sink("smtp", host="127.0.0.1", port=free_ports(1)[0], tls="none",
                to=["alice@example.org"])
    into(home, mailbox, HERE, down, smtp(far))
    run = home.fetch()
    assert run.code == 75, run
    maildir.assert_same(home.mail, mailbox.messages)
    assert bodies(far) == sent_of(mailbox)
    assert len(mailbox.list_uids()) == COUNT
    # The one that is down is taken out of the configuration.
    into(home, mailbox, HERE, smtp(far))
    home.fetched("--retry")
    maildir.assert_same(home.mail, mailbox.messages)
    assert bodies(far) == sent_of(mailbox)
    assert mailbox.list_uids() == []


@pytest.mark.parametrize("how", [CUT, CUT_AFTER])
def test_a_reply_that_is_lost(make_smtpd, mailbox, home, how):
    """Only the message in doubt may come twice, and only there."""
    far = make_smtpd({"message": [None, None, how, None]})
    into(home, mailbox, HERE, smtp(far))
    home.fetch()
    home.fetched("--retry")
    maildir.assert_same(home.mail, mailbox.messages)
    assert sorted(set(bodies(far))) == sent_of(mailbox)
    assert len(far.messages) - COUNT == (how == CUT_AFTER)
    assert mailbox.list_uids() == []


def test_a_program_that_fails_once(mailbox, home):
    here = home.root / "kept"
    here.mkdir()
    program = home.root / "keep"
    program.write_text(f'#!/bin/sh\n[ -e {home.root}/open ] || exit 75\n'
                       f'cat >{here}/$$\n')
    program.chmod(0o700)
    into(home, mailbox, f'pipe "{program}"', HERE)
    assert home.fetch().code == 75
    maildir.assert_same(home.mail, mailbox.messages)
    (home.root / "open").touch()
    home.fetched("--retry")
    assert sorted(path.read_bytes() for path in here.iterdir()) == \
        sorted(one.delivered for one in mailbox.messages)
    maildir.assert_same(home.mail, mailbox.messages)
    assert mailbox.list_uids() == []


def test_append_and_a_sink_in_lua(make_server, mailbox, home):
    other = make_server(users={"bob": "secret"})
    secret = home.secret("secret", "password-bob")
    far = (f'append {{ host = "localhost", port = {other.imaps}, user = "bob",'
           f' password = file "{secret}", ca_file = "{other.ca_file}" }}')
    lua = """sink("count", { deliver = function(m)
        if tries[m.key] then return true end
        tries[m.key] = true
        return nil, "not at first"
      end })"""
    home.write("tries = {}\n"
               + home.account(mailbox, after="delete",
                              deliver=f"{{ {lua}, {far}, {HERE} }}"))
    home.fetch()
    maildir.assert_same(home.mail, mailbox.messages)
    sent = maildir.digests(one.delivered for one in mailbox.messages)
    assert maildir.digests(other.bodies(user="bob").values()) == sent
    home.write(home.account(mailbox, after="delete", deliver="{ " + lua.replace(
        "if tries[m.key] then return true end", "if true then return true end")
        + f", {far}, {HERE} }}"))
    home.fetched("--retry")
    maildir.assert_same(home.mail, mailbox.messages)
    assert maildir.digests(other.bodies(user="bob").values()) == sent
    assert mailbox.list_uids() == []


# By rules

def test_a_rule_and_copies(make_smtpd, mailbox, home):
    """Lists go to two sinks; a copy of each goes to a third."""
    far = make_smtpd({"message": ["451 4.3.0 not now"]})
    into(home, mailbox, HERE, rules=f"""
local far = {smtp(far)}
rule("copies", function(m) m:copy(mail / "copies") end)
rule("lists", function(m)
  if m.list_id then m:deliver(mail / "lists", far) end
end)
""")
    lists = [one for one in mailbox.messages if one.list_id]
    assert lists
    assert home.fetch().code == 75
    far.answers.clear()
    home.fetched("--retry")
    maildir.assert_same(home.mail / "copies", mailbox.messages)
    maildir.assert_same(home.mail / "lists", lists)
    assert bodies(far) == sorted(as_sent(one.data) for one in lists)
    assert mailbox.list_uids() == []


def test_the_same_sink_twice_is_one(mailbox, home):
    into(home, mailbox, HERE, HERE, rules="""
rule("twice", function(m) m:deliver(mail / "inbox", mail / "inbox") end)
""")
    home.fetched()
    maildir.assert_same(home.mail, mailbox.messages)


# A full disk, and crashes

# The tmpfs lives as long as the namespace does, so all is done inside it.
FULL = """\
set -u
mount -t tmpfs -o size=900k,mode=700 none "$SMALL" || exit 99
"$@"; echo $? >"$OUT/first"
cp -a "$MAIL" "$OUT/half"
mount -o remount,size=200m none "$SMALL" || exit 99
"$@" --retry; echo $? >"$OUT/second"
cp -a "$SMALL" "$OUT/whole"
"$@" >"$OUT/third.json"; echo $? >"$OUT/third"
"""


def test_a_full_disk_below_one(server, home):
    argv = namespace()
    if argv is None:
        pytest.skip("no mount namespace here")
    sent = list(messages.mailbox(300, 72))
    assert sum(len(one.data) for one in sent) > 2_000_000
    server.fill(sent)
    small, out = home.root / "small", pathlib.Path(home.root / "out")
    small.mkdir()
    out.mkdir()
    into(home, server, f'mbox {{ "{small}/", flags = false }} / "box"', HERE)
    env = home.environment(SMALL=small, MAIL=home.mail, OUT=out)
    done = subprocess.run(
        [*argv, "sh", "-c", FULL, "sh", *home.argv("fetch", "--json")],
        env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    words = done.stderr.decode(errors="replace")
    codes = [(out / name).read_text().strip()
             for name in ("first", "second", "third")]
    assert codes == ["75", "0", "0"], words[-3000:]
    maildir.assert_same(out / "half", sent)
    maildir.assert_same(home.mail, sent)
    box = (out / "whole" / "box").read_bytes()
    ids = collections.Counter(
        one.message_id for one in sent
        if b"\nMessage-ID: " + one.message_id.encode() + b"\n" in box)
    assert len(ids) == len(sent)
    assert box.count(b"\nFrom ") == len(sent) - 1
    assert '"message"' not in (out / "third.json").read_text()
    assert server.list_uids() == []


def steps_of(home):
    log = home.root / "steps"
    home.fetched(POSTRIDER_CRASH_LOG=log)
    return log.read_text().splitlines()


def test_killed_between_two_sinks(make_smtpd, make_server, make_home,
                                  plain_prefix):
    """At the first, a middle and the last step of each name."""
    server = make_server(extra="""
passdb {
  driver = static
  args = nopassword=y
}
""")
    sent = list(messages.mailbox(COUNT, 73))

    def trial(user):
        home, far = make_home(plain_prefix), make_smtpd()
        server.users[user] = "wonder land"
        folder = server.root / "home" / user
        if not folder.exists():
            folder.mkdir(mode=0o700)
            server.own(folder)
        server.fill(sent, user=user)
        into(home, server, HERE, smtp(far), user=user)
        return home, far

    home, far = trial("alice")
    names = steps_of(home)
    chosen = set()
    for name in set(names):
        at = [number for number, each in enumerate(names, 1) if each == name]
        chosen |= {at[0], at[len(at) // 2], at[-1]}
    for step in sorted(chosen):
        user = f"user{step}"
        home, far = trial(user)
        first = home.fetch(POSTRIDER_CRASH_AT=step)
        assert first.code in (-signal.SIGKILL, 0), first
        dovecot.wait_for(lambda: not far.lines, 10, "end of the connections")
        again = home.fetched("--retry")
        maildir.assert_same(home.mail, sent)
        more = collections.Counter(bodies(far)) - collections.Counter(
            as_sent(one.data) for one in sent)
        assert len(set(bodies(far))) == len(sent), (step, names[step - 1])
        assert sum(more.values()) <= again.err.count("cannot be told"), \
            (step, names[step - 1], again)
        assert sum(more.values()) <= 1
        assert server.list_uids(user=user) == []


# What is told of it

def test_each_sink_has_its_own_outcome(make_smtpd, server, home):
    server.append(b"Message-ID: <m1@example.org>\r\nSubject: x\r\n\r\nhello\r\n")
    far = make_smtpd({"rcpt": "451 4.3.0 not now"})
    words = "RCPT TO:<alice@example.org>: the server says: 451 4.3.0 not now"
    into(home, server, HERE, smtp(far))
    here, there = f"maildir:{home.inbox}", \
        f"smtp:127.0.0.1:{far.port}/alice@example.org"
    run = home.fetch("--retry")
    assert run.code == 75
    [one] = run.messages
    assert one["status"] == "later" and one["error"] == words
    assert one["targets"] == [here, there]
    assert one["outcomes"] == [
        {"target": here, "status": "done", "error": None},
        {"target": there, "status": "later", "error": words}]
    shown = home.run("fetch", "-v", "--retry").out
    assert f"    deliver to {here}: done\n" in shown
    assert f"    deliver to {there}: later ({words})\n" in shown
    assert "put off" not in shown
    far.answers = {"rcpt": "550 5.1.1 no such user"}
    home.fetch("--retry")
    far.answers = {}
    home.fetched("--retry")
    why = home.run("why", "m1@example.org").out
    assert f"{here}, the account's own delivery: done\n" in why
    assert [line.partition(": ")[2] for line in why.splitlines()
            if "to smtp:" in line] == [
        f"later ({words})"] * 2 + [
        f"failed ({words.replace('451 4.3.0 not now', '550 5.1.1 no such user')})",
        "done"]
    told = [line for line in why.splitlines() if here in line]
    assert len(told) == 2 and told[-1].endswith("done (by an earlier try)")


def test_what_cannot_be_staged_is_told_of_that_sink(server, home, make_smtpd):
    """One sink refuses the message before any is asked."""
    server.append(b"Message-ID: <m1@example.org>\r\nSubject: x\r\n\r\nhello\r\n")
    far = make_smtpd()
    nobody = sink("smtp", host="127.0.0.1", port=far.port, tls="none",
                  to_header=["Delivered-To"], domains=["example.org"])
    into(home, server, nobody, HERE)
    [one] = home.fetch().messages
    assert one["status"] == "failed"
    assert [each["status"] for each in one["outcomes"]] == ["failed", "done"]
    assert "no recipient" in one["outcomes"][0]["error"]
    assert one["outcomes"][1]["error"] is None
