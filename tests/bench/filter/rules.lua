-- What each of the others in this folder does: 20 rules, the first that fits
-- files the message.
local mail = maildir "@MAIL@"

options { state = "@PLACE@/state" }
account "bench" {
  source  = maildir_source "@SOURCE@",
  after   = delete,
  deliver = mail / "other",
}

rule("list: dev", function(m)
  if m.list_id == "dev.lists.example.org" then m:deliver(mail / "lists-dev") end
end)
rule("list: users", function(m)
  if m.list_id == "users.lists.example.org" then
    m:deliver(mail / "lists-users")
  end
end)
rule("list: announce", function(m)
  if m.list_id == "announce.lists.example.org" then
    m:deliver(mail / "lists-announce")
  end
end)
rule("marked as spam", function(m)
  if m:header "X-Spam-Flag" == "YES" then m:deliver(mail / "junk") end
end)
local prize = re([[you have won|lottery|\$[0-9][0-9,]{4,}]], "i")
rule("smells of spam", function(m)
  if prize:match(m.subject) then m:deliver(mail / "junk") end
end)
rule("boss", function(m)
  if m.from:is "boss@example.org" then m:deliver(mail / "boss") end
end)
rule("bills", function(m)
  if m.from:is "billing@supplier.example" and m.subject:has "invoice" then
    m:deliver(mail / "bills")
  end
end)
rule("newsletters", function(m)
  if m.from:is "news@shop.example" then m:deliver(mail / "newsletters") end
end)
local bulk = re("^(bulk|list|junk)$", "i")
rule("bulk", function(m)
  local precedence = m:header "Precedence"
  if precedence and bulk:match(precedence) then m:deliver(mail / "bulk") end
end)
rule("bounces", function(m)
  if m.from:is "mailer-daemon@*" or m.from:is "postmaster@*" then
    m:deliver(mail / "bounces")
  end
end)
local urgent = re "^[12]( |$)"
rule("urgent", function(m)
  local priority = m:header "X-Priority"
  if m:header "Importance" == "high" or
      (priority and urgent:match(priority)) then
    m:deliver(mail / "urgent")
  end
end)
rule("to sales", function(m)
  if m.to:is "sales@example.org" or m.cc:is "sales@example.org" then
    m:deliver(mail / "sales")
  end
end)
rule("to nobody", function(m)
  if (m:header "To" or ""):has "undisclosed-recipients" then
    m:deliver(mail / "junk")
  end
end)
local robot = re("^(no-?reply|do-?not-?reply)@", "i")
rule("robots", function(m)
  if m.from.address and robot:match(m.from.address) then
    m:deliver(mail / "robots")
  end
end)
local ticket = re([=[\[(bug|ticket) #?[0-9]+\]]=], "i")
rule("tickets", function(m)
  if ticket:match(m.subject) then m:deliver(mail / "tickets") end
end)
rule("friends", function(m)
  if m.from:any { "ann@example.com", "bob@example.net" } then
    m:deliver(mail / "friends")
  end
end)
rule("signed", function(m)
  if (m:header "Content-Type" or ""):starts "multipart/signed" then
    m:deliver(mail / "signed")
  end
end)
rule("large", function(m)
  if m.size > 100 * 1024 then m:deliver(mail / "large") end
end)
local parcel = re("tracking number:? [0-9]+", "i")
rule("parcels", function(m)
  if parcel:match(m.text) then m:deliver(mail / "parcels") end
end)
rule("meetings", function(m)
  if m.text:has "the next meeting is on" then
    m:deliver(mail / "meetings")
  end
end)
