-- RFC 5230, condition by condition, and RFC 3834 where that refers to it.

local vacation = require "postrider.vacation"

local mail = maildir "/nowhere/Mail"
local words = "I am away until Monday."

options { redirect = smtp { host = "localhost", port = 25 } }

account "home" {
  source  = imap { host = "localhost", user = "alice", password = env "NONE" },
  deliver = mail / "inbox",
}

-- Each folder has its own options.
local function away(folder, given)
  given.addresses = given.addresses or { "alice@example.net", "a.*@example.net" }
  given.text = not given.mime and words or nil
  rule(folder, { folder = folder }, vacation.answer(given))
end

away("INBOX", {})
away("Subject", { subject = "Away \u{2013} back soon" })
away("From", { from = "Alice Example <alice@example.net>" })
away("Mime", { mime = "Content-Type: text/html\n\n<p>Away</p>\n" })
away("Days", { days = 30 })
away("Few", { days = 0 })
away("Handle", { handle = "summer" })
away("Past", { first = "2001-01-01", last = "2001-01-31" })
away("Later", { first = "2999-01-01" })
away("Now", { first = "2001-01-01", last = "2999-12-31" })
away("Old", { age = "1h" })
rule("twice", { folder = "Twice" }, function(m)
  vacation.answer { addresses = "alice@example.net", text = "1" }(m)
  vacation.answer { addresses = "alice@example.net", text = "2" }(m)
end)

local function message(header)
  return (header ~= "" and header .. "\n" or "") ..
      "From: Bob <bob@example.org>\nSubject: lunch?\n" ..
      "Message-ID: <2@example.org>\nReferences: <1@example.org>\n\nHi\n"
end

local to_me = "Return-Path: <bob@example.org>\nTo: alice@example.net"

local function answers(name, header, reply, setup)
  setup = setup or {}
  setup.text = message(header)
  test(name, setup, { replied = "bob@example.org", default = true,
                      reply = reply or { text = words } })
end

local function is_silent(name, header, why, setup)
  setup = setup or {}
  setup.text = message(header)
  test(name, setup, { replied = false, default = true,
                      tags = why and { vacation = "no answer: " .. why } })
end

-- What the answer is (RFC 5230, 5).
answers("it goes to the sender of the envelope (5.3)",
        "Return-Path: <bob@example.org>\nReply-To: c@example.org\n" ..
        "To: alice@example.net")
answers("to the author where the envelope is not known",
        "Reply-To: c@example.org\nTo: alice@example.net")
answers("it is from the address that mail came to (5.1)", to_me,
        { from = "alice@example.net" })
answers("or from whom :from says (4.3)", to_me,
        { from = "Alice Example <alice@example.net>" }, { folder = "From" })
answers("its subject is that of the message after Auto: (5.2)", to_me,
        { subject = "Auto: lunch?" })
answers("or what :subject says (4.3)", to_me,
        { subject = "Away \u{2013} back soon" }, { folder = "Subject" })
answers("it refers to the message (5.5)", to_me,
        { in_reply_to = "2@example.org",
          references = "<1@example.org> <2@example.org>" })
answers(":mime has a content of any type (4.4)", to_me,
        { mime = "Content-Type: text/html\n\n<p>Away</p>\n" },
        { folder = "Mime" })

-- To whom (4.5): an address of one's own is in To, Cc, Bcc or a Resent- field.
for _, name in ipairs { "To", "Cc", "Bcc", "Resent-To", "Resent-Cc",
                        "Resent-Bcc" } do
  answers("an own address in " .. name .. " (4.5)",
          "Return-Path: <bob@example.org>\n" .. name ..
          ": Carol <carol@example.org>, Alice <Alice@Example.NET>")
end
answers(":addresses may be patterns (4.5)",
        "Return-Path: <bob@example.org>\nTo: a.surname@example.net")
is_silent("no address of one's own (4.5)",
          "Return-Path: <bob@example.org>\nTo: carol@example.net",
          "it is not addressed to me")
is_silent("none at all (4.5)", "Return-Path: <bob@example.org>",
          "it is not addressed to me")
is_silent("a part of an address is another one (4.5)",
          "Return-Path: <bob@example.org>\nTo: malice@example.net\n" ..
          "Resent-To: alice@example.net.example.org",
          "it is not addressed to me")

-- To whom not (4.6).
is_silent("the null sender (4.6)", "Return-Path: <>\nTo: alice@example.net",
          "it has no sender")
