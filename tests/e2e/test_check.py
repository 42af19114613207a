"""`postrider check` tries where mail goes to, says how each place fared, and
changes nothing."""

import os
import re
import socket
import threading

import maildir
import messages
import pytest
import services


def account(deliver):
    """One that nobody connects to: only its sinks are tried."""
    return 'account "work" { source = stdin {}, deliver = ' + deliver + " }\n"


def write(home, text):
    """Without a Maildir, unless the text names it."""
    head = f'local mail = maildir "{home.mail}"\n'
    names_it = "mail" in text.replace("maildir", "")
    home.config.write_text((head if names_it else "") + text)


def fates(run):
    """What is said of each sink."""
    lines = run.out.splitlines()
    assert "no problem found" in lines[0], run
    return [line for line in lines[1:] if not line.startswith("account ")]


def test_all_is_well(home):
    home.mail.mkdir()
    write(home, 'local lua = sink("box", { deliver = print, '
               'check = function() sleep(0.01) return true end })\n' +
               account('{ mail / "inbox", pipe { "cat" }, lua }'))
    before = sorted(home.root.rglob("*"))
    run = home.run("check")
    assert run.code == 0, run
    assert sorted(fates(run)) == [f"maildir:{home.mail}: ok", "pipe:cat: ok",
                                  "sink:box: ok"]
    assert sorted(home.root.rglob("*")) == before


def test_offline_tries_nothing(home):
    write(home, 'local it = sink("box", { deliver = print, '
               'check = function() error "called" end })\n' +
               account('{ pipe { "/nonexistent" }, it }'))
    for option in ("--offline", "-o"):
        run = home.run("check", option)
        assert run.code == 0 and fates(run) == [], run


def test_a_configuration_with_a_problem_is_not_tried(home):
    write(home, account('pipe { "cat", timeuot = 5 }'))
    run = home.run("check")
    assert run.code == 78 and run.out == "", run
    assert 'did you mean "timeout"' in run.err


@pytest.mark.parametrize("command, words", [
    ('{ "no-such-program" }', 'no program "no-such-program" in PATH'),
    ('{ "/nonexistent/mda" }', "/nonexistent/mda"),
    ('{ "/etc/passwd" }', "no program that may be run"),
    ('{ "/etc" }', "no program that may be run"),
    ('{ "cat", env = { "PATH=/nonexistent" } }', "in PATH (/nonexistent)"),
])
def test_a_program_that_is_not_there(home, command, words):
    write(home, account(f"pipe {command}"))
    run = home.run("check")
    assert run.code == 78, run
    assert words in fates(run)[0] and fates(run)[0].startswith("pipe:")


def test_a_program_is_not_run(home):
    path = home.root / "program"
    path.write_text(f"#!/bin/sh\ntouch {home.root}/ran\n")
    path.chmod(0o755)
    write(home, account(f'pipe {{ "{path}" }}'))
    assert home.run("check").code == 0
    assert not (home.root / "ran").exists()


def test_a_maildir_that_is_no_folder(home):
    home.mail.write_text("a file")
    write(home, account("mail"))
    run = home.run("check")
    assert run.code == 78 and "is not a folder" in fates(run)[0], run


def test_a_maildir_that_cannot_be_written_to(home):
    home.mail.mkdir(mode=0o500)
    write(home, account("mail"))
    # Root may write everywhere, but for this capability.
    run = home.run("check", wrapper=[] if os.getuid() else [
        "setpriv", "--bounding-set=-dac_override", "--"])
    assert run.code == 74 and "cannot write" in fates(run)[0], run


def test_a_file_system_that_is_read_only(home):
    write(home, account('maildir "/proc/nothing"'))
    run = home.run("check")
    assert run.code != 0 and "/proc" in fates(run)[0], run


def test_a_server_that_answers_and_one_that_does_not(home, free_port):
    write(home, account(f'lmtp {{ host = "localhost", port = {free_port}, '
                       'to = "a@example.org" }'))
    run = home.run("check")
    assert run.code == 75, run
    assert fates(run)[0].startswith("lmtp:") and "refused" in fates(run)[0]


