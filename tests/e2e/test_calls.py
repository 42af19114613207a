"""What rules ask and wait for: scanners, web and name servers, programs."""

import contextlib
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest
import server
import services

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "scripts/examples"
ACCOUNT = """\
account "local" {{
  source = maildir_source "{source}",
  folders = {{ "INBOX" }},
  after = keep,
  deliver = mail / "inbox",
}}
"""


@pytest.fixture
def start():
    """Starts a double that ends with the test."""
    with contextlib.ExitStack() as stack:
        def make(kind, *arguments, **options):
            return stack.enter_context(
                contextlib.closing(kind(*arguments, **options)))
        yield make


def fill(root, bodies):
    for part in ("cur", "new", "tmp"):
        (root / part).mkdir(parents=True, exist_ok=True)
    for number, body in enumerate(bodies):
        text = (f"From: a{number}@example.org\nTo: me@example.net\n"
                f"Return-Path: <bounce@example.org>\n"
                f"Subject: number {number}\nMessage-ID: <{number}@x>\n\n")
        path = root / "new" / f"{1700000000 + number}.{number}.host"
        path.write_bytes(text.encode() + body)


def take(home, bodies, rules, before=""):
    source = home.root / "in"
    fill(source, bodies)
    home.write(before + ACCOUNT.format(source=source) + rules)
    return home.fetch()


def rule(body, name="r"):
    return f'rule("{name}", function(m)\n{body}\nend)\n'


def folder(home, name):
    return sorted(path.read_bytes() for part in ("cur", "new")
                  for path in (home.mail / name / part).glob("*"))


# ---- Scanners ----------------------------------------------------------------

VERDICT = """
  local v, why = {ask}(m)
  if not v then m:note(why) m:deliver(mail / "failed") return end
  if v.spam then
    assert(v.score == 15.5, v.score)
    {more}
    m:deliver(mail / "spam")
  end
"""


def test_rspamd_tells_spam(home, start):
    rspamd = start(services.Rspamd)
    more = """assert(v.required == 15 and v.action == "reject")
    assert(v.symbols.DRUGS.score == 15.5)
    assert(v.symbols.DRUGS.options[1] == "viagra")"""
    run = take(home, [b"hello\n", b"buy viagra\n"],
               rule(VERDICT.format(ask="rs.check", more=more)),
               f'local rs = rspamd {{ url = "{rspamd.url}/" }}\n')
    assert run.code == 0, run
    assert len(folder(home, "spam")) == 1 and len(folder(home, "inbox")) == 1
    method, path, headers, body = rspamd.seen[0]
    assert (method, path) == ("POST", "/checkv2")
    assert headers["From"] == "bounce@example.org"
    assert body.startswith(b"From: a")


MOCKED = """
local rs, sa = rspamd "{url}", spamd {{ host = "127.0.0.1", port = 9 }}
local ask = rspamd.check
rule("r", function(m)
  for _, one in ipairs {{ rs.check, ask, sa.check }} do
    local v, why = one(m)
    m:note(v and v.score or why)
  end
  local v, why = rs:learn(m, {{ as = "spam" }})
  m:note(v and v.changed or why)
end)
test("mocked", {{ text = "Subject: a\\n\\n", mock = {{
  ["rspamd.check"] = {{ score = 9 }}, ["spamd.check"] = function(m)
    return {{ score = m.subject }} end,
  ["rspamd.learn"] = function(m, how) return {{ changed = how.as }} end }} }},
  {{ notes = {{ "9", "9", "a", "spam" }} }})
test("not mocked", {{ text = "Subject: a\\n\\n" }}, {{ notes = {{
  "not mocked: rspamd.check", "not mocked: rspamd.check",
  "not mocked: spamd.check", "not mocked: rspamd.learn" }} }})
test("no such verb", {{ text = "a: b\\n\\n", mock = {{
  ["rspamd.chek"] = 1 }} }}, {{}})
"""


def test_in_a_test_of_rules_a_service_is_mocked_by_its_class(home, start):
    rspamd = start(services.Rspamd)
    take(home, [], MOCKED.format(url=rspamd.url))
    run = home.run("test")
    assert "ok    mocked\n" in run.out and "ok    not mocked\n" in run.out, run
    assert 'rspamd has no "chek"; did you mean "check"?' in run.out, run
    assert rspamd.seen == []


def test_a_colon_asks_as_a_dot_does(home, start):
    rspamd = start(services.Rspamd)
    run = take(home, [b"buy viagra\n"],
               rule(VERDICT.format(ask="rs:check", more="").replace(
                   "rs:check(m)", 'rs:check(m, { ip = "192.0.2.1", '
                   'rcpt = "alice@example.net" })')),
               f'local rs = rspamd "{rspamd.url}"\n')
    assert run.code == 0, run
    assert len(folder(home, "spam")) == 1
    assert rspamd.seen[0][2]["IP"] == "192.0.2.1"
    assert rspamd.seen[0][2]["Rcpt"] == "alice@example.net"


