"""Hooks hear of what other programs do in a mailbox, and of nothing else."""

import json
import os
import pathlib

import pytest

import maildir

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "scripts/examples"


def letter(name):
    return (f"From: {name}@example.org\r\nTo: alice@example.org\r\n"
            f"Message-ID: <{name}@example.org>\r\nSubject: about {name}\r\n"
            f"Date: Mon, 6 Jul 2026 10:00:00 +0000\r\n\r\n"
            f"The text of {name}.\r\n").encode()


# What hooks hear goes into a file, a line of JSON each.
HOOKS = """
local function told(m, change, ...)
  exec {{ "{tell}", "{heard}", change.event, m.account, m.folder,
         tostring(m.uid), change.from or "", table.concat(change.added, " "),
         table.concat(change.removed, " "), table.concat(change.flags, " "),
         m.subject, m.message_id, ... }}
end
"""

TELL = """\
#!/usr/bin/python3
import json, sys
names = ("event account folder uid from added removed flags subject "
         "message_id").split()
record = dict(zip(names, sys.argv[2:]))
record["more"] = sys.argv[2 + len(names):]
with open(sys.argv[1], "a") as out:
    out.write(json.dumps(record) + "\\n")
"""


class Listener:
    """A home whose hooks note what they hear."""

    def __init__(self, home, server):
        self.home, self.server = home, server
        self.heard_file = home.root / "heard"
        self.tell = home.root / "tell"
        self.tell.write_text(TELL)
        self.tell.chmod(0o700)

    def configure(self, hooks, **options):
        text = HOOKS.format(tell=self.tell, heard=self.heard_file)
        self.home.configure(self.server, rules=text + hooks, **options)

    def heard(self):
        """What was heard since the last call."""
        if not self.heard_file.exists():
            return []
        lines = self.heard_file.read_text().splitlines()
        self.heard_file.unlink()
        return [json.loads(line) for line in lines]

    def fetch(self, *args, **options):
        """One pass; what hooks heard in it."""
        self.home.fetched(*args, **options)
        return self.heard()


@pytest.fixture
def listener(home, server):
    return Listener(home, server)


ALL = """
on("flags", told)
on("vanished", told)
on("moved_in", told)
"""
TRAIN = """
on("moved_in", { folder = "Junk" }, function(m, change)
  assert(change.fingerprint:match "^%x+$" and #change.fingerprint == 32)
  told(m, change)
end)
on("moved_in", { from = "Junk", folder = { "*", "!Trash" } }, told)
"""


def client_of(server, folder="INBOX"):
    client = server.client()
    client.select(folder)
    return client


def move(server, name, source, target):
    client = client_of(server, source)
    found = client.uid("search", "HEADER", "Message-ID",
                       f"<{name}@example.org>")[1][0].split()
    assert len(found) == 1, (name, source, found)
    kind, answer = client.uid("MOVE", found[0].decode(), target)
    assert kind == "OK", answer
    client.logout()


def names(heard):
    return sorted((one["event"], one["folder"], one["from"],
                   one["message_id"].split("@")[0]) for one in heard)


def fill(server, *more, folder="INBOX"):
    for name in more:
        server.append(letter(name), folder)


def test_the_first_visit_and_new_mail_are_silent(server, home, listener):
    fill(server, "a", "b")
    listener.configure(ALL)
    assert listener.fetch() == []
    fill(server, "c")
    assert listener.fetch() == []
    assert listener.fetch() == []
    assert len(maildir.entries(home.inbox)) == 3


