"""What users ask of their rules: test, explain, replay."""

import json
import time

RULES = """
rule("lists", function(m)
  if m.list_id == "dev.example" then m:deliver(mail / "lists/dev") end
end)
rule("spam", function(m)
  if m.subject:has "spam" then m:flag "\\\\Seen" m:move "Junk" end
end)
"""


def write_tests(home, text, name="test_rules.lua"):
    (home.root / name).write_text(text)


def test_rule_tests_pass_and_fail(server, home):
    home.configure(server, rules=RULES)
    (home.root / "list.eml").write_bytes(
        b"List-Id: <dev.example>\r\nSubject: hi\r\n\r\nx\r\n")
    write_tests(home, """
test("lists", { eml = "list.eml" }, { delivered = "lists/dev" })
test("spam", { text = "Subject: Spam!\\n\\n" }, { moved = "Junk" })
""")
    run = home.run("test")
    assert run.code == 0, run
    assert run.out.splitlines() == ["ok    lists", "ok    spam",
                                    "2 passed, 0 failed"]
    write_tests(home, 'test("not", { text = "Subject: a\\n\\n" }, '
                      '{ moved = "Junk" })\n', "more.lua")
    run = home.run("test", "more.lua")
    assert run.code == 1, run
    assert run.out.splitlines()[0] == "FAIL  not (more.lua:1)"
    assert "moved: expected \"Junk\", got nothing" in run.out
    assert run.out.splitlines()[-1] == "0 passed, 1 failed"
    run = home.run("test", "--json", "more.lua")
    lines = [json.loads(line) for line in run.out.splitlines()]
    assert [one.get("status") for one in lines] == ["failed", None]
    assert lines[-1] == {"event": "summary", "passed": 0, "failed": 1}


def test_without_tests_it_says_so(server, home):
    home.configure(server)
    run = home.run("test")
    assert run.code == 78, run
    assert "there are no tests" in run.err


def test_a_file_of_tests_has_no_rules(server, home):
    home.configure(server)
    write_tests(home, 'rule("late", function(m) end)\n')
    run = home.run("test")
    assert run.code == 78, run
    assert "has no rules" in run.err


def fill(server):
    server.fill([Plain(b"Subject: spam %d\r\nFrom: a@example.org\r\n\r\nx\r\n"
                       % number) for number in range(3)]
                + [Plain(b"List-Id: <dev.example>\r\nSubject: hi\r\n\r\nx\r\n")])


class Plain:
    """A message as the fixture of the server takes it."""

    def __init__(self, data):
        self.data = data
        self.flags = ()
        self.date = time.time()


def test_explain_goes_rule_by_rule(server, home):
    home.configure(server, rules=RULES)
    path = home.root / "spam.eml"
    path.write_bytes(b"From: a@example.org\r\nSubject: spam\r\n\r\nx\r\n")
    run = home.run("explain", str(path))
    assert run.code == 0, run
    lines = run.out.splitlines()
    assert lines[0].endswith('from a@example.org  "spam"')
    assert "    looks at   list_id (headers)" in lines
    assert "    looks at   subject (envelope)" in lines
    assert any("move to Junk" in line and "final" in line for line in lines)
    assert lines[-2:] == ["In the end: flag \\Seen", "            move to Junk"]
    run = home.run("explain", "--json", str(path))
    events = [json.loads(line) for line in run.out.splitlines()]
    assert [one["event"] for one in events] == ["rule", "rule", "end"]
    assert events[0]["reads"] == ["list_id"] and events[0]["plan"] == []
    assert events[1]["cost"] == "envelope"
    assert events[2]["effects"] == "flag \\Seen\nmove to Junk\n"


def test_explain_what_is_on_the_server_and_leave_it(server, home):
    home.configure(server, rules=RULES, after="delete")
    fill(server)
    before = server.list_uids()
    run = home.run("explain", f"work/INBOX/{before[-1]}")
    assert run.code == 0, run
    assert "In the end: deliver to" in run.out and "lists/dev" in run.out
    assert server.list_uids() == before
    run = home.run("explain", "work/INBOX/4711")
    assert run.code == 69, run
    assert "work/INBOX/4711 is not on the server" in run.err
    run = home.run("explain", "wrok/INBOX/1")
    assert run.code == 78 and 'no account "wrok"' in run.err


def test_a_rule_that_fails_is_explained(server, home):
    home.configure(server, rules='rule("bad", function(m) local x = m.size '
                                 'error("oh") end)\n')
    path = home.root / "a.eml"
    path.write_bytes(b"Subject: a\r\n\r\n")
    run = home.run("explain", str(path))
    assert run.code == 78, run
    assert "    fails      rule \"bad\": config.lua" in run.out
    assert "In the end: put off" in run.out


def test_replay_shows_what_would_differ(server, home):
    home.configure(server, rules=RULES)
    fill(server)
    other = home.root / "new.lua"
    other.write_text(home.config.read_text().replace('"Junk"', '"Spam"'))
    other.chmod(0o600)
    before = server.list_uids()
    run = home.run("replay", "--rules", str(other))
    assert run.code == 1, run
    lines = run.out.splitlines()
    assert lines[:5] == [
        f"work/INBOX/{before[0]}  from a@example.org  \"spam 0\"",
        "  - flag \\Seen", "  - move to Junk",
        "  + flag \\Seen", "  + move to Spam"]
    assert lines[-1] == "4 messages, 3 would fare otherwise"
    assert run.err == ""
    run = home.run("replay", "--json", "--rules", str(other))
    assert json.loads(run.out.splitlines()[-1]) == {
        "event": "summary", "messages": 4, "changed": 3, "failed": 0}
    other.write_text(home.config.read_text())
    assert home.run("replay", "--rules", str(other)).code == 0
    assert server.list_uids() == before
    assert not home.state.exists() or not list(home.state.rglob("*.db"))


def test_replay_takes_mail_that_is_young_enough(server, home):
    home.configure(server, rules=RULES)
    fill(server)
    old = Plain(b"Subject: spam of old\r\n\r\nx\r\n")
    old.date -= 40 * 86400
    server.fill([old])
    other = home.root / "new.lua"
    other.write_text(home.config.read_text().replace('"Junk"', '"Spam"'))
    other.chmod(0o600)
    for since, count in ("30d", 4), ("50d", 5):
        run = home.run("replay", "--since", since, "--rules", str(other))
        assert run.out.splitlines()[-1].startswith(f"{count} messages"), run
