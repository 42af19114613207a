"""Sweeps: mail on the server, searched for and acted on in sets."""

import pathlib
import re
import time

import pytest

import messages

DAY = 86400
EXAMPLE = (pathlib.Path(__file__).resolve().parent.parent.parent / "scripts"
           / "examples" / "sweep.lua")


def letter(name, sender="ann@example.org", to="alice@example.org", subject=None,
           extra="", text=None):
    subject = f"about {name}" if subject is None else subject
    return (f"From: {sender}\r\nTo: {to}\r\nMessage-ID: <{name}@example.org>\r\n"
            f"Subject: {subject}\r\nDate: Mon, 6 Jul 2020 10:00:00 +0000\r\n"
            f"{extra}\r\n{text or 'The text of ' + name}.\r\n").encode()


def sweep(body, folder='"INBOX"', name="tidy", every="1d"):
    return f"""
sweep("{name}", {{ account = "work", folder = {folder}, every = "{every}" }},
      function(box)
{body}
end)
"""


def swept(run):
    """What sweeps did or would do, by line."""
    return [one for one in run.records if one["event"] == "sweep"]


def subjects(server, folder):
    found = []
    for body in server.bodies(folder).values():
        found.append(re.search(rb"Subject: ([^\n]*)", body)[1].decode())
    return sorted(found)


@pytest.fixture
def filled(server):
    """Messages 1 to 8 in the INBOX, each with something of its own."""
    now = time.time()
    client = server.client()
    add = lambda data, flags=(), age=0: server.append(
        data, flags=flags, date=now - age * DAY, client=client)
    add(letter("old"), age=100)
    add(letter("flagged", sender="bob@example.org"), flags=("\\Flagged",),
        age=100)
    add(letter("seen", subject='say "hi" \\ there'), flags=("\\Seen",), age=3)
    add(letter("answered", to="list@example.org",
               extra="Cc: carl@example.org\r\nBcc: dora@example.org\r\n"),
        flags=("\\Answered", "$Work"))
    add(letter("list", extra="List-Id: <dev.example.org>\r\n"))
    add(letter("big", text="long " * 20000))
    add(letter("umlaut", subject="=?utf-8?q?Gr=C3=BC=C3=9Fe?=",
               text="only here: zebra"))
    add(letter("draft"), flags=("\\Draft", "\\Deleted"))
    client.logout()
    return server


# ---- Searching

KEYS = {
    "before = days(30)": "1:2",
    "before = '2015-01-01'": "",
    "since = days(30)": "3:8",
    "since = '2015-01-01'": "1:8",
    "sent_before = '2020-07-07'": "1:8",
    "sent_since = '2020-07-07'": "",
    "from = 'bob@'": "2",
    "from = { 'bob@', 'nobody' }": "2",
    "to = 'list@'": "4",
    "cc = 'carl'": "4",
    "bcc = 'dora'": "4",
    "subject = 'about'": "1:2,4:6,8",
    "subject = 'say \"hi\" \\\\ there'": "3",
    "subject = 'Grüße'": "7",
    "body = 'zebra'": "7",
    "text = 'dev.example.org'": "5",
    "header = { ['List-Id'] = 'dev' }": "5",
    "header = { ['List-Id'] = '' }": "5",
    "larger = '50K'": "6",
    "larger = 50000": "6",
    "smaller = '50K'": "1:5,7:8",
    "flagged = true": "2",
    "flagged = false": "1,3:8",
    "seen = true": "3",
    "answered = true": "4",
    "deleted = true": "8",
    "draft = true": "8",
    "keyword = '$Work'": "4",
    "keyword = { 'nothing', '$Work' }": "4",
    "label = '$Work'": "4",
    "uid = 3": "3",
    "uid = { 1, 2, 3, 7 }": "1:3,7",
    "raw = 'OR UID 1 UID 8'": "1,8",
    "before = days(30), flagged = false": "1",
}


