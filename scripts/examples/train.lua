-- A spam filter that learns from the hand that sorts: what is moved into Junk,
-- with whatever mail program, is spam; what is moved out of it is not.

local mail = maildir "~/Mail"

account "home" {
  source  = imap {
    host     = "imap.example.org",
    user     = "alice",
    password = exec { "pass", "mail/home" },
  },
  watch   = true,
  deliver = mail / "inbox",
}

local function learn(m, what)
  local answer, why = exec { "rspamc", what, input = m, timeout = "30s" }
  if not answer then error(why) end
  -- 0: learned; what was known already is as good.
  if answer.status ~= 0 and not answer.output:find "already learned" then
    error(what .. ": " .. answer.output .. answer.complaint)
  end
  m:note(what)
end

-- With an error the hook hears of the message again at the next visits.
on("moved_in", { folder = "Junk" }, function(m, change)
  learn(m, "learn_spam")
end)

on("moved_in", { from = "Junk", folder = { "*", "!Trash" } },
   function(m, change)
  learn(m, "learn_ham")
end)
