"""`postrider deliver` behind another program: a message on standard input is safe
at status 0, and at 75 whoever called has to keep it."""

import concurrent.futures
import os
import resource
import signal
import subprocess

import maildir
import messages
import pytest

CONFIG = """\
local mail = maildir "{mail}"
options {{ state = "{state}" }}
account "mda" {{ source = stdin {{}}, deliver = mail / "inbox" }}
{more}"""


@pytest.fixture
def agent(home):
    def write(more=""):
        home.config.write_text(CONFIG.format(mail=home.mail, state=home.state,
                                             more=more))

    def deliver(message, *arguments, **how):
        return subprocess.run(
            [home.prefix / "bin/postrider", "-c", home.config, "deliver",
             *arguments], input=message, capture_output=True, timeout=60,
            **how)

    write()
    deliver.write, deliver.home = write, home
    return deliver


def contents(folder):
    return sorted(one.data for one in maildir.entries(folder))


def test_every_kind_of_message_arrives_as_it_was(agent):
    sent = list(messages.mailbox(30, 5))
    for one in sent:
        done = agent(one.data)
        assert done.returncode == 0, done.stderr
        assert done.stdout == b"" and done.stderr == b""
    assert contents(agent.home.inbox) == sorted(
        one.delivered for one in sent)


def test_equal_messages_are_two(agent):
    for _ in range(2):
        assert agent(b"Subject: one\n\nbody\n").returncode == 0
    assert len(contents(agent.home.inbox)) == 2


def test_many_at_the_same_time(agent):
    texts = [b"Subject: n%d\n\nbody\n" % number for number in range(16)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        failed = [(one.returncode, one.stderr)
                  for one in pool.map(agent, texts) if one.returncode != 0]
    assert not failed
    assert contents(agent.home.inbox) == sorted(texts)


def test_a_line_of_an_mbox_is_left_out(agent):
    agent(b"From alice@example.org Mon Jan  1 00:00:00 2024\n"
          b"Subject: one\n\nbody\n")
    assert contents(agent.home.inbox) == [b"Subject: one\n\nbody\n"]


def test_a_large_message_comes_whole(agent):
    text = b"Subject: large\n\n" + b"0123456789abcdef\n" * 500_000
    assert agent(text).returncode == 0
    assert contents(agent.home.inbox) == [text]


RULES = """
rule("one", function(m)
  if m.subject == "lists" then m:deliver(mail / "lists") end
  if m.subject == "drop" then m:discard("test") end
  if m.subject == "later" then m:defer("1h") end
  if m.subject == "leave" then m:leave() end
  if m.subject == "move" then m:move("Junk") end
  if m.subject == "wrong" then error("wrong") end
end)
"""


@pytest.mark.parametrize("subject, code, folder", [
    ("lists", 0, "lists"), ("other", 0, "inbox"), ("drop", 0, None),
    ("later", 75, None), ("leave", 75, None), ("move", 75, None),
    ("wrong", 75, None)])
def test_rules_decide(agent, subject, code, folder):
    agent.write(RULES)
    text = b"Subject: %s\n\nbody\n" % subject.encode()
    done = agent(text)
    assert done.returncode == code, done.stderr
    for name in ("lists", "inbox"):
        found = contents(agent.home.mail / name)
        assert found == ([text] if name == folder else [])
    if subject == "move":
        assert b"no folders" in done.stderr


@pytest.mark.parametrize("text", ["", "account", 'account "x" { sauce = 1 }'])
def test_a_wrong_configuration_bounces_nothing(agent, text):
    agent.home.config.write_text(text)
    done = agent(b"Subject: one\n\nbody\n")
    assert done.returncode == 75
    assert done.stderr != b""


def test_what_is_refused_waits_nowhere(agent):
    agent.write('account "b" { source = stdin {}, deliver = pipe { "false" } }')
    done = agent(b"Subject: one\n\nbody\n", "-v", "b")
    said = done.stdout.decode() + done.stderr.decode()
    assert done.returncode == 75, said
    assert "false refused it (exit status 1)" in said
    assert "not delivered, whoever called has to keep it" in said
    for word in ("put off", "another try", "later", "again"):
        assert word not in said
    again = agent(b"Subject: one\n\nbody\n", "-v", "mda")
    assert again.returncode == 0 and b"not delivered" not in again.stdout


def test_nothing_on_standard_input_is_no_message(agent):
    done = agent(b"")
    assert done.returncode == 75
    assert b"no message on standard input" in done.stderr


def test_the_account_is_named_when_there_are_two(agent):
    agent.write('account "b" { source = stdin {}, deliver = mail / "b" }')
    assert b"name one of them" in agent(b"Subject: one\n\n").stderr
    assert agent(b"Subject: one\n\n", "b").returncode == 0
    assert len(contents(agent.home.mail / "b")) == 1


def test_fetch_leaves_standard_input_alone(agent):
    run = agent.home.run("fetch")
    assert run.code == 0
    run = agent.home.run("fetch", "mda")
    assert run.code == 78
    assert "use postrider deliver" in run.err


def test_no_room_is_told_and_leaves_nothing(agent):
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    text = b"Subject: large\n\n" + b"0123456789abcdef\n" * 50_000
    assert agent(b"Subject: small\n\nbody\n").returncode == 0
    assert agent(text, preexec_fn=limit).returncode == 75
    assert len(contents(agent.home.inbox)) == 1
    assert agent(text).returncode == 0


def test_a_killed_one_is_taken_up_by_whoever_called(agent):
    """The caller tries again: the message is there at the end."""
    text = b"Subject: one\n\nbody\n"
    for step in range(1, 40):
        environment = dict(os.environ, POSTRIDER_CRASH_AT=str(step))
        done = agent(text, env=environment)
        if done.returncode == 0:
            break
        assert agent(text).returncode == 0
        assert contents(agent.home.inbox)[-1] == text
    assert done.returncode == 0
