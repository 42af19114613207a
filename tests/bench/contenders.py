"""How each fetcher is set up for one fresh fetch.

A contender writes its configuration into a fresh folder and says which command
to run. From IMAP and POP3 the mail goes into a Maildir, and in the contest of
LMTP from IMAP into a server. All verify the certificate of the server they
fetch from, keep the mail on it, and are as durable as their defaults make them.
"""

import dataclasses
import pathlib

PYTHON = "/usr/bin/python3"


@dataclasses.dataclass
class Job:
    """What to fetch, from where, and where the mail is to go."""
    protocol: str       # imap or pop3
    port: int
    ca: str
    user: str
    password: str
    place: pathlib.Path     # a fresh folder
    programs: pathlib.Path  # what was built
    files: pathlib.Path     # the mail as plain files
    me: str                 # the account that all of it runs under
    lmtp: int = 0           # port to deliver to by LMTP; 0: into a Maildir
    target: str = ""        # the recipient there

    @property
    def mail(self):
        return self.place / "mail"

    def write(self, name, text):
        path = self.place / name
        path.write_text(text)
        path.chmod(0o600)
        return str(path)


RULES = """
rule("lists", function(m)
  if m.list_id then m:flag "\\\\Flagged" end
end)
rule("words", function(m)
  if m.subject:find("never to be found", 1, true) then m:discard "test" end
  if m.from:is "boss@example.org" then m:flag "\\\\Flagged" end
end)
"""


def postrider(job, rules=""):
    secret = job.write("password", job.password + "\n")
    deliver = f"""lmtp {{ host = "localhost", port = {job.lmtp},
                         to = "{job.target}" }}""" if job.lmtp \
        else 'mail / "inbox"'
    config = job.write("config.lua", f"""
local mail = maildir "{job.mail}"
account "bench" {{
  source = {job.protocol} {{
    host = "localhost", port = {job.port}, user = "{job.user}",
    password = file "{secret}", ca_file = "{job.ca}" }},
  after = keep,
  deliver = {deliver},
}}
options {{ state = "{job.place}/state" }}
{rules}""")
    return [f"{job.programs}/inst/bin/postrider", "-c", config, "fetch"]


def postrider_rules(job):
    return postrider(job, RULES)


def mbsync(job):
    job.mail.mkdir()
    config = job.write("mbsyncrc", f"""
IMAPStore far
Host localhost
Port {job.port}
User {job.user}
Pass "{job.password}"
SSLType IMAPS
CertificateFile {job.ca}

MaildirStore near
Path {job.mail}/
Inbox {job.mail}/inbox
SubFolders Verbatim

Channel bench
Far :far:
Near :near:
Patterns INBOX
Create Near
Sync Pull
SyncState *
""")
    return ["mbsync", "-q", "-c", config, "bench"]


def mpop(job):
    for name in ("cur", "new", "tmp"):
        (job.mail / name).mkdir(parents=True)
    config = job.write("mpoprc", f"""
account default
host localhost
port {job.port}
user {job.user}
password {job.password}
tls on
tls_starttls off
tls_trust_file {job.ca}
keep on
received_header off
uidls_file {job.place}/uidls
delivery maildir {job.mail}
""")
    return ["mpop", "-q", "-C", config]


def fdm(job):
    config = job.write("fdm.conf", f"""
set default-user "{job.me}"
set command-user "{job.me}"
set lock-types fcntl
set lock-file "{job.place}/lock"
set maximum-size 1G
set no-received
set verify-certificates
action "keep" maildir "{job.mail}"
account "bench" {job.protocol}s server "localhost" port {job.port}
    user "{job.user}" pass "{job.password}" keep
match all action "keep"
""")
    return ["env", f"SSL_CERT_FILE={job.ca}", "fdm", "-q", "-f", config,
            "fetch"]


def fetchmail(job):
    rules = job.write("procmailrc", f"DEFAULT={job.mail}/\nLOGFILE=/dev/null\n"
                      f"MAILDIR={job.place}\n")
    deliver = f'lmtp smtphost "localhost/{job.lmtp}" ' \
        f'smtpname "{job.target}"' if job.lmtp \
        else f'mda "/usr/bin/procmail -m {rules}"'
    config = job.write("fetchmailrc", f"""
set no bouncemail
poll localhost protocol {job.protocol} service {job.port}
  user "{job.user}" password "{job.password}" is "{job.me}" here
  ssl sslcertck sslcertfile "{job.ca}" keep fetchall
  {deliver}
""")
    return ["env", f"FETCHMAILHOME={job.place}", "fetchmail", "-s",
            "--nosyslog", "-f", config]


def getmail6(job):
    for name in ("cur", "new", "tmp"):
        (job.mail / name).mkdir(parents=True)
    destination = f"""type = MDA_lmtp
host = localhost
port = {job.lmtp}
override = {job.target}""" if job.lmtp else f"""type = Maildir
path = {job.mail}/"""
    job.write("getmailrc", f"""
[retriever]
type = Simple{job.protocol.upper()}SSLRetriever
server = localhost
port = {job.port}
username = {job.user}
password = {job.password}
ca_certs = {job.ca}

[destination]
{destination}

[options]
read_all = true
delete = false
verbose = 0
received = false
delivered_to = false
""")
    return ["getmail", f"--getmaildir={job.place}", "--quiet"]


def limit(job, *args):
    return [PYTHON, "-B", f"{job.programs}/limits.py", *map(str, args)]


def drain(job):
    return limit(job, "drain", job.protocol, job.port, job.ca, job.user,
                 job.password)


def flood(job):
    return limit(job, "flood", job.lmtp, job.target, job.files)


def disk_syncfs(job):
    return limit(job, "disk", "syncfs", job.mail, job.files)


def disk_fsync(job):
    return limit(job, "disk", "fsync", job.mail, job.files)


# What takes part in the contest of each protocol, in the order of the table.
CONTENDERS = {
    "imap": {"postrider": postrider, "postrider+rules": postrider_rules,
             "mbsync": mbsync, "fdm": fdm, "fetchmail": fetchmail,
             "getmail6": getmail6},
    "pop3": {"postrider": postrider, "postrider+rules": postrider_rules,
             "mpop": mpop, "fdm": fdm, "fetchmail": fetchmail,
             "getmail6": getmail6},
    "lmtp": {"postrider": postrider, "fetchmail": fetchmail},
}
LIMITS = {
    "imap": {"raw drain": drain, "disk (syncfs)": disk_syncfs,
             "disk (fsync)": disk_fsync},
    "pop3": {"raw drain": drain, "disk (syncfs)": disk_syncfs},
    "lmtp": {"raw drain": drain, "raw flood": flood},
}
