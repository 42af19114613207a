"""What the throwaway servers of the tests have in common.

A server runs without root: under the caller's account, or, when the caller is
root, under `nobody`. Every path it uses lies in one temporary folder, which
goes with it; it ends with the process that started it.
"""

import grp
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

LIB = pathlib.Path(__file__).resolve().parent


class Unavailable(Exception):
    """A program that a test needs cannot be had here."""


def unpacked(name):
    """Where the files of a Debian package lie that is not to be installed."""
    done = subprocess.run([str(LIB / "unpacked"), name], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 0:
        raise Unavailable(done.stderr.strip())
    return pathlib.Path(done.stdout.strip())


def library_path(prefix):
    """Of the libraries below that prefix, as LD_LIBRARY_PATH has it."""
    folders = {path.parent for top in ("lib", "usr/lib")
               for path in (prefix / top).rglob("*.so*")}
    return ":".join(sorted(map(str, folders)))


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


def is_calm():
    """Has the machine room for one more? Else times say little."""
    return os.getloadavg()[0] < (os.cpu_count() or 1)


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


def answers_at(path):
    """The same for a unix socket."""
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(1)
        return one.connect_ex(path) == 0


class Certificates:
    """An authority and what it signed: good, of a wrong name, expired, alien.

    The folder then holds ca.pem and NAME.pem with NAME.key, for NAME among
    `good`, `wrong-name`, `expired` and `alien` (of another authority). They
    are made once in each run of the tests.
    """
    made = None

    def __init__(self, folder):
        if Certificates.made is None:
            Certificates.made = tempfile.TemporaryDirectory(prefix="pr-tls.")
            self._make(pathlib.Path(Certificates.made.name))
        self.folder = pathlib.Path(folder)
        shutil.copytree(Certificates.made.name, folder, dirs_exist_ok=True)
        self.folder.chmod(0o755)

    def _make(self, folder):
        self.folder = folder
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


class Server:
    """Files, account and processes of one server. Use it as a context.

    A subclass says in _configure() what to write before each start, in
    _argv() what to run, and in _answers() whether it serves by now.
    """
    name = "server"

    def __init__(self, prefix, users=None, folder=None):
        self.users = dict(users or {"alice": "wonder land"})
        self.host = "127.0.0.1"
        self.process = None
        base = folder or os.environ.get("TMPDIR") or "/tmp"
        self.root = pathlib.Path(tempfile.mkdtemp(prefix=prefix, dir=base))
        owner = pwd.getpwnam("nobody") if os.getuid() == 0 else \
            pwd.getpwuid(os.getuid())
        self.uid, self.gid, self.user = \
            owner.pw_uid, owner.pw_gid, owner.pw_name
        self.group = grp.getgrgid(self.gid).gr_name
        self.certificates = Certificates(self.root / "tls")
        self.ca_file = str(self.root / "tls" / "ca.pem")

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    # What the server runs on

    def own(self, path):
        """Gives a file to the server's account."""
        if os.getuid() == 0:
            try:
                os.chown(path, self.uid, self.gid)
            except FileNotFoundError:
                pass  # the server's own, and gone again

    def own_all(self):
        if os.getuid() == 0:
            for folder, _, files in os.walk(self.root):
                self.own(folder)
                for name in files:
                    self.own(os.path.join(folder, name))

    def write(self, name, text):
        """A file below the root, of the server's account."""
        path = self.root / name
        path.write_text(text)
        self.own(path)
        return path

    def reachable(self, prefix):
        """That prefix, or a copy of it where the server's account may not go
        there: in root's home, for example."""
        folders = [prefix, *prefix.parents]
        if os.getuid() != 0 or all(one.stat().st_mode & 1 for one in folders):
            return prefix
        copy = self.root / prefix.name
        shutil.copytree(prefix, copy, symlinks=True)
        return copy

    def pretend(self, users, groups, strangers=()):
        """The environment in which a program finds these users, a mapping of
        names to hashed passwords, and these groups. All of them are the
        server's own account: so it needs not change over to another, which
        only root may do. `strangers` are users and groups that are not."""
        library = self._wrapper("nss")
        lines = [f"{name}:{word}:{self.uid}:{self.gid}::{self.root}:/bin/sh\n"
                 for name, word in users.items()]
        lines += [f"{name}:x:{number}:{number}::/:/bin/sh\n"
                  for number, name in enumerate(strangers, 64001)]
        self.write("passwd", "root:x:0:0::/root:/bin/sh\n" + "".join(lines))
        lines = [f"{name}:x:{self.gid}:\n" for name in groups]
        lines += [f"{name}:x:{number}:\n"
                  for number, name in enumerate(strangers, 64001)]
        self.write("group", "root:x:0:\n" + "".join(lines))
        return {"LD_PRELOAD": library,
                "NSS_WRAPPER_PASSWD": str(self.root / "passwd"),
                "NSS_WRAPPER_GROUP": str(self.root / "group")}

    def pretend_root(self, environment):
        """Adds to that environment what makes a program take itself for root,
        and each change of its user for done."""
        library = self._wrapper("uid")
        return {**environment, "UID_WRAPPER": "1", "UID_WRAPPER_ROOT": "1",
                "LD_PRELOAD": f"{environment['LD_PRELOAD']}:{library}"}

    def _wrapper(self, what):
        prefix = self.reachable(unpacked(f"lib{what}-wrapper"))
        return str(next(prefix.rglob(f"lib{what}_wrapper.so")))

    # Running it

    def _program_environment(self):
        """What only the server itself is to find in its environment."""
        return {}

    def _environment(self):
        path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
        return {"PATH": path, "HOME": str(self.root)}

    def _drop(self):
        """What runs before the program: it ends with this thread, however that
        ends, and has no more rights than the server's account."""
        argv = ["setpriv", "--pdeathsig=TERM"]
        if os.getuid() == 0:
            argv += [f"--reuid={self.uid}", f"--regid={self.gid}",
                     "--clear-groups", "--inh-caps=-all"]
        own = self._program_environment()
        return [*argv, "--", "env",
                *(f"{name}={value}" for name, value in own.items())]

    def start(self, same_ports=False):
        """Starts the server and returns self once its port answers."""
        for _ in range(5):
            if not same_ports:
                self._configure()
            if self._try_start():
                return self
        raise RuntimeError(f"{self.name} does not start:\n"
                           + self.log()[-3000:])

    def _try_start(self):
        with open(self.root / "stderr", "ab") as errors:
            self.process = subprocess.Popen(
                [*self._drop(), *map(str, self._argv())], cwd=self.root,
                stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
                start_new_session=True, env=self._environment())
        try:
            wait_for(lambda: self.process.poll() is not None
                     or self._answers(), 20, f"answer from {self.name}")
        except TimeoutError:
            pass
        if self.process.poll() is None and self._answers():
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
        """The whole server dies at once, as in a power cut. The locks it leaves
        name processes; where nothing reaps these they look alive, and the next
        server would wait two minutes for each, so they go as well."""
        self._kill_group()
        for lock in self.root.rglob("*.lock"):
            lock.unlink(missing_ok=True)

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
