"""The daemon: accounts watched, polled, left alone; configurations that follow
one another; its end, orderly or not."""

import re
import signal
import time

import maildir
import messages
import pytest
from service import Service

USERS = {f"user{n}": f"word{n}" for n in range(5)}
FOLDERS = ["INBOX", "Lists/a", "Lists/b", "Lists/c"]


def mail(subject, size=10):
    return (f"Message-ID: <{subject}@example.org>\r\nSubject: {subject}\r\n"
            f"\r\n{'x' * size}\r\n").encode()


def account(home, server, user, **options):
    options.setdefault("more", "watch = true")
    return home.account(server, name=user, user=user,
                        deliver=f'mail / "{user}"', **options)


def logins(server, user):
    return len(re.findall(rf"Login: user=<{user}>", server.log()))


# Without NOTIFY there are fewer connections than folders: IDLE for the first,
# glances for the others.
@pytest.mark.parametrize("lacking", ["", "NOTIFY", "NOTIFY IDLE"])
def test_new_mail_in_any_folder_of_any_account_arrives(
        make_server, home, lacking):
    server = make_server(users=USERS)
    for user in USERS:
        for folder in FOLDERS[1:]:
            server.create(folder, user)
    source = "disable = { %s }" % ", ".join(
        f'"{name}"' for name in lacking.split()) if lacking else ""
    home.write("".join(
        account(home, server, user, folders='{ "*" }', source=source,
                more='watch = true, connections = 2,'
                     ' every = { "10m", ["Lists/*"] = "2s" }')
        for user in USERS))
    with Service(home, "-v") as service:
        service.until_state("waiting" if "IDLE" in lacking else "watching")
        for n, folder in enumerate(FOLDERS):
            if "IDLE" in lacking and folder == "INBOX":
                continue
            for user in USERS:
                server.append(mail(f"{user}-{n}"), folder, user=user)
        count = len(FOLDERS) - ("IDLE" in lacking)
        for user in USERS:
            service.until_here(count, user)
            if not lacking:
                assert service.accounts()[user]["connections"] == 1
            assert logins(server, user) - len(FOLDERS) + 1 - count <= 3, \
                service.log
        assert service.stop() == 0


def test_a_server_that_hangs_delays_no_other(make_server, home, make_proxy):
    server = make_server(users=USERS)
    proxy = make_proxy(server.imaps)
    proxy.stall_after = 1000
    home.write(account(home, server, "user0", port=proxy.port)
               + account(home, server, "user1"))
    with Service(home) as service:
        service.until_state("watching", "user1")
        assert proxy.stalled.wait(30)
        for n in range(3):
            server.append(mail(f"n{n}"), user="user1")
            service.until_here(n + 1, "user1")
        assert service.accounts()["user0"]["state"] == "fetching"
        assert service.stop(timeout=5) == 0  # nothing is in hand there


def test_a_refused_login_is_not_hammered(make_server, home):
    server = make_server(users=USERS)
    home.write(account(home, server, "user0",
                       password=f'file "{home.secret("wrong", "no")}"')
               + account(home, server, "user1", more="watch = true"))

    def failures():
        return server.log().lower().count("password mismatch")

    with Service(home) as service:
        service.until_state("watching", "user1")
        service.until_state("troubled", "user0")
        assert failures() == 1
        for n in range(3):
            server.append(mail(f"n{n}"), user="user1")
            service.until_here(n + 1, "user1")
        assert failures() == 1
        assert service.log.count("next try in") == 1, service.log
        service.ask("poll", "user0")
        assert failures() == 2
        home.secret(USERS["user0"], "no")
        assert service.ask("poll", "user0").code == 0
        service.until_state("watching", "user0")


# Folders that are there although nobody has logged in yet.
LISTS = "namespace inbox {\n%s}\n" % "".join(
    f"  mailbox {folder} {{\n    auto = create\n  }}\n"
    for folder in FOLDERS[1:])


def test_who_gets_no_further_connection_says_why(make_server, home):
    server = make_server(users=USERS,
                         extra=LISTS + "mail_max_userip_connections = 1\n")
    home.write(account(home, server, "user0", folders='{ "*" }',
                       source='disable = { "NOTIFY" }',
                       more='watch = true, connections = 4'))
    with Service(home) as service:
        service.until_state("watching")
        told = [line for line in service.log.splitlines()
                if "no further connection" in line]
        assert len(told) == 1 and "exceeded" in told[0], service.log
        assert "exceeded" in service.accounts()["user0"]["shortage"]
        text = service.ask("status").out
        assert re.search(r"watching 1 of 4.*\n +no further connection: ", text)


def test_a_changed_secret_is_asked_for_again(make_server, home):
    server = make_server(users=USERS)
    secret = home.secret(USERS["user0"], "pass")
    asked = home.root / "asked"
    home.write(account(
        home, server, "user0", password='exec { "/bin/sh", "-c", '
        f'"echo x >>{asked}; cat {secret}" }}'))
    with Service(home, "-v") as service:
        service.until_state("watching")
        assert asked.read_text() == "x\n"
        server.restart()
        home.write(account(
            home, server, "user0", password='exec { "/bin/sh", "-c", '
            f'"echo x >>{asked}; cat {secret}" }}'))
        assert service.ask("reload").code == 0
        service.until_state("watching")
        assert logins(server, "user0") >= 1
        before = asked.read_text()
        home.secret("other", "pass")
        server.set_password("user0", "other")
        server.restart()
        service.until(lambda: logins(server, "user0") >= 2, "new login")
        service.until_state("watching")
        assert len(asked.read_text()) == len(before) + 2


