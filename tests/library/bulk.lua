-- Bulk and automatic mail is told from what a person wrote.

local bulk = require "postrider.bulk"

local mail = maildir "/nowhere/Mail"

account "home" {
  source  = imap { host = "localhost", user = "alice", password = env "NONE" },
  deliver = mail / "inbox",
}

rule("reports", function(m)
  for _, one in ipairs(bulk.bounced(m) or {}) do
    m:tag(one.address, table.concat({ one.action, one.status, one.why }, " "))
  end
end)
rule("automatic", function(m) m:tag("automatic", bulk.automatic(m)) end)
rule("bulk", bulk.file(mail / "bulk"))

local function message(header)
  return header .. "\nFrom: Ann <ann@example.org>\nSubject: hello\n\nHi\n"
end

local function is_bulk(header, why)
  test(header:match "^[^\n]*", { text = message(header) },
       { delivered = "bulk", notes = "bulk: " .. why })
end

local function is_personal(header)
  test("not " .. header:match "^[^\n]*", { text = message(header) },
       { default = true })
end

is_bulk("Auto-Submitted: auto-replied", "it is auto-replied")
is_bulk("Auto-Submitted: Auto-Generated; owner-email=\"a@example.org\"",
        "it is auto-generated")
is_bulk("Auto-Submitted: auto-notified", "it is auto-notified")
is_bulk("X-Auto-Response-Suppress: OOF, AutoReply", "it wants no answer")
is_bulk("X-Auto-Response-Suppress: All", "it wants no answer")
is_bulk("Return-Path: <>", "it has no sender")
is_bulk("Content-Type: multipart/report; report-type=delivery-status; " ..
        "boundary=b", "it is a report")
is_bulk("X-Autoreply: yes", "it is an automatic answer")
is_bulk("List-Id: <dev.example.org>", "it came by a mailing list")
is_bulk("Precedence: list", "it came by a mailing list")
is_bulk("Precedence: bulk", "its precedence is bulk")
is_bulk("Precedence: junk", "its precedence is junk")
is_bulk("Precedence: auto_reply", "its precedence is auto_reply")
is_bulk("List-Unsubscribe: <https://example.org/u>", "it was sent to many")
is_bulk("Feedback-ID: 1:2:example", "it was sent to many")
for _, name in ipairs { "MAILER-DAEMON", "no-reply", "noreply", "no_reply",
                        "do-not-reply", "donotreply", "shop.noreply",
                        "noreply+12", "owner-dev", "dev-request", "dev-owner",
                        "dev-bounces", "bounces+a=b", "bounce", "listserv",
                        "majordomo" } do
  local address = name .. "@example.org"
  is_bulk("Return-Path: <" .. address .. ">",
          "nobody reads mail to " .. address)
end

is_personal "Auto-Submitted: no"
is_personal "Auto-Submitted: No (a person wrote this)"
is_personal "X-Auto-Response-Suppress: None"
is_personal "Return-Path: <ann@example.org>"
is_personal "Precedence: first-class"
is_personal "Content-Type: text/plain"
for _, name in ipairs { "norbert", "nora.eply", "bouncer", "request", "owner",
                        "noreplyer", "daemon" } do
  is_personal("Return-Path: <" .. name .. "@example.org>")
end

test("a person's mail without an envelope", { text = message "To: a@example.org" },
     { default = true, tags = { automatic = "nil" } })

local report = [[
Return-Path: <>
From: MAILER-DAEMON@example.org
Subject: Undelivered
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

Sorry.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org

Final-Recipient: rfc822; bob@example.net
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1
  no such user

Original-Recipient: rfc822;carol@example.net
Final-Recipient: rfc822; c@inner.example.net
Action: Delayed
Status: 4.4.1
--b--
]]
test("a report tells of each recipient (RFC 3464)", { text = report },
     { delivered = "bulk", notes = "bulk: it has no sender", tags = {
       ["bob@example.net"] = "failed 5.1.1 550 5.1.1 no such user",
       ["carol@example.net"] = "delayed 4.4.1 " } })
