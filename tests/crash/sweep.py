"""Kills the program at every durable step, and at random moments.

Each trial has a mailbox of its own: a run that dies by SIGKILL, a run that
must end well, and a run that must change nothing. After the second no message
may be lost, doubled, damaged or left half-done, here or on the server. In mode
`reset` the mail had been fetched before, and then the server gave the mailbox
a new UIDVALIDITY. Needs a build with --enable-crash-points:
POSTRIDER_CRASH_AT=N kills it at its Nth durable step, POSTRIDER_CRASH_LOG gets
a line for each step.
"""

import argparse
import concurrent.futures
import dataclasses
import pathlib
import random
import signal
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))

import dovecot  # noqa: E402
import maildir  # noqa: E402
import messages  # noqa: E402
import postrider  # noqa: E402

MODES = {"keep": "keep", "seen": "seen", "delete": "delete",
         "move": 'move_to "Archive"', "reset": "keep"}

# Modes whose steps differ from those of the others only at the end.
SAMPLED = ("move", "seen", "reset")

# Any user, known or not, with this one password.
ANYBODY = """\
passdb {
  driver = static
  args = password=secret
}
"""

RULES = """
rule("lists", function(m)
  if m.list_id then m:deliver(mail / "lists") end
end)
rule("boss", function(m)
  if m.from:is "boss@example.org" then m:flag "\\\\Flagged" end
end)
"""


@dataclasses.dataclass
class Trial:
    """One kill: at step number `step`, or `delay` seconds after the start."""
    mode: str
    step: int = 0
    delay: float = 0.0

    def __str__(self):
        where = f"step {self.step}" if self.step else f"{self.delay:.4f} s"
        return f"{self.mode}, killed at {where}"


class Sweep:
    def __init__(self, options, server):
        self.options, self.server = options, server
        self.sent = list(messages.mailbox(options.messages, options.seed))
        self.lock = threading.Lock()
        self.users = 0

    def new_user(self, mode):
        """A user with the same messages as every other."""
        with self.lock:
            self.users += 1
            user = f"user{self.users}"
            home = self.server.root / "home" / user
            home.mkdir(mode=0o700)
            self.server.own(home)
            self.server.users[user] = "secret"
            if mode == "move":
                self.server.create("Archive", user)
            self.server.fill(self.sent, user=user)
        return user

    def home(self, user, mode):
        home = postrider.Home(self.options.prefix)
        home.configure(self.server, user=user, after=MODES[mode], rules=RULES)
        return home

    def prepare(self, home, user, mode):
        """What happened to the mailbox before the run that dies."""
        if mode == "reset":
            home.fetched()
            self.server.change_uidvalidity(user=user)

    def count_steps(self, mode):
        """(durable steps, seconds) of a run that nothing disturbs."""
        user = self.new_user(mode)
        with self.home(user, mode) as home:
            self.prepare(home, user, mode)
            log = home.root / "steps"
            begin = time.monotonic()
            run = home.run("fetch", POSTRIDER_CRASH_LOG=log)
            seconds = time.monotonic() - begin
            if run.code != 0:
                sys.exit(f"sweep: {mode}: the undisturbed run: {run}")
            steps = len(log.read_text().splitlines()) if log.exists() else 0
            fault = self.fault_of(home, user, mode)
            if fault:
                sys.exit(f"sweep: {mode}: the undisturbed run: {fault}")
        return steps, seconds

    def kill(self, home, trial):
        """Runs the program until it is dead; its exit status."""
        if trial.step:
            run = home.run("fetch", POSTRIDER_CRASH_AT=trial.step)
            return run.code
        process = home.start("fetch")
        time.sleep(trial.delay)
        process.send_signal(signal.SIGKILL)
        return home.finish(process).code

    def fault_of(self, home, user, mode):
        """What is wrong here or on the server after a run that ended well."""
        lost, doubled, alien = maildir.compare(home.mail, self.sent)
        left = len(maildir.leftovers(home.mail))
        if lost or doubled or alien or left:
            return (f"{lost} lost, {doubled} doubled, {alien} damaged, "
                    f"{left} left in tmp")
        wrong = [entry.path for entry in maildir.entries(home.mail / "lists")
                 if b"List-Id" not in entry.data]
        if wrong:
            return f"{len(wrong)} in the wrong folder"
        here = maildir.digests(self.server.bodies(user=user).values())
        sent = maildir.digests(one.delivered for one in self.sent)
        if mode in ("keep", "seen", "reset") and here != sent:
            return f"the server has {sum(here.values())} messages"
        if mode in ("delete", "move") and here:
            return f"the server still has {sum(here.values())} messages"
        if mode == "move" and maildir.digests(self.server.bodies(
                "Archive", user).values()) != sent:
            return "the server's Archive is not what was there"
        if mode == "seen" and any(
                "\\Seen" not in flags
                for flags in self.server.flags(user=user).values()):
            return "not all are marked as seen on the server"
        return ""

    def files(self, home):
        return sorted((path, path.stat().st_mtime_ns)
                      for path in home.mail.rglob("*") if path.is_file())

    def run(self, trial):
        """An empty string, or what is wrong."""
        user = self.new_user(trial.mode)
        with self.home(user, trial.mode) as home:
            self.prepare(home, user, trial.mode)
            code = self.kill(home, trial)
            if trial.step and code != -signal.SIGKILL:
                return f"it did not die there but ended with {code}"
            lost, doubled, alien = maildir.compare(home.mail, self.sent)
            if doubled or alien:
                return f"after the kill: {doubled} doubled, {alien} damaged"
            again = home.run("fetch")
            if again.code != 0:
                return f"the next run: {again}"
            fault = self.fault_of(home, user, trial.mode)
            if fault:
                return fault
            before = self.files(home)
            third = home.fetch()
            if third.code != 0 or third.messages:
                return f"a further run: {third}"
            if self.files(home) != before:
                return "a further run changed the mail"
            return self.fault_of(home, user, trial.mode)

    def trials(self):
        rand = random.Random(self.options.seed)
        found = []
        for mode in self.options.modes:
            steps, seconds = self.count_steps(mode)
            print(f"{mode}: {steps} durable steps, {seconds:.2f} s",
                  flush=True)
            if steps == 0:
                sys.exit("sweep: no steps; a build without crash points?")
            every = self.options.every if mode in SAMPLED else 1
            found += [Trial(mode, step=step) for step in
                      range(1, steps + 1, every)]
            kills = self.options.kills // len(self.options.modes)
            found += [Trial(mode, delay=rand.uniform(0, seconds * 1.1))
                      for _ in range(kills)]
        return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--prefix", required=True,
                        help="where a build with crash points is installed")
    parser.add_argument("--messages", type=int, default=50)
    parser.add_argument("--kills", type=int, default=100,
                        help="kills at random moments (100)")
    parser.add_argument("--every", type=int, default=1,
                        help="of move, seen and reset only every Nth durable step (1)")
    parser.add_argument("--modes", default="keep,delete,move,seen,reset")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    options.modes = options.modes.split(",")
    passed = failed = 0
    with dovecot.Dovecot(extra=ANYBODY) as server, \
            concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        sweep = Sweep(options, server)
        trials = sweep.trials()
        for trial, fault in zip(trials, pool.map(sweep.run, trials)):
            if fault:
                failed += 1
                print(f"FAIL {trial}: {fault}", flush=True)
            else:
                passed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