def test_spamd_tells_spam(home, start):
    spamd = start(services.Spamd)
    more = """assert(v.required == 5)
    assert(v.symbols[1] == "DRUGS_ERECTILE" and #v.symbols == 2)"""
    run = take(home, [b"hello\n", b"buy viagra\n"],
               rule(VERDICT.format(ask="sa.check", more=more)),
               'local sa = spamd { host = "127.0.0.1", user = "alice", '
               f'port = {spamd.port} }}\n')
    assert run.code == 0, run
    assert len(folder(home, "spam")) == 1 and len(folder(home, "inbox")) == 1
    command, headers, data = spamd.seen[0]
    assert command == "SYMBOLS" and headers["user"] == "alice"
    assert int(headers["content-length"]) == len(data)


def test_spam_is_taught(home, start):
    spamd, rspamd = start(services.Spamd), start(services.Rspamd)
    run = take(home, [b"buy viagra\n"], rule("""
      assert(sa.learn(m, { as = "spam" }).changed)
      assert(rs.learn(m, { as = "ham" }).changed)
      assert(not rs.learn(m, { as = "spam" }).changed)
      local ok, words = pcall(sa.learn, m, { as = "eggs" })
      assert(not ok and words:has "spam")
    """), f'local sa = spamd {{ host = "127.0.0.1", port = {spamd.port} }}\n'
          f'local rs = rspamd {{ learn_url = "{rspamd.url}", cache = 0 }}\n')
    assert run.code == 0, run
    assert spamd.seen[0][1]["message-class"] == "spam"
    assert rspamd.seen[0][1] == "/learnham"


def test_clamd_finds_a_virus(home, start):
    clamd = start(services.Clamd)
    big = b"x" * 70 + b"\n"
    run = take(home, [b"hello\n", b"EICAR\n", big * 40000], rule("""
      local found = assert(av.scan(m))
      if found.infected then
        assert(found.virus == "Eicar-Test-Signature")
        m:deliver(mail / "virus")
      end
    """), f'local av = clamd {{ host = "127.0.0.1", port = {clamd.port} }}\n')
    assert run.code == 0, run
    assert len(folder(home, "virus")) == 1 and len(folder(home, "inbox")) == 2
    assert sorted(map(len, clamd.seen))[-1] > 2800000


