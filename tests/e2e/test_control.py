"""The daemon as users meet it: its socket, its commands, its signals, its log,
what it tells the service manager, its metrics."""

import fcntl
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

import maildir
import messages
from server import free_ports, wait_for
from service import Line

PATIENCE = 60

ODD = """
rule("odd", function(m)
  if m.subject and m.subject:find("odd", 1, true) then
    error("this is an odd one")
  end
end)
"""


def letter(subject, body="Hello.\r\n"):
    return (f"From: bob@example.org\r\nTo: alice@example.org\r\n"
            f"Subject: {subject}\r\nMessage-ID: <{subject}@example.org>\r\n"
            f"\r\n{body}").encode()


class Daemon:
    """A daemon in the home, with a socket of its own to listen at."""

    def __init__(self, home, *args, wait=True, **env):
        self.home = home
        self.runtime = pathlib.Path(tempfile.mkdtemp(prefix="pr-run."))
        self.env = {"XDG_RUNTIME_DIR": self.runtime, **env}
        self.log = home.root / "daemon.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                home.argv("daemon", *args), cwd=home.root,
                env=home.environment(**self.env), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log)
        if wait:
            wait_for(lambda: self.socket() or self.process.poll() is not None,
                     PATIENCE, "socket of the daemon")
            assert self.process.poll() is None, self.text()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.runtime, ignore_errors=True)
        text = self.text()
        if kind is None:
            assert "Sanitizer" not in text and "runtime error" not in text, text

    def text(self):
        return self.log.read_text(errors="replace")

    def socket(self):
        found = list(self.runtime.glob("postrider/*.sock"))
        return found[0] if found else None

    def run(self, *args, **env):
        return self.home.run(*args, **{**self.env, **env})

    def status(self):
        run = self.run("status", "--json")
        assert run.code == 0, run
        return json.loads(run.out)

    def account(self, name="work"):
        return next(one for one in self.status()["accounts"]
                    if one["account"] == name)

    def wait_account(self, claim, name="work"):
        """The account's status once claim(status) holds."""
        def look():
            found = self.account(name)
            return found if claim(found) else None
        return wait_for(look, PATIENCE, "state of the account")

    def polled(self):
        return self.wait_account(lambda one: one["last_poll"])

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@pytest.fixture
def mailbox(server, home):
    """A home whose account has three messages on the server."""
    for number in range(3):
        server.append(letter(f"first-{number}"))
    home.configure(server, more='every = "1h"')
    return home


# Status

def test_status_shows_what_was_delivered(server, mailbox):
    with Daemon(mailbox) as daemon:
        found = daemon.wait_account(lambda one: one["today"]["messages"] == 3)
        assert found["last_delivery"] and found["trouble"] is None
        run = daemon.run("status")
        assert run.code == 0, run
        assert "work" in run.out and " 3 " in run.out
        assert all(len(line) <= 80 for line in run.out.splitlines()), run
        head = daemon.status()["daemon"]
        assert head["pid"] == daemon.process.pid
        assert head["config"] == str(mailbox.config)


def test_status_without_a_daemon_tells_of_the_last_run(server, mailbox):
    mailbox.fetched()
    run = mailbox.run("status")
    assert run.code == 0 and "No daemon runs" in run.out, run
    found = json.loads(mailbox.run("status", "--json").out)
    assert found["daemon"] is None
    assert found["accounts"][0]["today"]["messages"] == 3
    for command in ("poll", "pause", "resume", "reload", "log"):
        run = mailbox.run(command)
        assert run.code == 69 and "no daemon runs" in run.err, run


