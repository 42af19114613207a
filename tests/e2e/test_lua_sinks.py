"""Sinks and sources written in Lua: the same contract as in C, and nothing that
goes wrong in one loses mail."""

import gzip
import pathlib
import shutil

import maildir
import messages
import pytest

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "scripts/examples"
WRITER = """
local out = "{out}"
local function write(m)
  local done, why = exec {{ "sh", "-c", 'cat > "$1.new" && mv "$1.new" "$1"',
                           "sh", out .. "/" .. m.key, input = m }}
  if not done then return nil, why end
  if done.status ~= 0 then return "later", done.complaint end
  return true
end
"""


@pytest.fixture
def out(home):
    folder = home.root / "out"
    folder.mkdir()
    return folder


@pytest.fixture
def sink(server, home, out):
    """Makes a configuration whose mail goes to this sink."""
    def make(functions, deliver="it", rules="", **options):
        options.setdefault("after", "delete")
        return home.write(
            WRITER.format(out=out) +
            f'local it = sink("archive", {{ {functions} }})\n' +
            home.account(server, deliver=deliver, **options) + rules)
    return make


def outputs(folder):
    return sorted(path.read_bytes() for path in folder.iterdir())


def delivered(sent):
    return sorted(one.delivered for one in sent)


def filled(server, count, seed):
    sent = list(messages.mailbox(count, seed))
    server.fill(sent)
    return sent


# ---- What works

@pytest.mark.parametrize("functions", [
    "deliver = write",
    """commit = function(batch)
         local results = {}
         for i, m in ipairs(batch) do results[i] = { write(m) } end
         return results
       end""",
    """stage = function(m) return m.key end,
       commit = function(batch)
         for _, m in ipairs(batch) do
           assert(m.receipt == m.key)
           assert(write(m))
         end
         return true
       end,
       abort = function() error "not called" end,
       recover = function(key, receipt) return nil end""",
])
def test_mail_gets_there_whole(server, home, out, sink, functions):
    sent = filled(server, 30, 1)
    sink(functions)
    home.fetched()
    assert outputs(out) == delivered(sent)
    assert server.list_uids() == []
    home.fetched()
    assert len(outputs(out)) == 30


def test_what_a_function_sees(server, home, out, sink):
    server.append(b"Return-Path: <ann@example.org>\r\n"
                  b"Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\nX-A: 1\r\n"
                  b"X-A: 2\r\n\r\nbody\r\n", flags=("\\Flagged", "work"))
    sink("""deliver = function(m)
      print(m.account, m.source_folder, m.folder, m.uid, m.size)
      print(#m.key > 0, m.received > 1e9, m.receipt, m.flags["\\\\Flagged"],
            m.flags["\\\\Seen"])
      print(m:header "subject", m:header "None", table.concat(m:headers "x-a"))
      local text = {}
      for piece in m:bytes(7) do
        assert(#piece <= 7)
        text[#text + 1] = piece
      end
      assert(table.concat(text) == m:raw())
      print(#m:raw() == m.size, m:raw():has "body")
      print(pcall(function() return m.subject end))
      print(pcall(function() m.uid = 2 end))
      sleep(0.01)
      return true
    end""", deliver='it / "a/b"')
    run = home.fetched("-v")
    assert "print: archive: " not in run.err
    lines = [line.split(": ", 2)[-1] for line in run.err.splitlines()
             if "sink:archive" in line or "print" in line]
    text = "\n".join(lines)
    assert "work INBOX a/b 1 8" in text, run
    assert "true true  true false" in text, run
    assert "grüße nil 12" in text, run
    assert "true true" in text, run
    assert 'a message to deliver has no "subject"' in text, run
    assert "cannot be changed" in text, run


def test_a_message_larger_than_the_memory_of_lua(server, home, out, sink):
    data = b"Subject: large\r\n\r\n" + b"x" * 76 + b"\r\n"
    data += (b"y" * 76 + b"\r\n") * 200_000
    server.append(data)
    sink("""deliver = function(m)
      local size = 0
      for piece in m:bytes() do size = size + #piece end
      assert(size == m.size)
      return write(m)
    end""", rules='options { limits = { memory = "4M" } }\n')
    home.fetched()
    assert outputs(out) == [data.replace(b"\r\n", b"\n")]


def test_functions_of_one_sink_never_run_side_by_side(server, home, sink):
    filled(server, 250, 2)
    sink("""stage = function(m)
      assert(not busy); busy = true; sleep(0.001); busy = false
    end,
    commit = function(batch)
      assert(not busy); busy = true; sleep(0.05); busy = false
      return true
    end""", rules="\n")
    text = home.config.read_text().replace("local out", "busy = false\n"
                                           "local out", 1)
    home.config.write_text(text)
    home.fetched()
    assert server.list_uids() == []


