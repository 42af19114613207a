---@meta
-- Names of postrider's configurations and rules, for editors that speak LuaLS.
-- Written by contrib/annotate; postrider-config(5) and postrider-rules(5) say
-- more.

---@class postrider.Source
---@class postrider.Sink
---@operator div(string): postrider.Sink
---@class postrider.Secret
---@class postrider.After
---@class postrider.Flags: { [integer]: string, [string]: boolean }
---@class postrider.Selector
---@field account? string|string[] patterns; "!" leaves out
---@field folder? string|string[] patterns; "!" leaves out
---@class postrider.HookSelector: postrider.Selector
---@field from? string|string[] folders that a message was moved from
---@class postrider.SweepSelector: postrider.Selector
---@field every? string|number its interval; default 1d
---@class postrider.Command
---@field [integer] string the program and its arguments
---@field input? string|postrider.Message its standard input
---@field timeout? string|number
---@class postrider.Ran: postrider.Secret
---@field status integer 0 to 255, or 128 plus the signal's number
---@field output string
---@field complaint string what it wrote to standard error
---@class postrider.Response
---@field status integer
---@field body string
---@field headers table<string, string> by their names in lower case
---@class postrider.Reply
---@field text? string
---@field mime? string Content- fields, an empty line and a body
---@field from? string
---@field to? string
---@field once? string|number who got an answer gets no other within this time
---@field subject? string
---@field handle? string a name that answers share
---@class postrider.LuaSink
---@field stage? fun(m: postrider.Delivery): any, string?
---@field deliver? fun(m: postrider.Delivery): any, string?
---@field commit? fun(batch: postrider.Delivery[]): any, string?
---@field abort? fun(m: postrider.Delivery)
---@field recover? fun(key: string, receipt: string): boolean?
---@field check? fun(): any, string?
---@class postrider.LuaSource
---@field list fun(): table[]
---@field fetch fun(item: table, want: "header"|"all"): any
---@field settle? fun(deeds: table[]): any, string?

---nothing becomes of delivered mail on the server
---@type postrider.After
keep = nil
---it is deleted for good
---@type postrider.After
delete = nil

---@class postrider.Message
---@field account string text, the name of the account
---@field folder string text, the folder it was found in
---@field uid integer|string number, its UID in the folder; a text for POP3
---@field size integer number of octets, as the server counts them
---@field received number seconds since 1970; now, if the server does not tell
---@field age number seconds since it was received; compare with days(n), hours(n)
---@field flags postrider.Flags list of its flags and keywords; m.flags["\\Seen"] is true or false
---@field labels postrider.Flags list of its labels where the server has such (Gmail), else of its keywords; m.labels.work is true or false
---@field from postrider.Addresses addresses, of the header field of that name
---@field sender postrider.Addresses addresses, of the header field of that name
---@field to postrider.Addresses addresses, of the header field of that name
---@field cc postrider.Addresses addresses, of the header field of that name
---@field bcc postrider.Addresses addresses, of the header field of that name
---@field reply_to postrider.Addresses addresses, of the header field of that name
---@field delivered_to postrider.Addresses addresses that servers on its way delivered it to
---@field envelope_to postrider.Addresses addresses of the envelope, where a server notes them
---@field subject string text, decoded; "" if there is none
---@field date number? seconds since 1970, as its sender says; nil if missing or no date
---@field message_id string text without angle brackets; "" if there is none
---@field references string[] list of message ids, the oldest first
---@field in_reply_to string text, the message id it answers; "" if there is none
---@field list_id string? text in lower case (RFC 2919), without angle brackets; nil if there is none
---@field auth table? table such as { spf = "pass", dkim = "fail" }, what servers that options { trust_auth } names found out; nil if none says. In it, results is the list of all of them, each with method, result, reason and properties such as ["smtp.mailfrom"]
---@field parts postrider.Part[] list of parts, those in a multipart after it
---@field attachments postrider.Part[] list of the parts that have a file name or say they are one
---@field text string text of the first text/plain part as UTF-8, at most 64 KiB; "" if there is none
---@field html string text of the first text/html part as UTF-8, at most 64 KiB; "" if there is none
---@field tags table<string, any> table of the tags that rules set
---@field points number number, the sum of the scores that rules gave
local Message = {}

---into all of these; what becomes of it on the server, the account's `after` says; final
---@param sink postrider.Sink
---@param ... postrider.Sink
function Message:deliver(sink, ...) end

---moved on the server, not delivered here; final
---@param folder string
function Message:move(folder) end

---deleted on the server, not delivered here; final
function Message:delete() end

---left as it is, neither fetched nor asked about again; final
function Message:leave() end

---dropped on purpose; on the server as if it had been delivered; final
---@param reason? string
function Message:discard(reason) end

---asked again after so long; final
---@param time string|number
function Message:defer(time) end

---no further rules; the account's `deliver` takes it; final
function Message:stop() end

---an extra copy
---@param sink postrider.Sink
---@param ... postrider.Sink
function Message:copy(sink, ...) end

---a copy on the server
---@param folder string
function Message:copy_to(folder) end

---a flag such as "\\Flagged" or a keyword is set, on the server and on the delivered copy
---@param name string
function Message:flag(name) end

---a flag or a keyword is taken away, on the server and on the delivered copy
---@param name string
function Message:unflag(name) end

---a label of the server's own, where it has such (Gmail), else a keyword, is set; the delivered copy has it as a keyword. In tests, and where `postrider explain` is given a file, no server is there to ask: what cannot be a keyword is then taken for a label.
---@param name string
function Message:label(name) end

---a label, or that keyword, is taken away, on the server and on the delivered copy
---@param name string
function Message:unlabel(name) end

---on delivered copies, in place of all fields of that name; of a value of more than 100,000 octets the beginning
---@param name string
---@param value string
function Message:set_header(name, value) end

---on delivered copies, one more field
---@param name string
---@param value string
function Message:add_header(name, value) end

---from delivered copies, all fields of that name
---@param name string
function Message:remove_header(name) end

---for later rules, as m.tags.key, and for `postrider why`
---@param key string
---@param value any
function Message:tag(key, value) end

---points, which later rules find summed up in m.points
---@param n number
---@param why string?
function Message:score(n, why) end

---for the log, for `postrider why` and for --dry-run
---@param text string
function Message:note(text) end

---an extra copy to each of these addresses, by the sink that options { redirect = smtp { ... } } names
---@param address string
---@param ... string
function Message:redirect(address, ...) end

