"""The commands themselves: what they print, and how they end."""

import os
import pty
import select
import signal
import subprocess
import threading
import time

import maildir
import messages


def test_dry_run_changes_nothing(server, home):
    sent = list(messages.mailbox(30, 900))
    server.fill(sent)
    server.create("Junk")
    home.configure(server, after="delete", rules="""
rule("spam", function(m)
  if m:header "X-Spam-Flag" == "YES" then m:move "Junk" end
end)
""")
    before = server.flags()
    run = home.fetched("--dry-run")
    assert len(run.messages) == 30
    assert all(one["status"] == "planned" for one in run.messages)
    assert "move" in {one["action"] for one in run.messages}
    assert server.flags() == before
    assert maildir.folders(home.root / "Mail") == []
    # The real run then does what was planned.
    real = home.fetched()
    plan = {(one["uid"], one["action"], one.get("rule"))
            for one in run.messages}
    assert plan == {(one["uid"], one["action"], one.get("rule"))
                    for one in real.messages}


def test_dry_run_in_words(server, home):
    server.fill(messages.mailbox(5, 901))
    home.configure(server)
    run = home.run("fetch", "--dry-run")
    assert run.code == 0 and run.out.count("\n") >= 5, run
    assert "inbox" in run.out


def test_why_names_the_rule_and_its_line(server, home):
    sent = list(messages.mailbox(40, 902))
    server.fill(sent)
    home.configure(server, rules="""
rule("lists", function(m)
  if m.list_id then
    m:deliver(mail / "lists")
  end
end)
""")
    run = home.fetched()
    one = next(one for one in run.messages if one.get("rule") == "lists")
    text = home.config.read_text().split("\n")
    line = 1 + next(i for i, found in enumerate(text)
                    if "m:deliver(mail" in found)
    assert one["line"] == line
    for name in (one["message_id"], one["message_id"].strip("<>")):
        why = home.run("why", name)
        assert why.code == 0, why
        assert "lists" in why.out and f":{line}" in why.out, why
    unknown = home.run("why", "<nobody@nowhere>")
    assert unknown.code != 0 and "nobody@nowhere" in unknown.err


def test_json_has_every_field(server, home):
    server.fill(messages.mailbox(3, 903))
    home.configure(server)
    run = home.fetched()
    for one in run.messages:
        for name in ("account", "folder", "uid", "message_id", "from",
                     "subject", "size", "action", "targets", "outcomes",
                    "status"):
            assert name in one, name
        assert one["targets"] == [f"maildir:{home.inbox}"]
    assert run.records[-1]["event"] == "account"
    assert set(run.accounts["work"]) >= {"status", "messages", "octets"}


def test_quiet_when_not_on_a_terminal(server, home):
    server.fill(messages.mailbox(20, 904))
    home.configure(server)
    run = home.run("fetch")
    assert run.code == 0 and "\r" not in run.out + run.err, run
    assert len((run.out + run.err).splitlines()) <= 2, run


def read_terminal(master, process, seconds):
    """All that a process writes to its terminal."""
    end, data = time.monotonic() + seconds, b""
    while time.monotonic() < end:
        ready, _, _ = select.select([master], [], [], 0.2)
        if ready:
            try:
                data += os.read(master, 65536)
            except OSError:
                break
        elif process.poll() is not None:
            break
    return data.decode(errors="replace")


def test_progress_line_on_a_terminal(server, home, make_proxy):
    server.fill(messages.mailbox(300, 905))
    proxy = make_proxy(server.imaps)
    proxy.on_down = lambda octets: time.sleep(0.03)
    home.configure(server, port=proxy.port)
    master, slave = pty.openpty()
    process = subprocess.Popen(
        home.argv("fetch"), env=home.environment(TERM="xterm", COLUMNS=80),
        stdin=slave, stdout=slave, stderr=slave, cwd=home.root)
    os.close(slave)
    text = read_terminal(master, process, 60)
    assert process.wait(30) == 0, text
    os.close(master)
    assert "\r" in text.replace("\r\n", "\n"), text
    assert "INBOX" in text and "300" in text, text


def test_sigterm_in_mid_fetch_ends_cleanly(server, home, make_proxy):
    for signal_ in (signal.SIGTERM, signal.SIGINT):
        sent = list(messages.mailbox(300, 906 + signal_))
        server.fill(sent, f"From {signal_}")
        proxy = make_proxy(server.imaps)
        reached = threading.Event()
        proxy.on_down = lambda octets: (
            octets > 300_000 and (reached.set(), time.sleep(0.05)))
        home.configure(server, port=proxy.port, deliver=f'mail / "{signal_}"',
                       folders=f'{{ "From {signal_}" }}',
                       source="window = 10, window_octets = 65536")
        process = home.start("fetch")
        assert reached.wait(60)
        begin = time.monotonic()
        process.send_signal(signal_)
        run = home.finish(process)
        assert run.code in (0, 75, 128 + signal_), run
        assert time.monotonic() - begin < 20
        assert "ERROR" not in run.err, run
        assert maildir.leftovers(home.mail) == []
        place = home.mail / str(int(signal_))
        lost, doubled, alien = maildir.compare(place, sent)
        assert 0 < lost < 300 and (doubled, alien) == (0, 0)
        proxy.on_down = None
        home.fetched()
        maildir.assert_same(place, sent)
    assert "Logged out" in server.log()


def test_help_version_and_usage(home):
    version = home.run("--version")
    assert version.code == 0 and version.out.startswith("postrider ")
    assert home.run("--help").code == 0
    for command in ("fetch", "check", "why", "plugins"):
        text = home.run(command, "--help")
        assert text.code == 0 and command in text.out, text
    for wrong in (["nonsense"], ["fetch", "--nonsense"], ["why"]):
        run = home.run(*wrong)
        assert run.code == 64, run
        assert run.err and run.out == ""
    assert "fetch" in home.run("fecth").err


def test_plugins_are_listed_with_their_options(home):
    listing = home.run("plugins")
    assert listing.code == 0, listing
    assert "imap" in listing.out and "maildir" in listing.out
    options = home.run("plugins", "imap")
    assert options.code == 0 and "host" in options.out, options
    unknown = home.run("plugins", "imaap")
    assert unknown.code != 0 and "imap" in unknown.err


def test_a_broken_plugin_gets_a_clear_error(home):
    folder = home.root / "plugins"
    folder.mkdir()
    (folder / "broken.so").write_bytes(b"this is no shared object")
    installed = home.prefix / "lib" / "postrider" / "plugins"
    run = home.run("plugins", POSTRIDER_PLUGIN_DIR=f"{folder}:{installed}")
    assert "broken.so" in run.err + run.out, run


def test_configuration_by_environment(server, home):
    server.fill(messages.mailbox(2, 920))
    home.configure(server)
    binary = home.argv()[0]
    done = subprocess.run([binary, "fetch"], cwd=home.root,
                          env=home.environment(POSTRIDER_CONFIG=home.config))
    assert done.returncode == 0
    assert len(maildir.entries(home.inbox)) == 2
