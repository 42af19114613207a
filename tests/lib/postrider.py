"""Runs the program in a home of its own: configuration, state and mail."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

PRELUDE = """\
local mail = maildir "{mail}"
"""

ACCOUNT = """\
account "{name}" {{
  source = {protocol} {{ host = "{host}", port = {port}, user = "{user}",
                  password = {password}, ca_file = "{ca}",
                  tls = "{tls}"{source} }},
  folders = {folders},
  after   = {after},
  deliver = {deliver},{more}
}}
"""


class Run:
    """How one run of the program ended."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __repr__(self):
        return (f"exit status {self.code}\n{self.out[-2000:]}\n"
                f"{self.err[-3000:]}")

    @property
    def records(self):
        return [json.loads(line) for line in self.out.splitlines()
                if line.startswith("{")]

    @property
    def messages(self):
        return [one for one in self.records if one["event"] == "message"]

    @property
    def accounts(self):
        return {one["account"]: one for one in self.records
                if one["event"] == "account"}


class Home:
    """One user's home. Remove it with close()."""

    def __init__(self, prefix, parent=None):
        self.prefix = pathlib.Path(prefix)
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="pr-home.",
                                                  dir=parent))
        self.mail = self.root / "Mail"
        self.inbox = self.mail / "inbox"
        self.state = self.root / "state"
        self.config = self.root / "config.lua"
        self.text = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        shutil.rmtree(self.root, ignore_errors=True)

    # Configuration

    def secret(self, word, name="password"):
        path = self.root / name
        path.write_text(word + "\n")
        path.chmod(0o600)
        return path

    def account(self, server, name="work", user="alice", port=None,
                host="localhost", tls="implicit", folders='{ "INBOX" }',
                after="keep", deliver='mail / "inbox"', source="", more="",
                ca=None, password=None, protocol="imap"):
        """The Lua text of one account on that server."""
        if password is None:
            path = self.secret(server.users[user], f"password-{user}")
            password = f'file "{path}"'
        if port is None:
            port = getattr(server, protocol + ("s" if tls == "implicit"
                                               else ""))
        return ACCOUNT.format(
            name=name, protocol=protocol, host=host, port=port, user=user,
            password=password,
            ca=ca or server.ca_file, tls=tls, folders=folders, after=after,
            deliver=deliver, source=source and ", " + source,
            more=more and f"\n  {more},")

    def write(self, text):
        """Makes this the configuration; `mail` is a Maildir below the home."""
        self.config.write_text(PRELUDE.format(mail=self.mail) + text)
        self.config.chmod(0o600)
        return self

    def configure(self, server, rules="", **options):
        """A configuration of one account and these rules."""
        return self.write(self.account(server, **options) + rules)

    # Running

    def environment(self, **more):
        env = {name: value for name, value in os.environ.items()
               if not name.startswith("POSTRIDER_")}
        env.update(HOME=str(self.root), XDG_STATE_HOME=str(self.state),
                   TMPDIR=str(self.root), NO_COLOR="1",
                   ASAN_OPTIONS="detect_stack_use_after_return=0:"
                   + os.environ.get("ASAN_OPTIONS", ""))
        env.update({name: str(value) for name, value in more.items()})
        return env

    def argv(self, *args):
        return [str(self.prefix / "bin" / "postrider"), "-c",
                str(self.config), *args]

    def run(self, *args, timeout=120, wrapper=(), **env):
        """Runs one command and waits for it."""
        done = subprocess.run(
            [*wrapper, *self.argv(*args)], env=self.environment(**env),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=timeout, cwd=self.root)
        run = Run(done.returncode, done.stdout.decode(errors="replace"),
                  done.stderr.decode(errors="replace"))
        assert "Sanitizer" not in run.err and "runtime error" not in run.err, \
            run
        return run

    def fetch(self, *args, **options):
        """`fetch --json`: its records are in the result."""
        return self.run("fetch", "--json", *args, **options)

    def fetched(self, *args, **options):
        """The same, and it must have gone well."""
        run = self.fetch(*args, **options)
        assert run.code == 0, run
        return run

    def start(self, *args, **env):
        """Starts one command; end it with finish()."""
        return subprocess.Popen(
            self.argv(*args), env=self.environment(**env),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, cwd=self.root)

    @staticmethod
    def finish(process, timeout=60):
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            raise
        return Run(process.returncode, out.decode(errors="replace"),
                   err.decode(errors="replace"))
