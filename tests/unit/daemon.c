/*
 * The daemon between accounts in memory and a mailbox in memory.
 */
#include "config.h"

#include "engine/daemon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth/secret.h"
#include "base/log.h"
#include "engine/keeper.h"
#include "fake.h"
#include "farm.h"
#include "fiber/loop.h"

/* A test runs in a fiber, which cmocka cannot leave by longjmp: what is wrong
 * ends the program. */
#define CHECK(condition, what)                                               \
    do {                                                                     \
        if (!(condition)) {                                                  \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, __func__, \
                    what);                                                   \
            abort();                                                         \
        }                                                                    \
    } while (0)
#undef assert_int_equal
#undef assert_true
#undef assert_string_equal
#define assert_int_equal(a, b) \
    CHECK((long long)(a) == (long long)(b), #a " == " #b)
#define assert_true(a) CHECK(a, #a)
#define assert_string_equal(a, b) CHECK(strcmp(a, b) == 0, #a " == " #b)

/* ---- The bench ----------------------------------------------------------- */

#define LONG_MS 20000u /* nothing is expected to take as long */
#define HOUR ((uint64_t)3600 * 1000)

static char directory[60];
static struct daemon *daemon_;
static struct state *store;
static struct pr_scope running;
static size_t passes;
static size_t ended; /* daemon_run has */

static void on_account(void *user, const struct account_report *report)
{
    (void)user;
    (void)report;
    passes++;
}

/* What is said of the accounts, since the last set_up. */
static size_t errors, warnings, recoveries, shortages;
static char alert[200]; /* the last of the errors and warnings */

static void note_line(void *user, enum pr_level level, const char *who,
                      const char *text)
{
    (void)user;
    if (who[0] != 'a') {
        return;
    }
    errors += level == PR_LOG_ERROR;
    warnings += level == PR_LOG_WARNING;
    shortages += strstr(text, "no further connection") != NULL;
    recoveries += strstr(text, "is well again") != NULL;
    if (level <= PR_LOG_WARNING) {
        snprintf(alert, sizeof(alert), "%s", text);
    }
}

static int set_up(void **state)
{
    (void)state;
    fake_reset();
    errors = warnings = recoveries = shortages = 0;
    log_set(PR_LOG_INFO, note_line, NULL);
    passes = ended = 0;
    strcpy(directory, "/tmp/postrider-daemon-XXXXXX");
    assert_non_null(mkdtemp(directory));
    return 0;
}

static int tear_down(void **state)
{
    char command[100];
    (void)state;
    snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    return system(command) == 0 ? 0 : -1;
}

/* The accounts a<first> to a<first+count-1>. */
static struct config *configuration(size_t first, size_t count)
{
    static const char *const all[] = {"*", NULL};
    struct pr_arena *arena = pr_arena_new();
    struct config *config = pr_arena_alloc(arena, sizeof(*config));
    struct pr_sink *sink = pr_arena_alloc(arena, sizeof(*sink));
    struct target *target = pr_arena_alloc(arena, sizeof(*target));
    *sink = (struct pr_sink){.class = &fake_sink_class,
                             .name = "memory:one",
                             .state = &fake_mailbox};
    *target = (struct target){sink, "in"};
    *config = (struct config){.arena = arena,
                              .file = "config.lua",
                              .state_dir = directory,
                              .connections_per_host = 4,
                              .connections = 100,
                              .stall = HOUR,
                              .account_count = count,
                              .sink_count = 1};
    config->sinks = pr_arena_array(arena, 1, sizeof(*config->sinks));
    config->sinks[0] = sink;
    config->accounts = pr_arena_array(arena, count, sizeof(struct account));
    for (size_t i = 0; i < count; i++) {
        struct farm_options *options = pr_arena_alloc(arena, sizeof(*options));
        config->accounts[i] =
            (struct account){.name = pr_arena_text(arena, farm[first + i].name),
                             .source = &farm_class,
                             .source_options = options,
                             .folders = all,
                             .watch = true,
                             .every = HOUR,
                             .deliver = target,
                             .deliver_count = 1,
                             .connections = 2};
    }
    return config;
}

static pr_status run(void *argument)
{
    (void)argument;
    pr_status status = daemon_run(daemon_);
    ended++;
    return status;
}

static void start(struct config *config)
{
    struct engine_observer observer = {.account = on_account};
    assert_int_equal(state_open(directory, &store), PR_OK);
    assert_int_equal(daemon_new(store, &observer, &daemon_), PR_OK);
    assert_int_equal(daemon_configure(daemon_, config), PR_OK);
    pr_scope_init(&running);
    assert_int_equal(pr_spawn(&running, "daemon", PR_STACK_SESSION, run, NULL),
                     PR_OK);
}

static void stop(uint64_t grace)
{
    daemon_stop(daemon_, grace);
    assert_int_equal(pr_scope_join(&running), PR_OK);
    daemon_free(daemon_);
    state_close(store);
    for (size_t i = 0; i < FARM_ACCOUNTS; i++) {
        assert_int_equal(farm[i].open_now, 0);
    }
}

/* Waits until the condition holds. */
#define UNTIL(condition)                               \
    do {                                               \
        pr_time until_end = pr_in(LONG_MS);            \
        while (!(condition) && pr_now() < until_end) { \
            assert_int_equal(pr_sleep(2), PR_OK);      \
        }                                              \
        assert_true(condition);                        \
    } while (0)

static size_t in_state(enum account_state state)
{
    size_t count = 0;
    for (size_t i = 0; i < daemon_account_count(daemon_); i++) {
        count += daemon_account(daemon_, i).state == state;
    }
    return count;
}

static void in_loop(pr_fiber_fn *test)
{
    assert_int_equal(loop_run(2, test, NULL), PR_OK);
}

#define TEST(name)                    \
    static pr_status name##_(void *); \
    static void name(void **state)    \
    {                                 \
        (void)state;                  \
        in_loop(name##_);             \
    }                                 \
    static pr_status name##_(void *nothing_)

/* ---- Watching ------------------------------------------------------------ */

TEST(new_mail_comes_over_the_connection_that_is_there)
{
    (void)nothing_;
    farm_reset(3);
    farm_add(&farm[0], 0);
    start(configuration(0, 3));
    UNTIL(in_state(ACCOUNT_WATCHING) == 3);
    assert_int_equal(fake_mailbox.count, 1);
    for (size_t i = 0; i < 50; i++) {
        farm_add(&farm[i % 3], 0);
        UNTIL(fake_mailbox.count == i + 2);
    }
    UNTIL(in_state(ACCOUNT_WATCHING) == 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(farm[i].opens, 1);
        assert_int_equal(farm[i].lists, 1);
    }
    stop(1000);
    return PR_OK;
}

TEST(folders_share_the_connections_by_importance)
{
    (void)nothing_;
    farm_reset(1);
    farm[0].folder_count = 4;
    farm_add(&farm[0], 2);
    farm_add(&farm[0], 2);
    farm_add(&farm[0], 3);
    start(configuration(0, 1));
    UNTIL(in_state(ACCOUNT_WATCHING) == 1);
    assert_int_equal(fake_mailbox.count, 3);
    struct account_status status = daemon_account(daemon_, 0);
    assert_int_equal(status.folders, 4);
    assert_int_equal(status.watched, 2);
    assert_int_equal(status.connections, 2);
    farm_add(&farm[0], 0);
    UNTIL(fake_mailbox.count == 4);
    farm_add(&farm[0], 2); /* the busiest but INBOX */
    UNTIL(fake_mailbox.count == 5);
    assert_int_equal(farm[0].opens, 2);
    stop(1000);
    return PR_OK;
}

TEST(who_gets_no_further_connection_goes_on_and_says_why)
{
    (void)nothing_;
    farm_reset(1);
    farm[0].folder_count = 4;
    farm[0].most = 1;
    start(configuration(0, 1));
    UNTIL(in_state(ACCOUNT_WATCHING) == 1);
    struct account_status status = daemon_account(daemon_, 0);
    assert_int_equal(status.watched, 1);
    assert_string_equal(status.shortage, "too many connections");
    assert_int_equal(shortages, 1);
    assert_int_equal(daemon_poll(daemon_, NULL, 0, NULL), PR_OK);
    assert_true(daemon_account(daemon_, 0).shortage != NULL);
    assert_int_equal(shortages, 1);
    farm[0].most = 0;
    assert_int_equal(daemon_poll(daemon_, NULL, 0, NULL), PR_OK);
    UNTIL(daemon_account(daemon_, 0).watched == 2);
    assert_true(daemon_account(daemon_, 0).shortage == NULL);
    stop(1000);
    assert_int_equal(errors + warnings, 0);
    return PR_OK;
}

static size_t commits_beside; /* while the other folder was visited, too */

static void look_at_progress(void)
{
    const struct engine_progress *progress = engine_progress(daemon_->engine);
    if (farm[0].folders[1].selects > 0) {
        commits_beside++;
        assert_string_equal(progress->account, "a0");
        assert_string_equal(progress->folder, "INBOX");
    }
}

TEST(progress_names_the_folder_that_messages_come_from)
{
    (void)nothing_;
    farm_reset(1);
    farm[0].folder_count = 2;
    for (size_t i = 0; i < 300; i++) {
        farm_add(&farm[0], 0);
    }
    commits_beside = 0;
    fake_on_commit = look_at_progress;
    start(configuration(0, 1));
    UNTIL(fake_mailbox.count == 300);
    assert_true(commits_beside > 0);
    stop(1000);
    return PR_OK;
}

TEST(one_connection_watches_all_if_it_can)
{
    (void)nothing_;
    farm_reset(1);
    farm[0].folder_count = 4;
    farm[0].reach = 4;
    start(configuration(0, 1));
    UNTIL(in_state(ACCOUNT_WATCHING) == 1);
    for (size_t i = 0; i < 20; i++) {
        farm_add(&farm[0], i % 4);
        UNTIL(fake_mailbox.count == i + 1);
    }
    assert_int_equal(farm[0].opens, 1);
    assert_int_equal(daemon_account(daemon_, 0).watched, 4);
    stop(1000);
    return PR_OK;
}

TEST(a_poll_selects_only_folders_with_news)
{
    (void)nothing_;
    farm_reset(1);
    farm[0].folder_count = 4;
    farm[0].knows_no_idle = true;
    start(configuration(0, 1));
    UNTIL(in_state(ACCOUNT_WAITING) == 1 && passes >= 1);
    size_t before = farm[0].folders[1].selects, opens = farm[0].opens;
    farm_add(&farm[0], 3);
    assert_int_equal(daemon_poll(daemon_, NULL, 0, NULL), PR_OK);
    assert_int_equal(fake_mailbox.count, 1);
    assert_int_equal(farm[0].folders[1].selects, before);
    assert_int_equal(farm[0].opens, opens);
    stop(1000);
    return PR_OK;
}

TEST(mail_that_came_while_the_line_was_down_is_found)
{
    (void)nothing_;
    farm_reset(1);
    start(configuration(0, 1));
    UNTIL(in_state(ACCOUNT_WATCHING) == 1);
    farm[0].refusal = PR_NETWORK;
    farm[0].words = "connection refused";
    farm_break(&farm[0]);
    UNTIL(in_state(ACCOUNT_TROUBLED) == 1);
    farm_add(&farm[0], 0);
    farm[0].refusal = PR_OK;
    daemon_tell(daemon_, DAEMON_NETWORK_UP, 0);
    UNTIL(fake_mailbox.count == 1);
    UNTIL(in_state(ACCOUNT_WATCHING) == 1);
    assert_int_equal(daemon_account(daemon_, 0).trouble, PR_OK);
    stop(1000);
    return PR_OK;
}

static size_t more_to_come;

static void one_more(void)
{
    if (more_to_come > 0) {
        more_to_come--;
        farm_add(&farm[0], 0);
    }
}

TEST(mail_that_comes_between_a_fetch_and_the_watch_is_not_missed)
{
    (void)nothing_;
    farm_reset(1);
    farm_add(&farm[0], 0);
    more_to_come = 30;
    fake_on_commit = one_more;
    start(configuration(0, 1));
    UNTIL(fake_mailbox.count == 31);
    assert_int_equal(farm[0].opens, 1);
    stop(1000);
    return PR_OK;
}

static void one_more_elsewhere(void)
{
    if (more_to_come > 0) {
        more_to_come--;
        farm_add(&farm[0], 1);
    }
}

/* The other line hears of mail while the account works, and ends its watch; it
 * may not watch again before what it heard is taken up. */
TEST(what_a_line_heard_while_another_worked_is_taken_up)
{
    (void)nothing_;
    farm_reset(1);
    farm[0].folder_count = 2;
    start(configuration(0, 1));
    UNTIL(in_state(ACCOUNT_WATCHING) == 1);
    assert_int_equal(daemon_account(daemon_, 0).watched, 2);
    fake_on_commit = one_more_elsewhere;
    for (size_t i = 0; i < 20; i++) {
        more_to_come = 1;
        farm_add(&farm[0], 0);
        UNTIL(fake_mailbox.count == 2 * (i + 1));
    }
    stop(1000);
    return PR_OK;
}

/* Of three folders two are watched, and one is glanced at again and again: by
 * the line that watches the less important folder. INBOX is watched on. */
TEST(a_glance_at_some_folders_leaves_watching_lines_alone)
{
    (void)nothing_;
    static const struct folder_every times[] = {{"Lists/b", 40}};
    farm_reset(1);
    farm[0].folder_count = 3;
    struct config *config = configuration(0, 1);
    config->accounts[0].folder_every = times;
    config->accounts[0].folder_every_count = 1;
    start(config);
    UNTIL(in_state(ACCOUNT_WATCHING) == 1);
    assert_int_equal(daemon_account(daemon_, 0).watched, 2);
    size_t watches = farm[0].folders[0].watches;
    size_t selects = farm[0].folders[1].selects;
    UNTIL(farm[0].glances > 5);
    assert_int_equal(farm[0].folders[0].watches, watches);
    assert_int_equal(farm[0].folders[1].selects, selects);
    assert_true(farm[0].folders[1].watches >= 5);
    farm_add(&farm[0], 0);
    UNTIL(fake_mailbox.count == 1);
    farm_add(&farm[0], 1);
    UNTIL(fake_mailbox.count == 2);
    farm_add(&farm[0], 2); /* it becomes the more important one */
    UNTIL(fake_mailbox.count == 3);
    farm_add(&farm[0], 1);
    UNTIL(fake_mailbox.count == 4);
    farm_add(&farm[0], 0);
    UNTIL(fake_mailbox.count == 5);
    assert_int_equal(farm[0].opens, 2);
    stop(1000);
    return PR_OK;
}

TEST(what_is_watched_is_looked_at_all_the_same)
{
    (void)nothing_;
    farm_reset(1);
    struct config *config = configuration(0, 1);
    config->accounts[0].every = 100;
    start(config);
    UNTIL(farm[0].glances > 3);
    assert_int_equal(farm[0].opens, 1);
    stop(1000);
    return PR_OK;
}

TEST(folders_can_have_times_of_their_own)
{
    (void)nothing_;
    static const struct folder_every times[] = {{"Lists/a", 50}};
    farm_reset(1);
    farm[0].folder_count = 3;
    struct config *config = configuration(0, 1);
    config->accounts[0].watch = false;
    config->accounts[0].folder_every = times;
    config->accounts[0].folder_every_count = 1;
    start(config);
    UNTIL(farm[0].opens > 3);
    farm_add(&farm[0], 0);
    farm_add(&farm[0], 1);
    UNTIL(fake_mailbox.count == 1);
    assert_int_equal(farm[0].folders[0].selects, 1);
    stop(1000);
    return PR_OK;
}

/* ---- Trouble ------------------------------------------------------------- */

TEST(a_server_that_hangs_delays_no_other)
{
    (void)nothing_;
    farm_reset(3);
    farm[0].hangs = true;
    farm[1].hangs_fetch = true;
    farm_add(&farm[1], 0);
    start(configuration(0, 3));
    UNTIL(daemon_account(daemon_, 2).state == ACCOUNT_WATCHING);
    farm_add(&farm[2], 0);
    UNTIL(fake_mailbox.count == 1);
    stop(20);
    return PR_OK;
}

TEST(what_the_server_is_doing_for_us_is_waited_for_at_the_end)
{
    (void)nothing_;
    farm_reset(1);
    farm[0].hangs_settle = true;
    farm_add(&farm[0], 0);
    struct config *config = configuration(0, 1);
    config->accounts[0].after = AFTER_DELETE;
    start(config);
    UNTIL(farm[0].settling == 1);
    daemon_stop(daemon_, LONG_MS);
    assert_int_equal(pr_sleep(20), PR_OK);
    farm[0].hangs_settle = false;
    pr_event_wake_all(&farm[0].moves);
    stop(LONG_MS);
    assert_int_equal(farm[0].settled, 1);
    return PR_OK;
}

TEST(a_refused_login_is_not_hammered)
{
    (void)nothing_;
    farm_reset(1);
    farm[0].refusal = PR_AUTH;
    farm[0].words = "login refused";
    start(configuration(0, 1));
    UNTIL(in_state(ACCOUNT_TROUBLED) == 1);
    struct account_status status = daemon_account(daemon_, 0);
    assert_int_equal(status.trouble, PR_AUTH);
    assert_string_equal(status.trouble_text, "login refused");
    daemon_tell(daemon_, DAEMON_NETWORK_UP, 0);
    daemon_tell(daemon_, DAEMON_NETWORK_CHANGED, 0);
    assert_int_equal(pr_sleep(50), PR_OK);
    assert_int_equal(farm[0].opens, 1);
    assert_true(status.next_poll > status.since + 40 * 60);
    const char *const names[] = {"a0", NULL};
    assert_int_equal(daemon_poll(daemon_, names, 0, NULL), PR_OK);
    assert_int_equal(farm[0].opens, 2);
    assert_int_equal(daemon_account(daemon_, 0).failures, 2);
    stop(1000);
    return PR_OK;
}

static bool is_asked; /* by poll_one */

static pr_status poll_one(void *argument)
{
    const char *const names[] = {argument, NULL};
    is_asked = true; /* nobody else runs before it waits */
    return daemon_poll(daemon_, names, 0, NULL);
}

#define MINUTE ((uint64_t)60 * 1000)

static void sleep_for(uint64_t ms)
{
    daemon_tell(daemon_, DAEMON_RESUMED, ms);
}

/* Account 1 is well: it shows that the turns after a sleep were given. */
TEST(sleep_does_not_make_a_refused_login_a_new_one)
{
    (void)nothing_;
    farm_reset(2);
    farm[0].refusal = PR_AUTH;
    farm[0].words = "login refused";
    start(configuration(0, 2));
    UNTIL(in_state(ACCOUNT_TROUBLED) == 1 && in_state(ACCOUNT_WATCHING) == 1);
    for (size_t i = 1; i <= 3; i++) {
        sleep_for(15 * MINUTE);
        UNTIL(farm[1].opens == i + 1 && in_state(ACCOUNT_WATCHING) == 1);
        assert_int_equal(farm[0].opens, 1);
        assert_int_equal(in_state(ACCOUNT_TROUBLED), 1);
    }
    struct account_status status = daemon_account(daemon_, 0);
    assert_int_equal(status.failures, 1);
    assert_true(status.next_poll <= status.since + 20 * 60);
    assert_int_equal(errors, 1);
    sleep_for(15 * MINUTE); /* in all it is an hour */
    UNTIL(daemon_account(daemon_, 0).failures == 2);
    assert_int_equal(farm[0].opens, 2);
    assert_int_equal(errors + warnings, 1);
    stop(1000);
    return PR_OK;
}

TEST(a_server_that_asks_to_wait_is_left_alone_after_sleep)
{
    (void)nothing_;
    farm_reset(2);
    farm[0].refusal = PR_LATER;
    farm[0].words = "try again in 50 minutes";
    start(configuration(0, 2));
    UNTIL(in_state(ACCOUNT_TROUBLED) == 1 && in_state(ACCOUNT_WATCHING) == 1);
    sleep_for(30 * MINUTE);
    UNTIL(farm[1].opens == 2 && in_state(ACCOUNT_WATCHING) == 1);
    assert_int_equal(farm[0].opens, 1);
    assert_int_equal(warnings, 1);
    farm[0].refusal = PR_OK;
    sleep_for(30 * MINUTE);
    UNTIL(in_state(ACCOUNT_WATCHING) == 2);
    assert_int_equal(recoveries, 1);
    stop(1000);
    return PR_OK;
}

/* Between two refusals of the login there is no network for a while. */
TEST(a_network_that_fails_does_not_make_a_refused_login_a_new_one)
{
    (void)nothing_;
    farm_reset(1);
    farm[0].refusal = PR_AUTH;
    farm[0].words = "login refused";
    start(configuration(0, 1));
    UNTIL(in_state(ACCOUNT_TROUBLED) == 1);
    farm[0].refusal = PR_NETWORK;
    assert_int_equal(poll_one((void *)"a0"), PR_OK);
    assert_int_equal(daemon_account(daemon_, 0).trouble, PR_NETWORK);
    farm[0].refusal = PR_AUTH;
    assert_int_equal(poll_one((void *)"a0"), PR_OK);
    struct account_status status = daemon_account(daemon_, 0);
    assert_int_equal(status.trouble, PR_AUTH);
    assert_int_equal(status.failures, 2);
    assert_true(status.next_poll > status.since + 80 * 60);
    assert_int_equal(errors, 1);
    stop(1000);
    return PR_OK;
}

TEST(a_login_that_sleep_cuts_off_tells_nothing_of_the_account)
{
    (void)nothing_;
    struct pr_scope scope;
    farm_reset(2);
    farm[0].refusal = PR_AUTH;
    farm[0].words = "login refused";
    start(configuration(0, 2));
    UNTIL(in_state(ACCOUNT_TROUBLED) == 1 && in_state(ACCOUNT_WATCHING) == 1);
    farm[0].hangs = farm[1].hangs = true;
    pr_scope_init(&scope);
    assert_int_equal(
        pr_spawn(&scope, "poll", PR_STACK_SESSION, poll_one, (void *)"a0"),
        PR_OK);
    farm_break(&farm[1]);
    UNTIL(farm[0].opens == 2 && farm[1].opens == 2);
    assert_int_equal(warnings, 1); /* of the line that broke */
    farm[1].hangs = false;
    sleep_for(MINUTE);
    assert_int_equal(pr_scope_join(&scope), PR_OK);
    UNTIL(farm[1].opens == 3 && in_state(ACCOUNT_WATCHING) == 1);
    UNTIL(in_state(ACCOUNT_TROUBLED) == 1);
    struct account_status status = daemon_account(daemon_, 0);
    assert_int_equal(farm[0].opens, 2);
    assert_int_equal(status.trouble, PR_AUTH);
    assert_string_equal(status.trouble_text, "login refused");
    assert_int_equal(status.failures, 1);
    assert_true(status.next_poll > status.since + 40 * 60);
    assert_int_equal(errors, 1);
    assert_int_equal(warnings, 1);
    stop(1000);
    return PR_OK;
}

TEST(a_pass_that_is_cut_off_is_no_sign_of_health)
{
    (void)nothing_;
    const char *const names[] = {"a0", NULL};
    struct pr_scope scope;
    farm_reset(1);
    farm[0].refusal = PR_AUTH;
    farm[0].words = "login refused";
    start(configuration(0, 1));
    UNTIL(in_state(ACCOUNT_TROUBLED) == 1);
    farm[0].hangs = true;
    pr_scope_init(&scope);
    assert_int_equal(
        pr_spawn(&scope, "poll", PR_STACK_SESSION, poll_one, (void *)"a0"),
        PR_OK);
    UNTIL(farm[0].opens == 2);
    assert_int_equal(daemon_pause(daemon_, names), PR_OK);
    assert_int_equal(pr_scope_join(&scope), PR_OK);
    UNTIL(in_state(ACCOUNT_PAUSED) == 1);
    assert_int_equal(daemon_account(daemon_, 0).trouble, PR_AUTH);
    assert_string_equal(daemon_account(daemon_, 0).trouble_text,
                        "login refused");
    stop(1000);
    assert_int_equal(recoveries, 0);
    return PR_OK;
}

static struct config *configuration_with_secret(void)
{
    static const char *const argv[] = {"echo", "secret", NULL};
    static const struct pr_secret secret = {
        .kind = SECRET_EXEC, .argv = argv, .timeout = LONG_MS};
    struct config *config = configuration(0, 1);
    ((struct farm_options *)config->accounts[0].source_options)->secret =
        &secret;
    return config;
}

TEST(who_is_refused_with_a_secret_of_a_program_tries_a_fresh_one_first)
{
    (void)nothing_;
    farm_reset(1);
    farm[0].refusal = PR_AUTH;
    farm[0].words = "login refused";
    start(configuration_with_secret());
    UNTIL(in_state(ACCOUNT_TROUBLED) == 1 && farm[0].opens == 2);
    UNTIL(errors == 1);
    struct account_status status = daemon_account(daemon_, 0);
    assert_true(strstr(alert, "next try in 0 s") == NULL);
    assert_true(strstr(alert, "login refused; next try in ") != NULL);
    assert_int_equal(status.failures, 1);
    assert_true(status.next_poll > status.since + 40 * 60);
    stop(1000);
    assert_int_equal(errors + warnings, 1);
    return PR_OK;
}

TEST(a_fresh_secret_that_is_taken_is_no_trouble)
{
    (void)nothing_;
    farm_reset(1);
    farm[0].refusal = PR_AUTH;
    farm[0].words = "login refused";
    farm[0].patience = 1;
    farm_add(&farm[0], 0);
    start(configuration_with_secret());
    UNTIL(in_state(ACCOUNT_WATCHING) == 1);
    assert_int_equal(fake_mailbox.count, 1);
    assert_int_equal(farm[0].opens, 2);
    stop(1000);
    assert_int_equal(errors + warnings + recoveries, 0);
    return PR_OK;
}

TEST(a_server_that_chats_for_ever_is_left)
{
    (void)nothing_;
    farm_reset(1);
    farm_add(&farm[0], 0);
    farm[0].hangs_fetch = farm[0].is_chatty = true;
    struct config *config = configuration(0, 1);
    config->stall = 100;
    start(config);
    UNTIL(in_state(ACCOUNT_TROUBLED) == 1);
    assert_int_equal(daemon_account(daemon_, 0).trouble, PR_TIMEOUT);
    farm[0].hangs_fetch = false;
    assert_int_equal(daemon_poll(daemon_, NULL, 0, NULL), PR_OK);
    assert_int_equal(fake_mailbox.count, 1);
    stop(1000);
    return PR_OK;
}

/* Copies cut off are made again. */
TEST(a_server_at_work_on_what_is_settled_is_waited_for)
{
    (void)nothing_;
    farm_reset(1);
    farm_add(&farm[0], 0);
    farm[0].hangs_settle = farm[0].is_chatty = true;
    struct config *config = configuration(0, 1);
    config->stall = 100;
    config->accounts[0].after = AFTER_SEEN;
    start(config);
    UNTIL(farm[0].settling > 0);
    daemon_tell(daemon_, DAEMON_NETWORK_CHANGED, 0);
    assert_int_equal(pr_sleep(500), PR_OK);
    farm[0].hangs_settle = false;
    UNTIL(in_state(ACCOUNT_WATCHING) == 1);
    assert_int_equal(farm[0].settling, 1);
    assert_int_equal(farm[0].opens, 1);
    stop(1000);
    assert_int_equal(errors + warnings, 0);
    return PR_OK;
}

TEST(after_sleep_every_connection_is_made_anew)
{
    (void)nothing_;
    farm_reset(2);
    start(configuration(0, 2));
    UNTIL(in_state(ACCOUNT_WATCHING) == 2);
    farm_add(&farm[1], 0);
    UNTIL(fake_mailbox.count == 1);
    daemon_tell(daemon_, DAEMON_RESUMED, 0);
    UNTIL(farm[0].opens == 2 && farm[1].opens == 2);
    UNTIL(farm[0].open_now == 1 && farm[1].open_now == 1);
    assert_int_equal(farm[0].quiet_closes, 1);
    UNTIL(in_state(ACCOUNT_WATCHING) == 2);
    farm_add(&farm[0], 0);
    UNTIL(fake_mailbox.count == 2);
    stop(1000);
    return PR_OK;
}

TEST(after_sleep_what_is_not_watched_is_polled_at_once)
{
    (void)nothing_;
    farm_reset(1);
    struct config *config = configuration(0, 1);
    config->accounts[0].watch = false;
    start(config);
    UNTIL(in_state(ACCOUNT_WAITING) == 1 && passes == 1);
    farm_add(&farm[0], 0);
    sleep_for(MINUTE);
    UNTIL(fake_mailbox.count == 1);
    stop(1000);
    return PR_OK;
}

TEST(when_the_network_changes_connections_are_proved)
{
    (void)nothing_;
    farm_reset(2);
    start(configuration(0, 2));
    UNTIL(in_state(ACCOUNT_WATCHING) == 2);
    farm[1].is_dead = true;
    daemon_tell(daemon_, DAEMON_NETWORK_CHANGED, 0);
    UNTIL(in_state(ACCOUNT_TROUBLED) == 1);
    farm[1].is_dead = false;
    daemon_tell(daemon_, DAEMON_NETWORK_UP, 0);
    UNTIL(in_state(ACCOUNT_WATCHING) == 2);
    assert_int_equal(farm[0].probes, 1);
    assert_int_equal(farm[0].opens, 1);
    assert_int_equal(farm[1].opens, 2);
    stop(1000);
    return PR_OK;
}

/* ---- Messages put aside -------------------------------------------------- */

static pr_status retry_all(void *argument)
{
    (void)argument;
    return daemon_poll(daemon_, NULL, ENGINE_RETRY, NULL);
}

static void let_fetch(void)
{
    farm[0].hangs_fetch = false;
    pr_event_wake_all(&farm[0].moves);
}

/* Puts the only message aside. */
static void start_with_one_aside(void)
{
    farm_reset(1);
    farm_add(&farm[0], 0);
    fake_mailbox.fail_next = 1;
    fake_mailbox.failure = PR_FULL;
    start(configuration(0, 1));
    UNTIL(passes == 1 && in_state(ACCOUNT_WATCHING) == 1);
    assert_int_equal(fake_mailbox.count, 0);
}

static void drop_while_it_is_tried_again(bool fails)
{
    struct pr_scope asking;
    start_with_one_aside();
    fake_mailbox.fail_next = fails ? 1 : 0;
    farm[0].hangs_fetch = true;
    pr_scope_init(&asking);
    assert_int_equal(
        pr_spawn(&asking, "retry", PR_STACK_SESSION, retry_all, NULL), PR_OK);
    UNTIL(daemon_account_waiting(daemon_, 0) == 1);
    assert_int_equal(daemon_drop(daemon_, "a0/INBOX/1"), PR_BUSY);
    assert_true(strstr(pr_last_failure()->text, "being fetched") != NULL);
    assert_int_equal(daemon_drop(daemon_, "a0/INBOX/2"), PR_GONE);
    assert_int_equal(daemon_drop(daemon_, "a0/INBOX/1x"), PR_GONE);
    let_fetch();
    assert_int_equal(pr_scope_join(&asking), PR_OK);
}

TEST(what_is_tried_again_just_now_is_not_dropped)
{
    (void)nothing_;
    drop_while_it_is_tried_again(false);
    assert_int_equal(fake_mailbox.count, 1);
    assert_int_equal(daemon_drop(daemon_, "a0/INBOX/1"), PR_GONE);
    stop(1000);
    return PR_OK;
}

TEST(what_was_tried_again_in_vain_is_dropped_for_good)
{
    (void)nothing_;
    drop_while_it_is_tried_again(true);
    assert_int_equal(daemon_drop(daemon_, "a0/INBOX/1"), PR_OK);
    assert_int_equal(retry_all(NULL), PR_OK);
    assert_int_equal(fake_mailbox.count, 0);
    stop(1000);
    return PR_OK;
}

/* While another message of the folder comes in. */
TEST(what_is_not_due_is_dropped_at_any_time)
{
    (void)nothing_;
    start_with_one_aside();
    assert_int_equal(retry_all(NULL), PR_OK);
    assert_int_equal(fake_mailbox.count, 1);
    fake_mailbox.fail_next = 1;
    fake_mailbox.failure = PR_REFUSED; /* tried again after an hour */
    farm_add(&farm[0], 0);
    UNTIL(fake_mailbox.fail_next == 0 && in_state(ACCOUNT_WATCHING) == 1);
    farm[0].hangs_fetch = true;
    farm_add(&farm[0], 0);
    UNTIL(daemon_account_waiting(daemon_, 0) == 1);
    assert_int_equal(daemon_drop(daemon_, "a0/INBOX/2"), PR_OK);
    let_fetch();
    UNTIL(fake_mailbox.count == 2);
    assert_int_equal(retry_all(NULL), PR_OK);
    assert_int_equal(fake_mailbox.count, 2);
    stop(1000);
    return PR_OK;
}

/* ---- Limits -------------------------------------------------------------- */

TEST(few_connections_work_with_a_host_and_all_watch_it)
{
    (void)nothing_;
    farm_reset(30);
    for (size_t i = 0; i < 30; i++) {
        farm[i].host = "one.example";
        farm_add(&farm[i], 0);
    }
    struct config *config = configuration(0, 30);
    config->connections_per_host = 3;
    start(config);
    UNTIL(in_state(ACCOUNT_WATCHING) == 30);
    assert_int_equal(fake_mailbox.count, 30);
    assert_true(farm_at_work_most <= 3);
    for (size_t i = 0; i < 30; i++) {
        farm_add(&farm[i], 0);
    }
    UNTIL(fake_mailbox.count == 60);
    stop(1000);
    return PR_OK;
}

TEST(who_is_asked_for_jumps_the_queue)
{
    (void)nothing_;
    farm_reset(20);
    for (size_t i = 0; i < 20; i++) {
        farm[i].host = "one.example";
        farm[i].hangs = true;
    }
    struct config *config = configuration(0, 20);
    config->connections_per_host = 1;
    start(config);
    UNTIL(farm_opens == 1 && in_state(ACCOUNT_QUEUED) == 19);
    const char *last = farm[19].opens == 0 ? "a19" : "a18";
    is_asked = false;
    struct pr_scope scope;
    pr_scope_init(&scope);
    assert_int_equal(
        pr_spawn(&scope, "poll", PR_STACK_SESSION, poll_one, (void *)last),
        PR_OK);
    UNTIL(is_asked);
    for (size_t i = 0; i < 20; i++) {
        farm[i].hangs = false;
        pr_event_wake_all(&farm[i].moves);
    }
    assert_int_equal(pr_scope_join(&scope), PR_OK);
    assert_int_equal(farm_account(last)->order, 2);
    UNTIL(in_state(ACCOUNT_WATCHING) == 20);
    stop(1000);
    return PR_OK;
}

TEST(with_few_places_in_all_nobody_starves)
{
    (void)nothing_;
    farm_reset(20);
    struct config *config = configuration(0, 20);
    config->connections = 4;
    start(config);
    UNTIL(passes >= 20);
    for (size_t i = 0; i < 20; i++) {
        farm_add(&farm[i], 0);
    }
    assert_int_equal(daemon_poll(daemon_, NULL, 0, NULL), PR_OK);
    assert_int_equal(fake_mailbox.count, 20);
    stop(1000);
    return PR_OK;
}

/* ---- Life ---------------------------------------------------------------- */

TEST(a_new_configuration_leaves_alone_what_did_not_change)
{
    (void)nothing_;
    farm_reset(4);
    start(configuration(0, 3));
    UNTIL(in_state(ACCOUNT_WATCHING) == 3);
    struct config *next = configuration(1, 3); /* a0 goes, a3 is new */
    ((struct farm_options *)next->accounts[1].source_options)->number = 5;
    assert_int_equal(daemon_configure(daemon_, next), PR_OK);
    assert_int_equal(daemon_account_count(daemon_), 3);
    UNTIL(farm[0].open_now == 0 && farm[2].opens == 2 && farm[3].opens == 1);
    UNTIL(in_state(ACCOUNT_WATCHING) == 3);
    for (size_t i = 1; i < 4; i++) {
        farm_add(&farm[i], 0);
    }
    UNTIL(fake_mailbox.count == 3);
    assert_int_equal(farm[0].opens, 1);
    assert_int_equal(farm[1].opens, 1);
    assert_int_equal(farm[2].opens, 2);
    stop(1000);
    return PR_OK;
}

TEST(configurations_follow_one_another_while_mail_flows)
{
    (void)nothing_;
    farm_reset(5);
    start(configuration(0, 5));
    for (size_t i = 0; i < 40; i++) {
        farm_add(&farm[i % 5], 0);
        assert_int_equal(daemon_configure(daemon_, configuration(0, 5)), PR_OK);
        if (i % 7 == 0) {
            assert_int_equal(pr_sleep(3), PR_OK);
        }
    }
    UNTIL(fake_mailbox.count == 40);
    UNTIL(in_state(ACCOUNT_WATCHING) == 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(farm[i].opens, 1);
    }
    stop(1000);
    assert_int_equal(fake_mailbox.count, 40);
    return PR_OK;
}

TEST(an_account_that_comes_back_is_looked_after_again)
{
    (void)nothing_;
    farm_reset(2);
    start(configuration(0, 2));
    UNTIL(in_state(ACCOUNT_WATCHING) == 2);
    assert_int_equal(daemon_configure(daemon_, configuration(1, 1)), PR_OK);
    assert_int_equal(daemon_configure(daemon_, configuration(0, 2)), PR_OK);
    UNTIL(in_state(ACCOUNT_WATCHING) == 2);
    UNTIL(farm[0].opens == 2 && farm[0].open_now == 1);
    farm_add(&farm[0], 0);
    UNTIL(fake_mailbox.count == 1);
    stop(1000);
    return PR_OK;
}

static void note_paused(void *user, const char *account)
{
    size_t *count = user;
    assert_string_equal(account, "a0");
    ++*count;
}

TEST(a_paused_account_is_left_alone_until_it_is_named)
{
    (void)nothing_;
    size_t left_out = 0;
    const struct engine_observer observer = {.user = &left_out,
                                             .paused = note_paused};
    const char *const name[] = {"a0", NULL};
    farm_reset(2);
    start(configuration(0, 2));
    UNTIL(in_state(ACCOUNT_WATCHING) == 2);
    assert_int_equal(daemon_pause(daemon_, name), PR_OK);
    UNTIL(in_state(ACCOUNT_PAUSED) == 1 && farm[0].open_now == 0);
    farm_add(&farm[0], 0);
    assert_int_equal(daemon_poll(daemon_, NULL, 0, &observer), PR_OK);
    assert_int_equal(fake_mailbox.count, 0);
    assert_int_equal(left_out, 1);
    assert_int_equal(daemon_poll(daemon_, name, 0, &observer), PR_OK);
    assert_int_equal(fake_mailbox.count, 1);
    assert_int_equal(left_out, 1);
    UNTIL(in_state(ACCOUNT_PAUSED) == 1 && farm[0].open_now == 0);
    assert_int_equal(daemon_resume(daemon_, NULL), PR_OK);
    UNTIL(in_state(ACCOUNT_WATCHING) == 2);
    const char *const wrong[] = {"a9", NULL};
    assert_int_equal(daemon_pause(daemon_, wrong), PR_CONFIG);
    assert_int_equal(daemon_poll(daemon_, wrong, 0, NULL), PR_CONFIG);
    stop(1000);
    return PR_OK;
}

TEST(what_is_in_hand_is_finished_before_the_end)
{
    (void)nothing_;
    farm_reset(2);
    for (size_t i = 0; i < 300; i++) {
        farm_add(&farm[0], 0);
    }
    farm[1].hangs = true;
    start(configuration(0, 2));
    UNTIL(fake_mailbox.count > 0);
    pr_time begin = pr_now();
    stop(300);
    assert_true(pr_now() - begin < LONG_MS / 2);
    size_t count = fake_mailbox.count;
    start(configuration(0, 1));
    UNTIL(in_state(ACCOUNT_WATCHING) == 1);
    stop(1000);
    assert_int_equal(fake_mailbox.count, 300);
    assert_true(count > 0);
    return PR_OK;
}

TEST(a_sink_that_hangs_is_given_up_at_the_end_and_loses_nothing)
{
    static const enum fake_hang places[] = {FAKE_IN_STAGE, FAKE_BEFORE_ALL,
                                            FAKE_AFTER_ALL};

    (void)nothing_;
    farm_reset(1);
    for (size_t i = 0; i < 3; i++) {
        fake_mailbox.hang = places[i];
        farm_add(&farm[0], 0);
        start(configuration(0, 1));
        UNTIL(fake_mailbox.hanging == 1);
        pr_time begun = pr_now();
        stop(50);
        assert_true(pr_now() - begun < LONG_MS);
        assert_int_equal(fake_mailbox.hanging, 0);
        fake_mailbox.hang = FAKE_NO_HANG;
        start(configuration(0, 1));
        UNTIL(in_state(ACCOUNT_WATCHING) == 1);
        assert_int_equal(fake_mailbox.count, i + 1);
        stop(1000);
    }
    return PR_OK;
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(new_mail_comes_over_the_connection_that_is_there),
        CASE(folders_share_the_connections_by_importance),
        CASE(who_gets_no_further_connection_goes_on_and_says_why),
        CASE(progress_names_the_folder_that_messages_come_from),
        CASE(one_connection_watches_all_if_it_can),
        CASE(a_poll_selects_only_folders_with_news),
        CASE(mail_that_came_while_the_line_was_down_is_found),
        CASE(mail_that_comes_between_a_fetch_and_the_watch_is_not_missed),
        CASE(what_a_line_heard_while_another_worked_is_taken_up),
        CASE(a_glance_at_some_folders_leaves_watching_lines_alone),
        CASE(what_is_watched_is_looked_at_all_the_same),
        CASE(folders_can_have_times_of_their_own),
        CASE(a_server_that_hangs_delays_no_other),
        CASE(what_the_server_is_doing_for_us_is_waited_for_at_the_end),
        CASE(a_refused_login_is_not_hammered),
        CASE(sleep_does_not_make_a_refused_login_a_new_one),
        CASE(a_server_that_asks_to_wait_is_left_alone_after_sleep),
        CASE(a_network_that_fails_does_not_make_a_refused_login_a_new_one),
        CASE(a_login_that_sleep_cuts_off_tells_nothing_of_the_account),
        CASE(a_pass_that_is_cut_off_is_no_sign_of_health),
        CASE(who_is_refused_with_a_secret_of_a_program_tries_a_fresh_one_first),
        CASE(a_fresh_secret_that_is_taken_is_no_trouble),
        CASE(a_server_that_chats_for_ever_is_left),
        CASE(a_server_at_work_on_what_is_settled_is_waited_for),
        CASE(after_sleep_every_connection_is_made_anew),
        CASE(after_sleep_what_is_not_watched_is_polled_at_once),
        CASE(when_the_network_changes_connections_are_proved),
        CASE(what_is_tried_again_just_now_is_not_dropped),
        CASE(what_was_tried_again_in_vain_is_dropped_for_good),
        CASE(what_is_not_due_is_dropped_at_any_time),
        CASE(few_connections_work_with_a_host_and_all_watch_it),
        CASE(who_is_asked_for_jumps_the_queue),
        CASE(with_few_places_in_all_nobody_starves),
        CASE(a_new_configuration_leaves_alone_what_did_not_change),
        CASE(configurations_follow_one_another_while_mail_flows),
        CASE(an_account_that_comes_back_is_looked_after_again),
        CASE(a_paused_account_is_left_alone_until_it_is_named),
        CASE(what_is_in_hand_is_finished_before_the_end),
        CASE(a_sink_that_hangs_is_given_up_at_the_end_and_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
