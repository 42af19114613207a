"""POP3 servers that know neither UIDL nor TOP: what LAST spares, and that it
hides nothing."""

import time

import maildir
import pytest
from oldpop import OldPop


@pytest.fixture
def old(home):
    with OldPop() as one:
        configure(home, one)
        yield one


def configure(home, server, **options):
    home.configure(server, protocol="pop3", tls="none", host="127.0.0.1",
                   source="insecure = true", **options)


def report(day):
    """All are of one size."""
    return (f"Message-ID: <{day:03}@example.org>\r\nSubject: report {day:03}"
            f"\r\n\r\nall is well on day {day:03}\r\n").encode()


def fetch(home, old, expected):
    """Runs it; returns which messages it retrieved. `expected` days are then
    delivered, each once."""
    home.fetched()
    assert maildir.digests(one.data for one in maildir.entries(home.inbox)) \
        == maildir.digests(report(day).replace(b"\r\n", b"\n")
                           for day in expected)
    return old.retrieved()


def test_one_message_proves_that_nothing_is_new(old, home):
    old.box = [report(day) for day in range(6)]
    assert fetch(home, old, range(6)) == [1, 2, 3, 4, 5, 6]
    assert old.last == 6
    assert fetch(home, old, range(6)) == [6]
    assert "LAST" in old.sessions[-1]


def test_what_is_new_comes_once(old, home):
    old.box = [report(day) for day in range(3)]
    fetch(home, old, range(3))
    old.box += [report(3), report(4)]
    assert fetch(home, old, range(5)) == [3, 4, 5]
    assert fetch(home, old, range(5)) == [5]


@pytest.mark.parametrize("last", [0, 2, None])
def test_last_that_goes_back_or_is_refused(old, home, last):
    old.box = [report(day) for day in range(4)]
    fetch(home, old, range(4))
    old.last = last
    old.box.append(report(4))
    assert fetch(home, old, range(5)) == ([2, 3, 4, 5] if last == 2
                                          else [1, 2, 3, 4, 5])


def test_nothing_that_another_program_fetched_is_lost(old, home):
    """It reads each day's report before us and deletes the oldest: sizes,
    count and LAST stay the same."""
    old.box = [report(day) for day in range(4)]
    fetch(home, old, range(4))
    for day in range(4, 7):
        old.box = old.box[1:] + [report(day)]
        old.last = 4
        fetch(home, old, range(day + 1))
    assert fetch(home, old, range(7)) == [4]


def test_nothing_is_believed_before_the_first_delivery(old, home):
    old.box = [report(day) for day in range(3)]
    old.last = 3
    assert fetch(home, old, range(3)) == [1, 2, 3]


def test_what_last_vouches_for_is_deleted_in_its_time(old, home):
    configure(home, old, after='delete_after "1s"')
    old.box = [report(day) for day in range(4)]
    fetch(home, old, range(4))
    end = time.monotonic() + 30
    while old.box and time.monotonic() < end:
        time.sleep(0.3)
        last = len(old.box)
        assert fetch(home, old, range(4)) == [last]
    assert old.box == []
