"""Mail that lies on this machine: mboxes and Maildirs as sources."""

import mailbox
import os
import time

import maildir
import mboxes
import messages
import pytest

ACCOUNT = """\
account "local" {{
  source = {source},
  folders = {folders},
  after = {after},
  deliver = {deliver},
}}
"""


def take(home, source, folders='{ "INBOX" }', after="keep",
         deliver='mail / "inbox"', rules="", before=""):
    return home.write(before + ACCOUNT.format(
        source=source, folders=folders, after=after, deliver=deliver) + rules)


def fill_maildir(root, sent):
    for part in ("cur", "new", "tmp"):
        (root / part).mkdir(parents=True, exist_ok=True)
    for number, one in enumerate(sent):
        info = "".join(letter for letter, flag in
                       (("F", "\\Flagged"), ("R", "\\Answered"),
                        ("S", "\\Seen")) if flag in one.flags)
        name = f"{int(one.date)}.{number}.host"
        path = root / "cur" / f"{name}:2,{info}" if info else \
            root / "new" / name
        path.write_bytes(one.data if number % 2 else one.delivered)
        path.chmod(0o600)
        os.utime(path, (one.date, one.date))


# ---- mbox ------------------------------------------------------------------

@pytest.mark.parametrize("after", ["keep", "delete"])
def test_an_mbox_is_taken_over(home, after):
    sent = list(messages.mailbox(200, 31))
    path = home.root / "old"
    mboxes.write(path, sent)
    take(home, f'mbox_source "{path}"', after=after).fetched()
    found = [entry.data for entry in maildir.entries(home.inbox)]
    mboxes.assert_same(found, sent)
    mboxes.assert_same(mboxes.split(path), sent if after == "keep" else [])
    assert home.fetch().messages == []
    dates = {int(entry.mtime) for entry in maildir.entries(home.inbox)}
    assert dates == {int(one.date) for one in sent}


def test_only_what_is_new_is_taken(home):
    sent = list(messages.mailbox(50, 32))
    path = home.root / "old"
    mboxes.write(path, sent[:30])
    take(home, f'mbox_source "{path}"').fetched()
    with open(path, "ab") as file:
        for one in sent[30:]:
            file.write(mboxes.line(one) + mboxes.quoted(one.delivered))
    assert len(home.fetch().messages) == 20
    # A mail reader flags and removes some.
    box = mailbox.mbox(path)
    box.lock()
    for key in list(box.keys())[:10]:
        box.remove(key)
    for key in list(box.keys())[:10]:
        message = box[key]
        message.set_flags("RO")
        box[key] = message
    box.flush()
    box.unlock()
    box.close()
    home.fetched()
    mboxes.assert_same([entry.data for entry in maildir.entries(home.inbox)],
                       sent)


def test_a_folder_of_mboxes(home):
    sent = list(messages.mailbox(60, 33))
    boxes = home.root / "boxes"
    mboxes.write(boxes / "inbox", sent[:20])
    mboxes.write(boxes / "lists/a", sent[20:40])
    mboxes.write(boxes / "lists/b", sent[40:])
    take(home, f'mbox_source "{boxes}"', '{ "*", "!lists/b" }',
         after="delete").fetched()
    mboxes.assert_same([entry.data for entry in maildir.entries(home.inbox)],
                       sent[:40])
    assert mboxes.split(boxes / "inbox") == []
    mboxes.assert_same(mboxes.split(boxes / "lists/b"), sent[40:])


def test_flags_that_a_rule_sets_are_in_the_mbox(home):
    sent = list(messages.mailbox(20, 34))
    path = home.root / "old"
    mboxes.write(path, sent)
    take(home, f'mbox_source "{path}"', after="seen", rules="""
rule("all", function(m) m:flag("\\\\Flagged") end)
""").fetched()
    box = mailbox.mbox(path, create=False)
    assert len(box) == 20
    for message in box:
        assert {"R", "F"} <= set(message.get_flags())
    assert home.fetch().messages == []


# ---- Maildir -----------------------------------------------------------------

@pytest.mark.parametrize("after", ["keep", "delete", "seen",
                                   'move_to "Archive"'])
def test_a_maildir_is_taken_over(home, after):
    sent = list(messages.mailbox(200, 41))
    root = home.root / "old"
    fill_maildir(root, sent)
    (root / "tmp/half").write_bytes(b"half")
    take(home, f'maildir_source "{root}"', after=after).fetched()
    maildir.assert_same(home.mail, sent)
    left = maildir.entries(root)
    assert len(left) == (200 if after in ("keep", "seen") else 0)
    if after == "seen":
        assert all("S" in entry.flags for entry in left)
    if after.startswith("move"):
        assert len(maildir.entries(root / "Archive")) == 200
    assert (root / "tmp/half").read_bytes() == b"half"
    assert home.fetch().messages == []


