"""Where the mail of a crash sweep comes from: users of one Dovecot, or files of
this machine."""

import os
import re
import threading

import dovecot
import maildir
import mboxes

# Any user, known or not, with this one password.
# A login process for each connection: this Dovecot's may panic when one of its
# clients is killed, and then takes all the others with it.
EXTRA = """\
service imap-login {
  service_count = 1
}
service pop3-login {
  service_count = 1
}
passdb {
  driver = static
  args = password=secret
}
verbose_proctitle = yes
"""

AFTER = {"keep": "keep", "seen": "seen", "delete": "delete",
         "move": 'move_to "Archive"', "reset": "keep"}


class Source:
    """The users of one server. In mode `reset` the mail has been fetched once
    when the server gives the mailbox a new UIDVALIDITY."""

    def __init__(self, server, sent):
        self.server, self.sent = server, sent
        self.lock = threading.Lock()

    def new_user(self):
        with self.lock:
            user = f"{self.plugin}{len(self.server.users)}"
            home = self.server.root / "home" / user
            home.mkdir(mode=0o700)
            self.server.own(home)
            self.server.users[user] = "secret"
        return user

    def filled(self, mode):
        """A user with the same messages as every other."""
        user = self.new_user()
        if mode == "move":
            self.server.create("Archive", user)
        with self.lock:
            self.server.fill(self.sent, user=user)
        return user

    def prepare(self, home, user, mode):
        """What happened to the mailbox before the run that dies."""
        if mode == "reset":
            home.fetched()
            self.server.change_uidvalidity(user=user)

    def fault(self, user, mode):
        """What is wrong on the server after a run that ended well."""
        server = self.server
        here = maildir.digests(server.bodies(user=user).values())
        sent = maildir.digests(one.delivered for one in self.sent)
        if mode in ("keep", "seen", "reset") and here != sent:
            return f"the server has {sum(here.values())} messages"
        if mode in ("delete", "move") and here:
            return f"the server still has {sum(here.values())} messages"
        if mode == "move" and maildir.digests(server.bodies(
                "Archive", user).values()) != sent:
            return "the server's Archive is not what was there"
        if mode == "seen" and any("\\Seen" not in flags for flags
                                  in server.flags(user=user).values()):
            return "not all are marked as seen on the server"
        return ""


class Imap(Source):
    plugin = "imap"
    modes = ("keep", "delete", "move", "seen", "reset")

    def account(self, home, user, mode):
        return home.account(self.server, user=user, after=AFTER[mode],
                            deliver="inbox")


class Pop3(Source):
    plugin = "pop3"
    modes = ("keep", "delete")

    def account(self, home, user, mode):
        return home.account(self.server, user=user, after=AFTER[mode],
                            deliver="inbox", protocol="pop3")


class Local(Source):
    """Files below a folder of their own."""
    account_text = """account "work" {{
  source = {plugin} "{path}", folders = {{ "INBOX" }},
  after = {after}, deliver = inbox,
}}
"""

    def filled(self, mode):
        user = self.new_user()
        place = self.place(user)
        place.mkdir(mode=0o700)
        self.fill(place)
        return user

    def place(self, user):
        return self.server.root / "home" / user / "mail"

    def account(self, home, user, mode):
        return self.account_text.format(plugin=self.plugin,
                                        path=self.path(user),
                                        after=AFTER[mode])

    def fault(self, user, mode):
        left = sorted(self.left(user, mode))
        sent = sorted(mboxes.ended(one.delivered) for one in self.sent)
        if mode in ("keep", "seen") and left != sent:
            return f"{len(left)} messages are left in the source"
        if mode in ("delete", "move") and left:
            return f"{len(left)} messages are still in the source"
        return ""


class MboxFiles(Local):
    plugin = "mbox_source"
    modes = ("keep", "delete", "seen")

    def path(self, user):
        return self.place(user) / "old"

    def fill(self, place):
        mboxes.write(place / "old", self.sent)

    def left(self, user, mode):
        assert not self.path(user).with_name("old.lock").exists()
        data = self.path(user).read_bytes()
        if mode == "seen":
            assert data.count(b"\nStatus: RO\n") == len(self.sent)
        return [re.sub(rb"^(X-)?Status: [A-Z]+\n", b"", one, flags=re.M)
                for one in mboxes.split(self.path(user))]


class MaildirFiles(Local):
    plugin = "maildir_source"
    modes = ("keep", "delete", "seen", "move")

    def path(self, user):
        return self.place(user)

    def fill(self, place):
        for part in ("cur", "new", "tmp"):
            (place / part).mkdir()
        for number, one in enumerate(self.sent):
            path = place / "new" / f"{int(one.date)}.{number}.host"
            path.write_bytes(one.delivered)
            # Some are delivered by a link, the others by a copy.
            path.chmod(0o600 if number % 3 else 0o644)
            os.utime(path, (one.date, one.date))

    def left(self, user, mode):
        place = self.place(user)
        if mode == "move":
            assert len(maildir.entries(place / "Archive")) == len(self.sent)
        return [mboxes.ended(entry.data) for entry in maildir.entries(place)]


ALL = {"imap": Imap, "pop3": Pop3, "mbox_source": MboxFiles,
       "maildir_source": MaildirFiles}


def start():
    return dovecot.Dovecot(pop3=True, extra=EXTRA)
