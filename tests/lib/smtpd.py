"""An SMTP or LMTP server that does as it is told, stage by stage.

`answers` maps a stage to what is said there: "connect", "helo", "plain helo",
"starttls", "auth", "mail", "rcpt", "data", "chunk", "message", "rset", "quit".
"content" can be CUT, which closes the line in the middle of a message. An answer is a reply
("451 4.3.0 not now"), or a list of which each time takes the next (the last
one stays), or a function of the command's argument; None is the usual answer.
A reply may also be one of

    CUT        the line is closed without a word
    CUT_AFTER  for "message": the message is kept, then the line is closed
    HANG       nothing is said until the client goes

What was accepted is in `messages`: sender, recipients, octets of the content
exactly as they came, dots undone, and the transaction's parameters.
"""

import socket
import ssl
import threading

CUT = "cut"
CUT_AFTER = "cut after"
HANG = "hang"


class Message:
    def __init__(self, sender, recipients, data, parameters):
        self.sender, self.recipients = sender, recipients
        self.data, self.parameters = data, parameters

    def body(self):
        """What was sent below our trace field, line ends as LF."""
        text = self.data.replace(b"\r\n", b"\n")
        if text.startswith(b"Received: by "):
            lines = text.split(b"\n")
            at = 1
            while lines[at][:1] in (b" ", b"\t"):
                at += 1
            text = b"\n".join(lines[at:])
        return text


class Gone(Exception):
    """The client closed, or this server did."""


class Smtpd:
    """capabilities   what EHLO offers
    lmtp           speak LMTP
    tls            (certificate, key): offer STARTTLS
    user           (name, password): offer AUTH and ask for it
    path           a unix socket instead of a TCP port
    lenient        take LF.LF, CR.CR and their mixtures for the end, too
    """

    def __init__(self, answers=None, capabilities=("PIPELINING", "8BITMIME"),
                 lmtp=False, tls=None, user=None, path=None, lenient=False):
        self.answers = {key: list(value) if isinstance(value, list) else value
                        for key, value in (answers or {}).items()}
        self.capabilities = list(capabilities)
        self.lmtp, self.tls, self.user = lmtp, tls, user
        self.lenient = lenient
        self.messages, self.commands, self.connections = [], [], 0
        self.lock = threading.Lock()
        if path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(str(path))
        else:
            self.listener = socket.socket()
            self.listener.bind(("127.0.0.1", 0))
            self.port = self.listener.getsockname()[1]
        self.listener.listen(20)
        self.lines = set()
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        with self.lock:
            lines = list(self.lines)
        for line in lines:
            line.drop()
        self.thread.join(10)

    def hang_up(self):
        """Closes every connection, as a server that restarts."""
        with self.lock:
            lines = list(self.lines)
        for line in lines:
            line.drop()

    def _accept(self):
        while True:
            try:
                one, _ = self.listener.accept()
            except OSError:
                return
            line = Line(self, one)
            with self.lock:
                self.connections += 1
                self.lines.add(line)
            threading.Thread(target=line.run, daemon=True).start()

    def say(self, stage, usual, argument=b""):
        """What the script says at that stage."""
        with self.lock:
            answer = self.answers.get(stage)
            if isinstance(answer, list):
                answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if callable(answer):
            answer = answer(argument)
        return usual if answer is None else answer


