"""A throwaway Dovecot on loopback: private folder, own certificates and users.

Nothing of the system's own Dovecot is used but the program.
"""

import base64
import imaplib
import os
import re
import ssl

import server
from server import Certificates, answers, answers_at  # noqa: F401
from server import free_ports, wait_for  # noqa: F401

# A SEARCH of a large mailbox is one long line.
imaplib._MAXLINE = 100_000_000

CONFIG = """\
protocols = imap
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/log
listen = {listen}
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
default_process_limit = 100
default_client_limit = 1000
first_valid_uid = 1
first_valid_gid = 1
disable_plaintext_auth = {plaintext}
auth_verbose = yes
auth_failure_delay = 0
auth_mechanisms = plain login
auth_cache_size = 0
mail_plugins = {plugins}
mail_location = maildir:{root}/mail/%u{layout}
maildir_very_dirty_syncs = yes
mail_max_userip_connections = 100
mail_fsync = never
mailbox_list_index = yes
imap_id_log = *
imap_capability = {capability}
ssl = yes
ssl_cert = <{cert}
ssl_key = <{key}
ssl_dh =
verbose_proctitle = no
shutdown_clients = yes
namespace inbox {{
  inbox = yes
  separator = {separator}
}}
passdb {{
  driver = passwd-file
  args = scheme=plain username_format=%u {root}/users
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={root}/home/%u
}}
service imap-login {{
  chroot =
  service_count = 0
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service imap {{
  service_count = 100
  process_limit = 100
}}
service anvil {{
  chroot =
}}
service auth {{
  user = {user}
}}
service auth-worker {{
  user = {user}
}}
service stats {{
  chroot =
}}
{extra}
"""

POP3 = """\
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
"""

LMTP = """\
service lmtp {{
  user = {user}
  chroot =
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
  unix_listener {lmtp_socket} {{
    mode = 0666
  }}
}}
protocol lmtp {{
  auth_username_format = %n
}}
"""


def encode_name(name):
    """A mailbox name in modified UTF-7 (RFC 3501, 5.1.3)."""
    out, run = [], []

    def flush():
        if run:
            text = "".join(run).encode("utf-16-be")
            code = base64.b64encode(text).rstrip(b"=")
            out.append("&" + code.decode().replace("/", ",") + "-")
            run.clear()

    for char in name:
        if " " <= char <= "~":
            flush()
            out.append("&-" if char == "&" else char)
        else:
            run.append(char)
    flush()
    return "".join(out)


