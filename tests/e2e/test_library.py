"""The library of rules: its own tests, its examples, and what it does outside."""

import email
import email.policy
import os
import pathlib
import re
import subprocess
import time

import pytest

import maildir
import postrider
import services
from sinks import sink

SOURCE = pathlib.Path(__file__).resolve().parents[2]
MODULES = sorted(path.stem for path in
                 (SOURCE / "scripts" / "lib" / "postrider").glob("*.lua"))
TESTS = sorted((SOURCE / "tests" / "library").glob("*.lua"))
EXAMPLES = [SOURCE / "scripts" / "examples" / f"{name}.lua"
            for name in ("lists", "vacation", "learn")]
ACCOUNT = """
account "local" {{
  source = maildir_source "{source}",
  folders = {{ "INBOX" }},
  after = keep,
  deliver = mail / "inbox",
}}
"""


# What the library says of itself

@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_the_rule_tests_of_a_module_pass(home, path):
    home.config.write_text(path.read_text())
    home.config.chmod(0o600)
    run = home.run("test")
    assert run.code == 0, run
    passed = int(re.search(r"(\d+) passed, 0 failed", run.out).group(1))
    assert passed >= 9, run


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_holds(home, path):
    home.config.write_text(path.read_text())
    home.config.chmod(0o600)
    run = home.run("check", "--offline")
    assert run.code == 0, run
    run = home.run("test")
    assert run.code == 0 or "there are no tests" in run.err, run


def test_every_module_is_tested_and_has_an_example():
    examples = "".join(path.read_text() for path in EXAMPLES)
    tests = "".join(path.read_text() for path in TESTS)
    here = pathlib.Path(__file__).read_text()
    for name in set(MODULES) - {"options", "digest"}:
        wanted = f'require "postrider.{name}"'
        assert wanted in examples, name
        assert wanted in tests + here, name


# How it is required

def check(home, text):
    home.write('account "a" { source = imap { host = "h", user = "u", '
               'password = env "P" }, deliver = mail }\n' + text)
    return home.run("check", "--offline")


def test_an_unknown_module_is_named_with_its_neighbour(home):
    run = check(home, 'require "postrider.vacatoin"')
    assert run.code == 78, run
    assert ('the library has no "postrider.vacatoin"; did you mean '
            '"postrider.vacation"?') in run.err
    (home.root / "mine.lua").write_text("return 1")
    run = check(home, 'require "mime"')
    assert 'there is no mime.lua beside the configuration' in run.err
    assert 'did you mean "mine"?' in run.err


def test_a_file_of_ones_own_comes_first_but_for_the_librarys_names(home):
    (home.root / "postrider").mkdir()
    (home.root / "postrider" / "lists.lua").write_text('error("mine")')
    (home.root / "lists.lua").write_text('return "mine"')
    run = check(home, """
assert(require("postrider.lists").file)
assert(require "lists" == "mine")
""")
    assert run.code == 0, run


def test_the_sandbox_holds_for_the_library(home):
    """It has no name that rules have not, and what it returns gives none."""
    run = check(home, """
for _, name in ipairs { "%s" } do
  local module = require("postrider." .. name)
  for _, value in pairs(module) do assert(type(value) == "function") end
end
assert(not pcall(function() return io end))
assert(not pcall(function() return os end))
""" % '", "'.join(MODULES))
    assert run.code == 0, run


@pytest.mark.parametrize("text, words", [
    ('require("postrider.vacation").answer { adresses = "a@b", text = "x" }',
     'vacation: there is no option "adresses": there are addresses, age'),
    ('require("postrider.vacation").answer { addresses = "a@b" }',
     "vacation: expects text, or mime"),
    ('require("postrider.vacation").answer { text = "x" }',
     "vacation: needs addresses"),
    ('require("postrider.vacation").answer { addresses = "*@b", text = "x" }',
     "vacation: from: needs an address that is no pattern"),
    ('require("postrider.vacation").answer { addresses = "a@b", text = "x", '
     'first = "tomorrow" }', "vacation: first: expects a day such as"),
    ('require("postrider.lists").file(mail, { whole = 1 })',
     "lists.file: whole: expects boolean, got number"),
    ('require("postrider.duplicates").drop { by = "luck" }',
     'duplicates.drop: by: expects "message_id" or "content"'),
    ('require("postrider.train").with({})', "expects a list of learners"),
    ('require("postrider.notmuch").sink("n", { tags = "--x" })',
     "cannot be a tag"),
])
def test_a_wrong_option_is_told_when_the_configuration_is_read(home, text,
                                                               words):
    run = check(home, text)
    assert run.code == 78, run
    assert words in run.err, run


