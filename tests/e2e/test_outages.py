"""Watching goes on: servers restart, lines die silently, machines sleep."""

import json
import os
import shutil
import socket
import subprocess
import time

import pytest

import relay as relay_module
from server import is_calm
from watching import TO_FOLDERS, Daemon, FakeClock, FakeNames, deliver

# Five seconds are what is promised on a machine with nothing else to do.
SOON = 5
PATIENCE = 40


@pytest.fixture
def store(make_server):
    server = make_server(lmtp=True, extra=TO_FOLDERS)
    server.create("Lists")
    return server


@pytest.fixture
def make_relay():
    relays = []

    def make(*args, **options):
        relays.append(relay_module.Relay(*args, **options))
        return relays[-1]

    yield make
    for one in relays:
        one.close()


@pytest.fixture
def clock(tmp_path):
    if shutil.which("cc") is None:
        pytest.skip("no compiler here")
    return FakeClock(tmp_path)


def watch(home, store, port, every="1h", source="", **options):
    """By NOTIFY two folders, since one alone is watched by IDLE."""
    if source == HOW["notify"]:
        options.setdefault("folders", '{ "INBOX", "Lists" }')
    home.configure(store, port=port, tls="none",
                   source="insecure = true" + (source and ", " + source),
                   more=f'watch = true, connections = 1, every = "{every}"',
                   **options)


IDLE_ONLY = 'disable = { "NOTIFY" }'
HOW = {"notify": "", "idle": IDLE_ONLY}


def until_watching(relay, since=0.0, command=b" IDLE"):
    """Until the last connection waits for news: in IDLE, which the server took
    up, with NOTIFY too. By then it gave that command."""
    def claim(lines):
        number = max((one.connection for one in lines
                      if one.time >= since), default=0)
        own = [one for one in lines if one.connection == number
               and one.time >= since]
        given = [one for one in own if one.up]
        return given and given[-1].text.upper().endswith(b" IDLE") and \
            any(command in one.text.upper() for one in given) and \
            any(one.text.startswith(b"+")
                for one in own[own.index(given[-1]):])
    relay.wait(claim, PATIENCE, "IDLE")


def report(what, seconds):
    print(f"{what}: {seconds:.2f} s")
    assert seconds < (SOON if is_calm() else PATIENCE)


@pytest.mark.parametrize("how", HOW)
def test_mail_that_comes_while_watching_is_fetched(store, home, make_relay,
                                                   how):
    relay = make_relay(store.imap)
    watch(home, store, relay.port, source=HOW[how])
    deliver(store, "before")
    with Daemon(home) as daemon:
        daemon.until_came("before")
        until_watching(relay)
        deliver(store, "while-watching")
        daemon.until_came("before", "while-watching")
        deliver(store, "another")
        daemon.until_came("before", "while-watching", "another")


def test_a_server_without_idle_is_polled(store, home, make_relay):
    relay = make_relay(store.imap,
                       rewrite=relay_module.without("IDLE", "NOTIFY"))
    watch(home, store, relay.port, every="2s")
    with Daemon(home) as daemon:
        for number in range(3):
            deliver(store, f"m{number}")
            daemon.until_came(*(f"m{n}" for n in range(number + 1)))
    assert not relay.commands("IDLE") and not relay.commands("NOTIFY")


@pytest.mark.parametrize("how", HOW)
def test_a_server_that_restarts_is_watched_again(store, home, make_relay, how):
    watch(home, store, store.imap, source=HOW[how])
    with Daemon(home) as daemon:
        deliver(store, "one")
        daemon.until_came("one")
        store.stop()
        store.start(same_ports=True)
        begun = time.monotonic()
        deliver(store, "two")
        daemon.until_came("one", "two")
        report("after a restart", time.monotonic() - begun)


@pytest.mark.parametrize("how", HOW)
def test_a_line_that_is_cut_is_watched_again(store, home, make_relay, how):
    relay = make_relay(store.imap)
    watch(home, store, relay.port, source=HOW[how])
    with Daemon(home) as daemon:
        deliver(store, "one")
        daemon.until_came("one")
        until_watching(relay)
        relay.cut()
        deliver(store, "two")
        report("after a cut", daemon.until_came("one", "two"))


@pytest.mark.parametrize("how", HOW)
def test_after_resume_every_line_is_made_anew(store, home, make_relay, clock,
                                              how):
    """The server's side of the line is gone, and nobody says so."""
    relay = make_relay(store.imap)
    watch(home, store, relay.port, source=HOW[how])
    with Daemon(home, **clock.environment()) as daemon:
        deliver(store, "one")
        daemon.until_came("one")
        until_watching(relay)
        relay.fall_silent()
        deliver(store, "two")
        relay.speak()
        since = time.monotonic()
        clock.sleep(8 * 3600)
        report("after resume", daemon.until_came("one", "two"))
        until_watching(relay, since)


