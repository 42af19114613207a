"""Writes and reads mboxes, independently of the program under test."""

import collections
import pathlib
import re
import time


def line(one, sender="sender@example.org"):
    """The From_ line of a message."""
    date = time.strftime("%a %b %e %H:%M:%S %Y", time.gmtime(one.date))
    return f"From {sender} {date}\n".encode()


def quoted(data):
    """As it stands in an mboxrd file, with the empty line behind it."""
    data = re.sub(rb"^(>*From )", rb">\1", data, flags=re.M)
    return data + (b"" if data.endswith(b"\n") else b"\n") + b"\n"


def write(path, messages):
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as file:
        for one in messages:
            file.write(line(one) + quoted(one.delivered))


def split(path):
    """The messages of an mboxrd file, unquoted; nothing may stand between."""
    path = pathlib.Path(path)
    if not path.exists():
        return []
    data = path.read_bytes()
    assert data == b"" or data.startswith(b"From ")
    found = []
    for part in re.split(rb"(?:\A|(?<=\n))From [^\n]*\n", data)[1:]:
        assert part.endswith(b"\n"), part[-50:]
        found.append(re.sub(rb"^>(>*From )", rb"\1", part[:-1], flags=re.M))
    return found


def ended(data):
    return data if data.endswith(b"\n") else data + b"\n"


def assert_same(found, sent):
    """Each message that was sent is there once, octet by octet."""
    there = collections.Counter(found)
    wanted = collections.Counter(ended(one.delivered) for one in sent)
    assert there == wanted, (
        f"{sum((wanted - there).values())} lost, "
        f"{sum((there - wanted).values())} doubled or damaged")
