"""Deletions held when they are too many; what was done on the server taken
back."""

import maildir
import messages
import pytest
import relay
import watching

ALL = """
rule("too eager", function(m) m:delete() end)
"""
MOVE = """
rule("lists", function(m)
  m:copy(mail / "copies") m:flag "\\\\Flagged" m:unflag "\\\\Answered"
  m:move "Lists"
end)
"""


def status(home):
    return home.run("status").out


# ---- Held --------------------------------------------------------------------

def test_too_many_deletions_are_held_until_confirmed(server, home):
    sent = list(messages.mailbox(40, 1))
    server.fill(sent)
    home.configure(server, rules=ALL)
    run = home.fetched()
    assert len(server.list_uids()) == 40
    assert 'postrider confirm "work/INBOX"' in run.err
    told = status(home)
    assert "work/INBOX" in told and "40 messages" in told
    assert 'by rule "too eager" (config.lua:' in told
    assert "postrider refuse" in told
    assert list(maildir.all_data(home.mail)) == []
    run = home.fetched()
    assert run.messages == [] and len(server.list_uids()) == 40
    answer = home.run("confirm", "work")
    assert answer.code == 0 and "work: 40 messages" in answer.out
    assert len(server.list_uids()) == 40
    home.fetched()
    assert server.list_uids() == []
    assert "held" not in status(home)
    assert home.run("confirm", "work").code == 69
    home.fetched()
    assert list(maildir.all_data(home.mail)) == []


def test_a_dry_run_says_that_it_would_be_held(server, home):
    server.fill(messages.mailbox(12, 15))
    home.configure(server, rules=ALL)
    run = home.run("fetch", "--dry-run")
    assert run.code == 0 and "a fetch would hold them" in run.err, run
    home.configure(server, rules=ALL, more="limit_deletions = { percent = 0 }")
    assert "hold" not in home.run("fetch", "--dry-run").err


def test_mail_that_comes_later_is_judged_for_itself(server, home):
    server.fill(messages.mailbox(40, 2))
    home.configure(server, rules=ALL)
    home.fetched()
    server.fill(messages.mailbox(3, 3))
    home.fetched()
    assert len(server.list_uids()) == 40    # three of 43 are few
    assert "40 messages" in status(home)


def test_refused_deletions_leave_mail_on_the_server(server, home):
    server.fill(messages.mailbox(40, 4))
    home.configure(server, rules=ALL)
    home.fetched()
    answer = home.run("refuse", "work/INBOX")
    assert answer.code == 0, answer
    assert "40 messages: they stay on the server" in answer.out
    home.configure(server)
    run = home.fetched()
    assert run.messages == [] and len(server.list_uids()) == 40
    assert "refused" in home.run("why", "work/INBOX/7").out


def test_refused_deletions_may_go_through_mended_rules(server, home):
    sent = list(messages.mailbox(40, 5))
    server.fill(sent)
    home.configure(server, rules=ALL)
    home.fetched()
    assert home.run("refuse", "--retry", "work").code == 0
    home.configure(server)
    home.fetched()
    maildir.assert_same(home.mail, sent)
    assert len(server.list_uids()) == 40


def test_a_few_deletions_are_never_too_many_percent(server, home):
    server.fill(messages.mailbox(9, 6))
    home.configure(server, rules=ALL)
    home.fetched()
    assert server.list_uids() == []


@pytest.mark.parametrize("options, held", [
    ("limit_deletions = { percent = 0 }", False),
    ("limit_deletions = { percent = 0, messages = 39 }", True),
    ("limit_deletions = { percent = 0, messages = 40 }", False),
])
def test_the_limit_is_an_option(server, home, options, held):
    server.fill(messages.mailbox(40, 7))
    home.configure(server, rules=ALL, more=options)
    home.fetched()
    assert len(server.list_uids()) == (40 if held else 0)


