"""Odd mail through every field and function that rules have, from every kind of
source: no crash, no error, nothing that takes long, and text that is text."""

import json
import os
import pathlib
import re
import time

import maildir
import oddmail
import pytest
import services

ANNOTATIONS = pathlib.Path(__file__).resolve().parents[2] / \
    "scripts/lib/postrider.d.lua"

# Reads all there is to read of m, and writes what it was as JSON; json.encode
# takes nothing that is not UTF-8. Of long lists the ends are looked at.
LOOK = r"""
options { limits = { time = "60s", total = "20m", memory = "400M" },
          trust_auth = { "mx.example.org" }, grant = { "io" },
          save = { "ROOT/saved" }, dns = { "DNS" } }
local people = map "ROOT/people"
local function text(value, what)
  if value == nil then return nil end
  assert(type(value) == "string", what)
  assert(utf8.len(value), what .. " is no UTF-8")
  assert(not value:find("\0", 1, true), what .. " has a NUL")
  local all = #value
  if all > 20000 then value = value:sub(1, utf8.offset(value, 4000) - 1) end
  local _ = value:has "x" and value:starts "a" and value:ends "b"
  _ = value:lower() .. value:upper() .. value:fold()
  _ = glob "*a*":match(value)
  local word = re("(\\w+)\\W*$", "i")
  _ = word:match(value) and word:find(value, 2)
  for one in re "[^ ]+":gmatch(value:sub(1, 500)) do assert(#one > 0) end
  local again, n = re "(?<one>.)":gsub(value, "%{one}")
  assert(n >= 0 and (not utf8.len(again) or again == value), what)
  return { value, all }
end
local function ends(list)
  local i = 0
  return function()
    i = i == 15 and math.max(16, #list - 5) or i + 1
    if i <= #list then return i, list[i] end
  end
end
local function texts(list, what)
  local found = { "n=" .. #list }
  for _, one in ends(list) do found[#found + 1] = text(one, what) end
  return found
end
local function addresses(list, what)
  local found = { "n=" .. #list }
  for _, one in ends(list) do
    found[#found + 1] = { text(one.address, what), text(one.name, what),
      text(one.local_part, what), text(one.domain, what),
      text(one.detail, what) }
    local _ = people:has(one)
  end
  assert(not list:is "nobody@nowhere.invalid")
  assert(not list:any { "x@nowhere.invalid", "*@nowhere.invalid" })
  assert(list:is "*" == (#list > 0))
  assert(not list:in_file "ROOT/people" and not people:has(list))
  assert(people:get "someone@nowhere.invalid" == "known")
  if #list == 0 then assert(list.address == nil and list.name == nil) end
  text(tostring(list), what)
  return found
end
local function part_of(m, part)
  local seen = {}
  for _, name in ipairs { "path", "type", "charset", "filename", "disposition",
                          "content_id" } do
    seen[name] = text(part[name], name)
  end
  -- What is no more than a name in PARTS is checked to be used.
  local _ = part.path .. part.type .. part.charset .. part.filename ..
            part.disposition .. part.content_id
  seen.size, seen.depth = part.size, part.depth
  seen.is_multipart = part.is_multipart
  assert(part.size >= 0 and part.depth >= 0)
  seen.text = text(part:text(), "part:text")
  seen.bytes = #part:bytes()
  seen.true_type = text(part:true_type(), "true_type")
  local names = part:archive_names()
  seen.archive = names and texts(names, "archive_names")
  if not part.is_multipart then
    local path = part:save "ROOT/saved/"
    assert(text(path, "save")[1]:starts "ROOT/saved/")
    assert(not path:sub(#"ROOT/saved/" + 1):find "/" and
           not path:ends "/.." and not path:ends "/.", path)
  end
  return seen
end
local function look(m)
  local seen = {}
  seen.account, seen.folder = m.account, m.folder
  assert(m.uid and m.size >= 0 and m.age >= 0 and m.received > 1e9)
  assert(#m.flags >= 0 and #m.labels >= 0 and m.points == 0)
  assert(next(m.tags) == nil)
  seen.from, seen.sender = addresses(m.from, "from"),
                           addresses(m.sender, "sender")
  seen.to, seen.cc = addresses(m.to, "to"), addresses(m.cc, "cc")
  seen.bcc = addresses(m.bcc, "bcc")
  seen.reply_to = addresses(m.reply_to, "reply_to")
  seen.delivered_to = addresses(m.delivered_to, "delivered_to")
  seen.envelope_to = addresses(m.envelope_to, "envelope_to")
  seen.subject = text(m.subject, "subject")
  seen.date = m.date
  assert(m.date == nil or math.type(m.date) == "integer")
  if m.date then text(date("%Y %c", m.date), "date") end
  seen.message_id = text(m.message_id, "message_id")
  seen.in_reply_to = text(m.in_reply_to, "in_reply_to")
  seen.references = texts(m.references, "references")
  seen.list_id = text(m.list_id, "list_id")
  if m.auth then
    seen.auth = { spf = text(m.auth.spf, "auth"), n = #m.auth.results,
                  all = {} }
    for _, one in ends(m.auth.results) do
      for name, value in pairs(one) do
        table.insert(seen.auth.all, text(name .. "=" .. value, "auth")[1])
      end
    end
    table.sort(seen.auth.all)
  end
  for _, name in ipairs { "Subject", "From", "X-A", "Content-Type", "Date",
                          "Nothing" } do
    local all = m:headers(name)
    seen[name] = texts(all, name)
    assert(text(m:header(name), name) == nil or m:header(name) == all[1])
    local raw = m:raw_header(name)
    assert((raw == nil) == (all[1] == nil))
  end
  assert(m:header "Nothing" == nil)
  seen.parts = { "n=" .. #m.parts }
  for _, part in ends(m.parts) do
    seen.parts[#seen.parts + 1] = part_of(m, part)
  end
  assert(#m.attachments <= #m.parts)
  seen.attachments = #m.attachments
  seen.text, seen.html = text(m.text, "text"), text(m.html, "html")
  local size, lines, stream = 0, 0, m:raw()
  for piece in function() return stream:read(5000) end do
    size = size + #piece
  end
  for line in m:raw():lines() do lines = lines + 1 end
  assert(lines <= size and #m:sha256() == 64)
  seen.raw, seen.lines, seen.sha256 = size, lines, m:sha256()
  return seen
end
local function keep(m)
  local key = "odd" .. m.subject:sub(1, 100)
  store.set(key, m.subject:sub(1, 1000), "1h")
  assert(store.get(key) == m.subject:sub(1, 1000))
  store.delete(key)
  assert(store.incr(key .. "n", 2, "1h") >= 2)
  assert(type(seen()) == "boolean")
  assert(type(ratelimit(m.from.domain or "", 5, minutes(5))) == "boolean")
  assert(now() > days(1) + hours(1) + weeks(1))
end
local function call(m)
  if m.size > 100000 then return end
  local ran = assert(exec { "cat", input = m })
  assert(ran.status == 0)
  local answer = assert(http.post("WEB", { json = { subject = m.subject,
    from = tostring(m.from), text = m.text } }))
  assert(answer.status == 200)
  assert(json.decode(answer.body).subject == m.subject)
  local _ = http.get("WEB", { headers = { ["X-Subject"] = m.subject } })
  assert(http.request("WEB", { method = "PUT", body = m }).status == 200)
  assert(rs.check(m, { helo = m.from.domain, from = m.from.address }))
  assert(rs.learn(m, { as = "ham" }))
  assert(not sa.check(m).spam)
  assert(sa.learn(m, { as = "ham" }))
  assert(not cl.scan(m).infected)
  local domain = m.from.domain or "x"
  local found = all {
    a = function() return dns.a(domain) end,
    aaaa = function() return dns.aaaa(m.subject) end,
    mx = function() return dns.mx(m.message_id) end,
    txt = function() return dns.txt(m.subject:fold()) end,
    ptr = function() return dns.ptr(m.from.address or "") end,
    rbl = function() return dns.rbl(domain, "bl.example") end,
  }
  sleep(0.001)
  assert(type(found) == "table")
end
local function edit(m)
  m:set_header("X-Subject", (m.subject:gsub("[\r\n]", " ")))
  m:add_header("X-From", (tostring(m.from):gsub("[\r\n]", " ")))
  m:remove_header "Received"
  m:note(m.subject)
  m:tag("subject", m.subject)
  m:score(1, m.subject)
  local tagged = m.tags.subject
  assert(not tagged:find "%c" and m.points == 1)
  assert(tagged:gsub(" ", "") == m.subject:gsub("[%c ]", ""))
  m:flag "\\Flagged"
  m:unflag "\\Seen"
  m:label "odd"
  m:unlabel "even"
  m:copy(mail / "copies")
end
local odd = sink("odd", { deliver = function(m)
  assert(m.account and m.source_folder and m.folder and m.key ~= "" and m.uid)
  assert(m.receipt == nil or m.receipt and m.received > 1e9 and m.flags)
  local all = 0
  for piece in m:bytes(4000) do all = all + #piece end
  assert(all == m.size and (all > 1e6 or #m:raw() == all))
  text(m:header "Subject", "Subject")
  for _, one in ends(m:headers "Subject") do text(one, "Subject") end
  return true
end })
local function write(m, seen)
  local out = assert(io.open("ROOT/seen/" .. tostring(m.uid), "w"))
  out:write(json.encode(seen))
  out:close()
end
"""
FINAL = [':deliver(odd)', ':move "Junk"', ':delete()', ':leave()',
         ':discard(m.subject)', ':defer "1h"', ':stop()',
         ':deliver(mail / "x")', ':copy_to "Copies"']
