"""Measures fetchers on the same generated mailbox, server and machine.

Each contender fetches the mailbox into a fresh Maildir, in turn and from
another one on each time, as often as --runs says; the table has the medians. Slow ones fetch only the first
--slow-messages of it: their rates are messages of their own count per second.
Client CPU and peak memory are those of the process and all its children.
On ext4 let five minutes pass after anything that deleted thousands of files,
another run of this included: until then each new file costs several times more.
"""

import argparse
import collections
import hashlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))

import contenders  # noqa: E402
import dovecot  # noqa: E402
import messages  # noqa: E402

SLOW = {"fdm", "fetchmail", "getmail6"}
PASSWORD = "wonderland"


def arguments():
    parser = argparse.ArgumentParser(
        prog="tests/bench/run", description=__doc__)
    add = parser.add_argument
    add("--messages", type=int, default=0,
        help="size of the mailbox (10000; with --latency 1000)")
    add("--slow-messages", type=int, default=1000, metavar="N",
        help="how many of them fdm, fetchmail and getmail6 fetch (1000; 0: "
        "all)")
    add("--runs", type=int, default=3, help="runs of each (3)")
    add("--peers", default=None, metavar="NAME,...",
        help="others to measure: mbsync, fdm, fetchmail, getmail6 (all; with "
        "--latency mbsync); none for none")
    add("--latency", type=float, default=0, metavar="MS",
        help="round trip of the link in milliseconds (0: loopback)")
    add("--seed", type=int, default=1)
    add("--json", action="store_true", help="results as JSON")
    add("--goals", action="store_true",
        help="fail unless postrider is as fast as it is to be")
    add("--no-postrider", action="store_true", help=argparse.SUPPRESS)
    add("--build", required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.messages:
        options.messages = 1000 if options.latency else 10_000
    if options.peers is None:
        options.peers = "mbsync" if options.latency else \
            "mbsync,fdm,fetchmail,getmail6"
    options.peers = [name for name in options.peers.split(",")
                     if name not in ("", "none")]
    for name in options.peers:
        if name not in contenders.CONTENDERS:
            parser.error(f"unknown peer {name}")
    return options


def key(data):
    """What no fetcher may change: the body, and who the message is. Headers
    that a fetcher adds do not count."""
    data = data.replace(b"\r\n", b"\n")
    head, _, body = data.partition(b"\n\n")
    for line in head.split(b"\n"):
        if line[:11].lower() == b"message-id:":
            return hashlib.sha256(line[11:].strip() + b"\n" + body).digest()
    return hashlib.sha256(body).digest()


class Mailbox:
    """The generated mail: in two users' INBOX, and as plain files."""

    def __init__(self, server, place, options):
        self.files = place / "files"
        self.files.mkdir()
        slow = options.slow_messages or options.messages
        self.counts = {"full": options.messages,
                       "part": min(slow, options.messages)}
        self.octets, self.keys = collections.Counter(), {}
        keys = []
        for number, one in enumerate(
                messages.sized(options.messages, options.seed)):
            server.fill([one], user="full")
            (self.files / f"{number:06d}").write_bytes(one.delivered)
            self.octets["full"] += len(one.data)
            if number < self.counts["part"]:
                server.fill([one], user="part")
                self.octets["part"] += len(one.data)
            keys.append(key(one.data))
        for user, count in self.counts.items():
            self.keys[user] = collections.Counter(keys[:count])


def delivered(place):
    found = collections.Counter()
    for folder, _, files in os.walk(place):
        if os.path.basename(folder) in ("cur", "new"):
            for name in files:
                found[key(pathlib.Path(folder, name).read_bytes())] += 1
    return found


class Result:
    def __init__(self, name, user, box):
        self.name, self.user = name, user
        self.count, self.octets = box.counts[user], box.octets[user]
        self.seconds, self.cpu, self.memory = [], [], []
        self.fault = ""

    @property
    def rate(self):
        return self.count / statistics.median(self.seconds)

    def record(self):
        return {"name": self.name, "messages": self.count,
                "octets": self.octets, "seconds": self.seconds,
                "messages_per_second": round(self.rate, 1),
                "cpu": self.cpu, "memory_kb": self.memory,
                "fault": self.fault}


def measure(argv, place, programs, server):
    """(seconds, CPU seconds, peak KiB, exit status) of one command. It runs
    under the server's account: some fetchers refuse to work as root."""
    report = place / "cost"
    argv = [f"{programs}/tests/lib/measure", str(report), *argv]
    if os.getuid() == 0:
        argv = ["setpriv", f"--reuid={server.uid}", f"--regid={server.gid}",
                "--clear-groups", "--", *argv]
        for folder, _, files in os.walk(place):
            os.chown(folder, server.uid, server.gid)
            for name in files:
                os.chown(os.path.join(folder, name), server.uid, server.gid)
    environment = {"PATH": os.environ["PATH"], "HOME": str(place),
                   "USER": server.user, "LOGNAME": server.user,
                   "POSTRIDER_PLUGIN_DIR":
                   f"{programs}/inst/lib/postrider/plugins"}
    with open(place / "output", "wb") as output:
        subprocess.run(argv, cwd=place, stdout=output, stderr=output,
                       stdin=subprocess.DEVNULL, env=environment)
    seconds, cpu, memory, status = report.read_text().split()
    return float(seconds), float(cpu), int(memory), int(status)


def copy_programs(options, place):
    """Everything that is measured lies where any account can run it."""
    build = pathlib.Path(options.build)
    programs = place / "programs"
    (programs / "tests/lib").mkdir(parents=True)
    if (build / "inst").exists():
        shutil.copytree(build / "inst", programs / "inst")
    for name in ("measure", "delay_proxy"):
        shutil.copy(build / "tests/lib" / name, programs / "tests/lib")
    shutil.copy(HERE / "limits.py", programs)
    return programs


class Bench:
    def __init__(self, options, place, server, port):
        self.options, self.place = options, place
        self.server, self.port = server, port
        self.programs = copy_programs(options, place)
        self.box = Mailbox(server, place, options)
        for user in self.box.counts:
            server.index(user=user)

    def run_once(self, result, setup):
        place = pathlib.Path(tempfile.mkdtemp(prefix="run.", dir=self.place))
        job = contenders.Job(place, self.port, self.server.ca_file,
                             result.user, PASSWORD, self.programs,
                             self.box.files, self.server.user)
        argv = setup(job)
        os.sync()
        seconds, cpu, memory, status = measure(
            argv, place, self.programs, self.server)
        result.seconds.append(seconds)
        result.cpu.append(cpu)
        result.memory.append(memory)
        wrong = ""
        if result.name in contenders.CONTENDERS and \
                delivered(job.mail) != self.box.keys[result.user]:
            wrong = f"{sum(delivered(job.mail).values())} messages came"
        if wrong or status not in (0,):
            output = (place / "output").read_text(errors="replace")[-400:]
            result.fault = f"{wrong} status {status}: {output.strip()}"
        if not self.keeps_runs:
            shutil.rmtree(place)

    def has_room_for(self, runs):
        """Can every run's mail stay until the end? ext4 searches long for an
        inode where many were freed within the last minutes, and so a run would
        pay for the tidying after the one before."""
        needed = runs * self.options.runs * self.box.octets["full"] * 1.3
        return shutil.disk_usage(self.place).free > needed

    def run(self):
        wanted = {} if self.options.no_postrider else {
            name: contenders.CONTENDERS[name]
            for name in ("postrider", "postrider+rules")}
        for name in self.options.peers:
            wanted[name] = contenders.CONTENDERS[name]
        for name, setup in contenders.LIMITS.items():
            if not self.options.latency or name == "raw drain":
                wanted[name] = setup
        results = {name: Result(name, "part" if name in SLOW else "full",
                                self.box) for name in wanted}
        self.keeps_runs = self.has_room_for(len(wanted))
        if not self.keeps_runs:
            print("bench: little room here: what was fetched is deleted after "
                  "each run, which slows the next", file=sys.stderr)
        for turn in range(self.options.runs):
            order = list(wanted.items())
            shift = turn * len(order) // self.options.runs
            for name, setup in order[shift:] + order[:shift]:
                if sys.stderr.isatty():
                    print(f"\r\033[Krun {turn + 1}: {name}", end="",
                          file=sys.stderr, flush=True)
                self.run_once(results[name], setup)
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)
        return results


