-- Mailing lists are told by each of the marks that list programs leave.

local lists = require "postrider.lists"

local mail = maildir "/nowhere/Mail"

account "home" {
  source  = imap { host = "localhost", user = "alice", password = env "NONE" },
  deliver = mail / "inbox",
}

rule("identity", function(m)
  m:tag("id", lists.id(m))
  m:tag("has", lists.has(m))
end)
rule("whole", { folder = "Whole" }, lists.file(mail / "lists", { whole = true }))
rule("lists", lists.file(mail / "lists"))

local function message(header)
  return header .. "\nFrom: a@example.org\nSubject: hello\n\nHi\n"
end

local function comes_by(name, header, id, folder)
  test(name, { text = message(header) },
       { tags = { id = id, has = "true" }, delivered = "lists/" .. folder })
end

local function comes_not(name, header)
  test(name, { text = message(header) },
       { tags = { id = "nil", has = "false" }, default = true })
end

comes_by("List-Id (RFC 2919)", "List-Id: The List <Dev.Lists.Example.org>",
         "dev.lists.example.org", "dev")
comes_by("List-Id before all else",
         "List-Id: <a.example.org>\nSender: owner-b@example.org",
         "a.example.org", "a")
comes_by("List-Post", "List-Post: <mailto:dev@lists.example.org>",
         "dev.lists.example.org", "dev")
comes_by("Mailing-List (ezmlm)",
         "Mailing-List: list dev@example.org; contact dev-help@example.org",
         "dev.example.org", "dev")
comes_by("Delivered-To (ezmlm)",
         "Precedence: list\nDelivered-To: mailing list dev@example.org",
         "dev.example.org", "dev")
comes_by("X-Mailing-List (Majordomo)", "X-Mailing-List: kernel@example.org",
         "kernel.example.org", "kernel")
comes_by("X-Mailman-Version", "X-Mailman-Version: 2.1.29\n" ..
         "Sender: dev-bounces@lists.example.org",
         "dev.lists.example.org", "dev")
comes_by("X-BeenThere", "X-BeenThere: dev@lists.example.org",
         "dev.lists.example.org", "dev")
comes_by("X-Loop (Sympa)", "X-Loop: dev@lists.example.org\nPrecedence: list",
         "dev.lists.example.org", "dev")
comes_by("Google Groups",
         "X-Google-Group-Id: 123456\nMailing-list: list club@example.org; " ..
         "contact club+owners@example.org", "club.example.org", "club")
comes_by("X-ML-Name (fml)", "X-ML-Name: Hackers", "hackers", "hackers")
comes_by("Sender owner-", "Sender: owner-dev@example.org", "dev.example.org",
         "dev")
comes_by("Sender with a bounce address",
         "Sender: dev-bounces+alice=example.net@example.org",
         "dev.example.org", "dev")
comes_by("Return-Path of a list",
         "Precedence: list\nReturn-Path: <dev-return-12-alice@example.org>",
         "dev.example.org", "dev")

comes_not("a message of a person", "To: alice@example.net")
comes_not("a loop field alone is no list", "X-Loop: alice@example.org")
comes_not("a sender alone is no list", "Sender: secretary@example.org")
test("precedence alone is a list without a name",
     { text = message "Precedence: list" },
     { tags = { id = "nil", has = "true" }, default = true })

test("a folder never leads out of its own",
     { text = message "List-Id: <../../etc/passwd>" },
     { delivered = "lists/etc-passwd" })
test("nor hides", { text = message "List-Id: <.hidden.example.org>" },
     { delivered = "lists/hidden-example-org" })
test("nor is one that each Maildir has",
     { text = message "List-Id: <new.example.org>" },
     { delivered = "lists/new-" })
test("nor has odd characters", { text = message "List-Id: <a\tb\\c:d*.example>" },
     { delivered = "lists/a" })
test("letters of any alphabet go",
     { text = message "List-Id: <gr\u{fc}n.example.org>" },
     { delivered = "lists/gr-n" })
test("nor is it endless",
     { text = message("List-Id: <" .. ("x"):rep(500) .. ".example.org>") },
     { delivered = "lists/" .. ("x"):rep(64) })
test("nothing that is a name stays in the inbox",
     { text = message "List-Id: <...>" }, { default = true })
test("lists that share their first word have folders of their own",
     { text = message "List-Id: <dev.lists.example.org>", folder = "Whole" },
     { delivered = "lists/dev-lists-example-org" })