def test_a_unix_socket_will_do(home):
    path = str(home.root / "sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()

    def serve():
        line, _ = listener.accept()
        data = b""
        while not data.endswith(b"\0\0\0\0"):
            data += line.recv(65536)
        line.sendall(b"stream: OK\n")
        line.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    run = take(home, [b"hello\n"],
               rule("assert(not assert(av.scan(m)).infected)"),
               f'local av = clamd "{path}"\n')
    assert run.code == 0, run
    listener.close()


@pytest.mark.parametrize("answer, words", [
    (b"stream: OK", "closed the connection"),
    (b"", "closed the connection"),
    (b"stream: OK FOUND OK\n", "is none"),
    (b"INSTREAM size limit exceeded. ERROR\n", "size limit"),
    (b"x" * 100000, "has no end"),
    (b"\0\xff\n", "is none"),
], ids=range(6))
def test_clamd_may_be_odd(home, start, answer, words):
    clamd = start(services.Clamd, answer=lambda data: answer)
    run = take(home, [b"hello\n"], rule(f"""
      local found, why = av.scan(m)
      assert(found == nil and why:has "{words}", why)
    """), f'local av = clamd {{ host = "127.0.0.1", port = {clamd.port} }}\n')
    assert run.code == 0 and len(folder(home, "inbox")) == 1, run


@pytest.mark.parametrize("answer, words", [
    (b"", "closed"),
    (b"HELO\r\n", "is none"),
    (b"SPAMD/1.1 79 EX_TIMEOUT\r\n\r\n", "EX_TIMEOUT"),
    (b"SPAMD/1.1 0 EX_OK\r\n\r\n", "without a verdict"),
    (b"SPAMD/1.1 0 EX_OK\r\nSpam: maybe\r\n\r\n", "means nothing"),
    (b"SPAMD/1.1 0 EX_OK\r\nContent-length: 999\r\n"
     b"Spam: True ; 1 / 5\r\n\r\nX", "closed"),
    (b"SPAMD/1.1 0 EX_OK\r\nContent-length: 99999999\r\n"
     b"Spam: True ; 1 / 5\r\n\r\n" + b"X," * 300000, "more than"),
    (b"SPAMD/1.1 0 EX_OK\r\n" + b"a: b\r\n" * 1000, "without end"),
], ids=range(8))
def test_spamd_may_be_odd(home, start, answer, words):
    spamd = start(services.Spamd, answer=lambda data: answer)
    run = take(home, [b"hello\n"], rule(f"""
      local verdict, why = sa.check(m)
      assert(verdict == nil and why:has "{words}", why)
    """), f'local sa = spamd {{ host = "127.0.0.1", port = {spamd.port} }}\n')
    assert run.code == 0 and len(folder(home, "inbox")) == 1, run


@pytest.mark.parametrize("status, body, words", [
    (200, b"", "is none"),
    (200, b"[]", "no object"),
    (200, b'{"score": "x", "action": 1}', "no score"),
    (200, b'{"error": "out of cheese"}', "out of cheese"),
    (500, b"oops", "500"),
    (403, b"", "password"),
    (200, b" " * 2000000, "larger than"),
], ids=range(7))
def test_rspamd_may_be_odd(home, start, status, body, words):
    web = start(services.Web, {"/checkv2": (status, {}, body)})
    run = take(home, [b"hello\n"], rule(f"""
      local verdict, why = rs.check(m)
      assert(verdict == nil and why:has "{words}", why)
    """), f'local rs = rspamd "{web.url}"\n')
    assert run.code == 0 and len(folder(home, "inbox")) == 1, run


# ---- Time, places, breaker, cache ---------------------------------------------

@pytest.mark.parametrize("kind", ["rspamd", "clamd", "http", "exec", "all"])
def test_a_hundred_wait_at_once(home, start, kind):
    """A service that takes 1 s, 20 places: 100 messages in little over 5 s."""
    before, ask, double = {
        "rspamd": ('rspamd {{ url = "http://127.0.0.1:{port}", '
                   'concurrency = 20 }}', "s.check(m)", services.Rspamd),
        "all": ('rspamd {{ url = "http://127.0.0.1:{port}", '
                'concurrency = 20 }}',
                "all { function() return s.check(m) end }[1]",
                services.Rspamd),
        "clamd": ('clamd {{ host = "127.0.0.1", port = {port}, '
                  'concurrency = 20 }}', "s.scan(m)", services.Clamd),
        "http": ('"http://127.0.0.1:{port}/" options {{ calls = {{ '
                 'concurrency = 20 }} }}', "http.get(s .. m.uid)",
                 services.Web),
        "exec": ('"" options {{ calls = {{ concurrency = 20 }} }}',
                 'exec { "sleep", "1" }', services.Web),
    }[kind]
    one = start(double, delay=1.0)
    begin = time.monotonic()
    run = take(home, [b"hello %d\n" % number for number in range(100)],
               rule(f"assert({ask})".replace("all {", "(all {").replace(
                   "}[1]", "})[1]")),
               f"local s = {before.format(port=one.port)}\n")
    took = time.monotonic() - begin
    assert run.code == 0, run
    assert len(folder(home, "inbox")) == 100
    print(f"{kind}: {took:.2f} s")
    assert 5.0 <= took < (9.0 if server.is_calm() else 30.0)
    if kind != "exec":
        assert one.asked == 100 and one.most <= 20


def test_an_answer_has_a_deadline(home, start):
    rspamd = start(services.Rspamd, delay=20.0)
    begin = time.monotonic()
    run = take(home, [b"hello\n"], rule("""
      local verdict, why = rs.check(m)
      assert(verdict == nil and why:has "in time", why)
    """), f'local rs = rspamd {{ url = "{rspamd.url}", timeout = 0.3 }}\n')
    assert run.code == 0, run
    assert time.monotonic() - begin < 10


def test_the_time_of_a_message_holds_for_all_waits(home, start):
    """What waits for longer than the message may is put off, with words."""
    rspamd = start(services.Rspamd, delay=20.0)
    begin = time.monotonic()
    run = take(home, [b"hello\n"], rule("""
      local verdict, why = rs.check(m)
      m:deliver(mail / "never")
    """), f'local rs = rspamd {{ url = "{rspamd.url}", timeout = "15s" }}\n'
          'options { limits = { total = "1s" } }\n')
    assert "took longer than 1 s in all" in run.err + run.out, run
    assert not (home.mail / "never").exists()
    assert time.monotonic() - begin < 10


def test_a_sleep_ends_with_the_time_of_the_message(home):
    begin = time.monotonic()
    run = take(home, [b"hello\n"], rule('sleep "50s"'),
               'options { limits = { total = "1s" } }\n')
    assert "took longer than 1 s in all" in run.err + run.out, run
    assert time.monotonic() - begin < 10


def test_what_fails_in_a_row_is_left_alone(home, start):
    """Five failures open the breaker: nobody else is made to wait, and the log
    says it once."""
    rspamd = start(services.Rspamd, delay=20.0)
    begin = time.monotonic()
    run = take(home, [b"hello %d\n" % one for one in range(40)], rule("""
      local verdict, why = rs.check(m)
      assert(verdict == nil)
      m:deliver(mail / (why:has "left alone" and "alone" or "slow"))
    """), f'local rs = rspamd {{ url = "{rspamd.url}", timeout = 1, '
          'concurrency = 5 }\n')
    assert run.code == 0, run
    slow = len(folder(home, "slow"))
    assert 5 <= slow <= 10 and rspamd.asked == slow, run
    assert len(folder(home, "alone")) == 40 - slow
    assert run.err.count("is left alone") == 1
    assert time.monotonic() - begin < 15


def test_the_breaker_closes_when_it_answers_again(home, start):
    moods = iter([500] * 5)

    def answer(body):
        return next(moods, 200), {}, b'{"score": 1, "action": "no action"}'

    web = start(services.Web, {"/checkv2": answer})
    run = take(home, [b"hello\n"], rule("""
      for i = 1, 5 do assert(not rs.check(m)) end
      local verdict, why = rs.check(m)
      assert(why:has "left alone", why)
      sleep(5.2)
      assert(rs.check(m))
      assert(rs.check(m))
    """), f'local rs = rspamd {{ url = "{web.url}", cache = 0 }}\n')
    assert run.code == 0 and len(folder(home, "inbox")) == 1, run
    assert web.asked == 7
    assert run.err.count("answers again") == 1


def test_an_answer_is_kept(home, start):
    rspamd = start(services.Rspamd)
    run = take(home, [b"hello\n"], rule("""
      local one, two = assert(rs.check(m)), assert(rs.check(m))
      assert(one.score == two.score and one.symbols.ARC_NA)
      assert(rs.check(m, { ip = "192.0.2.1" }))
      sleep(1)
      assert(rs.check(m))
    """), f'local rs = rspamd {{ url = "{rspamd.url}", cache = 0.5 }}\n')
    assert run.code == 0, run
    assert rspamd.asked == 3


@pytest.mark.parametrize("how, asked", [
    ('http.get(u)', 1),
    ('http.get(u, { headers = { ["X-A"] = "b" } })', 1),
    ('http.get(u, { user = "u" .. m.uid, password = "p" })', 30),
    ('http.post(u, { body = "x" })', 30),
    ('http.post(u, { body = "x", cache = 60 })', 1),
])
def test_the_same_question_is_asked_once_at_a_time(home, start, how, asked):
    """30 messages of a batch ask the same: one asks, the others have its
    answer; but what may change something is asked as often as rules do."""
    web = start(services.Web, {"/": (200, {}, b"yes")}, delay=1.0)
    run = take(home, [b"hello %d\n" % one for one in range(30)], rule(f"""
      local u = "{web.url}/"
      assert(assert({how}).body == "yes")
    """), 'options { calls = { concurrency = 30 } }\n')
    assert run.code == 0, run
    assert len(folder(home, "inbox")) == 30
    assert web.asked == asked


def test_rules_of_a_message_that_ask_the_same_ask_once(home, start):
    """Also where nothing is kept, and a service is asked about a message."""
    rspamd = start(services.Rspamd, delay=0.5)
    run = take(home, [b"hello\n", b"others\n"], rule("""
      local function ask() return rs.check(m) end
      local both = all { ask, ask, ask }
      assert(both[1].score == both[3].score)
      assert(both[2].symbols ~= both[3].symbols)
      assert(rs.check(m))
    """), f'local rs = rspamd {{ url = "{rspamd.url}", cache = 0 }}\n')
    assert run.code == 0, run
    assert rspamd.asked == 4


def test_who_waits_for_anothers_answer_gets_its_failure(home, start):
    """A service that does not answer is asked once by all of a batch, which
    counts once."""
    web = start(services.Web, {}, delay=20.0)
    run = take(home, [b"hello %d\n" % one for one in range(20)], rule(f"""
      local got, why = http.get("{web.url}/", {{ timeout = 3 }})
      assert(got == nil and why:has "in time", why)
    """))
    assert run.code == 0, run
    assert len(folder(home, "inbox")) == 20
    assert web.asked == 1


def test_a_large_message_is_fetched_whole_only_when_it_is_asked_about(
        home, start):
    clamd = start(services.Clamd)
    run = take(home, [b"x" * 70000 + b"EICAR\n"], rule("""
      assert(m.subject == "number 0")
      if assert(av.scan(m)).infected then m:discard "virus" end
    """), f'local av = clamd {{ host = "127.0.0.1", port = {clamd.port} }}\n')
    assert run.code == 0 and not (home.inbox / "new").exists() or \
        folder(home, "inbox") == [], run
    assert len(clamd.seen[0]) > 70000


# ---- The example ---------------------------------------------------------------

def test_the_example_asks_all_scanners(home, start):
    clamd, rspamd = start(services.Clamd), start(services.Rspamd)
    dns = start(services.Dns, {
        ("9.2.0.192.zen.example.org", "A"): ["127.0.0.2"],
        ("9.2.0.192.zen.example.org", "TXT"): [b"a bad host"]})
    text = (EXAMPLES / "scanned.lua").read_text()
    text = text[:text.index("account ")] + text[text.index("-- The address"):]
    for old, new in (
            ('local mail = maildir "~/Mail"\n', ""),
            ("/run/clamav/clamd.ctl", f'127.0.0.1", port = {clamd.port}, '
                                      'timeout = "5s'),
            ("http://localhost:11333", rspamd.url)):
        assert old in text
        text = text.replace(old, new)
    source = home.root / "in"
    fill(source, [b"hello\n", b"EICAR\n", b"viagra\n"])
    home.write(f'options {{ dns = {{ "127.0.0.1:{dns.port}" }} }}\n' +
               ACCOUNT.format(source=source) + text)
    listed = source / "new" / "1700000009.9.host"
    listed.write_bytes(b"Received: from x (x [192.0.2.9]) by y\n"
                       b"Subject: listed\n\nviagra too\n")
    run = home.fetch()
    assert run.code == 0, run
    junk = folder(home, "Junk")
    assert len(junk) == 2 and len(folder(home, "inbox")) == 1
    assert b"X-Spam-Score: 19.5\n" in b"".join(junk)
    clamd.close()
    for part in ("new", "cur"):
        for path in (source / part).glob("*"):
            path.unlink()
    fill(source, [b"later\n"])
    run = home.fetch()
    assert len(folder(home, "inbox")) == 1, run


# ---- http and json -------------------------------------------------------------

def test_http_gets_and_posts(home, start):
    web = start(services.Web, {
        "/a": (200, {"X-Word": "yes"}, b"body"),
        "/old": (302, {"Location": "/a"}, b""),
        "/echo": lambda body: (201, {}, body),
        "/loop": (302, {"Location": "/loop"}, b""),
        "/gone": (410, {}, b"gone"),
        "/file": (302, {"Location": "file:///etc/passwd"}, b""),
    })
    run = take(home, [b"hello\n"], rule("""
      local r = assert(http.get(url .. "/a", { headers = { ["X-Me"] = "1" } }))
      assert(r.status == 200 and r.body == "body")
      assert(r.headers["x-word"] == "yes")
      assert(assert(http.get(url .. "/old")).body == "body")
      r = assert(http.get(url .. "/old", { redirects = 0 }))
      assert(r.status == 302 and r.headers.location == "/a")
      assert(http.post(url .. "/echo", { body = "text" }).body == "text")
      r = assert(http.post(url .. "/echo", { json = { a = { 1, 2 }, b = true } }))
      assert(r.status == 201 and r.body == '{"a":[1,2],"b":true}', r.body)
      assert(json.decode(r.body).a[2] == 2)
      assert(http.post(url .. "/echo", { body = m }).body:ends "hello\\n")
      assert(http.request(url .. "/a", { method = "PUT", body = "x" }).status == 200)
      assert(http.get(url .. "/gone").status == 410)
      local no, why = http.get(url .. "/loop")
      assert(not no and why:has "redirect", why)
      no, why = http.get(url .. "/file")
      assert(not no, "a file is read")
      no, why = http.get("http://127.0.0.1:1/")
      assert(not no and why:has "127.0.0.1:1", why)
      no, why = http.get "file:///etc/passwd"
      assert(no == nil and why:has "https://", why)
      assert(http.get(url .. "/a", { headers = { ["A"] = "b\\r\\nC: d" } }))
      local ok, words = pcall(http.get, url, { timeuot = 1 })
      assert(words:has "timeout", words)
    """), f'local url = "{web.url}"\n')
    assert run.code == 0 and len(folder(home, "inbox")) == 1, run
    assert not any("C" in headers for _, _, headers, _ in web.seen)
    assert any(headers.get("A") == "b C: d" for _, _, headers, _ in web.seen)


def test_http_answers_are_kept_and_capped(home, start):
    web = start(services.Web, {"/a": (200, {}, b"x" * 5000)})
    run = take(home, [b"hello\n"], rule("""
      for i = 1, 3 do
        assert(#assert(http.get(url .. "/a", { cache = "1h" })).body == 5000)
      end
      local no, why = http.get(url .. "/a", { max = 100 })
      assert(not no and why:has "larger than 100", why)
    """), f'local url = "{web.url}"\n')
    assert run.code == 0 and len(folder(home, "inbox")) == 1, run
    assert web.asked == 2


def test_https_is_verified(home, start):
    tls = home.root / "tls"
    server.Certificates(tls)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls / "good.pem", tls / "good.key")
    web = start(services.Web, {"/a": (200, {}, b"yes")}, tls=context)
    url = web.url.replace("127.0.0.1", "localhost")
    run = take(home, [b"hello\n"], rule(f"""
      local r, why = http.get(url .. "/a")
      assert(not r, "not verified")
      r, why = http.get(url .. "/a", {{ ca_file = "{tls}/ca.pem" }})
      assert(r and r.body == "yes", why)
    """), f'local url = "{url}"\n')
    assert run.code == 0 and len(folder(home, "inbox")) == 1, run


