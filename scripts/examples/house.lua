-- A mailbox that a provider keeps for a whole house: by the address that each
-- message came for, it is handed by LMTP to the mail store of this machine.

local store = lmtp {
  "/run/dovecot/lmtp",
  to_header = { "Delivered-To", "X-Original-To" }, -- the provider wrote them
  domains   = { "house.example.org" },
  to        = "alice@house.example.org",           -- where they name nobody
}

account "house" {
  source  = pop3 {
    host     = "pop.example.org",
    user     = "house@example.org",
    password = file "~/.config/postrider/house.secret",
  },
  every   = "5m",
  after   = delete, -- when the store has said that everybody has it
  deliver = store,
}

-- Behind the sink stands one recipient, whatever the header names.
rule("spam", function(m)
  if m:header "X-Spam-Flag" == "YES" then
    m:deliver(store / "junk@house.example.org")
  end
end)

test("mail goes to whom it came for",
  { text = "Delivered-To: bob@house.example.org\nSubject: dinner\n\nAt eight.\n" },
  { default = true })

test("spam goes to one place",
  { text = "X-Spam-Flag: YES\nSubject: win\n\nNow.\n" },
  { delivered = "junk@house.example.org" })
