-- One mailbox, one Maildir: the smallest useful configuration.

local mail = maildir "~/Mail"

account "home" {
  source  = imap {
    host     = "imap.example.org",
    user     = "alice",
    password = exec { "pass", "mail/home" },
  },
  deliver = mail / "inbox",
}