def test_the_limit_of_messages_is_that_of_the_whole_run(server, home):
    server.fill(messages.mailbox(30, 8))
    server.fill(messages.mailbox(30, 9), folder="Lists")
    home.configure(server, rules=ALL + """
options { limit_deletions = { messages = 40, percent = 0 } }
""", folders='{ "*" }', more="connections = 1")
    home.fetched()
    left = len(server.list_uids()) + len(server.list_uids("Lists"))
    assert left == 30, left


def test_deletion_after_delivery_is_not_a_rules(server, home):
    sent = list(messages.mailbox(40, 10))
    server.fill(sent)
    home.configure(server, after="delete")
    home.fetched()
    assert server.list_uids() == []
    maildir.assert_same(home.mail, sent)


def test_mail_that_is_discarded_and_then_deleted_is_held(server, home):
    server.fill(messages.mailbox(40, 11))
    home.configure(server, after="delete", rules="""
rule("discards", function(m) m:discard "no" end)
""")
    home.fetched()
    assert len(server.list_uids()) == 40
    assert 'by rule "discards"' in status(home)


def test_pop3_deletions_are_held_too(make_server, home):
    server = make_server(pop3=True)
    server.fill(messages.mailbox(40, 12))
    home.configure(server, rules=ALL, protocol="pop3")
    home.fetched()
    assert len(server.list_uids()) == 40
    assert home.run("confirm", "work").code == 0
    home.fetched()
    assert server.list_uids() == []


def test_the_daemon_holds_and_confirms(server, home):
    server.fill(messages.mailbox(40, 13))
    home.configure(server, rules=ALL, more="watch = true")
    with watching.Daemon(home) as daemon:
        def run(*args):
            return home.run(*args, XDG_RUNTIME_DIR=daemon.runtime.name)
        daemon.until(lambda: "40 messages" in run("status").out, 60, "held")
        assert len(server.list_uids()) == 40
        answer = run("confirm", "work/INBOX")
        assert answer.code == 0, answer
        assert server.list_uids() == []
        server.fill(messages.mailbox(40, 14))
        run("poll")
        assert "40 messages" in run("status").out
        assert run("refuse", "work").code == 0
        assert len(server.list_uids()) == 40
        assert "limit_deletions" not in run("status").out


def test_a_daemons_run_is_an_hour(server, home):
    """One rule that deletes a little each time is stopped as well."""
    home.configure(server, rules=ALL, more="watch = true,\n  "
                   "limit_deletions = { messages = 8, percent = 0 }")
    with watching.Daemon(home) as daemon:
        def run(*args):
            return home.run(*args, XDG_RUNTIME_DIR=daemon.runtime.name)
        run("poll")
        server.fill(messages.mailbox(5, 16))
        assert run("poll").code == 0
        assert server.list_uids() == []
        server.fill(messages.mailbox(5, 17))
        assert run("poll").code == 0
        assert len(server.list_uids()) == 5
        assert "5 messages" in run("status").out


# ---- Undone ------------------------------------------------------------------

def moved(server, home, count=5, seed=20, **options):
    """A home whose rule moved so many messages; what was sent."""
    sent = list(messages.mailbox(count, seed))
    server.fill(sent)
    server.create("Lists")
    home.configure(server, rules=MOVE, **options)
    home.fetched()
    assert server.list_uids() == []
    assert len(server.list_uids("Lists")) == count
    return sent


def by_body(server, folder):
    flags = server.flags(folder)
    return {body: flags[uid] for uid, body in server.bodies(folder).items()}


def test_moves_and_flags_are_undone_and_nothing_comes_twice(server, home):
    sent = list(messages.mailbox(12, 21))
    server.fill(sent)
    before = by_body(server, "INBOX")
    home.configure(server, rules=MOVE)
    home.fetched()
    assert server.list_uids() == []
    shown = home.run("undo", "--last", "10m", "--dry-run")
    assert shown.code == 0 and "12 would be undone" in shown.out, shown
    assert server.list_uids() == []
    run = home.run("undo", "--last", "10m")
    assert run.code == 0 and "12 undone" in run.out, run
    assert "moved to Lists" in run.out and "\\Flagged" in run.out
    assert server.list_uids("Lists") == []
    assert by_body(server, "INBOX") == before
    again = home.fetched()
    assert again.messages == []
    maildir.assert_same(home.mail, sent)
    run = home.run("undo", "--last", "10m")
    assert run.code == 0 and "nothing was done" in run.out, run


