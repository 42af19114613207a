"""The end that was promised: it comes although a sink hangs, and what hung is
neither lost nor taken for delivered."""

import os
import pathlib
import signal
import time

import maildir
import messages
import pytest
from server import wait_for
from service import Service
from sinks import as_sent, sink
from smtpd import HANG

# Three seconds, on a machine with much to do. What hangs would do so for ten
# minutes.
SOON = 20
IN_DOUBT = "whether it arrived cannot be told"


class Hanging:
    """A program that takes messages, but for ever while `hang` is there."""

    def __init__(self, home):
        self.hang, self.pids = home.root / "hang", home.root / "pids"
        self.out = home.root / "out"
        self.out.mkdir()
        self.hang.touch()
        self.path = home.root / "program"
        self.path.write_text(f"""#!/bin/sh
if test -e {self.hang}; then
  trap '' TERM
  sleep 600 & echo "$$ $!" > {self.pids}.new
  mv {self.pids}.new {self.pids}
  wait; wait
fi
cat > {self.out}/$POSTRIDER_UID
""")
        self.path.chmod(0o755)

    def until_it_hangs(self):
        wait_for(self.pids.exists, 60, "the program")

    def is_gone(self):
        def lives(pid):
            try:
                stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
            except FileNotFoundError:
                return False
            return stat.rpartition(")")[2].split()[0] != "Z"
        return not any(map(lives, self.pids.read_text().split()))

    def taken(self):
        return sorted(path.read_bytes() for path in self.out.iterdir())


def signalled_twice(process):
    """Two of them, for the short grace; returns how long it took to leave."""
    start = time.monotonic()
    process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=SOON)
    return time.monotonic() - start


def test_the_daemon_leaves_a_program_that_hangs(server, home):
    sent = list(messages.mailbox(5, 11))
    server.fill(sent)
    program = Hanging(home)
    home.configure(server, deliver=f'pipe {{ "{program.path}" }}')
    with Service(home) as service:
        program.until_it_hangs()
        assert signalled_twice(service.process) < SOON
        assert service.process.returncode == 0
        assert f"given up on its way to pipe:{program.path}" in service.log
        assert "good-bye" in service.log
    wait_for(program.is_gone, 10, "the end of its whole group")
    assert program.taken() == []
    program.hang.unlink()
    run = home.fetched()
    assert run.err.count(IN_DOUBT) == 1, run  # the others were never begun
    assert program.taken() == sorted(one.delivered for one in sent)
    assert not home.fetched().messages


def test_fetch_leaves_a_program_that_hangs(server, home):
    sent = list(messages.mailbox(3, 12))
    server.fill(sent)
    program = Hanging(home)
    home.configure(
        server, deliver=f'{{ mail / "inbox", pipe {{ "{program.path}" }} }}')
    process = home.start("fetch")
    program.until_it_hangs()
    assert signalled_twice(process) < SOON
    run = home.finish(process)
    assert run.code == os.EX_TEMPFAIL, run
    assert "what hangs is given up" in run.err
    wait_for(program.is_gone, 10, "the end of its whole group")
    program.hang.unlink()
    run = home.fetched()
    assert run.err.count(IN_DOUBT) == 1, run
    assert program.taken() == sorted(one.delivered for one in sent)
    # What a Maildir had is known to it, and not delivered again.
    assert len(maildir.entries(home.inbox)) == len(sent)


@pytest.mark.parametrize("capabilities", [("PIPELINING", "8BITMIME"),
                                          ("PIPELINING", "CHUNKING")])
def test_the_daemon_leaves_a_server_that_never_answers(
        server, home, make_smtpd, capabilities):
    sent = list(messages.mailbox(4, 13))
    server.fill(sent)
    far = make_smtpd({"message": ["250 2.0.0 taken", HANG]},
                     capabilities=capabilities)
    home.configure(server, deliver=sink(
        "smtp", host="127.0.0.1", port=far.port, tls="none",
        to=["alice@example.org"]))
    with Service(home) as service:
        wait_for(lambda: len(far.messages) == 1
                 and len(far.answers["message"]) == 1, 60, "a message")
        wait_for(lambda: sum(line.startswith((b"MAIL"))
                             for line in far.commands) > 1, 60, "the next")
        time.sleep(0.3)
        assert signalled_twice(service.process) < SOON
        assert service.process.returncode == 0
        assert "whether the server took it is not known" in service.log
    far.hang_up()
    far.answers = {}
    run = home.fetched()
    assert run.err.count(IN_DOUBT) == 1, run
    # One reply came in time; the hanging message was not taken.
    assert sorted(one.body() for one in far.messages) == \
        sorted(as_sent(one.data) for one in sent)
