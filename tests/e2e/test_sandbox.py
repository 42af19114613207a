"""Rules that run away, break out or break down: each costs its own message a
delay, and the others of the batch are delivered meanwhile."""

import time

import maildir

TIME = "ran for more than 50 ms"
# What the rule does over the message of that name, and what may be said of it.
BAD = {
    "loops": (
        'while true do end',
        [TIME]),
    "loops and catches": (
        'while true do pcall(function() while true do end end) end',
        [TIME]),
    "repeats a text": (
        'local s = ("x"):rep(1 << 28)',
        ["of memory", TIME]),
    "repeats texts": (
        'local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(1 << 20) .. '
        'i end',
        ["of memory", TIME]),
    "grows a table": (
        'local t = {} for i = 1, 1e12 do t[i] = i end',
        ["of memory", TIME]),
    "replaces what it replaced": (
        'local s = "aaaaaaaa" while true do s = s:gsub("a", "aaaa") '
        'end',
        ["of memory", TIME]),
    "replaces by an expression": (
        'local s = "aaaaaaaa" while true do s = re("a"):gsub(s, '
        '"aaaa") end',
        ["of memory", TIME]),
    "matches in too many ways": (
        're("(a+)+$"):match(("a"):rep(102400) .. "!")',
        ["too many ways", TIME]),
    "matches a pattern for ever": (
        '(("a"):rep(102400)):find((".-"):rep(30) .. "b")',
        [TIME, "too complex", "too many ways"]),
    "throws nothing": (
        'error(nil)',
        [""]),
    "throws a table": (
        'error({ 1, 2, 3 })',
        [""]),
    "throws what loops": (
        'error(setmetatable({}, { __tostring = function() while true '
        'do end end }))',
        [""]),
    "throws what throws": (
        'error(setmetatable({}, { __tostring = function() error '
        "'again' end }))",
        [""]),
    "throws a megabyte": (
        'error(("x"):rep(1 << 20))',
        ["xxx", TIME]),
    "recurses": (
        'local function f() return 1 + f() end f()',
        ["overflow", TIME]),
    "recurses through C": (
        'local function f(s) return (s:gsub(".", f)) .. f(s) end f '
        '"x"',
        [""]),
    "makes a coroutine": (
        'coroutine.wrap(function() end)()',
        ["coroutine"]),
    "reads a file": (
        'io.open("/etc/passwd")',
        ['"io" is not open to rules']),
    "runs a command": (
        'os.execute("true")',
        ['"os" is not open to rules']),
    "debugs": (
        'debug.getregistry()',
        ['"debug"']),
    "loads a text": (
        'load("return 1")()',
        ['"load" is not open to rules']),
    "dumps a function": (
        'string.dump(function() end)',
        ["dump"]),
    "requires a library of C": (
        'require "native"',
        ["native"]),
    "requires what lies elsewhere": (
        'require "../native"',
        ["native"]),
    "changes the library": (
        "string.lower = function() return 'evil' end",
        ["cannot be changed"]),
    "forgets local": (
        "date = m.date",
        ['write "local date"']),
    "drops a helper": (
        "re = nil",
        ['write "local re"']),
    "changes a helper": (
        "store.get = 5",
        ["cannot be changed"]),
    "sets a helper raw": (
        "rawset(_G, 'tostring', 5)",
        ['write "local tostring"']),
    "changes what texts can do": (
        'getmetatable("").__index = function() while true do end end',
        [""]),
    "changes all names": (
        'setmetatable(_G, { __index = error })',
        ["protected"]),
    "collects with a function": (
        'setmetatable({}, { __gc = function() while true do end end '
        '})',
        ["finalizers"]),
    "sorts for ever": (
        'table.sort({ 3, 2, 1, 5 }, function() while true do end end)',
        [TIME]),
}
GOOD = 60


def put(folder):
    for name in ("cur", "new", "tmp"):
        (folder / name).mkdir(parents=True)
    subjects = list(BAD)
    for number in range(GOOD):
        subjects.insert(number * 3 % len(subjects), f"good {number}")
    for number, subject in enumerate(subjects):
        (folder / "new" / f"{1_700_000_000 + number}.M1P1.x").write_text(
            f"Subject: {subject}\nFrom: a@example.org\n\nbody of {subject}\n")


def test_what_one_rule_does_the_others_do_not_feel(home):
    put(home.root / "old")
    (home.root / "native.so").write_bytes(b"\x7fELF")
    (home.root / "native.luac").write_bytes(b"\x1bLua")
    rules = "".join(f'if m.subject == "{name}" then {body} end\n'
                    for name, (body, _) in BAD.items())
    home.write(f"""
account "local" {{ source = maildir_source "{home.root}/old",
  deliver = mail / "inbox" }}
rule("first", function(m) m:tag("lower", ("GOOD"):lower()) end)
rule("bad", function(m)
{rules}end)
rule("last", function(m)
  if m.subject:starts "good" and m.tags.lower == "good" and
     ("SAME"):lower() == "same" and string.lower "A" == "a" and
     date("%Y", 86400 * 365) == "1971" and re("^good"):match(m.subject) and
     store.get(tostring(m.uid)) == nil then
    m:deliver(mail / "good")
  end
end)
""")
    begin = time.monotonic()
    run = home.fetch()
    assert time.monotonic() - begin < 60
    assert run.code == 75, run
    assert len(maildir.entries(home.mail / "good")) == GOOD
    assert maildir.entries(home.inbox) == []
    said = {one["subject"]: one["error"] for one in run.messages
            if one["subject"] in BAD}
    assert set(said) == set(BAD)
    wrong = {name: said[name] for name, (_, words) in BAD.items()
             if 'rule "bad"' not in said[name] or len(said[name]) > 2000 or
             not any(one in said[name] for one in words)}
    assert not wrong
    # Nothing is lost: what rules fail over three times goes where mail goes.
    for _ in range(2):
        home.fetch("--retry")
    assert len(maildir.entries(home.inbox)) == len(BAD)
    assert len(maildir.entries(home.mail / "good")) == GOOD


def test_a_rule_that_takes_all_its_time_waits_alone(home):
    """60 s in all are given to a message: the others do not wait for it."""
    put(home.root / "old")
    home.write(f"""
options {{ limits = {{ total = "2s" }} }}
account "local" {{ source = maildir_source "{home.root}/old",
  deliver = mail / "inbox" }}
rule("sleeps", function(m)
  if m.subject == "loops" then while true do sleep "100ms" end end
end)
""")
    run = home.fetch()
    assert run.code == 75, run
    assert len(maildir.entries(home.inbox)) == GOOD + len(BAD) - 1
    assert [one["subject"] for one in run.messages if one["error"]] == \
        ["loops"]
    assert "took longer than 2 s in all" in str(run)
