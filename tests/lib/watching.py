"""A daemon that watches, and mail that comes while it does."""

import os
import pathlib
import signal
import smtplib
import struct
import subprocess
import tempfile
import time

from server import wait_for

LIB = pathlib.Path(__file__).resolve().parent

# Folders are named by the recipient's detail: alice+Lists@example.org.
TO_FOLDERS = """\
recipient_delimiter = +
lmtp_save_to_detail_mailbox = yes
lda_mailbox_autocreate = yes
lda_mailbox_autosubscribe = yes
"""

MESSAGE = """\
From: Bob <bob@example.org>
To: Alice <alice@example.org>
Subject: {subject}
Message-ID: <{subject}@example.org>
Date: Mon, 2 Mar 2026 10:00:00 +0000

Hello.
"""


def deliver(server, subject, user="alice", folder=""):
    """By LMTP, as a mail system does it."""
    detail = folder and "+" + folder
    with smtplib.LMTP(server.lmtp_socket) as lmtp:
        lmtp.sendmail("bob@example.org", [f"{user}{detail}@example.org"],
                      MESSAGE.format(subject=subject))


def subjects(home):
    """Of all messages in the home's Maildirs, each as often as it is there."""
    found = []
    for folder, _, files in os.walk(home.mail):
        if os.path.basename(folder) in ("cur", "new"):
            for name in files:
                try:
                    text = pathlib.Path(folder, name).read_text()
                except FileNotFoundError:
                    continue
                found += [line[9:] for line in text.splitlines()
                          if line.startswith("Subject: ")][:1]
    return sorted(found)


class Daemon:
    """`postrider daemon` in a home. Use it as a context."""

    def __init__(self, home, wrapper=(), **env):
        self.home = home
        self.errors = home.root / "daemon.log"
        # A socket's path is short.
        self.runtime = tempfile.TemporaryDirectory(prefix="pr-run.")
        self.env = home.environment(XDG_RUNTIME_DIR=self.runtime.name, **env)
        with open(self.errors, "ab") as out:
            self.process = subprocess.Popen(
                [*wrapper, *home.argv("daemon")], env=self.env,
                stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                cwd=home.root)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        code = self.stop()
        self.runtime.cleanup()
        log = self.log()
        assert "Sanitizer" not in log and "runtime error" not in log, log
        assert code in (0, -signal.SIGKILL), f"exit status {code}\n{log}"

    @property
    def pid(self):
        return self.process.pid

    def log(self):
        return self.errors.read_text(errors="replace")[-6000:]

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def until(self, claim, seconds, what):
        """Waits for claim() to be true while the daemon lives."""
        try:
            return wait_for(lambda: self._lives() and claim(), seconds, what)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; its log:\n{self.log()}") from None

    def _lives(self):
        assert self.process.poll() is None, self.log()
        return True

    def until_came(self, *wanted, seconds=30):
        """Waits until just these subjects came, each once; returns how many
        seconds it took."""
        begun = time.monotonic()
        self.until(lambda: subjects(self.home) == sorted(wanted), seconds,
                   f"mail {wanted}")
        return time.monotonic() - begun


def preloaded(place, name):
    """tests/lib/NAME.c, made in that folder, and the environment in which a
    program is run with it. One with a sanitizer wants to be loaded first; it is
    fine."""
    library = place / f"{name}.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", str(library),
                    str(LIB / f"{name}.c"), "-ldl"], check=True)
    return {"LD_PRELOAD": str(library),
            "ASAN_OPTIONS": "detect_stack_use_after_return=0:"
            "verify_asan_link_order=0"}


class FakeClock:
    """Time that passes when a test says so, for one program."""

    def __init__(self, place):
        self.file = place / "clock"
        self.passed = self.slept = 0
        self.preloaded = preloaded(place, "fake_clock")
        self._write()

    def environment(self):
        return {**self.preloaded, "FAKE_CLOCK": str(self.file)}

    def _write(self):
        with open(self.file, "r+b" if self.file.exists() else "wb") as out:
            out.write(struct.pack("=qq", self.passed, self.slept))

    def let_pass(self, seconds):
        self.passed += int(seconds * 1e9)
        self._write()

    def sleep(self, seconds):
        """The machine is suspended for so long, and resumes now."""
        self.slept += int(seconds * 1e9)
        self._write()


class FakeNames:
    """A name service that works, fails or hangs, for one program."""

    def __init__(self, place):
        self.file = place / "names"
        self.preloaded = preloaded(place, "fake_names")
        self.say("")

    def environment(self):
        return {**self.preloaded, "FAKE_NAMES": str(self.file)}

    def say(self, word):
        """An error's number, "hang", or "" for the truth."""
        new = self.file.with_suffix(".new")
        new.write_text(word)
        new.replace(self.file)
