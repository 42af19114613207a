"""What users ask of their rules: test, explain, replay."""

import json

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