class Line:
    def __init__(self, server, one):
        self.server, self.socket = server, one
        self.buffer = b""
        self.greeted = False
        self.reset()

    def reset(self):
        self.sender, self.recipients = None, []
        self.parameters, self.chunks = {}, []

    def drop(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def run(self):
        try:
            self.tell("connect", "220 mx.example.org ready")
            while True:
                self.one_command()
        except (Gone, OSError):
            pass
        finally:
            with self.server.lock:
                self.server.lines.discard(self)
            self.socket.close()

    # Octets

    def more(self):
        octets = self.socket.recv(65536)
        if not octets:
            raise Gone()
        self.buffer += octets

    def read_line(self):
        while b"\n" not in self.buffer:
            self.more()
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.rstrip(b"\r")

    def read_exactly(self, size):
        while len(self.buffer) < size:
            self.more()
        octets, self.buffer = self.buffer[:size], self.buffer[size:]
        return octets

    def find_end(self):
        """Where the end of the message begins and stops, or None."""
        ends = [b"\r\n.\r\n"]
        if self.server.lenient:
            ends += [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r\n.\r",
                     b"\r.\r\n", b"\n.\r"]
        found = [(at, at + len(end)) for end in ends
                 if (at := self.buffer.find(end)) >= 0]
        return min(found, key=lambda one: (one[0], -one[1])) if found else None

    def read_content(self):
        self.buffer = b"\r\n" + self.buffer
        if self.server.say("content", None) == CUT:
            self.more()
            self.write(CUT)
        while (end := self.find_end()) is None:
            self.more()
        octets, self.buffer = self.buffer[2:end[0] + 2], self.buffer[end[1]:]
        lines = octets.split(b"\r\n")
        return b"\r\n".join(line[1:] if line[:1] == b"." else line
                            for line in lines)

    def write(self, answer):
        if answer == CUT:
            self.drop()
            raise Gone()
        if answer == HANG:
            while True:
                self.more()
        octets = answer if isinstance(answer, bytes) else \
            answer.encode() + b"\r\n"
        self.socket.sendall(octets)
        return octets[:1]

    def tell(self, stage, usual, argument=b""):
        return self.write(self.server.say(stage, usual, argument))

    # Commands

    def one_command(self):
        line = self.read_line()
        if self.server.lenient and not line:
            return  # the LF of an end that was seen at its CR
        with self.server.lock:
            self.server.commands.append(line)
        verb, _, argument = line.partition(b" ")
        method = getattr(self, "do_" + verb.decode(errors="replace").lower(),
                         None)
        if method is None:
            self.write("500 5.5.1 unknown command")
        else:
            method(argument)

    def do_ehlo(self, _):
        if self.server.lmtp:
            self.write("500 5.5.1 this is LMTP")
            return
        self.greet()

    def do_lhlo(self, _):
        if not self.server.lmtp:
            self.write("500 5.5.1 this is SMTP")
            return
        self.greet()

    def do_helo(self, _):
        self.tell("plain helo", "250 mx.example.org")
        self.greeted = True

    def greet(self):
        offered = list(self.server.capabilities)
        if self.server.tls and not isinstance(self.socket, ssl.SSLSocket):
            offered.append("STARTTLS")
        elif self.server.user:
            offered.append("AUTH PLAIN LOGIN")
        lines = ["mx.example.org", *offered]
        self.tell("helo", "\r\n".join(
            f"250{' ' if i + 1 == len(lines) else '-'}{line}"
            for i, line in enumerate(lines)))
        self.greeted = True

    def do_starttls(self, _):
        if self.tell("starttls", "220 go on") != b"2":
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.server.tls)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.buffer = b""

    def do_auth(self, argument):
        self.server.auth = argument
        if argument == b"LOGIN":
            self.write("334 VXNlcm5hbWU6")
            user = self.read_line()
            self.write("334 UGFzc3dvcmQ6")
            self.server.auth = (user, self.read_line())
        elif argument == b"PLAIN":
            self.write("334 ")
            self.server.auth = self.read_line()
        self.tell("auth", "235 2.7.0 welcome")

    def do_mail(self, argument):
        if self.sender is not None:
            self.write("503 5.5.1 nested MAIL")
            return
        path, _, rest = argument.partition(b" ")
        if self.tell("mail", "250 2.1.0 ok", argument) == b"2":
            self.sender = path.partition(b":")[2].strip(b"<>").decode()
            self.parameters = {"mail": rest.decode()}

    def do_rcpt(self, argument):
        if self.sender is None:
            self.write("503 5.5.1 no MAIL")
            return
        path, _, rest = argument.partition(b" ")
        if self.tell("rcpt", "250 2.1.5 ok", argument) == b"2":
            self.recipients.append(
                path.partition(b":")[2].strip(b"<>").decode())
            self.parameters["rcpt"] = rest.decode()

    def do_data(self, _):
        if not self.recipients:
            self.write("503 5.5.1 no valid recipient")
            return
        if self.tell("data", "354 go on") == b"3":
            self.take(self.read_content())

    def do_bdat(self, argument):
        words = argument.split()
        octets = self.read_exactly(int(words[0]))
        if not self.recipients:
            self.write("503 5.5.1 no valid recipient")
            return
        if words[-1].upper() != b"LAST":
            if self.tell("chunk", "250 2.0.0 chunk") == b"2":
                self.chunks.append(octets)
            return
        self.take(b"".join(self.chunks) + octets)

    def take(self, data):
        replies = len(self.recipients) if self.server.lmtp else 1
        message = Message(self.sender, list(self.recipients), data,
                          dict(self.parameters))
        recipients = message.recipients
        had = []
        self.reset()
        for i in range(replies):
            answer = self.server.say("message", "250 2.0.0 taken",
                                     recipients[i].encode())
            good = answer == CUT_AFTER or answer[:1] in ("2", b"2")
            if good:
                had += [recipients[i]] if self.server.lmtp else recipients
            if good and i == 0 or had and message not in self.server.messages:
                with self.server.lock:
                    self.server.messages.append(message)
            message.recipients = had
            self.write(CUT if answer == CUT_AFTER else answer)

    def do_rset(self, _):
        self.reset()
        self.tell("rset", "250 2.0.0 ok")

    def do_quit(self, _):
        self.tell("quit", "221 2.0.0 bye")
        raise Gone()