for _, name in ipairs { "MAILER-DAEMON", "owner-dev", "dev-request",
                        "LISTSERV", "majordomo", "no-reply" } do
  local sender = name .. "@example.org"
  is_silent(name .. " (4.6)",
            "Return-Path: <" .. sender .. ">\nTo: alice@example.net",
            "nobody reads mail to " .. sender)
end
is_silent("one's own mail (4.6)",
          "Return-Path: <Alice@example.net>\nTo: alice@example.net",
          "it is from myself")
for _, name in ipairs { "List-Id", "List-Post", "Mailing-List",
                        "X-Mailing-List" } do
  is_silent("lists: " .. name .. " (4.6)",
            to_me .. "\n" .. name .. ": <dev.example.org>",
            "it came by a mailing list")
end
for _, name in ipairs { "List-Unsubscribe", "Feedback-ID" } do
  is_silent("bulk: " .. name .. " (4.6)", to_me .. "\n" .. name .. ": x",
            "it was sent to many")
end
is_silent("Precedence: list", to_me .. "\nPrecedence: list",
          "it came by a mailing list")
for _, word in ipairs { "bulk", "junk" } do
  is_silent("Precedence: " .. word, to_me .. "\nPrecedence: " .. word,
            "its precedence is " .. word)
end
for _, word in ipairs { "auto-replied", "auto-generated", "auto-notified",
                        "anything-else" } do
  is_silent("Auto-Submitted: " .. word .. " (4.6)",
            to_me .. "\nAuto-Submitted: " .. word .. "; x=y", "it is " .. word)
end
answers("Auto-Submitted: no is a person's (4.6)",
        to_me .. "\nAuto-Submitted: No")
is_silent("X-Auto-Response-Suppress", to_me ..
          "\nX-Auto-Response-Suppress: OOF", "it wants no answer")
is_silent("a delivery report", to_me .. "\nContent-Type: multipart/report; " ..
          "report-type=delivery-status; boundary=b", "it is a report")
is_silent("spam", to_me .. "\nX-Spam-Flag: YES", "it is spam")
is_silent("a sender that cannot be an address",
          "Return-Path: <bob>\nTo: alice@example.net",
          'to: "bob" is not one address')
is_silent("a sender of endless length", "Return-Path: <" .. ("b"):rep(400) ..
          "@example.org>\nTo: alice@example.net", "it has no sender")

-- How often (4.1, 4.2): what is noted, for whom and for how long.
answers("who got an answer gets no other for seven days (4.1)", to_me,
        { to = "bob@example.org", once = 7 * 86400 })
answers("or for as many as :days says (4.1)", to_me, { once = 30 * 86400 },
        { folder = "Days" })
answers("a day is the least (4.1)", to_me, { once = 86400 }, { folder = "Few" })
answers(":handle names what was said (4.2)", to_me, { handle = "summer" },
        { folder = "Handle" })
answers("without one, what is said does (4.2)", to_me,
        { handle = "6a80146c2e50ed97" })
answers("and other words are another answer (4.2)", to_me,
        { handle = "3fb023d40a0716ac" }, { folder = "Subject" })
test("a message has one answer", { text = message(to_me), folder = "Twice" },
     { error = "a message is answered once" })

-- When.
answers("on the days away", to_me, nil, { folder = "Now" })
is_silent("not when they are over", to_me, nil, { folder = "Past" })
is_silent("not before they begin", to_me, nil, { folder = "Later" })
is_silent("not mail that came before they began", to_me, nil,
          { folder = "Now", received = 900000000 })
is_silent("not old mail", to_me, "it is old", { age = "8d" })
answers("mail of last week", to_me, nil, { age = "6d" })
is_silent("not what is older than age", to_me, "it is old",
          { folder = "Old", age = "2h" })

-- What a stranger writes stays in its place.
test("a subject brings no field with it",
     { text = "Return-Path: <bob@example.org>\nTo: alice@example.net\n" ..
         "From: bob@example.org\n" ..
         "Subject: =?utf-8?q?x=0D=0ABcc:_all@example.org?=\n\nHi\n" },
     { reply = { subject = "Auto: x Bcc: all@example.org" } })
test("nor is it endless",
     { text = "Return-Path: <bob@example.org>\nTo: alice@example.net\n" ..
         "Subject: " .. ("x"):rep(5000) .. "\n\nHi\n" },
     { reply = { subject = "Auto: " .. ("x"):rep(494) } })
