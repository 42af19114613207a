-- To read, and to keep: mail goes into a Maildir and into an mbox for each year,
-- and leaves the server when it is safe in both.

local mail    = maildir "~/Mail"
local archive = mbox "~/archive/" -- a folder: each name below it is one file

account "home" {
  source  = imap {
    host     = "imap.example.org",
    user     = "alice",
    password = exec { "pass", "mail/home" },
  },
  after   = delete,
  deliver = { mail / "inbox", archive / "other.mbox" },
}

-- What no one wants to keep is only in the Maildir.
rule("newsletters", function(m)
  if m:header "List-Unsubscribe" and not m.list_id then
    m:deliver(mail / "newsletters")
  end
end)

rule("lists", function(m)
  if m.list_id then m:deliver(mail / "lists", archive / "lists.mbox") end
end)

rule("years", function(m)
  m:deliver(mail / "inbox", archive / date("%Y.mbox", m.received))
end)

local june = 1812024000

test("a letter is in the file of its year",
  { text = "From: bob@example.org\nSubject: hello\n\nHi\n", received = june },
  { delivered = { "inbox", "2027.mbox" } })

test("a list has a file of its own",
  { text = "List-Id: <dev.lists.example.org>\n\nHi\n", received = june },
  { delivered = { "lists", "lists.mbox" } })

test("a newsletter is not kept",
  { text = "List-Unsubscribe: <https://example.com/out>\n\nBuy\n" },
  { delivered = "newsletters" })