# ---- dns ----------------------------------------------------------------------

def test_names_are_asked_for(home, start):
    dns = start(services.Dns, {
        ("example.org", "A"): ["192.0.2.1", "192.0.2.2"],
        ("example.org", "AAAA"): ["2001:db8::1"],
        ("example.org", "MX"): [(20, "b.example.org"), (10, "a.example.org")],
        ("example.org", "TXT"): [b"v=spf1 -all", b"y" * 300],
        ("1.2.0.192.in-addr.arpa", "PTR"): ["host.example.org"],
        ("big.example.org", "TXT"): [b"z" * 250] * 20,
        ("broken.example.org", "A"): None,
        ("2.0.0.127.list.example", "A"): ["127.0.0.2", "127.0.0.10"],
        ("2.0.0.127.list.example", "TXT"): [b"bad host"],
        ("bad.example.list.example", "A"): ["127.0.1.2"],
        ("2.0.0.127.closed.example", "A"): ["127.255.255.254"],
        ("2.0.0.127.wild.example", "A"): ["198.51.100.1"],
        ("1." + "0." * 23 + "8.b.d.0.1.0.0.2.list.example", "A"):
            ["127.0.0.4"],
    })
    run = take(home, [b"hello\n"], rule("""
      local a = assert(dns.a "example.org")
      assert(#a == 2 and a[1] == "192.0.2.1")
      assert(assert(dns.aaaa "example.org")[1] == "2001:db8::1")
      local mx = assert(dns.mx "example.org")
      assert(mx[1].host == "a.example.org" and mx[1].preference == 10)
      local txt = assert(dns.txt "example.org")
      assert(txt[1] == "v=spf1 -all" and #txt[2] == 300)
      assert(assert(dns.ptr "192.0.2.1")[1] == "host.example.org")
      assert(#assert(dns.txt "big.example.org") == 20)
      assert(#assert(dns.a "nothing.example.org") == 0)
      assert(#assert(dns.ptr "2001:db8::2") == 0)
      local no, why = dns.a "broken.example.org"
      assert(no == nil and why:has "broken.example.org", why)
      local hit = assert(dns.rbl("127.0.0.2", "list.example"))
      assert(hit.listed and #hit.codes == 2 and hit.text == "bad host")
      assert(assert(dns.rbl("bad.example", "list.example")).listed)
      assert(assert(dns.rbl("2001:db8::1", "list.example")).listed)
      hit = assert(dns.rbl("127.0.0.3", "list.example"))
      assert(not hit.listed and #hit.codes == 0)
      assert(not assert(dns.rbl("127.0.0.2", "wild.example")).listed)
      no, why = dns.rbl("127.0.0.2", "closed.example")
      assert(no == nil and why:has "does not answer", why)
      no, why = dns.ptr "nonsense"
      assert(no == nil and why:has "no address", why)
      for i = 1, 10 do dns.a "example.org" end
    """), f'options {{ dns = {{ "127.0.0.1:{dns.port}" }} }}\n')
    assert run.code == 0 and len(folder(home, "inbox")) == 1, run
    assert dns.seen.count(("example.org", "A")) == 1


