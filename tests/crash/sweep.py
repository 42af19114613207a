"""Kills the program at every durable step, and at random moments.

A case is a source, a sink and what becomes of the mail on the server. Each
trial has a mailbox of its own: a run that dies by SIGKILL, a run that must end
well, and a run that must change nothing. After the second no message may be
lost, damaged or left half-done, here or on the server; and none may be
doubled, but for the one that a sink which nobody can ask (SMTP, LMTP, a
program) had in doubt, and that one was reported. Needs a build with
--enable-crash-points: POSTRIDER_CRASH_AT=N kills it at its Nth durable step,
POSTRIDER_CRASH_LOG gets a line for each step.
"""

import argparse
import collections
import concurrent.futures
import contextlib
import dataclasses
import pathlib
import random
import re
import signal
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))

import messages  # noqa: E402
import postrider  # noqa: E402
import sweep_sinks as sinks  # noqa: E402
import sweep_sources as sources  # noqa: E402

CASES = ["imap:maildir:keep", "imap:maildir:delete", "imap:maildir:move",
         "imap:maildir:seen", "imap:maildir:reset", "pop3:maildir:keep",
         "pop3:maildir:delete"] + [
             f"imap:{sink}:{mode}" for sink in sinks.ALL if sink != "maildir"
             for mode in ("keep", "delete")] + [
                 "mbox_source:mbox:delete", "mbox_source:maildir:seen",
                 "maildir_source:maildir:delete",
                 "maildir_source:mbox:move"]

# The two whose every step is taken, whatever --every says.
WHOLE = CASES[:2]

RULES = """
rule("lists", function(m)
  if m.list_id then m:deliver(lists) end
end)
rule("boss", function(m)
  if m.from:is "boss@example.org" then m:flag "\\\\Flagged" end
end)
"""

IN_DOUBT = re.compile(r"message (\d+) was on its way")


@dataclasses.dataclass
class Trial:
    """One kill: at step number `step`, or `delay` seconds after the start."""
    case: "Case"
    step: int = 0
    delay: float = 0.0

    def __str__(self):
        where = f"step {self.step}" if self.step else f"{self.delay:.4f} s"
        return f"{self.case.name}, killed at {where}"


class Arrivals:
    """What arrived, held against what was sent."""

    def __init__(self, sent, folders):
        wanted = {canonical(one.delivered): one for one in sent}
        self.damaged = self.misplaced = 0
        found = [collections.Counter() for _ in folders]
        for number, folder in enumerate(folders):
            for data in folder:
                one = find(wanted, canonical(data))
                if one is None:
                    self.damaged += 1
                    continue
                found[number][one.message_id.strip("<>")] += 1
                self.misplaced += (number == 1) != bool(one.list_id)
        self.lost = len({one.message_id.strip("<>") for one in sent}
                        - set().union(*found))
        # For each folder, Message-IDs of those that are there again.
        self.doubled = [list((each - collections.Counter(set(each)))
                             .elements()) for each in found]
        self.repeats = sum(map(len, self.doubled))


def canonical(data):
    """Lines end with LF and so does the text: SMTP sends no bare CR."""
    data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data if data.endswith(b"\n") else data + b"\n"


def find(wanted, data):
    """The message this is, below the fields that were put above it."""
    for _ in range(8):
        if data in wanted:
            return wanted[data]
        field = re.match(rb"[!-9;-~]+:[^\n]*\n([ \t][^\n]*\n)*", data)
        if not field:
            return None
        data = data[field.end():]
    return None


