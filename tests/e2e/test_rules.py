"""Rules decide, the core acts: each action, and rules that go wrong."""

import collections

import maildir
import messages

ACTIONS = """
rule("copy", function(m)
  if m.subject == "copied" then m:copy(mail / "copies") end
end)
rule("flag", function(m)
  if m.subject == "flagged" then m:flag "\\\\Flagged" end
end)
rule("deliver", function(m)
  if m.subject == "two places" then m:deliver(mail / "a", mail / "b") end
end)
rule("move", function(m)
  if m.subject == "moved" then m:move "Junk" end
end)
rule("delete", function(m)
  if m.subject == "deleted" then m:delete() end
end)
rule("leave", function(m)
  if m.subject == "left" then m:leave() end
end)
rule("discard", function(m)
  if m.subject == "discarded" then m:discard "not wanted" end
end)
rule("stop", function(m)
  if m.subject == "stopped" then m:stop() end
end)
rule("never", function(m)
  if m.subject == "stopped" or m.subject == "two places" then
    m:deliver(mail / "never")
  end
end)
"""

SUBJECTS = ["copied", "flagged", "two places", "moved", "deleted", "left",
            "discarded", "stopped", "plain"]


def subjects(folder):
    return sorted(entry.data.decode().split("\n")[0].partition(": ")[2]
                  for entry in maildir.entries(folder))


def send(server, *names):
    for name in names:
        server.append(f"Subject: {name}\r\nMessage-ID: <{name}@x>\r\n\r\n"
                      f"{name}\r\n".replace("two places@", "two-places@")
                      .encode())


def test_every_action_does_what_it_says(server, home):
    server.create("Junk")
    send(server, *SUBJECTS)
    home.configure(server, rules=ACTIONS)
    run = home.fetched()
    assert subjects(home.inbox) == ["copied", "flagged", "plain", "stopped"]
    assert subjects(home.mail / "copies") == ["copied"]
    assert subjects(home.mail / "a") == ["two places"]
    assert subjects(home.mail / "b") == ["two places"]
    assert not (home.mail / "never").exists()
    assert len(server.list_uids("Junk")) == 1
    assert len(server.list_uids()) == len(SUBJECTS) - 2
    assert sum("\\Flagged" in one for one in server.flags().values()) == 1
    flagged = [one for one in maildir.entries(home.inbox) if "F" in one.flags]
    assert len(flagged) == 1

    records = {one["subject"]: one for one in run.messages}
    assert records["two places"]["rule"] == "deliver"
    assert records["moved"]["action"] == "move"
    assert records["deleted"]["action"] == "delete"
    assert records["left"]["action"] == "leave"
    assert records["discarded"]["action"] == "discard"
    assert records["plain"]["action"] == "deliver"
    line = records["two places"]["line"]
    text = home.config.read_text().split("\n")[line - 1]
    assert "m:deliver(mail / \"a\"" in text

    again = home.fetched()
    assert again.messages == []


def test_discarded_is_settled_as_delivered(server, home):
    send(server, "discarded", "left", "plain")
    home.configure(server, after="delete", rules=ACTIONS)
    home.fetched()
    assert len(server.list_uids()) == 1
    assert subjects(home.inbox) == ["plain"]


def test_deferred_message_is_asked_about_again(server, home):
    send(server, "wait for it", "plain")
    home.configure(server, rules="""
local gate = io_never
rule("defer", function(m)
  if m.subject == "wait for it" then m:defer "1h" end
end)
""".replace("local gate = io_never\n", ""))
    run = home.fetch()
    assert run.code in (0, 75), run
    actions = {one["subject"]: one["action"] for one in run.messages}
    assert actions == {"wait for it": "defer", "plain": "deliver"}
    assert subjects(home.inbox) == ["plain"]
    home.configure(server)
    home.fetch()
    assert "plain" in subjects(home.inbox)


def test_rules_see_realistic_mail(server, home):
    """Each kind of generated mail is told by its fields."""
    sent = list(messages.mailbox(200, 801))
    server.fill(sent)
    home.configure(server, rules="""
rule("lists", function(m)
  local name = m.list_id and m.list_id:match "^(%w+)%."
  if name then m:deliver(mail / ("lists/" .. name)) end
end)
rule("spam", function(m)
  if m:header "X-Spam-Flag" == "YES" then m:deliver(mail / "spam") end
end)
rule("boss", function(m)
  if m.from:is "boss@example.org" then m:deliver(mail / "boss") end
end)
rule("invoices", function(m)
  for _, part in ipairs(m.parts) do
    if part.type == "application/pdf" and part.filename
       and part.filename:find "^invoice" then
      m:deliver(mail / "invoices")
    end
  end
end)
rule("newsletters", function(m)
  if m:header "List-Unsubscribe" then m:deliver(mail / "newsletters") end
end)
""")
    home.fetched()
    kinds = collections.Counter()
    for one in sent:
        if one.kind == "list":
            kinds["lists/" + one.list_id.partition(".")[0]] += 1
        else:
            kinds[{"spam": "spam", "boss": "boss", "invoice": "invoices",
                   "newsletter": "newsletters"}.get(one.kind, "inbox")] += 1
    found = {name: len(maildir.entries(home.mail / name))
             for name in maildir.folders(home.mail)}
    assert {name: n for name, n in found.items() if n} == dict(kinds)
    maildir.assert_same(home.mail, sent)