def test_status_follow_prints_a_line_a_change(server, mailbox):
    with Daemon(mailbox) as daemon:
        daemon.polled()
        follow = subprocess.Popen(
            mailbox.argv("status", "--follow"), stdout=subprocess.PIPE,
            env=mailbox.environment(**daemon.env))
        try:
            first = json.loads(follow.stdout.readline())
            assert first["accounts"][0]["account"] == "work"
            # INTERNALDATE has whole seconds.
            while time.time() < first["daemon"]["started"] + 1:
                time.sleep(0.05)
            server.append(letter("later"))
            assert daemon.run("poll").code == 0
            for _ in range(600):
                line = json.loads(follow.stdout.readline())
                if line["accounts"][0]["today"]["messages"] == 4:
                    break
            else:
                pytest.fail("the follower never heard of the message")
        finally:
            follow.kill()
            follow.communicate()
        # Latency counts for mail that came while the daemon ran.
        latency = daemon.account()["latency"]
        assert latency["messages"] == 1 and 0 <= latency["last"] < PATIENCE


def test_trouble_comes_with_advice(server, home):
    home.configure(server, password=f'file "{home.secret("wrong", "w")}"',
                   more='every = "1h"')
    with Daemon(home) as daemon:
        found = daemon.wait_account(lambda one: one["trouble"])
        assert found["trouble"]["kind"] == "auth"
        assert "config.lua:" in found["trouble"]["advice"]
        assert "postrider poll work" in found["trouble"]["advice"]
        run = daemon.run("status")
        assert "in trouble" in run.out and "-> " in run.out, run
        assert "wrong" not in daemon.text().replace("wrong name", "")


# Work

def test_poll_and_fetch_go_by_the_daemon(server, mailbox):
    with Daemon(mailbox) as daemon:
        daemon.wait_account(lambda one: one["today"]["messages"] == 3)
        server.append(letter("second"))
        run = daemon.run("poll", "work")
        assert run.code == 0 and "work: 1 message" in run.out, run
        server.append(letter("third"))
        run = daemon.run("fetch", "--json")
        assert run.code == 0, run
        assert [one["subject"] for one in run.messages] == ["third"]
        assert run.messages[0]["status"] == "done"
        assert run.messages[0]["outcomes"] == [
            {"target": f"maildir:{mailbox.inbox}", "status": "done",
             "error": None}]
        assert run.accounts["work"]["status"] == "ok"
        assert len(maildir.entries(mailbox.inbox)) == 5
        # A dry run is its own, beside the daemon.
        server.append(letter("fourth"))
        run = daemon.run("fetch", "--dry-run", "--json")
        assert run.code == 0, run
        assert [one["status"] for one in run.messages] == ["planned"]
        run = daemon.run("poll", "nobody")
        assert run.code == 78 and "nobody" in run.err, run


def test_fetch_by_the_daemon_fails_as_one_of_its_own(server, home):
    home.configure(server, password=f'file "{home.secret("wrong", "w")}"',
                   more='every = "1h"')
    alone = home.run("fetch")
    with Daemon(home) as daemon:
        asked = daemon.run("fetch")
        assert asked.code == alone.code == 77, asked
        assert "work" in asked.err


def test_pause_and_resume(server, mailbox):
    with Daemon(mailbox) as daemon:
        daemon.wait_account(lambda one: one["today"]["messages"] == 3)
        assert daemon.run("pause", "work").code == 0
        daemon.wait_account(lambda one: one["state"] == "paused")
        assert "paused" in daemon.run("status").out
        left_out = "is paused; postrider poll work takes its mail all the same"
        server.append(letter("while-paused"))
        for command in ("poll", "fetch"):
            run = daemon.run(command)
            assert run.code == 0 and run.err.count(left_out) == 1, run
        assert daemon.account()["today"]["messages"] == 3
        run = daemon.run("poll", "work")
        assert run.code == 0 and run.err == "", run
        assert daemon.account()["today"]["messages"] == 4
        assert daemon.run("resume").code == 0
        daemon.wait_account(lambda one: one["state"] != "paused")
        assert daemon.run("pause", "nobody").code == 78


