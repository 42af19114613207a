"""Folders of every name; the flags and dates of what lies in them."""

import maildir
import messages

NAMES = ["With space", "A & B", "Entwürfe", "日本語", "Ελληνικά/Ρωμαϊκά",
         "deep/er/est", 'quo"te', "per%cent", "back\\slash", "star*"]


def test_folders_of_odd_names(server, home):
    sent = []
    for number, name in enumerate(NAMES):
        part = list(messages.mailbox(3, 300 + number))
        server.fill(part, name)
        sent += part
    home.configure(server, folders='{ "*" }')
    run = home.fetched()
    assert {one["folder"] for one in run.messages} == set(NAMES)
    maildir.assert_same(home.mail, sent)
    assert home.fetched().messages == []


def test_folder_with_a_slash_in_its_name(make_server, home):
    server = make_server(separator=".")
    sent = list(messages.mailbox(3, 320))
    server.fill(sent, "this/that")
    sub = list(messages.mailbox(2, 321))
    server.fill(sub, "Lists.dev & co")
    home.configure(server, folders='{ "*" }')
    run = home.fetched()
    assert len(run.messages) == 5
    maildir.assert_same(home.mail, sent + sub)
    assert home.fetched().messages == []


def test_patterns_choose_folders(server, home):
    for number, name in enumerate(["Lists/dev", "Lists/noise", "Other"]):
        server.fill(messages.mailbox(2, 330 + number), name)
    server.fill(messages.mailbox(1, 339))
    home.configure(server, folders='{ "INBOX", "Lists/*", "!Lists/noise" }')
    run = home.fetched()
    assert sorted(one["folder"] for one in run.messages) == \
        ["INBOX", "Lists/dev", "Lists/dev"]


def test_folder_that_the_server_does_not_have(server, home):
    server.fill(messages.mailbox(2, 340))
    home.configure(server, folders='{ "INBOX", "Missing" }')
    run = home.fetch()
    assert len(maildir.entries(home.inbox)) == 2
    assert "Missing" in run.err + run.out


def test_flags_and_dates_are_kept(server, home):
    letters = {"\\Seen": "S", "\\Flagged": "F", "\\Answered": "R",
               "\\Draft": "D"}
    wanted = {}
    for number, flag in enumerate([*letters, None]):
        subject = f"flag {number}"
        date = 1_000_000_000 + number * 86_400
        server.append(f"Subject: {subject}\r\n\r\ntext\r\n".encode(),
                      flags=(flag,) if flag else (), date=date)
        wanted[subject] = ({letters[flag]} if flag else set(), date)
    home.configure(server)
    home.fetched()
    found = {}
    for entry in maildir.entries(home.inbox):
        subject = entry.data.decode().split("\n")[0].partition(": ")[2]
        found[subject] = (entry.flags, entry.mtime)
    assert found == wanted
    for entry in maildir.entries(home.inbox):
        assert entry.path.parent.name == ("cur" if entry.flags else "new")


def test_files_and_folders_are_private(server, home):
    server.fill(messages.mailbox(2, 350))
    home.configure(server)
    home.fetched()
    for path in [home.mail, *home.mail.rglob("*"), *home.state.rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


def test_maildir_plus_plus_names(server, home):
    sent = list(messages.mailbox(20, 360))
    server.fill(sent)
    home.write(f'mail = maildir {{ "{home.root}/Plus", layout = "maildir++" }}'
               "\n" + home.account(server, deliver='mail / "lists/dev"'))
    home.fetched()
    assert len(maildir.entries(home.root / "Plus" / ".lists.dev")) == 20
