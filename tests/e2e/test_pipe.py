"""Mail goes through programs: it reaches them whole, their end decides what
becomes of it, and nothing that they do holds up or loses anything."""

import mailbox
import os
import pathlib
import shutil
import subprocess
import time

import maildir
import messages
import pytest

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "scripts/examples"
LDA = "/usr/lib/dovecot/dovecot-lda"
LDA_CONFIG = """\
postmaster_address = postmaster@example.org
hostname = mail.example.org
"""


@pytest.fixture
def program(home):
    """Makes a shell script; its text gets the folder `out` to write to."""
    out = home.root / "out"
    out.mkdir(exist_ok=True)

    def make(text, name="program"):
        path = home.root / name
        path.write_text(f"#!/bin/sh\nout={out}\n{text}\n")
        path.chmod(0o755)
        return path

    make.out = out
    return make


def needs(name):
    found = shutil.which(name) or (name if os.access(name, os.X_OK) else None)
    return pytest.mark.skipif(not found, reason=f"{name} is not installed")


def outputs(folder):
    return sorted(path.read_bytes() for path in folder.iterdir())


def delivered(sent):
    return sorted(one.delivered for one in sent)


KEEP = 'cat > "$out/$POSTRIDER_UID"'


# ---- What it gets

def test_the_whole_message_with_lf_line_ends(server, home, program):
    sent = list(messages.mailbox(40, 1))
    server.fill(sent)
    path = program(KEEP)
    home.configure(server, deliver=f'pipe {{ "{path}" }}')
    home.fetched()
    assert outputs(program.out) == delivered(sent)
    home.fetched()
    assert len(outputs(program.out)) == 40


def test_a_message_that_is_spooled_in_a_file(server, home, program):
    body = b"".join(b"%08d some text of this line\r\n" % n
                    for n in range(100_000))
    data = b"From: a@example.org\r\nSubject: large\r\n\r\n" + body
    server.append(data)
    path = program(KEEP)
    home.configure(server, deliver=f'pipe {{ "{path}" }}')
    home.fetched()
    assert outputs(program.out) == [data.replace(b"\r\n", b"\n")]


def test_what_a_background_process_still_reads_stays_the_message(
        server, home, program):
    """The file of a message is not another's while somebody may read it."""
    head = b"From: a@example.org\r\nSubject: %d\r\n\r\n"
    sent = [head % n + (b"%d " % n) * 40_000 + b"\r\n" for n in range(3)]
    for data in sent:
        server.append(data)
    path = program("""
uid=$POSTRIDER_UID
exec 3<&0
(while test ! -e "$out/../go"; do sleep 0.1; done
 cat <&3 > "$out/.$uid"; mv "$out/.$uid" "$out/$uid") >/dev/null 2>&1 &
""")
    home.configure(server, deliver=f'pipe {{ "{path}" }}')
    home.fetched()
    (home.root / "go").touch()
    until = time.monotonic() + 30
    while len(list(program.out.glob("[0-9]"))) < 3 and \
            time.monotonic() < until:
        time.sleep(0.05)
    assert outputs(program.out) == sorted(
        data.replace(b"\r\n", b"\n") for data in sent)


def test_words_stay_words(server, home, program):
    server.fill(list(messages.mailbox(1, 2)))
    path = program('printf "[%s]" "$@" > "$out/words"')
    home.configure(server, deliver=f'pipe {{ "{path}", "$HOME; id", "a  b", '
                   '"", "`id`" }')
    home.fetched()
    assert (program.out / "words").read_text() == \
        "[$HOME; id][a  b][][`id`]"


