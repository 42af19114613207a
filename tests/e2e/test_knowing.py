"""What users ask of their rules: test, explain, replay."""

import json
import time

import pytest

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


def other_rules(home, old, new, name="new.lua"):
    path = home.root / name
    path.write_text(home.config.read_text().replace(old, new))
    path.chmod(0o600)
    return str(path)


def test_a_failure_is_the_same_in_another_line(server, home):
    """File and line are no difference of what becomes of mail."""
    server.fill([Plain(b"Subject: one\r\n\r\nx\r\n")])
    home.configure(server, rules="""
rule("fails", function(m) error("nothing at 7") end)
""")
    same = other_rules(home, '\nrule("fails"', '\n\n\n\nrule("fails"')
    run = home.run("replay", "--rules", same)
    assert run.code == 0, run
    assert run.out == "1 message, 0 would fare otherwise, " \
                      "of 1 the new rules fail\n"
    other = other_rules(home, "at 7", "at 8")
    run = home.run("replay", "--rules", other)
    assert run.code == 1, run
    assert "nothing at 7" in run.out and "new.lua:" in run.out


LOCAL = """
options {{ state = "{root}/state" }}
local mail = maildir "{root}/Mail"
account "work" {{ source = {source}, after = keep, deliver = mail }}
"""


def fill_local(home, kind):
    if kind == "maildir_source":
        for part in ("cur", "new", "tmp"):
            (home.root / "old" / part).mkdir(parents=True, exist_ok=True)
        for number in range(3):
            (home.root / "old" / "new" / f"{number}.host").write_bytes(
                b"Subject: spam %d\n\nx\n" % number)
    else:
        (home.root / "old").write_bytes(b"".join(
            b"From a@example.org Sun Nov 22 10:00:00 2026\n"
            b"Subject: spam %d\n\nx\n\n" % number for number in range(3)))
    home.write(LOCAL.format(root=home.root,
                            source=f'{kind} "{home.root}/old"') + RULES)


def fill_pop3(home, make_server):
    server = make_server(pop3=True)
    for number in range(3):
        server.append(b"Subject: spam %d\r\n\r\nx\r\n" % number)
    home.configure(server, protocol="pop3", rules=RULES.replace(
        'm:flag "\\\\Seen" m:move "Junk"', 'm:deliver(mail / "Junk")'))


@pytest.mark.parametrize("kind", ["maildir_source", "mbox_source", "pop3"])
def test_messages_without_uids_are_called_as_fetch_calls_them(
        make_server, home, kind):
    if kind == "pop3":
        fill_pop3(home, make_server)
    else:
        fill_local(home, kind)
    other = other_rules(home, '"Junk"', '"Spam"')

    def replayed():
        run = home.run("replay", "--since", "100000d", "--json",
                       "--rules", other)
        assert run.code == 1, run
        return [one["uid"] for one in run.records if one["event"] == "change"]

    assert replayed() == [1, 2, 3]
    assert not list(home.root.rglob("state.db"))
    planned = {one["uid"]: one["subject"]
               for one in home.fetch("-n", "--json").messages}
    assert sorted(planned) == [1, 2, 3]
    for round in range(2):
        for uid, subject in planned.items():
            run = home.run("explain", f"work/INBOX/{uid}")
            assert run.code == 0, run
            assert run.out.startswith(f"work/INBOX/{uid}  "), run
            assert f'"{subject}"' in run.out.splitlines()[0], run
        run = home.run("explain", "work/INBOX/4")
        assert run.code == 69, run
        assert "there is no work/INBOX/4" in run.err, run
        if round == 0:
            home.write(home.config.read_text().replace(
                'm:flag "\\\\Seen" m:move "Junk"', 'm:leave()'))
            home.fetched()
    assert replayed() == [1, 2, 3]
    if kind == "maildir_source":  # the others keep the names they have
        number = planned.pop(1)[-1]
        next((home.root / "old").glob(f"*/{number}.host*")).unlink()
        assert replayed() == [2, 3]
        run = home.run("explain", "work/INBOX/3")
        assert f'"{planned[3]}"' in run.out, run
        assert home.run("explain", "work/INBOX/1").code == 69


def test_what_comes_on_standard_input_cannot_be_asked_for(home):
    home.write(LOCAL.format(root=home.root, source="stdin {}"))
    run = home.run("explain", "work/INBOX/1")
    assert run.code == 69, run
    assert "only while they are delivered" in run.err


def test_labels_of_a_server_that_nobody_asked(server, home):
    """A file says nothing of what the server has; a Maildir has none."""
    rules = """
rule("label", function(m) m:label "Follow up" m:label "work" end)
"""
    home.configure(server, rules=rules)
    path = home.root / "one.eml"
    path.write_bytes(b"Subject: one\r\n\r\nx\r\n")
    run = home.run("explain", str(path))
    assert run.code == 0, run
    assert "label Follow up (where the server has labels) (line" in run.out
    assert "flag work (line" in run.out, run
    write_tests(home, """
test("labels", { eml = "one.eml" }, { flags = { "Follow up", "work" } })
""")
    assert home.run("test").code == 0
    server.fill([Plain(b"Subject: one\r\n\r\nx\r\n")])
    # This server was asked and has none, so it becomes a keyword.
    run = home.run("explain", f"work/INBOX/{server.list_uids()[0]}")
    assert run.code == 0 and "flag Follow_up (line" in run.out, run
    home.write(LOCAL.format(root=home.root,
                            source=f'maildir_source "{home.root}/old"') + rules)
    run = home.run("explain", str(path))
    assert run.code == 0 and "flag Follow_up (line" in run.out, run