def test_flags_alone_are_undone(server, home):
    sent = list(messages.mailbox(12, 22))
    server.fill(sent)
    before = by_body(server, "INBOX")
    home.configure(server, after="seen")
    home.fetched()
    assert all("\\Seen" in one for one in server.flags().values())
    run = home.run("undo", "--last", "1h", "work")
    assert run.code == 0, run
    assert by_body(server, "INBOX") == before
    assert home.fetched().messages == []


def test_flags_and_a_later_move_are_undone_in_turn(server, home):
    sent = list(messages.mailbox(6, 23))
    server.fill(sent)
    before = by_body(server, "INBOX")
    home.configure(server, after="seen")
    home.fetched()
    server.create("Two")
    home.configure(server, folders='{ "INBOX" }')
    # The same messages, by another way: the rules run over them again.
    home.configure(server, rules="""
rule("on", function(m) m:move "Two" end)
""", name="other")
    home.fetched()
    assert len(server.list_uids("Two")) == 6
    home.write(home.account(server) + home.account(server, name="other"))
    run = home.run("undo", "--last", "10m")
    assert "12 undone" in run.out or run.code == 69, run
    assert len(server.list_uids()) == 6


def test_copies_stay_and_deletions_are_told_of(server, home):
    server.fill(messages.mailbox(3, 24))
    server.create("Kept")
    home.configure(server, rules="""
rule("both", function(m) m:copy_to "Kept" m:delete() end)
""")
    home.fetched()
    run = home.run("undo", "--last", "10m")
    assert run.code == 0, run
    assert "6 left as they are" in run.out
    assert "deleted for good" in run.out and "the copy stays" in run.out
    assert len(server.list_uids("Kept")) == 3


def test_a_message_that_has_gone_is_named(server, home):
    moved(server, home, 3, 25)
    client = server.client()
    client.select("Lists")
    client.uid("store", "2", "+FLAGS", "(\\Deleted)")
    client.expunge()
    client.logout()
    run = home.run("undo", "--last", "10m")
    assert run.code == 69 and "2 undone, 1 cannot be undone" in run.out, run
    assert 'it is no longer in "Lists"' in run.out
    assert home.fetched().messages == []


@pytest.mark.parametrize("folder", ["Lists", "INBOX"])
def test_folders_that_were_numbered_anew_are_left_alone(server, home, folder):
    moved(server, home, 3, 26)
    server.change_uidvalidity(folder)
    run = home.run("undo", "--last", "10m")
    assert run.code == 69 and f'numbered "{folder}" anew' in run.out, run
    assert len(server.list_uids("Lists")) == 3


def test_a_time_before_which_nothing_is_undone(server, home):
    moved(server, home, 3, 27)
    run = home.run("undo", "--since", "2038-01-01")
    assert run.code == 0 and "nothing was done" in run.out, run
    assert home.run("undo").code == 64
    assert home.run("undo", "--last", "soon").code == 64
    assert home.run("undo", "--since", "soon").code == 64
    assert home.run("undo", "--last", "1h", "nobody").code == 78
    run = home.run("undo", "--since", "2020-01-01", "--json")
    assert run.code == 0 and len(run.records) == 3, run
    assert all(one["status"] == "undone" for one in run.records)


def without_copyuid(line):
    """What a server says that has no UIDPLUS and moves by MOVE alone."""
    if b"[COPYUID" in line:
        head, _, rest = line.partition(b"[COPYUID")
        line = head + rest.partition(b"] ")[2]
    return relay.without("UIDPLUS")(line)


