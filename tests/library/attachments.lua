-- Attachments that pass the filter are saved, others are not.

local attachments = require "postrider.attachments"

local mail = maildir "/nowhere/Mail"

options { save = { "/nowhere/Files" } }

account "home" {
  source  = imap { host = "localhost", user = "alice", password = env "NONE" },
  deliver = mail / "inbox",
}

local function saves(folder, given)
  rule(folder, { folder = folder }, attachments.save("/nowhere/Files", given))
end

saves("All", nil)
saves("Types", { types = { "application/pdf", "image/*" } })
saves("True", { types = "application/pdf", true_type = true })
saves("Names", { names = "*.PDF" })
saves("Large", { larger = 20 })
saves("Small", { smaller = 20 })
rule("days", { folder = "Days" },
     attachments.save("/nowhere/Files/", { by = "%Y/%m" }))
rule("found", { folder = "Found" }, function(m)
  for _, part in ipairs(attachments.find(m, { types = "image/*" })) do
    m:note(part.filename)
  end
end)
rule("outside", { folder = "Outside" }, attachments.save "/etc")

local text = [[
Subject: files
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain

See these.
--b
Content-Type: application/pdf; name="a.pdf"
Content-Disposition: attachment; filename="a.pdf"

%PDF-1.4 and so on, and on
--b
Content-Type: image/png; name="b.png"
Content-Disposition: attachment; filename="b.png"

x
--b
Content-Type: application/octet-stream
Content-Disposition: attachment; filename="../../c.pdf"

%PDF-1.5 other
--b--
]]

local function saved(name, folder, files)
  test(name, { text = text, folder = folder, received = 1700000000 },
       { default = true, saved = files })
end

saved("all of them, whatever they are called", "All",
      { "Files/a.pdf", "Files/b.png", "Files/_.._c.pdf" })
saved("by their types", "Types", { "Files/a.pdf", "Files/b.png" })
saved("by what they really are", "True", { "Files/a.pdf", "Files/_.._c.pdf" })
saved("by their names", "Names", { "Files/a.pdf", "Files/_.._c.pdf" })
saved("large ones", "Large", { "Files/a.pdf" })
saved("small ones", "Small", { "Files/b.png", "Files/_.._c.pdf" })
saved("in folders by day", "Days",
      { "2023/11/a.pdf", "2023/11/b.png", "2023/11/_.._c.pdf" })
test("found", { text = text, folder = "Found" }, { notes = { "b.png" } })
test("only below a folder that is open", { text = text, folder = "Outside" },
     { notes = {
       "part:save: /etc/a.pdf is below no folder that is open to rules",
       "part:save: /etc/b.png is below no folder that is open to rules",
       "part:save: /etc/_.._c.pdf is below no folder that is open to rules" } })
