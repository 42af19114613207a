"""The two limits of a fetch: what the server can send, what the disk can keep.

    limits.py drain PORT CA USER PASSWORD  FETCH of every body to nowhere
    limits.py disk WAY FOLDER FILES         copies a folder of files durably

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


def drain(port, ca, user, password):
    context = ssl.create_default_context(cafile=ca)
    plain = socket.create_connection(("localhost", int(port)))
    with context.wrap_socket(plain, server_hostname="localhost") as stream:
        stream.recv(4096)
        talk(stream, "a1", f'LOGIN {user} "{password}"', 65536)
        talk(stream, "a2", "EXAMINE INBOX", 65536)
        talk(stream, "a3", "UID FETCH 1:* (UID FLAGS INTERNALDATE "
             "BODY.PEEK[])", 262144)
        talk(stream, "a4", "NOOP", 65536)


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
    {"drain": drain, "disk": disk}[sys.argv[1]](*sys.argv[2:])
