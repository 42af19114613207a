"""Servers of another make: Cyrus, which can much, and Courier, which can
little."""

import json

import pytest

import cyrus
import courier
import maildir
import messages
from conftest import starter
from service import Service

make_cyrus = starter(cyrus.Cyrus)
make_courier = starter(courier.Courier)


class Shop:
    """A server with the folder Junk, and how postrider is told of it."""

    def __init__(self, server, junk, source, folders):
        self.server, self.junk, self.source = server, junk, source
        self.folders = folders

    def configure(self, home, rules="", after="keep", every="1h", more=""):
        home.write(f"""
account "work" {{
  source = {self.source},
  folders = {self.folders}, after = {after}, watch = true, every = "{every}",
  deliver = mail / "inbox", {more}
}}
{rules}""")


def quoted(words):
    return "{ " + ", ".join(json.dumps(word) for word in words) + " }"


@pytest.fixture(params=["cyrus", "courier"])
def shop(request, home):
    server = request.getfixturevalue("make_" + request.param)()
    if request.param == "cyrus":
        word = home.secret(server.users["alice"])
        source = (f'imap {{ host = "localhost", port = {server.imaps}, '
                  f'user = "alice", password = file "{word}", '
                  f'ca_file = "{server.ca_file}" }}')
        return Shop(server, "Junk", source, '{ "INBOX" }')
    server.create("INBOX.Junk")
    return Shop(server, "INBOX.Junk",
                f"imap {{ tunnel = {quoted(server.tunnel)}, "
                'tls = "none" }',
                '{ "INBOX" }')


def letter(name):
    return (f"From: {name}@example.org\r\nTo: alice@example.org\r\n"
            f"Message-ID: <{name}@example.org>\r\nSubject: about {name}\r\n"
            f"Date: Mon, 6 Jul 2026 10:00:00 +0000\r\n\r\n"
            f"The text of {name}.\r\n").encode()


def uid_of(client, name):
    found = client.uid("search", "HEADER", "Message-ID",
                       f"<{name}@example.org>")[1][0].split()
    assert len(found) == 1, (name, found)
    return found[0].decode()


def move(server, name, source, target):
    """As other clients do it, with or without MOVE."""
    client = server.client()
    client.select(source)
    uid = uid_of(client, name)
    if "MOVE" in client.capabilities:
        assert client.uid("MOVE", uid, target)[0] == "OK"
    else:
        assert client.uid("COPY", uid, target)[0] == "OK"
        client.uid("STORE", uid, "+FLAGS.SILENT", "(\\Deleted)")
        client.expunge()
    client.logout()


def test_all_kinds_of_mail_come_once(shop, home):
    sent = list(messages.mailbox(60, 77))
    client = shop.server.client()
    for one in sent:
        shop.server.append(one.data, client=client)
    client.logout()
    shop.configure(home)
    home.fetched()
    # Cyrus does not keep a bare CR, or octets of a field that are not ASCII.
    assert sorted(maildir.all_data(home.mail)) == \
        sorted(shop.server.bodies().values())
    assert home.fetched().messages == []


def test_flags_moves_and_deletions_are_done(shop, home):
    for name in ("kept", "spam", "gone", "copied"):
        shop.server.append(letter(name))
    shop.configure(home, after="seen", rules=f"""
rule("all", function(m)
  if m.subject:has "spam" then m:move "{shop.junk}" end
  if m.subject:has "copied" then m:copy_to "{shop.junk}" end
  if m.subject:has "gone" then m:delete() end
  m:flag "$Filed"
end)
""")
    home.fetched()
    home.fetched()
    flags = shop.server.flags()
    assert len(flags) == 2, flags
    for one in flags.values():
        assert {"\\Seen", "$Filed"} <= one, flags
    bodies = b"".join(shop.server.bodies(shop.junk).values())
    assert sorted(name for name in ("kept", "spam", "gone", "copied")
                  if f"text of {name}".encode() in bodies) == \
        ["copied", "spam"]


def test_new_mail_is_heard_of_at_once(shop, home):
    shop.configure(home)
    with Service(home, "-v") as service:
        service.until_state("watching")
        for n in range(3):
            shop.server.append(letter(f"m{n}"))
            service.until_here(n + 1)
        account = service.accounts()["work"]
        assert account["connections"] == 1
        assert service.stop() == 0


def test_hooks_hear_of_moves_both_ways(shop, home):
    heard = home.root / "heard"
    heard.write_text("")
    tell = home.root / "tell"
    tell.write_text(f'#!/bin/sh\necho "$@" >>"{heard}"\n')
    tell.chmod(0o700)
    shop.server.append(letter("a"))
    shop.server.append(letter("b"))
    shop.configure(home, every="5s", rules=f"""
on("moved_in", {{ folder = {{ "INBOX", "{shop.junk}" }} }},
   function(m, change)
     exec {{ "{tell}", m.folder, change.from, m.message_id }}
   end)
""")

    def lines():
        return heard.read_text().splitlines()

    with Service(home, "-v") as service:
        service.until_state("watching")
        service.until_here(2)
        move(shop.server, "a", "INBOX", shop.junk)
        service.until(lambda: len(lines()) == 1, "first move")
        service.until_state("watching")     # it is noted
        move(shop.server, "a", shop.junk, "INBOX")
        service.until(lambda: len(lines()) == 2, "second move")
        assert [line.split() for line in lines()] == [
            [shop.junk, "INBOX", "a@example.org"],
            ["INBOX", shop.junk, "a@example.org"]]
        assert service.stop() == 0
