# 20 tests; without a match the message goes to the default mailbox.
require ["fileinto", "mailbox", "body", "regex"];

if header :contains "List-Id" "<dev.lists.example.org>" {
  fileinto :create "lists-dev";
} elsif header :contains "List-Id" "<users.lists.example.org>" {
  fileinto :create "lists-users";
} elsif header :contains "List-Id" "<announce.lists.example.org>" {
  fileinto :create "lists-announce";
} elsif header :is "X-Spam-Flag" "YES" {
  fileinto :create "junk";
} elsif header :regex "Subject"
    "(you have won|lottery|\\$[0-9][0-9,]{4,})" {
  fileinto :create "junk";
} elsif address :is "From" "boss@example.org" {
  fileinto :create "boss";
} elsif allof (address :is "From" "billing@supplier.example",
               header :contains "Subject" "invoice") {
  fileinto :create "bills";
} elsif address :is "From" "news@shop.example" {
  fileinto :create "newsletters";
} elsif header :is "Precedence" ["bulk", "list", "junk"] {
  fileinto :create "bulk";
} elsif address :localpart :is "From" ["mailer-daemon", "postmaster"] {
  fileinto :create "bounces";
} elsif anyof (header :is "Importance" "high",
               header :regex "X-Priority" "^[12]( |$)") {
  fileinto :create "urgent";
} elsif address :is ["To", "Cc"] "sales@example.org" {
  fileinto :create "sales";
} elsif header :contains "To" "undisclosed-recipients" {
  fileinto :create "junk";
} elsif address :regex "From" "^(no-?reply|do-?not-?reply)@" {
  fileinto :create "robots";
} elsif header :regex "Subject" "\\[(bug|ticket) #?[0-9]+\\]" {
  fileinto :create "tickets";
} elsif address :is "From" ["ann@example.com", "bob@example.net"] {
  fileinto :create "friends";
} elsif header :contains "Content-Type" "multipart/signed" {
  fileinto :create "signed";
} elsif size :over 100K {
  fileinto :create "large";
} elsif body :text :regex "tracking number:? [0-9]+" {
  fileinto :create "parcels";
} elsif body :text :contains "the next meeting is on" {
  fileinto :create "meetings";
}
