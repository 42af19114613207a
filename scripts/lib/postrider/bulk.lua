-- Bulk and automatic mail: what nobody wrote to you in person, and what must not
-- be answered by a program (RFC 3834).

local lists = require "postrider.lists"

local bulk = {}

-- Local parts of addresses that nobody reads.
local UNREAD = re([[
  ^ ( mailer-daemon | listserv | majordomo | sympa | mdaemon |
      (.*[._+-])? (no | not | do-?not | donot | dont) [._-]? reply ([._+-].*)? |
      bounces? ([._+-].*)? | owner-.* | .*-(owner | request | bounces) (\+.*)? )
  $ ]], "xi")

-- Fields that programs leave which answer by themselves.
local ANSWERED = {
  "X-Autoreply", "X-Autorespond", "X-Autoresponse", "X-Auto-Reply-From",
  "X-Mail-Autoreply", "X-Vacation",
}

-- Fields that programs leave which send to many.
local SENT_TO_MANY = {
  "List-Unsubscribe", "Feedback-ID", "X-Campaign-Id", "X-CampaignId",
  "X-Mailgun-Sid", "X-MC-User",
}

local function first_word(text)
  return text and text:lower():match "^[%w_-]+"
end

-- bulk.unread(address): true if mail to the address is read by nobody, as its
-- name tells: no-reply, mailer-daemon, owner-list, list-request and their like
function bulk.unread(address)
  local name = (address or ""):match "^(.*)@" or address or ""
  return UNREAD:find(name) ~= nil
end

-- bulk.sender(m): text, the address in Return-Path (RFC 5321, 4.4), "" for the
-- null sender; the author's if there is no such field; nil if that is missing
function bulk.sender(m)
  local path = m:header "Return-Path"
  if path then return path:match "<([^<>]*)>" or path:match "^%s*(%S*)" end
  return m.from.address
end

-- bulk.automatic(m): text, why a program must have sent the message: it says so
-- (Auto-Submitted, RFC 3834), it asks for no answer (X-Auto-Response-Suppress),
-- it has no sender, or is a report (RFC 3464); nil if a person may have
function bulk.automatic(m)
  local said = first_word(m:header "Auto-Submitted")
  if said and said ~= "no" then return "it is " .. said end
  local suppressed = first_word(m:header "X-Auto-Response-Suppress")
  if suppressed and suppressed ~= "none" then return "it wants no answer" end
  if bulk.sender(m) == "" then return "it has no sender" end
  if (m:header "Content-Type" or ""):lower():find "^%s*multipart/report" then
    return "it is a report"
  end
  for _, name in ipairs(ANSWERED) do
    if m:header(name) then return "it is an automatic answer" end
  end
  return nil
end

-- bulk.why(m): text, why the message counts as bulk or automatic mail, nil if it
-- does not: what bulk.automatic tells, mailing lists, Precedence, fields of
-- newsletters, and senders that nobody reads
function bulk.why(m)
  local why = bulk.automatic(m)
  if why then return why end
  if lists.has(m) then return "it came by a mailing list" end
  local precedence = first_word(m:header "Precedence")
  if precedence == "bulk" or precedence == "junk" or
      precedence == "auto_reply" then
    return "its precedence is " .. precedence
  end
  for _, name in ipairs(SENT_TO_MANY) do
    if m:header(name) then return "it was sent to many" end
  end
  for _, address in ipairs { bulk.sender(m) or "", m.from.address or "",
                             m.sender.address or "" } do
    if bulk.unread(address) then return "nobody reads mail to " .. address end
  end
  return nil
end

-- bulk.is(m): true if it is bulk or automatic mail
function bulk.is(m)
  return bulk.why(m) ~= nil
end

-- The fields in one block of a report, by their names in lower case.
local function fields_of(block)
  local fields = {}
  for name, value in block:gsub("\n[ \t]+", " "):gmatch "([%w-]+):[ \t]*([^\n]*)"
  do
    fields[name:lower()] = value
  end
  return fields
end

-- bulk.bounced(m): list of { address = text, action = text, status = text, why =
-- text }, what a report says of each recipient (RFC 3464): action is "failed",
-- "delayed", "delivered", "relayed" or "expanded"; nil if it is no such report
function bulk.bounced(m)
  for _, part in ipairs(m.parts) do
    if part.type == "message/delivery-status" then
      local found = {}
      for block in (part:text():gsub("\r", "") .. "\n\n"):gmatch "(.-)\n%s*\n" do
        local fields = fields_of(block)
        local address = fields["original-recipient"] or fields["final-recipient"]
        if address then
          found[#found + 1] = {
            address = address:gsub("^[^;]*;%s*", ""),
            action  = (fields.action or ""):lower(),
            status  = fields.status or "",
            why     = (fields["diagnostic-code"] or ""):gsub("^[^;]*;%s*", ""),
          }
        end
      end
      return found
    end
  end
  return nil
end

-- bulk.file(sink): function for a rule that delivers bulk and automatic mail to
-- the sink, and notes why it took it for that
function bulk.file(sink)
  return function(m)
    local why = bulk.why(m)
    if not why then return end
    m:note("bulk: " .. why)
    m:deliver(sink)
  end
end

return bulk
