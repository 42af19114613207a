"""The mail of a benchmark: what was sent, and what of it came."""

import collections
import hashlib
import os
import pathlib

import messages


def key(data):
    """What no fetcher may change: the body, and who the message is. Headers
    that a fetcher adds do not count."""
    data = data.replace(b"\r\n", b"\n")
    head, _, body = data.partition(b"\n\n")
    for line in head.split(b"\n"):
        if line[:11].lower() == b"message-id:":
            return hashlib.sha256(line[11:].strip() + b"\n" + body).digest()
    return hashlib.sha256(body).digest()


class Mailbox:
    """The generated mail: in two users' INBOX, and as plain files."""

    def __init__(self, server, place, options, count):
        self.files = place / "files"
        self.files.mkdir()
        slow = options.slow_messages or count
        self.counts = {"full": count, "part": min(slow, count)}
        self.octets, self.keys = collections.Counter(), {}
        keys = []
        for number, one in enumerate(
                messages.sized(count, options.seed)):
            server.fill([one], user="full")
            (self.files / f"{number:06d}").write_bytes(one.delivered)
            self.octets["full"] += len(one.data)
            if number < self.counts["part"]:
                server.fill([one], user="part")
                self.octets["part"] += len(one.data)
            keys.append(key(one.data))
        for user, count in self.counts.items():
            self.keys[user] = collections.Counter(keys[:count])


def delivered(place):
    """What lies in the Maildirs there."""
    found = collections.Counter()
    for folder, _, files in os.walk(place):
        if os.path.basename(folder) in ("cur", "new"):
            for name in files:
                found[key(pathlib.Path(folder, name).read_bytes())] += 1
    return found


def taken(home):
    """What a server took by LMTP: each file of an sdbox has lines around the
    message, of which the first octet is 1."""
    found = collections.Counter()
    for path in home.rglob("u.*"):
        data = path.read_bytes()
        begin = data.index(b"\n", data.index(b"\x01\x02")) + 1
        found[key(data[begin:data.rindex(b"\n\x01\x03\n")])] += 1
    return found
