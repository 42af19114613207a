-- Scores: several small signs decide together, and a program has its say.

local mail = maildir { "~/Mail", layout = "maildir++" }

options {
  trust_auth = { "mx.example.org" },
  limits     = { total = "30s" },
}

account "home" {
  source  = imap {
    host     = "imap.example.org",
    user     = "alice",
    password = exec { "secret-tool", "lookup", "mail", "home" },
  },
  deliver = mail,
}

rule("forged", function(m)
  if m.auth and m.auth.dmarc == "fail" then m:score(5, "DMARC failed") end
end)

rule("shouting", function(m)
  local letters = m.subject:gsub("%A", "")
  if #letters > 10 and letters == letters:upper() then
    m:score(1, "a subject in capitals")
  end
end)

rule("executables", function(m)
  local bad = glob "*.exe"
  for _, part in ipairs(m.attachments) do
    if bad:match(part.filename) then m:score(4, "an executable") end
  end
end)

-- Other messages go on while the program thinks about this one.
rule("classifier", { folder = "INBOX" }, function(m)
  local answer, why = exec { "bogofilter", "-T", input = m, timeout = "10s" }
  if not answer then
    m:note("no classifier: " .. why)
  elseif answer.output:starts "S" then
    m:score(3, "bogofilter")
  end
end)

rule("decide", function(m)
  if m.points >= 5 then
    m:set_header("X-Score", string.format("%.1f", m.points))
    m:deliver(mail / "Junk")
  end
end)