def test_every_key_finds_its_messages(home, filled):
    lines = [f"  box:search {{ {key} }}:flag 'x{i}'"
             for i, key in enumerate(KEYS)]
    home.configure(filled, rules=sweep("\n".join(lines)))
    run = home.fetched("-n", "--sweep")
    found = {one["text"]: one["uids"] for one in swept(run)}
    for i, (key, uids) in enumerate(KEYS.items()):
        assert found.get(f"x{i}", "") == uids, key


def test_the_same_without_extensions(home, filled):
    lines = [f"  box:search {{ {key} }}:flag 'x{i}'"
             for i, key in enumerate(KEYS)]
    home.configure(
        filled, rules=sweep("\n".join(lines)),
        source='disable = { "ESEARCH", "WITHIN", "LITERAL+", "LITERAL-" }')
    run = home.fetched("-n", "--sweep")
    found = {one["text"]: one["uids"] for one in swept(run)}
    for i, (key, uids) in enumerate(KEYS.items()):
        assert found.get(f"x{i}", "") == uids, key


MISTAKES = {
    "box:search { sbject = 'x' }":
        'box:search has no key "sbject"; did you mean "subject"?',
    "box:search {}": "box:all()",
    "box:search { subject = '' }": "that would be every message",
    "box:search { raw = 'SEEN\\r\\nA9 DELETE x' }": "more than one line",
    "box:search { subject = 'a\\nb' }": "more than one line",
    "box:search { flagged = 1 }": "flagged: expects true or false",
    "box:search { before = 'yesterday' }": "before: expects how long ago",
    "box:search { before = '2024-02-30' }": "before: expects how long ago",
    "box:search { larger = {} }": "larger: expects a number of octets",
    "box:search { keyword = 'two words' }": "cannot be a keyword",
    "box:search { gmail = 'has:attachment' }": "X-GM-EXT-1",
    "box:search { uid = 0 }": "uid: expects a UID",
    "box:serch { uid = 1 }": 'a box has no "serch"; did you mean "search"?',
    "box:all():mov 'x'": 'a set has no "mov"; did you mean "move"?',
    "box:all():flag '\\\\Sen'": 'there is no flag "\\Sen"',
    "box:all():move ''": "cannot be a folder's name",
    "box:all():delete() error 'changed my mind'": "changed my mind",
    "folders.delete 'INBOX'": "INBOX is always there",
    "folders.rename(box.folder, 'x')": "INBOX is always there",
}


@pytest.mark.parametrize("body", MISTAKES)
def test_a_mistake_is_told_and_nothing_is_done(home, filled, body):
    before = filled.flags()
    home.configure(filled, rules=sweep("  box:all():flag '\\\\Seen'\n  "
                                       + body))
    run = home.fetch()
    assert run.code != 0 and MISTAKES[body] in run.err, run
    assert filled.flags() == before
    status = home.run("status")
    assert 'Sweep "tidy" of work failed' in status.out, status
    # It is not tried again before its time.
    assert "tidy" not in home.fetch().err


# ---- Sets

def test_sets_are_combined(home, filled):
    home.configure(filled, rules=sweep("""
  local a, b = box:search { uid = { 1, 2, 3, 4 } }, box:search { uid = { 3, 4, 5 } }
  local union, common, rest = a + b, a * b, a - b
  assert(#union == 5 and #common == 2 and #rest == 2 and #box:none() == 0)
  assert(box.count == 8 and #box:all() == 8 and box.folder == "INBOX")
  assert(a * b == b * a and a - b ~= b - a and a + box:none() == a)
  assert(tostring(rest):has "1:2")
  union:flag "union"
  common:flag "common"
  rest:flag "rest"
  box:none():flag "none"
"""))
    run = home.fetched("-n", "--sweep")
    assert {one["text"]: one["uids"] for one in swept(run)} == {
        "union": "1:5", "common": "3:4", "rest": "1:2"}