def test_put_aside_is_shown_retried_and_dropped(server, home):
    server.append(letter("plain"))
    server.append(letter("odd-1"))
    server.append(letter("odd-2"))
    home.configure(server, rules=ODD, more='every = "1h"')
    with Daemon(home) as daemon:
        wait_for(lambda: daemon.status()["put_aside_total"] == 2, PATIENCE,
                 "messages put aside")
        one, other = daemon.status()["put_aside"]
        assert one["subject"] == "odd-1" and "odd one" in one["reason"]
        assert one["tries"] == 1
        table = daemon.run("status").out
        assert one["id"] in table and "odd one" in table
        assert "postrider drop ID" in table
        run = daemon.run("drop", one["id"])
        assert run.code == 0 and "stays on the server" in run.out, run
        assert [left["id"] for left in daemon.status()["put_aside"]] == \
            [other["id"]]
        # The next try of the other: the rule has been mended.
        home.configure(server, more='every = "1h"')
        assert daemon.run("reload").code == 0
        run = daemon.run("retry", other["id"])
        assert run.code == 0, run
        wait_for(lambda: daemon.status()["put_aside_total"] == 0, PATIENCE,
                 "the retried message")
        # What was dropped is still there, and not fetched.
        assert daemon.run("fetch", "--retry").code == 0
        assert len(server.list_uids()) == 3
        assert len(maildir.entries(home.inbox)) == 2
        run = daemon.run("drop", one["id"])
        assert run.code == 69 and "put aside" in run.err, run


def test_put_aside_without_a_daemon(server, home):
    server.append(letter("odd-1"))
    server.append(letter("odd-2"))
    home.configure(server, rules=ODD)
    home.fetch()
    aside = json.loads(home.run("status", "--json").out)["put_aside"]
    assert len(aside) == 2
    with open(next(home.state.rglob("work.lock"))) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as one that fetches
        run = home.run("drop", aside[0]["id"])
        assert run.code == 75 and "at work on work" in run.err, run
    assert home.run("drop", aside[0]["id"]).code == 0
    run = home.run("drop", "nobody/INBOX/1")
    assert run.code == 69 and "put aside" in run.err, run
    assert not list(home.state.rglob("nobody*"))
    assert home.run("retry", aside[1]["id"]).code == 0
    assert home.run("retry", "work/INBOX/999").code == 69
    home.configure(server)
    assert home.fetch().code == 0
    assert len(maildir.entries(home.inbox)) == 1


# Configurations

def broken(home):
    text = home.config.read_text()
    home.config.write_text(text + '\nacount "x" {}\n')


def test_a_broken_configuration_is_refused(server, mailbox):
    with Daemon(mailbox) as daemon:
        daemon.polled()
        good = mailbox.config.read_text()
        broken(mailbox)
        run = daemon.run("reload")
        assert run.code == 78 and "config.lua:" in run.err, run
        assert "acount" in daemon.status()["daemon"]["reload_error"]["text"]
        # Commands find the daemon although the file is broken.
        assert "refused" in daemon.run("status").out
        server.append(letter("meanwhile"))
        assert daemon.run("poll").code == 0
        assert len(maildir.entries(mailbox.inbox)) == 4
        mailbox.config.write_text(good)
        run = daemon.run("reload")
        assert run.code == 0, run
        assert daemon.status()["daemon"]["reload_error"] is None


def test_sighup_reloads(server, mailbox):
    with Daemon(mailbox) as daemon:
        daemon.polled()
        good = mailbox.config.read_text()
        broken(mailbox)
        daemon.process.send_signal(signal.SIGHUP)
        wait_for(lambda: daemon.status()["daemon"]["reload_error"], PATIENCE,
                 "refusal")
        mailbox.config.write_text(good.replace('"work"', '"office"'))
        daemon.process.send_signal(signal.SIGHUP)
        wait_for(lambda: daemon.status()["daemon"]["reload_error"] is None,
                 PATIENCE, "new configuration")
        assert [one["account"] for one in daemon.status()["accounts"]] == \
            ["office"]


def test_state_cannot_move_while_it_runs(server, mailbox):
    with Daemon(mailbox) as daemon:
        daemon.polled()
        text = mailbox.config.read_text()
        mailbox.config.write_text(
            f'options {{ state = "{mailbox.root}/elsewhere" }}\n' + text)
        run = daemon.run("reload")
        assert run.code == 78 and "state" in run.err, run


