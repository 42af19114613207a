"""What happens on the server to a message that has been delivered."""

import maildir
import messages
import pytest


def test_keep_changes_nothing_on_the_server(server, home):
    server.fill(messages.mailbox(20, 400))
    before = server.flags()
    home.configure(server, after="keep")
    home.fetched()
    assert server.flags() == before


def test_seen_marks_what_was_delivered(server, home):
    sent = list(messages.mailbox(20, 401))
    server.fill(sent)
    home.configure(server, after="seen")
    home.fetched()
    flags = server.flags()
    assert len(flags) == 20
    assert all("\\Seen" in one for one in flags.values())
    assert home.fetched().messages == []
    # What was delivered has the flags it had before.
    unseen = sum("\\Seen" not in one.flags for one in sent)
    assert sum("S" not in one.flags
               for one in maildir.entries(home.inbox)) == unseen > 0


@pytest.mark.parametrize("lacks", ["", "UIDPLUS", "MOVE", "UIDPLUS MOVE"])
def test_delete_empties_the_mailbox(server, home, lacks):
    sent = list(messages.mailbox(40, 402))
    server.fill(sent)
    disable = "".join(f'"{name}", ' for name in lacks.split())
    home.configure(server, after="delete",
                   source=f"disable = {{ {disable}}}" if lacks else "")
    home.fetched()
    assert server.list_uids() == []
    maildir.assert_same(home.mail, sent)
    assert home.fetched().messages == []


def test_delete_spares_what_another_client_marked(server, home):
    """Only what was delivered is expunged, whoever set \\Deleted."""
    home.configure(server, after="delete")
    first = list(messages.mailbox(5, 403))
    server.fill(first)
    config = home.config.read_text()
    home.config.write_text(config + """
rule("not this one", function(m)
  if m.subject == "marked by another" then m:leave() end
end)
""")
    server.append(b"Subject: marked by another\r\n\r\ntext\r\n",
                  flags=("\\Deleted",))
    home.fetched()
    assert len(server.list_uids()) == 1
    maildir.assert_same(home.mail, first)


@pytest.mark.parametrize("lacks", ["", "MOVE"])
def test_move_to_another_folder(server, home, lacks):
    sent = list(messages.mailbox(30, 404))
    server.fill(sent)
    server.create("Old mail/2025")
    home.configure(server, after='move_to "Old mail/2025"',
                   source=f'disable = {{ "{lacks}" }}' if lacks else "")
    home.fetched()
    assert server.list_uids() == []
    moved = maildir.digests(server.bodies("Old mail/2025").values())
    assert moved == maildir.digests(one.delivered for one in sent)
    maildir.assert_same(home.mail, sent)
    assert home.fetched().messages == []


def test_a_message_that_cannot_be_delivered_stays(server, home):
    sent = list(messages.mailbox(3, 405))
    server.fill(sent)
    home.configure(server, after="delete", rules="""
rule("broken", function(m) error("this rule is broken") end)
""")
    run = home.fetch()
    assert run.code == 75, run
    assert len(server.list_uids()) == 3
    assert maildir.entries(home.inbox) == []
