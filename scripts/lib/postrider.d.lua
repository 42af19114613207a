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

---@param name string
---@param selector { account?: string|string[], folder?: string|string[] }
---@param action fun(m: postrider.Message)
---@overload fun(name: string, action: fun(m: postrider.Message))
function rule(name, selector, action) end

---@type postrider.After
keep = nil
---@type postrider.After
seen = nil
---@type postrider.After
delete = nil

---@class postrider.Addresses
---@field address string? of the first address; nil if there is none
---@field name string? of the first address; nil if there is none
---@field local_part string? of the first address; nil if there is none
---@field domain string? of the first address; nil if there is none
---@field detail string? of the first address; nil if there is none
local Addresses = {}

---true if one of them matches; "*" and "?" stand for any, case does not count
---@param pattern string
---@return boolean
function Addresses:is(pattern) end

---true if one of them matches one of these
---@param options table
---@return boolean
function Addresses:any(options) end

---true if one of them stands in the file, which is as one of `map`. Waits.
---@param path string
---@return boolean
function Addresses:in_file(path) end

---@class postrider.Box
local Box = {}

---set of all messages. Waits
function Box:all() end

---set of no message, to begin with
function Box:none() end

---set of the messages that all of its keys hold for. Waits
---@param options table
function Box:search(options) end

---@class postrider.Delivery
---@field account string text, the account it came in by
---@field source_folder string text, the folder it was found in
---@field folder string text, where to below the sink: "a/b" for sink / "a/b", else ""
---@field key string text of letters, digits, ".", "_" and "-": the same for each try
---@field receipt string text that `stage` returned
---@field uid number number, its UID in source_folder
---@field received number seconds since 1970
---@field size number number of octets of what is delivered, line ends as LF
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

---@class postrider.Expression
local Expression = {}

---the groups of the first match, or the whole of it if there are none; a table by name and number if groups have names; nil if nothing matches. Waits if it takes long.
---@param text string
---@param init integer?
function Expression:match(text, init) end

---where the first match begins and ends, then what match gives for groups; nil if nothing matches. Waits if it takes long.
---@param text string
---@param init integer?
function Expression:find(text, init) end

---for a `for`: what match gives, of each match.
---@param text string
function Expression:gmatch(text) end

---the text with each match replaced, and how many there were. A text may name groups: "%1", "%{name}", "%0" the whole; a function gets what match gives, a table is asked by the first group; nil or false from these leaves the match as it is.
---@param text string
---@param replacement string|table|function
---@param most integer?
function Expression:gsub(text, replacement, most) end

---@class postrider.Glob
local Glob = {}

---true if it matches the whole text
---@param text string
---@return boolean
function Glob:match(text) end

---@class postrider.Map
local Map = {}

---does the text, or one of the addresses, stand in the file? Waits.
---@param key any
---@return boolean
function Map:has(key) end

---@class postrider.Message
---@field from postrider.Addresses
---@field sender postrider.Addresses
---@field to postrider.Addresses
---@field cc postrider.Addresses
---@field bcc postrider.Addresses
---@field reply_to postrider.Addresses
---@field account string text, the name of the account
---@field folder string text, the folder it was found in
---@field uid number number, its UID in the folder; a text for POP3
---@field size number number of octets, as the server counts them
---@field received number seconds since 1970; now, if the server does not tell
---@field age number seconds since it was received; compare with days(n), hours(n)
---@field flags postrider.Flags list of its flags and keywords; m.flags["\\Seen"] is true or false
---@field labels string[] list of its labels where the server has such (Gmail), else of its keywords; m.labels.work is true or false
---@field delivered_to postrider.Addresses addresses that servers on its way delivered it to
---@field envelope_to postrider.Addresses addresses of the envelope, where a server notes them
---@field subject string text, decoded; "" if there is none
---@field date number? seconds since 1970, as its sender says; nil if missing or no date
---@field message_id string text without angle brackets; "" if there is none
---@field references string[] list of message ids, the oldest first
---@field in_reply_to string text, the message id it answers; "" if there is none
---@field list_id string? text in lower case (RFC 2919), without angle brackets; nil if there is none
---@field auth table? table such as { spf = "pass", dkim = "fail" }, what servers that options { trust_auth } names found; nil if none says
---@field parts postrider.Part[] list of parts, those in a multipart after it
---@field attachments postrider.Part[] list of the parts that have a file name or say they are one
---@field text string text of the first text/plain part, at most 64 KiB; "" if none
---@field html string the same of text/html
---@field tags table table of the tags that rules set
---@field points number number, the sum of the scores that rules gave
local Message = {}