def test_sets_of_two_folders_are_not_mixed(home, filled):
    filled.create("Other")
    home.configure(filled, rules="local kept\n" + sweep("""
  local all = box:all()
  if kept then all = kept + all end
  kept = all
""", folder='{ "INBOX", "Other" }'))
    run = home.fetch("--sweep")
    assert "sets of different folders cannot be combined" in run.err, run


def test_a_set_is_of_no_use_when_its_sweep_is_over(home, filled):
    filled.create("Other")
    home.configure(filled, rules="local kept\n" + sweep("""
  if kept then kept:delete() end
  kept = box:all()
""", folder='{ "INBOX", "Other" }'))
    run = home.fetch("--sweep")
    assert 'the sweep of "INBOX" is over' in run.err, run
    assert len(filled.list_uids()) == 8


def test_messages_of_a_set_are_looked_at(home, filled):
    home.configure(filled, rules=sweep("""
  local seen = {}
  for m in box:all():each() do
    seen[#seen + 1] = m.uid
    assert(m.folder == "INBOX" and m.account == "work" and m.size > 0)
    if m.subject:has "Grüße" then m:flag "greeting" end
    if m.flags["\\\\Flagged"] then m:unflag "\\\\Flagged" end
    if m.list_id == "dev.example.org" then m:move "Lists" end
    if m.text:has "zebra" then m:copy_to "Animals" end
    if m.labels["$Work"] then m:unlabel "$Work" end
    if m.uid == 8 then m:delete() end
  end
  assert(table.concat(seen, " ") == "1 2 3 4 5 6 7 8")
  local big = box:all():filter(function(m) return m.size > 50000 end)
  assert(#big == 1)
  big:label "big"
"""))
    home.fetched()
    assert filled.list_uids() == [1, 2, 3, 4, 6, 7]
    flags = filled.flags()
    assert flags[2] == set() and flags[4] == {"\\Answered"}
    assert flags[6] == {"big"} and flags[7] == {"greeting"}
    assert subjects(filled, "Lists") == ["about list"]
    assert len(filled.list_uids("Animals")) == 1


def test_headers_are_fetched_together(home, server):
    for i in range(40):
        server.append(letter(f"m{i}"))
    home.configure(server, folders='{ "Nothing" }', rules=sweep("""
  for m in box:all():each() do assert(m.subject:has "about") end
"""))
    server.create("Nothing")
    server.create("Archive")
    run = home.run("fetch", "-vv")
    assert run.code == 0, run
    fetches = [line for line in run.err.splitlines()
               if "C: " in line and "HEADER" in line]
    assert 0 < len(fetches) <= 4, fetches


def test_a_message_is_of_no_use_after_its_turn(home, filled):
    home.configure(filled, rules=sweep("""
  local kept
  for m in box:all():each() do
    if kept then kept:delete() end
    kept = m
  end
"""))
    run = home.fetch()
    assert "the message has left the house" in run.err, run
    assert len(filled.list_uids()) == 8


def test_what_is_for_rules_is_refused(home, filled):
    home.configure(filled, rules=sweep(
        "for m in box:all():each() do m:deliver(mail) end"))
    run = home.fetch()
    assert "m:deliver is for rules: in a sweep there are" in run.err, run


# ---- Actions

def test_every_action(home, filled):
    home.configure(filled, rules=sweep("""
  box:search { uid = 1 }:flag "\\\\Flagged":flag "$Old"
  box:search { uid = 2 }:unflag "\\\\Flagged"
  box:search { uid = 3 }:label "work"
  box:search { uid = 4 }:unlabel "$Work"
  box:search { uid = 5 }:copy_to "Copies/Lists"
  box:search { uid = 6 }:move "Grüße"
  box:search { uid = 7 }:delete()
"""))
    home.fetched()
    assert filled.list_uids() == [1, 2, 3, 4, 5, 8]
    flags = filled.flags()
    assert flags[1] == {"\\Flagged", "$Old"} and flags[2] == set()
    assert flags[3] == {"\\Seen", "work"} and flags[4] == {"\\Answered"}
    assert subjects(filled, "Copies/Lists") == ["about list"]
    assert subjects(filled, "Grüße") == ["about big"]


