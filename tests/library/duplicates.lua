-- Copies are told by their Message-ID, or by what is in them.

local duplicates = require "postrider.duplicates"

local mail = maildir "/nowhere/Mail"

account "home" {
  source  = imap { host = "localhost", user = "alice", password = env "NONE" },
  deliver = mail / "inbox",
}

rule("by content", { folder = "Content" }, duplicates.drop { by = "content" })
rule("kept apart", { folder = "Apart" },
     duplicates.drop { into = mail / "copies", time = "7d" })
rule("first", function(m) m:tag("first", duplicates.first(m)) end)
rule("copies", duplicates.drop())

local text = "Message-ID: <1@example.org>\nFrom: a@example.org\n" ..
    "Subject: hello\n\nHi\n"
local first = "work/INBOX/7 on 2026-11-22"

test("the first is delivered", { text = text },
     { default = true, tags = { first = "nil" } })
test("a copy is discarded, and tells where the first came",
     { text = text, mock = { seen = true, ["store.get"] = first } },
     { discarded = "a copy of " .. first, tags = { first = first } })
test("or kept apart",
     { text = text, folder = "Apart",
       mock = { seen = true, ["store.get"] = first } },
     { delivered = "copies", notes = "a copy of " .. first })
test("of a place that is forgotten it is a copy all the same",
     { text = text, mock = { seen = true, ["store.get"] = function() end } },
     { discarded = "a copy of a place" })
test("what has no Message-ID is like no other",
     { text = "Subject: hello\n\nHi\n", mock = { seen = true } },
     { default = true })

-- The key that `seen` is asked with, as an error.
local function asked(key) error("asked " .. key, 0) end

test("the key is the Message-ID", { text = text, mock = { seen = asked } },
     { error = "asked duplicates id 1@example.org" })
test("a long one is known by its digest",
     { text = "Message-ID: <" .. ("x"):rep(2000) .. "@example.org>\n\nHi\n",
       mock = { seen = asked } },
     { error = "asked duplicates id d62aef06" })
test("by content the way it came does not count",
     { text = "Received: by a\nMessage-ID: <2@example.org>\n" .. text,
       folder = "Content", mock = { seen = asked } },
     { error = "asked duplicates content 820afe10" })
test("nor does another Message-ID",
     { text = "Message-ID: <3@example.org>\n" .. text:match "\n(.*)",
       folder = "Content", mock = { seen = asked } },
     { error = "asked duplicates content 820afe10" })
test("but another text does",
     { text = text .. "more\n", folder = "Content", mock = { seen = asked } },
     { error = "asked duplicates content ffe26a31" })