def test_facts_in_an_environment_of_its_own(server, home, program):
    server.append(
        b"Return-Path: <list-bounces@example.org>\r\n"
        b"Delivered-To: alice+dev@example.org\r\n"
        b"X-Original-To: dev@example.org\r\nSubject: x\r\n\r\nbody\r\n")
    path = program('env > "$out/env"; ls /proc/self/fd > "$out/fds"; '
                   'pwd > "$out/pwd"; ps -o pgid=,sid= $$ > "$out/group"; '
                   'echo $$ >> "$out/group"')
    home.configure(server, deliver=f'pipe {{ "{path}", env = {{ "EXTRA=1 2", '
                   '"PASSED", "LANG=C" } } / "a/b"')
    home.fetched(PASSED="on", SECRET="no", LD_LIBRARY_PATH="")
    env = dict(line.split("=", 1) for line in
               (program.out / "env").read_text().splitlines())
    for name in ("PWD", "OLDPWD", "_", "SHLVL"):  # the shell's own
        env.pop(name, None)
    assert env.pop("POSTRIDER_KEY")
    assert int(env.pop("POSTRIDER_RECEIVED")) > 0
    assert env.pop("USER") == env.pop("LOGNAME")
    assert env.pop("PATH") == os.environ["PATH"]
    env.pop("TZ", None)
    assert env == {
        "HOME": str(home.root), "SHELL": "/bin/sh", "LANG": "C",
        "EXTRA": "1 2", "PASSED": "on",
        "POSTRIDER_ACCOUNT": "work", "POSTRIDER_FOLDER": "INBOX",
        "POSTRIDER_SUBFOLDER": "a/b", "POSTRIDER_UID": "1",
        "POSTRIDER_SIZE": str(4 + 1 + len(
            "Return-Path: <list-bounces@example.org>\n"
            "Delivered-To: alice+dev@example.org\n"
            "X-Original-To: dev@example.org\nSubject: x\n\n")),
        "SENDER": "list-bounces@example.org",
        "RECIPIENT": "alice+dev@example.org",
        "ORIGINAL_RECIPIENT": "dev@example.org"}
    assert (program.out / "pwd").read_text().strip() == str(home.root)
    # ls has one more, for the folder it reads.
    assert (program.out / "fds").read_text().split() == ["0", "1", "2", "3"]
    pgid, sid, pid = (program.out / "group").read_text().split()
    assert pgid == sid == pid


@pytest.mark.parametrize("address", [
    b"-oQ/tmp", b"a;id@example.org", b"$(id)@example.org", b"() { :; }; id",
    b"`id`@example.org", b"a b@example.org", b"a\x01@example.org",
    b"'a@example.org", b"*@example.org", b"a" * 400 + b"@example.org",
    b"a>@example.org", b"a\\nb@example.org"])
def test_an_address_made_to_do_harm_is_left_out(server, home, program,
                                                address):
    server.append(b"Return-Path: <" + address + b">\r\n"
                  b"Delivered-To: " + address + b"\r\nSubject: x\r\n\r\n")
    path = program('printf "%s|%s|%s" "$SENDER" "$RECIPIENT" '
                   '"$ORIGINAL_RECIPIENT" > "$out/got"')
    home.configure(server, deliver=f'pipe {{ "{path}" }}')
    home.fetched()
    assert (program.out / "got").read_bytes() == b"||"


def test_a_from_line_makes_an_mbox(server, home, program):
    server.append(b"Return-Path: <ann@example.org>\r\n"
                  b"Subject: one\r\n\r\nbody\r\n\r\n")
    server.append(b"Return-Path: <>\r\nSubject: two\r\n\r\n"
                  + b"line\r\n" * 40_000 + b"\r\n")
    path = program('cat >> "$out/mbox"')
    home.configure(server, deliver=f'pipe {{ "{path}", from_line = true }}')
    home.fetched()
    box = list(mailbox.mbox(program.out / "mbox"))
    assert [(one["Subject"], one.get_from().split()[0]) for one in box] == \
        [("one", "ann@example.org"), ("two", "MAILER-DAEMON")]
    assert box[1].get_payload().count("line\n") == 40_000


# ---- What its end means

def states(run):
    return sorted((one["status"], one.get("error") or "")
                  for one in run.messages)


@pytest.mark.parametrize("code", [71, 73, 74, 75])
def test_later(server, home, program, code):
    sent = list(messages.mailbox(2, 3))
    server.fill(sent)
    path = program(f'test -e "$out/../up" && {{ {KEEP}; exit 0; }}\n'
                   f'echo first; echo "no luck today" >&2; exit {code}')
    home.configure(server, after="delete", deliver=f'pipe {{ "{path}" }}')
    run = home.fetch()
    assert [one["status"] for one in run.messages] == ["later"] * 2, run
    assert f"exit status {code}" in run.err and "no luck today" in run.err
    assert len(server.list_uids()) == 2


@pytest.mark.parametrize("code", [1, 64, 67, 69, 77, 127, 255])
def test_refused_with_the_last_line(server, home, program, code):
    server.fill(list(messages.mailbox(1, 4)))
    path = program(f'cat >/dev/null; echo one; printf "two \\033[31mred\\n\\n"'
                   f'; exit {code}')
    home.configure(server, after="delete", deliver=f'pipe {{ "{path}" }}')
    run = home.fetch()
    assert [one["status"] for one in run.messages] == ["failed"], run
    error = run.messages[0]["error"]
    assert f"exit status {code}" in error and "two" in error
    assert "\033" not in run.err + run.out
    assert len(server.list_uids()) == 1


