"""A throwaway pop3d of GNU Mailutils on loopback: POP3, and not Dovecot.

It serves mbox files, which it locks and rewrites; its UIDLs are made in the
first session and kept in a field X-UIDL that it adds. It offers STLS, UIDL,
TOP, USER and PIPELINING, greets with a time stamp, and knows no SASL.
"""

import re
import subprocess
import time

import server
from server import answers, free_ports

CONFIG = """\
mode daemon;
foreground yes;
pidfile {root}/pid;
max-children 50;
logging {{ syslog no; }};
auth {{
  authentication clear; authentication generic;
  authorization clear; authorization system;
}};
mailbox {{ mail-spool {root}/mail; }};
apop-database-file {root}/apop;
server 127.0.0.1:{pop3} {{
  tls-mode {stls};
  tls {{
    ssl-certificate-file {tls}.pem;
    ssl-key-file {tls}.key;
  }};
}};
server 127.0.0.1:{pop3s} {{
  tls-mode connection;
  tls {{
    ssl-certificate-file {tls}.pem;
    ssl-key-file {tls}.key;
  }};
}};
"""


class OtherPop(server.Server):
    """One server, on ports `pop3` and `pop3s`.

    certificate  good, wrong-name, expired or alien
    stls         offers STLS on port `pop3`
    """
    name = "pop3d"

    def __init__(self, users=None, certificate="good", stls=True, folder=None):
        debs = server.unpacked("mailutils-pop3d")
        super().__init__("pr-mu.", users, folder)
        self.debs = self.reachable(debs)
        self.certificate, self.stls = certificate, stls
        (self.root / "mail").mkdir(mode=0o700)
        self.names = self.pretend(
            {user: hashed(word) for user, word in self.users.items()},
            ["mail", "users"])
        self.own_all()

    def _configure(self):
        self.pop3, self.pop3s = free_ports(2)
        self.write("conf", CONFIG.format(
            root=self.root, pop3=self.pop3, pop3s=self.pop3s,
            stls="ondemand" if self.stls else "no",
            tls=self.root / "tls" / self.certificate))

    def _program_environment(self):
        return {**self.names, "LD_LIBRARY_PATH":
                server.library_path(self.debs)}

    def _argv(self):
        return [self.debs / "usr" / "sbin" / "pop3d", "--foreground",
                "--config-file", self.root / "conf"]

    def _answers(self):
        return answers(self.pop3)

    # The mail in it

    def box(self, user="alice"):
        """The mbox file of a user."""
        return self.root / "mail" / user

    def fill(self, messages, user="alice"):
        """Appends messages (of tests/lib/messages.py) while no session is
        open."""
        with open(self.box(user), "ab") as box:
            for one in messages:
                when = time.asctime(time.gmtime(one.date))
                box.write(f"From sender@example.org {when}\n".encode()
                          + as_served(one.delivered) + b"\n")
        self.own(self.box(user))

    def count(self, user="alice"):
        return len(re.findall(rb"^From ", self.box(user).read_bytes(), re.M))


def hashed(word):
    return subprocess.run(["openssl", "passwd", "-6", "-stdin"], text=True,
                          input=word, check=True,
                          stdout=subprocess.PIPE).stdout.strip()


def as_served(data):
    """A message with LF line ends as it comes out of an mbox file."""
    data = re.sub(rb"^From ", b">From ", data, flags=re.M)
    return data if data.endswith(b"\n") else data + b"\n"


def unmarked(data):
    """The same without the fields that this server adds. What was sent comes
    out so if unmarked(what came) == as_served(what was sent)."""
    head, gap, body = data.partition(b"\n\n")
    head = re.sub(rb"^(X-UIDL|X-UID|X-IMAPbase|Status): [^\n]*\n", b"",
                  head + b"\n", flags=re.M)
    return head + gap[1:] + body
