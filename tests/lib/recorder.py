"""An SMTP or LMTP server that takes every message and says what it took.

It runs in threads of the test's process. A message is in a file before its
reply is sent, so that what lies in its folder is the truth to compare with,
whoever dies. `scold` may refuse: it is called with the verb (`MAIL`, `RCPT`,
`DATA`, `.` for the content) and its argument, and returns None or a reply.
"""

import os
import pathlib
import socket
import socketserver
import threading
import time


class Session(socketserver.StreamRequestHandler):
    """One connection. Commands may come many at once."""

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reset()

    def reset(self):
        self.sender, self.recipients, self.chunks = None, [], []

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        try:
            self.say("220 recorder.example.org ready")
            while self.serve(self.rfile.readline(4096)):
                pass
        except (ConnectionError, EOFError):
            pass

    def serve(self, line):
        if not line.endswith(b"\r\n"):
            return False
        word, _, rest = line[:-2].decode().partition(" ")
        verb = word.upper()
        if verb == "QUIT":
            self.say("221 bye")
            return False
        method = getattr(self, "do_" + verb.lower(), None)
        if method is None:
            self.say("502 not known here")
        else:
            method(rest)
        return True

    def refused(self, verb, rest):
        reply = self.server.scold and self.server.scold(verb, rest)
        if reply:
            self.say(reply)
        return bool(reply)

    def do_ehlo(self, _):
        self.reset()
        for name in self.server.offers:
            self.say(f"250-{name}")
        self.say("250 HELP")

    do_lhlo = do_ehlo

    def do_noop(self, _):
        self.say("250 fine")

    def do_rset(self, _):
        self.reset()
        self.say("250 fine")

    def do_mail(self, rest):
        if not self.refused("MAIL", rest):
            self.sender = rest
            self.say("250 fine")

    def do_rcpt(self, rest):
        if not self.refused("RCPT", rest):
            self.recipients.append(rest)
            self.say("250 fine")

    def do_data(self, rest):
        if not self.recipients:
            self.say("503 no recipients")
            return
        if self.refused("DATA", rest):
            return
        self.say("354 go on")
        lines = []
        while True:
            line = self.rfile.readline()
            if not line:
                raise EOFError
            if line == b".\r\n":
                break
            lines.append(line[1:] if line.startswith(b".") else line)
        self.take(b"".join(lines))

    def do_bdat(self, rest):
        size, _, last = rest.partition(" ")
        data = self.rfile.read(int(size))
        if len(data) < int(size):
            raise EOFError
        self.chunks.append(data)
        if last.upper() == "LAST":
            self.take(b"".join(self.chunks))
        else:
            self.say("250 fine")

    def take(self, data):
        """Keeps the message for each of its recipients."""
        count = len(self.recipients) if self.server.lmtp else 1
        for recipient in self.recipients[:count]:
            if not self.refused(".", recipient):
                self.server.keep(data)
                self.say("250 kept")
        self.reset()


class Recorder(socketserver.ThreadingTCPServer):
    """One server on `port`; what it took lies in `folder`."""
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, folder, lmtp=False, scold=None, offers=(
            "PIPELINING", "8BITMIME", "SIZE 100000000")):
        super().__init__(("127.0.0.1", 0), Session)
        self.folder = pathlib.Path(folder)
        (self.folder / "new").mkdir(parents=True)
        self.lmtp, self.scold, self.offers = lmtp, scold, offers
        self.port = self.server_address[1]
        self.lock = threading.Lock()
        self.busy = self.number = 0
        threading.Thread(target=self.serve_forever, args=(0.05,),
                         daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.shutdown()
        self.server_close()

    def process_request(self, request, client_address):
        with self.lock:
            self.busy += 1
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        super().shutdown_request(request)
        with self.lock:
            self.busy -= 1

    def handle_error(self, request, client_address):
        (self.folder / "errors").touch()
        super().handle_error(request, client_address)

    def keep(self, data):
        with self.lock:
            self.number += 1
            name = f"{self.number:06d}"
        part = self.folder / name
        with open(part, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        part.rename(self.folder / "new" / name)

    def kept(self):
        """Octets of each message, in the order they were taken in."""
        return [path.read_bytes()
                for path in sorted((self.folder / "new").iterdir())]

    def idle(self, seconds=30):
        """Waits until no client is connected."""
        end = time.monotonic() + seconds
        while self.busy:
            if time.monotonic() > end:
                raise TimeoutError(f"a client stays for {seconds} s")
            time.sleep(0.005)
