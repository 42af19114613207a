-- Tidies up on the server: old newsletters go, large ones are put apart.

local mail = maildir "~/Mail"

account "work" {
  source  = imap { host = "imap.example.org", user = "alice", password = env "PASSWORD" },
  deliver = mail / "inbox",
}

sweep("tidy", { account = "work", folder = "Newsletters", every = "1d" }, function(box)
  local old = box:search { before = days(30), flagged = false }
  local kept = box:search { from = { "editor@example.org", "press@example.org" } }
  local gone = old - kept

  gone:move "Trash"
  box:search { larger = "10M" }:label "large"
end)
