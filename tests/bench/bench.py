"""Measures fetchers on the same generated mailbox, server and machine.

Three contests: from IMAP and from POP3 into a fresh Maildir, and from IMAP into
a server that speaks LMTP. Contenders fetch in turn and from another one on each
time, as often as --runs says; the table has the medians. Slow ones fetch only
the first --slow-messages of the mailbox: their rates are messages of their own
count per second. Client CPU and peak memory are those of the process and all
its children. What arrived is counted and compared after each run.
With --accounts it is another contest: so many accounts with ten messages each,
all fetched in one run. With --filter it is one of filters: local mail through 20
rules into Maildirs.
On ext4 let five minutes pass after anything that deleted thousands of files,
another run of this included: until then each new file costs several times more.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "lib")]

import accounts  # noqa: E402
import contenders  # noqa: E402
import dovecot  # noqa: E402
import filters  # noqa: E402
import measured_mail  # noqa: E402
import turns  # noqa: E402

SLOW = {"fdm", "fetchmail", "getmail6"}
PASSWORD = "wonderland"
NEAR = "postrider, no delay"
PROTOCOLS = ("imap", "pop3", "lmtp")
# Only these are quick enough over a link with delay.
PIPELINED = {"mbsync", "mpop"}

# Recipients of LMTP are made as they are needed. Their mail lies in sdbox: into
# a Maildir each delivery costs the server more than the one before, which would
# favour whoever delivers little.
LMTP = """\
passdb {
  driver = static
  args = nopassword=y
}
protocol lmtp {
  mail_location = sdbox:%h/dbox
}
"""
MEMORY = "/dev/shm"


def arguments():
    parser = argparse.ArgumentParser(
        prog="tests/bench/run", description=__doc__)
    add = parser.add_argument
    add("--protocol", default="all", choices=["all", *PROTOCOLS],
        help="which contest (all, one after the other)")
    add("--accounts", type=int, default=0, metavar="N",
        help="fetch from so many IMAP accounts in one run")
    add("--spread", type=int, default=0, metavar="N",
        help="with --accounts: also start those that serve one account after "
        "the other as N processes")
    add("--filter", action="store_true",
        help="file local mail by 20 rules, beside other filters")
    add("--messages", type=int, default=0,
        help="size of the mailbox (10000; IMAP with --latency 1000; "
        "with --accounts 10 for each)")
    add("--slow-messages", type=int, default=1000, metavar="N",
        help="how many of them fdm, fetchmail and getmail6 fetch (1000; 0: "
        "all)")
    add("--runs", type=int, default=3, help="runs of each (3)")
    add("--peers", default=None, metavar="NAME,...",
        help="others to measure: mbsync, mpop, fdm, fetchmail, getmail6 (all; "
        "with --latency mbsync and mpop), with --filter sieve-filter, fdm, "
        "procmail, maildrop; none for none")
    add("--latency", type=float, default=0, metavar="MS",
        help="round trip of the link in milliseconds (0: loopback)")
    add("--seed", type=int, default=1)
    add("--json", action="store_true", help="results as JSON")
    add("--goals", action="store_true",
        help="fail unless postrider is as fast as it is to be")
    add("--no-postrider", action="store_true", help=argparse.SUPPRESS)
    add("--build", required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.latency and options.protocol == "lmtp":
        parser.error("--latency is about imap and pop3")
    known = {name for table in contenders.CONTENDERS.values()
             for name in table} | set(filters.CONTENDERS)
    if options.peers is None:
        options.peers = PIPELINED if options.latency else known
    else:
        options.peers = set(options.peers.split(",")) - {"", "none"}
    if options.peers - known:
        parser.error("unknown peer " + ", ".join(options.peers - known))
    return options


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
    for name in ("measure", "delay_proxy", "each"):
        shutil.copy(build / "tests/lib" / name, programs / "tests/lib")
    shutil.copy(HERE / "limits.py", programs)
    return programs


class Contest:
    """One protocol: a server, a mailbox in it, and who fetches from it."""

    def __init__(self, protocol, options, place):
        self.protocol, self.options = protocol, options
        self.source = "pop3" if protocol == "pop3" else "imap"
        self.place = place
        self.count = options.messages or (
            1000 if options.latency and protocol == "imap" else 10_000)
        self.proxies = []
        self.turn = 0

    def __enter__(self):
        self.place.mkdir()
        self.server = dovecot.Dovecot(
            {"full": PASSWORD, "part": PASSWORD}, pop3=True, lmtp=True,
            extra=LMTP, folder=self.server_folder()).start()
        self.near = self.port = getattr(self.server, self.source + "s")
        if self.options.latency:
            # Both go by a proxy: what it costs the processor is no delay.
            self.near = self.go_by_proxy(0)
            self.port = self.go_by_proxy(self.options.latency / 2)
        self.programs = copy_programs(self.options, self.place)
        self.box = measured_mail.Mailbox(self.server, self.place,
                                         self.options, self.count)
        for user in self.box.counts:
            self.server.index(user=user)
        return self

    def go_by_proxy(self, delay):
        proxy = subprocess.Popen(
            [f"{self.options.build}/tests/lib/delay_proxy", str(delay),
             str(getattr(self.server, self.source + "s"))],
            stdout=subprocess.PIPE, text=True)
        self.proxies.append(proxy)
        return int(proxy.stdout.readline())

    def server_folder(self):
        """Where the server's mail is to lie. One that takes mail is to be
        quicker than who brings it: in memory, if there is room."""
        if self.protocol != "lmtp" or not os.path.isdir(MEMORY) or \
                shutil.disk_usage(MEMORY).free < 200_000 * self.count:
            return None
        return MEMORY

    def __exit__(self, *_):
        for proxy in self.proxies:
            proxy.terminate()
            proxy.wait()
        self.server.close()
        shutil.rmtree(self.place, ignore_errors=True)

    def job(self, result):
        place = pathlib.Path(tempfile.mkdtemp(prefix="run.", dir=self.place))
        port = self.near if result.name == NEAR else self.port
        self.turn += 1
        return contenders.Job(
            self.source, port, self.server.ca_file, result.user, PASSWORD,
            place, self.programs, self.box.files, self.server.user,
            lmtp=self.server.lmtp if self.protocol == "lmtp" else 0,
            target=f"target{self.turn}")

    def run_once(self, result, setup):
        job = self.job(result)
        place = job.place
        if self.protocol == "lmtp":
            home = self.server.root / "home" / job.target
            home.mkdir(mode=0o700)
            self.server.own(home)
        argv = setup(job)
        os.sync()
        seconds, cpu, memory, status = measure(
            argv, place, self.programs, self.server)
        result.seconds.append(seconds)
        result.cpu.append(cpu)
        result.memory.append(memory)
        self.judge(result, job, status)
        if not self.keeps_runs:
            shutil.rmtree(place)

    def judge(self, result, job, status):
        """Notes what went wrong, if it did."""
        wrong = ""
        if result.name == "raw drain" or result.name.startswith("disk"):
            came = self.box.keys[result.user]
        elif self.protocol == "lmtp":
            home = self.server.root / "home" / job.target
            came = measured_mail.taken(home)
            shutil.rmtree(home)
        else:
            came = measured_mail.delivered(job.mail)
        if came != self.box.keys[result.user]:
            wrong = f"{sum(came.values())} messages came"
        if wrong or status != 0:
            output = (job.place / "output").read_text(errors="replace")
            result.fault = f"{wrong} status {status}: {output[-400:].strip()}"

    def has_room_for(self, runs):
        """Can every run's mail stay until the end? ext4 searches long for an
        inode where many were freed within the last minutes, and so a run would
        pay for the tidying after the one before."""
        needed = runs * self.options.runs * self.box.octets["full"] * 1.3
        return shutil.disk_usage(self.place).free > needed

    def wanted(self):
        """Names and set-ups of all that take part."""
        found = {}
        for name, setup in contenders.CONTENDERS[self.protocol].items():
            own = name.startswith("postrider")
            if not self.options.no_postrider if own \
                    else name in self.options.peers:
                found[name] = setup
        if self.options.latency and self.source == "pop3" and \
                "postrider" in found:
            found[NEAR] = found["postrider"]
        for name, setup in contenders.LIMITS[self.protocol].items():
            if not self.options.latency or name == "raw drain":
                found[name] = setup
        return found

    def run(self):
        wanted = self.wanted()
        results = {name: Result(name, "part" if name in SLOW else "full",
                                self.box) for name in wanted}
        self.keeps_runs = self.has_room_for(len(wanted))
        if not self.keeps_runs:
            print("bench: little room here: what was fetched is deleted after "
                  "each run, which slows the next", file=sys.stderr)
        turns.take_turns(self.options.runs, wanted,
                         lambda name, setup: self.run_once(results[name],
                                                           setup))
        return results


def table(results, contest):
    options, box = contest.options, contest.box
    way = {"imap": "IMAP", "pop3": "POP3", "lmtp": "IMAP to LMTP"}
    link = f"round trip {options.latency:g} ms" if options.latency \
        else "loopback"
    print(f"{way[contest.protocol]}: {box.counts['full']} messages, "
          f"{box.octets['full'] / 1e6:.0f} MB, TLS, {link}; "
          f"medians of {options.runs} runs")
    print(f"{'':20}{'messages':>9}{'seconds':>9}{'msg/s':>9}{'MB/s':>8}"
          f"{'CPU s':>8}{'RSS MB':>8}  postrider is")
    own = results.get("postrider")
    for one in results.values():
        ratio = f"{own.rate / one.rate:9.2f} x" if own else ""
        seconds = statistics.median(one.seconds)
        print(f"{one.name:20}{one.count:>9}{seconds:>9.2f}{one.rate:>9.0f}"
              f"{one.octets / 1e6 / seconds:>8.1f}"
              f"{statistics.median(one.cpu):>8.2f}"
              f"{max(one.memory) / 1024:>8.1f}{ratio}")
        if one.fault:
            print(f"   FAULT: {one.fault}")


# How many times as fast as these it is to be.
TIMES = {"imap": {"mbsync": 2, "fetchmail": 20},
         "imap over a link": {"mbsync": 1.5},
         "pop3": {"mpop": 1.8, "fdm": 8},
         "pop3 over a link": {NEAR: 0.8},
         "lmtp": {"fetchmail": 20}}


def goals(results, contest):
    """(claim, whether it holds) for each thing to reach that was measured."""
    own = results["postrider"]
    which = contest.protocol + (" over a link" if contest.options.latency
                                else "")
    for name, factor in TIMES[which].items():
        if name in results:
            yield (f"{factor} times {name}",
                   own.rate >= factor * results[name].rate)
    if which == "lmtp":
        yield ("0.9 times what the server can take",
               own.rate >= 0.9 * results["raw flood"].rate)
    if which == "imap":
        limit = max(statistics.median(results[name].seconds)
                    for name in ("raw drain", "disk (fsync)"))
        yield ("within 1.3 times of the slower limit",
               statistics.median(own.seconds) <= 1.3 * limit)
    if not contest.options.latency:
        yield "no more than 24 MB of memory", max(own.memory) <= 24 * 1024


def judge(results, contest):
    """Prints which goals are reached; (held, failed) of all claims."""
    claims = [(f"{one.name}: every message arrived", not one.fault)
              for one in results.values()]
    if contest.options.goals and "postrider" in results:
        claims += list(goals(results, contest))
        for claim, holds in claims:
            print(f"{'ok  ' if holds else 'FAIL'} {contest.protocol}: {claim}")
    failed = sum(not holds for _, holds in claims)
    return len(claims) - failed, failed


def main():
    options = arguments()
    place = pathlib.Path(tempfile.mkdtemp(prefix="postrider-bench."))
    place.chmod(0o711)
    passed = failed = 0
    records = {}
    names = PROTOCOLS if options.protocol == "all" else [options.protocol]
    if options.latency:
        names = [name for name in names if name != "lmtp"]
    try:
        if options.accounts:
            names = []
            passed, failed = accounts.run(options, place / "accounts", measure,
                                          copy_programs)
        if options.filter:
            names = []
            passed, failed = filters.run(options, place / "filters", measure,
                                         copy_programs)
        for name in names:
            with Contest(name, options, place / name) as contest:
                results = contest.run()
                held, broken = judge_or_record(results, contest, records)
            passed, failed = passed + held, failed + broken
    finally:
        shutil.rmtree(place, ignore_errors=True)
    if options.json and names:
        print(json.dumps(records, indent=1))
    else:
        print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def judge_or_record(results, contest, records):
    if contest.options.json:
        records[contest.protocol] = [one.record() for one in results.values()]
        return 0, sum(bool(one.fault) for one in results.values())
    table(results, contest)
    held = judge(results, contest)
    print(flush=True)
    return held


if __name__ == "__main__":
    sys.exit(main())
