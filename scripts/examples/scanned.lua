-- Scanners: viruses, spam and a list of hosts, all asked at the same time.

local mail = maildir "~/Mail"

local av = clamd { host = "/run/clamav/clamd.ctl" }
local rs = rspamd { url = "http://localhost:11333", timeout = "5s" }

account "home" {
  source  = imap {
    host     = "imap.example.org",
    user     = "alice",
    password = exec { "secret-tool", "lookup", "mail", "home" },
  },
  deliver = mail / "inbox",
}

-- The address of the host that handed the message to our own server.
local function last_host(m)
  local received = m:header "Received"
  return received and received:match "%[(%d+%.%d+%.%d+%.%d+)%]"
end

rule("scanners", function(m)
  local host = last_host(m)
  local found, failed = all {
    virus = function() return av.scan(m) end,
    spam  = function() return rs.check(m) end,
    list  = function() return host and dns.rbl(host, "zen.example.org") end,
  }
  for name, why in pairs(failed or {}) do m:note(name .. ": " .. why) end

  -- No word from the virus scanner: look again later rather than deliver.
  if not found.virus then m:defer "10m" return end
  if found.virus.infected then
    m:discard("virus " .. found.virus.virus)
    return
  end

  if found.spam then m:score(found.spam.score, "rspamd") end
  if found.list and found.list.listed then m:score(4, found.list.text) end
end)

rule("decide", function(m)
  if m.points >= 8 then
    m:set_header("X-Spam-Score", string.format("%.1f", m.points))
    m:deliver(mail / "Junk")
  end
end)