class Case:
    """One source, one sink, one way to leave the mail on the server."""

    def __init__(self, name, options, source):
        self.name, self.options, self.source = name, options, source
        _, sink, self.mode = name.split(":")
        self.sink_class = sinks.ALL[sink]
        self.server, self.sent = source.server, source.sent

    def open(self, stack):
        """(home, user, sink) of one trial, which go with the stack."""
        home = stack.enter_context(postrider.Home(self.options.prefix))
        user = self.source.filled(self.mode)
        sink = self.sink_class(self, home, user)
        stack.callback(sink.close)
        home.write(sink.lua() + self.source.account(home, user, self.mode)
                   + RULES)
        self.source.prepare(home, user, self.mode)
        return home, user, sink

    def fault(self, user, sink, in_doubt=None):
        """What is wrong here or on the server after a run that ended well.
        `in_doubt` has the messages that the log spoke of."""
        came = Arrivals(self.sent, sink.folders())
        allowed = sink.doubles if in_doubt is not None else 0
        left = sink.leftovers()
        if came.lost or came.damaged or left or \
                max(map(len, came.doubled)) > allowed:
            return (f"{came.lost} lost, {came.repeats} doubled, "
                    f"{came.damaged} damaged, {left} left over")
        if set().union(*came.doubled) - (in_doubt or set()):
            return "one is doubled and was not reported"
        if came.misplaced:
            return f"{came.misplaced} in the wrong folder"
        return self.source.fault(user, self.mode)

    def steps(self):
        """(names of the durable steps, seconds) of an undisturbed run."""
        with contextlib.ExitStack() as stack:
            home, user, sink = self.open(stack)
            log = home.root / "steps"
            begin = time.monotonic()
            run = home.run("fetch", POSTRIDER_CRASH_LOG=log)
            seconds = time.monotonic() - begin
            if run.code != 0:
                sys.exit(f"sweep: {self.name}: the undisturbed run: {run}")
            fault = self.fault(user, sink)
            if fault:
                sys.exit(f"sweep: {self.name}: the undisturbed run: {fault}")
            names = log.read_text().splitlines() if log.exists() else []
        if not names:
            sys.exit("sweep: no steps; a build without crash points?")
        return names, seconds

    def chosen(self, names):
        """The steps to die at: every Nth, the first and the last of all, and
        the first and the last of each name."""
        if self.name in WHOLE:
            return range(1, len(names) + 1)
        # Where one step is for many messages, there are few steps.
        every = min(self.options.every, max(1, len(names) // 20))
        wanted = set(range(1, len(names) + 1, every))
        wanted |= {names.index(name) + 1 for name in names}
        wanted |= {len(names) - names[::-1].index(name) for name in names}
        return sorted(wanted)

    def trials(self, rand):
        names, seconds = self.steps()
        found = [Trial(self, step=step) for step in self.chosen(names)]
        print(f"{self.name}: {len(names)} durable steps, {seconds:.2f} s; "
              f"dies at {len(found)} of them", flush=True)
        kills = self.options.kills // len(self.options.cases)
        return found + [Trial(self, delay=rand.uniform(0, seconds * 1.1))
                        for _ in range(kills)]

    @staticmethod
    def kill(home, trial):
        """Runs the program until it is dead; its exit status."""
        if trial.step:
            return home.run("fetch", POSTRIDER_CRASH_AT=trial.step).code
        process = home.start("fetch")
        time.sleep(trial.delay)
        process.send_signal(signal.SIGKILL)
        return home.finish(process).code

    def run(self, trial):
        """An empty string, or what is wrong."""
        with contextlib.ExitStack() as stack:
            home, user, sink = self.open(stack)
            code = self.kill(home, trial)
            sink.wait()
            if trial.step and code != -signal.SIGKILL:
                return f"it did not die there but ended with {code}"
            if not sink.is_mended:
                came = Arrivals(self.sent, sink.folders())
                if came.repeats or came.damaged:
                    return (f"after the kill: {came.repeats} doubled, "
                            f"{came.damaged} damaged")
            again = home.fetch()
            if again.code != 0:
                return f"the next run: {again}"
            reported = set(IN_DOUBT.findall(again.err))
            in_doubt = {one["message_id"] for one in again.messages
                        if str(one["uid"]) in reported}
            fault = self.fault(user, sink, in_doubt)
            if fault:
                return fault
            before = sink.snapshot()
            third = home.fetch()
            if third.code != 0 or third.messages:
                return f"a further run: {third}"
            if sink.snapshot() != before:
                return "a further run changed the mail"
            return self.fault(user, sink, in_doubt)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--prefix", required=True, type=pathlib.Path,
                        help="where a build with crash points is installed")
    parser.add_argument("--messages", type=int, default=50)
    parser.add_argument("--kills", type=int, default=100,
                        help="kills at random moments (100)")
    parser.add_argument("--every", type=int, default=1, metavar="N",
                        help="die at every Nth durable step only, and at the "
                        f"first and last of each name; not of {WHOLE} (1)")
    parser.add_argument("--cases", default=",".join(CASES),
                        metavar="SOURCE:SINK:MODE,...")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=3)
    options = parser.parse_args()
    options.cases = options.cases.split(",")
    return options


def main():
    options = arguments()
    rand = random.Random(options.seed)
    sent = list(messages.mailbox(options.messages, options.seed))
    passed = failed = 0
    with sources.start() as server, \
            concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        kinds = {name: kind(server, sent)
                 for name, kind in sources.ALL.items()}
        for name in options.cases:
            case = Case(name, options, kinds[name.split(":")[0]])
            trials = case.trials(rand)
            for trial, fault in zip(trials, pool.map(case.run, trials)):
                if fault:
                    failed += 1
                    print(f"FAIL {trial}: {fault}", flush=True)
                else:
                    passed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