---into all of these; final
---@param sink postrider.Sink
---@param ... any
function Message:deliver(sink, ...) end

---on the server, not delivered here; final
---@param folder string
function Message:move(folder) end

---on the server, not delivered here; final
function Message:delete() end

---neither fetched nor asked about again; final
function Message:leave() end

---dropped on purpose, settled as delivered; final
---@param reason string
function Message:discard(reason) end

---asked again after so long; final
---@param time string|number
function Message:defer(time) end

---no further rules, the account's own delivery; final
function Message:stop() end

---an extra copy
---@param sink postrider.Sink
---@param ... any
function Message:copy(sink, ...) end

---a copy on the server
---@param folder string
function Message:copy_to(folder) end

---a flag such as "\\Flagged" or a keyword, on the server and on the delivered copy
---@param name string
function Message:flag(name) end

---the same taken away
---@param name string
---@return any
function Message:unflag(name) end

---a label of the server's own where it has such (Gmail), else a keyword
---@param name string
function Message:label(name) end

---the same taken away
---@param name string
---@return any
function Message:unlabel(name) end

---on delivered copies, in place of all others
---@param name string
---@param value any
function Message:set_header(name, value) end

---on delivered copies, one more
---@param name string
---@param value any
function Message:add_header(name, value) end

---from delivered copies, all of that name
---@param name string
function Message:remove_header(name) end

---for later rules (m.tags.key) and `why`
---@param key any
---@param value any
function Message:tag(key, value) end

---points, summed up in m.points
---@param n number
---@param why string?
function Message:score(n, why) end

---for the log and `why`
---@param text string
function Message:note(text) end

---a copy to these, by options.redirect
---@param address string
---@param ... any
function Message:redirect(address, ...) end

---text of the first field of that name, decoded; nil if none
---@param name string
---@return string?
function Message:header(name) end

---the same as it was sent, octet for octet
---@param name string
---@return any
function Message:raw_header(name) end

---list of the texts of all fields of that name
---@param name string
---@return string[]
function Message:headers(name) end

---a message of the rule's own goes to the sender, by options.redirect; true. False and why if the message must not be answered, because it is automatic itself (Auto-Submitted, RFC 3834) or has no sender, or if the sender got an answer of that handle within the time `once`. A message has one answer. Waits.
---@param options table
function Message:reply(options) end

---a stream of the whole message as it was sent, its lines ended by LF. Waits for it.
---@return postrider.Stream
function Message:raw() end

---text, the SHA-256 of the whole message with its lines ended by LF, in 64 hexadecimal digits. Waits.
---@return string
function Message:sha256() end

---@class postrider.Part
---@field path string "" if it is not told
---@field type string "" if it is not told
---@field charset string "" if it is not told
---@field filename string "" if it is not told
---@field disposition string "" if it is not told
---@field content_id string "" if it is not told
---@field size integer octets as encoded; 0 for a multipart
---@field depth integer 0 for the message's own
---@field is_multipart boolean
local Part = {}

---its text as UTF-8, at most 1 MiB. Waits.
function Part:text() end

---its octets, transfer encoding undone, at most 1 MiB. Waits.
function Part:bytes() end

---its type by what is in it, whatever is declared, such as "application/pdf"; "application/octet-stream" if that cannot be told. Waits.
function Part:true_type() end

---list of the names of the files in a zip archive, also one with another declared type (documents are such); nil if it is none. Nothing is unpacked. Waits.
---@return string[]?
function Part:archive_names() end

---its octets are written to this file, below a folder that options { save = { ... } } names, when the message is dealt with; a path that ends with "/" gets the part's own file name, made safe. A file that is there already is not replaced: the new one gets a number. Returns the path.
---@param path string
function Part:save(path) end

---@class postrider.Stream
local Stream = {}

---the next n octets (64 KiB if not said, at most 1 MiB), less at the end, nil after it. Waits.
---@param n number
function Stream:read(n) end

---for a `for`: line by line, without line ends; a line of more than 1 MiB comes in pieces. Waits.
function Stream:lines() end


store = {}

---what was set there, nil if nothing was or its time is over. Waits.
---@param key any
function store.get(key) end

---keeps a text, a number or a boolean under the key, for that time or for good; nil drops it. Waits.
---@param key any
---@param value any
---@param time string|number
function store.set(key, value, time) end

---drops what is kept there. Waits.
---@param key any
function store.delete(key) end

---adds n (1) to the number there, 0 if there is none, and returns the sum; a time given here begins anew. Waits.
---@param key any
---@param n number
---@param time string|number
function store.incr(key, n, time) end