---text of the first field of that name, decoded; nil if none
---@param name string
---@return string?
function Message:header(name) end

---text of the first field of that name as it was sent, octet for octet; nil if none
---@param name string
---@return string?
function Message:raw_header(name) end

---list of the texts of all fields of that name
---@param name string
---@return string[]
function Message:headers(name) end

---a message of the rule's own, to the sender of the envelope (Return-Path, else the author), by the sink that options { redirect = smtp { ... } } names. It is marked as an automatic answer (RFC 3834) and has no sender that could be answered; its text is UTF-8. By default the subject is that of the message after "Auto:"; mime has Content- fields, an empty line and a body, in place of text; once is a time in which who got an answer gets no other of the same handle. True, or false and why not: automatic mail, mail without a sender, and who was answered within that time get none. That is noted when the answer is accepted. A message has one answer; one that is refused for good is given up, and the log tells. Waits.
---@param fields postrider.Reply
---@return boolean
---@return string?
function Message:reply(fields) end

---a stream of the whole message as it was sent, its lines ended by LF. Waits for it.
---@return postrider.Stream
function Message:raw() end

---text, the SHA-256 of the whole message with its lines ended by LF, in 64 hexadecimal digits. Waits.
---@return string
function Message:sha256() end

---@class postrider.Part
---@field path string text, "" if it is not told
---@field type string text, "" if it is not told
---@field filename string text, "" if it is not told
---@field disposition string text, "" if it is not told
---@field content_id string text, "" if it is not told
---@field charset string text, "us-ascii" for text that names none, else "" if it is not told
---@field size integer octets as encoded, 0 for a multipart
---@field depth integer number, 0 for the message's own
---@field is_multipart boolean true if other parts are in it
local Part = {}

---its text as UTF-8, at most 1 MiB. Waits.
---@return string
function Part:text() end

---its octets, transfer encoding undone, at most 1 MiB. Waits.
---@return string
function Part:bytes() end

---its type by its octets, whatever it is declared to be, such as "application/x-dosexec"; "application/octet-stream" if that cannot be told. Waits.
---@return string
function Part:true_type() end

---list of the names of the files in a zip archive, also one with another declared type (many documents are such); nil if it is none. Nothing is unpacked. Waits.
---@return string[]?
function Part:archive_names() end

---its octets are written to this file, below a folder that options { save = { ... } } names, when the message is dealt with; a path that ends with "/" gets the part's own file name, made safe. A file that is there already is not replaced: the new one gets a number. Returns the path; nil and a text, which is noted, too, if that is no path below such a folder.
---@param path string
---@return string
function Part:save(path) end

---@class postrider.Addresses
---@operator len: integer
---@field [integer] postrider.Addresses each of them
---@field address string? text, of the first address; nil if the list is empty
---@field name string? text, of the first address; nil if the list is empty
---@field local_part string? text, of the first address; nil if the list is empty
---@field domain string? text, of the first address; nil if the list is empty
---@field detail string? text, what follows the first "+" of the local part, "" if nothing does; nil if the list is empty
local Addresses = {}

---true if one of them matches; "*" and "?" stand for any, case does not count
---@param pattern string
---@return boolean
function Addresses:is(pattern) end

---true if one of them matches one of these
---@param patterns string[]
---@return boolean
function Addresses:any(patterns) end

---true if one of them stands in the file, which is as one of `map`. Waits.
---@param path string
---@return boolean
function Addresses:in_file(path) end

---@class postrider.Expression
local Expression = {}

---the groups of the first match, or the whole of it if there are none; a table by name and number if groups have names; nil if nothing matches. Waits if it takes long.
---@param text string
---@param init? integer
---@return any
---@return string? ...
function Expression:match(text, init) end

---where the first match begins and ends, then what match gives for groups; nil if nothing matches. Waits if it takes long.
---@param text string
---@param init? integer
---@return integer?
---@return integer?
---@return any ...
function Expression:find(text, init) end

---for a `for`: what match gives, of each match.
---@param text string
---@return fun(): any
function Expression:gmatch(text) end

---the text with each match replaced, and how many there were. A text may name groups: "%1", "%{name}", "%0" the whole; a function gets what match gives, a table is asked by the first group; nil or false from these leaves the match as it is.
---@param text string
---@param replacement string|table|function
---@param most? integer
---@return string
---@return integer
function Expression:gsub(text, replacement, most) end

---@class postrider.Glob
local Glob = {}

---true if it matches the whole text
---@param text string
---@return boolean
function Glob:match(text) end

---@class postrider.Map
---@field [string] string|boolean|nil what map:get gives
local Map = {}

---does the text, or one of the addresses, stand in the file? Waits.
---@param key string|postrider.Addresses
---@return boolean
function Map:has(key) end

---the text beside the key; true if nothing stands beside it; nil if the key is not in the file. Waits.
---@param key string|postrider.Addresses
---@return string|boolean|nil
function Map:get(key) end

---@class postrider.Stream
local Stream = {}

---the next n octets (64 KiB if not said, at most 1 MiB), less at the end, nil after it. Waits.
---@param n? integer
---@return string?
function Stream:read(n) end

---for a `for`: line by line, without line ends; a line of more than 1 MiB comes in pieces. Waits.
---@return fun(): string?
function Stream:lines() end

---@class postrider.Box
---@field account string text, the name of the account
---@field folder string text, the folder that is swept
---@field count integer number of its messages when it was opened
local Box = {}

---set of all messages. Waits
---@return postrider.Set
function Box:all() end

---set of no message, to begin with
---@return postrider.Set
function Box:none() end

---set of the messages that all of its keys hold for. Waits
---@param keys postrider.Search
---@return postrider.Set
function Box:search(keys) end

---@class postrider.Set
---@operator add(postrider.Set): postrider.Set
---@operator mul(postrider.Set): postrider.Set
---@operator sub(postrider.Set): postrider.Set
---@operator len: integer
local Set = {}

---a flag such as "\\Flagged" or a keyword; returns the set
---@param name string
---@return postrider.Set
function Set:flag(name) end

---a flag or a keyword is taken away; returns the set
---@param name string
---@return postrider.Set
function Set:unflag(name) end

---a label of the server's own where it has such, else a keyword; returns the set
---@param name string
---@return postrider.Set
function Set:label(name) end

---a label is taken away; returns the set
---@param name string
---@return postrider.Set
function Set:unlabel(name) end

---made if it is not there; returns the set
---@param folder string
---@return postrider.Set
function Set:move(folder) end

---made if it is not there; returns the set
---@param folder string
---@return postrider.Set
function Set:copy_to(folder) end