# The log

def test_log_has_recent_lines_and_follows(server, mailbox):
    with Daemon(mailbox) as daemon:
        daemon.wait_account(lambda one: one["today"]["messages"] == 3)
        run = daemon.run("log")
        assert run.code == 0 and "work/INBOX: 3: deliver" in run.out, run
        lines = [json.loads(line)
                 for line in daemon.run("log", "--json").out.splitlines()]
        one = next(line for line in lines if "3: deliver" in line["text"])
        assert one["account"] == "work" and one["folder"] == "INBOX"
        assert one["level"] == "info"
        follow = subprocess.Popen(
            mailbox.argv("log", "--follow", "--lines", "0"),
            stdout=subprocess.PIPE, env=mailbox.environment(**daemon.env))
        try:
            # Whether it listens yet cannot be seen: what follows repeats.
            for number in range(20):
                server.append(letter(f"more-{number}"))
                assert daemon.run("poll").code == 0
            assert b"deliver" in follow.stdout.readline()
        finally:
            follow.kill()
            follow.communicate()


def test_log_goes_out_as_json_and_text(server, mailbox):
    with Daemon(mailbox) as daemon:
        daemon.wait_account(lambda one: one["today"]["messages"] == 3)
    for line in daemon.text().splitlines():
        json.loads(line)
    with Daemon(mailbox, "--log-format=text") as daemon:
        daemon.polled()
    assert "daemon: postrider" in daemon.text()
    assert "\033" not in daemon.text()
    run = mailbox.run("daemon", "--log-format=loud")
    assert run.code == 64 and "loud" in run.err, run


def test_the_journal_gets_fields(server, mailbox):
    path = mailbox.root / "journal.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(path))
        journal.settimeout(PATIENCE)
        with Daemon(mailbox, "--log-format=journal",
                    POSTRIDER_JOURNAL_SOCKET=path):
            for _ in range(100):
                entry = journal.recv(65536).decode()
                if "POSTRIDER_FOLDER=INBOX\n" in entry:
                    break
            else:
                pytest.fail("no entry about the folder")
    assert "POSTRIDER_ACCOUNT=work\n" in entry
    assert "PRIORITY=6\n" in entry and "MESSAGE=work/INBOX: " in entry


# Its life

def test_a_second_daemon_is_refused(server, mailbox):
    with Daemon(mailbox) as daemon:
        run = daemon.run("daemon")
        assert run.code == 75, run
        assert f"process {daemon.process.pid}" in run.err, run
        daemon.status()


def test_a_stale_socket_is_replaced(server, mailbox):
    with Daemon(mailbox) as daemon:
        daemon.polled()
        path = daemon.socket()
        daemon.process.kill()
        daemon.process.wait(PATIENCE)
        assert path.exists()
        run = daemon.run("status")
        assert run.code == 0 and "No daemon runs" in run.out, run
        with open(daemon.log, "ab") as log:
            daemon.process = subprocess.Popen(
                mailbox.argv("daemon"), cwd=mailbox.root,
                env=mailbox.environment(**daemon.env), stdout=log, stderr=log,
                stdin=subprocess.DEVNULL)
        wait_for(lambda: json.loads(
            daemon.run("status", "--json").out)["daemon"], PATIENCE,
            "new daemon")
        assert daemon.status()["daemon"]["pid"] == daemon.process.pid


def test_the_socket_is_private(server, mailbox):
    with Daemon(mailbox) as daemon:
        path = daemon.socket()
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        link = mailbox.state / "postrider" / "control"
        assert os.readlink(link) == str(path)
        # A command that knows of no runtime directory finds it too.
        env = mailbox.environment(**daemon.env)
        env.pop("XDG_RUNTIME_DIR")
        done = subprocess.run(mailbox.argv("status", "--json"), env=env,
                              stdout=subprocess.PIPE, timeout=PATIENCE)
        assert json.loads(done.stdout)["daemon"]["pid"] == daemon.process.pid
        if os.getuid() == 0 and shutil.which("setpriv"):
            stranger_is_refused(path)
        assert daemon.stop() == 0
        assert not path.exists() and not link.is_symlink()


