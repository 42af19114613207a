"""Many mailboxes watched: how soon mail is there, and what it costs."""

import itertools
import os
import pathlib
import random
import re
import statistics
import time

import pytest

import relay as relay_module
from inotify import Arrivals
from server import is_calm
from watching import TO_FOLDERS, Daemon, deliver, subjects

PATIENCE = 60
HOW = {"notify": "", "idle": 'disable = { "NOTIFY" }'}

# As many processes as there are connections. Beyond some of them the kernel has
# no more inotify instances for the server, which then looks every few seconds.
ROOM = """\
mailbox_idle_check_interval = 10 secs
default_process_limit = 3000
default_client_limit = 20000
service imap {{
  process_limit = {limit}
  vsz_limit = 0
}}
service imap-login {{
  process_min_avail = 2
  process_limit = 4
  client_limit = 5000
}}
"""


# ---- Latency

USERS = [f"user{n}" for n in range(5)]
FOLDERS = ["INBOX", "Lists", "Work", "Family"]


@pytest.fixture
def five(make_server):
    server = make_server(users=dict.fromkeys(USERS, "wonder land"), lmtp=True,
                         extra=TO_FOLDERS + ROOM.format(limit=200))
    for user in USERS:
        for folder in FOLDERS[1:]:
            server.create(folder, user)
    return server


def until_all_wait(relay, connections):
    """Until so many connections wait for news, by what was last said on them:
    IDLE, or NOTIFY and what makes sure that it works."""
    def claim(lines):
        notified, waiting = set(), set()
        for one in lines:
            word = (one.text.upper().split() + [b"", b""])[1]
            if not one.up:
                continue
            if word == b"NOTIFY":
                notified.add(one.connection)
            if word in (b"IDLE", b"NOTIFY") or \
                    word == b"NOOP" and one.connection in notified:
                waiting.add(one.connection)
            else:
                waiting.discard(one.connection)
        return len(waiting) >= connections
    relay.wait(claim, PATIENCE, "connections that wait")


def exists_times(relay, since):
    """When the server told of a new message: EXISTS of the selected folder, or
    STATUS of another."""
    return [one.time for one in relay.lines
            if not one.up and one.time >= since
            and re.match(rb"\* (\d+ EXISTS|STATUS )", one.text)]


@pytest.mark.parametrize("how", HOW)
def test_mail_is_there_at_once(five, home, how):
    """20 folders of 5 accounts; from the server's EXISTS to the file."""
    with relay_module.Relay(five.imap) as relay:
        home.write("".join(home.account(
            five, name=user, user=user, port=relay.port, tls="none",
            folders='{ "*" }', source="insecure = true"
            + (HOW[how] and ", " + HOW[how]),
            more='watch = true, connections = 4, every = "1h"')
            for user in USERS))
        first = [f"first-{user}" for user in USERS]
        for user in USERS:
            deliver(five, f"first-{user}", user)
        with Daemon(home) as daemon:
            daemon.until_came(*first, seconds=PATIENCE)
            until_all_wait(relay, 5 if how == "notify" else 20)
            took = deliver_one_by_one(relay, daemon, home, five)
    median = statistics.median(took) * 1000
    print(f"{how}: from EXISTS to the file: median {median:.1f} ms, "
          f"worst {max(took) * 1000:.1f} ms of {len(took)}")
    assert median < 100
    if is_calm():
        assert sum(one < 1 for one in took) >= len(took) - 2


def deliver_one_by_one(relay, daemon, home, server):
    took, count = [], 0
    with Arrivals(home.inbox / "new", home.inbox / "cur") as arrivals:
        for user, folder in itertools.product(USERS, FOLDERS):
            since = time.monotonic()
            deliver(server, f"{user}-{folder}", user,
                    "" if folder == "INBOX" else folder)
            count += 1
            came = arrivals.wait(count, PATIENCE)[-1][0]
            told = exists_times(relay, since)
            assert told, relay.lines[-20:]
            took.append(came - told[0])
            # The next one finds it waiting again.
            daemon.until(lambda: is_quiet(relay), PATIENCE, "quiet")
    return took


def is_quiet(relay):
    return time.monotonic() - relay.lines[-1].time > 0.05


# ---- Size

def memory_of(pid):
    """(KiB of memory, where shared pages count in part; its own of those).

    The part of shared pages depends on who else runs the same program.
    """
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return tuple(int(re.search(rf"^{name}: +(\d+) kB", text, re.M)[1])
                 for name in ("Pss", "Private_Dirty"))


def ticks(pid):
    """Of the processor, used so far."""
    text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    words = text.rpartition(")")[2].split()
    return int(words[11]) + int(words[12])


def until_idle(daemon, seconds=120):
    """Until it did nothing for eight seconds: so it gave back what it can."""
    last = [ticks(daemon.pid), time.monotonic()]

    def claim():
        now = ticks(daemon.pid)
        if now != last[0]:
            last[:] = [now, time.monotonic()]
        return time.monotonic() - last[1] > 8
    daemon.until(claim, seconds, "rest")


def watch_many(make_server, make_home, prefix, count):
    """(KiB of PSS, its own KiB, ticks in 10 s) of one that watches so many."""
    users = [f"user{n:04d}" for n in range(count)]
    server = make_server(users=dict.fromkeys(users, "wonder land"), lmtp=True,
                         extra=TO_FOLDERS + ROOM.format(limit=count + 100))
    home = make_home(prefix)
    home.write("".join(home.account(
        server, name=user, user=user, deliver=f'mail / "{user}"',
        more='watch = true, every = "10h"') for user in users)
        + "options { connections_per_host = 1000 }\n")
    for user in users:
        deliver(server, f"first-{user}", user)
    with Daemon(home) as daemon:
        daemon.until(lambda: len(os.listdir(home.mail)) == count
                     if home.mail.exists() else False, 300, "first mail")
        until_idle(daemon)
        before = ticks(daemon.pid)
        time.sleep(10)      # what it does while nothing is to do
        used = ticks(daemon.pid) - before
        memory, own = memory_of(daemon.pid)
        some = random.Random(1).sample(users, min(count, 20))
        for user in some:
            deliver(server, f"second-{user}", user)
        daemon.until(lambda: {f"second-{user}" for user in some}
                     <= set(subjects(home)), PATIENCE, "mail of some")
    assert len(subjects(home)) == count + len(some)
    server.stop()
    return memory, own, used


def test_many_mailboxes_take_little(make_server, make_home, plain_prefix):
    """With $POSTRIDER_LONG a thousand of them."""
    count = 1000 if os.environ.get("POSTRIDER_LONG") else 130
    base = 30       # what there is once is there, too: threads, caches
    _, few, _ = watch_many(make_server, make_home, plain_prefix, base)
    memory, own, used = watch_many(make_server, make_home, plain_prefix, count)
    each = (own - few) / (count - base)
    print(f"{count} mailboxes: {memory} KiB, {memory / count:.1f} KiB for "
          f"each, {each:.1f} KiB for one more; {used} ticks in 10 s")
    assert each <= 60
    if count == 1000:
        assert memory / count <= 60
    assert used <= 3