@pytest.fixture
def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_a_server_that_says_hello(home):
    said = []

    def serve(listener):
        line, _ = listener.accept()
        with line, line.makefile("rw", newline="\r\n") as file:
            file.write("220 localhost ESMTP\r\n")
            file.flush()
            for command in file:
                said.append(command.strip())
                file.write("221 bye\r\n" if command.startswith("QUIT")
                           else "250 localhost\r\n")
                file.flush()
                if command.startswith("QUIT"):
                    return

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        write(home, account(
            f'smtp {{ host = "localhost", port = {listener.getsockname()[1]}, '
            'tls = "none", to = "a@example.org" }'))
        run = home.run("check")
        thread.join(10)
    assert run.code == 0, run
    assert fates(run)[0].endswith(": ok")
    assert said[0].startswith("EHLO") and "DATA" not in " ".join(said)


@pytest.mark.parametrize("answer, code, words", [
    ("return true", 0, ": ok"),
    ("return 'later', 'it sleeps'", 75, "it sleeps"),
    ("return nil, 'away'", 75, "away"),
    ("return false, 'not for you'", 69, "not for you"),
    ("error 'oh no'", 78, "oh no"),
    ("local r = exec { 'sh', '-c', 'exit 3' } if r.status ~= 0 then "
     "return 'later', 'says ' .. r.status end", 75, "says 3"),
])
def test_a_sink_in_lua(home, answer, code, words):
    write(home, 'local it = sink("box", { deliver = print, check = function() '
               f'{answer} end }})\n' + account("it"))
    run = home.run("check")
    assert run.code == code and words in fates(run)[0], run


def test_a_sink_that_cannot_be_tried(home):
    write(home, 'local it = sink("box", { deliver = print })\n' + account("it"))
    run = home.run("check")
    assert run.code == 0 and "not tried" in fates(run)[0], run


def test_the_worst_decides_and_all_are_shown(home, free_port):
    write(home, 'local soon = sink("soon", { deliver = print, '
               'check = function() return "later", "soon" end })\n' +
               account('{ soon, pipe { "no-such-program" }, pipe { "cat" }, '
                       'mail }'))
    run = home.run("check")
    assert run.code == 78, run
    assert len(fates(run)) == 4
    assert sum(line.endswith(": ok") for line in fates(run)) == 2


def test_sinks_are_tried_side_by_side(home):
    write(home, "".join(
        f'local s{n} = sink("s{n}", {{ deliver = print, check = function() '
        'sleep(1) return true end })\n' for n in range(20)) +
        account("{ " + ", ".join(f"s{n}" for n in range(20)) + " }"))
    run = home.run("check", timeout=15)
    assert run.code == 0 and len(fates(run)) == 20, run


def test_what_a_sink_says_drives_no_terminal(home):
    write(home, 'local it = sink("box", { deliver = print, check = function() '
               'return false, "a\\27[31mb\\nc" end })\n' + account("it"))
    run = home.run("check")
    assert "\033" not in run.out and len(fates(run)) == 1, run


def test_nothing_is_delivered(server, home):
    server.fill(messages.mailbox(2, 40))
    home.configure(server)
    assert home.run("check").code == 0
    assert len(server.list_uids()) == 2 and not home.mail.exists()


# ---- What rules ask ------------------------------------------------------------

def test_services_are_asked_whether_they_are_there(home, free_port):
    doubles = [services.Rspamd(), services.Clamd(), services.Spamd()]
    try:
        rspamd, clamd, spamd = doubles
        write(home, f"""
local rs = rspamd {{ url = "{rspamd.url}" }}
local av = clamd {{ host = "127.0.0.1", port = {clamd.port} }}
local sa = spamd {{ host = "127.0.0.1", port = {spamd.port} }}
local gone = clamd {{ host = "127.0.0.1", port = {free_port} }}
rule("r", function(m) rs.check(m) av.scan(m) sa.check(m) gone.scan(m) end)
""" + account('pipe { "cat" }'))
        run = home.run("check")
        assert run.code == 75, run
        told = dict(one.split(": ", 1) for one in fates(run))
        assert told.pop(f"rspamd {rspamd.url}") == "ok"
        assert told.pop("pipe:cat") == "ok"
        [gone] = [name for name in told if str(free_port) in name]
        assert "refused" in told.pop(gone)
        assert len(told) == 2 and set(told.values()) == {"ok"}, told
        assert rspamd.seen[0][1] == "/ping" and rspamd.asked == 1
        assert spamd.seen[0][0] == "PING" and clamd.seen == []
    finally:
        for one in doubles:
            one.close()