def test_servers_without_uidplus(server, home):
    with relay.Relay(server.imap, rewrite=without_copyuid) as line:
        sent = moved(server, home, 5, 28, tls="none", port=line.port,
                     host="127.0.0.1", source="insecure = true")
        run = home.run("undo", "--last", "10m")
        assert run.code == 0 and "5 undone" in run.out, run
        assert server.list_uids("Lists") == []
        assert home.fetched().messages == []
        maildir.assert_same(home.mail, sent)


def test_of_two_equal_messages_none_is_guessed(server, home):
    one = next(iter(messages.mailbox(1, 29)))
    with relay.Relay(server.imap, rewrite=without_copyuid) as line:
        server.create("Lists")
        server.append(one.data, "Lists")
        server.append(one.data)
        home.configure(server, rules=MOVE, tls="none",
                       port=line.port, host="127.0.0.1",
                       source="insecure = true")
        home.fetched()
        run = home.run("undo", "--last", "10m")
        assert run.code == 69 and "has it 2 times" in run.out, run
        assert len(server.list_uids("Lists")) == 2


def test_the_daemon_undoes(server, home):
    sent = list(messages.mailbox(6, 30))
    server.fill(sent)
    server.create("Lists")
    home.configure(server, rules=MOVE, more="watch = true")
    with watching.Daemon(home) as daemon:
        def run(*args):
            return home.run(*args, XDG_RUNTIME_DIR=daemon.runtime.name)
        daemon.until(lambda: len(server.list_uids("Lists")) == 6, 60, "moved")
        shown = run("undo", "--last", "10m", "-n")
        assert shown.code == 0 and "6 would be undone" in shown.out, shown
        assert run("pause").code == 0
        others = run("undo", "--last", "10m")
        assert "work: is paused; what was done there is undone if" \
            in others.err, others
        assert len(server.list_uids("Lists")) == 6
        undone = run("undo", "--last", "10m", "work")
        assert undone.code == 0 and "6 undone" in undone.out, undone
        assert run("resume").code == 0
        assert run("poll").code == 0
        assert len(server.list_uids()) == 6
        assert server.list_uids("Lists") == []
        maildir.assert_same(home.mail, sent)


# ---- Hooks -------------------------------------------------------------------

HOOKS = """
on("flags", {{ folder = "INBOX" }}, function(m, e)
  if e.added["\\\\Flagged"] then {what} end
end)
"""


def flag_all(server):
    client = server.client()
    client.select("INBOX")
    client.uid("store", "1:*", "+FLAGS", "(\\Flagged)")
    client.logout()


def test_what_hooks_moved_is_undone_and_not_told_to_them(server, home):
    sent = [one for one in messages.mailbox(20, 42)
            if "\\Flagged" not in one.flags][:5]
    server.fill(sent)
    home.configure(server, rules=HOOKS.format(what='m:move "Lists"'))
    home.fetched()
    flag_all(server)
    home.fetched()
    assert len(server.list_uids("Lists")) == 5 and not server.list_uids()
    run = home.run("undo", "--last", "10m")
    assert run.code == 0 and "5 undone" in run.out, run
    assert len(server.list_uids()) == 5 and not server.list_uids("Lists")
    assert home.fetched().messages == []
    assert len(server.list_uids()) == 5
    maildir.assert_same(home.mail, sent)


def test_hooks_that_delete_too_much_do_not(server, home):
    sent = [one for one in messages.mailbox(60, 43)
            if "\\Flagged" not in one.flags][:20]
    server.fill(sent)
    home.configure(server, rules=HOOKS.format(what="m:delete()"))
    home.fetched()
    flag_all(server)
    run = home.fetch()
    assert "than limit_deletions allows" in run.err, run
    assert len(server.list_uids()) == 20


# ---- Killed at every step ----------------------------------------------------

def killed_at_each_step(make, work, check):
    """Runs work(home, step) with the program to be killed at its step 1, 2, ...
    each time in a home of its own, until it comes to its end unharmed."""
    for step in range(1, 60):
        trial = make()
        run = work(trial, step)
        check(trial, step)
        if run.code != -9:
            return step
    raise AssertionError("it has no end")


