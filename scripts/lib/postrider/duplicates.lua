-- Duplicates: the same message by two ways, and where it came first.

local digest = require "postrider.digest"
local options = require "postrider.options"

local duplicates = {}

local FIELDS = { by = "string", time = "string or number", into = "userdata" }
local TEXT_MOST = 4096 -- octets of the text that are looked at

-- What copies of a message have in common, whichever way they came.
local function content_of(m)
  return table.concat({ m.from.address or "", m.date or "", m.subject,
                        m.text:sub(1, TEXT_MOST) }, "\n")
end

-- The key of a message; nil: it is like no other.
local function key_of(m, by)
  if by == "content" then return "content " .. digest.of(content_of(m)) end
  if m.message_id == "" then return nil end
  return #m.message_id < 500 and "id " .. m.message_id
      or "id " .. digest.of(m.message_id)
end

local function place_of(m)
  return m.account .. "/" .. m.folder .. "/" .. tostring(m.uid)
end

local function check(what, given)
  local set = options.read(what, given, FIELDS)
  if set.by and set.by ~= "content" and set.by ~= "message_id" then
    error(what .. ": by: expects \"message_id\" or \"content\"", 0)
  end
  return set
end

-- duplicates.first(m, { by = "content", time = "30d" }): text, where the message
-- that this one is a copy of came, "account/folder/uid on day"; nil if none came
-- within that time. Copies have the same Message-ID, or, by content, the same
-- author, date, subject and beginning of the text
function duplicates.first(m, given)
  local set = check("duplicates.first", given)
  local key = key_of(m, set.by)
  if not key then return nil end
  key = "duplicates " .. key
  if seen(key, set.time or "30d") then return store.get(key) or "a place" end
  store.set(key, place_of(m) .. " on " .. date "%Y-%m-%d", set.time or "30d")
  return nil
end

-- duplicates.drop({ by = "content", time = "30d", into = sink }): function for a
-- rule that discards copies of messages that came before, and notes where; into:
-- they are delivered there instead
function duplicates.drop(given)
  local set = check("duplicates.drop", given)
  local asked = { by = set.by, time = set.time }
  return function(m)
    local first = duplicates.first(m, asked)
    if not first then return end
    if not set.into then
      m:discard("a copy of " .. first)
    else
      m:note("a copy of " .. first)
      m:deliver(set.into)
    end
  end
end

return duplicates
