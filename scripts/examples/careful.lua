-- Looks at what messages really are: copies, disguised attachments, bills for the
-- shelf, and people who write too often.

local mail = maildir "~/Mail"

options {
  trust_auth = { "mx.example.org" },
  save       = { "~/Bills" },
}

account "home" {
  source  = imap {
    host     = "imap.example.org",
    user     = "alice",
    password = file "~/.config/postrider/home.secret",
  },
  deliver = mail / "inbox",
}

-- The same message by a list and directly, or by two accounts.
rule("copies", function(m)
  if seen() then m:discard "a copy" end
end)

-- A sender that no server vouches for, though its domain wants one to.
rule("forged", function(m)
  if m.auth and m.auth.dmarc == "fail" then m:deliver(mail / "forged") end
end)

-- What a file is, and what is in an archive, whatever its name says.
local program = re("executable|dosexec|x-msi|x-sharedlib")
local harmful = re([[\.(exe|scr|js|vbs|bat|lnk)$]], "i")

local function is_harmful(part)
  if harmful:find(part.filename) or program:find(part:true_type()) then
    return true
  end
  for _, name in ipairs(part:archive_names() or {}) do
    if harmful:find(name) then return true end
  end
  return false
end

rule("disguised", function(m)
  for _, part in ipairs(m.attachments) do
    if is_harmful(part) then
      m:note("an attachment is a program: " .. part.filename)
      m:deliver(mail / "quarantine")
      return
    end
  end
end)

-- Bills: each year has its folder, and the delivered copy the bill's number.
local bill = re([[(?:invoice|bill)\s+(?:no\.?\s*)?(?<number>\d[\d-]*)]], "i")

rule("bills", function(m)
  local found = bill:match(m.subject)
  if not found then return end
  for _, part in ipairs(m.attachments) do
    if part:true_type() == "application/pdf" then
      part:save("~/Bills/" .. date("%Y", m.received) .. "/")
    end
  end
  m:set_header("X-Bill", found.number)
  m:deliver(mail / "bills")
end)

-- More than five messages an hour from one address wait in a folder.
rule("floods", function(m)
  local sender = m.from.address or "nobody"
  if not ratelimit("from " .. sender, 5, "1h") then
    store.incr("floods of " .. sender, 1, "30d")
    m:deliver(mail / "floods")
  end
end)
