-- A POP3 account: what was fetched stays on the server for a month, so that
-- another computer can fetch it as well.

local mail = maildir "~/Mail"

account "provider" {
  source  = pop3 {
    host     = "pop.example.org",
    user     = "alice@example.org",
    password = exec { "pass", "mail/provider" },
  },
  after   = delete_after "30d",
  deliver = mail / "inbox",
}