def test_a_name_server_may_be_dead(home):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        run = take(home, [b"hello\n"], rule("""
          local a, why = dns.a("example.org", { timeout = 0.5 })
          assert(a == nil and why:has "no name server", why)
        """), f'options {{ dns = {{ "127.0.0.1:{silent.getsockname()[1]}" }} '
              '}\n')
    assert run.code == 0 and len(folder(home, "inbox")) == 1, run


def test_names_are_asked_for_side_by_side(home, start):
    dns = start(services.Dns, {}, delay=1.0)
    begin = time.monotonic()
    run = take(home, [b"hello %d\n" % one for one in range(60)], rule("""
      assert(dns.a("n" .. m.uid .. ".example.org"))
    """), f'options {{ dns = {{ "127.0.0.1:{dns.port}" }}, '
          'calls = { concurrency = 20 } }\n')
    assert run.code == 0, run
    assert time.monotonic() - begin < (7 if server.is_calm() else 20)
    assert dns.asked == 60


# ---- exec ---------------------------------------------------------------------

def test_a_program_is_run_without_a_shell(home):
    run = take(home, [b"hello\n"], rule("""
      local r = assert(exec { "sh", "-c",
        'ls /proc/self/fd | wc -l; cat; echo oops >&2; exit 3', input = m })
      assert(r.status == 3 and r.output:has "hello")
      assert(r.complaint == "oops\\n")
      assert(tonumber(r.output:match "^%d+") <= 4, r.output)
      assert(assert(exec { "echo", "a; b $HOME" }).output == "a; b $HOME\\n")
      local no, why = exec { "sh", "-c", "sleep 30 & sleep 30", timeout = 0.3 }
      assert(no == nil, "it ended")
      no, why = exec { "/nonexistent" }
      assert(no == nil and why:has "nonexistent", why)
      no, why = exec { "yes", timeout = 5 }
      assert(no == nil, "output without end")
    """))
    assert run.code == 0 and len(folder(home, "inbox")) == 1, run


