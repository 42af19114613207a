"""What goes wrong is said in clear words, with the right exit status, and
stops nothing else."""

import maildir
import messages
import pytest


def logins(server):
    """Lines of the server's log that show a credential was received."""
    return [line for line in server.log().splitlines()
            if "Login: user" in line or "auth failed" in line.lower()
            or "password mismatch" in line.lower()]


def test_wrong_password(server, home):
    server.fill(messages.mailbox(2, 700))
    secret = home.secret("not the password", "wrong")
    home.configure(server, password=f'file "{secret}"')
    run = home.fetch()
    assert run.code == 77, run
    assert "work" in run.err and "alice" in run.err
    assert "not the password" not in run.err + run.out
    assert "traceback" not in run.err.lower()
    assert len(run.err.splitlines()) <= 3, run
    assert run.accounts["work"]["status"] == "failed"


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
@pytest.mark.parametrize("certificate, words", [
    ("wrong-name", ("name", "localhost")),
    ("expired", ("expired",)),
    ("alien", ("certificate",)),
])
def test_certificate_that_must_not_be_trusted(make_server, home, certificate,
                                              words, tls):
    server = make_server(certificate=certificate)
    server.fill(messages.mailbox(2, 701))
    home.configure(server, tls=tls)
    run = home.fetch("-v")
    assert run.code in (69, 76, 77, 78, 75) and run.code != 0, run
    for word in words:
        assert word in run.err, run
    assert logins(server) == []
    assert maildir.entries(home.inbox) == []
    assert server.users["alice"] not in run.err


def test_starttls_that_is_not_offered(make_server, home):
    server = make_server(extra="ssl = no\n")
    home.configure(server, tls="starttls")
    run = home.fetch()
    assert run.code not in (0, 70), run
    assert "STARTTLS" in run.err
    assert logins(server) == []


def test_password_over_a_clear_line_is_refused(server, home):
    home.configure(server, tls="none")
    run = home.fetch()
    assert run.code not in (0, 70), run
    assert logins(server) == []


def test_server_that_is_not_there(server, home):
    home.configure(server)
    server.stop()
    run = home.fetch()
    assert run.code in (69, 75), run
    assert "localhost" in run.err


def test_no_secret_is_ever_printed(server, home):
    server.fill(messages.mailbox(3, 702))
    home.configure(server)
    run = home.run("fetch", "-v", "-v")
    assert run.code == 0, run
    word = server.users["alice"]
    assert word not in run.out + run.err
    for path in home.state.rglob("*"):
        if path.is_file():
            assert word.encode() not in path.read_bytes(), path


def test_one_account_in_error_does_not_stop_another(make_server, home):
    server = make_server(users={"alice": "a", "bob": "b", "carol": "c"})
    sent = list(messages.mailbox(30, 703))
    for user in ("alice", "bob", "carol"):
        server.fill(sent, user=user)
    wrong = home.secret("wrong", "wrong")
    home.write(
        home.account(server, name="one", user="alice",
                     deliver='mail / "one"')
        + home.account(server, name="two", user="bob", deliver='mail / "two"',
                       password=f'file "{wrong}"')
        + home.account(server, name="three", user="carol",
                       deliver='mail / "three"'))
    run = home.fetch()
    assert run.code == 77, run
    maildir.assert_same(home.mail / "one", sent)
    maildir.assert_same(home.mail / "three", sent)
    assert run.accounts["one"]["status"] == "ok"
    assert run.accounts["two"]["status"] == "failed"
    assert run.accounts["three"]["status"] == "ok"


def test_only_the_named_account_is_fetched(make_server, home):
    server = make_server(users={"alice": "a", "bob": "b"})
    for user in ("alice", "bob"):
        server.fill(messages.mailbox(3, 704), user=user)
    home.write(
        home.account(server, name="one", user="alice", deliver='mail / "one"')
        + home.account(server, name="two", user="bob", deliver='mail / "two"'))
    run = home.fetched("two")
    assert {one["account"] for one in run.messages} == {"two"}
    unknown = home.fetch("tow")
    assert unknown.code in (64, 78)
    assert "tow" in unknown.err and "two" in unknown.err


CONFIGURATIONS = [
    # text, line (1 is the harness's own first line), words
    ('account "x" {\n  sorce = 1,\n}\n', None, ("sorce", "source")),
    ('account "x" { source = imap { hots = "h" } }\n', 2, ("hots", "host")),
    ('account "x" { source = imap { host = 7 } }\n', 2, ("host",)),
    ('acount "x" { }\n', 2, ("acount", "account")),
    ('account "x" {\n', None, ("config.lua",)),
    ('rule("r", { acount = "x" }, function(m) end)\n', 2,
     ("acount", "account")),
    ('account "x" { source = imap { host = "h", user = "u", password = "p",\n'
     '  tls = "implict" }, deliver = mail / "i" }\n', None,
     ("implict", "implicit")),
    ('account "x" { source = imap { host = "h", user = "u", password = "p" },'
     '\n  after = keeep, deliver = mail / "i" }\n', 3, ("keeep", "keep")),
]


@pytest.mark.parametrize("text, line, words", CONFIGURATIONS)
def test_configuration_errors_name_the_place(home, text, line, words):
    home.write(text)
    for command in (["check"], ["fetch"]):
        run = home.run(*command)
        assert run.code == 78, run
        assert "config.lua" in run.err, run
        if line:
            assert f"config.lua:{line}:" in run.err, run
        for word in words:
            assert word in run.err, run
        assert "stack traceback" not in run.err, run


def test_configuration_that_is_missing(home):
    run = home.run("fetch")
    assert run.code == 78, run
    assert str(home.config) in run.err


def test_configuration_with_a_password_that_others_can_read(server, home):
    home.configure(server, password='"wonder land"')
    home.config.chmod(0o644)
    run = home.fetch()
    assert run.code == 78, run
    assert str(home.config) in run.err
    home.config.chmod(0o600)
    home.fetched()


def test_check_of_a_good_configuration(server, home):
    home.configure(server)
    run = home.run("check")
    assert run.code == 0, run