# Vacation

class Box:
    """A Maildir of mail that comes in, and the answers to it."""

    def __init__(self, home, far, more="", rules="", after=""):
        self.home, self.far, self.count = home, far, 0
        self.source = home.root / "in"
        for part in ("cur", "new", "tmp"):
            (self.source / part).mkdir(parents=True)
        home.write(f"""
options {{ redirect = {sink("smtp", host="127.0.0.1", port=far.port,
                            tls="none", **{"from": "relay@example.net"})} }}
""" + ACCOUNT.format(source=self.source) + f"""
local vacation = require "postrider.vacation"
{rules}
rule("away", vacation.answer {{
  addresses = "alice@example.net",
  text = "Gr\u00fc\u00dfe, I am away.\\n.\\nFrom Monday on I am here.",
  {more}
}})
{after}
""")

    def comes(self, header="", sender="bob@example.org"):
        """One message, which is fetched. What was answered so far."""
        self.count += 1
        path = self.source / "new" / f"{int(time.time())}.{self.count}.host"
        path.write_text(
            f"Return-Path: <{sender}>\nFrom: Bob <{sender}>\n"
            f"To: alice@example.net\nMessage-ID: <{self.count}@example.org>\n"
            f"Subject: hello {self.count}\n{header}\n\nHi\n")
        self.run = self.home.fetch()
        return [one.recipients for one in self.far.messages]

    def delivered(self):
        return len(maildir.entries(self.home.inbox))


def test_an_answer_is_a_message_as_it_should_be(home, make_smtpd):
    far = make_smtpd()
    box = Box(home, far, more='from = "J\u00f6rg <alice@example.net>"')
    box.comes("References: <0@example.org>\n"
              "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe=0D=0ABcc:_x@example.org?=")
    assert box.run.code == 0, box.run
    sent = far.messages[0]
    assert sent.sender == "" and sent.recipients == ["bob@example.org"]
    assert max(sent.data) < 128
    assert all(len(line) <= 78 for line in sent.body().split(b"\n"))
    message = email.message_from_bytes(sent.body(),
                                       policy=email.policy.default)
    assert message["From"].addresses[0].display_name == "J\u00f6rg"
    assert message["From"].addresses[0].addr_spec == "alice@example.net"
    assert message["To"] == "bob@example.org"
    assert message["Subject"].startswith("Auto: hello 1")
    assert message["Auto-Submitted"] == "auto-replied"
    assert message["In-Reply-To"] == "<1@example.org>"
    assert message["References"] == "<0@example.org> <1@example.org>"
    assert re.match(r"<\S+\.reply@example\.net>$", message["Message-ID"])
    assert abs(message["Date"].datetime.timestamp() - time.time()) < 3600
    assert message["Bcc"] is None
    assert message.get_content() == (
        "Gr\u00fc\u00dfe, I am away.\n.\nFrom Monday on I am here.\n")
    assert box.delivered() == 1


def test_nobody_is_answered_twice_within_days(home, make_smtpd):
    box = Box(home, make_smtpd())
    bob, carol = ["bob@example.org"], ["carol@example.org"]
    assert box.comes() == [bob]
    assert box.comes() == [bob]
    assert box.comes(sender="BOB@example.org") == [bob]
    assert box.comes(sender="carol@example.org") == [bob, carol]
    assert box.delivered() == 4


def test_two_that_come_together_get_one_answer(home, make_smtpd):
    box = Box(home, make_smtpd())
    for number in range(20):
        (box.source / "new" / f"{int(time.time())}.x{number}.host").write_text(
            "Return-Path: <bob@example.org>\nTo: alice@example.net\n"
            f"Message-ID: <x{number}@example.org>\n\nHi\n")
    assert box.comes() == [["bob@example.org"]]
    assert box.delivered() == 21