@pytest.mark.parametrize("signal", ["KILL", "SEGV", "TERM"])
def test_killed_by_a_signal_is_later(server, home, program, signal):
    server.fill(list(messages.mailbox(1, 5)))
    path = program(f"cat >/dev/null; kill -{signal} $$")
    home.configure(server, deliver=f'pipe {{ "{path}" }}')
    run = home.fetch()
    assert [one["status"] for one in run.messages] == ["later"], run
    assert "signal" in run.messages[0]["error"]


def test_one_that_is_not_there(server, home):
    server.fill(list(messages.mailbox(1, 6)))
    home.configure(server, deliver='pipe { "/nonexistent/mda" }')
    run = home.fetch()
    assert [one["status"] for one in run.messages] == ["later"], run
    assert "/nonexistent/mda" in run.err
    assert "no such file" in run.err.lower()


def test_it_need_not_read(server, home, program):
    """As the recipes of procmail that end in /dev/null do."""
    data = b"Subject: large\r\n\r\n" + b"some line of text\r\n" * 50_000
    for _ in range(3):
        server.append(data)
    home.configure(server, deliver='pipe { "true" }')
    run = home.fetched()
    assert [one["status"] for one in run.messages] == ["done"] * 3


def test_a_daemon_that_keeps_the_output_open_holds_nothing(
        server, home, program):
    server.fill(list(messages.mailbox(3, 7)))
    path = program(f'{KEEP}\nsleep 60 & echo $! >> "$out/../pids"')
    home.configure(server, deliver=f'pipe {{ "{path}" }}')
    start = time.monotonic()
    home.fetched()
    assert time.monotonic() - start < 30
    assert len(outputs(program.out)) == 3
    for pid in (home.root / "pids").read_text().split():
        os.kill(int(pid), 9)


def is_gone(pid):
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            if open(f"/proc/{pid}/stat").read().split(")")[1].split()[0] \
                    == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


def test_one_that_hangs_is_ended_with_its_whole_group(server, home, program):
    sent = list(messages.mailbox(2, 8))
    server.fill(sent)
    path = program(f"""
test "$POSTRIDER_UID" = 1 || {{ {KEEP}; exit 0; }}
trap '' TERM
sleep 600 & echo $! > "$out/../child"; echo $$ > "$out/../leader"
trap 'echo ended >&2; exit 1' TERM
while :; do sleep 0.1; done""")
    home.configure(server, deliver=f'pipe {{ "{path}", timeout = "1s" }}')
    run = home.fetch("-v")
    assert sorted(one["status"] for one in run.messages) == ["done", "later"]
    assert "did not end within 1 s" in run.err, run
    assert "ended" in run.err  # it had a moment to end in order
    for name in ("child", "leader"):
        assert is_gone((home.root / name).read_text().strip()), name
    assert outputs(program.out) == [sent[1].delivered]


def test_one_that_finishes_when_told_to_end_is_in_doubt(
        server, home, program):
    sent = list(messages.mailbox(1, 8))
    server.fill(sent)
    path = program('cat > "$out/$$"; trap "exit 0" TERM\n'
                   'while :; do sleep 0.1; done')
    home.configure(server, deliver=f'pipe {{ "{path}", timeout = "2s" }}')
    run = home.fetch()
    assert "ended with 0" in run.err, run
    program("exec cat > \"$out/$$\"")
    home.fetched()
    assert outputs(program.out) == delivered(sent * 2)


def test_one_that_hangs_always_is_not_waited_for_each_time(
        server, home, program):
    server.fill(list(messages.mailbox(30, 9)))
    path = program("exec sleep 600")
    home.configure(server, deliver=f'pipe {{ "{path}", timeout = "500ms" }}')
    start = time.monotonic()
    run = home.fetch()
    assert time.monotonic() - start < 60
    assert [one["status"] for one in run.messages] == ["later"] * 30, run
    assert len(run.err.splitlines()) < 10, run