# Where no message comes: a sweep's, which the server carries out, hooks', and
# what the configuration says. A reply answers none of these.
NO_MAIL = "(Box|Set|folders|Change|LuaSink|LuaSource|Reply|SweepSelector)[:.]" \
    "|(delete_after|env|file|move_to|on|source|sweep|test)$"
# What the annotations name besides, and where odd mail comes to it.
ELSEWHERE = {
    "rule": "all of this", "require": "takes a name from the configuration",
    "account": "", "options": "", "map": "", "glob": "", "sink": "",
    "Command:timeout": "seconds", "Ran:complaint": "of the program",
    "Ran:output": "of the program",
    "Message:redirect": "test_odd_mail_is_handed_on",
    "Message:reply": "answers none of them: tests of the library's vacation",
}


def names_annotated():
    """Class:name of all fields and methods of a message and what it is made
    of, and all functions."""
    text = ANNOTATIONS.read_text()
    text = text[:text.index("---@class postrider.account")]
    names, owner = set(), None
    for line in text.splitlines():
        found = re.match(r"---@class postrider\.(\w+)", line)
        if found:
            owner = found[1]
        found = re.match(r"---@field (\w+)", line)
        if found:
            names.add(f"{owner}:{found[1]}")
        found = re.match(r"function ([\w.:]+)\(", line)
        if found:
            names.add(found[1])
    return names