dns = {}

---list of addresses as texts; nil and a text if nobody could tell. Names and types that are not there are empty lists.
---@param name string
---@return string[]?
function dns.a(name) end

---list of addresses as texts; nil and a text if nobody could tell. Names and types that are not there are empty lists.
---@param name string
---@return string[]?
function dns.aaaa(name) end

---list of { preference = number, host = text }, by preference
---@param name string
---@return table[]
function dns.mx(name) end

---list of texts
---@param name string
---@return string[]
function dns.txt(name) end

---list of the names that an IPv4 or IPv6 address has
---@param address string
---@return string[]
function dns.ptr(address) end

---table with listed (true or false), codes (list of addresses below 127.0.0.0) and text (why); nil and a text if nobody could tell, or the list refuses to
---@param address string
---@param zone string
---@return table?
function dns.rbl(address, zone) end

http = {}

---table with status (number), body (text) and headers (by their names in lower case); nil and a text if no response came
---@param url string
---@param options table
---@return table?
function http.get(url, options) end

---the same with a body; `json` is written as JSON
---@param url string
---@param options table
---@return any
function http.post(url, options) end

---the same with any method
---@param url string
---@param options table
---@return any
function http.request(url, options) end

json = {}

---the value; nil and a text if it is no JSON. null becomes nil, so that a field with it is not there.
---@param text string
function json.decode(text) end

---text. A table with 1 to n is a list, any other an object; an empty one is an object.
---@param value any
---@return string
function json.encode(value) end

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
---@param new_name any
function folders.rename(name, new_name) end

---without that only if it is empty
---@param name string
---@param options table
function folders.delete(name, options) end

---list of names, of all folders if no pattern is given; "*" stands for anything, "%" for anything on one level, "!" before a pattern leaves out. Waits
---@param pattern string
---@param ... any
---@return string[]
function folders.list(pattern, ...) end

---waits; other messages go on meanwhile
---@param time string|number
function sleep(time) end

---a regular expression (PCRE2, UTF-8). Flags: "i" (case does not count), "m" (^ and $ at each line), "s" (. is a line end, too), "x" (white space and comments in the pattern). The same pattern is compiled once.
---@param pattern string
---@param flags string?
---@return postrider.Expression
function re(pattern, flags) end

---the value of the file name.lua, run once. Files lie beside the configuration or in the installed library, whose names begin with "postrider."; dots lead into folders.
---@param name string
function require(name) end

---true, and counted, if it was true less than n times within that time; else false. Waits.
---@param key any
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

---of all alphabets
---@return string
function string:lower() end

---of all alphabets
---@return string
function string:upper() end

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
---@param format string?
---@param time string|number
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
---@field timeout? string|number time for one answer
---@field concurrency? integer calls to one server or program at the same time
---@field time? string|number processor time of a rule between waits
---@field memory? string|integer memory of the rules over one message
---@field total? string|number time of all rules over one message
---@field limit_deletions? { messages?: integer, percent?: integer } what rules may delete on the server in one run

---@param name string
---@return fun(options: postrider.account)
function account(name) end

---@param options postrider.options
function options(options) end

---@class postrider.options.clamd
---@field host? string name of the server, or path of its unix socket; default /run/clamav/clamd.ctl
---@field port? integer TCP port, unless host is a unix socket; default 3310
---@field limit? string|integer larger messages are not sent; clamd's StreamMaxLength; default 25M
---@field timeout? string|number give up an answer after so long; default 30s
---@field concurrency? integer questions at the same time; further ones wait; default 4
---@field cache? string|number use an answer again for so long; 0: never; default 5m

---@class postrider.service.clamd
---@field scan fun(what: postrider.Message): table?, string? table with infected (true or false) and, if so, virus (its name)
---@overload fun(options: postrider.options.clamd): postrider.service.clamd
clamd = {}

---@class postrider.options.imap
---@field host? string name of the server, or path of its unix socket
---@field port? integer TCP port; default by protocol and tls
---@field user? string login name
---@field password? postrider.Secret where the password comes from
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

---fetches from an IMAP server
---@param options postrider.options.imap|string
---@return postrider.Source
function imap(options) end

---@class postrider.options.append
---@field host? string name of the server, or path of its unix socket
---@field port? integer TCP port; default by protocol and tls
---@field user? string login name
---@field password? postrider.Secret where the password comes from
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
---@field id? boolean tell the server this program's name and version; default true

---delivers into folders of an IMAP server
---@param options postrider.options.append|string
---@return postrider.Sink
function append(options) end