def test_steps_go_in_order_and_a_message_goes_once(home, filled):
    home.configure(filled, rules=sweep("""
  local all = box:all()
  all:flag "\\\\Seen":copy_to "Copies"
  box:search { uid = { 1, 2 } }:move "First"
  all:move "Second"
  all:delete()
"""))
    run = home.fetched()
    assert filled.list_uids() == []
    assert len(filled.list_uids("Copies")) == 8
    assert len(filled.list_uids("First")) == 2
    assert len(filled.list_uids("Second")) == 6
    assert all("\\Seen" in one for one in filled.flags("Second").values())
    assert [(one["action"], one["messages"]) for one in swept(run)] == [
        ("flag", 7), ("copy_to", 8), ("move", 2), ("move", 6)]


def test_a_dry_run_says_it_and_changes_nothing(home, filled):
    home.configure(filled, rules=sweep("""
  box:search { flagged = true }:move "Trash"
  folders.create "New"
"""))
    before = filled.flags()
    run = home.run("fetch", "-n")
    assert 'work/INBOX  sweep "tidy": move 1 message (UID 2) to "Trash" ' \
        in run.out and ": planned" in run.out, run
    assert 'create folder "New"' in run.out
    assert filled.flags() == before
    assert filled.client().list()[1] is not None
    assert not any(b"Trash" in one or b"New" in one
                   for one in filled.client().list()[1])
    # It did not count as a run.
    assert swept(home.fetched())[0]["status"] == "done"
    assert len(filled.list_uids("Trash")) == 1


def test_a_sweep_runs_at_its_interval(home, filled):
    home.configure(filled, rules=sweep("  box:all():copy_to 'Swept'"))
    assert len(swept(home.fetched())) == 1
    assert swept(home.fetched()) == []
    assert len(swept(home.fetched("--sweep"))) == 1


def test_what_is_flagged_already_is_left_alone(home, filled):
    home.configure(filled, rules=sweep("  box:all():flag '\\\\Flagged'"))
    assert [one["messages"] for one in swept(home.fetched())] == [7]
    assert swept(home.fetched("--sweep")) == []


def test_the_example_tidies_up(home, server):
    """scripts/examples/sweep.lua as it is installed, but for the server."""
    now = time.time()
    server.create("Newsletters")
    for letter_of, age, flags in (
            (letter("kept", sender="editor@example.org"), 40, ()),
            (letter("old"), 40, ()), (letter("liked"), 40, ("\\Flagged",)),
            (letter("large", text="long " * 2200000), 1, ()),
            (letter("new"), 1, ())):
        server.append(letter_of, flags=flags, date=now - age * DAY,
                      folder="Newsletters")
    home.configure(server)
    text = EXAMPLE.read_text()
    own = home.config.read_text()
    source = re.search(r"imap \{.*?\}", own, re.DOTALL)[0]
    text, count = re.subn(r"imap \{.*?\}", lambda _: source, text)
    assert count == 1
    home.config.write_text(text.replace('"~/Mail"', f'"{home.root}/Mail"'))
    steps = [(one["action"], one["text"], one["uids"], one["status"])
             for one in swept(home.fetched())]
    assert steps == [("move", "Trash", "2", "done"),
                     ("flag", "large", "4", "done")]
    assert subjects(server, "Trash") == ["about old"]
    assert server.list_uids("Newsletters") == [1, 3, 4, 5]


def test_the_daemon_sweeps_at_its_interval(home, server):
    server.append(letter("one"))
    home.configure(server, rules=sweep("  box:all():move 'Swept'",
                                       every="2s"))
    daemon = home.start("daemon")
    try:
        for name in ("one", "two"):
            deadline = time.monotonic() + 60
            while f"about {name}" not in subjects_or_none(server):
                assert time.monotonic() < deadline, name
                time.sleep(0.1)
            if name == "one":
                server.append(letter("two"))
    finally:
        daemon.terminate()
        home.finish(daemon)