def test_several_sinks_and_a_retry_only_where_it_lacks(server, home, out,
                                                       sink):
    sent = filled(server, 6, 3)
    sink("""commit = function(batch)
      if exec { "test", "-e", out .. "/../up" }.status ~= 0 then
        return "later", "the archive is closed"
      end
      local results = {}
      for i, m in ipairs(batch) do results[i] = { write(m) } end
      return results
    end""", deliver='{ mail / "inbox", it }')
    run = home.fetch()
    assert [one["status"] for one in run.messages] == ["later"] * 6, run
    assert "the archive is closed" in run.err
    assert len(server.list_uids()) == 6
    maildir.assert_same(home.mail, sent)
    (home.root / "up").touch()
    home.fetched("--retry")
    maildir.assert_same(home.mail, sent)
    assert outputs(out) == delivered(sent)
    assert server.list_uids() == []


def test_a_rule_delivers_to_a_folder_below_it(server, home, sink):
    filled(server, 5, 4)
    sink("deliver = function(m) print(m.folder) return true end",
         deliver='mail / "inbox"',
         rules='rule("all", function(m) m:deliver(it / "x/y") end)\n')
    run = home.fetched("-v")
    assert run.err.count("x/y") >= 5, run
    assert maildir.folders(home.mail) == []


# ---- What goes wrong

@pytest.mark.parametrize("functions, words, status", [
    ("deliver = function(m) error 'oh no' end", "oh no", "later"),
    ("deliver = function(m) end", "expects true", "later"),
    ("deliver = function(m) return 5 end", "got a number", "later"),
    ("deliver = function(m) return nil, 'line is down' end", "line is down",
     "later"),
    ("deliver = function(m) return 'later' end", "sink:archive: later",
     "later"),
    ("deliver = function(m) return 'later', 'at night' end", "at night",
     "later"),
    ("deliver = function(m) return false, 'too ugly' end", "too ugly",
     "failed"),
    ("deliver = function(m) while true do end end", "without waiting",
     "later"),
    ("deliver = function(m) return ('x'):rep(200000000) end", "memory",
     "later"),
    ("commit = function(b) error 'oh no' end", "oh no", "later"),
    ("commit = function(b) return {} end", "is missing", "later"),
    ("commit = function(b) return false, 'closed for good' end",
     "closed for good", "failed"),
    ("commit = function(b) return { { 'later', 'soon' }, false } end",
     "soon", "later"),
    ("stage = function(m) error 'no stage' end, deliver = write", "no stage",
     "later"),
    ("stage = function(m) return false, 'not this' end, deliver = write",
     "not this", "failed"),
    ("stage = function(m) return ('x'):rep(512) end, deliver = write",
     "at most 511", "later"),
    ("stage = function(m) return 'a\\nb' end, deliver = write", "one line",
     "later"),
    ("stage = function(m) return {} end, deliver = write", "got a table",
     "later"),
    ("stage = function(m) kept = m end, "
     "deliver = function(m) return kept:raw() end", "has left", "later"),
])
def test_an_error_puts_off_and_loses_nothing(server, home, out, sink,
                                             functions, words, status):
    sent = filled(server, 1, 5)
    sink(functions)
    text = home.config.read_text()
    home.config.write_text("kept = false\n" + text)
    run = home.fetch()
    assert [one["status"] for one in run.messages] == [status], run
    assert words in run.err, run
    assert len(server.list_uids()) == 1 and outputs(out) == []
    sink("deliver = write")
    home.fetched("--retry")
    assert outputs(out) == delivered(sent)
    assert server.list_uids() == []


def test_an_error_is_shown_once_with_where_it_was(server, home, sink):
    filled(server, 20, 6)
    sink("""commit = function(batch)
      local function inner() error "oh no" end
      inner()
    end""")
    run = home.fetch()
    assert run.err.count("stack traceback") == 1, run
    assert run.err.count("oh no") <= 3, run
    assert "config.lua:" in run.err


def test_results_are_each_messages_own(server, home, out, sink):
    sent = filled(server, 8, 7)
    sink("""commit = function(batch)
      local results = {}
      for i, m in ipairs(batch) do
        if m.uid % 4 == 0 then results[i] = { false, "bad number" }
        elseif m.uid % 4 == 1 then results[i] = "later"
        else results[i] = { write(m) } end
      end
      return results
    end""")
    run = home.fetch()
    fates = {one["uid"]: one["status"] for one in run.messages}
    assert fates == {1: "later", 2: "done", 3: "done", 4: "failed",
                     5: "later", 6: "done", 7: "done", 8: "failed"}, run
    assert outputs(out) == delivered(sent[i] for i in (1, 2, 5, 6))