---@class postrider.options.ldap
---@field url? string ldap://HOST, ldaps://HOST or ldapi://%2Fpath%2Fof%2Fsocket; default ldap://localhost
---@field bind_dn? string who logs in; default: nobody (anonymous)
---@field password? postrider.Secret where the password of bind_dn comes from
---@field base? string where a lookup begins that does not say
---@field starttls? boolean protect an ldap:// line with TLS; default false
---@field insecure? boolean let the password go over a clear line; default false
---@field ca_file? string certificates to trust (PEM); default: the system's
---@field timeout? string|number give up an answer after so long; default 10s
---@field concurrency? integer questions at the same time; further ones wait; default 4
---@field cache? string|number use an answer again for so long; 0: never; default 5m

---@class postrider.service.ldap
---@field lookup fun(what: table): table?, string? list of entries, each with dn and a list for each attribute
---@overload fun(options: postrider.options.ldap): postrider.service.ldap
ldap = {}

---@class postrider.options.maildir
---@field path string folder that holds the Maildirs; it is one itself; required
---@field layout? "fs"|"maildir++" where "lists/dev" is: lists/dev (fs) or .lists.dev (maildir++) (fs | maildir++); default fs
---@field sync? "files"|"filesystem"|"auto" make each file durable (files), or the whole file system at once for each batch (filesystem); auto: whichever costs less (files | filesystem | auto); default auto
---@field flags? boolean keep the flags that the message had on the server; default true
---@field link? boolean a message that comes unchanged from a Maildir on the same file system is not copied: its file gets one more name (a hard link); default true

---deliver into Maildirs on this machine
---@param options postrider.options.maildir|string
---@return postrider.Sink
function maildir(options) end

---@class postrider.options.maildir_source
---@field path string folder that holds the Maildirs; it is one itself (INBOX); required
---@field layout? "fs"|"maildir++" where "lists/dev" is: lists/dev (fs) or .lists.dev (maildir++) (fs | maildir++); default fs

---takes messages from Maildirs on this machine
---@param options postrider.options.maildir_source|string
---@return postrider.Source
function maildir_source(options) end

---@class postrider.options.mbox
---@field path string the mbox, or a folder (ended by "/" if it is not there yet) that holds one for each folder; required
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
---@field path string the mbox, or a folder of them; required
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
---@field command string[] program and arguments; no shell is involved; required
---@field timeout? string|number end the program after so long; default 5m
---@field env? string[] further variables: "NAME=VALUE", or "NAME" to pass one on
---@field from_line? boolean begin the message with an mbox "From " line; default false
---@field jobs? integer programs that run at the same time; with 1, in order; default 1

---deliver through a program, its standard input the message
---@param options postrider.options.pipe|string
---@return postrider.Sink
function pipe(options) end

---@class postrider.options.rspamd
---@field url? string where rspamd's normal worker answers; default http://localhost:11333
---@field socket? string unix socket to connect to instead of the host in url
---@field password? postrider.Secret where the controller's password comes from
---@field learn_url? string where rspamd's controller answers, which learns; default http://localhost:11334
---@field ca_file? string certificates to trust (PEM); default: the system's
---@field limit? string|integer larger messages are not sent; default 50M
---@field timeout? string|number give up an answer after so long; default 15s
---@field concurrency? integer questions at the same time; further ones wait; default 8
---@field cache? string|number use an answer again for so long; 0: never; default 5m

---@class postrider.service.rspamd
---@field check fun(what: postrider.Message): table?, string? table with score, required, action, spam and symbols (by their names)
---@field learn fun(what: postrider.Message): table?, string? teaches Bayes; table with changed (true or false)
---@overload fun(options: postrider.options.rspamd): postrider.service.rspamd
rspamd = {}

---@class postrider.options.smtp
---@field host? string name of the server, or path of its unix socket
---@field port? integer TCP port; default by protocol and tls
---@field user? string login name
---@field password? postrider.Secret where the password comes from
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
---@field socket? string path of the server's unix socket
---@field host? string name of the server, or path of its unix socket
---@field port? integer TCP port; default by protocol and tls
---@field user? string login name
---@field password? postrider.Secret where the password comes from
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

---@class postrider.service.spamd
---@field check fun(what: postrider.Message): table?, string? table with spam (true or false), score, required and symbols (a list)
---@field learn fun(what: postrider.Message): table?, string? teaches Bayes; table with changed (true or false)
---@overload fun(options: postrider.options.spamd): postrider.service.spamd
spamd = {}

---@class postrider.options.stdin
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
