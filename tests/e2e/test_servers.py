"""Servers that can less than others, and each way to name a secret."""

import stat

import maildir
import messages
import pytest

LACKING = [
    ["ESEARCH"], ["CONDSTORE"], ["SASL-IR"], ["AUTH=PLAIN"],
    ["AUTH=PLAIN", "SASL-IR", "LITERAL+"], ["NAMESPACE"], ["ENABLE"],
    ["LITERAL+"], ["ID"], ["UIDPLUS", "MOVE", "ESEARCH", "SASL-IR"],
]


@pytest.mark.parametrize("lacks", LACKING, ids=" ".join)
def test_server_without(server, home, lacks):
    names = ", ".join(f'"{name}"' for name in lacks)
    sent = list(messages.mailbox(20, 1000))
    server.fill(sent, "A & B")
    home.configure(server, folders='{ "*" }', after="delete",
                   source=f"disable = {{ {names} }}")
    home.fetched()
    maildir.assert_same(home.mail, sent)
    assert server.list_uids("A & B") == []
    assert home.fetched().messages == []


def test_server_that_says_only_imap4rev1(make_server, home):
    server = make_server(capability="IMAP4rev1")
    sent = list(messages.mailbox(50, 1001))
    server.fill(sent)
    home.configure(server, after="delete")
    home.fetched()
    maildir.assert_same(home.mail, sent)
    assert server.list_uids() == []


@pytest.mark.parametrize("word", [
    "plain", 'with "quotes" and \\ backslash', "größe € 日本", "x" * 900,
    "%n{1}", "~!@#$^&*()[]",
])
def test_passwords_of_every_kind(make_server, home, word):
    server = make_server(users={"alice": word})
    server.fill(messages.mailbox(2, 1002))
    home.configure(server)
    assert len(home.fetched().messages) == 2
    home.configure(server, source='disable = { "AUTH=PLAIN" }')
    assert home.fetched().messages == []


def test_secret_from_a_program(server, home):
    server.fill(messages.mailbox(2, 1003))
    helper = home.root / "helper"
    helper.write_text('#!/bin/sh\necho "$1"\necho a second line\n')
    helper.chmod(helper.stat().st_mode | stat.S_IXUSR)
    home.configure(server, password=f'exec {{ "{helper}", "wonder land" }}')
    assert len(home.fetched().messages) == 2


def test_secret_program_that_fails(server, home):
    home.configure(
        server, password='exec { "sh", "-c", "echo no >&2; exit 3" }')
    run = home.fetch()
    assert run.code != 0 and "no" in run.err, run
    home.configure(server, password='exec { "sleep", "600" }',
                   source='timeout = "2s"')
    run = home.fetch(timeout=90)
    assert run.code != 0, run


def test_secret_from_the_environment(server, home):
    server.fill(messages.mailbox(2, 1004))
    home.configure(server, password='env "MAIL_PASSWORD"')
    assert len(home.fetched(MAIL_PASSWORD="wonder land").messages) == 2
    run = home.fetch()
    assert run.code != 0 and "MAIL_PASSWORD" in run.err, run


def test_secret_file_that_others_can_read(server, home):
    secret = home.secret("wonder land", "open")
    secret.chmod(0o644)
    home.configure(server, password=f'file "{secret}"')
    run = home.fetch()
    assert run.code != 0 and str(secret) in run.err, run


def test_several_accounts_and_folders_side_by_side(make_server, home):
    users = {f"user{n}": f"word{n}" for n in range(6)}
    server = make_server(users=users)
    text = ""
    sent = {}
    for number, user in enumerate(users):
        sent[user] = []
        for folder in ("INBOX", "One", "Two/Three"):
            part = list(messages.mailbox(20, 1100 + 10 * number))
            server.fill(part, folder, user)
            sent[user] += part
        text += home.account(server, name=user, user=user,
                             folders='{ "*" }', deliver=f'mail / "{user}"')
    home.write(text)
    home.fetched()
    for user, messages_ in sent.items():
        maildir.assert_same(home.mail / user, messages_)
    assert home.fetched().messages == []


def test_nothing_outside_the_home_is_written(server, home):
    """Temporary files, state and mail all lie where they were asked for."""
    server.fill([messages.large(2_000_000), *messages.mailbox(5, 1200)])
    home.configure(server)
    home.fetched()
    left = [path for path in home.root.rglob("*")
            if path.is_file() and home.mail not in path.parents
            and home.state not in path.parents]
    assert sorted(path.name for path in left) == \
        ["config.lua", "password-alice"]
