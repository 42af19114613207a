"""Doubles of what rules ask: rspamd, spamd, clamd, web and name servers.

Each listens on a free port of the loopback and speaks just as much of its
protocol as a client needs. `delay` is the time it takes for an answer, in
seconds; `asked` counts the questions, `most` the greatest number that it worked
on at the same time. `answer` may be replaced by a function, to be odd.
"""

import http.server
import json
import re
import socket
import socketserver
import struct
import threading
import time


class Counted:
    """What all of them note. An answer goes out after the `with` block: who has
    it may ask the next thing at once, and is not to be counted twice."""

    def begin(self, delay=0.0, answer=None):
        self.delay, self.odd = delay, answer
        self.asked = self.now = self.most = 0
        self.lock = threading.Lock()
        self.seen = []

    def __enter__(self):
        with self.lock:
            self.asked += 1
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(self.delay)
        return self

    def __exit__(self, *_):
        with self.lock:
            self.now -= 1


class Tcp(Counted):
    """A server whose `talk(line, file)` is called for each connection."""

    def __init__(self, delay=0.0, answer=None):
        self.begin(delay, answer)
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                try:
                    outer.talk(self.request, self.rfile)
                except (OSError, ValueError):
                    pass

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            request_queue_size = 200

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever,
                         kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Clamd(Tcp):
    """Finds "EICAR" in what it is sent."""

    def talk(self, line, file):
        command = file.readline()
        if command == b"nPING\n":
            line.sendall(b"PONG\n")
            return
        if command != b"nINSTREAM\n":
            line.sendall(b"UNKNOWN COMMAND\n")
            return
        data = b""
        while True:
            size = struct.unpack("!I", file.read(4))[0]
            if size == 0:
                break
            data += file.read(size)
        self.seen.append(data)
        with self:
            if self.odd is not None:
                answer = self.odd(data)
            elif b"EICAR" in data:
                answer = b"stream: Eicar-Test-Signature FOUND\n"
            else:
                answer = b"stream: OK\n"
        line.sendall(answer)


class Spamd(Tcp):
    """Takes what has "viagra" in it for spam."""

    def talk(self, line, file):
        command = file.readline().split()[0].decode()
        headers = {}
        for one in iter(file.readline, b"\r\n"):
            name, _, value = one.decode().partition(":")
            headers[name.lower()] = value.strip()
        data = file.read(int(headers.get("content-length", 0)))
        self.seen.append((command, headers, data))
        with self:
            answer = self.answer_to(command, data)
        line.sendall(answer)

    def answer_to(self, command, data):
        if self.odd is not None:
            return self.odd(data)
        if command == "PING":
            return b"SPAMD/1.5 0 PONG\r\n"
        if command == "TELL":
            return (b"SPAMD/1.1 0 EX_OK\r\nDidSet: local\r\n"
                    b"Content-length: 2\r\n\r\n\r\n")
        spam = b"viagra" in data
        symbols = b"DRUGS_ERECTILE,MISSING_DATE" if spam else b""
        return (b"SPAMD/1.1 0 EX_OK\r\nContent-length: %d\r\n"
                b"Spam: %s ; %s / 5.0\r\n\r\n%s\r\n" % (
                    len(symbols) + 2, b"True" if spam else b"False",
                    b"15.5" if spam else b"-0.1", symbols))


