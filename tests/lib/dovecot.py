"""A throwaway Dovecot on loopback: private folder, own certificates and users.

Nothing of the system's own Dovecot is used but the program. The server runs
without root: under the caller's account, or, when the caller is root, under
`nobody`. Every path it uses lies in one temporary folder, which goes with it.
"""

import base64
import grp
import imaplib
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

# A SEARCH of a large mailbox is one long line.
imaplib._MAXLINE = 100_000_000

CONFIG = """\
protocols = imap
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/log
listen = 127.0.0.1
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
}}
"""


def free_ports(count):
    """Ports that nobody listened on just now, all different."""
    held = []
    for _ in range(count):
        one = socket.socket()
        one.bind(("127.0.0.1", 0))
        held.append(one)
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def wait_for(claim, seconds, what):
    """Returns the first true result of claim(), or raises at the deadline."""
    end = time.monotonic() + seconds
    while True:
        result = claim()
        if result:
            return result
        if time.monotonic() > end:
            raise TimeoutError(f"no {what} within {seconds} s")
        time.sleep(0.01)


def answers(port):
    with socket.socket() as one:
        one.settimeout(1)
        return one.connect_ex(("127.0.0.1", port)) == 0


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


class Certificates:
    """An authority and what it signed: good, of a wrong name, expired, alien.

    The folder then holds ca.pem and NAME.pem with NAME.key, for NAME among
    `good`, `wrong-name`, `expired` and `alien` (of another authority).
    """

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._authority("ca")
        self._authority("other-ca")
        here = "DNS:localhost,IP:127.0.0.1"
        self._leaf("good", "ca", here)
        self._leaf("wrong-name", "ca", "DNS:mail.example.net")
        self._leaf("expired", "ca", here, days="-1")
        self._leaf("alien", "other-ca", here)

    def _openssl(self, *args):
        subprocess.run(["openssl", *args], cwd=self.folder, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def _authority(self, name):
        self._openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
            "-subj", f"/CN=Test authority {name}",
            "-addext", "basicConstraints=critical,CA:TRUE",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign",
            "-keyout", f"{name}.key", "-out", f"{name}.pem")

    def _leaf(self, name, authority, names, days="30"):
        (self.folder / "leaf.ext").write_text(
            f"subjectAltName={names}\nbasicConstraints=CA:FALSE\n"
            "keyUsage=digitalSignature\nextendedKeyUsage=serverAuth\n")
        self._openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-subj", f"/CN={name}",
            "-keyout", f"{name}.key", "-out", f"{name}.csr")
        self._openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.pem",
            "-CAkey", f"{authority}.key", "-CAcreateserial", "-days", days,
            "-extfile", "leaf.ext", "-out", f"{name}.pem")


