"""Watching by the IMAP source alone (tests/lib/watcher), with a real Dovecot.

Nothing is slept for: every line is waited for, with a deadline.
"""

import queue
import subprocess
import threading
import time

import messages
import pytest

PATIENCE = 60


class Watcher:
    def __init__(self, program, server, *folders, port=None, count=1,
                 user="alice", disable=(), **options):
        options = {"port": port or server.imaps, "ca_file": server.ca_file,
                   "user": user, "password": server.users["alice"], **options}
        argv = [program, *(f"{k}={v}" for k, v in options.items()),
                *(f"disable={name}" for name in disable), str(count), *folders]
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            bufsize=1)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line.split())
        self.lines.put(None)

    def next(self, *kinds):
        """The next line of one of the kinds; others are passed over."""
        end = time.monotonic() + PATIENCE
        while True:
            line = self.lines.get(timeout=max(0.01, end - time.monotonic()))
            assert line is not None, "the watcher has ended"
            assert line[0] != "failed" or "failed" in kinds, line
            if line[0] in kinds:
                return line

    def watching(self):
        return int(self.next("watching")[2])

    def item(self):
        _, _, folder, uid, late = self.next("item")
        return folder, int(uid), int(late)

    def say(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def stop(self):
        """Ends it; the lines that were still to come."""
        self.process.stdin.close()
        rest = []
        while (line := self.lines.get(timeout=PATIENCE)) is not None:
            rest.append(line)
        assert self.process.wait(PATIENCE) == 0
        return rest


@pytest.fixture
def watch(prefix):
    program = prefix.parent / "tests/lib/watcher"
    if not program.exists():
        program = prefix.parent / "build/tests/lib/watcher"
    begun = []

    def begin(*args, **options):
        begun.append(Watcher(program, *args, **options))
        return begun[-1]
    yield begin
    for watcher in begun:
        if watcher.process.poll() is None:
            watcher.process.kill()
            watcher.process.wait()


def deliver(server, count=1, folder="INBOX", seed=1):
    for one in messages.mailbox(count, seed):
        server.append(one.data, folder)


@pytest.mark.parametrize("disable", [("NOTIFY",), ("NOTIFY", "LIST-STATUS")])
def test_idle_tells_new_mail(server, watch, disable):
    deliver(server, 2)
    watcher = watch(server, "INBOX", disable=disable)
    for uid in (3, 4):
        assert watcher.watching() == 1
        deliver(server)
        folder, got, late = watcher.item()
        assert (folder, got) == ("INBOX", uid)
        assert late < 1000
    assert watcher.watching() == 1
    assert ["stopped", "0"] in watcher.stop()


def test_idle_costs_one_trip_after_the_news(server, watch, make_proxy):
    """EXISTS, then DONE and the list in one flight: no SELECT, no NOOP."""
    proxy = make_proxy(server.imaps)
    watcher = watch(server, "INBOX", port=proxy.port, disable=["NOTIFY"])
    watcher.watching()
    deliver(server)
    watcher.item()
    watcher.watching()
    # The server has asked for DONE once IDLE is begun again: all is at rest.
    watcher.say("probe")
    proxy.reset()
    deliver(server)
    watcher.item()
    # DONE and FETCH; then IDLE for the next time.
    assert proxy.trips <= 4
    watcher.stop()


def test_notify_tells_of_all_folders(server, watch):
    names = ["INBOX", "Lists/dev", "Grüße", "Work"]
    for name in names[1:]:
        server.create(name)
    deliver(server, 2, "Work")
    watcher = watch(server, *names)
    for name, uid in (("Lists/dev", 1), ("INBOX", 1), ("Grüße", 1),
                      ("Work", 3), ("INBOX", 2), ("Grüße", 2)):
        assert watcher.watching() == len(names)
        deliver(server, 1, name)
        folder, got, late = watcher.item()
        assert (folder, got) == (name, uid)
        assert late < 1000
    assert watcher.watching() == len(names)
    assert ["stopped", "0"] in watcher.stop()


def test_notify_tells_of_flags_and_of_what_is_gone(server, watch):
    server.create("Lists")
    deliver(server, 2, "Lists")
    watcher = watch(server, "INBOX", "Lists")
    watcher.watching()
    client = server.client()
    client.select("Lists")
    client.store("1", "+FLAGS", "\\Flagged")
    assert watcher.next("news")[2:] == ["Lists", "flags"]
    watcher.watching()
    client.store("2", "+FLAGS", "\\Deleted")
    client.expunge()
    told = set()
    while "vanished" not in told:
        told.update(watcher.next("news")[3:])
    client.logout()
    watcher.stop()


def test_idle_tells_of_flags_and_of_what_is_gone(server, watch):
    deliver(server, 2)
    watcher = watch(server, "INBOX", disable=["NOTIFY"])
    watcher.watching()
    client = server.client()
    client.select("INBOX")
    client.store("1", "+FLAGS", "\\Flagged")
    assert watcher.next("news")[2:] == ["INBOX", "flags"]
    watcher.watching()
    client.store("2", "+FLAGS", "\\Deleted")
    client.expunge()
    told = set()
    while "vanished" not in told:
        told.update(watcher.next("news")[3:])
    client.logout()
    watcher.stop()


@pytest.mark.parametrize("disable", [(), ("NOTIFY",)])
def test_mail_before_the_watch_is_not_missed(server, watch, disable):
    """Mail keeps coming, whatever the watcher does: each is listed once."""
    server.create("Lists")
    watcher = watch(server, "INBOX", "Lists", disable=disable)
    watcher.watching()
    client = server.client()
    for one in messages.mailbox(40, 7):
        server.append(one.data, client=client)
    client.logout()
    seen = []
    while len(seen) < 40:
        folder, uid, _ = watcher.item()
        seen.append(uid)
    assert seen == list(range(1, 41))
    watcher.stop()


@pytest.mark.parametrize("disable", [(), ("NOTIFY",)])
def test_a_dead_line_is_found_by_a_probe(server, watch, make_proxy, disable):
    server.create("Lists")
    proxy = make_proxy(server.imaps)
    watcher = watch(server, "INBOX", "Lists", port=proxy.port,
                    disable=disable)
    watcher.watching()
    deliver(server)
    watcher.item()
    watcher.watching()
    proxy.stall_after = proxy.down
    begun = time.monotonic()
    watcher.say("probe")
    failed = watcher.next("failed")
    assert failed[2] == "network:"
    assert time.monotonic() - begun < 20
    watcher.stop()


@pytest.mark.parametrize("disable", [(), ("NOTIFY",)])
def test_a_line_that_stands_outlives_probes(server, watch, disable):
    server.create("Lists")
    watcher = watch(server, "INBOX", "Lists", disable=disable)
    watcher.watching()
    for uid in range(1, 6):
        deliver(server)
        assert watcher.item()[:2] == ("INBOX", uid)
        watcher.say("probe")
    assert ["stopped", "0"] in watcher.stop()


def test_a_server_that_goes_is_noticed(server, watch):
    watcher = watch(server, "INBOX", disable=["NOTIFY"])
    watcher.watching()
    server.stop()
    assert watcher.next("failed")[2] in ("network:", "later:")
    watcher.stop()


def test_a_folder_that_is_deleted_ends_the_watch_or_is_told(server, watch):
    server.create("Lists")
    watcher = watch(server, "Lists", disable=["NOTIFY"])
    watcher.watching()
    client = server.client()
    client.delete("Lists")
    client.logout()
    watcher.say("probe")
    assert watcher.next("failed", "news")[0] in ("failed", "news")