def stranger_is_refused(path):
    """Even one who can reach the socket: its folders and mode let him in."""
    for folder in (path.parent, path.parent.parent):
        folder.chmod(0o755)
    path.chmod(0o666)
    code = ("import socket, sys; s = socket.socket(socket.AF_UNIX); "
            "s.connect(sys.argv[1]); "
            "print(s.makefile().readline())")
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
         "/usr/bin/python3", "-c", code, str(path)], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=PATIENCE)
    assert b"another user" in done.stdout, done


def test_without_a_runtime_directory_the_state_has_the_socket(server, home):
    deep = home.root / ("d" * 100)
    home.configure(server, rules=f'options {{ state = "{deep}" }}\n')
    with Daemon(home, wait=False, XDG_RUNTIME_DIR="") as daemon:
        wait_for((deep / "control.sock").exists, PATIENCE, "socket")
        assert daemon.status()["daemon"]["pid"] == daemon.process.pid


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_good_order(server, home, number):
    server.fill(messages.mailbox(2000, 41))
    home.configure(server, more='every = "1h"')
    with Daemon(home) as daemon:
        wait_for(lambda: home.inbox.exists() and any(
            maildir.entries(home.inbox)), PATIENCE, "first message")
        start = time.monotonic()
        assert daemon.stop(number) == 0
        assert time.monotonic() - start < 12
    home.fetched()
    found = maildir.entries(home.inbox)
    assert len(found) == 2000