def test_reload_leaves_connections_of_unchanged_accounts(
        make_server, home, make_proxy):
    server = make_server(users=USERS)
    proxies = {user: make_proxy(server.imaps) for user in USERS}

    def write(*users, changed=None):
        home.write("".join(
            account(home, server, user, port=proxies[user].port,
                    source="id = false" if user == changed else "")
            for user in users))

    sent = dict.fromkeys(USERS, 0)

    def send(*users):
        for user in users:
            server.append(mail(f"{user}-{sent[user]}"), user=user)
            sent[user] += 1

    write("user0", "user1", "user2")
    with Service(home, "-vv") as service:
        service.until_state("watching")
        send("user0", "user1", "user2")
        home.config.write_text("this is no configuration")
        assert service.ask("reload").code != 0
        send("user0", "user1", "user2")
        write("user0", "user1", "user3", changed="user1")
        assert service.ask("reload").code == 0
        send("user0", "user1", "user3")
        assert set(service.accounts()) == {"user0", "user1", "user3"}
        service.until(lambda: re.search(r"imap\(user2\).*: Logged out",
                                        server.log()), "end of user2")
        for user in ("user0", "user1", "user3"):
            service.until_here(sent[user], user)
        service.until_state("watching")
        assert {user: one.connections for user, one in proxies.items()} == {
            "user0": 1, "user1": 2, "user2": 1, "user3": 1, "user4": 0}
        assert service.stop() == 0


def test_after_a_restart_of_the_server_all_are_watched_again(
        make_server, home):
    server = make_server(users=USERS)
    home.write("".join(account(home, server, user) for user in USERS))
    with Service(home) as service:
        service.until_state("watching")
        server.stop()
        service.until_state("troubled")
        server.start(same_ports=True)
        for user in USERS:
            server.append(mail(user), user=user)
            service.until_here(1, user)
        service.until_state("watching")


def test_a_term_signal_finishes_what_is_in_hand(make_server, home):
    server = make_server(users=USERS)
    sent = list(messages.mailbox(1500))
    server.fill(sent, user="user0")
    home.write(account(home, server, "user0"))
    place = home.mail / "user0"
    with Service(home) as service:
        while True:
            before = len(maildir.entries(place)) if place.exists() else 0
            service.until(lambda: place.exists() and len(
                maildir.entries(place)) > min(before, 1499), "mail")
            assert service.stop(timeout=15) == 0
            assert maildir.leftovers(home.mail) == []
            if len(maildir.entries(place)) >= 1500:
                break
            service.start()
    maildir.assert_same(home.mail, sent)


def test_a_kill_under_load_loses_and_doubles_nothing(make_server, home):
    server = make_server(users=USERS)
    sent = list(messages.mailbox(900))
    for n, user in enumerate(("user0", "user1", "user2")):
        server.fill(sent[n * 300:(n + 1) * 300], user=user)
    home.write("".join(
        account(home, server, user, after="delete",
                more="watch = true, connections = 1")
        for user in ("user0", "user1", "user2")))

    def count():
        return sum(1 for _ in maildir.all_data(home.mail)) \
            if home.mail.exists() else 0

    service = Service(home)
    try:
        for goal in (1, 150, 300, 450, 600, 750):
            service.until(lambda: count() >= goal, f"{goal} messages")
            assert service.stop(signal.SIGKILL) == -signal.SIGKILL
            service.start()
        service.until(lambda: count() >= 900, "all messages")
        for user in ("user0", "user1", "user2"):
            service.until(lambda: not server.list_uids(user=user), "deletion")
        assert service.stop() == 0
    finally:
        service.process.kill()
        service.process.wait()
    lost, doubled, alien = maildir.compare(home.mail, sent)
    assert (lost, doubled, alien) == (0, 0, 0)


def test_pop3_is_polled_again_and_again(make_server, home):
    server = make_server(users=USERS, pop3=True)
    home.write(account(home, server, "user0", protocol="pop3",
                       folders='{ "INBOX" }', more='every = "1s"'))
    with Service(home) as service:
        for n in range(3):
            server.append(mail(f"n{n}"), user="user0")
            service.until_here(n + 1, "user0")
        assert service.stop() == 0


def test_pop3_is_polled_more_often_than_every_while_mail_comes(
        make_server, home):
    """Nobody tells of new mail: so a look a minute after some came."""
    server = make_server(users=USERS, pop3=True)
    server.append(mail("first"), user="user0")
    home.write(account(home, server, "user0", protocol="pop3",
                       folders='{ "INBOX" }',
                       more='watch = true, every = "10h"'))
    with Service(home) as service:
        service.until_here(1, "user0")
        service.until_state("waiting")
        status = service.accounts()["user0"]
        assert 40 <= status["next_poll"] - time.time() <= 66
        assert service.stop() == 0