@pytest.mark.parametrize("stage, answer", [
    ("rcpt", "451 4.3.0 later"), ("connect", "554 5.3.2 no service here")])
def test_an_answer_that_cannot_go_now_goes_later_once(home, make_smtpd, stage,
                                                      answer):
    """The message itself is delivered once; nothing is taken for answered."""
    far = make_smtpd(answers={stage: [answer, None]})
    box = Box(home, far)
    assert box.comes() == []
    assert box.delivered() == 1
    run = home.fetch("--retry")
    assert [one.recipients for one in far.messages] == [["bob@example.org"]], \
        run
    assert box.delivered() == 1
    assert box.comes() == [["bob@example.org"]]


def test_an_answer_that_is_refused_keeps_nobody_waiting(home, make_smtpd):
    far = make_smtpd(answers={"rcpt": ["550 5.1.1 no such user", None]})
    box = Box(home, far)
    assert box.comes() == []
    assert "the reply to it is given up" in box.run.err
    assert "no such user" in box.run.err
    assert box.delivered() == 1
    status = home.run("status", "--json").out
    assert '"put_aside":0' in status.replace(" ", "") or \
        "no such user" not in status, status
    why = home.run("why", "1@example.org")
    assert re.search(r"/inbox, the account's own delivery: done$", why.out,
                     re.MULTILINE), why
    assert re.search(r"to smtp:.*: failed \(.*no such user\)$", why.out,
                     re.MULTILINE), why


def test_who_was_refused_is_answered_when_that_is_mended(home, make_smtpd):
    far = make_smtpd(answers={"rcpt": ["550 5.7.1 relaying denied", None]})
    box = Box(home, far)
    assert box.comes() == []
    assert box.comes() == [["bob@example.org"]]
    assert box.comes() == [["bob@example.org"]]


def test_an_answer_beside_a_redirected_copy(home, make_smtpd):
    """To the same address: both go, each with its own envelope."""
    far = make_smtpd()
    box = Box(home, far, after="""
rule("copy", function(m) m:redirect "bob@example.org" end)
""")
    box.comes()
    assert sorted((one.sender, one.recipients) for one in far.messages) == [
        ("", ["bob@example.org"]), ("relay@example.net", ["bob@example.org"])]
    assert box.delivered() == 1


def test_a_crash_doubles_an_answer_only_where_it_says_so(home, make_smtpd):
    """At every durable step. Whether a server took what it was given the end of
    nobody can tell; then it goes again, as any delivery by SMTP."""
    steps, at, doubled = [""], 0, 0
    while at < len(steps):
        far = make_smtpd()
        with postrider.Home(home.prefix) as own:
            box = Box(own, far)
            (box.source / "new" / f"{int(time.time())}.c.host").write_text(
                "Return-Path: <bob@example.org>\nTo: alice@example.net\n"
                "Message-ID: <c@example.org>\n\nHi\n")
            log = own.root / "steps"
            own.fetch(POSTRIDER_CRASH_AT=at, POSTRIDER_CRASH_LOG=log)
            if at == 0:
                steps += log.read_text().splitlines()
            run = own.fetch("--retry")
            own.fetch("--retry")
            found = [one.recipients for one in far.messages]
            assert found and found == [["bob@example.org"]] * len(found)
            if len(found) > 1:
                doubled += 1
                assert len(found) == 2 and "cannot be told" in run.err, run
            assert box.delivered() == 1, steps[at]
        at += 1
    assert len(steps) > 10 and doubled < len(steps) / 2


def test_two_vacations_end_in_silence(home, make_smtpd):
    """Our own answer comes back as mail: it gets none."""
    far = make_smtpd()
    box = Box(home, far)
    box.comes()
    answer = far.messages[0].body().decode()
    answer = re.sub("To: .*\n", "To: alice@example.net\n", answer, count=1)
    (box.source / "new" / f"{int(time.time())}.back.host").write_text(
        "Return-Path: <carol@example.org>\n" + answer)
    home.fetch()
    assert len(far.messages) == 1 and box.delivered() == 2