class Dovecot:
    """One server. Use it as a context, or call start() and stop().

    separator    hierarchy separator of the names clients see
                 (with `.`, names may contain a slash)
    certificate  good, wrong-name, expired or alien
    capability   appended to the capabilities offered ("+X" style), or the
                 whole list
    pop3, lmtp   start these services too
    """

    def __init__(self, users=None, separator="/", certificate="good",
                 capability="", pop3=False, lmtp=False, plaintext=True,
                 extra="", folder=None):
        self.users = dict(users or {"alice": "wonder land"})
        self.separator = separator
        self.certificate = certificate
        self.capability = capability
        self.pop3_wanted = pop3
        self.lmtp_wanted = lmtp
        self.plaintext = plaintext
        self.extra = extra
        self.host = "127.0.0.1"
        self.process = None
        self.serial = 0
        base = folder or os.environ.get("TMPDIR") or "/tmp"
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="pr-dc.", dir=base))
        owner = pwd.getpwnam("nobody") if os.getuid() == 0 else \
            pwd.getpwuid(os.getuid())
        self.uid, self.gid, self.user = \
            owner.pw_uid, owner.pw_gid, owner.pw_name
        self.group = grp.getgrgid(self.gid).gr_name
        for name in ("run", "state", "mail", "home"):
            (self.root / name).mkdir(mode=0o700)
        for name in self.users:
            (self.root / "home" / name).mkdir(mode=0o700)
        self.certificates = Certificates(self.root / "tls")
        self.ca_file = str(self.root / "tls" / "ca.pem")
        self._write_users()
        self._own_all()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    # What the server runs on

    def own(self, path):
        """Gives a file to the server's account."""
        if os.getuid() == 0:
            os.chown(path, self.uid, self.gid)

    def _own_all(self):
        if os.getuid() == 0:
            for folder, _, files in os.walk(self.root):
                self.own(folder)
                for name in files:
                    self.own(os.path.join(folder, name))

    def _write_users(self):
        path = self.root / "users"
        path.write_text("".join(
            f"{user}:{{PLAIN}}{word}\n" for user, word in self.users.items()))
        path.chmod(0o600)
        self.own(path)

    def set_password(self, user, word):
        """From the next second on: so often the server looks at the file."""
        self.users[user] = word
        self._write_users()

    def _write_config(self):
        ports = free_ports(5)
        self.imap, self.imaps, self.pop3, self.pop3s, self.lmtp = ports
        tls = self.root / "tls"
        extra = self.extra
        names = dict(user=self.user, pop3=self.pop3, pop3s=self.pop3s,
                     lmtp=self.lmtp)
        if self.pop3_wanted:
            extra = POP3.format(**names) + extra
        if self.lmtp_wanted:
            extra = LMTP.format(**names) + extra
        text = CONFIG.format(
            root=self.root, user=self.user, group=self.group,
            plaintext="no" if self.plaintext else "yes",
            separator=self.separator,
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
        path = self.root / "dovecot.conf"
        path.write_text(text)
        self.own(path)

    # Running it

    def start(self, same_ports=False):
        """Starts the server and returns self once its port answers."""
        for attempt in range(5):
            if not same_ports:
                self._write_config()
            if self._try_start():
                return self
        raise RuntimeError("dovecot does not start:\n" + self.log()[-3000:])

    def _try_start(self):
        # It ends with this thread, however that ends.
        argv = ["setpriv", "--pdeathsig=TERM"]
        if os.getuid() == 0:
            argv += [f"--reuid={self.uid}", f"--regid={self.gid}",
                     "--clear-groups", "--inh-caps=-all"]
        argv += ["--", "dovecot", "-F", "-c",
                 str(self.root / "dovecot.conf")]
        path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
        with open(self.root / "stderr", "ab") as errors:
            self.process = subprocess.Popen(
                argv, cwd=self.root, stdin=subprocess.DEVNULL,
                stdout=errors, stderr=errors, start_new_session=True,
                env={"PATH": path, "HOME": str(self.root)})
        try:
            wait_for(lambda: self.process.poll() is not None
                     or answers(self.imap), 20, "answer from Dovecot")
        except TimeoutError:
            pass
        if self.process.poll() is None and answers(self.imap):
            return True
        self.stop()
        return False

    def stop(self):
        """Ends the server and every process of it; its mail stays."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                pass
        self._kill_group()

    def kill(self):
        """The whole server dies at once, as in a power cut."""
        self._kill_group()

    def _kill_group(self):
        for pid in self._processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        self.process.wait(10)
        self.process = None

    def _processes(self):
        """The server's processes: each child may lead a group of its own."""
        found, parents = [], {self.process.pid}
        table = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    text = pathlib.Path(f"/proc/{entry}/stat").read_text()
                except OSError:
                    continue
                table[int(entry)] = int(text.rpartition(")")[2].split()[1])
        for pid in sorted(table):
            if pid in parents or table[pid] in parents:
                parents.add(pid)
                found.append(pid)
        return found

    def restart(self, **changes):
        """Stops, applies changed attributes, starts on the same ports unless
        something in the configuration changed."""
        self.stop()
        if not changes:
            return self.start(same_ports=True)
        for name, value in changes.items():
            setattr(self, name, value)
        return self.start()

    def close(self):
        if self.process is not None:
            self.kill()
        shutil.rmtree(self.root, ignore_errors=True)

    def log(self):
        text = ""
        for name in ("log", "stderr"):
            path = self.root / name
            if path.exists():
                text += path.read_text(errors="replace")
        return text

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