def subjects_or_none(server):
    names = b" ".join(server.client().list()[1])
    return subjects(server, "Swept") if b"Swept" in names else []


def test_thousands_are_moved_in_few_commands(home, server):
    server.fill(messages.mailbox(10000))
    home.configure(server, folders='{ "Nothing" }',
                   rules=sweep("  box:all():move 'Archive'"))
    server.create("Nothing")
    server.create("Archive")
    run = home.run("fetch", "-vv")
    assert run.code == 0, run
    moves = [line for line in run.err.splitlines() if "UID MOVE" in line]
    assert len(moves) == 1, moves
    assert server.list_uids() == []
    assert len(server.list_uids("Archive")) == 10000


# ---- What is known of messages

def test_what_was_delivered_is_not_fetched_where_it_went(home, filled):
    filled.create("Archive")
    home.configure(filled, folders='{ "INBOX", "Archive" }')
    assert len(home.fetched().messages) == 8
    home.configure(filled, folders='{ "INBOX", "Archive", "Cop*" }',
                   rules=sweep("""
  box:search { uid = { 1, 2, 3 } }:move "Archive"
  box:search { uid = { 4, 5 } }:copy_to "Copies"
"""))
    home.fetched()
    assert len(filled.list_uids("Archive")) == 3
    assert home.fetched().messages == []
    filled.append(letter("fresh"), folder="Archive")
    assert len(home.fetched().messages) == 1


def test_what_was_not_fetched_yet_is_fetched_where_it_went(home, server):
    server.append(letter("one"), folder="INBOX")
    server.create("News")
    server.append(letter("two"), folder="News")
    home.configure(server, rules=sweep("  box:all():move 'INBOX'",
                                       folder='"News"'))
    first = home.fetched().messages
    second = home.fetched().messages
    assert [one["subject"] for one in first + second] == ["about one",
                                                          "about two"]


def test_our_own_moves_are_no_events(home, filled):
    filled.create("Archive")
    hooks = """
on("vanished", function(m, change) m:note "vanished" end)
on("moved_in", { folder = "*" }, function(m, change) m:note "moved" end)
on("flags", function(m, change) m:note "flags" end)
"""
    home.configure(filled, rules=hooks)
    home.fetched()
    home.configure(filled, rules=hooks + sweep("""
  box:search { uid = { 1, 2 } }:move "Archive"
  box:search { uid = 3 }:flag "\\\\Flagged"
  box:search { uid = 4 }:delete()
"""))
    home.fetched()
    later = home.fetched()
    assert [one for one in later.records if one["event"] == "hook"] == []


def test_a_folder_numbered_anew_meanwhile_is_left_alone(home, filled, tmp_path):
    filled.create("Box")
    for i in range(3):
        filled.append(letter(f"old{i}"), folder="Box")
    script = tmp_path / "again"
    script.write_text(f"""#!/usr/bin/python3
import imaplib, ssl
client = imaplib.IMAP4_SSL("localhost", {filled.imaps},
    ssl_context=ssl.create_default_context(cafile="{filled.ca_file}"))
client.login("alice", "{filled.users['alice']}")
client.delete("Box"); client.create("Box")
for i in range(3):
    client.append("Box", None, None, b"Subject: new %d\\r\\n\\r\\nx\\r\\n" % i)
client.logout()
""")
    script.chmod(0o700)
    home.configure(filled, rules=sweep(f"""
  local all = box:all()
  assert(#all == 3)
  assert(exec {{ "{script}" }})
  all:delete()
""", folder='"Box"'))
    run = home.fetch()
    assert run.code != 0, run
    assert subjects(filled, "Box") == ["new 0", "new 1", "new 2"]


# ---- Limits

def test_a_function_that_thinks_is_no_server_that_hangs(home, filled):
    home.configure(filled, rules='options { stall = "3s" }\n' + sweep("""
  assert(exec { "sleep", "4.5" })
  box:all():flag "seen-to"
"""))
    run = home.fetched()
    assert swept(run)[0]["status"] == "done", run