def test_the_plan_tells_of_the_answer(home, make_smtpd):
    far = make_smtpd()
    box = Box(home, far)
    (box.source / "new" / f"{int(time.time())}.d.host").write_text(
        "Return-Path: <bob@example.org>\nTo: alice@example.net\n"
        "Subject: lunch\n\nHi\n")
    run = home.run("fetch", "--dry-run")
    assert "reply to bob@example.org: Auto: lunch" in run.out, run
    assert far.messages == [] and box.delivered() == 0
    path = home.root / "one.eml"
    path.write_text("Return-Path: <>\nTo: alice@example.net\n\nHi\n")
    run = home.run("explain", str(path))
    assert "no answer: it has no sender" in run.out, run


def test_a_rule_may_answer_on_its_own(home, make_smtpd):
    """m:reply: what it takes, and what it refuses by itself."""
    far = make_smtpd()
    box = Box(home, far, rules="""
rule("own", function(m)
  for _, wrong in ipairs {
    { text = "x" }, { from = "no address", text = "x" },
    { from = "a@example.net\\nBcc: b@example.org", text = "x" },
    { from = "a@example.net" },
    { from = "a@example.net", text = "x", mime = "y" },
    { from = "a@example.net", mime = "Subject: x\\n\\ny" },
    { from = "a@example.net", mime = "Content-Type: text/plain\\n" },
    { from = "a@example.net", text = "x", to = "b@example.org, c@example.org" },
    { from = "a@example.net", text = "x", cc = "b@example.org" },
    { from = 1, text = "x" }, "x",
  } do
    local is_right, why = pcall(m.reply, m, wrong)
    assert(not is_right and why:find "m:reply", why)
  end
  local sent, why = m:reply { from = "a@example.net", text = "x",
                              to = "carol@example.org", subject = "I saw it" }
  m:note(tostring(sent) .. " " .. tostring(why))
  m:stop()
end)
""")
    assert box.comes() == [["carol@example.org"]], box.run
    assert b"\nSubject: I saw it\n" in far.messages[0].body()
    box.comes("Auto-Submitted: auto-generated")
    box.comes(sender="")
    assert len(far.messages) == 1, box.run


# Training

def moving(home, server, rules):
    server.create("Junk")
    server.create("Trash")
    home.configure(server, rules=rules)
    home.fetched()


def test_learners_are_told_what_was_moved(server, home, request):
    rspamd = services.Web({"/learnspam": (200, {}, b'{"success":true}'),
                           "/learnham": (208, {}, b'{"error":"again"}')})
    spamd = services.Spamd()
    request.addfinalizer(rspamd.close)
    request.addfinalizer(spamd.close)
    from test_events import fill, move
    fill(server, "a", "b", "c")
    moving(home, server, f"""
local train = require "postrider.train"
train.with({{ rspamd {{ learn_url = "{rspamd.url}" }},
             spamd {{ host = "127.0.0.1", port = {spamd.port} }} }})
""")

    def told():
        told = ([(path, re.search(rb"about (\w+)", body).group(1))
                 for _, path, _, body in rspamd.seen],
                [(headers["message-class"],
                  re.search(rb"about (\w+)", data).group(1))
                 for _, headers, data in spamd.seen])
        rspamd.seen.clear()
        spamd.seen.clear()
        return [sorted(one) for one in told]

    assert told() == [[], []]
    move(server, "a", "INBOX", "Junk")
    move(server, "b", "INBOX", "Junk")
    home.fetched()
    assert told() == [[("/learnspam", b"a"), ("/learnspam", b"b")],
                      [("spam", b"a"), ("spam", b"b")]]
    move(server, "a", "Junk", "INBOX")
    move(server, "b", "Junk", "Trash")
    home.fetched()
    assert told() == [[("/learnham", b"a")], [("ham", b"a")]]
    home.fetched()
    assert told() == [[], []]


def test_a_learner_that_fails_is_told_again(server, home, request):
    answers = [(500, {}, b"not now"), (200, {}, b'{"success":true}')]
    rspamd = services.Web({"/learnspam": lambda body: answers.pop(0)})
    request.addfinalizer(rspamd.close)
    from test_events import fill, move
    fill(server, "a")
    moving(home, server, f"""
require("postrider.train").with {{ rspamd {{ learn_url = "{rspamd.url}" }} }}
""")
    move(server, "a", "INBOX", "Junk")
    run = home.fetch()
    assert "rspamd answers 500" in run.err, run
    home.fetched()
    assert len(rspamd.seen) == 2 and answers == []


