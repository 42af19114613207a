"""A running `postrider daemon` of a home, and its socket."""

import json
import signal
import socket
import subprocess

import maildir
from server import wait_for

PATIENCE = 60


class Service:
    """Starts it; use it as a context, or call stop()."""

    def __init__(self, home, *args, **env):
        self.home = home
        self.env = dict(XDG_RUNTIME_DIR=home.root, **env)
        self.log_path = home.root / "daemon.log"
        self.args = args
        self.start()

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.home.argv("daemon", *self.args),
                env=self.home.environment(**self.env),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=self.home.root)
        self.until(lambda: self.ask("status").code == 0, "answer")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self, number=signal.SIGTERM, timeout=60):
        """Ends it; returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(timeout=timeout)
        assert "Sanitizer" not in self.log and \
            "runtime error" not in self.log, self.log[-6000:]
        return code

    @property
    def socket(self):
        [found] = self.home.root.glob("postrider/*.sock")
        return found

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    def ask(self, *args, **options):
        return self.home.run(*args, **self.env, **options)

    def accounts(self):
        """What `status --json` says of each account, by name."""
        run = self.ask("status", "--json")
        assert run.code == 0, run
        status = json.loads(run.out)
        return {one["account"]: one for one in status["accounts"]}

    def until(self, claim, what, seconds=60):
        def alive():
            assert self.process.poll() is None, self.log[-6000:]
            return claim()
        try:
            return wait_for(alive, seconds, what)
        except TimeoutError as late:
            raise TimeoutError(f"{late}\n{self.log[-4000:]}") from None

    def until_state(self, state, *names, seconds=60):
        """Until the accounts named, or all, are in that state."""
        def are():
            all_of = self.accounts()
            return all(all_of[name]["state"] == state
                       for name in names or all_of)
        return self.until(are, f"{state} {names}", seconds)

    def until_here(self, count, folder="inbox", seconds=60):
        """Until so many messages are in the folder."""
        place = self.home.mail / folder
        self.until(lambda: place.exists() and
                   len(maildir.entries(place)) >= count,
                   f"{count} messages in {folder}", seconds)
        assert len(maildir.entries(place)) == count


class Line:
    """A raw connection to the socket."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def send(self, **request):
        self.write(json.dumps(request).encode() + b"\n")

    def write(self, octets):
        self.socket.sendall(octets)

    def read(self):
        line = self.file.readline()
        return json.loads(line) if line else None

    def answer(self, **request):
        self.send(**request)
        while True:
            line = self.read()
            if line is None or "ok" in line:
                return line
