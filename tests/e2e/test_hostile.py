"""What comes from the network reaches no path and no terminal unescaped."""

import maildir
import messages

NAMES = ["/abs/olute", "cur", "new", "tmp", "a/./b", "~", "-rf", "x" * 200,
         "é" * 60]


def test_folder_names_that_would_lead_elsewhere(make_server, home):
    """A rule that uses the server's name of a folder as it is."""
    server = make_server(separator=".")
    for number, name in enumerate(NAMES):
        server.create(name)
        for one in messages.mailbox(1, 1300 + number):
            server.append(one.data, name)
    home.configure(server, folders='{ "*" }', rules="""
rule("by folder", function(m) m:deliver(mail / m.folder) end)
""")
    run = home.fetch()
    assert run.code == 75, run
    assert len(run.messages) == len(NAMES)
    for path in home.root.rglob("*"):
        inside = path.relative_to(home.root).parts[0]
        assert inside in ("Mail", "state", "config.lua", "password-alice")
    assert maildir.folders(home.mail) == \
        sorted(["abs/olute", "a/_/b", "~", "-rf", "x" * 200, "é" * 60])
    # What a name kept out is put off, and then taken where all mail goes.
    done = sum(one["status"] == "done" for one in run.messages)
    assert done == 6


def test_control_characters_reach_no_terminal(server, home):
    server.append(b"Subject: =?utf-8?Q?=1B[31mred=07=C2=9B?=\r\n"
                  b"From: \x1b[2Jx@y\r\nMessage-ID: <\x1b]0;t\x07@x>\r\n"
                  b"\r\ntext\r\n")
    server.append(b"Subject: \xe2\x80\xae\xff\x00\r\n\r\ntext\r\n"
                  .replace(b"\x00", b"\x01"))
    home.configure(server)
    for args in (["fetch", "--dry-run"], ["fetch", "-v"],
                 ["why", "\x1b]0;t\x07@x"]):
        run = home.run(*args)
        assert run.code == 0, run
        assert_shown(run)


def assert_shown(run):
    """Nothing a terminal would obey was printed, nor the end of a line that
    came from a message."""
    bad = [char for char in run.out + run.err
           if char < " " and char != "\n" or "\x7f" <= char <= "\x9f" or
           "\u2028" <= char <= "\u202e"]
    assert bad == [], run
    lines = (run.out + run.err).splitlines()
    assert not [line for line in lines if line.startswith("EVIL")], run


# A subject that ends lines and colours what follows, and a field that does
# only the latter; they go wherever a rule can put a text.
EVIL = (b"Subject: =?utf-8?q?a=0AEVIL=1B[31m=C2=9Bb=E2=80=AE?=\r\n"
        b"X-Evil: =?utf-8?q?EVIL=1B[31m=C2=9Bb=E2=80=AE?=\r\n")
HOSTILE_RULES = [
    'm:note(x) m:move(m.subject)',
    'm:tag(x, x) m:score(1, x) m:deliver(mail / m.subject)',
    'm:copy_to(m.subject) m:discard(x)',
    'm:header(x) m:add_header("X-It", x) m:set_header("X-It", x)',
    'm:label(x)',
    'm:flag(m.subject)',
    'error(m.subject)',
]


def test_what_rules_make_of_mail_reaches_no_terminal(server, home):
    server.append(EVIL + b"From: a@example.org\r\nMessage-ID: <e@x>\r\n\r\n"
                  b"text\r\n")
    path = home.root / "evil.eml"
    path.write_bytes(EVIL + b"\r\ntext\r\n")
    (home.root / "test_evil.lua").write_text("""
local subject = "a\\nEVIL\\27[31mb"
test(subject, { text = "Subject: =?utf-8?q?a=0AEVIL=1B[31mb?=\\n\\n" },
     { moved = "never" })
""")
    home.configure(server)
    other = (home.root / "config.lua").read_text()
    (home.root / "other.lua").write_text(other)
    for rule in HOSTILE_RULES:
        home.configure(server, rules=f"""
rule("it", function(m) local x = m:header "X-Evil" {rule} end)
""")
        for args in (["explain", str(path)], ["fetch", "-n"]):
            run = home.run(*args)
            assert_shown(run)
            assert "EVIL" in run.out + run.err, run
    home.configure(server, rules="""
rule("copy", function(m) m:copy_to(m.subject) m:move(m.subject) end)
""")
    for args in (["test"], ["explain", "work/INBOX/1"],
                 ["replay", "--rules", str(home.root / "other.lua")]):
        assert_shown(home.run(*args))
    runs = [home.run(*args) for args in (
        ["fetch", "-v"], ["fetch", "-v", "--retry"], ["why", "e@x"],
        ["status"], ["undo", "-n", "--last", "10m"],
        ["undo", "--last", "10m"])]
    for run in runs:
        assert_shown(run)
    assert "EVIL" in runs[0].out, runs[0]
    assert "EVIL" in runs[2].out, runs[2]


def test_headers_of_every_size_are_read(server, home):
    """Thousands of addresses, fields and parts, and a field of a megabyte."""
    many = ", ".join(f"p{n} <p{n}@x.example>" for n in range(20_000))
    fields = "".join(f"X-{n}: {n}\r\n" for n in range(20_000))
    parts = "".join(f"--b\r\n\r\n{n}\r\n" for n in range(5_000))
    texts = [
        f"Subject: addresses\r\nTo: {many}\r\n\r\ntext\r\n",
        f"Subject: fields\r\n{fields}\r\ntext\r\n",
        "Subject: one field\r\nX-Long: " + "y" * 1_000_000 + "\r\n\r\nz\r\n",
        "Subject: parts\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        + parts + "--b--\r\n",
        "Subject: comments\r\nFrom: " + "(" * 50_000 + "\r\n\r\ntext\r\n",
    ]
    for text in texts:
        server.append(text.encode())
    home.configure(server, rules="""
rule("reads all", function(m)
  local n = #m.to + #m.parts + #(m.subject or "")
  if m.from:is "nobody@nowhere" then m:discard "never" end
  if n < 0 then m:discard "never" end
end)
""")
    run = home.fetch(timeout=60)
    assert run.code in (0, 75), run
    for _ in range(3):
        home.fetch(timeout=60)
    delivered = sorted(entry.data for entry in maildir.entries(home.inbox))
    assert delivered == sorted(text.encode().replace(b"\r\n", b"\n")
                               for text in texts)
