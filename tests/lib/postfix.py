"""A throwaway Postfix on loopback: STARTTLS, TLS, mail into Maildirs.

It is Debian's own, unpacked and not installed. Postfix insists on being started
by root and on users and groups of its own; libuid-wrapper and libnss-wrapper
let it believe so. It offers PIPELINING, SIZE, ENHANCEDSTATUSCODES, 8BITMIME,
DSN, SMTPUTF8 and CHUNKING, and takes no log-ins.
"""

import server
from server import answers, free_ports, wait_for

QUEUES = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold",
          "incoming", "maildrop", "pid", "private", "public", "saved", "trace")

MAIN = """\
compatibility_level = 3.6
queue_directory = {root}/spool
data_directory = {root}/data
daemon_directory = {debs}/usr/lib/postfix/sbin
command_directory = {debs}/usr/sbin
shlib_directory = {debs}/usr/lib/postfix
meta_directory = {root}/etc
mail_owner = postfix
setgid_group = postdrop
default_privs = nobody
maillog_file = {root}/log
maillog_file_prefixes = {root}
import_environment = {names}
export_environment = {names}
myhostname = mx.example.org
mydestination =
virtual_mailbox_domains = example.org, localhost
virtual_mailbox_base = {root}/mail
virtual_mailbox_maps = texthash:{root}/boxes
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
virtual_mailbox_limit = 0
message_size_limit = {size}
header_checks = regexp:{root}/checks
alias_maps =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks =
smtpd_relay_restrictions = reject_unauth_destination
smtpd_tls_security_level = {starttls}
smtpd_tls_cert_file = {tls}.pem
smtpd_tls_key_file = {tls}.key
smtpd_client_connection_count_limit = 0
smtputf8_enable = yes
default_transport = error:no mail leaves here
{extra}
"""

MASTER = """\
{port} inet n - n - - smtpd
{tls_port} inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes -o smtpd_tls_security_level=encrypt
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix(server.Server):
    """One server, on ports `port` and `tls_port` (TLS from the start). Each
    user has a mailbox at example.org and at localhost, in box(user). A message
    whose subject is "refuse this" is refused after its final dot.

    certificate  good, wrong-name, expired or alien
    starttls     offers STARTTLS
    size         of a message in octets, at most
    extra        further lines of main.cf
    """
    name = "postfix"

    def __init__(self, users=None, certificate="good", starttls=True,
                 size=50_000_000, extra="", folder=None):
        debs = server.unpacked("postfix")
        super().__init__("pr-pf.", users, folder)
        self.debs = self.reachable(debs)
        self.certificate, self.starttls = certificate, starttls
        self.size, self.extra = size, extra
        for name in ("etc", "spool", "data", "mail"):
            (self.root / name).mkdir(mode=0o700)
        for name in QUEUES:
            (self.root / "spool" / name).mkdir(mode=0o755)
        names = self.pretend({"postfix": "x"}, ["postfix"],
                             ["nobody", "postdrop"])
        self.names = {**self.pretend_root(names), "LD_LIBRARY_PATH":
                      server.library_path(self.debs)}
        self.write("boxes", "".join(
            f"{user}@{domain} {user}/\n" for user in self.users
            for domain in ("example.org", "localhost")))
        self.write("checks", "/^Subject: refuse this/ REJECT content refused\n")
        self.own_all()

    def _configure(self):
        self.port, self.tls_port = free_ports(2)
        self.write("etc/main.cf", MAIN.format(
            root=self.root, debs=self.debs, uid=self.uid, gid=self.gid,
            names=" ".join(["MAIL_CONFIG", *self.names]), size=self.size,
            starttls="may" if self.starttls else "none",
            tls=self.root / "tls" / self.certificate, extra=self.extra))
        self.write("etc/master.cf", MASTER.format(
            port=self.port, tls_port=self.tls_port))

    def _program_environment(self):
        return self.names

    def _argv(self):
        return [self.debs / "usr/lib/postfix/sbin/master", "-c",
                self.root / "etc", "-s", "-d"]

    def _answers(self):
        return answers(self.port)

    # The mail in it

    def box(self, user="alice"):
        """The Maildir of a user; made with the first message."""
        return self.root / "mail" / user

    def files(self, user="alice"):
        return sorted((self.box(user) / "new").glob("*"))

    def mail(self, user="alice", count=0, seconds=30):
        """Octets of all that was delivered, once there are `count`."""
        if count:
            wait_for(lambda: len(self.files(user)) >= count, seconds,
                     f"{count} messages in Postfix's mailbox of {user}")
        return [path.read_bytes() for path in self.files(user)]

    def idle(self, seconds=30):
        """Waits until nothing is left in the queue."""
        wait_for(lambda: not any(
            path.is_file() for name in ("incoming", "active", "deferred")
            for path in (self.root / "spool" / name).rglob("*")), seconds,
            "empty queue of Postfix")