---for good; returns the set
---@return postrider.Set
function Set:delete() end

---for a `for`: each message that is still there, with the fields and methods that rules have; it can be used until the next one comes. Waits
---@return fun(): postrider.Message?
function Set:each() end

---set of the messages for which it returns true. Waits
---@param keep fun(m: postrider.Message): any
---@return postrider.Set
function Set:filter(keep) end

---@class postrider.Change
---@field event string text, such as "moved_in"
---@field flags postrider.Flags list of its flags, as m.flags is
---@field old postrider.Flags list of its flags, as m.flags is
---@field added postrider.Flags list of its flags, as m.flags is
---@field removed postrider.Flags list of its flags, as m.flags is
---@field from string? text, the folder it was moved from; nil if it was not
---@field fingerprint string? text, of its header; nil if that is not known
local Change = {}

---@class postrider.Delivery
---@field account string text, the account it came in by
---@field source_folder string text, the folder it was found in
---@field folder string text, where to below the sink: "a/b" for sink / "a/b", else ""
---@field key string text of letters, digits, ".", "_" and "-": the same for each try
---@field receipt string text that `stage` returned
---@field uid integer number, its UID in source_folder
---@field received number seconds since 1970
---@field size integer number of octets of what is delivered, line ends as LF
---@field flags postrider.Flags list of its flags and keywords; m.flags["\\Seen"] is true or false
local Delivery = {}

---text of the first field of that name, decoded; nil if none
---@param name string
---@return string?
function Delivery:header(name) end

---list of the texts of all fields of that name
---@param name string
---@return string[]
function Delivery:headers(name) end

---text, the whole message with LF line ends. A large one is over the memory a function may take: see m:bytes().
---@return string
function Delivery:raw() end

---iterator over the message in texts of so many octets, 64 KiB unless said: for chunk in m:bytes() do ... end
---@param size integer?
---@return fun(): string?
function Delivery:bytes(size) end

store = {}

---what was set there, nil if nothing was or its time is over. Waits.
---@param key string
---@return string|number|boolean|nil
function store.get(key) end

---keeps a text, a number or a boolean under the key, for that time or for good; nil drops it. Waits.
---@param key string
---@param value string|number|boolean|nil
---@param time? string|number
function store.set(key, value, time) end

---drops what is kept there. Waits.
---@param key string
function store.delete(key) end

---adds n (1) to the number there, 0 if there is none, and returns the sum; a time given here begins anew. Waits.
---@param key string
---@param n? number
---@param time? string|number
---@return number
function store.incr(key, n, time) end

dns = {}

---list of addresses as texts; nil and a text if nobody could tell. Names and types that are not there are empty lists.
---@param name string
---@param options? postrider.Waiting
---@return string[]?
---@return string?
function dns.a(name, options) end

---list of addresses as texts; nil and a text if nobody could tell. Names and types that are not there are empty lists.
---@param name string
---@param options? postrider.Waiting
---@return string[]?
---@return string?
function dns.aaaa(name, options) end

---list of { preference = number, host = text }, by preference
---@param name string
---@param options? postrider.Waiting
---@return { preference: integer, host: string }[]?
---@return string?
function dns.mx(name, options) end

---list of texts
---@param name string
---@param options? postrider.Waiting
---@return string[]?
---@return string?
function dns.txt(name, options) end

---list of the names that an IPv4 or IPv6 address has
---@param address string
---@param options? postrider.Waiting
---@return string[]?
---@return string?
function dns.ptr(address, options) end

---table with listed (true or false), codes (list of addresses below 127.0.0.0) and text (why); nil and a text if nobody could tell, or the list refuses to
---@param about string
---@param zone string
---@param options? postrider.Waiting
---@return { listed: boolean, codes: string[], text: string }?
---@return string?
function dns.rbl(about, zone, options) end

http = {}

---table with status (number), body (text) and headers (by their names in lower case); nil and a text if no response came. Only http and https are spoken, and certificates are verified.
---@param url string
---@param options? postrider.Asking
---@return postrider.Response?
---@return string?
function http.get(url, options) end

---the same with a body, a text or the message; json is a value that is sent as JSON
---@param url string
---@param options? postrider.Asking
---@return postrider.Response?
---@return string?
function http.post(url, options) end

---the same with any method
---@param url string
---@param options? postrider.Asking
---@return postrider.Response?
---@return string?
function http.request(url, options) end

json = {}

---the value; nil and a text if it is no JSON. null becomes what is given for it, such as json.null; nil if nothing is, so that a field with it is not there.
---@param text string
---@param null? any
---@return any
---@return string?
function json.decode(text, null) end

---text. A table with 1 to n is a list, any other an object; an empty one is an object, unless json.decode or json.list made it.
---@param value any
---@return string
function json.encode(value) end

---the table, which json.encode takes for a list if it is empty
---@param list table
---@return table
function json.list(list) end

---what json.encode writes as null
---@type any
json.null = nil

folders = {}

---fine if it is there
---@param name string
function folders.create(name) end

---other programs show it
---@param name string
function folders.subscribe(name) end

---other programs do not show it
---@param name string
function folders.unsubscribe(name) end

---with those below it
---@param name string
---@param new_name string
function folders.rename(name, new_name) end

---without that only if it is empty
---@param name string
---@param options? { with_messages?: boolean }
function folders.delete(name, options) end

---list of names, of all folders if no pattern is given; "*" stands for anything, "%" for anything on one level, "!" before a pattern leaves out. Waits
---@param ... string
---@return string[]
function folders.list(...) end

---mail that is fetched, and where it goes
---@param name string
---@return fun(options: postrider.account)
function account(name) end

---runs them at the same time and returns, when the last has ended, a table with the first result of each by the same keys; and a table with the second results of those whose first is nil, or nil when there is none. An error in one raises when all have ended.
---@param functions table<any, function>
---@return table
---@return table?
function all(functions) end

