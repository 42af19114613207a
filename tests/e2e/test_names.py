"""Every name of the manual has a test that asserts what it says.

A name is shown by a line of a test that uses it and claims something of what
comes of it, or by a test that the table SHOWN names, which must be there and use
it. Reading it alone, as the tests of odd mail do, does not count.
"""

import pathlib
import re

import pytest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
TESTS = SOURCE / "tests"
# These go through all names, and claim little of each.
READERS = {"test_names.py", "test_docs.py", "test_odd.py", "lua_odd.c"}
CLAIM = re.compile(r"assert|holds|==|~=|fails\(|refused\(|m:note|print\(|"
                   r"ends_with|strstr|expect|note_|fail_msg|if |return |"
                   r"asks\(|\": \"") # the last: what is asked, what comes
# Names that are shown by more than one line: file, test, and the word that
# stands for the name there if it is another.
SHOWN = {
    "attributes": ("test_calls.py", "test_a_directory_is_asked"),
    "delete_after": ("test_pop3.py", "test_delete_after_waits"),
    "handle": ("vacation.lua", None),
    "mock": ("lua_testing.c", "services_answer_what_is_set"),
    "percent": ("test_undo.py", "test_a_dry_run_says_that_it_would_be_held"),
    "rcpt": ("test_calls.py", "test_a_colon_asks_as_a_dot_does"),
    "add_header": ("lua_message.c", "every_action_is_noted_with_rule_and_line"),
    "remove_header": ("lua_message.c",
                      "every_action_is_noted_with_rule_and_line"),
    "unflag": ("test_rules.py",
               "test_keywords_of_the_server_and_of_rules_are_on_the_copy"),
    "subscribe": ("test_sweep.py",
                  "test_folders_are_made_renamed_subscribed_and_deleted"),
    "unsubscribe": ("test_sweep.py",
                    "test_folders_are_made_renamed_subscribed_and_deleted"),
    "bind_dn": ("test_calls.py", "test_a_directory_is_asked"),
    "command": ("test_pipe.py", "test_ways_to_write_the_command"),
    "concurrency": ("test_calls.py", "test_a_hundred_wait_at_once"),
    "connections_per_host": ("lua_config.c", "configuration_becomes_plain_c"),
    "dns": ("test_calls.py", "test_names_are_asked_for"),
    "dsn_return": ("smtp-dsn.wire", None, "RET=FULL"),
    "domains": ("smtp_letter.c", "any_domain_has_to_be_said"),
    "to_header": ("smtp_letter.c", "the_topmost_field_names_the_recipients"),
    "every": ("lua_config.c", "configuration_becomes_plain_c"),
    "final_timeout": ("test_smtp.py", "test_a_silent_server_is_given_up"),
    "reply_timeout": ("test_smtp.py", "test_a_silent_server_is_given_up"),
    "from_line": ("test_pipe.py", "test_a_from_line_makes_an_mbox"),
    "hops": ("test_smtp.py", "test_too_many_hops_are_a_loop"),
    "jobs": ("test_pipe.py",
             "test_in_order_with_one_job_and_side_by_side_with_more"),
    "journal": ("mbox_sink.c", "where_no_lock_can_be_made_fcntl_does"),
    "layout": ("maildir.c", "folders_lie_side_by_side_in_layout_maildirpp"),
    "learn_url": ("test_calls.py", "test_spam_is_taught"),
    "locks": ("mbox_sink.c", "where_no_lock_can_be_made_fcntl_does"),
    "stale": ("mbox_sink.c", "other_dot_locks_are_broken_by_age_only"),
    "stall": ("daemon.c", "a_server_that_chats_for_ever_is_left"),
    "total": ("lua_limits.c", "limits_are_set_by_options"),
    "trust_auth": ("lua_message.c",
                   "results_count_from_servers_that_are_trusted"),
    "url": ("test_calls.py", "test_rspamd_tells_spam"),
    "whole_below": ("test_lazy.py", "test_where_small_ends_can_be_set"),
}


def files():
    for pattern in ("unit/*.c", "e2e/*.py", "wire/*.c", "wire/*/*.wire",
                    "library/*.lua"):
        for path in sorted(TESTS.glob(pattern)):
            if path.name not in READERS:
                yield path


def texts():
    return {path.name: path.read_text(errors="replace") for path in files()}


def names_of_rules():
    """Names of postrider-rules(5) and of the annotations: fields, methods and
    functions."""
    manual = (SOURCE / "contrib/man/postrider-rules.5").read_text()
    manual = manual[manual.index(".Ss Final actions"):
                    manual.index(".Ss Limits and errors")]
    names = set()
    for line in re.findall(r"^\.It Ic (.*)$", manual, re.MULTILINE):
        names.update(re.findall(r"(?:^|Ic )(?:\w+[:.])?(\w+) ", line + " "))
        if re.fullmatch(r"\w+(?: , \w+)*", line):
            names.update(re.findall(r"\w+", line))
    notes = (SOURCE / "scripts/lib/postrider.d.lua").read_text()
    notes = notes[:notes.index("---@class postrider.account")]
    names.update(re.findall(r"^function (?:\w+[.:])?(\w+)\(", notes, re.M))
    names.update(re.findall(r"^---@field (\w+)", notes, re.M))
    return sorted(names)


def options():
    """Options of account { }, options { } and of all classes."""
    notes = (SOURCE / "scripts/lib/postrider.d.lua").read_text()
    notes = notes[notes.index("---@class postrider.account"):]
    return sorted({*re.findall(r"^---@field (\w+)\?? ", notes, re.M),
                   *re.findall(r"[{,] (\w+)\?: ", notes)})


def body_of(text, test):
    """From where the test begins to where the next does; a transcript is one
    test."""
    if test is None:
        return text
    found = re.search(rf"^(?:def |static void |TEST\(){test}\b.*?(?=^def |"
                      rf"^static |^TEST\(|^class |^@pytest|\Z)", text,
                      re.M | re.S)
    return found and found.group(0)


def is_shown_by_a_line(name, all_texts):
    used = re.compile(rf"[.:]{name}\b|\b{name}\s*[({{'\"\[]|\b{name}\s*=[^=]")
    return any(used.search(line) and CLAIM.search(line)
               for text in all_texts.values() for line in text.split("\n"))


def is_shown_by_the_table(name, all_texts):
    file, test, word = (*SHOWN[name], name)[:3]
    body = body_of(all_texts[file], test)
    return bool(body and re.search(rf"\b{word}\b", body))


@pytest.mark.parametrize("names", [names_of_rules, options])
def test_every_name_has_a_test(names):
    all_texts = texts()
    missing = [name for name in names() if name not in SHOWN
               and not is_shown_by_a_line(name, all_texts)]
    assert not missing


def test_the_table_names_tests_that_are_there():
    all_texts = texts()
    for name in SHOWN:
        assert is_shown_by_the_table(name, all_texts), name
        assert name in [*names_of_rules(), *options()], name
