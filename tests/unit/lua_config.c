/*
 * Configurations: what a right one becomes, what a wrong one says.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "auth/secret.h"
#include "lua_fixture.h"

#define ACCOUNT                                                     \
    "account \"work\" { source = imap { host = \"h\" }, deliver = " \
    "maildir \"/m\" }\n"

static void configuration_becomes_plain_c(void **state)
{
    static const char text[] =
        "local mail = maildir \"/tmp/mail\"\n"
        "options { state = \"/tmp/state\", connections_per_host = 5 }\n"
        "account \"work\" {\n"
        "  source = imap { host = \"imap.example.org\", user = \"alice\",\n"
        "    password = exec { \"pass\", \"mail/work\" }, port = 1993,\n"
        "    timeout = \"5s\", tunnel = { \"ssh\", \"host\" } },\n"
        "  folders = { \"INBOX\", \"Lists/*\", \"!Lists/noise\" },\n"
        "  watch = true, every = \"5m\", after = move_to \"Archive\",\n"
        "  deliver = mail / \"inbox\", start = \"30d\", connections = 2,\n"
        "  limit = { size = \"50M\", messages = 1000 },\n"
        "}\n"
        "account \"old\" { source = imap { host = \"h\", password = env "
        "\"P\" },\n"
        "  after = delete_after \"14d\", deliver = { mail, maildir "
        "\"/tmp/mail\" / \"a\" / \"b\", maildir \"/other\" } }\n"
        "rule(\"one\", function(m) end)\n"
        "rule(\"two\", { account = \"work\", folder = { \"A*\", \"!AB\" } }, "
        "function(m) end)\n";
    struct config *config;
    const struct account *work, *old;
    const struct fixture_imap *imap;

    (void)state;
    if (fixture_load(text, &config) != PR_OK)
        fail_msg("%s", pr_last_failure()->text);
    assert_string_equal(config->state_dir, "/tmp/state");
    assert_int_equal(config->connections_per_host, 5);
    assert_int_equal(config->account_count, 2);
    assert_int_equal(config->rule_count, 2);
    assert_int_equal(config->sink_count, 2); /* written alike: the same */
    work = config_account(config, "work");
    assert_int_equal(work->line, 3);
    imap = work->source_options;
    assert_string_equal(work->source->name, "imap");
    assert_string_equal(imap->net.host, "imap.example.org");
    assert_string_equal(imap->net.user, "alice");
    assert_int_equal(imap->net.port, 1993);
    assert_int_equal(imap->net.timeout, 5000);
    assert_int_equal(imap->net.tls, PR_TLS_IMPLICIT);
    assert_string_equal(imap->net.tunnel[1], "host");
    assert_null(imap->net.tunnel[2]);
    assert_int_equal(imap->net.password->kind, SECRET_EXEC);
    assert_string_equal(imap->net.password->argv[1], "mail/work");
    assert_string_equal(work->folders[2], "!Lists/noise");
    assert_null(work->folders[3]);
    assert_true(work->watch);
    assert_int_equal(work->every, 300000);
    assert_int_equal(work->after, AFTER_MOVE);
    assert_string_equal(work->after_folder, "Archive");
    assert_int_equal(work->deliver_count, 1);
    assert_string_equal(work->deliver[0].folder, "inbox");
    assert_string_equal(work->deliver[0].sink->name, "maildir:/tmp/mail");
    assert_int_equal(work->start, START_RECENT);
    assert_int_equal(work->start_age, 30ull * 86400000);
    assert_int_equal(work->connections, 2);
    assert_int_equal(work->limit_size, 50 << 20);
    assert_int_equal(work->limit_messages, 1000);
    assert_false(work->read_only);
    old = config_account(config, "old");
    imap = old->source_options;
    assert_int_equal(imap->net.password->kind, SECRET_ENV);
    assert_int_equal(old->after, AFTER_DELETE_LATER);
    assert_int_equal(old->after_delay, 14ull * 86400000);
    assert_int_equal(old->every, 600000);
    assert_string_equal(old->folders[0], "INBOX");
    assert_int_equal(old->deliver_count, 3);
    assert_ptr_equal(old->deliver[0].sink, work->deliver[0].sink);
    assert_ptr_equal(old->deliver[1].sink, work->deliver[0].sink);
    assert_string_equal(old->deliver[1].folder, "a/b");
    assert_null(config_account(config, "none"));
    config_free(config);
}

