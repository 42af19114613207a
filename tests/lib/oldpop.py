"""A POP3 server of the old kind (RFC 1460): neither CAPA nor UIDL nor TOP, but
LAST. It runs in threads of the test's process and notes what it is asked."""

import socketserver
import threading


class Session(socketserver.StreamRequestHandler):
    """One connection; what it retrieves counts when it is over."""

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        self.commands, self.deleted, self.highest = [], set(), 0
        self.server.sessions.append(self.commands)
        try:
            self.say("+OK ready")
            while self.serve(self.rfile.readline(4096)):
                pass
        except ConnectionError:
            pass

    def serve(self, line):
        if not line.endswith(b"\r\n"):
            return False
        verb, *rest = line.decode().split()
        self.commands.append(line.decode().strip())
        method = getattr(self, "do_" + verb.lower(), None)
        if method is None:
            self.say("-ERR what?")
        else:
            method(*map(int, rest) if verb in ("RETR", "DELE", "TOP")
                   else rest)
        return verb != "QUIT"

    def do_user(self, _):
        self.say("+OK")

    def do_pass(self, _):
        self.box = list(self.server.box)
        self.say("+OK in")

    def do_stat(self):
        self.say(f"+OK {len(self.box)} {sum(map(len, self.box))}")

    def do_list(self):
        self.say("+OK")
        for number, one in enumerate(self.box, 1):
            self.say(f"{number} {len(one)}")
        self.say(".")

    def do_last(self):
        if self.server.last is None:
            self.say("-ERR what?")
        else:
            self.say(f"+OK {self.server.last}")

    def do_retr(self, number):
        self.highest = max(self.highest, number)
        self.say("+OK")
        self.wfile.write(self.box[number - 1] + b".\r\n")

    def do_dele(self, number):
        self.deleted.add(number)
        self.say("+OK")

    def do_quit(self):
        server = self.server
        if server.last is not None:
            seen = max(server.last, self.highest)
            server.last = seen - sum(one <= seen for one in self.deleted)
        server.box = [one for number, one in enumerate(self.box, 1)
                      if number not in self.deleted]
        self.say("+OK bye")


class OldPop(socketserver.ThreadingTCPServer):
    """One server on port `pop3`.

    box       octets of each message, lines ended by CRLF
    last      what LAST says, and follows from what is retrieved; None: refused
    sessions  the commands of each
    """
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    users = {"alice": "secret"}
    ca_file = "/dev/null"

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Session)
        self.pop3 = self.server_address[1]
        self.box, self.last, self.sessions = [], 0, []
        threading.Thread(target=self.serve_forever, args=(0.05,),
                         daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def retrieved(self):
        """Numbers of the messages that the last session retrieved."""
        return [int(command.split()[1]) for command in self.sessions[-1]
                if command.startswith("RETR")]