class Web(Counted):
    """HTTP; `routes` maps a path to (status, headers, body) or a function of
    the request's body, of which `seen` has (method, path, headers, body)."""

    def __init__(self, routes=None, delay=0.0, tls=None):
        self.begin(delay)
        self.routes = routes or {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def any(self):
                size = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(size)
                outer.seen.append((self.command, self.path,
                                   dict(self.headers), body))
                with outer:
                    found = outer.find(self.path, body)
                self.tell(*found)

            def tell(self, status, headers, body):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_HEAD = any

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 200

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        if tls is not None:
            self.server.socket = tls.wrap_socket(self.server.socket,
                                                 server_side=True)
        self.port = self.server.server_address[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever,
                         kwargs={"poll_interval": 0.05}, daemon=True).start()

    def find(self, path, body):
        route = self.routes.get(path.partition("?")[0], (404, {}, b"no"))
        return route(body) if callable(route) else route

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Rspamd(Web):
    """Takes what has "viagra" in it for spam."""

    def __init__(self, delay=0.0, **options):
        super().__init__({"/checkv2": self.check, "/ping": (200, {}, b"pong"),
                          "/learnspam": self.learn, "/learnham": self.learn},
                         delay, **options)
        self.learned = set()

    def check(self, body):
        spam = b"viagra" in body
        symbols = {"ARC_NA": {"name": "ARC_NA", "score": 0.0}}
        if spam:
            symbols["DRUGS"] = {"name": "DRUGS", "score": 15.5,
                                "description": "has drugs",
                                "options": ["viagra"]}
        return 200, {"Content-Type": "application/json"}, json.dumps({
            "is_skipped": False, "score": 15.5 if spam else 0.5,
            "required_score": 15.0,
            "action": "reject" if spam else "no action",
            "symbols": symbols, "message-id": "undef"}).encode()

    def learn(self, body):
        if body in self.learned:
            return 208, {}, b'{"error": "has been already learned"}'
        self.learned.add(body)
        return 200, {}, b'{"success": true}'


# ---- The domain name system -------------------------------------------------

TYPES = {"A": 1, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}


def name_octets(name):
    out = b""
    for label in name.rstrip(".").split("."):
        out += bytes([len(label)]) + label.encode()
    return out + b"\0"


def data_octets(kind, value):
    if kind == "A":
        return socket.inet_aton(value)
    if kind == "AAAA":
        return socket.inet_pton(socket.AF_INET6, value)
    if kind == "MX":
        return struct.pack("!H", value[0]) + name_octets(value[1])
    if kind == "TXT":
        return b"".join(bytes([len(one)]) + one
                        for one in re.findall(b".{1,255}", value, re.DOTALL))
    if kind == "SOA":
        return name_octets("ns.test") + name_octets("root.test") + \
            struct.pack("!5I", 1, 3600, 600, 86400, value)
    return name_octets(value)


class Dns(Counted):
    """records: {("name", "A"): [values]}; a name of no record is NXDOMAIN. A
    value of None is SERVFAIL. Over UDP an answer of more than 512 octets is
    truncated, so that it is asked for again over TCP."""

    def __init__(self, records, delay=0.0, ttl=300):
        self.begin(delay)
        self.records, self.ttl = records, ttl
        outer = self

        class Udp(socketserver.BaseRequestHandler):
            def handle(self):
                data, line = self.request
                answer = outer.reply(data)
                if len(answer) > 512:
                    answer = answer[:2] + struct.pack("!H", 0x8380) + \
                        answer[4:6] + bytes(6) + outer.question(data)
                line.sendto(answer, self.client_address)

        class Tcp(socketserver.StreamRequestHandler):
            def handle(self):
                while True:
                    head = self.rfile.read(2)
                    if len(head) < 2:
                        return
                    data = self.rfile.read(struct.unpack("!H", head)[0])
                    answer = outer.reply(data)
                    self.wfile.write(struct.pack("!H", len(answer)) + answer)

        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self.servers = [socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tcp)]
        self.port = self.servers[0].server_address[1]
        self.servers.append(socketserver.ThreadingUDPServer(
            ("127.0.0.1", self.port), Udp))
        for one in self.servers:
            one.daemon_threads = True
            threading.Thread(target=one.serve_forever,
                             kwargs={"poll_interval": 0.05},
                             daemon=True).start()

    @staticmethod
    def question(data):
        end = 12
        while data[end]:
            end += data[end] + 1
        return data[12:end + 5]

    def reply(self, data):
        with self:
            question = self.question(data)
            labels, at = [], 0
            while question[at]:
                labels.append(question[at + 1:at + 1 + question[at]].decode())
                at += question[at] + 1
            name = ".".join(labels).lower()
            kind = struct.unpack("!H", question[-4:-2])[0]
            word = next(key for key, value in TYPES.items() if value == kind)
            self.seen.append((name, word))
            return self.make(data[:2], question, name, word)

    def make(self, ident, question, name, word):
        values = self.records.get((name, word), [])
        code = 0
        if values is None:
            code, values = 2, []
        elif not any(key[0] == name for key in self.records):
            code = 3
        answers = b"".join(
            b"\xc0\x0c" + struct.pack("!HHIH", TYPES[word], 1, self.ttl,
                                      len(data_octets(word, one))) +
            data_octets(word, one) for one in values)
        soa = b""
        if not values and code != 2:
            data = data_octets("SOA", 60)
            soa = name_octets("test") + struct.pack(
                "!HHIH", TYPES["SOA"], 1, 60, len(data)) + data
        return ident + struct.pack("!HHHHH", 0x8180 | code, 1, len(values),
                                   1 if soa else 0, 0) + question + answers + soa

    def close(self):
        for one in self.servers:
            one.shutdown()
            one.server_close()