def prepare(home, **places):
    """The text of LOOK for this home."""
    for name in ("seen", "saved"):
        (home.root / name).mkdir(exist_ok=True)
    (home.root / "people").write_text("someone@nowhere.invalid = known\n")
    text = LOOK.replace("ROOT", str(home.root))
    for name, value in places.items():
        text = text.replace(name, value)
    return text


def seen(home):
    """What the rule saw, by UID; forgotten for the next run."""
    found = {}
    for path in (home.root / "seen").iterdir():
        found[path.name] = json.loads(path.read_text())
        path.unlink()
    return found


def put(folder, own=lambda path: None):
    """All odd mail into a Maildir, as it is."""
    for name in ("cur", "new", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        own(folder / name)
    own(folder)
    for number, (_, data) in enumerate(oddmail.everything(), 1):
        path = folder / "cur" / f"{1_700_000_000 + number}.M1P1.odd:2,"
        path.write_bytes(data)
        os.utime(path, (1_700_000_000 + number,) * 2)
        own(path)
    return number


def run_whole(home, count, *args):
    """One pass, in bounded time; it must be clean for every message."""
    begin = time.monotonic()
    run = home.fetch(*args, timeout=400)
    assert time.monotonic() - begin < 400
    assert len(run.messages) == count, run
    names = [name for name, _ in oddmail.everything()]
    bad = [(names[i], one) for i, one in enumerate(run.messages)
           if one["error"] and one["action"] != "defer"]
    assert not bad and run.code in (0, 75), (bad[:5], run)
    assert "rule \"" not in run.err, run
    return run


def test_no_name_is_forgotten():
    used = set(re.findall(r"[.:](\w+)", LOOK + "".join(FINAL))) | \
        set(re.findall(r"\b(\w+)[ (\"{]", LOOK))
    missing = {name for name in names_annotated()
               if re.split("[:.]", name)[-1] not in used
               and name not in ELSEWHERE
               and not re.match(NO_MAIL, name)}
    assert not missing, sorted(missing)


@pytest.fixture
def doubles():
    started = [services.Web({"/": lambda body: (200, {}, body)}),
               services.Rspamd(), services.Spamd(), services.Clamd(),
               services.Dns({})]
    yield started
    for one in started:
        one.close()


def test_from_a_folder_on_this_machine(home, doubles):
    web, rspamd, spamd, clamd, dns = doubles
    count = put(home.root / "old")
    home.write(f"""
local rs = rspamd {{ url = "{rspamd.url}", learn_url = "{rspamd.url}" }}
local sa = spamd {{ host = "127.0.0.1", port = {spamd.port} }}
local cl = clamd {{ host = "127.0.0.1", port = {clamd.port} }}
""" + prepare(home, WEB=web.url + "/",
                DNS=f"127.0.0.1:{dns.port}") + f"""
account "local" {{ source = maildir_source "{home.root}/old",
  deliver = mail / "inbox" }}
rule("all", function(m)
  write(m, look(m)) keep(m) call(m) edit(m)
end)
""")
    run_whole(home, count)
    assert len(seen(home)) == count
    assert len(maildir.entries(home.inbox)) == count
    assert len(maildir.entries(home.mail / "copies")) == count


def filled(server):
    count = put(server.folder(), server.own)
    for name in ("Junk", "Copies"):
        server.create(name)
    return count


# Whatever it looks at has come by then, so this says what is fetched.
ALL = """
rule("all", function(m) write(m, look(m)) keep(m) edit(m) end)
"""
NEXT = """
local n = 0
rule("ends in every way", function(m)
  n = n + 1
""" + "\n".join(f"  if n % {len(FINAL)} == {i} then m{one} end"
                for i, one in enumerate(FINAL)) + """
end)
"""


def without_what_differs(one):
    """Servers do not agree whether the last line end of a message within a
    message is its own."""
    for part in one["parts"][1:]:
        if part["type"][0] == "message/rfc822":
            part["size"] = None
    return one


def test_over_imap_whole_and_bit_by_bit(make_server, make_home):
    """What is fetched part by part is what comes whole, but for structures
    that the server sees otherwise, and ends in every way a rule knows."""
    server = make_server()
    count = filled(server)
    found = []
    for whole_below in "1G", "0":
        home = make_home()
        home.configure(server, prepare(home, DNS="127.0.0.1:1") + ALL,
                       more=f'whole_below = "{whole_below}"')
        run_whole(home, count, "--dry-run")
        found.append(seen(home))
    names = [name for name, _ in oddmail.everything()]
    differ = {names[int(uid) - 1] for uid, one in found[0].items()
              if without_what_differs(one)
              != without_what_differs(found[1][uid])}
    # Of that the server takes all for a header, whose NULs it replaces.
    unforeseen = differ - set(oddmail.TOLD_OTHERWISE) - {"NUL alone"}
    assert not unforeseen, unforeseen
    home.configure(server, prepare(home, DNS="127.0.0.1:1") + ALL + NEXT,
                   more='whole_below = "20K"', after='move_to "Done"')
    run = run_whole(home, count)
    actions = {one["action"] for one in run.messages}
    assert actions == {"deliver", "move", "delete", "leave", "discard",
                       "defer"}, actions
    assert len(server.list_uids("Junk")) == -(-(count - 1) // len(FINAL))


def test_over_pop3(make_server, home):
    server = make_server(pop3=True)
    count = filled(server)
    home.configure(server, prepare(home, DNS="127.0.0.1:1") + ALL,
                   protocol="pop3")
    run_whole(home, count)
    assert len(maildir.entries(home.inbox)) == count


def test_odd_mail_is_handed_on(home, make_smtpd):
    """Each has one copy there, or is put aside with what the server could not
    take."""
    far = make_smtpd(capabilities=("PIPELINING", "8BITMIME", "SMTPUTF8"))
    count = put(home.root / "old")
    home.write(f"""
options {{ redirect = smtp {{ host = "127.0.0.1", port = {far.port},
  tls = "none", from = "me@example.org" }} }}
account "local" {{ source = maildir_source "{home.root}/old",
  deliver = mail / "inbox" }}
rule("on", function(m) m:redirect "there@example.org" end)
""")
    run = home.fetch(timeout=300)
    assert run.code in (0, 75), run
    done = [one for one in run.messages if one["status"] == "done"]
    assert len(run.messages) == count
    assert len(far.messages) == len(done) >= count - 10, run
    assert all(one.recipients == ["there@example.org"]
               for one in far.messages)
