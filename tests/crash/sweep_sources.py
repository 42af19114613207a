"""Where the mail of a crash sweep comes from: users of one Dovecot."""

import threading

import dovecot
import maildir

# Any user, known or not, with this one password.
EXTRA = """\
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


ALL = {"imap": Imap, "pop3": Pop3}


def start():
    return dovecot.Dovecot(pop3=True, extra=EXTRA)
