"""Of a large message only the header comes, until a rule asks for more or it is
to be delivered."""

import maildir
import pytest

LARGE = b"0123456789abcdef\r\n" * 40_000  # 720,000 octets
COUNT = 12

RULES = """
rule("one", function(m)
  local n = tonumber(m.subject:match("%d+"))
  if n % 4 == 0 then m:delete() end
  if n % 4 == 1 then m:discard("large") end
  if n % 4 == 2 and #m.text > 1000 then m:deliver(mail / "read") end
end)
"""


@pytest.fixture(params=["imap", "pop3"])
def protocol(request):
    return request.param


@pytest.fixture
def far(make_server, protocol):
    return make_server(pop3=protocol == "pop3")


def fill(server):
    for number in range(COUNT):
        server.append(b"Subject: n %d\r\nFrom: a@example.org\r\n\r\n" % number +
                      LARGE)
    for number in range(3):
        server.append(b"Subject: small %d\r\n\r\nbody\r\n" % (4 * number + 3))


def numbers(folder):
    return sorted(int(one.data.split(b"\n")[0].rsplit(b" ")[-1])
                  for one in maildir.entries(folder))


def octets(run):
    return sum(one["octets"] for one in run.accounts.values())


def test_bodies_come_only_where_they_are_needed(home, far, protocol):
    fill(far)
    home.configure(far, RULES, protocol=protocol, after="keep")
    run = home.run("fetch", "--json")
    assert run.code == 0, run
    assert numbers(home.mail / "read") == [2, 6, 10]
    assert numbers(home.inbox) == [3, 3, 7, 7, 11, 11]
    for one in maildir.entries(home.inbox) + maildir.entries(
            home.mail / "read"):
        if b"small" not in one.data:
            assert one.data.endswith(LARGE.replace(b"\r\n", b"\n"))
    assert len(far.list_uids()) == COUNT + 3 - 3
    # Six of twelve came whole.
    assert 6 * len(LARGE) < octets(run) < 7 * len(LARGE)
    sizes = {one["subject"]: one["size"] for one in run.messages}
    assert all(sizes[f"n {n}"] > len(LARGE) for n in range(COUNT))
    assert home.fetched().messages == []


def test_a_dry_run_fetches_no_body(home, far, protocol):
    fill(far)
    home.configure(far, 'rule("n", function(m) m:flag "x" end)',
                   protocol=protocol)
    run = home.run("fetch", "--dry-run", "--json", "-vv")
    assert run.code == 0, run
    assert len(run.messages) == COUNT + 3
    assert len(run.err) < len(LARGE)


def test_many_at_once(home, far, protocol):
    """More of them than may wait at a time."""
    for number in range(150):
        far.append(b"Subject: n %d\r\n\r\n" % (4 * number + 2) +
                   LARGE[:18 * 5000])
    home.configure(far, RULES, protocol=protocol, after="delete",
                   more='whole_below = "64K"')
    run = home.run("fetch", "--json")
    assert run.code == 0, run
    assert numbers(home.mail / "read") == [4 * n + 2 for n in range(150)]
    assert far.list_uids() == []


def test_large_headers_in_a_full_house(home, far, protocol):
    field = b"X-Large: " + b"x" * 900 + b"\r\n"
    for number in range(150):
        far.append(b"Subject: n 3\r\n" + field * 69 + b"\r\n" +
                   LARGE[:18 * 5000])
    home.configure(far, RULES, protocol=protocol, after="keep",
                   more='whole_below = "64K"')
    run = home.run("fetch", "--json")
    assert run.code == 0, run
    assert len(maildir.entries(home.inbox)) == 150


def test_a_broken_line_loses_nothing(home, far, protocol, make_proxy):
    fill(far)
    port = far.imaps if protocol == "imap" else far.pop3s
    proxy = make_proxy(port)
    proxy.cut_after = len(LARGE) * 3
    home.configure(far, RULES, protocol=protocol, after="delete",
                   port=proxy.port)
    assert home.run("fetch").code != 0
    home.configure(far, RULES, protocol=protocol, after="delete")
    assert home.run("fetch").code == 0
    assert numbers(home.mail / "read") == [2, 6, 10]
    assert numbers(home.inbox) == [3, 3, 7, 7, 11, 11]
    assert far.list_uids() == []


def test_a_rule_that_fails_after_the_body_came(home, far, protocol):
    fill(far)
    home.configure(far, 'rule("n", function(m) local t = m.text; '
                   'error("oh") end)', protocol=protocol, after="keep")
    for _ in range(2):
        assert home.run("fetch").code == 75
        assert maildir.entries(home.inbox) == []
    assert home.run("fetch").code == 0
    assert len(maildir.entries(home.inbox)) == COUNT + 3
