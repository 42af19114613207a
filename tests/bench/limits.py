"""The limits of a fetch: what servers can send and take, and the disk can keep.

    limits.py drain imap PORT CA USER PASSWORD  FETCH of every body to nowhere
    limits.py drain pop3 PORT CA USER PASSWORD  pipelined RETR to nowhere
    limits.py flood PORT RECIPIENT FILES        a folder of files, by LMTP
    limits.py disk WAY FOLDER FILES             copies a folder of files durably

WAY is `syncfs` (one syncfs per 100 files) or `fsync` (100 files are written,
then each is fsynced, then the folder). Each runs as a process of its own, so
that its time and memory are measured like those of the fetchers.
"""

import ctypes
import os
import pathlib
import socket
import ssl
import sys

BATCH = 100


def talk(stream, tag, command, size):
    """Sends one command and reads until its tagged answer; keeps nothing."""
    stream.sendall(f"{tag} {command}\r\n".encode())
    end = f"\r\n{tag} OK".encode()
    buffer = bytearray(size)
    view = memoryview(buffer)
    tail = b"\r\n"
    total = 0
    while True:
        count = stream.recv_into(view)
        if count == 0:
            sys.exit("drain: the server closed the connection")
        total += count
        tail = (tail + view[max(0, count - 2000):count].tobytes())[-4000:]
        if end in tail:
            return total
        if f"\r\n{tag} ".encode() in tail:
            sys.exit(f"drain: {tail!r}")


def drain_imap(stream, user, password):
    talk(stream, "a1", f'LOGIN {user} "{password}"', 65536)
    talk(stream, "a2", "EXAMINE INBOX", 65536)
    talk(stream, "a3", "UID FETCH 1:* (UID FLAGS INTERNALDATE "
         "BODY.PEEK[])", 262144)
    talk(stream, "a4", "NOOP", 65536)


def drain_pop3(stream, user, password):
    """What ends a message, CRLF.CRLF, can be in none (RFC 1939, 3)."""
    for command in (f"USER {user}", f"PASS {password}"):
        stream.sendall(command.encode() + b"\r\n")
        if not stream.recv(4096).startswith(b"+OK"):
            sys.exit("drain: the login failed")
    stream.sendall(b"STAT\r\n")
    count = int(stream.recv(4096).split()[1])
    sent = done = 0
    buffer = bytearray(262144)
    tail = b""
    while done < count:
        # Commands of 64 messages are on their way.
        if sent < count and sent - done < 48:
            last = min(count, done + 64)
            stream.sendall(b"".join(b"RETR %d\r\n" % number for number
                                    in range(sent + 1, last + 1)))
            sent = last
        size = stream.recv_into(buffer)
        if size == 0:
            sys.exit("drain: the server closed the connection")
        text = tail + buffer[:size]
        done += text.count(b"\r\n.\r\n")
        tail = b"" if text.endswith(b"\r\n.\r\n") else bytes(text[-4:])
    stream.sendall(b"QUIT\r\n")


def drain(protocol, port, ca, user, password):
    context = ssl.create_default_context(cafile=ca)
    plain = socket.create_connection(("localhost", int(port)))
    with context.wrap_socket(plain, server_hostname="localhost") as stream:
        stream.recv(4096)
        {"imap": drain_imap, "pop3": drain_pop3}[protocol](
            stream, user, password)


def flood(port, recipient, files):
    """The envelope of a message goes with the end of the one before."""
    names = sorted(os.scandir(files), key=lambda entry: entry.name)
    envelope = (f"MAIL FROM:<>\r\nRCPT TO:<{recipient}>\r\n"
                "DATA\r\n").encode()
    with socket.create_connection(("localhost", int(port))) as plain, \
            plain.makefile("rb") as replies:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def expect(*codes):
            for code in codes:
                line = replies.readline()
                while line[3:4] == b"-":
                    line = replies.readline()
                if not line.startswith(code):
                    sys.exit(f"flood: {line!r}")

        expect(b"220")
        plain.sendall(b"LHLO localhost\r\n")
        expect(b"250")
        plain.sendall(envelope)
        for number, entry in enumerate(names, 1):
            expect(b"250", b"250", b"354")
            with open(entry.path, "rb") as source:
                data = source.read().replace(b"\n", b"\r\n")
            data = data.replace(b"\r\n.", b"\r\n..")
            end = b".\r\n" if data.endswith(b"\r\n") else b"\r\n.\r\n"
            plain.sendall(data + end + (envelope if number < len(names)
                                        else b"QUIT\r\n"))
            expect(b"250")


def disk(way, folder, files):
    """The files come from a folder that is in the page cache."""
    libc = ctypes.CDLL(None, use_errno=True)
    target = pathlib.Path(folder)
    target.mkdir(parents=True)
    holder = os.open(target, os.O_RDONLY)
    names = sorted(os.scandir(files), key=lambda entry: entry.name)
    for start in range(0, len(names), BATCH):
        written = []
        for entry in names[start:start + BATCH]:
            fd = os.open(target / entry.name,
                         os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(entry.path, "rb") as source:
                os.write(fd, source.read())
            written.append(fd)
        if way == "fsync":
            for fd in written:
                os.fsync(fd)
            os.fsync(holder)
        elif libc.syncfs(holder) != 0:
            sys.exit("disk: syncfs failed")
        for fd in written:
            os.close(fd)


if __name__ == "__main__":
    {"drain": drain, "flood": flood, "disk": disk}[sys.argv[1]](*sys.argv[2:])
