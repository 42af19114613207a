-- Vacation: tells people who write that you are away, as RFC 5230 has it: never
-- twice within days, never to lists or programs, never to who did not write to
-- you.

local bulk = require "postrider.bulk"
local digest = require "postrider.digest"
local options = require "postrider.options"

local vacation = {}

local FIELDS = {
  addresses = "table or string, required",
  text = "string", mime = "string", subject = "string", from = "string",
  handle = "string", days = "number", first = "string", last = "string",
  age = "string or number",
}
local RESENT = { "Resent-To", "Resent-Cc", "Resent-Bcc" }
local SENDER_MOST = 320 -- octets

local function check_day(name, day)
  if day and not day:match "^%d%d%d%d%-%d%d%-%d%d$" then
    error("vacation: " .. name .. ": expects a day such as \"2027-01-31\"", 0)
  end
end

local function check(given)
  local set = options.read("vacation", given, FIELDS)
  if (set.text == nil) == (set.mime == nil) then
    error("vacation: expects text, or mime: one of them", 0)
  end
  check_day("first", set.first)
  check_day("last", set.last)
  local addresses = options.list(set.addresses)
  if #addresses == 0 then error("vacation: addresses: names none", 0) end
  local from = set.from or addresses[1]
  if from:find "[*?]" then
    error("vacation: from: needs an address that is no pattern", 0)
  end
  local days = set.days or 7
  return {
    addresses = addresses, from = from,
    text = set.text, mime = set.mime, subject = set.subject,
    days = days >= 1 and days or 1,
    first = set.first, last = set.last, age = set.age or "7d",
    -- RFC 5230, 4.2: without a handle, what is said tells one from another.
    handle = set.handle or digest.of(table.concat({
      set.subject or "", from, set.text or set.mime }, "\0")),
  }
end

-- Is that day one of those away?
local function is_away(set, day)
  return (not set.first or day >= set.first) and
      (not set.last or day <= set.last)
end

local function is_own(set, address)
  for _, pattern in ipairs(set.addresses) do
    if glob(pattern:lower()):match(address:lower()) then return true end
  end
  return false
end

-- RFC 5230, 4.5: is one of the addresses among those it was written to?
local function is_to_me(set, m)
  if m.to:any(set.addresses) or m.cc:any(set.addresses) or
      m.bcc:any(set.addresses) then
    return true
  end
  for _, name in ipairs(RESENT) do
    for address in (m:header(name) or ""):gmatch "[^%s<>,;:\"()]+@[^%s<>,;:\"()]+"
    do
      if is_own(set, address) then return true end
    end
  end
  return false
end

local function seconds(time)
  if type(time) == "number" then return time end
  local n, unit = time:match "^(%d+)([hdw])$"
  if not n then
    error("vacation: age: expects a time such as \"7d\", \"12h\" or \"2w\"", 0)
  end
  return tonumber(n) * ({ h = 3600, d = 86400, w = 7 * 86400 })[unit]
end

-- Why the message gets no answer, nil: it may have one.
local function refusal(set, m, sender)
  if m.age > set.seconds then return "it is old" end
  local why = bulk.why(m)
  if why then return why end
  if not sender or #sender > SENDER_MOST then return "it has no sender" end
  if is_own(set, sender) then return "it is from myself" end
  if (m:header "X-Spam-Flag" or ""):lower():find "^yes" then
    return "it is spam"
  end
  if not is_to_me(set, m) then return "it is not addressed to me" end
  return nil
end

-- vacation.answer({ addresses = { address }, text = text }): function for a rule
-- that answers mail with the text, once to each sender within 7 days, and lets it
-- go on. The addresses are your own, patterns too: only mail to them (To, Cc, Bcc and
-- their Resent- fields) gets an answer, from the first of them, and none that is
-- old, automatic, bulk, of a mailing list, or without a sender. A tag tells why
-- one got none. Further options: from (who answers), subject (default: "Auto: "
-- and that of the message), mime (Content- fields, an empty line and a body, in
-- place of text), days (7; at least 1), handle (a name that these answers share:
-- who got one gets no other), first and last (days such as "2027-01-31" on which
-- you are away), age (older mail gets none: "7d")
function vacation.answer(given)
  local set = check(given)
  set.seconds = seconds(set.age)
  return function(m)
    if not is_away(set, date "%Y-%m-%d") or
        not is_away(set, date("%Y-%m-%d", m.received)) then
      return
    end
    local sender = bulk.sender(m)
    local why = refusal(set, m, sender)
    if not why then
      local sent, reason = m:reply {
        from = set.from, subject = set.subject, text = set.text,
        mime = set.mime, handle = set.handle, once = set.days * 86400,
      }
      why = not sent and reason
    end
    if why then m:tag("vacation", "no answer: " .. why) end
  end
end

return vacation