static void every_kind_of_option_is_stored(void **state)
{
    static const char text[] =
        "local m = maildir { \"/m\", layout = \"maildir++\", note = \"n\", "
        "level = 9, fast = false, size = \"1M\", delay = 1.5, words = { \"x\" "
        "} }\n"
        "account \"a\" { source = imap { host = \"h\" }, deliver = { m, "
        "maildir \"sub\", maildir { path = \"~/x\", size = 77 } } }\n";
    const struct fixture_maildir *m;
    struct config *config;

    (void)state;
    setenv("HOME", "/home/alice", 1);
    if (fixture_load(text, &config) != PR_OK)
        fail_msg("%s", pr_last_failure()->text);
    m = config->accounts[0].deliver[0].sink->options;
    assert_string_equal(m->path, "/m");
    assert_int_equal(m->layout, 1);
    assert_string_equal(m->note, "n");
    assert_int_equal(m->level, 9);
    assert_false(m->fast);
    assert_int_equal(m->size, 1 << 20);
    assert_int_equal(m->delay, 1500);
    assert_string_equal(m->words[0], "x");
    assert_null(m->words[1]);
    m = config->accounts[0].deliver[1].sink->options;
    assert_non_null(strstr(m->path, "/tmp/postrider-lua-"));
    assert_non_null(strstr(m->path, "/sub"));
    assert_int_equal(m->layout, 0);
    assert_null(m->note);
    assert_int_equal(m->level, 3);
    assert_true(m->fast);
    assert_int_equal(m->size, 2048);
    assert_int_equal(m->delay, 90000);
    assert_string_equal(m->words[1], "two");
    m = config->accounts[0].deliver[2].sink->options;
    assert_string_equal(m->path, "/home/alice/x");
    assert_int_equal(m->size, 77);
    config_free(config);
}

struct wrong {
    const char *text;
    const char *words; /* the first problem */
};

#define SOURCE "source = imap { host = \"h\" }"
#define DELIVER "deliver = maildir \"/m\""