def test_a_service_that_rules_ask_by_its_class_is_tried(home):
    """`rspamd.check(m)` without a constructor asks the one at its usual place;
    what only a comment or a text speaks of is not asked."""
    write(home, """
-- clamd.scan(m) would be another
rule("r", function(m) m:note "spamd.check" return rspamd:check(m) end)
""" + account('pipe { "cat" }'))
    run = home.run("check")
    told = [one.split(": ")[0] for one in fates(run)]
    assert sorted(told) == ["pipe:cat", "rspamd http://localhost:11333"], run


def test_one_that_bears_the_name_of_its_class(home):
    double = services.Rspamd()
    try:
        write(home, f"""
local rspamd = rspamd {{ url = "{double.url}" }}
rule("r", function(m) return rspamd.check(m) end)
""" + account('pipe { "cat" }'))
        run = home.run("check")
        assert run.code == 0, run
        assert sorted(fates(run)) == ["pipe:cat: ok",
                                      f"rspamd {double.url}: ok"]
    finally:
        double.close()


# ---- Accounts --------------------------------------------------------------

def said(home, name="work"):
    run = home.run("check")
    return run.code, [line for line in run.out.splitlines()
                      if line.startswith(f"account {name}: ")]


def test_an_account_is_logged_in_to(server, home, free_port):
    home.mail.mkdir()
    server.create("Lists")
    server.append(b"Subject: one\r\n\r\nx\r\n")
    home.configure(server, folders='{ "INBOX", "Lists" }')
    assert said(home) == (0, ["account work: ok, 2 folders"])
    assert maildir.entries(home.inbox) == []
    assert not list(home.root.rglob("state.db"))
    text = home.config.read_text()
    home.secret("wrong", "password-alice")
    code, lines = said(home)
    assert code == 77 and "alice" in lines[0], lines
    home.write(re.sub(r"port = \d+", f"port = {free_port}", text))
    code, lines = said(home)
    assert code == 75 and "refused" in lines[0], lines


def test_an_account_of_standard_input_is_not_tried(home):
    write(home, account('pipe { "cat" }'))
    assert said(home) == (0, ["account work: not tried: its mail comes when it "
                              "is delivered"])


@pytest.mark.parametrize("source, words", [
    ('pop3 { disable = { "pipelinig" }', 'did you mean "PIPELINING"?'),
    ('pop3 { disable = { "FOO" }', "TOP, USER, UIDL, PIPELINING, STLS, UTF8"),
    ('imap { disable = { "MOVE", "UIDPLU" }', 'did you mean "UIDPLUS"?'),
    ('imap { disable = { "FOO" }', "WITHIN and X-GM-EXT-1 are"),
    ('imap { auth = { "PLIAN" }', '"PLIAN" is not known'),
])
def test_a_capability_that_is_not_known(home, source, words):
    write(home, f'account "a" {{ source = {source}, host = "h", user = "u" }},'
               ' deliver = mail / "inbox" }')
    run = home.run("check")
    assert run.code == 78 and words in run.err, run


def test_capabilities_that_are_known(home):
    for source in ('pop3 { disable = { "pipelining", "LAST" }',
                   'imap { disable = { "literal+", "AUTH=PLAIN" }'):
        write(home, f'account "a" {{ source = {source}, port = 1, user = "u", '
                   'host = "localhost", password = env "NONE" }, '
                   'deliver = mail / "inbox" }')
        run = home.run("check")
        assert "not known" not in run.out + run.err, run
        assert "no problem found" in run.out, run