def test_flags_set_by_another_client_are_heard_once(server, listener):
    fill(server, "a", "b")
    listener.configure(ALL)
    listener.fetch()
    client = client_of(server)
    client.uid("store", "1", "+FLAGS.SILENT", "(\\Flagged $Work)")
    client.uid("store", "2", "+FLAGS.SILENT", "(\\Seen)")
    heard = listener.fetch()
    assert names(heard) == [("flags", "INBOX", "", "a"),
                            ("flags", "INBOX", "", "b")]
    one = heard[0]
    assert (one["added"], one["removed"]) == ("\\Flagged $Work", "")
    assert one["subject"] == "about a"
    assert listener.fetch() == []
    client.uid("store", "1", "-FLAGS.SILENT", "(\\Flagged)")
    heard = listener.fetch()
    assert [(one["added"], one["removed"], one["flags"])
            for one in heard] == [("", "\\Flagged", "$Work")]


def test_what_was_expunged_is_told_from_what_is_known(server, listener):
    fill(server, "a", "b", "c")
    listener.configure(ALL)
    listener.fetch()
    client = client_of(server)
    client.uid("store", "2", "+FLAGS.SILENT", "(\\Deleted)")
    client.expunge()
    heard = listener.fetch()
    assert names(heard) == [("vanished", "INBOX", "", "b")]
    assert heard[0]["subject"] == "about b"
    assert heard[0]["uid"] == "2"
    assert listener.fetch() == []


@pytest.mark.parametrize("disable", ["", 'disable = { "QRESYNC" }',
                                     'disable = { "QRESYNC", "CONDSTORE" }'])
def test_moves_by_another_client_are_heard_both_ways(server, home, listener,
                                                     disable):
    server.create("Junk")
    fill(server, "a", "b")
    listener.configure(TRAIN, source=disable)
    assert listener.fetch() == []
    move(server, "a", "INBOX", "Junk")
    assert names(listener.fetch()) == [("moved_in", "Junk", "INBOX", "a")]
    assert listener.fetch() == []
    move(server, "a", "Junk", "INBOX")
    assert names(listener.fetch()) == [("moved_in", "INBOX", "Junk", "a")]
    assert listener.fetch() == []
    fill(server, "spam", folder="Junk")
    assert listener.fetch() == []
    move(server, "spam", "Junk", "INBOX")
    assert names(listener.fetch()) == [("moved_in", "INBOX", "Junk", "spam")]
    delivered = [entry for entry in maildir.entries(home.inbox)]
    assert len(delivered) == 4  # a, b; a and spam when they came from Junk


def test_nothing_is_delivered_from_a_folder_that_only_hooks_want(
        server, home, listener):
    server.create("Junk")
    fill(server, "a")
    fill(server, "spam", folder="Junk")
    listener.configure(TRAIN)
    listener.fetch()
    fill(server, "spam2", folder="Junk")
    listener.fetch()
    assert len(maildir.entries(home.inbox)) == 1


def test_our_own_doing_is_not_heard(server, home, listener):
    server.create("Junk")
    server.create("Kept")
    listener.configure(ALL + """
on("flags", { folder = "Junk" }, told)
on("vanished", { folder = "Junk" }, told)
on("moved_in", { folder = { "Junk", "Kept" } }, told)
rule("spam", function(m)
  if m.subject:has "spam" then m:move "Junk" end
  if m.subject:has "copied" then m:copy_to "Junk" end
  if m.subject:has "gone" then m:delete() end
  m:flag "$Filed"
end)
""", after="seen")
    fill(server, "first")
    listener.fetch()
    fill(server, "spam", "copied", "gone", "kept")
    assert listener.fetch() == []
    assert listener.fetch() == []
    assert len(server.list_uids("Junk")) == 2
    # What another does with the same messages afterwards is heard.
    move(server, "spam", "Junk", "Kept")
    assert names(listener.fetch()) == [("moved_in", "Kept", "Junk", "spam"),
                                       ("vanished", "Junk", "", "spam")]


