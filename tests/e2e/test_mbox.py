"""Mail from a real server into mboxes, which other programs read and write."""

import concurrent.futures
import email.utils
import fcntl
import mailbox
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time

import mboxes
import messages
import pytest
from test_limits import namespace

CONFIG = 'local box = mbox {{ "{path}", {options} }}\n'


def into(home, server, path, options="", rules="", **account):
    """A configuration that delivers into this mbox."""
    return home.write(CONFIG.format(path=path, options=options)
                      + home.account(server, deliver="box", **account) + rules)


def test_every_message_comes_out_as_it_was(server, home):
    sent = list(messages.mailbox(300, 11))
    server.fill(sent)
    path = home.root / "inbox"
    into(home, server, path, "flags = false", after="delete").fetched()
    mboxes.assert_same(mboxes.split(path), sent)
    assert not server.list_uids()
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    assert home.fetch().messages == []
    assert path.read_bytes() == before


def test_pythons_mailbox_reads_it(server, home):
    sent = list(messages.mailbox(100, 12))
    server.fill(sent)
    path = home.root / "inbox"
    into(home, server, path).fetched()
    box = mailbox.mbox(path, create=False)
    assert len(box) == len(sent)
    wanted = {one.message_id: one for one in sent}
    for message in box:
        one = wanted.pop(str(message["Message-ID"]).strip())
        flags = set(message.get_flags())
        assert ("R" in flags) == ("\\Seen" in one.flags)
        assert ("A" in flags) == ("\\Answered" in one.flags)
        assert ("F" in flags) == ("\\Flagged" in one.flags)
        date = time.strptime(message.get_from().split(" ", 1)[1],
                             "%a %b %d %H:%M:%S %Y")
        assert email.utils.mktime_tz((*date[:6], 0, 1, 0, 0)) == int(one.date)
    assert not wanted


