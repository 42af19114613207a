-- Two mailboxes, sorted into folders. Rules are tried from top to bottom; the
-- first that says where a message goes ends it.

local mail = maildir "~/Mail"

account "work" {
  source  = imap {
    host     = "imap.example.org",
    user     = "alice",
    password = file "~/.config/postrider/work.secret",
  },
  folders = { "INBOX", "Lists/*", "!Lists/noise" },
  every   = "5m",
  after   = keep,
  deliver = mail / "work",
}

account "club" {
  source  = imap {
    host     = "mail.example.net",
    user     = "alice@example.net",
    password = env "CLUB_PASSWORD",
    tls      = "starttls",
  },
  after   = delete_after "30d",
  start   = "90d",
  limit   = { size = "50M" },
  deliver = mail / "club",
}

-- A folder for each mailing list, named by the first word of its List-Id.
rule("lists", function(m)
  local name = m.list_id and m.list_id:match "^([%w_-]+)%."
  if name then m:deliver(mail / ("lists/" .. name)) end
end)

-- What the server found to be spam goes to its own Junk folder.
rule("spam", { account = "work" }, function(m)
  if m:header "X-Spam-Flag" == "YES" then m:move "Junk" end
end)

-- People who matter, one address or pattern a line in vip.txt beside this file.
rule("people", function(m)
  if m.from:in_file "vip.txt" then m:flag "\\Flagged" end
end)

-- Bills are filed and kept apart, whoever sent them.
rule("bills", function(m)
  if not (m.subject:has "invoice" or m.subject:has "rechnung") then return end
  for _, part in ipairs(m.attachments) do
    if part.type == "application/pdf" then
      m:copy(mail / "bills")
      m:note("a bill from " .. tostring(m.from))
      return
    end
  end
end)

-- Old newsletters are not worth the disk.
rule("stale", function(m)
  if m:header "List-Unsubscribe" and m.age > days(60) then
    m:discard "an old newsletter"
  end
end)
