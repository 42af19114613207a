-- Spam filters that learn from the hand that sorts, and a notmuch database with
-- what they leave.

local notmuch = require "postrider.notmuch"
local train   = require "postrider.train"

local rs = rspamd { url = "http://localhost:11333" }
local sa = spamd { host = "localhost" }

local index = notmuch.sink("notmuch", { folder = "in", tags = { "new" } })

account "home" {
  source  = imap {
    host     = "imap.example.org",
    user     = "alice",
    password = exec { "pass", "mail/home" },
  },
  watch   = true,
  deliver = index,
}

-- Moved into Junk, by whatever mail program: spam; out of it: not.
train.with({ rs, sa }, { junk = "Junk" })

rule("spam", function(m)
  local verdict = rs.check(m)
  if verdict and verdict.spam then m:move "Junk" end
end)

-- Labels become tags: "notmuch search tag:work".
rule("work", function(m)
  if m.from.domain == "example.com" then m:label "work" end
end)