def doveadm(server, path, *command):
    """What Dovecot's own reader makes of the mbox."""
    config = server.root / "doveadm.conf"
    config.write_text(
        f"mail_location = mbox:{path.parent}/folders:INBOX={path}\n"
        f"base_dir = {server.root}/run\nlog_path = /dev/stderr\nssl = no\n"
        f"mail_uid = {server.uid}\nmail_gid = {server.gid}\n"
        "first_valid_uid = 1\nfirst_valid_gid = 1\n"
        "mbox_write_locks = dotlock fcntl\n"
        f"mail_home = {path.parent}\ndefault_internal_user = {server.user}\n")
    done = subprocess.run(
        ["doveadm", "-c", str(config), *command],
        env={**os.environ, "USER": "someone", "HOME": str(path.parent)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 0, done.stderr
    return done


def box_of(server):
    """An empty mbox that doveadm, if it is here, can use."""
    if shutil.which("doveadm") is None:
        pytest.skip("no doveadm here")
    path = server.root / "boxes" / "inbox"
    path.parent.mkdir(mode=0o700)
    path.touch(mode=0o600)
    server.own(path.parent)
    server.own(path)
    return path


def test_dovecot_reads_and_removes_what_is_in_it(server, home):
    path = box_of(server)
    sent = list(messages.mailbox(60, 13))
    server.fill(sent)
    into(home, server, path).fetched()
    lines = doveadm(server, path, "-f", "flow", "fetch",
                    "uid flags", "ALL").stdout.decode().splitlines()
    assert len(lines) == len(sent)
    assert sum("\\Seen" in line for line in lines) == sum(
        "\\Seen" in one.flags for one in sent)
    # It rewrites the file; what comes next goes behind it.
    doveadm(server, path, "expunge", "mailbox", "INBOX", "UID", "1:30")
    more = list(messages.mailbox(20, 14))
    server.fill(more)
    home.fetched()
    lines = doveadm(server, path, "-f", "flow", "fetch", "uid",
                    "ALL").stdout.splitlines()
    assert len(lines) == len(sent) - 30 + len(more)


def test_folders_are_files(server, home):
    sent = list(messages.mailbox(80, 15))
    server.fill(sent)
    into(home, server, f"{home.root}/boxes/", "flags = false", rules="""
rule("lists", function(m)
  if m.list_id then m:deliver(box / "lists/all") end
end)
""").fetched()
    here = home.root / "boxes"
    mboxes.assert_same(mboxes.split(here / "lists/all"),
                       [one for one in sent if one.list_id])
    mboxes.assert_same(mboxes.split(here / "inbox"),
                       [one for one in sent if not one.list_id])


# ---- Other programs at the same time --------------------------------------

WRITER = """\
import mailbox, sys
path, count = sys.argv[1], int(sys.argv[2])
for number in range(count):
    box = mailbox.mbox(path)
    while True:
        try:
            box.lock()
            break
        except mailbox.ExternalClashError:
            pass
    box.add(f"Subject: other {number}\\nX-Other: yes\\n\\ntext {number}\\n")
    box.flush()
    box.unlock()
    box.close()
"""


def test_two_programs_write_to_it_at_once(server, home):
    sent = list(messages.mailbox(400, 16))
    server.fill(sent)
    path = home.root / "inbox"
    path.touch()
    into(home, server, path, "flags = false")
    writer = subprocess.Popen([sys.executable, "-c", WRITER, path, "150"])
    try:
        run = home.fetched()
    finally:
        assert writer.wait(60) == 0
    assert len(run.messages) == len(sent)
    ours, others = [], []
    for data in mboxes.split(path):
        (others if b"X-Other: yes" in data else ours).append(data)
    mboxes.assert_same(ours, sent)
    assert len(set(others)) == 150
    assert not path.with_name("inbox.lock").exists()


NUMBERED = b"begin %d\n" + b"x" * 70 + b"\n" + b"y" * 70 + b"\nend %d\n"


def whole(text):
    """The numbers of the messages in it, each of which must be whole."""
    text = text.replace(b"\r\n", b"\n")
    numbers = [int(one) for one in re.findall(rb"^begin (\d+)$", text, re.M)]
    for number in numbers:
        assert NUMBERED % (number, number) in text, number
    assert len(re.findall(rb"^end \d+$", text, re.M)) == len(numbers)
    return numbers


def read_with_python(path):
    """As a mail reader does, under both kinds of lock."""
    box = mailbox.mbox(path, create=False)
    end = time.monotonic() + 60
    while True:
        try:
            box.lock()
            break
        except mailbox.ExternalClashError:
            assert time.monotonic() < end
            time.sleep(0.01)
    try:
        return whole(b"".join(box.get_bytes(key) for key in box.keys()))
    finally:
        box.close()


def read_until(is_over, read):
    """Reads again and again, once more when it is over; what came each time."""
    seen = []
    while True:
        is_last = is_over.is_set()
        seen.append(read())
        assert len(set(seen[-1])) == len(seen[-1])
        if is_last:
            return seen
        time.sleep(0.02)


def test_two_programs_read_it_at_once(server, home):
    path = box_of(server)
    into(home, server, path)
    is_over = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read_until, is_over, read) for read in (
            lambda: read_with_python(path),
            lambda: whole(doveadm(server, path, "fetch", "body",
                                  "ALL").stdout))]
        try:
            for first in range(0, 180, 60):
                for number in range(first, first + 60):
                    server.append(b"Subject: %d\n\n" % number
                                  + NUMBERED % (number, number))
                home.fetched()
        finally:
            is_over.set()
        for reader in readers:
            seen = reader.result()
            assert len(seen) > 3
            for before, after in zip(seen, seen[1:]):
                assert after[:len(before)] == before
            assert sorted(seen[-1]) == list(range(180))


def test_procmail_delivers_at_the_same_time(server, home):
    if shutil.which("procmail") is None:
        pytest.skip("no procmail here")
    sent = list(messages.mailbox(200, 17))
    server.fill(sent)
    path = home.root / "inbox"
    path.touch()
    rc = home.root / "procmailrc"
    rc.write_text(f"LOCKSLEEP=1\n:0:\n{path}\n")
    into(home, server, path, "flags = false")
    fetch = home.start("fetch")
    try:
        for number in range(20):
            subprocess.run(
                ["procmail", "-m", str(rc)], check=True, timeout=60,
                cwd=home.root, input=b"From o@example.org Sun Nov 22 04:00:00 "
                b"2026\nX-Other: yes\n\nnumber %d\n" % number)
    finally:
        run = home.finish(fetch)
    assert run.code == 0, run
    found = mboxes.split(path)
    mboxes.assert_same([data for data in found if b"X-Other: yes" not in data],
                       sent)
    assert len({data for data in found if b"X-Other: yes" in data}) == 20


