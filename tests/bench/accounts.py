"""Many accounts with a few new messages each, fetched in one run.

Each fetcher has one configuration with all of the accounts and is started once,
in the way its users have several accounts served at a time: fdm by processes of
its own, the others one account after the other. With --spread those are also
started as so many processes side by side, each with a share of the accounts.
"""

import collections

import dovecot
import measured_mail
import messages
import turns

PASSWORD = "wonderland"
# The server is to have room for all of them at once.
ROOM = """\
default_process_limit = 2000
default_client_limit = 20000
service imap {{
  process_limit = {limit}
}}
service imap-login {{
  process_min_avail = 2
  process_limit = {logins}
}}
"""


class Many:
    """What a contender is given."""

    def __init__(self, server, users, place, programs, spread):
        self.port, self.ca, self.me = server.imaps, server.ca_file, server.user
        self.users, self.place, self.programs = users, place, programs
        self.spread = spread
        self.mail = place / "mail"

    def write(self, name, text):
        path = self.place / name
        path.write_text(text)
        path.chmod(0o600)
        return str(path)

    def shares(self):
        return [self.users[n::self.spread] for n in range(self.spread)]

    def side_by_side(self, commands):
        """One command that runs these shell lines at once."""
        text = "".join(f"{line} &\npids=\"$pids $!\"\n" for line in commands)
        return ["sh", self.write("all.sh", f"pids=\n{text}worst=0\n"
                                 "for pid in $pids; do\n"
                                 "wait $pid || worst=$?\ndone\nexit $worst\n")]


def postrider(job):
    secret = job.write("password", PASSWORD + "\n")
    accounts = "".join(f"""
account "{user}" {{
  source = imap {{ host = "localhost", port = {job.port}, user = "{user}",
    password = file "{secret}", ca_file = "{job.ca}" }},
  after = keep,
  deliver = mail / "{user}",
}}""" for user in job.users)
    config = job.write("config.lua", f"""
local mail = maildir "{job.mail}"
options {{ state = "{job.place}/state" }}
{accounts}
""")
    return [f"{job.programs}/inst/bin/postrider", "-c", config, "fetch"]


def mbsync_text(job, users):
    return "".join(f"""
IMAPStore far-{user}
Host localhost
Port {job.port}
User {user}
Pass "{PASSWORD}"
SSLType IMAPS
CertificateFile {job.ca}

MaildirStore near-{user}
Path {job.mail}/{user}/
Inbox {job.mail}/{user}/inbox
SubFolders Verbatim

Channel {user}
Far :far-{user}:
Near :near-{user}:
Patterns INBOX
Create Near
Sync Pull
SyncState *
""" for user in users)


def mbsync(job):
    for user in job.users:
        (job.mail / user).mkdir(parents=True)
    return ["mbsync", "-q", "-a", "-c",
            job.write("mbsyncrc", mbsync_text(job, job.users))]


def mbsync_spread(job):
    mbsync(job)
    files = [job.write(f"mbsyncrc{n}", mbsync_text(job, users))
             for n, users in enumerate(job.shares())]
    return job.side_by_side([f"mbsync -q -a -c {name}" for name in files])


def fdm(job):
    accounts = "".join(f"""
account "{user}" imaps server "localhost" port {job.port}
    user "{user}" pass "{PASSWORD}" keep
match account "{user}" action "keep-{user}"
""" for user in job.users)
    actions = "".join(f'action "keep-{user}" maildir "{job.mail}/{user}"\n'
                      for user in job.users)
    job.mail.mkdir()
    config = job.write("fdm.conf", f"""
set default-user "{job.me}"
set command-user "{job.me}"
set lock-types fcntl
set lock-file "{job.place}/lock"
set maximum-size 1G
set no-received
set verify-certificates
{actions}{accounts}""")
    return ["env", f"SSL_CERT_FILE={job.ca}", "fdm", "-q", "-f", config,
            "fetch"]


def fetchmail_file(job, name, users):
    """Each poll names its user's server in another way: several polls of one
    name would be taken for one."""
    lines = [f"""poll "{user}" via localhost protocol imap service {job.port}
  user "{user}" password "{PASSWORD}" is "{job.me}" here
  ssl sslcertck sslcertfile "{job.ca}" sslcommonname localhost keep fetchall
  mda "/usr/bin/procmail -m {job.place}/rc-{user}"
""" for user in users]
    for user in users:
        job.write(f"rc-{user}", f"DEFAULT={job.mail}/{user}/\n"
                  f"LOGFILE=/dev/null\nMAILDIR={job.place}\n")
    return job.write(name, "set no bouncemail\n" + "".join(lines))


def fetchmail(job):
    job.mail.mkdir()
    return ["env", f"FETCHMAILHOME={job.place}", "fetchmail", "-s",
            "--nosyslog", "-f", fetchmail_file(job, "fetchmailrc", job.users)]


def fetchmail_spread(job):
    job.mail.mkdir()
    lines = []
    for n, users in enumerate(job.shares()):
        home = job.place / f"home{n}"
        home.mkdir()
        name = fetchmail_file(job, f"home{n}/fetchmailrc", users)
        lines.append(f"FETCHMAILHOME={home} fetchmail -s --nosyslog -f {name}")
    return job.side_by_side(lines)


CONTENDERS = {"postrider": postrider, "fdm": fdm, "fetchmail": fetchmail,
              "mbsync": mbsync}
SPREAD = {"fetchmail": fetchmail_spread, "mbsync": mbsync_spread}
# How many times as fast as the best of the others it is to be.
TIMES = 5


class Contest(turns.Contest):
    subject, times = "accounts", TIMES

    def __init__(self, options, *arguments):
        super().__init__(options, *arguments)
        self.users = [f"user{n:04d}" for n in range(options.accounts)]
        limit = 2 * len(self.users) + 50
        self.server = self.account = dovecot.Dovecot(
            dict.fromkeys(self.users, PASSWORD),
            extra=ROOM.format(limit=limit, logins=limit)).start()
        self.keys = collections.Counter()
        self.fill(options.messages or 10)

    def fill(self, count):
        mail = list(messages.sized(count * len(self.users),
                                   self.options.seed))
        for n, user in enumerate(self.users):
            own = mail[n * count:(n + 1) * count]
            self.server.fill(own, user=user)
            self.keys.update(measured_mail.key(one.data) for one in own)
            self.server.index(user=user)

    def wanted(self):
        found = self.chosen(CONTENDERS)
        if self.options.spread:
            found.update((f"{name} x{self.options.spread}", setup)
                         for name, setup in SPREAD.items() if name in found)
        return found

    def job(self, place):
        return Many(self.server, self.users, place, self.programs,
                    self.options.spread or 1)

    def fault(self, job, status):
        came = measured_mail.delivered(job.mail)
        if came == self.keys and status == 0:
            return ""
        return f"{sum(came.values())} messages came, status {status}: " + \
            self.output(job)

    def title(self):
        return (f"IMAP: {len(self.users)} accounts, "
                f"{sum(self.keys.values())} messages, TLS, loopback")


def run(*arguments):
    contest = Contest(*arguments)
    try:
        return contest.run()
    finally:
        contest.server.close()