class Manager:
    """A service manager's end of the notify socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(PATIENCE)
        self.seen = []

    def wait(self, word):
        for _ in range(200):
            self.seen.append(self.socket.recv(4096).decode())
            if word in self.seen[-1]:
                return self.seen[-1]
        pytest.fail(f"no {word} in {self.seen}")


def test_the_service_manager_is_told(server, mailbox):
    path = mailbox.root / "notify.sock"
    manager = Manager(path)
    with Daemon(mailbox, NOTIFY_SOCKET=path,
                WATCHDOG_USEC="1000000") as daemon:
        manager.wait("READY=1")
        assert daemon.socket()
        manager.wait("STATUS=1 account")
        manager.wait("WATCHDOG=1")
        manager.wait("WATCHDOG=1")
        daemon.process.send_signal(signal.SIGHUP)
        told = manager.wait("RELOADING=1")
        stamp = int(told.split("MONOTONIC_USEC=")[1].split("\n")[0])
        assert 0 <= time.monotonic_ns() // 1000 - stamp < PATIENCE * 1000000
        manager.wait("READY=1")
        daemon.process.send_signal(signal.SIGTERM)
        manager.wait("STOPPING=1")
        assert daemon.process.wait(PATIENCE) == 0
    manager.socket.close()


def test_it_stops_while_a_reload_hangs(mailbox):
    path = mailbox.root / "notify.sock"
    manager = Manager(path)
    with Daemon(mailbox, NOTIFY_SOCKET=path) as daemon:
        manager.wait("READY=1")
        text = mailbox.config.read_text()
        mailbox.config.unlink()
        os.mkfifo(mailbox.config)
        try:
            daemon.process.send_signal(signal.SIGHUP)
            manager.wait("RELOADING=1")
            daemon.process.send_signal(signal.SIGTERM)
            manager.wait("STOPPING=1")
        finally:
            with open(mailbox.config, "w") as end:
                end.write(text.replace('"work"', '"office"'))
        assert daemon.process.wait(PATIENCE) == 0
        assert "the new configuration is not used" in daemon.text()
        assert "good-bye" in daemon.text()
    manager.socket.settimeout(0)
    with pytest.raises(BlockingIOError):
        manager.wait("READY=1")
    manager.socket.close()


def test_units_are_sound(prefix):
    units = {"--user": prefix / "lib/systemd/user/postrider.service",
             "--system": prefix / "share/doc/postrider/systemd"
             / "postrider-system.service"}
    for manager, unit in units.items():
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                ["systemd-analyze", "verify", "--man=no", manager, str(unit)],
                env={**os.environ, "XDG_RUNTIME_DIR": folder},
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        told = [line for line in done.stdout.decode().splitlines()
                if unit.name in line]
        assert done.returncode == 0 and not told, done.stdout.decode()


# The socket itself

def test_the_socket_refuses_what_it_does_not_know(server, mailbox):
    with Daemon(mailbox) as daemon:
        with Line(daemon.socket()) as line:
            assert line.answer(do="stats")["error"] == "config"
            assert "status" in line.answer(do="stats")["text"]
            line.write(b"what?\n")
            assert line.read()["ok"] is False
            # And goes on with the next line.
            assert line.answer(do="status")["ok"] is True
            assert line.answer(do="pause", account="work")["ok"] is False
        with Line(daemon.socket()) as line:
            line.write(b"x" * 70000)
            assert line.read()["error"] == "limit"
            assert line.read() is None
        daemon.status()


def test_half_closed_clients_are_answered(server, mailbox):
    with Daemon(mailbox) as daemon, Line(daemon.socket()) as line:
        line.write(b'{"do":"status"}\n{"do":"metrics"}\n')
        line.socket.shutdown(socket.SHUT_WR)
        assert line.read()["accounts"]
        assert line.read()["metrics"]
        assert line.read() is None


def test_a_line_more_ends_following(server, mailbox):
    with Daemon(mailbox) as daemon, Line(daemon.socket()) as line:
        line.send(do="status", follow=True)
        assert line.read()["event"] == "status"
        line.send(do="resume")
        for _ in range(100):
            last = line.read()
            if "event" not in last and last.get("ok"):
                break
        else:
            pytest.fail("it never ended")


def test_clients_have_a_limit(server, mailbox):
    with Daemon(mailbox) as daemon:
        lines = [Line(daemon.socket()) for _ in range(32)]
        for line in lines:
            assert line.answer(do="status")["ok"]
        with Line(daemon.socket()) as more:
            assert more.read()["error"] == "busy"
        for line in lines:
            line.__exit__()
        wait_for(lambda: daemon.run("status").code == 0, PATIENCE, "a place")


def test_a_slow_reader_is_dropped(server, mailbox):
    with Daemon(mailbox, "-vv") as daemon:
        daemon.polled()
        with Line(daemon.socket()) as line:
            line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            # Never read from: answers pile up until the cap.
            request = b'{"do":"log","lines":2000,"level":"trace"}\n'
            line.socket.settimeout(2)
            try:
                for _ in range(4000):
                    line.write(request * 8)
            except OSError:
                pass
            wait_for(lambda: "reads too slowly" in daemon.run(
                "log", "--lines", "2000").out, PATIENCE, "word of it")
        daemon.status()


# Metrics

def check_metrics(text):
    families = {one.name: one for one in text_string_to_metric_families(text)}
    done = [sample.value for sample in families["postrider_messages"].samples
            if sample.labels == {"account": "work", "outcome": "done"}]
    assert done == [3]
    for name in ("postrider_messages_bytes", "postrider_errors",
                 "postrider_delivery_latency_seconds", "postrider_connections",
                 "postrider_rules_seconds", "postrider_put_aside_messages",
                 "postrider_queued_accounts", "postrider_account_state"):
        assert name in families
    return families


def test_metrics_are_openmetrics(server, home):
    for number in range(3):
        server.append(letter(f"first-{number}"))
    home.configure(server, rules='rule("r", function(m) m:note(m.subject) '
                                 'end)\n', more='every = "1h"')
    with Daemon(home) as daemon:
        daemon.wait_account(lambda one: one["today"]["messages"] == 3)
        run = daemon.run("status", "--metrics")
        assert run.code == 0, run
        families = check_metrics(run.out)
        counts = [sample.value for sample in
                  families["postrider_rules_seconds"].samples
                  if sample.name.endswith("_count")]
        assert counts == [3]


# What rules cost, and what they ask

COSTLY = """
rule("text", function(m)
  if m.text:find("video", 1, true) then m:tag("video", true) end
end)
rule("asks", function(m)
  local found, why = http.get("http://127.0.0.1:PORT/" .. m.uid)
  m:note(why)
end)
"""


def large(number):
    return (letter(f"large-{number}").partition(b"\r\n\r\n")[0] +
            b"\r\nMIME-Version: 1.0\r\n"
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
            b"Content-Type: text/plain\r\n\r\na video\r\n--b\r\n"
            b"Content-Type: video/mp4\r\n\r\n" + b"x" * 70 * 5000 +
            b"\r\n--b--\r\n")


def by_name(status):
    return {one["rule"]: one for one in status["rules"]}


def test_status_has_a_profile_of_rules_that_outlives_a_reload(server, home):
    [closed] = free_ports(1)
    rules = COSTLY.replace("PORT", str(closed))
    for number in range(3):
        server.append(large(number))
    home.configure(server, rules=rules, more='every = "1h"')
    with Daemon(home) as daemon:
        daemon.wait_account(lambda one: one["today"]["messages"] == 3)
        text = by_name(daemon.status())["text"]
        assert text["messages"] == 3 and text["failed"] == 0
        assert text["fetched"]["parts"] == 3 * len("a video")
        assert text["fetched"]["structure"] > 0
        assert text["fetched"]["whole"] == text["fetched"]["header"] == 0
        assert text["fetched"]["requests"] == 6
        assert text["lua_us"] > 0 and text["waited_us"] > 0
        run = daemon.run("status", "--profile")
        assert run.code == 0, run
        print(run.out)
        head = [one for one in run.out.splitlines()
                if one.startswith("RULE")][0].split()
        assert head == ["RULE", "MESSAGES", "DECIDED", "FAILED", "LUA",
                        "WAITED", "FETCHED"]
        assert [one.split()[:4] for one in run.out.splitlines()
                if one.startswith("text ")] == [["text", "3", "0", "0"]]
        assert "RULE" not in daemon.run("status").out
        families = {one.name: one for one in text_string_to_metric_families(
            daemon.run("status", "--metrics").out)}
        fetched = {(one.labels["rule"], one.labels["what"]): one.value
                   for one in families["postrider_rule_fetched_bytes"].samples}
        assert fetched["text", "part"] == 3 * len("a video")
        assert {one.labels["rule"]: one.value for one in
                families["postrider_rule_messages"].samples} == {
                    "text": 3, "asks": 3}
        assert all(one.value > 0 for one in
                   families["postrider_rule_lua_seconds"].samples)
        # The other rule has a new name, and begins anew.
        home.config.write_text(home.config.read_text().replace(
            '"asks"', '"asks again"').replace(
                'rule("text"', '-- another line\nrule("text"'))
        assert daemon.run("reload").code == 0
        rules = by_name(daemon.status())
        assert rules["asks again"]["messages"] == 0 and "asks" not in rules
        assert rules["text"]["messages"] == 3
        assert rules["text"]["line"] == text["line"] + 1
        server.append(large(3))
        assert daemon.run("poll").code == 0
        assert by_name(daemon.status())["text"]["messages"] == 4


def test_without_a_daemon_there_is_no_profile(server, mailbox):
    run = mailbox.run("status", "--profile")
    assert run.code == 0, run
    assert "counted by the daemon, and none runs" in run.out
    # What it names instead has what the profile would have had.
    assert "postrider fetch --dry-run --json" in run.out
    mailbox.config.write_text(mailbox.config.read_text() + """
