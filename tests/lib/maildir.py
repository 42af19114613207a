"""Reads Maildirs back and compares them with what was on the server."""

import collections
import hashlib
import os
import pathlib


class Entry:
    """One delivered message."""

    def __init__(self, path):
        self.path = path
        self.unique, _, info = path.name.partition(":2,")
        self.flags = set(info)
        self.mtime = path.stat().st_mtime

    @property
    def data(self):
        return self.path.read_bytes()


def entries(folder):
    """What cur and new of one Maildir folder hold, by name."""
    folder = pathlib.Path(folder)
    found = []
    for name in ("cur", "new"):
        if (folder / name).is_dir():
            found += [Entry(path) for path in (folder / name).iterdir()]
    return sorted(found, key=lambda one: one.unique)


def folders(root):
    """Every Maildir folder at or below root, relative to it."""
    root = pathlib.Path(root)
    return sorted(str(path.parent.relative_to(root))
                  for path in root.rglob("cur") if path.is_dir())


def leftovers(root):
    """What lies in tmp of any folder below root."""
    return [path for tmp in pathlib.Path(root).rglob("tmp")
            for path in tmp.iterdir()]


def digests(items):
    """How often each content occurs."""
    return collections.Counter(
        hashlib.sha256(item).digest() for item in items)


def all_data(root):
    for name in folders(root):
        for entry in entries(os.path.join(root, name)):
            yield entry.data


def compare(root, messages):
    """(lost, doubled, alien): how many messages are not below root, are there
    more than once, or are there and were never sent."""
    here = digests(all_data(root))
    sent = digests(one.delivered for one in messages)
    lost = sum((sent - here).values())
    more = here - sent
    doubled = sum(n for key, n in more.items() if key in sent)
    alien = sum(n for key, n in more.items() if key not in sent)
    return lost, doubled, alien


def assert_same(root, messages):
    """Exactly these messages lie below root, octet for octet."""
    lost, doubled, alien = compare(root, messages)
    assert (lost, doubled, alien) == (0, 0, 0), \
        f"{lost} lost, {doubled} doubled, {alien} not as sent"
    assert leftovers(root) == []
