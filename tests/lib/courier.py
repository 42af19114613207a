"""A throwaway Courier IMAP server on loopback: IMAP with few extensions.

It is Debian's own courier-imap, unpacked and not installed. Its login is left
out, since that needs a socket at a fixed place: each connection speaks to an
imapd that greets with PREAUTH, as one that was begun through ssh does. What
runs all the time is gam_server, which tells imapd of changes in a Maildir.
"""

import imaplib
import pathlib
import shlex

import dovecot
import server

# What Debian's /etc/courier/imapd sets, with an IDLE that looks more often.
SETTINGS = {
    "IMAP_CAPABILITY": "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE "
                       "THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA "
                       "IDLE",
    "IMAP_KEYWORDS": "1",
    "IMAP_ACL": "1",
    "IMAP_IDLE_TIMEOUT": "2",
    "IMAP_MAILBOX_SANITY_CHECK": "0",
    "IMAP_USELOCKS": "1",
    "IMAP_ENHANCEDIDLE": "1",
    "IMAP_TRASHFOLDERNAME": "Trash",
    "IMAP_EMPTYTRASH": "Trash:7",
}


class Client(imaplib.IMAP4_stream):
    def logout(self):
        try:
            return super().logout()
        finally:
            self.process.wait(10)


class Courier(server.Server):
    """The mailboxes of one user; each connection is a program of its own:
    `tunnel` is how to call it, as a source wants it."""
    name = "courier"
    separator = "."

    def __init__(self, users=None, folder=None, **settings):
        debs = server.unpacked("courier-imap")
        super().__init__("pr-co.", users, folder)
        prefix = self.reachable(debs)
        self.settings = {**SETTINGS, **settings}
        self.box = self.root / "Maildir"
        self.libraries = server.library_path(prefix)
        self.program = prefix / "usr" / "bin" / "imapd"
        self.notifier = prefix / "usr" / "libexec" / "gam_server"
        self.id = self.root.name
        for name in ("cur", "new", "tmp"):
            (self.box / name).mkdir(parents=True)
        self.own_all()

    def _program_environment(self):
        return {"LD_LIBRARY_PATH": self.libraries, "GAM_CLIENT_ID": self.id,
                "AUTHENTICATED": "alice",
                "HOME": str(self.root), "MAILDIR": str(self.box),
                "TCPREMOTEIP": "127.0.0.1", "TCPREMOTEPORT": "1",
                **self.settings}

    @property
    def tunnel(self):
        here = 'cd "$0" && exec "$@"'
        return ["sh", "-c", here, str(self.root), *map(str, self._drop()),
                str(self.program), "Maildir"]

    def _configure(self):
        pass

    def _argv(self):
        return [self.notifier, "--notimeout", self.id]

    def _answers(self):
        """Its socket has an abstract name, or one in a folder."""
        return self.id in pathlib.Path("/proc/net/unix").read_text()

    def client(self, user="alice"):
        """An imaplib client with an imapd of its own."""
        return Client(shlex.join(self.tunnel))

    create = dovecot.Dovecot.create
    append = dovecot.Dovecot.append
    list_uids = dovecot.Dovecot.list_uids
    flags = dovecot.Dovecot.flags
    bodies = dovecot.Dovecot.bodies