def test_too_many_deletions_wait_to_be_confirmed(home, server):
    server.create("News")
    server.fill(messages.mailbox(40), folder="News")
    home.configure(server, more="limit_deletions = { messages = 20 }",
                   rules=sweep("  box:all():delete()", folder='"News"'))
    run = home.fetched()
    assert swept(run)[0]["status"] == "held", run
    assert len(server.list_uids("News")) == 40


# ---- Folders

def test_folders_are_made_renamed_subscribed_and_deleted(home, filled):
    for name in ("Old", "Old/Below", "Empty", "Full", "Doomed"):
        filled.create(name)
    for name in ("Full", "Doomed"):
        filled.append(letter("one"), folder=name)
    home.configure(filled, rules=sweep("""
  local names = folders.list()
  assert(table.concat(names, " "):has "Old/Below", table.concat(names, " "))
  assert(#folders.list("Old%") == 1 and #folders.list("*", "!Old*") < #names)
  folders.create "Müll & Co"
  folders.create "Müll & Co"
  folders.rename("Old", "Older")
  folders.subscribe "Müll & Co"
  folders.subscribe "Empty"
  folders.unsubscribe "Empty"
  folders.delete "Empty"
  folders.delete("Doomed", { with_messages = true })
"""))
    home.fetched()
    client = filled.client()
    names = b"\n".join(client.list()[1]).decode()
    assert "M&APw-ll &- Co" in names and "Older/Below" in names
    assert "Empty" not in names and "Doomed" not in names
    assert "M&APw-ll &- Co" in b"\n".join(client.lsub()[1]).decode()
    assert "Empty" not in b"\n".join(
        one for one in client.lsub()[1] if one).decode()
    client.logout()


def test_a_folder_with_messages_is_not_deleted_unasked(home, filled):
    filled.create("Full")
    filled.append(letter("one"), folder="Full")
    home.configure(filled, rules=sweep("  folders.delete 'Full'"))
    run = home.fetch()
    assert '"Full" has 1 message' in run.err and run.code != 0, run
    assert len(filled.list_uids("Full")) == 1


def test_what_is_known_goes_along_with_a_renamed_folder(home, filled):
    filled.create("Old")
    filled.append(letter("kept"), folder="Old")
    home.configure(filled, folders='{ "INBOX", "Old*" }')
    assert len(home.fetched().messages) == 9
    home.configure(filled, folders='{ "INBOX", "Old*" }',
                   rules=sweep("  folders.rename('Old', 'Older')"))
    home.fetched()
    again = home.fetched()
    assert again.messages == []


def test_folders_are_for_sweeps(home, filled):
    home.configure(filled, rules="""
rule("wrong", function(m) folders.create "x" end)
""")
    run = home.fetch()
    assert "folders.create: only in the function of a sweep" in run.err, run


# ---- Configuration

def test_a_source_that_cannot_be_searched_is_a_mistake(home, server):
    home.configure(server, protocol="pop3",
                   rules=sweep("  box:all():delete()"))
    run = home.run("check")
    assert run.code == 78 and "a pop3 source cannot search and move" \
        in run.err, run


@pytest.mark.parametrize("text,words", [
    ('sweep("x", { account = "wrk", folder = "a" }, function(box) end)',
     'there is no account "wrk"; did you mean "work"?'),
    ('sweep("x", { account = "work" }, function(box) end)', "folder"),
    ('sweep("x", { foldr = "a" }, function(box) end)',
     'did you mean "folder"?'),
    ('sweep("x", { folder = "a" })', "expects sweep("),
    ('sweep("x", { folder = "a", every = "0.1s" }, function(box) end)',
     "every"),
])
def test_mistakes_of_the_configuration(home, server, text, words):
    home.configure(server, rules=text)
    run = home.run("check")
    assert run.code == 78 and words in run.err, run
