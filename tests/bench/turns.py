"""Contests in which each contender has one job, done over and over."""

import os
import pathlib
import shutil
import statistics
import sys


def tell(text):
    """Shows on a terminal what is under way; "" takes it away."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def take_turns(runs, wanted, run_once):
    """run_once(name, setup) for each of `wanted`, so many times, and from
    another one on each time."""
    for turn in range(runs):
        order = list(wanted.items())
        shift = turn * len(order) // runs
        for name, setup in order[shift:] + order[:shift]:
            tell(f"run {turn + 1}: {name}")
            run_once(name, setup)
    tell("")


class Contest:
    """Who is how fast. A contest says what is done:

    subject    what its goal is about, in a word
    times      how many times as fast as the best of the others it is to be
    account    whom all of it runs as
    wanted()   {name: function that makes the command line from a job}
    job(place) what a contender is given
    fault(job, status)  what went wrong, or ""
    title()    the table's first line
    count      messages, if their rate is to be told
    """

    count = None

    def __init__(self, options, place, measure, copy_programs):
        self.options, self.place, self.measure = options, place, measure
        place.mkdir()
        place.chmod(0o711)
        self.programs = copy_programs(options, place)

    def chosen(self, contenders):
        return {name: setup for name, setup in contenders.items()
                if name == "postrider" or name in self.options.peers}

    def output(self, job):
        return (job.place / "output").read_text(
            errors="replace")[-400:].strip()

    def run(self):
        """Runs it and prints the table; how many claims hold and how many do
        not."""
        wanted = self.wanted()
        self.results = {name: [] for name in wanted}
        take_turns(self.options.runs, wanted, self.run_once)
        return self.table()

    def run_once(self, name, setup):
        """Notes seconds, CPU seconds, peak KiB, what went wrong."""
        place = pathlib.Path(self.place / f"run.{name}".replace(" ", "."))
        place.mkdir()
        job = self.job(place)
        argv = setup(job)
        os.sync()
        cost = self.measure(argv, place, self.programs, self.account)
        self.results[name].append((*cost[:3], self.fault(job, cost[3])))
        shutil.rmtree(place)

    def table(self):
        medians = {name: statistics.median(run[0] for run in runs)
                   for name, runs in self.results.items()}
        faults = {name: [run[3] for run in runs if run[3]]
                  for name, runs in self.results.items()}
        print(f"{self.title()}; medians of {self.options.runs} runs")
        rate = "    msg/s" if self.count else ""
        print(f"{'':20}{'seconds':>9}{rate}{'CPU s':>8}{'RSS MB':>8}"
              "  postrider is")
        for name, runs in self.results.items():
            if self.count:
                rate = f"{self.count / medians[name]:>9.0f}"
            cpu = statistics.median(run[1] for run in runs)
            memory = max(run[2] for run in runs) / 1024
            ratio = medians[name] / medians["postrider"]
            print(f"{name:20}{medians[name]:>9.2f}{rate}{cpu:>8.2f}"
                  f"{memory:>8.1f}{ratio:9.2f} x")
            if faults[name]:
                print(f"   FAULT: {faults[name][0]}")
        held = sum(not one for one in faults.values())
        return self.judge(medians, faults, held, len(faults) - held)

    def judge(self, medians, faults, held, failed):
        peers = [seconds for name, seconds in medians.items()
                 if name != "postrider" and not faults[name]]
        if not self.options.goals or not peers:
            return held, failed
        holds = min(peers) >= self.times * medians["postrider"]
        print(f"{'ok  ' if holds else 'FAIL'} {self.subject}: {self.times} "
              "times the fastest of the others")
        return held + holds, failed + (not holds)
