-- Programs: mail goes through those that are there already.

-- No shell reads these words: each reaches the program as it stands here.
local procmail = pipe { "procmail", "-t", "-f-" }

local index = pipe {
  "notmuch", "insert", "--create-folder", "--folder=in", "+new",
  timeout = "1m",
  env     = { "NOTMUCH_PROFILE=mail" },
}

account "home" {
  source  = imap {
    host     = "imap.example.org",
    user     = "alice",
    password = exec { "pass", "mail/home" },
  },
  deliver = index,
}

rule("lists", function(m)
  if m.list_id then m:deliver(procmail) end
end)