static const struct wrong wrongs[] = {
    {ACCOUNT "on(\"flag\", function() end)",
     "config.lua:2: on: there is no event \"flag\"; did you mean \"flags\"? "
     "(flags, vanished and moved_in can be heard of)"},
    {ACCOUNT "on(\"flags\", { folder = \"A\" })",
     "config.lua:2: on(\"flags\"): expects a function(m, change), got nil"},
    {ACCOUNT "on(\"flags\", {\n folders = \"A\" }, function() end)",
     "config.lua:3: on(\"flags\"): unknown option \"folders\"; did you mean "
     "\"folder\"?"},
    {ACCOUNT "on(\"flags\", {\n from = \"A\" }, function() end)",
     "config.lua:3: on(\"flags\"): from: only what is moved_in comes from a "
     "folder"},
    {ACCOUNT "on(\"flags\", { account = \"wrok\" }, function() end)",
     "config.lua:2: on(\"flags\"): account: there is no account \"wrok\"; did "
     "you mean \"work\"?"},
    {ACCOUNT "rule(\"r\", {\n  account = { \"w*\", \"wrok\" } },\n  "
             "function() end)",
     "config.lua:3: rule \"r\": account: there is no account \"wrok\"; did you "
     "mean \"work\"?"},
    {"", "config.lua:1: there is no account"},
    {"account \"work\" {\n  " SOURCE ",\n  " DELIVER ",\n  evry = \"10m\",\n}",
     "config.lua:4: account \"work\": unknown option \"evry\"; did you mean "
     "\"every\"?"},
    {"acount \"work\" {}",
     "config.lua:1: no such name \"acount\"; did you mean \"account\"?"},
    {"\n\nlocal x = = 1", "config.lua:3: unexpected symbol near '='"},
    {"account \"a\" { " SOURCE ", " DELIVER ",\n\n every = true }",
     "config.lua:3: account \"a\": every: expects a time such as \"10m\" or "
     "seconds as a number, got true"},
    {"account \"a\" { " DELIVER " }",
     "config.lua:1: account \"a\": source is missing (where the mail is)"},
    {"account \"a\" { " SOURCE " }",
     "config.lua:1: account \"a\": deliver is missing (where the mail goes)"},
    {"account \"a\" { " SOURCE ", deliver = \"/m\" }",
     "config.lua:1: account \"a\": deliver: expects a sink such as maildir "
     "\"~/Mail\", or a list of them, got a text"},
    {"account \"a\" { source = maildir \"/m\",\n" DELIVER " }",
     "config.lua:1: account \"a\": source: expects a source such as imap { "
     "host = \"...\" }, got a sink"},
    {"account \"a\" {\n  source = imap {\n    host = \"h\",\n    port = "
     "\"imap\",\n  },\n  " DELIVER "\n}",
     "config.lua:4: imap: port: expects a number from 1 to 65535, got "
     "\"imap\""},
    {"account \"a\" {\n  source = imap {\n    hst = \"h\",\n  },\n  " DELIVER
     "\n}",
     "config.lua:3: imap: unknown option \"hst\"; did you mean \"host\"?"},
    {"account \"a\" { source = imap { host = \"h\", tls = \"startls\" "
     "}, " DELIVER " }",
     "config.lua:1: imap: tls: unknown value \"startls\"; did you mean "
     "\"starttls\"?"},
    {"account \"a\" { source = imap { host = \"h\", tls = \"x\" }, " DELIVER
     " }",
     "config.lua:1: imap: tls: expects \"implicit\", \"starttls\" or "
     "\"none\", got \"x\""},
    {"account \"a\" { source = imap { host = \"h\", password = 12345 "
     "}, " DELIVER " }",
     "config.lua:1: imap: password: expects where the secret comes from, such "
     "as exec { \"pass\", \"mail\" }, file \"path\" or env \"NAME\", got a "
     "number"},
    {"account \"a\" { source = imap { host = \"h\",\n tls = \"none\", password "
     "= env \"P\" }, " DELIVER " }",
     "config.lua:1: imap: tls = \"none\" would show the password: say insecure "
     "= true if that is meant"},
    {"account \"a\" { " SOURCE ",\n deliver = maildir { layout = \"fs\" } }",
     "config.lua:2: maildir: path is missing (where it is)"},
    {"account \"a\" { " SOURCE ",\n deliver = maildir { \"/m\", level = 1.5 } "
     "}",
     "config.lua:2: maildir: level: expects a number from 1 to 9, got 1.5"},
    {"account \"a\" { " SOURCE ",\n deliver = maildir { \"/m\", words = 7 "
     "} }",
     "config.lua:2: maildir: words: expects a list such as { \"a\", \"b\" }, "
     "got 7"},
    {"account \"a\" { " SOURCE ",\n deliver = maildir { \"/m\", size = "
     "\"5Q\" } }",
     "config.lua:2: maildir: size: expects a size such as 4096 or \"50M\", got "
     "\"5Q\""},
    {"account \"a\" { " SOURCE ",\n deliver = maildir { \"/m\", fast = "
     "\"yes\" } }",
     "config.lua:2: maildir: fast: expects true or false, got \"yes\""},
    {"account \"a\" { " SOURCE ",\n deliver = maildir { \"/m\", note = "
     "print } }",
     "config.lua:2: maildir: note: expects a text, got a function"},
    {"account \"a\" { " SOURCE ",\n deliver = maildir { \"/m\", \"/n\" } }",
     "config.lua:2: maildir: expects fields such as name = value, got a text "
     "without a name"},
    {"account \"a\" { source = imap \"h\", " DELIVER " }",
     "config.lua:1: imap: expects a table { name = value }, got a text"},
    {"account \"a/b\" { " SOURCE ", " DELIVER " }",
     "config.lua:1: account \"a/b\" has a \"/\" in its name"},
    {ACCOUNT ACCOUNT,
     "config.lua:2: account \"work\" stands at line 1 already"},
    {ACCOUNT "\naccount \"b\"",
     "config.lua:3: account \"b\": its options are missing: account \"b\" { "
     "... }"},
    {"account \"a\" { " SOURCE ", " DELIVER ", folders = { \"!x\" } }",
     "config.lua:1: account \"a\": folders: names none to take"},
    {"account \"a\" { " SOURCE ", " DELIVER ", folders = { 1 } }",
     "config.lua:1: account \"a\": folders: expects a list of patterns such as "
     "{ \"INBOX\", \"Lists/*\" }, got a table"},
    {"account \"a\" { " SOURCE ", " DELIVER ",\n after = \"keep\" }",
     "config.lua:2: account \"a\": after: expects keep, seen, delete, "
     "delete_after \"30d\" or move_to \"Archive\", got a text"},
    {"account \"a\" { " SOURCE ", " DELIVER ",\n read_only = true,\n after = "
     "delete }",
     "config.lua:3: account \"a\": after: read_only allows keep only"},
    {"account \"a\" { " SOURCE ", " DELIVER ",\n start = \"soon\" }",
     "config.lua:2: account \"a\": start: expects \"all\", \"now\" or a time "
     "such as \"30d\", got \"soon\""},
    {"account \"a\" { " SOURCE ", " DELIVER ",\n limit = {\n sise = 1 } }",
     "config.lua:3: account \"a\": limit: unknown option \"sise\"; did you "
     "mean \"size\"?"},
    {"account \"a\" { " SOURCE ", " DELIVER ",\n limit = { octets_per_day = 1 "
     "} }",
     "config.lua:2: account \"a\": limit: \"octets_per_day\" is not in this "
     "version yet"},
    {"account \"a\" { source = pop3 { host = \"h\" }, " DELIVER " }",
     "config.lua:1: \"pop3\" is not in this version yet"},
    {ACCOUNT "sweep(\"tidy\", {}, function() end)",
     "config.lua:2: sweep \"tidy\": folder is missing (folders that are "
     "swept, one after the other)"},
    {ACCOUNT "options { stat = \"/x\" }",
     "config.lua:2: options: unknown option \"stat\"; did you mean \"state\"?"},
    {ACCOUNT "options { limits = {\n memory = true } }",
     "config.lua:3: options: limits: memory: expects a size such as 4096 or "
     "\"50M\", got true"},
    {ACCOUNT "rule(\"r\")",
     "config.lua:2: rule \"r\": expects a function(m), got nil"},
    {ACCOUNT "rule(\"r\", {\n acount = \"x\" }, function(m) end)",
     "config.lua:3: rule \"r\": unknown option \"acount\"; did you mean "
     "\"account\"?"},
    {ACCOUNT "rule(\"r\", function() end)\nrule(\"r\", function() end)",
     "config.lua:3: rule \"r\" stands at line 2 already"},
    {ACCOUNT "rule(\"r\", { account = 7 }, function() end)",
     "config.lua:2: rule \"r\": account: expects a list such as { \"a\", "
     "\"b\" }, got 7"},
    {ACCOUNT "local m = maildir \"/m\" / \"../x\"",
     "config.lua:2: the folder \"../x\" leads out of the sink"},
    {ACCOUNT "local m = maildir \"/m\" / nil",
     "config.lua:2: expects sink / \"folder\", got a sink / nil"},
    {ACCOUNT "error(\"stop here\")", "config.lua:2: stop here"},
    {ACCOUNT "exec \"pass\"",
     "config.lua:2: exec: expects a program and its arguments such as { "
     "\"pass\", \"mail\" }, got a text"},
    {ACCOUNT "string.foo = string.lenn",
     "config.lua:2: string has no \"lenn\"; did you mean \"len\"?"},
    {ACCOUNT "require \"nothing\"",
     "config.lua:2: require: there is no nothing.lua beside the configuration "
     "or in the library"},
    {ACCOUNT "require \"../x\"",
     "config.lua:2: require: \"../x\" is no name of a module"},
    {ACCOUNT "delete_after \"soon\"",
     "config.lua:2: bad argument #1 to 'delete_after' (\"soon\" is not a time "
     "such as 500ms, 30s, 10m, 2h or 30d)"},
    {ACCOUNT "while true do end",
     "the configuration ran for more than 5000 ms without waiting"},
};