---runs a program; no shell is used. Its standard input is the message, or the text given as input. A table with status (0 to 255, or 128 plus the signal's number), output and complaint (what it wrote to standard error); nil and a text if it could not be run, took too long or wrote more than 1 MiB to standard output. It runs in a process group of its own, with standard input, output and error and no other descriptor, and is killed with its group when its time is over. Waits. In the configuration, around the rules: a secret, the first line that the program prints.
---@param command postrider.Command
---@return postrider.Ran?
---@return string?
function exec(command) end

---waits; other messages go on meanwhile
---@param time string|number
function sleep(time) end

---where mail comes from. list(): a list of items { uidl = text, size = octets, received = seconds }: uidl names a message as long as it is there; other fields are its own. fetch(item, want): the message, a text or a function that returns one text after the other and then nil; nil: it is gone. want is "header" where the header is enough, else "all". settle(deeds): a list of { uidl = text, item = item, remove = true }; returns as commit of a sink does
---@param name string
---@param functions postrider.LuaSource
---@return postrider.Source
function source(name, functions) end

---hears of messages that other programs flag, move and delete on the server: "flags", "vanished", "moved_in"
---@param event "flags"|"vanished"|"moved_in"
---@param selector postrider.HookSelector
---@param action fun(m: postrider.Message, change: postrider.Change)
---@overload fun(event: string, action: fun(m: postrider.Message, change: postrider.Change))
function on(event, selector, action) end

---a file with an entry, or `key = value` (white space around the sign), a line; "#" begins a comment. In entries "*" and "?" stand for anything, "@example.org" is every address there, and case does not count. It is read when it is first asked, and again when it changes.
---@param path string
---@return postrider.Map
function map(path) end

---a regular expression as in pcre2pattern(3), over UTF-8. Flags: "i" (case does not count), "m" (^ and $ at each line), "s" (a dot is a line end, too), "x" (white space and comments in the pattern). One that tries too many ways to match is ended with an error. The same pattern is compiled once.
---@param pattern string
---@param flags? string
---@return postrider.Expression
function re(pattern, flags) end

---runs over each new message that the selector takes
---@param name string
---@param selector postrider.Selector
---@param action fun(m: postrider.Message)
---@overload fun(name: string, action: fun(m: postrider.Message))
function rule(name, selector, action) end

---what holds for the whole program
---@param options postrider.options
function options(options) end

---a place to deliver to. Its functions, of which deliver or commit must be there: stage(m): returns a receipt, which recover gets; nothing may happen yet. deliver(m): delivers one message. commit(batch): delivers a list of messages. abort(m): what was staged is not delivered. recover(key, receipt): after a crash, was it delivered? true, false or nil. check(): for `postrider check`. deliver and check return true, "later" with a text, or false with a text; commit one of these for all, or a list with one for each message.
---@param name string
---@param functions postrider.LuaSink
---@return postrider.Sink
function sink(name, functions) end

---has another message asked with this key, within that time (30 days)? The key is the Message-ID if none is given; without one no message is like another, and the answer is false. A message that asks again, or is tried again, gets the same answer. Waits.
---@class postrider.Seen: postrider.After
---@overload fun(key?: string, time?: string|number): boolean
seen = {}

---true, and counted, if it was true less than n times, at most 8000, within that time; else false. Waits.
---@param key string
---@param n number
---@param time string|number
---@return boolean
function ratelimit(key, n, time) end

---true if it stands anywhere in it; case does not count
---@param part string
---@return boolean
function string:has(part) end

---true if it begins so; case does not count
---@param part string
---@return boolean
function string:starts(part) end

---true if it ends so; case does not count
---@param part string
---@return boolean
function string:ends(part) end

---as texts are compared here: two that differ only in case or in compatible forms become the same
---@return string
function string:fold() end

---of any alphabet
---@return string
function string:lower() end

---of any alphabet
---@return string
function string:upper() end

---a pattern, in which "*" and "?" stand for anything; case does not count
---@param pattern string
---@return postrider.Glob
function glob(pattern) end

---acts on what is in a folder on the server, at its interval
---@param name string
---@param selector postrider.SweepSelector
---@param action fun(box: postrider.Box)
function sweep(name, selector, action) end

---what the rules are to make of a message; for postrider test
---@param name string
---@param setup postrider.Setup
---@param expected table
function test(name, setup, expected) end

---the first line of a file, read when it is needed.
---@param path string
---@return postrider.Secret
function file(path) end

---a variable of the environment.
---@param name string
---@return postrider.Secret
function env(name) end

---for an account's `after`: deleted when so much time has passed since the delivery
---@param time string|number
---@return postrider.After
function delete_after(time) end

---for an account's `after`: moved to this folder
---@param folder string
---@return postrider.After
function move_to(folder) end

---seconds
---@param n number
---@return number
function weeks(n) end

---seconds
---@param n number
---@return number
function days(n) end

---seconds
---@param n number
---@return number
function hours(n) end

---seconds
---@param n number
---@return number
function minutes(n) end

---seconds since 1970
---@return number
function now() end

---text, the time (seconds since 1970; now, if not given) as strftime(3) writes it, in local time: date("%Y-%m", m.received)
---@param format string
---@param time? number
---@return string
function date(format, time) end

---@class postrider.account
---@field watch? boolean stay online and hear of new mail at once
---@field probe? string|number prove a silent line to be alive so often; 0: never
---@field connections? integer connections at the same time
---@field read_only? boolean change nothing on the server
---@field whole_below? string|integer fetch smaller messages whole at once; of others the header, and then what rules look at
---@field source postrider.Source where the mail is
---@field deliver postrider.Sink|postrider.Sink[] where it goes when no rule says otherwise
---@field folders? string[] patterns; "!" leaves out
---@field after? postrider.After what becomes of delivered mail
---@field every? string|table how often it is polled
---@field start? string what a first run takes: "all", "now" or an age
---@field limit? table size and messages
---@field limit_deletions? { messages?: integer, percent?: integer } what rules may delete on the server in one run

---@class postrider.options
---@field state? string folder of what is remembered
---@field connections_per_host? integer connections at work with one server at the same time
---@field connections? integer connections in all, those that watch among them
---@field stall? string|number end a session that has made no step forward for so long
---@field trust_auth? string[] authserv-ids whose Authentication-Results are believed
---@field metrics? string address and port where the daemon shows its metrics ("127.0.0.1:9417")
---@field metrics_remote? boolean let metrics be at an address that other machines reach
---@field grant? string[] parts of Lua's library that rules may use: io, os, load
---@field save? string[] folders that part:save may write to
---@field dns? string[] name servers that rules ask, as "192.0.2.1:53"; default: the system's
---@field limits? { time?: string|number, memory?: string|integer, total?: string|number } what rules may use for one message
---@field calls? { timeout?: string|number, concurrency?: integer } for what rules ask and wait for
---@field redirect? postrider.Sink what m:redirect sends by
---@field limit_deletions? { messages?: integer, percent?: integer } what rules may delete on the server in one run

---@class postrider.Setup
---@field eml? string
---@field text? string
---@field account? string
---@field folder? string
---@field flags? string[]
---@field uid? integer
---@field size? integer
---@field received? number
---@field age? string|number
---@field mock? table<string, any>

---@class postrider.Asking
---@field method? string
---@field headers? table<string, string>
---@field body? string|postrider.Message
---@field json? any
---@field timeout? string|number
---@field cache? string|number
---@field max? integer
---@field redirects? integer
---@field ca_file? string
---@field user? string
---@field password? string

---@class postrider.Waiting
---@field timeout? string|number

---@class postrider.Search
---@field before? string|number
---@field since? string|number
---@field sent_before? string|number
---@field sent_since? string|number
---@field from? string|string[]
---@field to? string|string[]
---@field cc? string|string[]
---@field bcc? string|string[]
---@field subject? string|string[]
---@field body? string|string[]
---@field text? string|string[]
---@field header? table<string, string>
---@field larger? string|integer
---@field smaller? string|integer
---@field seen? boolean
---@field flagged? boolean
---@field answered? boolean
---@field deleted? boolean
---@field draft? boolean
---@field keyword? string
---@field label? string
---@field uid? string|integer|integer[]
---@field gmail? string|string[]
---@field raw? string

---@class postrider.options.clamd
---@field host? string name of the server, or path of its unix socket; default /run/clamav/clamd.ctl
---@field port? integer TCP port, unless host is a unix socket; default 3310
---@field limit? string|integer larger messages are not sent; clamd's StreamMaxLength; default 25M
---@field timeout? string|number give up an answer after so long; default 30s
---@field concurrency? integer questions at the same time; further ones wait; default 4
---@field cache? string|number use an answer again for so long; 0: never; default 5m

---ClamAV's daemon, which looks for viruses
---@class postrider.service.clamd
---@field scan fun(m: postrider.Message): table?, string? table with infected (true or false) and, if so, virus (its name)
---@overload fun(options: postrider.options.clamd|string): postrider.service.clamd
clamd = {}

---@class postrider.options.imap
---@field [integer] string what needs no name
---@field host? string name of the server, or path of its unix socket
---@field port? integer TCP port; default by protocol and tls
---@field user? string login name
---@field password? string|postrider.Secret where the password comes from
---@field tls? "implicit"|"starttls"|"none" how the line is protected (implicit | starttls | none); default implicit
---@field insecure? boolean let a password go over a clear line; default false
---@field ca_file? string certificates to trust (PEM); default: the system's
---@field pin? string sha256//BASE64 of the server's public key
---@field verify_name? string name the certificate must have; default: host
---@field client_cert? string certificate to show the server (PEM)
---@field client_key? string key of client_cert (PEM)
---@field min_tls? "1.2"|"1.3" oldest TLS version to accept (1.2 | 1.3); default 1.2
---@field auth? string[] SASL mechanisms to try, in order
---@field disable? string[] capabilities to leave unused
---@field tunnel? string[] program and arguments to talk through instead of TCP
---@field timeout? string|number give up after so long without progress; default 60s
---@field id? boolean tell the server this program's name and version; default true
---@field window? integer messages to ask for in one command; default 300
---@field window_octets? string|integer octets to ask for in one command; default 8M
---@field idle_renew? string|number begin IDLE anew after so long, before the server ends it; default 29m
---@field final_timeout? string|number how long to wait for the answer while the server copies, moves or deletes; default 10m

---fetches from an IMAP server
---@param options postrider.options.imap|string
---@return postrider.Source
function imap(options) end

---@class postrider.options.append
---@field [integer] string what needs no name
---@field host? string name of the server, or path of its unix socket
---@field port? integer TCP port; default by protocol and tls
---@field user? string login name
---@field password? string|postrider.Secret where the password comes from
---@field tls? "implicit"|"starttls"|"none" how the line is protected (implicit | starttls | none); default implicit
---@field insecure? boolean let a password go over a clear line; default false
---@field ca_file? string certificates to trust (PEM); default: the system's
---@field pin? string sha256//BASE64 of the server's public key
---@field verify_name? string name the certificate must have; default: host
---@field client_cert? string certificate to show the server (PEM)
---@field client_key? string key of client_cert (PEM)
---@field min_tls? "1.2"|"1.3" oldest TLS version to accept (1.2 | 1.3); default 1.2
---@field auth? string[] SASL mechanisms to try, in order
---@field disable? string[] capabilities to leave unused
---@field tunnel? string[] program and arguments to talk through instead of TCP
---@field timeout? string|number give up after so long without progress; default 60s
---@field folder? string folder to deliver to, as the server calls it; other folders are below it ("/": INBOX, with others beside it); default INBOX
---@field create? boolean make folders that are not there; default true
---@field flags? boolean keep the flags that the message had on its server; default true
---@field grace? string|number how long the server may still be at work on what a lost connection sent it; default 3s
---@field final_timeout? string|number how long to wait for the answer to a message; default 10m
---@field id? boolean tell the server this program's name and version; default true

---delivers into folders of an IMAP server
---@param options postrider.options.append|string
---@return postrider.Sink
function append(options) end

---@class postrider.options.ldap
---@field url? string ldap://HOST, ldaps://HOST or ldapi://%2Fpath%2Fof%2Fsocket; default ldap://localhost
---@field bind_dn? string who logs in; default: nobody (anonymous)
---@field password? string|postrider.Secret where the password of bind_dn comes from
---@field base? string where a lookup begins that does not say
---@field starttls? boolean protect an ldap:// line with TLS; default false
---@field insecure? boolean let the password go over a clear line; default false
---@field ca_file? string certificates to trust (PEM); default: the system's
---@field timeout? string|number give up an answer after so long; default 10s
---@field concurrency? integer questions at the same time; further ones wait; default 4
---@field cache? string|number use an answer again for so long; 0: never; default 5m

---@class postrider.options.ldap.lookup
---@field base? string where it begins; default: that of the service
---@field filter? string which entries (RFC 4515); %s stands for one of values; default (objectClass=*)
---@field values? string[] a text for each %s, escaped before it is put there
---@field attributes? string[] what of an entry; default: all
---@field scope? "base"|"one"|"sub" base alone, one level below it, or all below it (base | one | sub); default sub
---@field limit? integer entries at most; default 100

---a directory, for lookups
---@class postrider.service.ldap
---@field lookup fun(options?: postrider.options.ldap.lookup): table?, string? list of entries, each with dn and a list for each attribute
---@overload fun(options: postrider.options.ldap|string): postrider.service.ldap
ldap = {}

---@class postrider.options.maildir
---@field [integer] string what needs no name
---@field path? string folder that holds the Maildirs; it is one itself; required
---@field layout? "fs"|"maildir++" where "lists/dev" is: lists/dev (fs) or .lists.dev (maildir++) (fs | maildir++); default fs
---@field sync? "files"|"filesystem"|"auto" make each file durable (files), or the whole file system at once for each batch (filesystem); auto: whichever costs less (files | filesystem | auto); default auto
---@field flags? boolean keep the flags that the message had on the server; default true
---@field link? boolean a message that comes unchanged from a Maildir on the same file system is not copied: its file gets one more name (a hard link); default true

---deliver into Maildirs on this machine
---@param options postrider.options.maildir|string
---@return postrider.Sink
function maildir(options) end

---@class postrider.options.maildir_source
---@field [integer] string what needs no name
---@field path? string folder that holds the Maildirs; it is one itself (INBOX); required
---@field layout? "fs"|"maildir++" where "lists/dev" is: lists/dev (fs) or .lists.dev (maildir++) (fs | maildir++); default fs

---takes messages from Maildirs on this machine
---@param options postrider.options.maildir_source|string
---@return postrider.Source
function maildir_source(options) end

---@class postrider.options.mbox
---@field [integer] string what needs no name
---@field path? string the mbox, or a folder (ended by "/" if it is not there yet) that holds one for each folder; required
---@field locks? "auto"|"both"|"fcntl"|"dot" how others are kept out: both (fcntl and PATH.lock), fcntl, dot; auto: both, fcntl alone where no file can be made (auto | both | fcntl | dot); default auto
---@field wait? string|number how long to wait for a lock; default 30s
---@field stale? string|number break a dot lock of unknown owner that is older; 0: never; default 15m
---@field journal? string folder for the journal; default: beside the mbox
---@field flags? boolean keep the flags that the message had on the server, as Status headers; default true

---deliver into mboxes on this machine
---@param options postrider.options.mbox|string
---@return postrider.Sink
function mbox(options) end

---@class postrider.options.mbox_source
---@field [integer] string what needs no name
---@field path? string the mbox, or a folder of them; required
---@field format? "mboxrd"|"mboxo" how lines that begin with "From " were quoted: mboxrd, or mboxo (only those without a ">") (mboxrd | mboxo); default mboxrd
---@field locks? "auto"|"both"|"fcntl"|"dot" how others are kept out: both (fcntl and PATH.lock), fcntl, dot; auto: both, fcntl alone where no file can be made (auto | both | fcntl | dot); default auto
---@field wait? string|number how long to wait for a lock; default 30s
---@field stale? string|number break a dot lock of unknown owner that is older; 0: never; default 15m
---@field journal? string folder for the journal; default: beside the mbox

---takes messages from mboxes on this machine
---@param options postrider.options.mbox_source|string
---@return postrider.Source
function mbox_source(options) end

---@class postrider.options.pipe
---@field [integer] string what needs no name
---@field command? string[] program and arguments; no shell is involved; required
---@field timeout? string|number end the program after so long; default 5m
---@field env? string[] further variables: "NAME=VALUE", or "NAME" to pass one on
---@field from_line? boolean begin the message with an mbox "From " line; default false
---@field jobs? integer programs that run at the same time; with 1, in order; default 1

---deliver through a program, its standard input the message
---@param options postrider.options.pipe|string
---@return postrider.Sink
function pipe(options) end

---@class postrider.options.pop3
---@field [integer] string what needs no name
---@field host? string name of the server, or path of its unix socket
---@field port? integer TCP port; default by protocol and tls
---@field user? string login name
---@field password? string|postrider.Secret where the password comes from
---@field tls? "implicit"|"starttls"|"none" how the line is protected (implicit | starttls | none); default implicit
---@field insecure? boolean let a password go over a clear line; default false
---@field ca_file? string certificates to trust (PEM); default: the system's
---@field pin? string sha256//BASE64 of the server's public key
---@field verify_name? string name the certificate must have; default: host
---@field client_cert? string certificate to show the server (PEM)
---@field client_key? string key of client_cert (PEM)
---@field min_tls? "1.2"|"1.3" oldest TLS version to accept (1.2 | 1.3); default 1.2
---@field auth? string[] SASL mechanisms to try, in order
---@field disable? string[] capabilities to leave unused
---@field tunnel? string[] program and arguments to talk through instead of TCP
---@field timeout? string|number give up after so long without progress; default 60s
---@field window? integer messages to ask for ahead, where the server can pipeline; default 500
---@field window_octets? string|integer octets to ask for ahead; default 8M

---fetches from a POP3 server
---@param options postrider.options.pop3|string
---@return postrider.Source
function pop3(options) end

---@class postrider.options.rspamd
---@field url? string where rspamd's normal worker answers; default http://localhost:11333
---@field socket? string unix socket to connect to instead of the host in url
---@field password? string|postrider.Secret where the controller's password comes from
---@field learn_url? string where rspamd's controller answers, which learns; default http://localhost:11334
---@field ca_file? string certificates to trust (PEM); default: the system's
---@field limit? string|integer larger messages are not sent; default 50M
---@field timeout? string|number give up an answer after so long; default 15s
---@field concurrency? integer questions at the same time; further ones wait; default 8
---@field cache? string|number use an answer again for so long; 0: never; default 5m

---@class postrider.options.rspamd.check
---@field ip? string address of the host that sent it
---@field helo? string name that this host gave
---@field from? string sender of the envelope; default: Return-Path
---@field rcpt? string recipient of the envelope; default: Delivered-To

---@class postrider.options.rspamd.learn
---@field as "spam"|"ham" what it is (spam | ham); required

---rspamd, which tells spam
---@class postrider.service.rspamd
---@field check fun(m: postrider.Message, options?: postrider.options.rspamd.check): table?, string? table with score, required, action, spam and symbols (by their names)
---@field learn fun(m: postrider.Message, options: postrider.options.rspamd.learn): table?, string? teaches Bayes; table with changed (true or false)
---@overload fun(options: postrider.options.rspamd|string): postrider.service.rspamd
rspamd = {}

---@class postrider.options.smtp
---@field [integer] string what needs no name
---@field host? string name of the server, or path of its unix socket
---@field port? integer TCP port; default by protocol and tls
---@field user? string login name
---@field password? string|postrider.Secret where the password comes from
---@field tls? "implicit"|"starttls"|"none"|"auto" how the line is protected (implicit | starttls | none | auto); default auto
---@field insecure? boolean let a password go over a clear line; default false
---@field ca_file? string certificates to trust (PEM); default: the system's
---@field pin? string sha256//BASE64 of the server's public key
---@field verify_name? string name the certificate must have; default: host
---@field client_cert? string certificate to show the server (PEM)
---@field client_key? string key of client_cert (PEM)
---@field min_tls? "1.2"|"1.3" oldest TLS version to accept (1.2 | 1.3); default 1.2
---@field auth? string[] SASL mechanisms to try, in order
---@field disable? string[] capabilities to leave unused
---@field tunnel? string[] program and arguments to talk through instead of TCP
---@field timeout? string|number give up after so long without progress; default 60s
---@field to? string[] recipients of every message
---@field from? string envelope sender, "<>" for none; default: the message's Return-Path
---@field to_header? string[] header fields that name the recipients, such as Delivered-To; the topmost counts
---@field domains? string[] domains that to_header may name recipients in; "*" is any
---@field helo? string name to greet the server with; default: this machine's
---@field soft_bounce? boolean take a refusal for good (5xx) as one for now; default false
---@field trace? boolean add a Received field, by which a loop is found; default true
---@field hops? integer refuse a message with more Received fields: a loop; default 100
---@field notify? string[] delivery reports to ask for (RFC 3461): never, or some of success, failure, delay
---@field dsn_return? "any"|"full"|"headers" what of the message a delivery report returns (any | full | headers); default any
---@field connections? integer connections side by side; each may leave one message in doubt when it is cut; default 1
---@field reply_timeout? string|number how long to wait for the reply to a command; default 5m
---@field final_timeout? string|number how long to wait for the reply to a message; default 10m
---@field idle? string|number close a connection that was not used for so long; default 30s

---hand on to an SMTP server
---@param options postrider.options.smtp|string
---@return postrider.Sink
function smtp(options) end

---@class postrider.options.lmtp
---@field [integer] string what needs no name
---@field socket? string path of the server's unix socket
---@field host? string name of the server, or path of its unix socket
---@field port? integer TCP port; default by protocol and tls
---@field user? string login name
---@field password? string|postrider.Secret where the password comes from
---@field tls? "implicit"|"starttls"|"none" how the line is protected (implicit | starttls | none); default none
---@field insecure? boolean let a password go over a clear line; default false
---@field ca_file? string certificates to trust (PEM); default: the system's
---@field pin? string sha256//BASE64 of the server's public key
---@field verify_name? string name the certificate must have; default: host
---@field client_cert? string certificate to show the server (PEM)
---@field client_key? string key of client_cert (PEM)
---@field min_tls? "1.2"|"1.3" oldest TLS version to accept (1.2 | 1.3); default 1.2
---@field auth? string[] SASL mechanisms to try, in order
---@field disable? string[] capabilities to leave unused
---@field tunnel? string[] program and arguments to talk through instead of TCP
---@field timeout? string|number give up after so long without progress; default 60s
---@field to? string[] recipients of every message
---@field from? string envelope sender, "<>" for none; default: the message's Return-Path
---@field to_header? string[] header fields that name the recipients, such as Delivered-To; the topmost counts
---@field domains? string[] domains that to_header may name recipients in; "*" is any
---@field helo? string name to greet the server with; default: this machine's
---@field soft_bounce? boolean take a refusal for good (5xx) as one for now; default false
---@field trace? boolean add a Received field, by which a loop is found; default true
---@field hops? integer refuse a message with more Received fields: a loop; default 100
---@field notify? string[] delivery reports to ask for (RFC 3461): never, or some of success, failure, delay
---@field dsn_return? "any"|"full"|"headers" what of the message a delivery report returns (any | full | headers); default any
---@field connections? integer connections side by side; each may leave one message in doubt when it is cut; default 1
---@field reply_timeout? string|number how long to wait for the reply to a command; default 5m
---@field final_timeout? string|number how long to wait for the reply to a message; default 10m
---@field idle? string|number close a connection that was not used for so long; default 30s

---deliver by LMTP to a mail store
---@param options postrider.options.lmtp|string
---@return postrider.Sink
function lmtp(options) end

---@class postrider.options.spamd
---@field host? string name of the server, or path of its unix socket; default localhost
---@field port? integer TCP port, unless host is a unix socket; default 783
---@field user? string whose preferences and Bayes data spamd is to use
---@field limit? string|integer larger messages are not sent; default 1M
---@field timeout? string|number give up an answer after so long; default 30s
---@field concurrency? integer questions at the same time; further ones wait; default 4
---@field cache? string|number use an answer again for so long; 0: never; default 5m

---@class postrider.options.spamd.learn
---@field as "spam"|"ham"|"forget" what it is (spam | ham | forget); required

---SpamAssassin's daemon
---@class postrider.service.spamd
---@field check fun(m: postrider.Message): table?, string? table with spam (true or false), score, required and symbols (a list)
---@field learn fun(m: postrider.Message, options: postrider.options.spamd.learn): table?, string? teaches Bayes; table with changed (true or false)
---@overload fun(options: postrider.options.spamd|string): postrider.service.spamd
spamd = {}

---@class postrider.options.stdin
---@field [integer] string what needs no name
---@field from_line? boolean keep a first line "From sender date", as mbox files have it; default false

---one message from standard input, for postrider deliver
---@param options postrider.options.stdin|string
---@return postrider.Source
function stdin(options) end

---Attachments: saved as files.
---@class postrider.lib.attachments
local attachments = {}

---list of the parts that are attachments and pass the filter: types and names are patterns, larger and smaller octets as encoded; true_type: the type is told by the octets
---@param m postrider.Message
---@param options table
---@return postrider.Part[]
function attachments.find(m, options) end

---function for a rule that saves attachments which pass the filter (see attachments.find) below the folder, one that options { save = { ... } } opens; by: in folders by the day the message came (as date has it). No file is ever replaced. The message goes on
---@param folder string
---@param options table
---@return fun(m: postrider.Message)
function attachments.save(folder, options) end

---Bulk and automatic mail: what nobody wrote to you in person, and what must not be answered by a program (RFC 3834).
---@class postrider.lib.bulk
local bulk = {}

---true if mail to the address is read by nobody, as its name tells: no-reply, mailer-daemon, owner-list, list-request and their like
---@param address string
---@return boolean
function bulk.unread(address) end

---text, the address in Return-Path (RFC 5321, 4.4), "" for the null sender; the author's if there is no such field; nil if that is missing
---@param m postrider.Message
---@return string?
function bulk.sender(m) end

---text, why a program must have sent the message: it says so (Auto-Submitted, RFC 3834), it asks for no answer (X-Auto-Response-Suppress), it has no sender, or is a report (RFC 3464); nil if a person may have
---@param m postrider.Message
---@return string?
function bulk.automatic(m) end

---text, why the message counts as bulk or automatic mail, nil if it does not: what bulk.automatic tells, mailing lists, Precedence, fields of newsletters, and senders that nobody reads
---@param m postrider.Message
---@return string?
function bulk.why(m) end

---true if it is bulk or automatic mail
---@param m postrider.Message
---@return boolean
function bulk.is(m) end

---list of { address = text, action = text, status = text, why = text }, what a report says of each recipient (RFC 3464): action is "failed", "delayed", "delivered", "relayed" or "expanded"; nil if it is no such report
---@param m postrider.Message
---@return table[]?
function bulk.bounced(m) end

---function for a rule that delivers bulk and automatic mail to the sink, and notes why it took it for that
---@param sink postrider.Sink
---@return fun(m: postrider.Message)
function bulk.file(sink) end

---A short text for a long one: to tell texts apart, not to keep a secret.
---@class postrider.lib.digest
local digest = {}

---text of 16 hexadecimal digits, the same for the same text (64 bits of FNV-1a)
---@param text string
---@return string
function digest.of(text) end

---Duplicates: the same message by two ways, and where it came first.
---@class postrider.lib.duplicates
local duplicates = {}

---text, where the message that this one is a copy of came, "account/folder/uid on day"; nil if none came within that time. Copies have the same Message-ID, or, by content, the same author, date, subject and beginning of the text
---@param m postrider.Message
---@param options table
---@return string?
function duplicates.first(m, options) end

---function for a rule that discards copies of messages that came before, and notes where; into: they are delivered there instead
---@param options table
---@return fun(m: postrider.Message)
function duplicates.drop(options) end

---Mailing lists: which one a message came by, and a folder for it.
---@class postrider.lib.lists
local lists = {}

---text, the identity of the mailing list that the message came by, such as "dev.lists.example.org" (RFC 2919); of lists that have none, it is made of the list's address or name; nil if it came by no list
---@param m postrider.Message
---@return string?
function lists.id(m) end

---true if the message came by a mailing list, by any of the marks that list programs leave
---@param m postrider.Message
---@return boolean
function lists.has(m) end

---text, a name made safe for a folder: letters, digits, "_", "-" and "+" of it, at most 64; nil if nothing is left
---@param text string
---@return string?
function lists.name(text) end

---text, a safe folder's name for the mailing list that the message came by: the first word of its identity, "dev" of "dev.lists.example.org"; nil if it came by none
---@param m postrider.Message
---@return string?
function lists.folder(m) end

---function for a rule that delivers mail of mailing lists, each in a folder of its own below the sink; whole: the folder has the whole identity in its name, for lists that share their first word
---@param sink postrider.Sink
---@param options table
---@return fun(m: postrider.Message)
function lists.file(sink, options) end

---notmuch: messages delivered into its database, labels as tags.
---@class postrider.lib.notmuch
local notmuch = {}

---a place to deliver to, by "notmuch insert": what stands behind it, as in sink / "lists/dev", is the folder below notmuch's own. Messages get the tags, and those that rules label them with (m:label "work"); the flags are tags as notmuch has them. A tag with "-" before it is taken away. Further options: program (its path), config (its configuration file), timeout (a time, "60s")
---@param name string
---@param options table
---@return postrider.Sink
function notmuch.sink(name, options) end

---Tables of options that a module is given: what is unknown or of the wrong type is told where the configuration is read, not when mail comes.
---@class postrider.lib.options
local options = {}

---table of the options given, checked against fields, a table of type names by name ("string", "table or function", "string, required"); an error tells what is wrong with those of `what`
---@param what string
---@param given table?
---@param fields table
---@return table
function options.read(what, given, fields) end

---list of what is a list, or one, or nil
---@param value any
---@return string[]?
function options.list(value) end

---Training: a spam filter learns from the hand that sorts, whatever mail program it uses: what is moved into Junk is spam, what is moved out of it is not.
---@class postrider.lib.train
local train = {}

---each of the list, such as rspamd { ... }, spamd { ... } or train.programs { ... }, is told of what other programs move into the folder junk (spam), and out of it into another (ham), as hooks for moved_in. The field ham has the patterns of the folders that count as others, by default all but Trash; account those of the accounts
---@param learners table[]
---@param options table
function train.with(learners, options) end

---a learner that runs a program over each message, which it reads as its standard input; status 0 is success. Further options: timeout (a time, "60s")
---@param options table
---@return table
function train.programs(options) end

---a learner that runs SpamAssassin's sa-learn, for those who have no spamd; spamd itself learns only if it runs with --allow-tell
---@return table
function train.sa_learn() end

---Vacation: tells people who write that you are away, as RFC 5230 has it: never twice within days, never to lists or programs, never to who did not write to you.
---@class postrider.lib.vacation
local vacation = {}

---function for a rule that answers mail with the text, once to each sender within 7 days, and lets it go on. The addresses are your own, patterns too: only mail to them (To, Cc, Bcc and their Resent- fields) gets an answer, from the first of them, and none that is old, automatic, bulk, of a mailing list, or without a sender. A tag tells why one got none. Further options: from (who answers), subject (default: "Auto: " and that of the message), mime (Content- fields, an empty line and a body, in place of text), days (7; at least 1), handle (a name that these answers share: who got one gets no other), first and last (days such as "2027-01-31" on which you are away), age (older mail gets none: "7d")
---@param options table
---@return fun(m: postrider.Message)
function vacation.answer(options) end

---the value of the file name.lua, run once. Files lie beside the configuration or in the installed library, whose names begin with "postrider."; dots lead into folders.
---@param name string
---@return any
---@overload fun(name: "postrider.attachments"): postrider.lib.attachments
---@overload fun(name: "postrider.bulk"): postrider.lib.bulk
---@overload fun(name: "postrider.digest"): postrider.lib.digest
---@overload fun(name: "postrider.duplicates"): postrider.lib.duplicates
---@overload fun(name: "postrider.lists"): postrider.lib.lists
---@overload fun(name: "postrider.notmuch"): postrider.lib.notmuch
---@overload fun(name: "postrider.options"): postrider.lib.options
---@overload fun(name: "postrider.train"): postrider.lib.train
---@overload fun(name: "postrider.vacation"): postrider.lib.vacation
function require(name) end
