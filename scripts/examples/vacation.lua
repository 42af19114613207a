-- Away: who writes to me is told so, once in ten days. No list, no program and no
-- newsletter is ever answered.

local lists    = require "postrider.lists"
local vacation = require "postrider.vacation"

local mail = maildir "~/Mail"

-- By whom the answers are sent.
options { redirect = smtp { host = "localhost", port = 25 } }

account "home" {
  source  = imap {
    host     = "imap.example.org",
    user     = "alice",
    password = exec { "pass", "mail/home" },
  },
  watch   = true,
  deliver = mail / "inbox",
}

-- Spam is not answered: this rule comes first.
rule("spam", function(m)
  if m:header "X-Spam-Flag" == "YES" then m:move "Junk" end
end)

-- Rules that file mail come after it: none of them would let it be answered.
rule("away", vacation.answer {
  addresses = { "alice@example.net", "alice+*@example.net", "a.li@example.org" },
  from      = "Alice Li <alice@example.net>",
  first     = "2027-07-12",
  last      = "2027-08-01",
  days      = 10,
  text      = [[
Hello,

I am on holiday until 1 August and read no mail.
In haste: the office, office@example.net.

Alice
]],
})

rule("lists", lists.file(mail / "lists"))

local lunch = "Return-Path: <bob@example.org>\nTo: alice@example.net\n" ..
    "Subject: lunch?\n\nToday?\n"
local july, june = 1815480000, 1812024000

test("in July people get an answer",
  { text = lunch, received = july, mock = { date = "2027-07-13" } },
  { default = true, replied = "bob@example.org",
    reply = { subject = "Auto: lunch?" } })

test("in June they do not",
  { text = lunch, received = june, mock = { date = "2027-06-03" } },
  { default = true, replied = false })
