-- The library at work: mailing lists into folders, bulk mail aside, copies away,
-- bills saved. What is left is from people.

local attachments = require "postrider.attachments"
local bulk        = require "postrider.bulk"
local duplicates  = require "postrider.duplicates"
local lists       = require "postrider.lists"

local mail = maildir "~/Mail"

options { save = { "~/Bills" } }

account "home" {
  source  = imap {
    host     = "imap.example.org",
    user     = "alice",
    password = exec { "pass", "mail/home" },
  },
  deliver = mail / "inbox",
}

-- A reply to a list that was also sent to me comes twice.
rule("copies", duplicates.drop())

rule("bills", attachments.save("~/Bills", {
  types = { "application/pdf" }, names = { "*invoice*", "*bill*" }, by = "%Y",
}))

-- dev@lists.example.org is filed in lists/dev, and so on for all others.
rule("lists", lists.file(mail / "lists"))

-- A bounce is to be seen, with what it says; other bulk mail can wait.
rule("bounces", function(m)
  local failed = bulk.bounced(m)
  if not failed then return end
  for _, one in ipairs(failed) do
    m:note(one.action .. ": " .. one.address .. ": " .. one.why)
  end
  m:stop()
end)
rule("bulk", bulk.file(mail / "bulk"))

test("a list has its folder",
  { text = "List-Id: The list <dev.lists.example.org>\n\nHi\n" },
  { delivered = "lists/dev" })

test("a newsletter waits",
  { text = "List-Unsubscribe: <https://example.com/out>\n\nBuy\n" },
  { delivered = "bulk" })

test("people are in the inbox",
  { text = "From: Bob <bob@example.org>\nTo: alice@example.net\n\nHi\n" },
  { default = true })
