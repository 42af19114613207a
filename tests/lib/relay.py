"""A TCP relay that reads along, rewrites lines, and falls silent.

It stands between a client and a server that speak lines on a clear connection
(or octets it does not look at), in threads of the test's process.
"""

import socket
import threading
import time


class Line:
    """One line that went by: `up` to the server or down, when, and on which
    connection (counted from 1)."""

    def __init__(self, up, text, connection):
        self.up, self.text, self.connection = up, text, connection
        self.time = time.monotonic()

    def __repr__(self):
        return f"{self.connection}{'>' if self.up else '<'} {self.text!r}"


class Connection:
    def __init__(self, number, client, server):
        self.number, self.client, self.server = number, client, server
        self.is_silent = False


class Relay:
    """Use it as a context, or close() it.

    rewrite     called with each line down, without its CRLF; what it returns
                goes to the client
    """

    def __init__(self, port, rewrite=None, keep=True):
        self.target, self.rewrite, self.keep = port, rewrite, keep
        self.changed = threading.Condition()
        self.lines = []
        self.connections = []
        self.is_silent = False
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.listener.close()
        self.cut()

    # What happens to connections

    def cut(self):
        """Closes all that is open."""
        with self.changed:
            for one in self.connections:
                for end in (one.client, one.server):
                    try:
                        end.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        pass

    def fall_silent(self):
        """From now on nothing is forwarded, and nobody is told. What is open
        stays so for ever; new connections are accepted and not answered."""
        with self.changed:
            self.is_silent = True
            for one in self.connections:
                one.is_silent = True

    def speak(self):
        """New connections are served again."""
        with self.changed:
            self.is_silent = False

    # What went by

    def wait(self, claim, seconds, what):
        """The first true result of claim(lines); it is called whenever a line
        has gone by."""
        end = time.monotonic() + seconds
        with self.changed:
            while True:
                result = claim(self.lines)
                if result:
                    return result
                left = end - time.monotonic()
                if left <= 0:
                    last = "\n".join(map(repr, self.lines[-20:]))
                    raise TimeoutError(f"no {what} within {seconds} s; "
                                       f"the last lines:\n{last}")
                self.changed.wait(left)

    def commands(self, word, since=0.0):
        """The lines up whose command, after the tag, is that word."""
        word = word.upper().encode()
        return [one for one in self.lines if one.up and one.time >= since
                and one.text.upper().split()[1:2] == [word]]

    # Threads

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.changed:
                one = Connection(len(self.connections) + 1, client, server)
                one.is_silent = self.is_silent
                self.connections.append(one)
            for up in (True, False):
                threading.Thread(target=self._move, args=(one, up),
                                 daemon=True).start()

    def _move(self, one, up):
        source, target = (one.client, one.server) if up else \
            (one.server, one.client)
        rest = b""
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    break
                if one.is_silent:
                    continue
                *whole, rest = (rest + data).split(b"\n")
                if self.keep or self.rewrite:
                    whole = [self._see(one, up, text) for text in whole]
                    data = b"".join(text + b"\n" for text in whole)
                else:
                    data, rest = data, b""
                if data:
                    target.sendall(data)
        except OSError:
            pass
        if not one.is_silent:
            for end in (one.client, one.server):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def _see(self, one, up, text):
        """One line without its LF; returns what to forward."""
        bare = text.removesuffix(b"\r")
        if not up and self.rewrite:
            new = self.rewrite(bare)
            text = new + text[len(bare):]
            bare = new
        if self.keep:
            with self.changed:
                self.lines.append(Line(up, bare, one.number))
                self.changed.notify_all()
        return text


def without(*capabilities):
    """A rewriting that takes these out of what the server says it can."""
    names = {name.upper().encode() for name in capabilities}

    def rewrite(line):
        if b"CAPABILITY " not in line.upper():
            return line
        words = []
        for word in line.split(b" "):
            if word.upper().rstrip(b"]") not in names:
                words.append(word)
            elif word.endswith(b"]"):   # the last of a response code
                words[-1] += b"]"
        return b" ".join(words)
    return rewrite
