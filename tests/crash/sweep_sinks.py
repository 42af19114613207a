"""Where the mail of a crash sweep goes, and what of it arrived there.

A sink is made for each trial. It writes the Lua that names it (`inbox` and
`lists`), and afterwards tells what arrived; it knows how many messages may be
there twice after one kill, and whether the kill may leave a part of one that
the next run takes away.
"""

import os
import pathlib
import re
import time

import maildir
import recorder


class Sink:
    """Two of them, `inbox` and `lists`, since they are used side by side.
    doubles: how many may come twice in each; is_mended: see above."""
    doubles = 0
    is_mended = False

    def __init__(self, case, home, user):
        self.case, self.home, self.user = case, home, user
        self.place = home.root / "arrived"

    def lua(self):
        raise NotImplementedError

    def folders(self):
        """(octets of what is in the inbox, of what is in lists)."""
        raise NotImplementedError

    def leftovers(self):
        return 0

    def wait(self):
        """Until what a killed run has set going has come to its end."""

    def snapshot(self):
        """Something that changes when any of the mail does."""
        return [maildir.digests(folder) for folder in self.folders()]

    def close(self):
        pass


class Maildir(Sink):

    def lua(self):
        return ('local inbox, lists = mail / "inbox", mail / "lists"\n')

    def folders(self):
        return [[entry.data for entry in maildir.entries(self.home.mail / name)]
                for name in ("inbox", "lists")]

    def leftovers(self):
        return len(maildir.leftovers(self.home.mail))

    def snapshot(self):
        return sorted((path, path.stat().st_mtime_ns)
                      for path in self.home.mail.rglob("*") if path.is_file())


class Mbox(Sink):
    is_mended = True

    def lua(self):
        return "".join(
            f'local {name} = mbox {{ "{self.place}/{name}", flags = false }}\n'
            for name in ("inbox", "lists"))

    def folders(self):
        return [split_mbox(self.place / name) for name in ("inbox", "lists")]

    def leftovers(self):
        return len(list(self.place.glob("*.lock")))

    def snapshot(self):
        return sorted((path.name, path.stat().st_mtime_ns, path.stat().st_size)
                      for path in self.place.iterdir())


class Append(Sink):
    """Into a second account of the server that the mail comes from."""
    disabled = ""

    def __init__(self, case, home, user):
        super().__init__(case, home, user)
        self.target = case.source.new_user()

    def lua(self):
        server = self.case.server
        secret = self.home.secret("secret", "target-password")
        account = (f'host = "localhost", port = {server.imaps}, '
                   f'user = "{self.target}", password = file "{secret}", '
                   f'ca_file = "{server.ca_file}", '
                   f'disable = {{ {self.disabled} }}')
        return (f'local inbox = append {{ {account}, folder = "INBOX" }}\n'
                f'local lists = append {{ {account}, folder = "lists" }}\n')

    def folders(self):
        server = self.case.server
        return [list(server.bodies(name, self.target).values())
                if server.folder(name, self.target).exists() else []
                for name in ("INBOX", "lists")]

    def wait(self):
        wait_while(lambda: is_named(f"[{self.target} "))


class AppendSingly(Append):
    """A command for each message, as to a server that can little."""
    disabled = '"MULTIAPPEND", "UIDPLUS"'


class Smtp(Sink):
    """Into a server that puts each message down before it says so."""
    doubles = 1
    word = "smtp"

    def __init__(self, case, home, user):
        super().__init__(case, home, user)
        self.servers = [recorder.Recorder(self.place / name,
                                          lmtp=self.word == "lmtp")
                        for name in ("inbox", "lists")]

    def lua(self):
        return "".join(
            f'local {name} = {self.word} {{ host = "127.0.0.1", '
            f'port = {server.port}, tls = "none", to = "{self.user}@'
            'example.org" }\n'
            for name, server in zip(("inbox", "lists"), self.servers))

    def folders(self):
        return [server.kept() for server in self.servers]

    def wait(self):
        for server in self.servers:
            server.idle()

    def close(self):
        for server in self.servers:
            server.close()


class Lmtp(Smtp):
    word = "lmtp"


KEEPER = """\
#!/bin/sh
# Keeps its input as a new file of the folder it is told.
cat >"$1/tmp/$$" && mv "$1/tmp/$$" "$1/new/$$"
"""


class Pipe(Sink):
    doubles = 1

    def __init__(self, case, home, user):
        super().__init__(case, home, user)
        self.keeper = home.root / "keeper"
        self.keeper.write_text(KEEPER)
        self.keeper.chmod(0o700)
        for name in ("inbox", "lists"):
            for part in ("tmp", "new"):
                (self.place / name / part).mkdir(parents=True)

    def lua(self):
        return "".join(f'local {name} = pipe {{ "{self.keeper}", '
                       f'"{self.place / name}" }}\n'
                       for name in ("inbox", "lists"))

    def folders(self):
        return [[path.read_bytes()
                 for path in (self.place / name / "new").iterdir()]
                for name in ("inbox", "lists")]

    def leftovers(self):
        return len(list(self.place.glob("*/tmp/*")))

    def wait(self):
        wait_while(lambda: is_named(str(self.place)))


class Lua(Pipe):
    """Functions of the configuration, which hand each message to the same
    program. Nobody can ask them what arrived."""

    def lua(self):
        return "".join(
            f'local {name} = sink("{name}", {{ deliver = function(m)\n'
            f'  local done, why = exec {{ "{self.keeper}", '
            f'"{self.place / name}", input = m }}\n'
            '  if not done then return nil, why end\n'
            '  return done.status == 0 or nil, done.complaint\n'
            'end })\n' for name in ("inbox", "lists"))


class LuaAsked(Lua):
    """The same, with files named by key that `recover` looks for."""
    doubles = 0

    def lua(self):
        return "".join(
            f'local {name} = sink("{name}", {{ deliver = function(m)\n'
            f'  local done, why = exec {{ "sh", "-c", \'cat >"$1/tmp/$2" && '
            f'mv "$1/tmp/$2" "$1/new/$2"\', "sh", "{self.place / name}", '
            'm.key, input = m }\n'
            '  if not done then return nil, why end\n'
            '  return done.status == 0 or nil, done.complaint\n'
            'end, recover = function(key)\n'
            f'  local done = exec {{ "test", "-f", "{self.place / name}/new/" '
            '.. key }\n'
            '  return done and done.status == 0\n'
            'end })\n' for name in ("inbox", "lists"))


ALL = {"maildir": Maildir, "mbox": Mbox, "append": Append,
       "append1": AppendSingly, "smtp": Smtp, "lmtp": Lmtp, "pipe": Pipe,
       "sink": Lua, "asked": LuaAsked}


def split_mbox(path):
    """The messages of an mboxrd file, unquoted."""
    if not path.exists():
        return []
    found = []
    for part in re.split(rb"^From ", path.read_bytes(), flags=re.M)[1:]:
        text = part.partition(b"\n")[2]
        text = text[:-1] if text.endswith(b"\n\n") else text
        found.append(re.sub(rb"^>(>*From )", rb"\1", text, flags=re.M))
    return found


def is_named(text):
    """Does the command line of any process hold that?"""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                line = pathlib.Path(f"/proc/{entry}/cmdline").read_bytes()
            except OSError:
                continue
            if text.encode() in line.replace(b"\0", b" "):
                return True
    return False


def wait_while(claim, seconds=30):
    end = time.monotonic() + seconds
    while claim():
        if time.monotonic() > end:
            raise TimeoutError("what the killed run began does not end")
        time.sleep(0.01)