static void a_wrong_configuration_says_where_and_what(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        struct config *config;
        pr_status status = fixture_load(wrongs[i].text, &config);

        if (status == PR_OK)
            fail_msg("accepted: %s", wrongs[i].text);
        assert_int_equal(status, PR_CONFIG);
        assert_string_equal(pr_last_failure()->text, wrongs[i].words);
        assert_non_null(strstr(fixture_errors(), wrongs[i].words));
    }
}

static void all_problems_are_shown_in_order(void **state)
{
    struct config *config;

    (void)state;
    assert_int_equal(
        fixture_load("account \"a\" {\n  source = imap { port = 1e9 },\n"
                     "  deliver = maildir \"/m\",\n"
                     "  -- watch = 1, every = {\n"
                     "  watch = 1,\n  nothing = [[ every = ]],\n"
                     "  every = \"x\",\n}\nfoo()\n",
                     &config),
        PR_CONFIG);
    assert_string_equal(
        fixture_errors(),
        "config.lua:9: no such name \"foo\"\n"
        "config.lua:2: imap: port: expects a number from 1 to 65535, got "
        "1000000000\n"
        "config.lua:5: account \"a\": watch: expects true or false, got 1\n"
        "config.lua:6: account \"a\": unknown option \"nothing\"\n"
        "config.lua:7: account \"a\": every: expects a time such as \"10m\" or "
        "seconds as a number, got \"x\"\n");
}