def table(results, options, box):
    link = f"round trip {options.latency:g} ms" if options.latency \
        else "loopback"
    print(f"{box.counts['full']} messages, {box.octets['full'] / 1e6:.0f} MB,"
          f" TLS, {link}; medians of {options.runs} runs")
    print(f"{'':17}{'messages':>9}{'seconds':>9}{'msg/s':>9}{'MB/s':>8}"
          f"{'CPU s':>8}{'RSS MB':>8}  postrider is")
    own = results.get("postrider")
    for one in results.values():
        ratio = f"{own.rate / one.rate:9.2f} x" if own else ""
        seconds = statistics.median(one.seconds)
        print(f"{one.name:17}{one.count:>9}{seconds:>9.2f}{one.rate:>9.0f}"
              f"{one.octets / 1e6 / seconds:>8.1f}"
              f"{statistics.median(one.cpu):>8.2f}"
              f"{max(one.memory) / 1024:>8.1f}{ratio}")
        if one.fault:
            print(f"   FAULT: {one.fault}")


def goals(results, options):
    """(claim, whether it holds) for each thing to reach that was measured."""
    own = results["postrider"]

    def times(name, factor):
        if name in results:
            yield (f"{factor} times {name}",
                   own.rate >= factor * results[name].rate)

    if options.latency:
        yield from times("mbsync", 1.5)
        return
    yield from times("mbsync", 2)
    yield from times("fetchmail", 20)
    limit = max(statistics.median(results[name].seconds)
                for name in ("raw drain", "disk (syncfs)"))
    yield ("within 1.3 times of the slower limit",
           statistics.median(own.seconds) <= 1.3 * limit)
    yield "no more than 24 MB of memory", max(own.memory) <= 24 * 1024


