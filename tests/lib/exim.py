"""A throwaway Exim on loopback: STARTTLS, TLS, AUTH PLAIN, mail into Maildirs.

It is Debian's own exim4, unpacked and not installed, with a configuration that
has nothing in common with the system's. It offers 8BITMIME, PIPELINING,
CHUNKING, SMTPUTF8, DSN and SIZE. Exim insists on a user `Debian-exim`, who
need not exist here: libnss-wrapper tells it of one.
"""

import server
from server import answers, free_ports, wait_for

CONFIG = """\
exim_path = {program}
exim_user = Debian-exim
exim_group = Debian-exim
keep_environment = LD_PRELOAD : NSS_WRAPPER_PASSWD : NSS_WRAPPER_GROUP
primary_hostname = mx.example.org
spool_directory = {root}/spool
log_file_path = {root}/%slog
pid_file_path = {root}/pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port} : {tls_port}
tls_on_connect_ports = {tls_port}
tls_advertise_hosts = {starttls}
tls_certificate = {tls}.pem
tls_privatekey = {tls}.key
smtputf8_advertise_hosts = *
chunking_advertise_hosts = {chunking}
dsn_advertise_hosts = *
accept_8bitmime = true
message_size_limit = {size}
deliver_drop_privilege = true
never_users =
check_spool_space = 0
smtp_accept_max = 100
smtp_accept_queue_per_connection = 0
smtp_accept_max_per_connection = 0
recipients_max = 0
received_headers_max = 100
smtp_enforce_sync = true
host_lookup =
domainlist local_domains = example.org : localhost
auth_advertise_hosts = *
acl_smtp_rcpt = acl_rcpt
acl_smtp_data = acl_data
{extra}

begin acl
acl_rcpt:
  deny    condition = {closed}
          !authenticated = *
          message = authentication required
  deny    message = no relaying
          !domains = +local_domains
  require message = no such user
          verify = recipient
  accept
acl_data:
  deny    condition = ${{if match{{$h_subject:}}{{refuse this}}}}
          message = content refused
  accept

begin routers
local:
  driver = accept
  domains = +local_domains
  local_parts = lsearch;{root}/boxes
  transport = box

begin transports
box:
  driver = appendfile
  directory = {root}/mail/$local_part_data
  maildir_format
  envelope_to_add
  return_path_add
  user = Debian-exim
  group = Debian-exim

begin retry
* * F,1h,1m

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{!eq{{$auth2}}{{}}}}\\
    {{eq{{$auth3}}{{${{lookup{{$auth2}}lsearch{{{root}/users}}{{$value}}}}}}}}}}}}
  server_set_id = $auth2
"""


class Exim(server.Server):
    """One server, on ports `port` and `tls_port` (TLS from the start). Each
    user has a mailbox at example.org and at localhost, in box(user). A message
    whose subject is "refuse this" is refused after its final dot.

    certificate  good, wrong-name, expired or alien
    starttls     offers STARTTLS
    chunking     offers CHUNKING
    closed       takes mail from those only who have logged in
    size         of a message, at most: "50M"
    extra        further lines of the main configuration
    """
    name = "exim"

    def __init__(self, users=None, certificate="good", starttls=True,
                 chunking=True, closed=False, size="50M", extra="",
                 folder=None):
        debs = server.unpacked("exim4-daemon-light")
        super().__init__("pr-ex.", users, folder)
        self.program = self.reachable(debs) / "usr" / "sbin" / "exim4"
        self.names = self.pretend({"Debian-exim": "x"}, ["Debian-exim"])
        self.certificate, self.starttls = certificate, starttls
        self.chunking, self.closed = chunking, closed
        self.size, self.extra = size, extra
        for name in ("spool", "mail"):
            (self.root / name).mkdir(mode=0o700)
        self.write("users", "".join(
            f"{user}: {word}\n" for user, word in self.users.items()))
        self.write("boxes", "".join(f"{user}: {user}\n"
                                    for user in self.users))
        self.own_all()

    def _configure(self):
        self.port, self.tls_port = free_ports(2)
        self.write("conf", CONFIG.format(
            program=self.program, root=self.root, port=self.port,
            tls_port=self.tls_port, tls=self.root / "tls" / self.certificate,
            starttls="*" if self.starttls else "",
            chunking="*" if self.chunking else "", size=self.size,
            closed="yes" if self.closed else "no", extra=self.extra))

    def _program_environment(self):
        return self.names

    def _argv(self):
        return [self.program, "-C", self.root / "conf", "-bdf", "-q1m"]

    def _answers(self):
        return answers(self.port)

    def log(self):
        text = super().log()
        for name in ("mainlog", "rejectlog", "paniclog"):
            path = self.root / name
            if path.exists():
                text += path.read_text(errors="replace")
        return text

    # The mail in it

    def box(self, user="alice"):
        """The Maildir of a user; Exim makes it with the first message."""
        return self.root / "mail" / user

    def files(self, user="alice"):
        return sorted((self.box(user) / "new").glob("*"))

    def mail(self, user="alice", count=0, seconds=30):
        """Octets of all that was delivered, once there are `count`."""
        if count:
            wait_for(lambda: len(self.files(user)) >= count, seconds,
                     f"{count} messages in Exim's mailbox of {user}")
        return [path.read_bytes() for path in self.files(user)]

    def idle(self, seconds=30):
        """Waits until nothing is left in the queue."""
        wait_for(lambda: not any(
            (self.root / "spool" / "input").glob("*-H")), seconds,
            "empty queue of Exim")