def test_what_a_hook_asks_for_is_done_and_not_heard(server, listener):
    for name in ("Junk", "Trained", "Copies"):
        server.create(name)
    fill(server, "a", "b", "c")
    listener.configure("""
on("moved_in", { folder = { "Junk", "Trained", "Copies" } }, function(m, change)
  told(m, change)
  m:flag "$Trained"
  if m.folder == "Junk" and m.subject == "about a" then
    m:copy_to "Copies"
    m:move "Trained"
  end
end)
on("flags", { folder = { "INBOX", "Junk", "Trained", "Copies" } },
   function(m, change)
     told(m, change)
     if m.folder == "INBOX" and change.added["\\\\Flagged"] then m:delete() end
   end)
on("vanished", { folder = { "INBOX", "Junk" } }, told)
""")
    listener.fetch()
    move(server, "a", "INBOX", "Junk")
    move(server, "b", "INBOX", "Junk")
    heard = names(listener.fetch())
    assert ("moved_in", "Junk", "INBOX", "a") in heard
    assert ("moved_in", "Junk", "INBOX", "b") in heard
    assert all(one[0] != "flags" for one in heard), heard
    assert [one[0] for one in heard if one[1] != "INBOX"] == ["moved_in"] * 2
    assert listener.fetch() == []
    assert listener.fetch() == []
    assert len(server.list_uids("Trained")) == 1
    assert len(server.list_uids("Copies")) == 1
    assert server.list_uids("Junk") == [2]
    client = client_of(server)
    client.uid("store", "3", "+FLAGS.SILENT", "(\\Flagged)")
    assert names(listener.fetch()) == [("flags", "INBOX", "", "c")]
    assert listener.fetch() == []
    assert server.list_uids() == []


def test_a_changed_uidvalidity_is_no_event(server, listener):
    server.create("Junk")
    fill(server, "a", "b")
    fill(server, "spam", folder="Junk")
    listener.configure(ALL + TRAIN)
    listener.fetch()
    server.change_uidvalidity()
    assert listener.fetch() == []
    server.change_uidvalidity("Junk")
    assert listener.fetch() == []
    client_of(server).uid("store", "1:*", "+FLAGS.SILENT", "(\\Seen)")
    assert len(listener.fetch()) == 2


def test_a_hook_that_fails_is_tried_again_and_then_given_up(
        server, home, listener):
    fill(server, "a", "b")
    listener.configure("""
on("flags", function(m, change)
  told(m, change)
  if m.subject == "about a" then error "no use" end
end)
""")
    listener.fetch()
    client_of(server).uid("store", "1:2", "+FLAGS.SILENT", "(\\Seen)")
    for expected in (["a", "b"], ["a"], ["a"]):
        run = home.fetch()
        assert [one[3] for one in names(listener.heard())] == expected
        assert "no use" in run.err
    assert "given up" in run.err
    assert run.code == 0
    assert listener.fetch() == []
    fill(server, "c")
    assert listener.fetch() == []


def test_a_hook_that_takes_its_time_is_no_server_that_hangs(
        server, home, listener):
    fill(server, "a")
    listener.configure("""
options { stall = "3s" }
on("flags", function(m, change)
  assert(exec { "sleep", "4.5" })
  told(m, change)
end)
""")
    listener.fetch()
    client_of(server).uid("store", "1", "+FLAGS.SILENT", "(\\Seen)")
    assert len(listener.fetch()) == 1


def test_a_dry_run_shows_what_would_be_told(server, home, listener):
    server.create("Junk")
    fill(server, "a", "b")
    listener.configure(ALL + TRAIN)
    listener.fetch()
    move(server, "a", "INBOX", "Junk")
    client_of(server).uid("store", "2", "+FLAGS.SILENT", "(\\Seen)")
    for _ in range(2):
        run = home.run("fetch", "--dry-run")
        assert listener.heard() == []
        assert "moved_in from INBOX" in run.out
        assert 'on("flags")' in run.out and 'on("vanished")' in run.out
    records = [one for one in home.fetched("--dry-run").records
               if one["event"] == "hook"]
    assert {one["status"] for one in records} == {"planned"}
    assert len(listener.fetch()) == 3