def test_a_refused_login_is_not_tried_again_at_each_resume(store, home, clock):
    watch(home, store, store.imap, password=f'file "{home.secret("no", "no")}"')
    with Daemon(home, **clock.environment()) as daemon:
        def failures():
            run = home.run("status", "--json",
                           XDG_RUNTIME_DIR=daemon.runtime.name)
            trouble = json.loads(run.out)["accounts"][0]["trouble"]
            return trouble["failures"] if trouble else 0

        daemon.until(lambda: failures() == 1, PATIENCE, "refusal")
        for number in range(1, 4):
            clock.sleep(15 * 60)
            daemon.until(lambda n=number: daemon.log().count("slept") == n,
                         PATIENCE, "resume")
        assert failures() == 1
        clock.sleep(15 * 60)  # in all it is an hour
        daemon.until(lambda: failures() == 2, PATIENCE, "second refusal")
        assert daemon.log().count("next try in") == 1


@pytest.mark.parametrize("how", HOW)
def test_a_watch_is_renewed_after_29_minutes(store, home, make_relay, clock,
                                             how):
    command = {"notify": b" NOTIFY SET ", "idle": b" IDLE"}[how]
    relay = make_relay(store.imap)
    watch(home, store, relay.port, source=HOW[how], every="10h")
    with Daemon(home, **clock.environment()) as daemon:
        deliver(store, "one")
        daemon.until_came("one")
        until_watching(relay, 0, command)
        for _ in range(3):
            begun = time.monotonic()
            clock.let_pass(29 * 60 + 1)
            until_watching(relay, begun, command)
        assert len(relay.connections) == 1
        deliver(store, "two")
        daemon.until_came("one", "two")
        assert len(relay.connections) == 1


@pytest.mark.parametrize("how", HOW)
def test_a_line_that_died_silently_is_found_without_any_news(
        store, home, make_relay, clock, how):
    relay = make_relay(store.imap)
    watch(home, store, relay.port, source=HOW[how])
    with Daemon(home, **clock.environment()) as daemon:
        deliver(store, "one")
        daemon.until_came("one")
        until_watching(relay)
        relay.fall_silent()
        deliver(store, "two")
        relay.speak()
        # In half an hour the line was renewed or proved, and did not answer.
        minutes = 0
        end = time.monotonic() + PATIENCE
        while len(relay.connections) == 1:
            assert time.monotonic() < end, daemon.log()
            clock.let_pass(60)
            minutes += 1
            time.sleep(0.2)
        assert minutes <= 35
        daemon.until_came("one", "two")


def test_a_login_that_never_ends_is_given_up(store, home, make_relay, clock):
    """A server that accepts and says nothing."""
    relay = make_relay(store.imap)
    relay.fall_silent()
    watch(home, store, relay.port)
    deliver(store, "one")
    with Daemon(home, **clock.environment()) as daemon:
        daemon.until(lambda: relay.connections, PATIENCE, "connection")
        relay.speak()
        clock.let_pass(120)
        daemon.until(lambda: clock.let_pass(30) or len(relay.connections) > 1,
                     PATIENCE, "second try")
        daemon.until_came("one")