@pytest.mark.parametrize("text, words", [
    ('sink("a", { delivr = function() end })', 'did you mean "deliver"'),
    ('sink("a", { deliver = 5 })', "expects a function, got a number"),
    ('sink("a", {})', "deliver or commit is missing"),
    ('sink("a", { stage = function() end })', "deliver or commit is missing"),
    ('sink("a", { deliver = print, commit = print })', "one of them"),
    ('sink("", { deliver = print })', "has no name"),
    ('sink("a/b", { deliver = print })', "in its name"),
    ('sink "a"', 'expects sink("name", { ... })'),
    ('sink { deliver = print }', 'expects sink("name", { ... })'),
    ('sink("a", { deliver = print }) sink("a", { deliver = print })',
     "is there already"),
    ('source("a", { list = print })', "fetch is missing"),
    ('source("a", { lst = print, fetch = print })', 'did you mean "list"'),
])
def test_wrong_tables(server, home, text, words):
    home.write("local s\n" + home.account(server) + "s = " + text
               if not text.count("sink(") == 2 else
               home.account(server) + text)
    run = home.run("check")
    assert run.code == 78 and words in run.err, run
    assert "config.lua:" in run.err


# ---- A crash

def crashed_at(home, step):
    log = home.root / "steps"
    log.unlink(missing_ok=True)
    run = home.fetch(POSTRIDER_CRASH_AT=step, POSTRIDER_CRASH_LOG=log)
    return run.code


def steps_of(server, home):
    log = home.root / "steps"
    home.fetched(POSTRIDER_CRASH_LOG=log)
    return log.read_text().splitlines() if log.exists() else []


def test_each_crash_leaves_one_in_doubt_at_most(server, home, out, sink):
    sink("deliver = write")
    filled(server, 3, 8)
    steps = steps_of(server, home)
    if not steps:
        pytest.skip("a build without crash points")
    for step in range(1, len(steps) + 1):
        server.fill(list(messages.mailbox(3, 100 + step)))
        before = len(outputs(out))
        home.fetch(POSTRIDER_CRASH_AT=step)
        run = home.fetched("--retry")
        more = outputs(out)[before:]
        assert len(outputs(out)) - before == 3, (steps[step - 1], run)
        assert run.err.count("cannot be told") <= 1, run
        assert more is not None and server.list_uids() == []


def test_recover_is_asked_with_key_and_receipt(server, home, out, sink):
    sent = filled(server, 3, 9)
    functions = """
    stage = function(m) return "at " .. m.key end,
    commit = function(batch)
      for _, m in ipairs(batch) do assert(write(m)) end
      exec { "sh", "-c", "kill -9 $PPID" }
      return true
    end,
    recover = function(key, receipt)
      assert(receipt == "at " .. key)
      return exec { "test", "-e", out .. "/" .. key }.status == 0
    end"""
    sink(functions)
    assert home.fetch().code == -9
    assert len(server.list_uids()) == 3
    sink(functions.replace("kill -9 $PPID", "echo again >> %s/../again"
                           % out))
    run = home.fetched()
    assert outputs(out) == delivered(sent)
    assert not (home.root / "again").exists()
    assert server.list_uids() == [] and "cannot be told" not in run.err


@pytest.mark.parametrize("answer, words", [
    ("return nil", "cannot be told"), ("error 'not today'", "not today")])
def test_recover_that_cannot_tell(server, home, out, sink, answer, words):
    sent = filled(server, 1, 10)
    functions = """
    commit = function(batch)
      for _, m in ipairs(batch) do assert(write(m)) end
      %s
      return true
    end,
    recover = function(key, receipt) %s end"""
    sink(functions % ('exec { "sh", "-c", "kill -9 $PPID" }', answer))
    assert home.fetch().code == -9
    sink(functions % ("", answer))
    run = home.fetch()
    assert words in run.err, run
    if "nil" in answer:
        assert server.list_uids() == []
    else:  # it waits until it can be asked
        assert len(server.list_uids()) == 1
        sink(functions % ("", "return true"))
        home.fetched("--retry")
        assert server.list_uids() == []
    assert outputs(out) == delivered(sent)


# ---- Sources

SOURCE = """
local folder = "{folder}"
local function names()
  local found = exec {{ "ls", folder }}
  local list = {{}}
  for name in found.output:gmatch "[^\\n]+" do
    list[#list + 1] = {{ uidl = name, path = folder .. "/" .. name }}
  end
  return list
end
local shelf = source("shelf", {{
  list = names,
  fetch = function(item, want) {fetch} end,
  {settle}
}})
account "shelf" {{
  source = shelf, after = {after}, deliver = mail / "inbox",
}}
"""