@pytest.mark.parametrize("after", ["keep", "delete"])
def test_what_is_filed_unchanged_is_the_same_file(home, after):
    sent = [one for one in messages.mailbox(60, 45) if one.kind != "odd"]
    root = home.root / "old"
    fill_maildir(root, sent)
    files = {path.stat().st_ino: path for path in root.rglob("*.host*")}
    take(home, f'maildir_source "{root}"', after=after, rules="""
rule("mark", function(m)
  if m.list_id then m:set_header("X-Filed", "yes") end
end)""").fetched()
    linked = 0
    for path in home.inbox.rglob("*.postrider,*"):
        stat, data = path.stat(), path.read_bytes()
        linked += stat.st_ino in files
        is_changed = b"\nX-Filed: yes\n" in data
        assert not (is_changed and stat.st_ino in files)
        assert stat.st_nlink == (
            2 if after == "keep" and stat.st_ino in files else 1)
        assert b"\r\n" not in data
    assert linked == sum(1 for number, one in enumerate(sent)
                         if number % 2 == 0 and not one.list_id)
    assert home.fetch().messages == []


def test_flags_and_dates_come_along(home):
    sent = list(messages.mailbox(60, 42))
    root = home.root / "old"
    fill_maildir(root, sent)
    take(home, f'maildir_source "{root}"').fetched()
    flags = {entry.data: (entry.flags, int(entry.mtime))
             for entry in maildir.entries(home.inbox)}
    for one in sent:
        wanted = {letter for letter, flag in
                  (("F", "\\Flagged"), ("R", "\\Answered"), ("S", "\\Seen"))
                  if flag in one.flags}
        assert flags[one.delivered] == (wanted, int(one.date))


def test_a_reader_flags_what_was_taken(home):
    sent = list(messages.mailbox(30, 43))
    root = home.root / "old"
    fill_maildir(root, sent)
    take(home, f'maildir_source "{root}"').fetched()
    for path in list((root / "new").iterdir()):
        path.rename(root / "cur" / f"{path.name}:2,S")
    assert home.fetch().messages == []
    maildir.assert_same(home.mail, sent)


def test_many_messages_are_listed_quickly(home, plain_prefix):
    root = home.root / "old"
    fill_maildir(root, list(messages.mailbox(3, 44)))
    for number in range(20_000):
        (root / "cur" / f"1.{number}.many:2,S").write_bytes(
            b"Message-ID: <%d@example.org>\n\nx\n" % number)
    home.prefix = plain_prefix
    take(home, f'maildir_source "{root}"', rules="""
rule("leave", function(m) m:leave() end)
""").fetched()
    begin = time.monotonic()
    assert home.fetch().messages == []
    assert time.monotonic() - begin < 10


# ---- Both ----------------------------------------------------------------------

def test_there_and_back_again(home):
    sent = list(messages.mailbox(100, 51))
    root = home.root / "old"
    fill_maildir(root, sent)
    middle = home.root / "middle"
    take(home, f'maildir_source "{root}"', after="delete", deliver="box",
         before=f'local box = mbox {{ "{middle}" }}\n',
         rules=ACCOUNT.format(source=f'mbox_source "{middle}"',
                              folders='{ "INBOX" }', after="delete",
                              deliver='mail / "inbox"').replace(
                                  '"local"', '"second"'))
    home.fetched("local")
    home.fetched("second")
    mboxes.assert_same([entry.data for entry in maildir.entries(home.inbox)],
                       sent)
    assert maildir.entries(root) == [] and middle.read_bytes() == b""


def test_what_is_missing_is_said(home):
    for source in ("mbox_source", "maildir_source"):
        take(home, f'{source} "{home.root}/none"')
        run = home.run("fetch")
        assert run.code != 0 and "none" in run.err, run


def test_a_read_only_account_changes_nothing(home):
    sent = list(messages.mailbox(10, 52))
    root, path = home.root / "old", home.root / "box"
    fill_maildir(root, sent)
    mboxes.write(path, sent)
    before = path.read_bytes(), sorted(root.rglob("*"))
    for source in (f'mbox_source "{path}"', f'maildir_source "{root}"'):
        take(home, source).config.write_text(
            home.config.read_text().replace("after = keep",
                                            "read_only = true"))
        home.fetched()
    assert (path.read_bytes(), sorted(root.rglob("*"))) == before


# ---- What is said of their messages ----------------------------------------

def test_that_nothing_there_can_be_undone_is_said(home):
    sent = list(messages.mailbox(4, 61))
    path = home.root / "old"
    fill_maildir(path, sent)
    take(home, f'maildir_source "{path}"', rules="""
local n = 0
rule("half", function(m)
  n = n + 1
  if n % 2 == 0 then m:move "Junk" else m:flag "\\\\Flagged" end
end)
""").fetched()
    assert len(list((path / "Junk").glob("*/*"))) == 2
    for args in (["-n"], []):
        run = home.run("undo", "--last", "10m", *args)
        assert run.code == 69, run
        lines = run.out.splitlines()
        assert len(lines) == 5, run
        assert all("in a maildir_source nothing can be undone: its messages "
                   "have no UIDs" in line for line in lines[:4]), run
        assert lines[4].endswith(", 4 cannot be undone")
    assert len(list((path / "Junk").glob("*/*"))) == 2