class Dovecot(server.Server):
    """One server. Use it as a context, or call start() and stop().

    separator    hierarchy separator of the names clients see
                 (with `.`, names may contain a slash)
    certificate  good, wrong-name, expired or alien
    capability   appended to the capabilities offered ("+X" style), or the
                 whole list
    listen       the address of IMAP, when it is not loopback's
    wrapper      a command that runs the server, in a network of its own
    pop3, lmtp   start these services too: ports pop3, pop3s and lmtp, and the
                 socket lmtp_socket; a recipient's domain does not count
    """

    name = "dovecot"

    def __init__(self, users=None, separator="/", certificate="good",
                 capability="", pop3=False, lmtp=False, plaintext=True,
                 extra="", folder=None, listen="127.0.0.1", wrapper=()):
        super().__init__("pr-dc.", users, folder)
        self.separator = separator
        self.certificate = certificate
        self.capability = capability
        self.pop3_wanted = pop3
        self.lmtp_wanted = lmtp
        self.plaintext = plaintext
        self.extra = extra
        self.listen, self.wrapper = listen, list(wrapper)
        self.serial = 0
        self.lmtp_socket = str(self.root / "lmtp")
        for name in ("run", "state", "mail", "home"):
            (self.root / name).mkdir(mode=0o700)
        for name in self.users:
            (self.root / "home" / name).mkdir(mode=0o700)
        self._write_users()
        self.own_all()

    def _write_users(self):
        path = self.write("users", "".join(
            f"{user}:{{PLAIN}}{word}\n" for user, word in self.users.items()))
        path.chmod(0o600)

    def set_password(self, user, word):
        """From the next second on: so often the server looks at the file."""
        self.users[user] = word
        self._write_users()

    def _configure(self):
        ports = free_ports(5)
        self.imap, self.imaps, self.pop3, self.pop3s, self.lmtp = ports
        tls = self.root / "tls"
        extra = self.extra
        names = dict(user=self.user, pop3=self.pop3, pop3s=self.pop3s,
                     lmtp=self.lmtp, lmtp_socket=self.lmtp_socket)
        if self.pop3_wanted:
            extra = POP3.format(**names) + extra
        if self.lmtp_wanted:
            extra = LMTP.format(**names) + extra
        text = CONFIG.format(
            root=self.root, user=self.user, group=self.group,
            plaintext="no" if self.plaintext else "yes",
            separator=self.separator, listen=self.listen,
            plugins="" if self.separator == "/" else "listescape",
            layout=":LAYOUT=fs" if self.separator == "/" else "",
            capability=self.capability,
            cert=tls / f"{self.certificate}.pem",
            key=tls / f"{self.certificate}.key",
            imap=self.imap, imaps=self.imaps, extra=extra)
        wanted = ["imap"]
        wanted += ["pop3"] if self.pop3_wanted else []
        wanted += ["lmtp"] if self.lmtp_wanted else []
        text = text.replace("protocols = imap", "protocols = "
                            + " ".join(wanted), 1)
        self.write("dovecot.conf", text)

    def _argv(self):
        return ["dovecot", "-F", "-c", self.root / "dovecot.conf"]

    def _drop(self):
        return [*self.wrapper, *super()._drop()]

    def _answers(self):
        if self.wrapper:    # its network is not ours, but its files are
            return answers_at(self.lmtp_socket)
        return answers(self.imap)

    # The mail in it

    def client(self, user="alice"):
        """A logged-in imaplib client over TLS."""
        context = ssl.create_default_context(cafile=self.ca_file)
        client = imaplib.IMAP4_SSL("localhost", self.imaps,
                                   ssl_context=context, timeout=60)
        client.login(user, self.users[user])
        return client

    def folder(self, name="INBOX", user="alice"):
        """Where the files of a mailbox lie."""
        root = self.root / "mail" / user
        if name.upper() == "INBOX":
            return root
        if self.separator == "/":
            return root / encode_name(name)
        return root / ("." + encode_name(name).replace("/", "\\2f"))

    def create(self, name, user="alice"):
        client = self.client(user)
        status, answer = client.create(quote(encode_name(name)))
        client.logout()
        if status != "OK":
            raise RuntimeError(f"CREATE {name}: {answer}")

    def append(self, data, folder="INBOX", flags=(), date=None, user="alice",
               client=None):
        """Adds one message through IMAP; date in seconds since 1970."""
        own = client is None
        client = client or self.client(user)
        when = imaplib.Time2Internaldate(date) if date else None
        status, answer = client.append(
            quote(encode_name(folder)),
            "(" + " ".join(flags) + ")" if flags else None, when, data)
        if own:
            client.logout()
        if status != "OK":
            raise RuntimeError(f"APPEND to {folder}: {answer}")

    def fill(self, messages, folder="INBOX", user="alice"):
        """Writes messages (of tests/lib/messages.py) as files: quick for
        thousands. Their dates become INTERNALDATE, their flags stay."""
        place = self.folder(folder, user)
        if folder.upper() != "INBOX" and not place.exists():
            self.create(folder, user)
        for name in ("", "cur", "new", "tmp"):
            (place / name).mkdir(mode=0o700, exist_ok=True, parents=True)
            self.own(place / name)
        letters = {"\\Draft": "D", "\\Flagged": "F", "\\Answered": "R",
                   "\\Seen": "S", "\\Deleted": "T"}
        for one in messages:
            self.serial += 1
            data = one.data.replace(b"\r\n", b"\n")
            info = "".join(sorted(letters[f] for f in one.flags
                                  if f in letters))
            path = place / "cur" / (
                f"{int(one.date)}.M{self.serial:06d}P1.test,"
                f"S={len(data)},W={len(one.data)}:2,{info}")
            with open(path, "wb") as out:
                out.write(data)
            os.utime(path, (one.date, one.date))
            self.own(path)

    def index(self, folder="INBOX", user="alice"):
        """Lets the server index the folder, as after normal use."""
        client = self.client(user)
        client.select(quote(encode_name(folder)), readonly=True)
        client.uid("fetch", "1:*", "(RFC822.SIZE)")
        client.logout()

    def list_uids(self, folder="INBOX", user="alice"):
        client = self.client(user)
        client.select(quote(encode_name(folder)), readonly=True)
        _, answer = client.uid("search", "ALL")
        client.logout()
        return [int(word) for word in answer[0].split()]

    def flags(self, folder="INBOX", user="alice"):
        """UID to set of flags."""
        client = self.client(user)
        client.select(quote(encode_name(folder)), readonly=True)
        _, answer = client.uid("fetch", "1:*", "(FLAGS)")
        client.logout()
        result = {}
        for line in answer:
            if line is None:
                continue
            text = line.decode() if isinstance(line, bytes) else \
                line[0].decode()
            uid = int(re.search(r"UID (\d+)", text)[1])
            result[uid] = set(
                re.search(r"FLAGS \(([^)]*)\)", text)[1].split()) \
                - {"\\Recent"}
        return result

    def bodies(self, folder="INBOX", user="alice"):
        """UID to the octets of each message, with line ends as LF."""
        client = self.client(user)
        client.select(quote(encode_name(folder)), readonly=True)
        _, answer = client.uid("fetch", "1:*", "(BODY.PEEK[])")
        client.logout()
        result = {}
        for item in answer:
            if isinstance(item, tuple):
                uid = int(re.search(rb"UID (\d+)", item[0])[1])
                result[uid] = item[1].replace(b"\r\n", b"\n")
        return result

    def change_uidvalidity(self, folder="INBOX", user="alice"):
        """Gives the mailbox a new UIDVALIDITY and all messages new UIDs, as
        after a mailbox was restored from a backup. Call while stopped, or
        while no client has the mailbox open."""
        place = self.folder(folder, user)
        path = place / "dovecot-uidlist"
        first = path.read_text(errors="replace").split("\n", 1)[0]
        old = int(re.search(r"V(\d+)", first)[1])
        for name in os.listdir(place):
            if name.startswith("dovecot.index") or \
                    name.startswith("dovecot-uidlist"):
                (place / name).unlink()
        path.write_text(re.sub(r"N\d+", "N1",
                               first.replace(f"V{old}", f"V{old + 7}")) + "\n")
        path.chmod(0o600)
        self.own(path)
        return old, old + 7


def quote(name):
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
