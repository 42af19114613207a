"""What rules keep for later messages, write to files, and match with."""

import signal

import pytest

import maildir

COPIES = """
rule("copies", function(m)
  if seen() then m:discard "a copy" end
end)
rule("count", function(m) store.incr("all") end)
rule("few", function(m)
  if not ratelimit("few", 3, "1h") then m:deliver(mail / "many") end
end)
"""

ATTACHMENT = """Subject: {subject}\r
Message-ID: <{subject}@example.org>\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary=B\r
\r
--B\r
\r
text\r
--B\r
Content-Type: application/pdf; name="{name}"\r
Content-Transfer-Encoding: base64\r
\r
aGVsbG8=\r
--B--\r
"""


def send(server, *names):
    for name in names:
        server.append(f"Subject: {name}\r\nMessage-ID: <{name}@example.org>"
                      f"\r\n\r\n{name}\r\n".encode())


def subjects(folder):
    if not folder.exists():
        return []
    return sorted(entry.data.decode().split("\n")[0].partition(": ")[2]
                  for entry in maildir.entries(folder))


def test_copies_are_told_within_a_run_and_in_later_ones(server, home):
    send(server, "a", "b", "a", "c", "a")
    home.configure(server, rules=COPIES)
    home.fetched()
    assert subjects(home.inbox) == ["a", "b", "c"]
    send(server, "b", "d")
    home.fetched()
    assert subjects(home.inbox) == ["a", "b", "c"]
    assert subjects(home.mail / "many") == ["d"]


def test_a_dry_run_keeps_nothing(server, home):
    send(server, "a", "a")
    home.configure(server, rules=COPIES)
    planned = home.fetched("--dry-run")
    assert sorted(one["action"] for one in planned.messages) == [
        "deliver", "discard"]
    home.fetched()
    assert subjects(home.inbox) == ["a"]


def test_a_message_that_is_put_off_is_not_its_own_copy(server, home):
    send(server, "a")
    home.configure(server, rules=COPIES + """
rule("wait", function(m) m:defer "1s" end)
""")
    home.fetch()
    assert subjects(home.inbox) == []
    home.configure(server, rules=COPIES)
    for _ in range(50):
        home.fetch()
        if subjects(home.inbox):
            break
    assert subjects(home.inbox) == ["a"]


@pytest.mark.parametrize("step", range(1, 13))
def test_a_crash_loses_no_message_that_asked_if_it_was_seen(server, home,
                                                            step):
    """Killed at any durable step and run again: each message is there once."""
    send(server, "a", "b", "a", "c")
    home.configure(server, rules=COPIES)
    first = home.fetch(POSTRIDER_CRASH_AT=step)
    home.fetched()
    send(server, "b")
    home.fetched()
    found = subjects(home.inbox) + subjects(home.mail / "many")
    assert {"a", "b", "c"} == set(found)
    if first.code != -signal.SIGKILL:
        assert sorted(found) == ["a", "b", "c"]


def test_parts_are_saved_and_a_retry_saves_them_once(server, home):
    shelf = home.root / "shelf"
    for subject, name in (("one", "../../../bill.pdf"), ("two", "bill.pdf"),
                          ("three", ".bashrc")):
        server.append(ATTACHMENT.format(subject=subject, name=name).encode())
    home.configure(server, rules=f"""
options {{ save = {{ "{shelf}" }} }}
rule("bills", function(m)
  for _, part in ipairs(m.attachments) do
    part:save("{shelf}/" .. m.subject .. "/")
  end
end)
""")
    home.fetched("--dry-run")
    assert not shelf.exists()
    home.fetch(POSTRIDER_CRASH_AT=2)
    home.fetched()
    files = sorted(str(path.relative_to(shelf))
                   for path in shelf.rglob("*") if path.is_file())
    assert files == ["one/_.._.._bill.pdf", "three/bashrc", "two/bill.pdf"]
    assert all((shelf / name).read_text() == "hello" for name in files)
    assert len(subjects(home.inbox)) == 3


def test_a_file_may_leave_the_shelf_by_no_link(server, home):
    shelf, outside = home.root / "shelf", home.root / "outside"
    outside.mkdir()
    shelf.mkdir()
    (shelf / "way").symlink_to(outside)
    server.append(ATTACHMENT.format(subject="x", name="a.pdf").encode())
    home.configure(server, rules=f"""
options {{ save = {{ "{shelf}" }} }}
rule("bills", function(m) m.attachments[1]:save "{shelf}/way/" end)
""")
    run = home.fetch()
    assert run.code == 75 and "symbolic link" in run.err + run.out, run
    assert list(outside.iterdir()) == []


RUNAWAYS = {
    "loops": "while true do end",
    "eats": "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end",
    "throws": "error 'no'",
    "explodes": "re'(a+)+$':match(('a'):rep(102400) .. '!')",
    "nests": "local function f() return f() + 1 end f()",
    "catches": "while true do pcall(re'(a+)+$'.match, re'(a+)+$', "
               "('a'):rep(102400) .. '!') end",
}


@pytest.mark.parametrize("name", RUNAWAYS)
def test_a_runaway_rule_costs_its_message_a_delay_and_nothing_else(
        server, home, name):
    others = [f"other{n}" for n in range(20)]
    send(server, *others[:10], "bad", *others[10:])
    home.configure(server, rules=f"""
rule("bad", function(m)
  if m.subject == "bad" then {RUNAWAYS[name]} end
end)
""")
    run = home.fetch(timeout=60)
    assert run.code == 75, run
    assert subjects(home.inbox) == sorted(others)
    for _ in range(2):
        home.fetch("--retry")
    assert subjects(home.inbox) == sorted(["bad", *others])


def test_maps_choose_folders(server, home):
    (home.root / "folders.txt").write_text(
        "# who goes where\n@lists.example = lists\nboss@example.org = boss\n")
    for sender in ("a@lists.example", "Boss@Example.org", "c@else.example"):
        server.append(f"From: {sender}\r\nSubject: {sender}\r\n\r\nx\r\n"
                      .encode())
    home.configure(server, rules="""
local folders = map "folders.txt"
rule("map", function(m)
  local folder = folders[m.from]
  if folder then m:deliver(mail / folder) end
end)
""")
    home.fetched()
    assert len(maildir.entries(home.mail / "lists")) == 1
    assert len(maildir.entries(home.mail / "boss")) == 1
    assert len(maildir.entries(home.inbox)) == 1


def test_what_other_causes_put_off_is_no_failure_of_a_rule(server, home):
    """Twice its sink was out of order; then its rules fail, and have three
    tries as if nothing had been."""
    server.append(b"Subject: a\r\n\r\nx\r\n")
    home.configure(server, deliver='pipe { "/bin/sh", "-c", "exit 75" }')
    for _ in range(2):
        assert home.fetch().code == 75
    home.configure(server, rules='rule("bad", function(m) error "odd" end)')
    for _ in range(2):
        assert home.fetch().code == 75
        assert not home.inbox.exists() or maildir.entries(home.inbox) == []
    assert "its rules failed 3 times" in home.fetch().err
    assert len(maildir.entries(home.inbox)) == 1