def test_a_program_that_cannot_run_is_left_alone(home):
    run = take(home, [b"hello\n"], rule("""
      for i = 1, 5 do assert(not exec { "/nonexistent" }) end
      local no, why = exec { "/nonexistent" }
      assert(why:has "left alone", why)
      assert(exec { "true" })
    """))
    assert run.code == 0 and len(folder(home, "inbox")) == 1, run


# ---- all ----------------------------------------------------------------------

def test_several_are_asked_at_once(home, start):
    clamd, rspamd = start(services.Clamd, 3.0), start(services.Rspamd, 3.0)
    begin = time.monotonic()
    run = take(home, [b"EICAR viagra\n"], rule("""
      local found, failed = all {
        virus = function() return av.scan(m) end,
        spam = function() return rs.check(m) end,
        web = function() return http.get("http://127.0.0.1:1/") end,
        subject = function() sleep(2.9) m:tag("in", "all") return m.subject end,
      }
      assert(found.virus.infected and found.spam.spam)
      assert(found.subject == "number 0" and m.tags["in"] == "all")
      assert(found.web == nil and failed.web:has "127.0.0.1:1")
      local list, none = all { function() return 1 end, function() end,
                               function() return 3 end }
      assert(list[1] == 1 and list[2] == nil and list[3] == 3 and none == nil)
      local ok, words = pcall(all, { function() error "first" end,
        function() sleep(0.1) error "second" end })
      assert(not ok and words:has "first" and words:has "second", words)
      m:deliver(mail / "seen")
    """), f'local av = clamd {{ host = "127.0.0.1", port = {clamd.port} }}\n'
          f'local rs = rspamd "{rspamd.url}"\n')
    assert run.code == 0 and len(folder(home, "seen")) == 1, run
    assert time.monotonic() - begin < 7


