"""Local mail through a filter of 20 rules into Maildirs, as users run it.

The rules of each filter are in the folder filter/, in its own language. Those
that are made for one message are started once for each; the others once for the
whole Maildir, from which they take the messages away. Every message must arrive,
and in the folder where the first of the filters put it.
"""

import collections
import os
import pathlib
import pwd
import re

import measured_mail
import messages
import turns

HERE = pathlib.Path(__file__).resolve().parent / "filter"
# How many times as fast as the best of the others it is to be.
TIMES = 3
# Sizes near that of the rule for large messages are left out: some count line
# ends as one octet and some as two.
UNCLEAR = range(95_000, 110_000)
TEXTS = {5: b"Your tracking number: 47110815 is valid for a week.\r\n",
         7: b"Note that the next meeting is on Monday.\r\n"}


def mail(count, seed):
    """The octets of each message, with LF line ends. Some say what the rules
    about texts look for. Mail with other mail in it is left out: maildrop takes
    the inner header for one more."""
    made = 0
    for one in messages.mailbox(count * 2, seed):
        if len(one.data) in UNCLEAR or one.kind == "forward":
            continue
        data = one.data
        if one.kind == "personal" and b"charset=us-ascii" in data:
            data += b"".join(line for every, line in TEXTS.items()
                             if made % every == 0)
        data = data.replace(b"\r\n", b"\n")
        # maildrop ends the last line if nobody else did.
        yield data if data.endswith(b"\n") else data + b"\n"
        made += 1
        if made == count:
            return


class Account:
    """Whom all of it runs as: some refuse to work as root."""

    def __init__(self):
        entry = pwd.getpwnam("nobody") if os.getuid() == 0 else \
            pwd.getpwuid(os.getuid())
        self.uid, self.gid, self.user = \
            entry.pw_uid, entry.pw_gid, entry.pw_name


class Job:
    """What a filter is given: a full Maildir, and a place for the rest."""

    def __init__(self, place, programs, me):
        self.place, self.programs, self.me = place, programs, me
        self.source, self.mail = place / "incoming", place / "mail"

    def script(self, name):
        text = (HERE / name).read_text()
        for word in ("place", "source", "mail", "me"):
            text = text.replace(f"@{word.upper()}@", str(getattr(self, word)))
        path = self.place / name
        path.write_text(text)
        path.chmod(0o600)
        return str(path)

    def one_by_one(self, *command):
        return [f"{self.programs}/tests/lib/each", f"{self.source}/new",
                *command]


def make_folders(job, names):
    for name in names:
        for part in ("cur", "new", "tmp"):
            (job.mail / name / part).mkdir(parents=True, exist_ok=True)


def all_folders():
    return re.findall(r"\$MAIL/([a-z-]+)/", (HERE / "mailfilter").read_text())


def postrider(job):
    return [f"{job.programs}/inst/bin/postrider", "-c",
            job.script("rules.lua"), "fetch"]


def sieve_filter(job):
    make_folders(job, ["other"])
    config = job.place / "dovecot.conf"
    config.write_text(f"""
mail_location = maildir:{job.mail}:LAYOUT=fs:INBOX={job.source}
ssl = no
log_path = {job.place}/log
info_log_path = /dev/null
first_valid_uid = 1
""")
    return ["sieve-filter", "-c", str(config), "-e", "-W",
            "-m", "other", job.script("filter.sieve"), "INBOX"]


def fdm(job):
    return ["fdm", "-q", "-f", job.script("fdm.conf"), "fetch"]


def procmail(job):
    make_folders(job, all_folders())
    return job.one_by_one("procmail", "-m", job.script("procmailrc"))


def maildrop(job):
    make_folders(job, all_folders())
    return job.one_by_one("maildrop", job.script("mailfilter"))


CONTENDERS = {"postrider": postrider, "sieve-filter": sieve_filter, "fdm": fdm,
              "procmail": procmail, "maildrop": maildrop}


def filed(place):
    """What lies in which folder there."""
    found = collections.Counter()
    for folder, _, files in os.walk(place):
        if os.path.basename(folder) in ("cur", "new"):
            name = os.path.relpath(os.path.dirname(folder), place)
            for file in files:
                data = pathlib.Path(folder, file).read_bytes()
                found[name, measured_mail.key(data)] += 1
    return found


class Contest(turns.Contest):
    subject, times = "filter", TIMES

    def __init__(self, options, *arguments):
        super().__init__(options, *arguments)
        self.account = Account()
        self.mail = list(mail(options.messages or 10_000, options.seed))
        self.keys = collections.Counter(map(measured_mail.key, self.mail))
        self.count, self.octets = len(self.mail), sum(map(len, self.mail))
        self.filed = None

    def wanted(self):
        return self.chosen(CONTENDERS)

    def job(self, place):
        job = Job(place, self.programs, self.account.user)
        self.fill(job.source)
        return job

    def fill(self, maildir):
        for name in ("cur", "new", "tmp"):
            (maildir / name).mkdir(parents=True)
        for number, data in enumerate(self.mail):
            path = maildir / "new" / f"{1735725600 + number}.M{number}.host"
            path.write_bytes(data)
            path.chmod(0o600)  # as who delivers into a Maildir makes it
            os.utime(path, (1735725600 + number,) * 2)

    def fault(self, job, status):
        came = filed(job.mail)
        arrived = collections.Counter()
        for (_, key), count in came.items():
            arrived[key] += count
        wrong = ""
        if arrived != self.keys:
            wrong = f"{sum(arrived.values())} messages came"
        elif self.filed is None:
            self.filed = came
        elif came != self.filed:
            where = {key: name for name, key in self.filed}
            other = [f"{name}, not {where[key]}"
                     for name, key in came - self.filed]
            wrong = f"{len(other)} messages lie elsewhere: in " + \
                "; in ".join(other[:5])
        if not wrong and status == 0:
            return ""
        return f"{wrong} status {status}: {self.output(job)}"

    def title(self):
        folders = len({name for name, _ in self.filed or ()})
        return (f"filter: {self.count} messages, {self.octets / 1e6:.0f} MB, "
                f"20 rules, {folders} Maildirs")


def run(*arguments):
    return Contest(*arguments).run()