rule("seen", function(m) m:note(m.subject) end)""")
    told = mailbox.fetched("--dry-run").records
    [rule] = [one for one in told if one["event"] == "rule"]
    assert rule["rule"] == "seen" and rule["messages"] == 3
    assert rule["lua_us"] > 0 and "fetched" in rule
    [line] = [one for one in run.out.splitlines() if "explain" in one]
    mailbox.root.joinpath("one.eml").write_bytes(letter("one"))
    assert mailbox.run(*line.split()[1:2], "one.eml").code == 0


def test_status_says_which_service_is_left_alone(server, home):
    """Five questions in a row that nobody answers; then it is well again."""
    [closed] = free_ports(1)
    for number in range(6):
        server.append(letter(f"n-{number}"))
    home.configure(server, rules=COSTLY.replace("PORT", str(closed)),
                   more='every = "1h"')
    with Daemon(home) as daemon:
        daemon.wait_account(lambda one: one["today"]["messages"] == 6)
        services = daemon.status()["services"]
        [alone] = [one for one in services if one["left_alone"]]
        assert alone["service"] == f"http 127.0.0.1:{closed}"
        assert alone["failures"] >= 5 and alone["failed"] >= 5
        now = time.time()
        assert now - 60 < alone["since"] <= now + 1
        assert alone["since"] < alone["next_try"] <= alone["since"] + 10
        assert alone["why"]
        run = daemon.run("status")
        print(run.out)
        words = " ".join(run.out.split())
        assert f"http 127.0.0.1:{closed} is left alone" in words
        assert "times in a row" in words
        families = {one.name: one for one in text_string_to_metric_families(
            daemon.run("status", "--metrics").out)}
        [gauge] = families["postrider_service_left_alone"].samples
        assert gauge.labels == {"service": f"http 127.0.0.1:{closed}"}
        assert gauge.value == 1
        [failures] = families["postrider_service_failures"].samples
        assert failures.value == alone["failed"]


def get(port, path="/metrics", method="GET", **headers):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}",
                                     method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


def test_metrics_over_http(server, mailbox):
    one, other = free_ports(2)
    text = mailbox.config.read_text()
    mailbox.config.write_text(
        f'options {{ metrics = "127.0.0.1:{one}" }}\n' + text)
    with Daemon(mailbox) as daemon:
        daemon.wait_account(lambda one: one["today"]["messages"] == 3)
        code, headers, body = get(one)
        assert code == 200
        assert headers["Content-Type"].startswith(
            "application/openmetrics-text; version=1.0.0")
        check_metrics(body)
        assert get(one, "/")[0] == 404
        assert get(one, method="DELETE")[0] == 405
        assert get(one, Host="evil.example.org")[0] == 403
        # A new configuration moves it, a wrong one does not.
        mailbox.config.write_text(
            'options { metrics = "0.0.0.0:1" }\n' + text)
        run = daemon.run("reload")
        assert run.code == 78 and "metrics_remote" in run.err, run
        assert get(one)[0] == 200
        mailbox.config.write_text(
            f'options {{ metrics = "127.0.0.1:{other}" }}\n' + text)
        assert daemon.run("reload").code == 0
        assert get(other)[0] == 200
        with pytest.raises(urllib.error.URLError):
            get(one)
        mailbox.config.write_text(text)
        assert daemon.run("reload").code == 0
        with pytest.raises(urllib.error.URLError):
            get(other)


def test_metrics_move_on_one_port_or_are_missed(mailbox):
    text = mailbox.config.read_text()

    def use(address):
        mailbox.config.write_text(
            f'options {{ metrics = "{address}", metrics_remote = true }}\n'
            + text)

    [port] = free_ports(1)
    use(f"127.0.0.1:{port}")
    with Daemon(mailbox) as daemon, socket.socket() as taken:
        use(f"0.0.0.0:{port}")
        run = daemon.run("reload")
        assert run.code == 0 and get(port)[0] == 200, run
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        use("127.0.0.1:%d" % taken.getsockname()[1])
        run = daemon.run("reload")
        told = "the new configuration is in use, but without metrics"
        assert run.code != 0 and told in run.err, run
        assert "it had" not in run.err
        assert told in daemon.text() and \
            "the old one stays" not in daemon.text()
        assert daemon.status()["daemon"]["reload_error"]["used"] is True
        with pytest.raises(urllib.error.URLError):
            get(port)
        use(f"127.0.0.1:{port}")
        assert daemon.run("reload").code == 0
        assert get(port)[0] == 200