def test_events_are_in_the_history(server, home, listener):
    server.create("Junk")
    fill(server, "a")
    listener.configure(TRAIN)
    listener.fetch()
    move(server, "a", "INBOX", "Junk")
    listener.fetch()
    run = home.run("why", "a@example.org")
    assert "moved_in" in run.out, run


def test_an_unchanged_folder_costs_nothing_more(server, home, listener,
                                                make_proxy):
    fill(server, *(f"m{i}" for i in range(50)))
    proxy = make_proxy(server.imaps)
    listener.configure("", port=proxy.port)
    listener.fetch()
    proxy.reset()
    listener.fetch()
    without = proxy.up
    listener.configure(ALL, port=proxy.port)
    listener.fetch()
    proxy.reset()
    listener.fetch()
    assert proxy.up < without + 100, (proxy.up, without)


def test_a_crash_between_hook_and_note_tells_again(server, home, listener):
    """SIGKILL at every durable step: heard at least once, and only that."""
    server.create("Junk")
    server.create("Done")
    listener.configure("""
on("moved_in", { folder = { "Junk", "Done" } }, function(m, change)
  told(m, change)
  m:move "Done"
end)
on("vanished", { folder = { "Junk", "Done" } }, told)
""")
    listener.fetch()
    step = 0
    while True:
        step += 1
        assert step < 60
        name = f"m{step}"
        fill(server, name)
        listener.fetch()
        move(server, name, "INBOX", "Junk")
        run = home.fetch(POSTRIDER_CRASH_AT=step)
        first = names(listener.heard())
        second = names(listener.fetch())
        wanted = ("moved_in", "Junk", "INBOX", name)
        assert set(first + second) == {wanted}, (step, first, second)
        assert listener.fetch() == []
        assert len(server.list_uids("Done")) == step
        if run.code == 0:
            break
    assert step > 3


RSPAMC = """\
#!/usr/bin/python3
import sys, pathlib
text = sys.stdin.buffer.read()
with open(pathlib.Path(__file__).parent / "learned", "a") as out:
    out.write(sys.argv[1] + " " + text.split(b"Subject: ")[1]
              .splitlines()[0].decode() + " " + str(len(text)) + "\\n")
if b"known" in text:
    print("all learn conditions denied: already learned")
    sys.exit(1)
if b"refused" in text:
    print("no")
    sys.exit(1)
"""


def test_the_example_trains_a_spam_filter(server, home):
    """Moved into Junk: spam; out of it: ham. The whole message is handed over.
    """
    server.create("Junk")
    server.create("Trash")
    programs = home.root / "bin"
    programs.mkdir()
    (programs / "rspamc").write_text(RSPAMC)
    (programs / "rspamc").chmod(0o700)
    learned = programs / "learned"
    path = f"{programs}:{os.environ['PATH']}"

    text = (EXAMPLES / "train.lua").read_text()
    begin, end = text.index('account "home"'), text.index("local function")
    home.write(text[text.index("local mail"):begin].replace(
        'local mail = maildir "~/Mail"', "")
        + home.account(server, name="home") + text[end:])

    def pass_over():
        home.fetched(PATH=path)
        lines = learned.read_text() if learned.exists() else ""
        learned.unlink(missing_ok=True)
        return sorted(line.rsplit(" ", 1)[0] for line in lines.splitlines())

    fill(server, "a", "b", "known", "c")
    fill(server, "old", folder="Junk")
    assert pass_over() == []
    for name in ("a", "b", "known"):
        move(server, name, "INBOX", "Junk")
    assert pass_over() == ["learn_spam about a", "learn_spam about b",
                           "learn_spam about known"]
    assert pass_over() == []
    move(server, "a", "Junk", "INBOX")
    move(server, "b", "Junk", "Trash")
    move(server, "old", "Junk", "INBOX")
    assert pass_over() == ["learn_ham about a", "learn_ham about old"]
    assert pass_over() == []
    why = home.run("why", "old@example.org")
    assert "moved_in" in why.out, why