def judge(results, options):
    """Prints what holds and the summary line; the exit status."""
    claims = [(f"{one.name}: every message arrived", not one.fault)
              for one in results.values()]
    if options.goals and "postrider" in results:
        claims += list(goals(results, options))
        for claim, holds in claims:
            print(f"{'ok  ' if holds else 'FAIL'} {claim}")
    failed = sum(not holds for _, holds in claims)
    print(f"{len(claims) - failed} passed, {failed} failed")
    return 1 if failed else 0


def main():
    options = arguments()
    place = pathlib.Path(tempfile.mkdtemp(prefix="postrider-bench."))
    place.chmod(0o711)
    delay = None
    users = {"full": PASSWORD, "part": PASSWORD}
    try:
        with dovecot.Dovecot(users) as server:
            port = server.imaps
            if options.latency:
                delay = subprocess.Popen(
                    [f"{options.build}/tests/lib/delay_proxy",
                     str(options.latency / 2), str(server.imaps)],
                    stdout=subprocess.PIPE, text=True)
                port = int(delay.stdout.readline())
            bench = Bench(options, place, server, port)
            results = bench.run()
            if options.json:
                print(json.dumps([one.record() for one in results.values()],
                                 indent=1))
                return any(one.fault for one in results.values())
            table(results, options, bench.box)
            return judge(results, options)
    finally:
        if delay:
            delay.terminate()
            delay.wait()
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
