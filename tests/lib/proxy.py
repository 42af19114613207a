"""A TCP proxy between client and server that counts, cuts and stalls.

It runs in threads of the test's process. What it counts covers all of its
connections since the last reset(): octets up (client to server) and down, and
round trips: how often the client spoke after the server had.
"""

import socket
import threading


class Proxy:
    def __init__(self, target_port):
        self.target = target_port
        self.lock = threading.Lock()
        self.cut_after = None       # octets down, then both sides are closed
        self.stall_after = None     # octets down, then nothing moves any more
        self.on_down = None         # called with the octets down, as they grow
        self.keeps = False          # what the client says, in `said`
        self.stalled = threading.Event()
        self.open = set()
        self.reset()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def reset(self):
        self.up = self.down = self.trips = self.connections = 0
        self.last = None
        self.said = b""

    def close(self):
        self.listener.close()
        self._close_all()

    def _close_all(self):
        with self.lock:
            held, self.open = self.open, set()
        for one in held:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()

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
            with self.lock:
                self.connections += 1
                self.open |= {client, server}
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for args in ((client, server, "up"), (server, client, "down")):
                threading.Thread(target=self._move, args=args,
                                 daemon=True).start()

    def _move(self, source, target, way):
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    target.shutdown(socket.SHUT_WR)
                    return
                data = self._count(data, way)
                if data:
                    target.sendall(data)
                if way == "down" and self._is_cut():
                    self._close_all()
                    return
                if self.stalled.is_set():
                    return
        except OSError:
            return

    def _is_cut(self):
        return self.cut_after is not None and self.down >= self.cut_after

    def _count(self, data, way):
        with self.lock:
            if way == "down":
                for limit in (self.cut_after, self.stall_after):
                    if limit is not None:
                        data = data[:max(0, limit - self.down)]
                self.down += len(data)
                if self.stall_after is not None and \
                        self.down >= self.stall_after:
                    self.stalled.set()
            else:
                self.up += len(data)
                if self.keeps:
                    self.said += data
                self.trips += self.last == "down"
            self.last = way
            down = self.down
        if way == "down" and self.on_down:
            self.on_down(down)
        return data