@pytest.mark.parametrize("body, words", [
    ("all { function() while true do end end }", "without waiting"),
    ("pcall(all, { function() while true do end end })", "without waiting"),
    ("all { function() local t = {} for i = 1, 1e9 do t[i] = {} end end }",
     "of memory"),
    ('all { function() sleep "50s" end }', "in all"),
])
def test_a_branch_has_the_limits_of_its_rule(home, body, words):
    run = take(home, [b"hello\n"],
               rule(body + ' m:deliver(mail / "never")'),
               'options { limits = { total = "8s", time = "500ms", '
               'memory = "4M" } }\n')
    assert words in run.err + run.out, run
    assert not (home.mail / "never").exists()


def test_a_signal_ends_what_waits(home, start):
    rspamd = start(services.Rspamd, delay=30.0)
    source = home.root / "in"
    fill(source, [b"hello\n"])
    home.write(f'local rs = rspamd {{ url = "{rspamd.url}", timeout = 60 }}\n' +
               ACCOUNT.format(source=source) +
               rule("all { function() return rs.check(m) end, "
                    "function() sleep(30) end }"))
    process = home.start("fetch")
    end = time.monotonic() + 20
    while rspamd.asked == 0 and time.monotonic() < end:
        time.sleep(0.05)
    begin = time.monotonic()
    process.terminate()
    process.wait(timeout=20)
    assert time.monotonic() - begin < 10
    assert len(list((source / "new").iterdir())) == 1


# ---- ldap ---------------------------------------------------------------------

SLAPD = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {root}/pid
database mdb
suffix "dc=example,dc=org"
rootdn "cn=admin,dc=example,dc=org"
rootpw secret
directory {root}/data
"""

PEOPLE = """\
dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
o: Example
dc: example

""" + "".join(f"""\
dn: cn=Person {number},dc=example,dc=org
objectClass: inetOrgPerson
cn: Person {number}
sn: P(*)\\{number}
mail: a{number}@example.org
mail: second{number}@example.org

