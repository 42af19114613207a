"""A mailbox that changes under the client: UIDVALIDITY, other clients, other
processes."""

import threading

import dovecot
import maildir
import messages


def test_changed_uidvalidity_doubles_nothing_and_downloads_nothing(
        server, home, make_proxy):
    sent = list(messages.mailbox(300, 500))
    server.fill(sent)
    proxy = make_proxy(server.imaps)
    home.configure(server, port=proxy.port)
    home.fetched()
    whole = proxy.down
    server.change_uidvalidity()
    proxy.reset()
    home.fetched()
    maildir.assert_same(home.mail, sent)
    assert proxy.down < whole / 2, (proxy.down, whole)

    proxy.reset()
    home.fetched()
    assert proxy.down < 20_000
    maildir.assert_same(home.mail, sent)


def test_changed_uidvalidity_and_new_messages_in_one(server, home):
    sent = list(messages.mailbox(50, 501))
    server.fill(sent)
    home.configure(server)
    home.fetched()
    server.change_uidvalidity()
    new = list(messages.mailbox(7, 502))
    server.fill(new)
    run = home.fetched()
    assert len(run.messages) == 7
    maildir.assert_same(home.mail, sent + new)


def test_equal_messages_are_counted_after_a_changed_uidvalidity(server, home):
    """Two equal messages are two; a third equal one that came later is new."""
    twin = b"Message-ID: <twin@x>\r\nSubject: twin\r\n\r\ntext\r\n"
    for _ in range(2):
        server.append(twin, date=1_700_000_000)
    home.configure(server)
    assert len(home.fetched().messages) == 2
    server.change_uidvalidity()
    server.append(twin, date=1_700_000_000)
    assert len(home.fetched().messages) == 1
    assert len(maildir.entries(home.inbox)) == 3


def expunge(client, uids):
    client.uid("store", ",".join(map(str, uids)), "+FLAGS.SILENT",
               "(\\Deleted)")
    client.expunge()


def test_another_client_expunges_appends_and_flags_meanwhile(
        server, home, make_proxy):
    sent = list(messages.mailbox(400, 510))
    server.fill(sent)
    uids = server.list_uids()
    new = list(messages.mailbox(10, 511))
    proxy = make_proxy(server.imaps)
    done = threading.Event()

    def meddle(octets):
        if octets < 200_000 or done.is_set():
            return
        done.set()
        client = server.client()
        client.select()
        client.uid("store", "1:*", "+FLAGS.SILENT", "(\\Flagged)")
        expunge(client, uids[5:10] + uids[-30:])
        for one in new:
            server.append(one.data, client=client)
        client.logout()

    proxy.on_down = meddle
    home.configure(server, port=proxy.port)
    run = home.fetch()
    assert done.is_set()
    assert run.code in (0, 75), run
    home.fetched()
    gone = {one.delivered for one in sent[5:10] + sent[-30:]}
    stayed = [one for one in sent if one.delivered not in gone]
    lost, doubled, _ = maildir.compare(home.mail, stayed + new)
    assert (lost, doubled) == (0, 0)
    assert maildir.compare(home.mail, sent + new)[1:] == (0, 0)
    assert home.fetched().messages == []


def test_a_folder_that_is_deleted_meanwhile(server, home, make_proxy):
    server.fill(messages.mailbox(20, 520), "Going")
    stays = list(messages.mailbox(100, 521))
    server.fill(stays)
    client = server.client()
    home.configure(server, folders='{ "INBOX", "Going" }')
    home.fetched()
    client.delete('"Going"')
    client.logout()
    home.fetch()
    server.append(b"Subject: later\r\n\r\ntext\r\n")
    home.fetch()
    assert len(maildir.entries(home.inbox)) == 121


def test_second_process_on_one_account_waits_for_its_turn(
        server, home, make_proxy):
    sent = list(messages.mailbox(100, 530))
    server.fill(sent)
    proxy = make_proxy(server.imaps)
    proxy.stall_after = 100_000
    home.configure(server, port=proxy.port)
    first = home.start("fetch")
    try:
        assert proxy.stalled.wait(30)
        second = home.fetch()
        assert second.code == 75, second
        assert "work" in second.err and second.messages == []
    finally:
        first.kill()
        home.finish(first)
    proxy.stall_after = None
    proxy.stalled.clear()
    home.fetched()
    maildir.assert_same(home.mail, sent)


def test_server_killed_in_mid_fetch(server, home, make_proxy):
    sent = list(messages.sized(800, 540))
    server.fill(sent)
    proxy = make_proxy(server.imaps)
    killed = threading.Event()

    def kill(octets):
        if octets > 1_000_000 and not killed.is_set():
            killed.set()
            server.kill()

    proxy.on_down = kill
    home.configure(server, port=proxy.port)
    run = home.fetch()
    assert killed.is_set()
    assert run.code == 75, run
    assert "Traceback" not in run.err and "traceback" not in run.err
    assert maildir.compare(home.mail, sent)[1:] == (0, 0)

    again = home.fetch()
    assert again.code in (69, 75), again

    server.start(same_ports=True)
    dovecot.wait_for(lambda: dovecot.answers(server.imaps), 10, "server")
    home.fetched()
    maildir.assert_same(home.mail, sent)
    assert home.fetched().messages == []