@pytest.mark.parametrize("size", [800, 200_000])
def test_what_vanishes_before_it_is_fetched_is_simply_gone(
        store, home, make_relay, size):
    """Another client expunges six of twenty messages after they were listed;
    large ones wait for their rules by then."""
    client = store.client()
    for number in range(20):
        text = (f"Message-ID: <m{number}@example.org>\r\n"
                f"Subject: m{number}\r\n\r\n" + ("x" * 70 + "\r\n")
                * (size // 72))
        store.append(text.encode(), client=client)
    client.logout()
    expunged = []

    def expunge(line):
        if line.startswith(b"* 20 FETCH (UID 20 ") and not expunged:
            other = store.client()
            other.select("INBOX")
            other.uid("STORE", "3:8", "+FLAGS.SILENT", "(\\Deleted)")
            expunged.extend(other.expunge()[1])
            other.logout()
        return line

    relay = make_relay(store.imap, rewrite=expunge)
    home.configure(store, port=relay.port, tls="none", source="insecure = true",
                   rules='rule("look", function(m)\n'
                   '  if m.text:has "nothing" then m:flag "x" end\nend)')
    run = home.fetched()
    assert len(expunged) == 6
    assert len(run.messages) == 14 and run.err == ""
    assert home.fetched().messages == []


# ---- Names

def account_of(home, daemon, name):
    run = home.run("status", "--json", XDG_RUNTIME_DIR=daemon.runtime.name)
    return next(one for one in json.loads(run.out)["accounts"]
                if one["account"] == name)


def until_fails(home, daemon, word):
    """Until the account by name feels it."""
    def claim():
        found = account_of(home, daemon, "named")
        return found["trouble"] if word != "hang" else \
            found["state"] == "fetching"
    return daemon.until(claim, PATIENCE, f"failure {word}")


@pytest.mark.parametrize("word", [str(socket.EAI_AGAIN),
                                  str(socket.EAI_NONAME), "hang"])
def test_a_name_service_that_fails_is_outlived(store, home, tmp_path, word):
    """Accounts whose servers have addresses do not notice; the others are
    fetched soon after it answers again."""
    if shutil.which("cc") is None:
        pytest.skip("no compiler here")
    names = FakeNames(tmp_path)
    home.write("".join(
        home.account(store, name=name, host=host, folders=f'{{ "{folder}" }}',
                     more='watch = true, every = "1h"')
        for name, host, folder in (("named", "localhost", "Lists"),
                                   ("plain", "127.0.0.1", "INBOX"))))
    deliver(store, "by-name", folder="Lists")
    names.say(word)
    with Daemon(home, **names.environment()) as daemon:
        trouble = until_fails(home, daemon, word)
        if word != "hang":
            assert trouble["kind"] == "network"
            assert "localhost" in trouble["text"]
        deliver(store, "by-address")
        daemon.until_came("by-address")
        until_fails(home, daemon, word)
        names.say("")
        report("after the name service", daemon.until_came(
            "by-address", "by-name", seconds=PATIENCE))
        assert account_of(home, daemon, "named")["trouble"] is None


# ---- A network of its own

# Two hosts and the cable between them: the server's is 192.0.2.1.
HOSTS = """\
ip link set lo up
ip link add near0 type veth peer name far0
ip link set far0 netns "$1"
ip addr add 192.0.2.2/24 dev near0
ip link set near0 up
"""
FAR = """\
ip link set lo up
ip addr add 192.0.2.1/24 dev far0
ip link set far0 up
"""


class Host:
    """A network namespace, kept by a process that sleeps."""

    def __init__(self):
        self.holder = subprocess.Popen(
            ["unshare", "-n", "sh", "-c", "echo; exec sleep 3600"],
            stdout=subprocess.PIPE)
        self.holder.stdout.readline()
        self.argv = ["nsenter", "-t", str(self.holder.pid), "-n"]

    def run(self, script, *args):
        subprocess.run([*self.argv, "sh", "-ec", script, "sh",
                        *map(str, args)], check=True, timeout=60)

    def close(self):
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()


def can_have_hosts():
    script = "ip link add near0 type veth peer name far0"
    return all(map(shutil.which, ("unshare", "nsenter", "ip"))) and \
        subprocess.run(["unshare", "-n", "sh", "-c", script],
                       stderr=subprocess.DEVNULL).returncode == 0


@pytest.fixture
def hosts():
    if os.getuid() != 0 or not can_have_hosts():
        pytest.skip("no network namespaces here")
    near, far = Host(), Host()
    try:
        near.run(HOSTS, far.holder.pid)
        far.run(FAR)
        yield near, far
    finally:
        near.close()
        far.close()


@pytest.fixture
def far_store(hosts, make_server):
    """A server on the far host; mail is delivered by its unix socket."""
    return make_server(lmtp=True, extra=TO_FOLDERS, listen="192.0.2.1",
                       wrapper=hosts[1].argv)


def begin_apart(home, store, hosts, how):
    home.configure(store, host="192.0.2.1", port=store.imap, tls="none",
                   source="insecure = true, " + HOW[how],
                   more='watch = true, every = "1h"')
    return Daemon(home, wrapper=hosts[0].argv)


@pytest.mark.parametrize("how", HOW)
def test_packets_that_are_lost_while_the_cable_is_out(far_store, home, hosts,
                                                      how):
    near, far = hosts
    with begin_apart(home, far_store, hosts, how) as daemon:
        deliver(far_store, "one")
        daemon.until_came("one")
        # The server forgets the line as if it had been restarted elsewhere.
        near.run("ip link set near0 down")
        far.run("ss -K dst 192.0.2.2 >/dev/null 2>&1 || true")
        deliver(far_store, "two")
        daemon.until(lambda: "has gone" in daemon.log(), PATIENCE,
                     "news of the cable")
        near.run("ip link set near0 up")
        report("cable in again", daemon.until_came("one", "two"))


@pytest.mark.parametrize("how", HOW)
def test_packets_that_are_discarded_on_the_way(far_store, home, hosts, how):
    """Nothing comes back from the server; then the way changes."""
    near, far = hosts
    with begin_apart(home, far_store, hosts, how) as daemon:
        deliver(far_store, "one")
        daemon.until_came("one")
        far.run("ip route add blackhole 192.0.2.2/32")
        deliver(far_store, "two")
        near.run("ip addr add 192.0.2.3/24 dev near0")
        daemon.until(lambda: "did not outlive" in daemon.log(), PATIENCE,
                     "end of the dead connection")
        far.run("ip route del blackhole 192.0.2.2/32")
        near.run("ip addr del 192.0.2.3/24 dev near0;"
                 "ip addr add 192.0.2.4/24 dev near0")
        report("way clear again", daemon.until_came("one", "two"))


def test_an_address_that_is_gone_takes_its_lines_along(far_store, home, hosts):
    near, _ = hosts
    with begin_apart(home, far_store, hosts, "notify") as daemon:
        deliver(far_store, "one")
        daemon.until_came("one")
        near.run("ip addr del 192.0.2.2/24 dev near0;"
                 "ip addr add 192.0.2.9/24 dev near0")
        deliver(far_store, "two")
        report("another address", daemon.until_came("one", "two"))