""" for number in range(20))


@pytest.fixture
def slapd(tmp_path):
    """A directory on the loopback; gives its port."""
    if shutil.which("slapd") is None:
        pytest.skip("slapd is not installed")
    (tmp_path / "data").mkdir()
    (tmp_path / "conf").write_text(SLAPD.format(root=tmp_path))
    (tmp_path / "people").write_text(PEOPLE)
    subprocess.run(["slapadd", "-f", tmp_path / "conf",
                    "-l", tmp_path / "people"], check=True)
    port = server.free_ports(1)[0]
    process = subprocess.Popen(
        ["slapd", "-d", "0", "-f", tmp_path / "conf",
         "-h", f"ldap://127.0.0.1:{port}"])
    server.wait_for(lambda: server.answers(port), 30, "slapd")
    yield port
    process.terminate()
    process.wait(timeout=30)


def test_a_directory_is_asked(home, slapd):
    run = take(home, [b"hello %d\n" % one for one in range(20)], rule("""
      local found = assert(people:lookup {
        filter = "(&(objectClass=inetOrgPerson)(mail=%s))",
        values = { m.from.address }, attributes = { "CN", "mail" } })
      assert(#found == 1 and #found[1].mail == 2 and not found[1].sn)
      assert(found[1].CN[1]:match "%d+" == m.from.address:match "%d+")
      found = assert(people.lookup { filter = "(sn=%s)",
                                     values = { "P(*)\\\\3" } })
      assert(#found == 1 and found[1].cn[1] == "Person 3")
      assert(#assert(people.lookup { filter = "(sn=%s)", values = { "*" } }) == 0)
      assert(#assert(people.lookup { limit = 5, scope = "one" }) == 5)
      assert(#assert(people.lookup { base = "dc=nowhere,dc=example,dc=org" }) == 0)
      local no, why = people.lookup { filter = "(broken" }
      assert(no == nil and why:has "filter", why)
      no, why = people.lookup { filter = "(a=%s)" }
      assert(no == nil and why:has "values", why)
      no, why = stranger.lookup {}
      assert(no == nil and why:has "credentials", why)
    """), f"""
local people = ldap {{ url = "ldap://127.0.0.1:{slapd}", insecure = true,
  base = "dc=example,dc=org", bind_dn = "cn=admin,dc=example,dc=org",
  password = exec {{ "echo", "secret" }} }}
local stranger = ldap {{ url = "ldap://127.0.0.1:{slapd}", insecure = true,
  bind_dn = "cn=admin,dc=example,dc=org",
  password = exec {{ "echo", "wrong" }} }}
""")
    assert run.code == 0 and len(folder(home, "inbox")) == 20, run
    run = home.run("check")
    told = [one for one in run.out.splitlines() if one.startswith("ldap ")]
    assert len(told) == 2 and run.code != 0, run
    assert sorted(one.endswith(": ok") for one in told) == [False, True], run
    assert any("credentials" in one for one in told), run


@pytest.mark.parametrize("kind", ["dead", "silent"])
def test_a_directory_may_be_away(home, kind):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if kind == "silent":
            listener.listen()
        port = listener.getsockname()[1]
        run = take(home, [b"hello\n"], rule("""
          local found, why = people.lookup {}
          assert(found == nil and #why > 0)
        """), f'local people = ldap {{ url = "ldap://127.0.0.1:{port}", '
              'timeout = 1 }\n')
    assert run.code == 0 and len(folder(home, "inbox")) == 1, run


# ---- The real ones: tests/run --long ----------------------------------------

GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL" \
        b"*C.34X\n"
RSPAMD = """\
options {{ pidfile = "{root}/pid"; tempdir = "{root}"; filters = "";
           dns {{ nameserver = ["127.0.0.1"]; timeout = 0.1s; }} }}
logging {{ type = "console"; level = "error"; }}
actions {{ reject = 15; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
"""
long = pytest.mark.skipif(not os.environ.get("POSTRIDER_LONG"),
                          reason="only with --long")


@contextlib.contextmanager
def running(argv, port):
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        server.wait_for(lambda: server.answers(port), 60, argv[0])
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def tells_gtube(home, before, ask):
    run = take(home, [b"hello\n", GTUBE], rule(f"""
      local verdict, why = {ask}(m)
      assert(verdict, why)
      m:note(tostring(verdict.score))
      if verdict.spam then m:deliver(mail / "spam") end
    """), before)
    assert run.code == 0, run
    assert len(folder(home, "spam")) == 1 and len(folder(home, "inbox")) == 1


@long
def test_the_real_rspamd_tells_spam(home, tmp_path):
    if shutil.which("rspamd") is None:
        pytest.skip("rspamd is not installed")
    port = server.free_ports(1)[0]
    conf = tmp_path / "rspamd.conf"
    conf.write_text(RSPAMD.format(root=tmp_path, port=port))
    with running(["rspamd", "-f", "-i", "-c", conf], port):
        tells_gtube(home, 'local rs = rspamd { url = "http://127.0.0.1:'
                          f'{port}" }}\n', "rs.check")


@long
def test_the_real_spamassassin_tells_spam(home, tmp_path):
    if shutil.which("spamd") is None:
        pytest.skip("spamd is not installed")
    port = server.free_ports(1)[0]
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    with running(["spamd", "-L", "-x", "-m", "1", "-i", "127.0.0.1", "-p",
                  str(port), "-r", tmp_path / "pid", *user], port):
        tells_gtube(home, 'local sa = spamd { host = "127.0.0.1", '
                          f'port = {port}, timeout = "60s" }}\n', "sa.check")
