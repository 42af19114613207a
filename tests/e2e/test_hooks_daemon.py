"""Hooks in the daemon: they hear at once of what other programs do in a folder
that is watched, and soon of the others."""


import pytest

from service import Service

HOW = {
    "notify": "",
    "idle": 'disable = { "NOTIFY" }',
    "notify without qresync": 'disable = { "QRESYNC" }',
    "idle without qresync": 'disable = { "NOTIFY", "QRESYNC" }',
    "idle without modseq": 'disable = { "NOTIFY", "QRESYNC", "CONDSTORE" }',
}

TELL = """\
#!/bin/sh
printf '%s\\n' "$*" >>"$0.heard"
"""

RULES = """
local function told(m, change)
  exec {{ "{tell}", change.event, m.folder, change.from or "-",
         m.message_id:match "^[^@]*", table.concat(change.added, ",") }}
end
on("moved_in", {{ folder = "Junk" }}, function(m, change)
  told(m, change)
  m:flag "$Spam"
end)
on("moved_in", {{ from = "Junk", folder = "INBOX" }}, function(m, change)
  told(m, change)
  m:unflag "$Spam"
end)
on("flags", {{ folder = {{ "INBOX", "Junk" }} }}, told)
on("vanished", {{ folder = "INBOX" }}, told)
"""


def letter(name):
    return (f"From: {name}@example.org\r\nTo: alice@example.org\r\n"
            f"Message-ID: <{name}@example.org>\r\nSubject: about {name}\r\n"
            f"Date: Mon, 6 Jul 2026 10:00:00 +0000\r\n\r\n"
            f"The text of {name}.\r\n").encode()


class Client:
    """Another program at work in the mailbox."""

    def __init__(self, server, folder):
        self.client = server.client()
        self.client.select(folder)

    def uid(self, name):
        self.client.noop()
        found = self.client.uid("search", "HEADER", "Message-ID",
                                f"<{name}@example.org>")[1][0].split()
        assert len(found) == 1, (name, found)
        return found[0].decode()

    def move(self, name, target):
        assert self.client.uid("MOVE", self.uid(name), target)[0] == "OK"

    def flag(self, name, flag, sign="+"):
        assert self.client.uid("STORE", self.uid(name),
                               sign + "FLAGS.SILENT", f"({flag})")[0] == "OK"

    def delete(self, name):
        self.flag(name, "\\Deleted")
        self.client.expunge()


@pytest.mark.parametrize("how", HOW)
def test_hooks_hear_at_once_what_others_do(server, home, how):
    server.create("Junk")
    for name in ("a", "b", "c"):
        server.append(letter(name))
    tell = home.root / "tell"
    tell.write_text(TELL)
    tell.chmod(0o700)
    heard = home.root / "tell.heard"
    home.configure(server, rules=RULES.format(tell=tell),
                   source=HOW[how], more='watch = true, every = "10h"')
    inbox, junk = Client(server, "INBOX"), Client(server, "Junk")
    told = []

    def lines():
        return sorted(heard.read_text().splitlines()) if heard.exists() else []

    with Service(home, "-v") as service:
        def until_told(*more):
            told.extend(more)
            service.until(lambda: lines() == sorted(told),
                          f"{sorted(told)}, but {lines()}")
            service.until_state("watching")

        service.until_state("watching")
        service.until_here(3)
        inbox.move("a", "Junk")
        until_told("moved_in Junk INBOX a ", "vanished INBOX - a ")
        service.until(lambda: "$Spam" in server.flags("Junk")[1], "our flag")
        inbox.flag("b", "\\Flagged")
        until_told("flags INBOX - b \\Flagged")
        junk.move("a", "INBOX")
        until_told("moved_in INBOX Junk a ")
        service.until_here(4)   # it came to INBOX once more
        inbox.delete("c")
        service.until(lambda: "vanished INBOX - c " in lines(), "end of c")
        told[:] = lines()       # that c was flagged may be heard of, or not
        server.append(letter("d"))
        service.until_here(5)
        until_told()
        account = service.accounts()["work"]
        assert account["connections"] == (1 if how.startswith("notify") else 2)
        assert service.stop() == 0
    assert [line for line in lines() if line.startswith("flags")
            and " c " not in line] == ["flags INBOX - b \\Flagged"]
