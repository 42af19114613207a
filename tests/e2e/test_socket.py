"""What the daemon sends at its socket, and what docs/control.md says of it."""

import os
import pathlib
import re
import shutil

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from server import free_ports
from service import Line, Service
from watching import FakeClock

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
DOCUMENT = (SOURCE / "docs" / "control.md").read_text()
PATIENCE = 60


def letter(subject):
    return (f"From: bob@example.org\r\nTo: alice@example.org\r\n"
            f"Subject: {subject}\r\nMessage-ID: <{subject}@example.org>\r\n"
            f"\r\nHello.\r\n").encode()


# ---- What is documented

def words(text):
    return set(re.findall(r"`(\w+)`", text))


def table(begin):
    """The table of fields after the paragraph that begins so: what it says of
    each name."""
    found = re.findall(r"\n\n(" + re.escape(begin) + r"[^|]*?):\n\n"
                       r"\| field \| meaning \|\n\| --- \| --- \|\n"
                       r"((?:\|.*\n)+)", DOCUMENT)
    assert len(found) == 1, f"{len(found)} tables of \"{begin}\""
    rows = [row.split(" | ", 1) for row in found[0][1].splitlines()]
    return {name: meaning for names, meaning in rows for name in words(names)}


def names_in(value):
    """Of objects, and of those in them."""
    names = set()
    for name, inner in value.items():
        names.add(name)
        if isinstance(inner, dict):
            names |= names_in(inner)
    return names


def check(begin, *records, sometimes=()):
    """Each record has just the fields of that table; what its objects have
    stands beside their name."""
    meant = table(begin)
    assert records, begin
    for record in records:
        sent = {name: value for name, value in record.items()
                if name not in ("event", "ok")}
        assert set(sent) - set(meant) == set(), begin
        assert set(meant) - set(sent) - set(sometimes) == set(), begin
        for name, value in sent.items():
            if isinstance(value, dict):
                assert names_in(value) == words(meant[name]), (begin, name)


def ask(line, **request):
    """(events by kind, the answer)"""
    events = {}
    line.send(**request)
    while "ok" not in (one := line.read()):
        events.setdefault(one["event"], []).append(one)
    return events, one


# ---- What is sent

RULES = """
sweep("tidy", { account = "work", folder = "INBOX", every = "1h" },
      function(box) box:all():flag "$Swept" end)
on("flags", { folder = "INBOX" }, function(m) m:note "flags" end)
rule("odd", function(m)
  if m.subject == "odd" then error("this is an odd one") end
  if m.subject == "junk" then m:delete() end
  if m.subject == "move" then m:move "Lists" end
  m:note(tostring(http.get("http://127.0.0.1:PORT/")))
end)
"""


@pytest.fixture
def busy(server, home):
    """A home with something in every list of the status."""
    server.create("Lists")
    for subject in ("plain", "odd", "junk", "junk", "move"):
        server.append(letter(subject))
    [closed] = free_ports(1)
    wrong = home.secret("wrong", "wrong")
    home.write(home.account(server, more='every = "1h", '
                            'limit_deletions = { messages = 1 }')
               + home.account(server, name="bad", password=f'file "{wrong}"',
                              more='every = "1h"')
               + RULES.replace("PORT", str(closed)))
    return home


def begun(service):
    """The status, once both accounts had their first pass."""
    def look():
        with Line(service.socket) as line:
            status = ask(line, do="status")[1]
        work, bad = status["accounts"]
        return status if bad["trouble"] and status["held"] and \
            status["put_aside"] and status["sweeps"] and \
            work["state"] == "waiting" else None
    return service.until(look, "first pass")


def check_status(status):
    check("The status", status)
    check("An account", *status["accounts"])
    check("A message put aside", *status["put_aside"])
    check("Held deletions", *status["held"])
    check("A sweep", *status["sweeps"])
    check("A rule", *status["rules"])
    check("A service", *status["services"])


def flag_all(server):
    client = server.client()
    client.select("INBOX")
    client.uid("store", "1:*", "+FLAGS", "(\\Flagged)")
    client.logout()


def test_all_that_is_sent_is_documented(server, busy):
    with Service(busy) as service:
        status = begun(service)
        busy.config.write_text(busy.config.read_text() + "\nnonsense()\n")
        assert service.ask("reload").code == 78
        with Line(service.socket) as follower:
            follower.send(do="status", follow=True)
            check_status(follower.read())
        with Line(service.socket) as line:
            check_status(ask(line, do="status")[1])
            flag_all(server)
            server.append(letter("more"))
            events, _ = ask(line, do="poll", report=True, sweep=True,
                            accounts=["work"])
            assert set(events) == {"message", "hook", "sweep", "account"}
            for kind, told in events.items():
                check(f"The event `{kind}`", *told)
            events, _ = ask(line, do="undo", dry_run=True, accounts=["work"],
                            since=status["daemon"]["started"] - 60)
            check("The event `undo`", *events.pop("undo"))
            check("The event `account`", *events.pop("account", []))
            assert events == {}
            events, _ = ask(line, do="log", level="trace", lines=2000)
            lines = events.pop("log")
            assert events == {}
            check("The event `log`", *lines,
                  sometimes=("account", "folder", "part"))
            assert set().union(*lines) == {"event", *table("The event `log`")}
            families = text_string_to_metric_families(
                ask(line, do="metrics")[1]["metrics"])
        section = DOCUMENT[DOCUMENT.index("## Metrics"):]
        names = {one.name + "_info" * (one.type == "info") for one in families}
        assert names == set(re.findall(r"`(postrider_\w+)`", section))