def test_subjects_and_names_are_decoded(server, home):
    sent = list(messages.mailbox(150, 802))
    server.fill(sent)
    home.configure(server)
    run = home.fetched()
    subjects_of = {one["message_id"].strip("<>"): one["subject"]
                   for one in run.messages}
    for one in sent:
        if one.kind in ("odd",):
            continue
        assert subjects_of[one.message_id.strip("<>")] == one.subject


def test_error_in_a_rule_loses_nothing(server, home):
    """Deferred with its reason; after three tries the default takes it."""
    send(server, "bad", "good")
    home.configure(server, rules="""
rule("broken", function(m)
  if m.subject == "bad" then error("the rule is broken") end
end)
""")
    for attempt in range(3):
        run = home.fetch()
        if subjects(home.inbox) == ["bad", "good"]:
            break
        assert run.code == 75, run
        assert subjects(home.inbox) == ["good"]
        if attempt == 0:
            assert "the rule is broken" in run.err
            assert "config.lua:" in run.err
    assert subjects(home.inbox) == ["bad", "good"]
    assert home.fetched().messages == []


def test_rules_have_no_way_out(server, home):
    send(server, "plain")
    home.configure(server, rules="""
rule("sandbox", function(m)
  for _, name in ipairs { "os", "io", "load", "loadfile", "dofile", "debug",
                          "package", "loadstring" } do
    local found, value = pcall(function() return _ENV[name] end)
    if found and value ~= nil then error(name .. " is there") end
  end
  if pcall(function() return string.dump(function() end) end) then
    error "string.dump is there"
  end
end)
""")
    home.fetched()
    assert subjects(home.inbox) == ["plain"]


def test_runaway_rules_are_stopped(server, home):
    send(server, "forever", "huge", "deep", "plain")
    home.configure(server, rules="""
local function again(n) return 1 + again(n + 1) end
rule("runaway", function(m)
  if m.subject == "forever" then while true do end end
  if m.subject == "huge" then
    local t = {}
    while true do t[#t + 1] = ("x"):rep(100000) .. #t end
  end
  if m.subject == "deep" then return again(1) end
end)
""")
    run = home.fetch(timeout=60)
    assert run.code == 75, run
    assert subjects(home.inbox) == ["plain"]
    home.fetch(timeout=60)
    home.fetch(timeout=60)
    home.fetch(timeout=60)
    assert subjects(home.inbox) == ["deep", "forever", "huge", "plain"]


def test_runaway_rule_inside_pcall_is_stopped(server, home):
    send(server, "plain")
    home.configure(server, rules="""
rule("stubborn", function(m)
  while true do pcall(function() while true do end end) end
end)
""")
    assert home.fetch(timeout=60).code == 75


def test_rules_of_one_account_or_folder_only(server, home):
    server.fill(messages.mailbox(2, 803), "Lists/x")
    server.fill(messages.mailbox(3, 804))
    home.configure(server, folders='{ "*" }', rules="""
rule("lists", { folder = "Lists/*" }, function(m)
  m:deliver(mail / "lists")
end)
rule("other", { account = "elsewhere*" }, function(m) m:discard "no" end)
""")
    home.fetch()
    if not (home.mail / "lists").exists():
        home.write(home.config.read_text().partition("\n")[2]
                   .replace('account = "elsewhere*"', 'account = "work", '
                            'folder = "Nowhere"'))
        home.fetched()
    assert len(maildir.entries(home.mail / "lists")) == 2
    assert len(maildir.entries(home.inbox)) == 3


def test_exec_gives_a_rule_the_word_of_a_program(server, home):
    send(server, "plain", "fancy")
    home.configure(server, rules="""
rule("ask", function(m)
  local answer = exec { "grep", "-c", "fancy", input = m, timeout = "5s" }
  if answer and m.subject == "fancy" then m:deliver(mail / "fancy") end
end)
""")
    home.fetched()
    assert subjects(home.mail / "fancy") == ["fancy"]


def test_keywords_of_the_server_and_of_rules_are_on_the_copy(server, home):
    server.append(b"Subject: one\r\n\r\nbody\r\n", flags=("old", "kept"))
    home.configure(server, after="keep", deliver=f'mbox "{home.root}/box"',
                   more="\n  read_only = true", rules="""
rule("mark", function(m) m:flag "new"; m:unflag "OLD" end)
""")
    home.fetched()
    box = (home.root / "box").read_text()
    assert "\nX-Keywords: kept new\n" in box
    assert "old" in next(iter(server.flags().values()))
