"""A whole mailbox comes, octet for octet, and only what is new comes again."""

import maildir
import messages
import pytest


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_fetches_1000_messages_octet_for_octet(server, home, tls):
    sent = list(messages.mailbox(1000, 1))
    server.fill(sent)
    home.configure(server, tls=tls)
    run = home.fetched()
    assert len(run.messages) == 1000
    assert all(one["status"] == "done" for one in run.messages)
    account = run.accounts["work"]
    assert account["status"] == "ok" and account["messages"] == 1000
    maildir.assert_same(home.mail, sent)

    assert home.fetched().messages == []
    maildir.assert_same(home.mail, sent)

    new = list(messages.mailbox(10, 2))
    server.fill(new)
    assert len(home.fetched().messages) == 10
    maildir.assert_same(home.mail, sent + new)


def poll_cost(server, home, proxy, count, seed):
    """(octets, round trips) of a poll that finds nothing, the mailbox having
    grown by count messages."""
    sent = list(messages.mailbox(count, seed))
    server.fill(sent)
    home.configure(server, port=proxy.port)
    home.fetched()
    home.fetched()
    proxy.reset()
    assert home.fetched().messages == []
    return proxy.up + proxy.down, proxy.trips


def test_poll_that_finds_nothing_costs_the_same_for_any_mailbox(
        server, home, make_proxy):
    proxy = make_proxy(server.imaps)
    octets, trips = poll_cost(server, home, proxy, 10, 3)
    more_octets, more_trips = poll_cost(server, home, proxy, 990, 4)
    assert more_trips <= trips
    # Numbers of more digits, and what Dovecot says of the time it took.
    assert abs(more_octets - octets) < 100, (octets, more_octets)


def test_polls_of_many_folders_with_nothing_new(server, home):
    sent = []
    for number in range(20):
        part = list(messages.mailbox(5, 100 + number))
        server.fill(part, f"Folder {number}")
        sent += part
    home.configure(server, folders='{ "*" }')
    assert len(home.fetched().messages) == 100
    assert home.fetched().messages == []
    maildir.assert_same(home.mail, sent)


def test_first_run_of_an_empty_mailbox(server, home):
    home.configure(server)
    run = home.fetched()
    assert run.messages == []
    assert run.accounts["work"]["messages"] == 0


def test_messages_appended_between_runs_come_once_each(server, home):
    home.configure(server)
    sent = []
    for number in range(5):
        part = list(messages.mailbox(3, 200 + number))
        for one in part:
            server.append(one.data)
        sent += part
        assert len(home.fetched().messages) == 3
    maildir.assert_same(home.mail, sent)


def test_connection_cut_at_many_places_is_resumed(server, home, make_proxy):
    """Whatever was committed before the cut is not asked for again."""
    sent = list(messages.mailbox(60, 5))
    server.fill(sent)
    proxy = make_proxy(server.imaps)
    home.configure(server, port=proxy.port)
    for octets in (1, 900, 2500, 4000, 5000, 6000, 30_000, 100_000, 200_000):
        proxy.reset()
        proxy.cut_after = octets
        run = home.fetch()
        assert run.code == 75, run
        assert maildir.compare(home.mail, sent)[1:] == (0, 0)
    proxy.cut_after = None
    home.fetched()
    maildir.assert_same(home.mail, sent)


def test_server_that_falls_silent_is_given_up(server, home, make_proxy):
    server.fill(messages.mailbox(60, 5))
    proxy = make_proxy(server.imaps)
    proxy.stall_after = 50_000
    home.configure(server, port=proxy.port, source='timeout = "2s"')
    run = home.fetch(timeout=60)
    assert run.code == 75, run
    proxy.stall_after = None
    proxy.stalled.clear()
    home.fetched()
    assert len(maildir.entries(home.inbox)) == 60