FETCH = 'return exec { "cat", item.path }.output'
PIECES = """
  local text, at = exec { "cat", item.path }.output, 1
  return function()
    if at > #text then return nil end
    at = at + 1000
    return text:sub(at - 1000, at - 1)
  end"""
SETTLE = """settle = function(deeds)
    for _, deed in ipairs(deeds) do
      assert(deed.remove)
      exec { "rm", folder .. "/" .. deed.uidl }
    end
    return true
  end"""


@pytest.fixture
def shelf(home):
    folder = home.root / "shelf"
    folder.mkdir()

    def put(sent, first=0):
        for number, one in enumerate(sent, first):
            (folder / f"m{number:04}").write_bytes(one.data)

    def configure(fetch=FETCH, settle="", after="keep"):
        home.write(SOURCE.format(folder=folder, fetch=fetch, settle=settle,
                                 after=after))

    put.folder, put.configure = folder, configure
    return put


@pytest.mark.parametrize("fetch", [FETCH, PIECES])
def test_mail_from_a_source_in_lua(home, shelf, fetch):
    sent = list(messages.mailbox(40, 20))
    shelf(sent[:30])
    shelf.configure(fetch)
    home.fetched()
    maildir.assert_same(home.mail, sent[:30])
    run = home.fetched()
    assert run.messages == []
    shelf(sent[30:], 30)
    home.fetched()
    maildir.assert_same(home.mail, sent)


def test_settle_removes(home, shelf):
    sent = list(messages.mailbox(10, 21))
    shelf(sent)
    shelf.configure(settle=SETTLE, after="delete")
    home.fetched()
    maildir.assert_same(home.mail, sent)
    assert list(shelf.folder.iterdir()) == []


def test_a_settle_that_fails_is_called_again(home, shelf):
    sent = list(messages.mailbox(4, 22))
    shelf(sent)
    shelf.configure(settle="settle = function(deeds) error 'no' end",
                    after="delete")
    home.fetch()
    assert len(list(shelf.folder.iterdir())) == 4
    shelf.configure(settle=SETTLE, after="delete")
    home.fetched()
    maildir.assert_same(home.mail, sent)
    assert list(shelf.folder.iterdir()) == []


@pytest.mark.parametrize("fetch, words", [
    ("error 'torn'", "torn"),
    ("return nil, 'busy'", "busy"),
    ("return 5", "got a number"),
    ("return ''", "empty message"),
    ("return function() end", "empty message"),
    ("local n = 0 return function() n = n + 1 "
     "if n == 3 then error 'in the middle' end return 'x: y\\n' end",
     "in the middle"),
])
def test_a_fetch_that_fails_delivers_no_stump(home, shelf, fetch, words):
    sent = list(messages.mailbox(3, 23))
    shelf(sent)
    shelf.configure(fetch)
    run = home.fetch()
    assert words in run.err, run
    assert list(maildir.all_data(home.mail)) == []
    shelf.configure()
    home.fetched("--retry")
    maildir.assert_same(home.mail, sent)


def test_a_list_that_fails(home, shelf):
    shelf([])
    shelf.configure()
    for text, words in (("error 'x is shut'", "x is shut"),
                        ("return nil, 'away'", "away"),
                        ("return 7", "expects a list"),
                        ("return { 7 }", "item 1"),
                        ("return { { uidl = 7 } }", "uidl")):
        config = home.config.read_text()
        home.config.write_text(config.replace(
            "list = names", f"list = function() {text} end"))
        run = home.fetch()
        assert run.code != 0 and words in run.err, run
        home.config.write_text(config)
    shutil.rmtree(shelf.folder)


# ---- The example

def test_the_example(home):
    # One of more than a program may write for exec, and one whose last piece is
    # a whole one.
    sent = list(messages.mailbox(9, 30)) + [messages.large(2_500_000)]
    pieces = b"Subject: two pieces\n\n".ljust(2 * 512 * 1024 - 1, b"x") + b"\n"
    drop = home.root / "Drop"
    drop.mkdir()
    for number, one in enumerate(sent):
        (drop / f"a message {number}").write_bytes(one.data)
    (drop / "two pieces").write_bytes(pieces)
    home.config.write_text((EXAMPLES / "own.lua").read_text())
    run = home.run("check")
    assert run.code == 0 and "sink:archive: ok" in run.out, run
    home.fetched()
    found = [gzip.decompress(file.read_bytes())
             for file in (home.root / "Archive" / "drop").glob("*.gz")]
    assert sorted(found) == sorted([*delivered(sent), pieces])
    assert list(drop.iterdir()) == []
    home.fetched()