def test_endless_output_is_cut(server, home, program):
    server.fill(list(messages.mailbox(1, 10)))
    path = program('head -c 20000000 /dev/zero | tr "\\0" x; echo; echo bye; '
                   'exit 1')
    home.configure(server, deliver=f'pipe {{ "{path}" }}')
    run = home.fetch("-v")
    assert run.messages[0]["error"].endswith("bye"), run
    assert len(run.err) < 50_000


# ---- Many

def test_in_order_with_one_job_and_side_by_side_with_more(
        server, home, program):
    server.fill(list(messages.mailbox(24, 11)))
    path = program('echo "+" >> "$out/trace"; sleep 0.1; '
                   'echo "-" >> "$out/trace"')

    def most_at_once():
        now = most = 0
        for word in (program.out / "trace").read_text().split():
            now += 1 if word == "+" else -1
            most = max(most, now)
        return most

    home.configure(server, deliver=f'pipe {{ "{path}" }}')
    home.fetched()
    assert most_at_once() == 1
    (program.out / "trace").unlink()
    shutil.rmtree(home.state)
    home.configure(server, deliver=f'pipe {{ "{path}", jobs = 6 }}')
    home.fetched()
    assert 2 <= most_at_once() <= 6


def test_a_retry_goes_only_to_the_sink_that_lacks_it(server, home, program):
    sent = list(messages.mailbox(3, 12))
    server.fill(sent)
    path = program(f'test -e "$out/../up" || exit 1; {KEEP}')
    home.write(f'local prog = pipe {{ "{path}" }}\n' +
               home.account(server, deliver='{ mail / "inbox", prog }'))
    run = home.fetch()
    assert [one["status"] for one in run.messages] == ["failed"] * 3, run
    maildir.assert_same(home.mail, sent)
    (home.root / "up").touch()
    home.fetched("--retry")
    maildir.assert_same(home.mail, sent)
    assert outputs(program.out) == delivered(sent)


# ---- Programs people use

@needs("procmail")
def test_procmail(server, home):
    sent = list(messages.mailbox(20, 20))
    server.fill(sent)
    rc = home.root / "procmailrc"
    # It takes HOME and MAILDIR from the password file.
    pm = home.root / "pm"
    pm.mkdir()
    rc.write_text(f"MAILDIR={pm}\nORGMAIL={pm}/org\nDEFAULT={pm}/in/\n"
                  f":0\n* ^List-Id\n{pm}/lists/\n")
    home.configure(server, deliver=f'pipe {{ "procmail", "-t", "-m", "{rc}" }}')
    home.fetched()
    maildir.assert_same(home.root / "pm", sent)
    assert len(maildir.entries(home.root / "pm" / "lists")) == \
        sum(b"\nList-Id:" in one.delivered.split(b"\n\n")[0] or
            one.data.startswith(b"List-Id:") for one in sent)


@needs("procmail")
def test_procmail_that_throws_away(server, home):
    server.append(b"Subject: x\r\n\r\n" + b"some text\r\n" * 100_000)
    rc = home.root / "procmailrc"
    rc.write_text(f"ORGMAIL={home.root}/org\n:0\n/dev/null\n")
    home.configure(server, deliver=f'pipe {{ "procmail", "-m", "{rc}" }}')
    run = home.fetched()
    assert run.messages[0]["status"] == "done"


@needs("maildrop")
def test_maildrop(server, home):
    sent = list(messages.mailbox(20, 21))
    server.fill(sent)
    folder = home.root / "md"
    for name in ("cur", "new", "tmp"):
        (folder / name).mkdir(parents=True)
    rc = home.root / "mailfilter"
    rc.write_text(f'if (/^Subject: refuse/)\n{{\n  EXITCODE=77\n  exit\n}}\n'
                  f'to "{folder}"\n')
    rc.chmod(0o600)
    home.configure(server, deliver=f'pipe {{ "maildrop", "{rc}" }}')
    home.fetched()
    maildir.assert_same(folder, sent)
    server.append(b"Subject: refuse\r\n\r\nx\r\n")
    run = home.fetch()
    assert [one["status"] for one in run.messages] == ["failed"], run
    assert "exit status 77" in run.messages[0]["error"]