def test_all_that_may_be_asked_is_documented():
    code = (SOURCE / "core" / "control" / "request.c").read_text()
    known = {name: set(re.findall(r'"(\w+)"', fields))
             for name, fields in re.findall(
                 r'\[REQUEST_\w+\] = \{"(\w+)", \{([^}]*)\}', code)}
    rows = re.search(r"\| request \| fields \| what it does \|\n\|.*\n"
                     r"((?:\|.*\n)+)", DOCUMENT)[1].splitlines()
    meant = {}
    for row in rows:
        _, name, fields, _ = row.split("|", 3)
        meant[name.strip(" `")] = words(fields)
    assert len(known) > 10
    assert meant == known


def test_what_is_told_without_a_daemon_is_documented(server, busy):
    busy.fetch()
    [status] = busy.run("status", "--json").records
    assert status["daemon"] is None
    assert set(table("The status")) - set(status) == \
        {"rules", "services", "hung_jobs"}
    lacking = set(table("An account")) - set(status["accounts"][0])
    told = re.search(r"\nAn account \(without a daemon (.*?) only\)", DOCUMENT,
                     re.DOTALL)[1]
    assert set(table("An account")) - lacking == words(told)
    check("A message put aside", *status["put_aside"])
    check("Held deletions", *status["held"])
    check("A sweep", *status["sweeps"])


# ---- What waits, what hangs

WAITS = """\
#!/bin/sh
while ! test -e "$0.go"; do sleep 0.05; done
exec cat >/dev/null
"""


def waiting(service):
    """What metrics and status say of it, which is the same."""
    families = {one.name: one for one in text_string_to_metric_families(
        service.ask("status", "--metrics").out)}
    family = families["postrider_waiting_messages"]
    assert family.type == "gauge" and family.documentation
    return {one.labels["account"]: one.value for one in family.samples}


def test_messages_that_wait_are_counted(server, home):
    """Behind a program that takes nothing until it is let."""
    slow = home.root / "slow"
    slow.write_text(WAITS)
    slow.chmod(0o700)
    for number in range(5):
        server.append(letter(f"n-{number}"))
    home.write(home.account(server, deliver=f'pipe {{ "{slow}" }}',
                            more='every = "1h"')
               + home.account(server, name="other", folders='{ "Lists" }',
                              more='every = "1h"'))
    server.create("Lists")
    with Service(home) as service:
        service.until(lambda: waiting(service) == {"work": 5, "other": 0},
                      "messages that wait")
        assert service.accounts()["work"]["waiting"] == 5
        home.root.joinpath("slow.go").touch()
        service.until(lambda: waiting(service) == {"work": 0, "other": 0},
                      "messages dealt with")
        service.until_state("waiting", "work")
        account = service.accounts()["work"]
        assert account["waiting"] == 0 and account["today"]["messages"] == 5


def test_a_job_that_hangs_is_shown(server, home, tmp_path):
    """A Maildir++ folder in the making, whose mark is a FIFO that nobody
    reads: to open it for writing takes until somebody does."""
    if shutil.which("cc") is None:
        pytest.skip("no compiler here")
    clock = FakeClock(tmp_path)
    folder = home.root / "Plus" / ".Lists"
    folder.mkdir(parents=True)
    mark = folder / "maildirfolder"
    os.mkfifo(mark, 0o600)
    server.append(letter("one"))
    home.configure(
        server, more='every = "10h"',
        deliver=f'maildir {{ "{folder.parent}", layout = "maildir++" }} '
        '/ "Lists"')
    with Service(home, **clock.environment()) as service, \
            Line(service.socket) as line:
        def hung():
            return ask(line, do="status")[1]["hung_jobs"]
        try:
            service.until(lambda: (folder / "tmp").exists(), "hung job")
            assert hung() == []
            clock.let_pass(31)
            service.until(hung, "word of the job")
            [job] = hung()
            check("A job", job)
            assert job["for"] and job["code"] == "maildir.so"
            assert job["seconds"] >= 31 and job["runs"] is True
            run = service.ask("status")
            assert f"{job['for']}: a job of maildir.so has not ended for " \
                in run.out, run
        finally:
            reader = os.open(mark, os.O_RDONLY | os.O_NONBLOCK)
        service.until(lambda: hung() == [], "end of the job")
        os.close(reader)
        service.until_state("waiting")
        assert len(list((folder / "new").iterdir())) == 1
        assert "a job of maildir.so" not in service.ask("status").out
