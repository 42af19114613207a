"""What it costs to look: the octets on the wire of each cost class, counted at a
proxy; who caused them; and what is shown of it."""

import json
import pathlib
import re
import time

import pytest
import services
import watching

ROOT = pathlib.Path(__file__).resolve().parents[2]
MANUAL = ROOT / "contrib/man/postrider-rules.5"

TEXT = b"The video is attached, as was agreed. \r\n" * 50   # 2,000 octets
HEADER = (b"From: Bob <bob@example.org>\r\nTo: alice@example.org\r\n"
          b"Subject: a video\r\nDate: Mon, 2 Nov 2026 10:00:00 +0000\r\n"
          b"Message-ID: <video@example.org>\r\nMIME-Version: 1.0\r\n"
          b"List-Id: <dev.example.org>\r\n"
          b"Content-Type: multipart/mixed; boundary=\"b1\"\r\n\r\n")
LINE = b"AAAAIGZ0eXBpc29tAAACAGlzb21pc28yYXZjMW1wNDEAAAAIZnJlZQAAAAhmcmVl\r\n"


def with_video(octets, header=HEADER, text=TEXT):
    """multipart/mixed: a short text, and a base64 video of that many octets."""
    return (header +
            b"--b1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" +
            text + b"\r\n--b1\r\nContent-Type: video/mp4\r\n"
            b"Content-Disposition: attachment; filename=\"holiday.mp4\"\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\n" +
            LINE * (octets // len(LINE)) + b"\r\n--b1--\r\n")


SIZE = 3_000_000
VIDEO = with_video(SIZE)
WHOLE = len(VIDEO)

# What each class has; all that the manual has but for what changes a message.
CLASSES = {
    "nothing": ["m.account", "m.folder", "m.uid", "m.size", "m.received",
                "m.age", "m.flags", "m.labels", "m.tags", "m.points"],
    "envelope": ["m.from", "m.sender", "m.to", "m.cc", "m.bcc", "m.reply_to",
                 "m.subject", "m.date", "m.message_id", "m.in_reply_to",
                 "m.parts", "m.attachments"],
    "headers": ["m.list_id", "m.references", "m.auth", "m.delivered_to",
                "m.envelope_to", "m:header('X')", "m:headers('X')",
                "m:raw_header('X')"],
    "a part": ["m.text", "m.html", "m.parts[2]:text()", "m.parts[2]:bytes()",
               "m.parts[2]:true_type()", "m.parts[2]:archive_names()"],
    "everything": ["m:raw():read()", "m:sha256()"],
}
# Over IMAP: the octets that a class takes beside the header, at least and at
# most. BODYSTRUCTURE of such a message has less than 700 octets, a command and
# its answer less than 300.
STRUCTURE, ANSWER = 700, 300
NOISE = 50      # what two runs that ask for the same may differ by
OVER_IMAP = {
    "nothing": (0, 0),
    "envelope": (0, STRUCTURE + ANSWER),
    "headers": (0, 0),
    "a part": (len(TEXT), len(TEXT) + STRUCTURE + 2 * ANSWER),
    "everything": (WHOLE, WHOLE + STRUCTURE + 3 * ANSWER),
}
# Over POP3 there are headers (TOP) and whole messages (RETR); which parts there
# are is told by the whole.
POP3_CLASSES = dict(
    CLASSES, envelope=CLASSES["envelope"][:-2],
    **{"a part": CLASSES["envelope"][-2:] + CLASSES["a part"]})
OVER_POP3 = {
    "nothing": (0, 0),
    "envelope": (0, 0),
    "headers": (0, 0),
    "a part": (WHOLE, WHOLE + ANSWER),
    "everything": (WHOLE, WHOLE + ANSWER),
}


def looking(expressions):
    return "rule(\"looks\", function(m)\n" + "".join(
        f"  local _ = {one}\n" for one in expressions) + "  m:leave()\nend)\n"


def discarding(rules):
    """POP3 cannot leave a message; in a dry run nothing comes of it."""
    return rules.replace("m:leave()", "m:discard('looked at')")


class Wire:
    """A dry run over a clear line, through a proxy that counts."""

    def __init__(self, server, home, proxy, **options):
        self.server, self.home, self.proxy = server, home, proxy
        self.options = options
        proxy.keeps = True

    def fetch(self, rules, *args, code=0):
        self.proxy.reset()
        self.home.configure(self.server, rules, port=self.proxy.port,
                            tls="none", source="insecure = true",
                            **self.options)
        run = self.home.fetch("--dry-run", "--json", *args)
        assert run.code == code, run
        self.run = run
        self.records = [json.loads(line) for line in run.out.splitlines()]
        return self.proxy.down

    def of(self, event):
        return [one for one in self.records if one["event"] == event]

    def commands(self):
        found = re.findall(rb"UID FETCH (\S+ \(UID [^\r]*\))\r\n",
                           self.proxy.said)
        return [one.decode() for one in found if b"INTERNALDATE" not in one]


@pytest.fixture
def wire(server, home, make_proxy):
    return Wire(server, home, make_proxy(server.imap))


@pytest.fixture
def pop(make_server, home, make_proxy):
    server = make_server(pop3=True)
    return Wire(server, home, make_proxy(server.pop3), protocol="pop3")


# ---- The octets of each class --------------------------------------------------

@pytest.mark.parametrize("name", CLASSES)
def test_what_a_class_costs_over_imap(wire, name):
    """Against a rule that looks at nothing, which takes the header: the state
    knows messages by it."""
    wire.server.append(VIDEO)
    base = wire.fetch(looking([]))
    assert base < len(HEADER) + 2_500       # greeting, login, select, list
    least, most = OVER_IMAP[name]
    took = wire.fetch(looking(CLASSES[name])) - base
    assert least - NOISE <= took <= most + NOISE, took
    [message] = wire.of("message")
    fetched = message["fetched"]
    assert fetched["header"] == len(HEADER)
    assert abs(took - fetched["structure"] - fetched["parts"] -
               fetched["whole"]) <= 3 * ANSWER
    [rule] = wire.of("rule")
    assert {one: rule["fetched"][one] for one in rule["fetched"]
            if one != "header"} == {one: fetched[one] for one in fetched
                                    if one != "header"}
    assert rule["fetched"]["header"] == 0 and rule["messages"] == 1


@pytest.mark.parametrize("name", CLASSES)
def test_each_of_a_class_costs_no_more(wire, name):
    """One by one, so that none hides behind another of its class."""
    wire.server.append(VIDEO)
    base = wire.fetch(looking([]))
    for one in CLASSES[name]:
        took = wire.fetch(looking([one])) - base
        assert took <= OVER_IMAP[name][1] + NOISE, (one, took)
        assert took >= (WHOLE if name == "everything" else -NOISE), (one, took)


@pytest.mark.parametrize("name", CLASSES)
def test_what_a_class_costs_over_pop3(pop, name):
    pop.server.append(VIDEO)
    base = pop.fetch(discarding(looking([])))
    assert base < len(HEADER) + 2_000
    assert b"TOP " in pop.proxy.said and b"RETR" not in pop.proxy.said
    least, most = OVER_POP3[name]
    took = pop.fetch(discarding(looking(POP3_CLASSES[name]))) - base
    assert least - NOISE <= took <= most + NOISE, took
    assert (b"RETR" in pop.proxy.said) == (least > 0)


@pytest.mark.parametrize("how", ["wire", "pop"])
def test_a_small_message_comes_whole_whatever_is_looked_at(request, how):
    """One round trip costs more than its octets."""
    wire = request.getfixturevalue(how)
    small = with_video(10_000)
    wire.server.append(small)
    adapt = discarding if how == "pop" else str
    base = wire.fetch(adapt(looking([])))
    assert len(small) < base < len(small) + 2_500
    for name in CLASSES:
        took = wire.fetch(adapt(looking(CLASSES[name])))
        assert abs(took - base) < NOISE, (name, took - base)
        assert wire.of("message")[0]["fetched"]["whole"] == len(small)


def test_a_pop3_server_without_top_gives_all_at_once(make_server, home,
                                                     make_proxy):
    server = make_server(pop3=True)
    wire = Wire(server, home, make_proxy(server.pop3), protocol="pop3")
    server.append(VIDEO)
    wire.proxy.reset()
    home.configure(server, discarding(looking(["m.from"])), protocol="pop3",
                   port=wire.proxy.port, tls="none",
                   source="insecure = true, disable = { 'TOP' }")
    run = home.fetch("--dry-run")
    assert run.code == 0, run
    assert wire.proxy.said.count(b"RETR") == 1
    assert WHOLE < wire.proxy.down < WHOLE + 2_500


# ---- Every field has its class --------------------------------------------------

def names_of_the_manual():
    """Fields and reading methods of messages and parts, as postrider-rules(5)
    lists them: of the sections "The message" and "Parts"."""
    text = MANUAL.read_text()
    message = text[text.index(".Ss What a message is"):text.index(".Ss Addresses")]
    parts = text[text.index(".Ss Parts"):]
    parts = parts[:parts.index(".Ss", 5)]
    names = set()
    for line in re.findall(r'^\.It Ic "(.*)"$', message + parts, re.M):
        for name in re.findall(r"(?:m[.:]|(?:part|stream)[.:])\w+", line):
            names.add(re.sub("^m[.:]", "", name).replace(".", ":"))
    # What costs nothing by itself: the message's structure has it.
    return names - {"stream:read", "stream:lines"} - {
        f"part:{name}" for name in (
            "path", "type", "filename", "disposition", "content_id",
            "charset", "size", "depth", "is_multipart")}


def test_each_name_of_the_manual_is_in_one_class(home):
    listed = {}
    for name, expressions in CLASSES.items():
        for one in expressions:
            field = re.match(r"m\.parts\[2\]:(\w+)|m[.:](\w+)", one)
            key = "part:" + field[1] if field[1] else field[2]
            assert key not in listed, key
            listed[key] = name
    listed["part:save"] = "a part"
    manual = names_of_the_manual()
    assert len(manual) >= 38, manual
    assert manual == set(listed)


def test_explain_names_the_class_of_each(server, home):
    path = home.root / "video.eml"
    path.write_bytes(with_video(5_000))
    rules = "".join(
        f'rule("{name} {number}", function(m) local _ = {one} end)\n'
        for name, expressions in CLASSES.items()
        for number, one in enumerate(expressions))
    home.configure(server, rules)
    run = home.run("explain", "--json", str(path))
    assert run.code == 0, run
    seen = [json.loads(line) for line in run.out.splitlines()]
    rules = [one for one in seen if one["event"] == "rule"]
    assert len(rules) == sum(len(one) for one in CLASSES.values())
    for one in rules:
        assert one["cost"] == one["rule"].rpartition(" ")[0], one


# ---- Merged -----------------------------------------------------------------------

def test_a_batch_whose_rules_read_the_text_takes_few_commands(wire):
    """200 messages of 300 KB: the header of each, its structure, its text."""
    for number in range(200):
        wire.server.append(with_video(
            300_000, HEADER.replace(b"a video", b"video %d" % number)))
    took = wire.fetch(looking(["m.text"]))
    commands = wire.commands()
    print(len(commands), "commands,", wire.proxy.trips, "round trips,", took,
          "octets")
    assert len(commands) <= 16, commands
    assert wire.proxy.trips <= 30
    each = len(HEADER) + len(TEXT) + STRUCTURE + 3 * ANSWER
    assert took < 200 * each + 200 * 200 + 2_500
    [rule] = wire.of("rule")
    assert rule["messages"] == 200
    assert rule["fetched"]["parts"] == 200 * (len(TEXT))
    assert rule["fetched"]["requests"] <= 400


def test_the_size_above_which_nothing_comes_whole_is_256_kib(wire):
    """The default, as the manual has it."""
    wire.server.append(with_video(200 * 1024))
    wire.server.append(with_video(270 * 1024))
    wire.fetch(looking([]))
    assert sorted(wire.commands()) == ["1 (UID BODY.PEEK[])",
                                       "2 (UID BODY.PEEK[HEADER])"]


# ---- Who caused it ------------------------------------------------------------------

RULES = """
rule("sender", function(m) if m.from:is "eve@example.org" then m:leave() end end)
rule("text", function(m)
  if m.text:find("agreed", 1, true) then m:tag("agreed", true) end
end)
rule("again", function(m) if m.text == "" then m:leave() end end)
rule("digest", function(m) if m:sha256() then m:leave() end end)
"""


def test_explain_says_which_rule_fetched_what(wire):
    wire.server.append(VIDEO)
    wire.home.configure(wire.server, RULES, port=wire.proxy.port, tls="none",
                        source="insecure = true")
    wire.proxy.reset()
    run = wire.home.run("explain", "work/INBOX/1")
    assert run.code == 0, run
    print(run.out)
    lines = run.out.splitlines()
    rules = {}
    for line in lines:
        if line.startswith('rule "'):
            rules[line.split('"')[1]] = found = []
        elif line.startswith("    "):
            found.append(line)
    fetches = {name: [one.strip() for one in lines if "fetches " in one]
               for name, lines in rules.items()}
    assert fetches["sender"] == fetches["again"] == []
    assert re.fullmatch(r"fetches    structure \d+ B, parts 2.0 kB, in 2 round "
                        "trips", fetches["text"][0])
    assert re.fullmatch(r"fetches    the whole 3.0 MB, in 1 round trip",
                        fetches["digest"][0])
    assert any(one.strip().startswith("asks for   leave")
               and one.endswith("(line 16), and that is final")
               for one in rules["digest"])
    assert lines[-1].startswith("Fetched in all: header ")
    assert lines[-1].endswith("in 4 round trips")
    run = wire.home.run("explain", "--json", "work/INBOX/1")
    events = [json.loads(line) for line in run.out.splitlines()]
    by_rule = {one["rule"]: one["fetched"] for one in events[:-1]}
    assert by_rule["text"]["parts"] == len(TEXT)
    assert by_rule["text"]["requests"] == 2
    assert by_rule["digest"]["whole"] == WHOLE
    whole = events[-1]["fetched"]
    assert whole["header"] == len(HEADER) and whole["requests"] == 3
    for kind in ("structure", "parts", "whole", "requests"):
        assert whole[kind] == sum(one[kind] for one in by_rule.values())


def test_explain_leaves_the_body_where_it_is(wire):
    """It fetches what a pass would, and no more; by POP3's numbers nothing can
    be explained."""
    wire.server.append(VIDEO)
    wire.home.configure(wire.server, looking(["m.text"]), port=wire.proxy.port,
                        tls="none", source="insecure = true")
    wire.proxy.reset()
    run = wire.home.run("explain", "work/INBOX/1")
    assert run.code == 0, run
    assert wire.proxy.down < 8_000
    assert "Left on the server: the rest of 3.0 MB" in run.out


def test_a_line_that_breaks_while_a_rule_is_explained(wire):
    wire.server.append(VIDEO)
    wire.home.configure(wire.server, RULES, port=wire.proxy.port, tls="none",
                        source="insecure = true")
    wire.proxy.cut_after = 200_000
    run = wire.home.run("explain", "work/INBOX/1", timeout=60)
    assert run.code not in (0, 1), run
    assert run.err.startswith("postrider: work: "), run


def test_a_dry_run_tells_its_plans_and_its_octets(wire):
    wire.server.append(VIDEO)
    wire.server.append(with_video(1000))
    wire.home.configure(wire.server, """
rule("text", function(m)
  if m.size > 100000 and m.text:find("agreed", 1, true) then
    m:move "Trips"
  end
end)
rule("deliver", function(m) m:deliver(mail / "x") end)
""", port=wire.proxy.port, tls="none", source="insecure = true")
    run = wire.home.run("fetch", "--dry-run")
    assert run.code == 0, run
    print(run.out)
    assert re.search(r'move to Trips.*\(rule "text", .*config.lua:\d+\)',
                     run.out), run
    assert re.search(r"^    fetched: header \d+ B, structure \d+ B, parts "
                     r"2.0 kB$", run.out, re.M)
    assert re.search(r"^Fetched [\d.]+ kB of 3.0 MB: header ", run.out, re.M)
    assert re.search(r'^    because rule "text" looked: structure \d+ B, '
                     r"parts 2.0 kB$", run.out, re.M)


def test_a_dry_run_tells_what_delivery_would_fetch(wire):
    wire.server.append(VIDEO)
    wire.home.configure(wire.server, 'rule("d", function(m) '
                        'm:deliver(mail / "x") end)', port=wire.proxy.port,
                        tls="none", source="insecure = true")
    run = wire.home.run("fetch", "--dry-run")
    assert run.code == 0, run
    assert "the delivery would fetch 3.0 MB more" in run.out
    assert "the deliveries would fetch 3.0 MB more" in run.out