@needs("notmuch")
def test_notmuch_insert(server, home):
    sent = list(messages.mailbox(12, 22))
    server.fill(sent)
    folder = home.root / "nm"
    folder.mkdir()
    config = home.root / "notmuch-config"
    config.write_text(f"[database]\npath={folder}\n[user]\nname=A\n"
                      "primary_email=a@example.org\n[new]\ntags=new\n")
    env = home.environment(NOTMUCH_CONFIG=config)
    subprocess.run(["notmuch", "new"], env=env, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    home.configure(server, deliver='pipe { "notmuch", "insert", '
                   '"--create-folder", "--folder=in", "+fetched", '
                   f'env = {{ "NOTMUCH_CONFIG={config}" }} }}')
    home.fetched()
    maildir.assert_same(folder / "in", sent)
    count = subprocess.run(["notmuch", "count", "tag:fetched"], env=env,
                           check=True, stdout=subprocess.PIPE).stdout
    assert 0 < int(count) <= 12  # messages of one Message-ID count once


@needs(LDA)
def test_dovecot_lda(server, make_server, home):
    sent = list(messages.mailbox(20, 23))
    server.fill(sent)
    target = make_server(extra=LDA_CONFIG)
    home.configure(server, deliver=f'pipe {{ "{LDA}", "-c", '
                   f'"{target.root}/dovecot.conf", "-d", "alice", '
                   '"-f", "a@example.org" }')
    home.fetched()
    assert sorted(target.bodies().values()) == delivered(sent)


def test_sendmail(server, home, make_postfix):
    far = make_postfix()
    sent = list(messages.mailbox(5, 24))
    dots = b"Subject: dots\r\n\r\none\r\n.\r\n..two\r\n.\r\nend\r\n"
    server.fill(sent)
    server.append(dots)
    env = ", ".join(f'"{name}={value}"' for name, value in far.names.items())
    home.configure(server, deliver=f'pipe {{ "{far.debs}/usr/sbin/sendmail", '
                   f'"-C", "{far.root}/etc", "-i", "-f", "a@example.org", '
                   f'"--", "alice@example.org", env = {{ {env} }} }}')
    home.fetched()
    found = far.mail(count=6)
    assert len(found) == 6
    assert any(data.endswith(b"\none\n.\n..two\n.\nend\n")
               for data in found)


# ---- What can be wrong in the configuration

@pytest.mark.parametrize("text, words", [
    ("pipe {}", "command"),
    ('pipe { "" }', "names no program"),
    ('pipe "procmail -f-"', "each word by itself"),
    ('pipe { "a", env = { "=x" } }', "NAME=VALUE"),
    ('pipe { "a", env = { "1A=x" } }', "NAME=VALUE"),
    ('pipe { "a", timeout = 0 }', "above 0"),
    ('pipe { "a", jobs = 0 }', "1 to 64"),
    ('pipe { "a", 5 }', "list"),
    ('pipe { "a", timeuot = "5m" }', 'did you mean "timeout"'),
    ('pipe { "a", [3] = "b" }', "without a name"),
    ('pipe { { "a", "b" }, "c" }', "without a name"),
])
def test_wrong_options(server, home, text, words):
    home.configure(server, deliver=text)
    run = home.run("check")
    assert run.code == 78 and words in run.err, run


def test_ways_to_write_the_command(server, home, program):
    server.fill(list(messages.mailbox(1, 30)))
    path = program('echo "$@" >> "$out/words"')
    home.write(home.account(
        server, deliver=f'{{ pipe {{ command = {{ "{path}", "1" }} }}, '
        f'pipe {{ {{ "{path}", "2" }}, timeout = 60 }}, '
        f'pipe {{ "{path}", "3", timeout = 60 }}, pipe "{path}" }}'))
    home.fetched()
    assert sorted((program.out / "words").read_text().splitlines()) == \
        ["", "1", "2", "3"]


# ---- The example

def test_the_example(server, home, program):
    sent = list(messages.mailbox(12, 31))
    server.fill(sent)
    bin_folder = home.root / "bin"
    bin_folder.mkdir()
    for name in ("procmail", "notmuch"):
        program(f'mkdir -p "$out/{name}"; cat > "$out/{name}/$POSTRIDER_UID"',
                f"bin/{name}")
    text = (EXAMPLES / "programs.lua").read_text()
    begin, end = text.index('account "home"'), text.index('rule("lists"')
    home.write(text[:begin] + home.account(server, deliver="index")
               + text[end:])
    path = f"{bin_folder}:{os.environ['PATH']}"
    assert home.run("check", PATH=path).code == 0
    home.fetched(PATH=path)
    assert len(list(program.out.glob("procmail/*"))) == \
        sum(one.list_id != "" for one in sent) > 0
    assert sorted(file.read_bytes() for file in program.out.glob("*/*")) == \
        delivered(sent)
