-- Mailing lists: which one a message came by, and a folder for it.

local options = require "postrider.options"

local lists = {}

local NAME_MOST = 64 -- octets of a folder's name

-- The address in text such as "<mailto:dev@lists.example.org>" or
-- "list dev@lists.example.org; contact dev-help@lists.example.org".
local function address_in(text)
  return text and text:match "[%w._+-]+@[%w-][%w.-]*"
end

-- What fields that hold the list's own address say: ezmlm, Mailman, Sympa, fml,
-- listserv, Majordomo and Google Groups each have their own.
local ADDRESSED = {
  "List-Post", "Mailing-List", "X-Mailing-List", "X-BeenThere", "X-Loop",
  "X-List-Address", "X-ML-Address",
}

-- Fields that no message has but one that came by a list.
local MARKS = {
  "List-Id", "List-Post", "Mailing-List", "X-Mailing-List", "X-Mailman-Version",
  "X-BeenThere", "X-ML-Name", "X-List-Address", "X-ML-Address",
  "X-Google-Group-Id",
}

-- Names that list programs send under, around the name of the list.
local SENDERS = {
  "^owner%-(.+)$", "^(.+)%-owner$", "^(.+)%-bounces$", "^(.+)%-bounces%+.*$",
  "^(.+)%-admin$", "^(.+)%-request$", "^(.+)%-return%-.*$",
}

-- The address of the list that sends under this address, nil if none does.
local function list_of(address)
  local name, domain = (address or ""):match "^(.+)@([^@]+)$"
  if not name then return nil end
  for _, pattern in ipairs(SENDERS) do
    local list = name:lower():match(pattern)
    if list then return list .. "@" .. domain end
  end
  return nil
end

local function address_of(m)
  for _, name in ipairs(ADDRESSED) do
    local address = address_in(m:header(name))
    if address then return address end
  end
  for _, text in ipairs(m:headers "Delivered-To") do
    local address = text:match "^mailing list ([^%s]+@[^%s]+)$" -- ezmlm
    if address then return address end
  end
  return list_of(m.sender.address) or list_of(address_in(m:header "Return-Path"))
end

-- lists.id(m): text, the identity of the mailing list that the message came by,
-- such as "dev.lists.example.org" (RFC 2919); of lists that have none, it is made
-- of the list's address or name; nil if it came by no list
function lists.id(m)
  if m.list_id and m.list_id ~= "" then return m.list_id end
  local address = address_of(m)
  if address and lists.has(m) then
    return (address:lower():gsub("@", "."))
  end
  local name = m:header "X-ML-Name"
  return name and name:lower() or nil
end

-- lists.has(m): true if the message came by a mailing list, by any of the marks
-- that list programs leave
function lists.has(m)
  for _, name in ipairs(MARKS) do
    if m:header(name) then return true end
  end
  if (m:header "Precedence" or ""):lower():find "^list" then return true end
  return list_of(m.sender.address) ~= nil
end

-- lists.name(text): text, a name made safe for a folder: letters, digits, "_",
-- "-" and "+" of it, at most 64; nil if nothing is left
function lists.name(text)
  local name = text:lower():gsub("[^%w_+-]+", "-"):gsub("^%-+", "")
  name = name:sub(1, NAME_MOST):gsub("%-+$", "")
  if name == "" then return nil end
  -- The folders that each Maildir has in it.
  if name == "cur" or name == "new" or name == "tmp" then name = name .. "-" end
  return name
end

-- lists.folder(m): text, a safe folder's name for the mailing list that the
-- message came by: the first word of its identity, "dev" of
-- "dev.lists.example.org"; nil if it came by none
function lists.folder(m)
  local id = lists.id(m)
  return id and (lists.name(id:match "^[^.]*") or lists.name(id))
end

-- lists.file(sink, { whole = true }): function for a rule that delivers mail of
-- mailing lists, each in a folder of its own below the sink; whole: the folder
-- has the whole identity in its name, for lists that share their first word
function lists.file(sink, given)
  local set = options.read("lists.file", given, { whole = "boolean" })
  return function(m)
    local id = lists.id(m)
    local name = id and (set.whole and lists.name(id) or lists.folder(m))
    if name then m:deliver(sink / name) end
  end
end

return lists
