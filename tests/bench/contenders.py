"""How each fetcher is set up for one fresh fetch of INBOX into a Maildir.

A contender writes its configuration into a fresh folder and says which command
to run and where the mail will be. All verify the server's certificate, keep
the mail on the server, and are as durable as their defaults make them.
"""

import pathlib

PYTHON = "/usr/bin/python3"


class Job:
    """What to fetch, from where, into which fresh folder."""

    def __init__(self, place, port, ca, user, password, programs, files,
                 me):
        self.place, self.port, self.ca = pathlib.Path(place), port, ca
        self.user, self.password = user, password
        self.programs, self.files, self.me = programs, files, me
        self.mail = self.place / "mail"

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
    config = job.write("config.lua", f"""
local mail = maildir "{job.mail}"
account "bench" {{
  source = imap {{ host = "localhost", port = {job.port}, user = "{job.user}",
                  password = file "{secret}", ca_file = "{job.ca}" }},
  folders = {{ "INBOX" }},
  after = keep,
  deliver = mail / "inbox",
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
account "bench" imaps server "localhost" port {job.port}
    user "{job.user}" pass "{job.password}" keep
match all action "keep"
""")
    return ["env", f"SSL_CERT_FILE={job.ca}", "fdm", "-q", "-f", config,
            "fetch"]


def fetchmail(job):
    rules = job.write("procmailrc", f"DEFAULT={job.mail}/\nLOGFILE=/dev/null\n"
                      f"MAILDIR={job.place}\n")
    config = job.write("fetchmailrc", f"""
set no bouncemail
poll localhost protocol imap service {job.port}
  user "{job.user}" password "{job.password}" is "{job.me}" here
  ssl sslcertck sslcertfile "{job.ca}" keep fetchall
  mda "/usr/bin/procmail -m {rules}"
""")
    return ["env", f"FETCHMAILHOME={job.place}", "fetchmail", "-s",
            "--nosyslog", "-f", config]


def getmail6(job):
    for name in ("cur", "new", "tmp"):
        (job.mail / name).mkdir(parents=True)
    job.write("getmailrc", f"""
[retriever]
type = SimpleIMAPSSLRetriever
server = localhost
port = {job.port}
username = {job.user}
password = {job.password}
ca_certs = {job.ca}

[destination]
type = Maildir
path = {job.mail}/

[options]
read_all = true
delete = false
verbose = 0
received = false
delivered_to = false
""")
    return ["getmail", f"--getmaildir={job.place}", "--quiet"]


def drain(job):
    return [PYTHON, "-B", f"{job.programs}/limits.py", "drain",
            str(job.port), job.ca, job.user, job.password]


def disk_syncfs(job):
    return [PYTHON, "-B", f"{job.programs}/limits.py", "disk", "syncfs",
            str(job.mail), str(job.files)]


def disk_fsync(job):
    return [PYTHON, "-B", f"{job.programs}/limits.py", "disk", "fsync",
            str(job.mail), str(job.files)]


CONTENDERS = {
    "postrider": postrider, "postrider+rules": postrider_rules,
    "mbsync": mbsync, "fdm": fdm, "fetchmail": fetchmail,
    "getmail6": getmail6,
}
LIMITS = {"raw drain": drain, "disk (syncfs)": disk_syncfs,
          "disk (fsync)": disk_fsync}