static void a_password_others_can_read_is_refused(void **state)
{
    static const char text[] =
        "account \"a\" { " DELIVER ",\n  source = imap { host = \"h\",\n"
        "    password = \"geheim\" } }";
    struct config *config;
    const char *path;

    (void)state;
    assert_int_equal(fixture_load(text, &config), PR_OK);
    config_free(config);
    path = fixture_write("config.lua", text);
    chmod(path, 0640);
    assert_int_equal(config_load(path, &config), PR_CONFIG);
    assert_non_null(strstr(pr_last_failure()->text,
                           "config.lua:3: imap: password: the secret stands in "
                           "a file that others can read: chmod 600 /tmp/"));
    assert_null(strstr(fixture_log(), "geheim"));
}

static void a_module_beside_it_is_required_once(void **state)
{
    struct config *config;

    (void)state;
    fixture_write("shared.lua",
                  "count = (rawget(_G, \"count\") or 0) + 1\nreturn { n = 5 }");
    assert_int_equal(fixture_load("local a = require \"shared\"\nassert(a == "
                                  "require \"shared\" and a.n == 5 and count "
                                  "== 1)\n" ACCOUNT,
                                  &config),
                     PR_OK);
    config_free(config);
    fixture_write("bad.lua", "\nlocal = 5");
    assert_int_equal(fixture_load("require \"bad\"", &config), PR_CONFIG);
    assert_non_null(strstr(pr_last_failure()->text, "bad.lua:2:"));
    fixture_write("code.lua", "\x1bLua");
    assert_int_equal(fixture_load("require \"code\"", &config), PR_CONFIG);
    assert_non_null(
        strstr(pr_last_failure()->text, "attempt to load a binary chunk"));
}

static void a_configuration_is_found_by_name_and_environment(void **state)
{
    struct pr_arena *arena = pr_arena_new();
    const char *path;

    (void)state;
    unsetenv("POSTRIDER_CONFIG");
    setenv("XDG_CONFIG_HOME", "/x", 1);
    assert_int_equal(config_find(NULL, arena, &path), PR_OK);
    assert_string_equal(path, "/x/postrider/config.lua");
    unsetenv("XDG_CONFIG_HOME");
    setenv("HOME", "/home/alice", 1);
    assert_int_equal(config_find(NULL, arena, &path), PR_OK);
    assert_string_equal(path, "/home/alice/.config/postrider/config.lua");
    setenv("POSTRIDER_CONFIG", "~/c.lua", 1);
    assert_int_equal(config_find(NULL, arena, &path), PR_OK);
    assert_string_equal(path, "/home/alice/c.lua");
    assert_int_equal(config_find("/given.lua", arena, &path), PR_OK);
    assert_string_equal(path, "/given.lua");
    unsetenv("POSTRIDER_CONFIG");
    pr_arena_free(arena);
}

static int begin(void **state)
{
    *state = (void *)fixture_begin();
    return 0;
}

static int end(void **state)
{
    (void)state;
    fixture_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(configuration_becomes_plain_c),
        cmocka_unit_test(every_kind_of_option_is_stored),
        cmocka_unit_test(a_wrong_configuration_says_where_and_what),
        cmocka_unit_test(all_problems_are_shown_in_order),
        cmocka_unit_test(a_password_others_can_read_is_refused),
        cmocka_unit_test(a_module_beside_it_is_required_once),
        cmocka_unit_test(a_configuration_is_found_by_name_and_environment),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