def test_a_program_learns(server, home):
    from test_events import fill, move
    fill(server, "a", "bad")
    programs = home.root / "bin"
    programs.mkdir()
    (programs / "sa-learn").write_text(
        '#!/bin/sh\ntext=$(cat)\ncase $text in *"about bad"*) '
        f'echo "broken" >&2; exit 1;; esac\necho "$1" >> {programs}/told\n')
    (programs / "sa-learn").chmod(0o700)
    path = f"{programs}:{os.environ['PATH']}"
    moving(home, server, """
local train = require "postrider.train"
train.with({ train.sa_learn() }, { junk = "Junk" })
""")
    move(server, "a", "INBOX", "Junk")
    move(server, "bad", "INBOX", "Junk")
    run = home.fetch(PATH=path)
    assert (programs / "told").read_text() == "--spam\n"
    assert "sa-learn: broken" in run.err, run


# notmuch

NOTMUCH = """
local notmuch = require "postrider.notmuch"
local index = notmuch.sink("index", {{ folder = "in", tags = {{ "new", "-inbox" }},
  {more} }})
account "local" {{
  source = maildir_source "{source}",
  folders = {{ "INBOX" }},
  after = keep,
  deliver = index,
}}
rule("work", function(m)
  m:label "work"
  m:flag "\\\\Flagged"
  m:deliver(index / "lists")
end)
"""


def one_message(root):
    for part in ("cur", "new", "tmp"):
        (root / part).mkdir(parents=True)
    (root / "new" / f"{int(time.time())}.1.host").write_text(
        "From: a@example.org\nTo: b@example.org\nMessage-ID: <1@example.org>\n"
        "Subject: hello\n\nHi\n")


def test_notmuch_is_told_folder_and_tags(home):
    program = home.root / "notmuch"
    program.write_text(f'#!/bin/sh\n[ "$1" = --version ] && exit 0\n'
                       f'printf "%s\\n" "$@" > {home.root}/words\n'
                       f'cat > {home.root}/message\n'
                       f'[ -e {home.root}/works ] || '
                       f'{{ echo "no database" >&2; exit 75; }}\n')
    program.chmod(0o700)
    one_message(home.root / "in")
    home.write(NOTMUCH.format(source=home.root / "in",
                              more=f'program = "{program}"'))
    run = home.fetch()
    assert "notmuch: no database" in run.err, run
    (home.root / "works").touch()
    run = home.fetch("--retry")
    assert run.code == 0, run
    assert (home.root / "words").read_text().split() == [
        "insert", "--create-folder", "--folder=in/lists", "+new", "-inbox",
        "+flagged", "+work"]
    assert b"Message-ID: <1@example.org>\n" in \
        (home.root / "message").read_bytes()
    assert home.run("check").code == 0


@pytest.mark.skipif(not os.environ.get("POSTRIDER_LONG"),
                    reason="only with --long")
def test_the_real_notmuch_finds_what_was_delivered(home):
    config = home.root / "notmuch-config"
    store = home.root / "Notmuch"
    store.mkdir()
    config.write_text(f"[database]\npath={store}\n[user]\nname=A\n"
                      "primary_email=a@example.org\n[new]\ntags=unread;inbox;\n"
                      "[maildir]\nsynchronize_flags=true\n")

    def notmuch(*words):
        return subprocess.run(["notmuch", f"--config={config}", *words],
                              check=True, stdout=subprocess.PIPE,
                              env=home.environment(), text=True).stdout

    notmuch("new")
    one_message(home.root / "in")
    home.write(NOTMUCH.format(source=home.root / "in",
                              more=f'config = "{config}"'))
    run = home.fetch()
    assert run.code == 0, run
    assert notmuch("count", "tag:work", "and", "tag:flagged", "and", "tag:new",
                   "and", "not", "tag:inbox", "and", "folder:in/lists",
                   "and", "id:1@example.org").strip() == "1"