class Trial:
    def __init__(self, server, home, user):
        self.server, self.home, self.user = server, home, user

    def uids(self, folder="INBOX"):
        return self.server.list_uids(folder, user=self.user)


def trials(make_server, make_home, rules, count, **options):
    """Makes mailboxes that the rules have run over already."""
    server = make_server(users={f"user{n}": "secret" for n in range(60)})
    sent = list(messages.mailbox(count, 40))
    number = iter(range(60))

    def make():
        trial = Trial(server, make_home(), f"user{next(number)}")
        server.fill(sent, user=trial.user)
        server.create("Lists", user=trial.user)
        trial.home.configure(server, rules=rules, user=trial.user, **options)
        trial.home.fetched()
        trial.sent = sent
        return trial
    return make


def test_undo_killed_at_any_step_loses_and_doubles_nothing(make_server,
                                                           make_home):
    def work(trial, step):
        return trial.home.run("undo", "--last", "10m",
                              POSTRIDER_CRASH_AT=step)

    def check(trial, step):
        # First a fetch: what came back must not be taken for new.
        run = trial.home.fetched()
        assert run.messages == [], (step, run)
        assert len(trial.uids()) + len(trial.uids("Lists")) == 4, step
        again = trial.home.run("undo", "--last", "10m")
        assert again.code == 0, (step, again)
        assert len(trial.uids()) == 4 and not trial.uids("Lists"), step
        assert trial.home.fetched().messages == [], step
        maildir.assert_same(trial.home.mail, trial.sent)

    make = trials(make_server, make_home, MOVE, 4)
    assert killed_at_each_step(make, work, check) > 4


def test_undo_killed_and_then_undone_again(make_server, make_home):
    def work(trial, step):
        return trial.home.run("undo", "--last", "10m",
                              POSTRIDER_CRASH_AT=step)

    def check(trial, step):
        again = trial.home.run("undo", "--last", "10m")
        assert again.code == 0, (step, again)
        assert len(trial.uids()) == 3 and not trial.uids("Lists"), step
        assert trial.home.fetched().messages == [], step
        maildir.assert_same(trial.home.mail, trial.sent)

    make = trials(make_server, make_home, MOVE, 3)
    assert killed_at_each_step(make, work, check) > 4


@pytest.mark.parametrize("answer", ["confirm", "refuse"])
def test_answers_killed_at_any_step(make_server, make_home, answer):
    """Held, answered and carried out, killed in the fetch that does it."""
    def work(trial, step):
        assert len(trial.uids()) == 12
        assert trial.home.run(answer, "work").code == 0
        return trial.home.fetch(POSTRIDER_CRASH_AT=step)

    def check(trial, step):
        trial.home.fetched()
        assert len(trial.uids()) == (0 if answer == "confirm" else 12), step
        assert list(maildir.all_data(trial.home.mail)) == [], step
        assert "limit_deletions" not in status(trial.home), step

    make = trials(make_server, make_home, ALL, 12)
    steps = killed_at_each_step(make, work, check)
    assert steps > 2 or answer == "refuse"


def test_judging_killed_at_any_step(make_server, make_home):
    """Killed in the run that is to hold what its rules want deleted."""
    server = make_server(users={f"user{n}": "secret" for n in range(60)})
    number = iter(range(60))

    def make():
        trial = Trial(server, make_home(), f"user{next(number)}")
        server.fill(messages.mailbox(12, 41), user=trial.user)
        trial.home.configure(server, rules=ALL, user=trial.user)
        return trial

    def work(trial, step):
        return trial.home.fetch(POSTRIDER_CRASH_AT=step)

    def check(trial, step):
        trial.home.fetched()
        assert len(trial.uids()) == 12, step
        assert "12 messages" in status(trial.home), step

    assert killed_at_each_step(make, work, check) > 2