def test_a_lock_of_another_program_puts_the_mail_off(server, home):
    sent = list(messages.mailbox(10, 18))
    server.fill(sent)
    path = home.root / "inbox"
    path.touch()
    lock = home.root / "inbox.lock"
    lock.write_text("0")
    into(home, server, path, 'flags = false, wait = "1s"', after="delete")
    run = home.run("fetch")
    assert run.code == 75 and "inbox.lock" in run.err, run
    assert path.read_bytes() == b""
    assert len(server.list_uids()) == 10
    lock.unlink()
    with open(path, "r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        run = home.run("fetch", "--retry")
        assert run.code == 75 and "locked" in run.err, run
    home.fetched("--retry")
    mboxes.assert_same(mboxes.split(path), sent)


def test_a_lock_of_a_dead_process_is_broken(server, home):
    sent = list(messages.mailbox(5, 19))
    server.fill(sent)
    dead = subprocess.Popen(["true"])
    dead.wait()
    (home.root / "inbox.lock").write_text(f"{dead.pid}:{socket.gethostname()}")
    path = home.root / "inbox"
    into(home, server, path, 'flags = false, wait = "1s"').fetched()
    mboxes.assert_same(mboxes.split(path), sent)


# ---- Trouble ----------------------------------------------------------------

def test_symbolic_links_are_not_followed(server, home):
    server.fill(list(messages.mailbox(3, 20)))
    target = home.root / "target"
    target.write_text("mine\n")
    (home.root / "inbox").symlink_to(target)
    into(home, server, home.root / "inbox", after="delete")
    run = home.run("fetch")
    assert run.code != 0 and "symbolic link" in run.err, run
    assert target.read_text() == "mine\n"
    assert len(server.list_uids()) == 3
    assert "symbolic link" in home.run("check").err + home.run("check").out


FULL = """\
set -u
mount -t tmpfs -o size=1500k,mode=700 none "$MAIL" || exit 99
"$@"; echo $? >"$OUT/first"
cp -a "$MAIL" "$OUT/half"
mount -o remount,size=200m none "$MAIL" || exit 99
"$@" --retry; echo $? >"$OUT/second"
cp -a "$MAIL" "$OUT/whole"
"$@" >"$OUT/third.json"; echo $? >"$OUT/third"
"""


@pytest.mark.parametrize("after", ["keep", "delete"])
def test_full_disk_leaves_no_half_message(server, home, after):
    argv = namespace()
    if argv is None:
        pytest.skip("no mount namespace here")
    sent = list(messages.mailbox(400, 610))
    server.fill(sent)
    into(home, server, home.mail / "inbox", "flags = false", after=after)
    home.mail.mkdir()
    out = home.root / "out"
    out.mkdir()
    done = subprocess.run(
        [*argv, "sh", "-c", FULL, "sh", *home.argv("fetch", "--json")],
        env=home.environment(MAIL=home.mail, OUT=out), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=120)
    words = done.stderr.decode(errors="replace")
    codes = [(out / name).read_text().strip()
             for name in ("first", "second", "third")]
    assert codes == ["75", "0", "0"], words[-3000:]
    assert "space" in words or "full" in words
    half = mboxes.split(out / "half/inbox")
    wanted = {mboxes.ended(one.delivered) for one in sent}
    assert len(half) == len(set(half)) and set(half) < wanted
    mboxes.assert_same(mboxes.split(out / "whole/inbox"), sent)
    assert '"message"' not in (out / "third.json").read_text()
    assert len(server.list_uids()) == (400 if after == "keep" else 0)


def test_a_large_message_goes_through_in_little_memory(server, home):
    line = b"From somewhere over the rainbow, 70 octets of it and no more: x\r\n"
    text = b"Subject: large\r\n\r\n" + line * 400_000
    server.append(text)
    path = home.root / "inbox"
    into(home, server, path, "flags = false").fetched()
    found, = mboxes.split(path)
    assert found == text.replace(b"\r\n", b"\n")
    assert len(re.findall(rb"^>From ", path.read_bytes(), re.M)) == 400_000
