"""A throwaway Cyrus IMAP server on loopback: IMAP that is not Dovecot's.

It is Debian's own cyrus-imapd, unpacked and not installed, under the account of
the tests. Its users are made when they first log in. Passwords are asked of a
saslauthd, which is a thread here.
"""

import os
import socket
import struct
import threading

import dovecot
import server
from server import answers, free_ports

CONFIG = """\
configdirectory: {root}/conf
defaultpartition: default
partition-default: {root}/mail
cyrus_user: {user}
cyrus_group: {group}
servername: localhost
admins: admin
altnamespace: yes
unixhierarchysep: yes
virtdomains: off
autocreate_quota: 0
autocreate_inbox_folders: Junk
allowplaintext: yes
sasl_mech_list: PLAIN
sasl_pwcheck_method: saslauthd
sasl_saslauthd_path: {root}/auth/mux
tls_server_cert: {tls}/good.pem
tls_server_key: {tls}/good.key
tls_session_timeout: 0
idlesocket: {root}/conf/socket/idle
lmtpsocket: {root}/conf/socket/lmtp
notifysocket: {root}/conf/socket/notify
imapidlepoll: 60
imapidresponse: yes
maxlogins_per_user: 0
maxlogins_per_host: 0
timeout: 60
expunge_mode: immediate
duplicatesuppression: no
sievedir: {root}/conf/sieve
{extra}
"""

SERVICES = """\
START {{
  idled cmd="{bin}/idled -C {root}/imapd.conf"
}}
SERVICES {{
  imap cmd="{bin}/imapd -C {root}/imapd.conf" listen="127.0.0.1:{imap}" proto="tcp4" prefork=0
  imaps cmd="{bin}/imapd -C {root}/imapd.conf -s" listen="127.0.0.1:{imaps}" proto="tcp4" prefork=0
}}
EVENTS {{
}}
"""


class Saslauthd:
    """Answers who asks whether a password is right (saslauthd's protocol: four
    counted strings, and one as the answer)."""

    def __init__(self, path, users):
        self.users = users
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        os.chmod(path, 0o666)
        self.socket.listen(50)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                one, _ = self.socket.accept()
            except OSError:
                return
            with one:
                one.settimeout(10)
                try:
                    self._answer(one)
                except OSError:
                    pass

    def _answer(self, one):
        with one.makefile("rb") as wire:
            words = []
            for _ in range(4):
                size = struct.unpack(">H", wire.read(2))[0]
                words.append(wire.read(size).decode())
        good = self.users.get(words[0]) == words[1]
        text = b"OK" if good else b"NO"
        one.sendall(struct.pack(">H", len(text)) + text)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Cyrus(server.Server):
    """One server, on ports `imap` and `imaps`, with the mailboxes INBOX and
    Junk for each user.

    extra   further lines of imapd.conf
    """
    name = "cyrus"
    separator = "/"

    def __init__(self, users=None, extra="", folder=None):
        debs = server.unpacked("cyrus-imapd")
        super().__init__("pr-cy.", users, folder)
        self.extra = extra
        prefix = self.reachable(debs)
        self.bin = prefix / "usr" / "lib" / "cyrus" / "bin"
        self.libraries = server.library_path(prefix)
        for name in ("conf/db", "conf/socket", "conf/log", "conf/msg",
                     "conf/proc", "conf/ptclient", "conf/user", "conf/lock",
                     "conf/sieve", "conf/rpm", "conf/backup", "mail", "auth"):
            (self.root / name).mkdir(parents=True)
        self.saslauthd = Saslauthd(self.root / "auth" / "mux", self.users)
        self.own_all()

    def _configure(self):
        self.imap, self.imaps = free_ports(2)
        self.write("imapd.conf", CONFIG.format(
            root=self.root, user=self.user, group=self.group,
            tls=self.root / "tls", extra=self.extra))
        self.write("cyrus.conf", SERVICES.format(
            bin=self.bin, root=self.root, imap=self.imap, imaps=self.imaps))

    def _program_environment(self):
        return {"LD_LIBRARY_PATH": self.libraries}

    def _argv(self):
        return [self.bin / "master", "-C", self.root / "imapd.conf",
                "-M", self.root / "cyrus.conf", "-p", self.root / "pid"]

    def _answers(self):
        return answers(self.imap)

    def close(self):
        super().close()
        self.saslauthd.close()

    # The mail in it: as of another client

    client = dovecot.Dovecot.client
    create = dovecot.Dovecot.create
    append = dovecot.Dovecot.append
    list_uids = dovecot.Dovecot.list_uids
    flags = dovecot.Dovecot.flags
    bodies = dovecot.Dovecot.bodies
