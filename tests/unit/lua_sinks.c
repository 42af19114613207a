/*
 * Sinks and sources written in Lua, called as the engine calls them.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "fiber/loop.h"
#include "lua_fixture.h"
#include "mail/spool.h"

#define MESSAGES 3
#define TEXT "Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\nX-A: 1\r\n\r\nbody\r\n"

static struct config *config;
static struct pr_spool *spool;
static struct pr_delivery deliveries[MESSAGES];
static struct pr_delivery *batch[MESSAGES];

static struct pr_sink *load(const char *text)
{
    struct pr_buffer all = {.cap = 1 << 20};
    struct pr_sink *found = NULL;

    assert_int_equal(
        pr_buffer_printf(&all,
                         "local it = %s account \"work\" { source = imap { "
                         "host = \"h\" }, deliver = it }\n",
                         text),
        PR_OK);
    config = NULL;
    if (fixture_load(pr_buffer_text(&all), &config) != PR_OK)
        fail_msg("%s", fixture_errors());
    pr_buffer_done(&all);
    for (size_t i = 0; i < config->sink_count; i++)
        found = config->sinks[i];
    assert_int_equal(config->sink_count, 1);
    return found;
}

static void make_deliveries(const struct pr_sink *sink)
{
    static const char *const keys[MESSAGES] = {"key-1", "key-2", "key-3"};

    if (spool == NULL) {
        assert_int_equal(spool_new("/tmp", 0, &spool), PR_OK);
        assert_int_equal(pr_spool_append(spool, TEXT, strlen(TEXT)), PR_OK);
        assert_int_equal(pr_spool_seal(spool), PR_OK);
    }
    for (uint32_t i = 0; i < MESSAGES; i++) {
        deliveries[i] = (struct pr_delivery){
            .spool = spool,
            .folder = "a/b",
            .key = keys[i],
            .received = 1700000000 + i,
            .flags = {PR_FLAG_SEEN, "work"},
            .account = "work",
            .source_folder = "INBOX",
            .uid = 11 + i,
            .sink = sink->name,
        };
        batch[i] = &deliveries[i];
    }
}

/* ---- Sinks --------------------------------------------------------------- */

/* What is to be done in the loop. */
struct job {
    const char *text; /* of the sink */
    void (*check)(struct pr_sink *sink);
};

static pr_status run_job(void *argument)
{
    const struct job *job = argument;
    struct pr_sink *sink = load(job->text);

    make_deliveries(sink);
    job->check(sink);
    config_free(config);
    return PR_OK;
}

static void with_sink(const char *text, void (*check)(struct pr_sink *sink))
{
    struct job job = {text, check};

    assert_int_equal(loop_run(2, run_job, &job), PR_OK);
    spool_free(spool);
    spool = NULL;
}

static const struct pr_sink_ops *ops_of(const struct pr_sink *sink)
{
    return sink->class->sink;
}

static void commit(struct pr_sink *sink)
{
    assert_int_equal(ops_of(sink)->commit(sink, batch, MESSAGES), PR_OK);
}

static void assert_words(const char *words)
{
    if (strstr(pr_last_failure()->text, words) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", words, pr_last_failure()->text);
}

static void check_whole(struct pr_sink *sink)
{
    const struct pr_sink_ops *ops = ops_of(sink);

    assert_string_equal(sink->name, "sink:box");
    assert_true(ops->recover != NULL && !ops->journaled);
    for (size_t i = 0; i < MESSAGES; i++) {
        assert_int_equal(ops->stage(sink, batch[i]), PR_OK);
        assert_string_equal(batch[i]->receipt + 3, batch[i]->key);
    }
    commit(sink);
    assert_int_equal(deliveries[0].result, PR_OK);
    assert_int_equal(deliveries[1].result, PR_LATER);
    assert_string_equal(deliveries[1].failure, "sink:box: soon");
    assert_int_equal(deliveries[2].result, PR_REFUSED);
    assert_string_equal(deliveries[2].failure, "sink:box: refused");
    ops->abort(sink, batch[0]);
    assert_non_null(strstr(fixture_log(), "abort key-1"));
    assert_int_equal(ops->recover(sink, "key-1", "r"), PR_OK);
    assert_int_equal(ops->recover(sink, "key-2", "r"), PR_GONE);
    assert_int_equal(ops->recover(sink, "key-3", "r"), PR_DOUBT);
    assert_int_equal(ops->recover(sink, "key-4", "r"), PR_LATER);
    assert_words("asleep");
    assert_int_equal(ops->recover(sink, "key-5", "r"), PR_SCRIPT);
    assert_int_equal(ops->check(sink), PR_REFUSED);
    assert_words("closed");
}

static void a_sink_has_the_contract_of_one_in_c(void **state)
{
    (void)state;
    with_sink("sink(\"box\", {\n"
              "stage = function(m) return 'at ' .. m.key end,\n"
              "commit = function(batch)\n"
              "  assert(#batch == 3)\n"
              "  for i, m in ipairs(batch) do\n"
              "    assert(m.receipt == 'at key-' .. i and m.uid == 10 + i)\n"
              "    assert(m.folder == 'a/b' and m.source_folder == 'INBOX')\n"
              "    assert(m:header 'subject' == 'gr\xc3\xbc\xc3\x9f"
              "e')\n"
              "    assert(m:raw():ends 'body\\n' and m.size == #m:raw())\n"
              "    assert(m.flags['\\\\seen'] and m.flags[2] == 'work')\n"
              "  end\n"
              "  table.remove(batch)\n"
              "  return { true, { 'later', 'soon' }, false }\n"
              "end,\n"
              "abort = function(m) print('abort', m.key) end,\n"
              "recover = function(key)\n"
              "  if key == 'key-1' then return true end\n"
              "  if key == 'key-2' then return false end\n"
              "  if key == 'key-4' then return 'later', 'asleep' end\n"
              "  if key == 'key-5' then error 'no' end\n"
              "end,\n"
              "check = function() return false, 'closed' end })",
              check_whole);
}

static void check_journaled(struct pr_sink *sink)
{
    assert_true(ops_of(sink)->recover == NULL && ops_of(sink)->journaled);
    assert_int_equal(ops_of(sink)->stage(sink, batch[0]), PR_OK);
    assert_string_equal(batch[0]->receipt, "");
    commit(sink);
    for (size_t i = 0; i < MESSAGES; i++)
        assert_int_equal(deliveries[i].result, i == 1 ? PR_SCRIPT : PR_OK);
    assert_non_null(strstr(deliveries[1].failure, "in the middle"));
    assert_int_equal(ops_of(sink)->check(sink), PR_UNSUPPORTED);
}

static void deliver_is_called_for_each(void **state)
{
    (void)state;
    with_sink("sink('box', { deliver = function(m)\n"
              "  if m.uid == 12 then error 'in the middle' end\n"
              "  return true\n"
              "end })",
              check_journaled);
}

static void check_all_later(struct pr_sink *sink)
{
    commit(sink);
    for (size_t i = 0; i < MESSAGES; i++) {
        assert_int_equal(deliveries[i].result, PR_LATER);
        assert_string_equal(deliveries[i].failure, "sink:box: closed");
    }
}

static void check_all_failed(struct pr_sink *sink)
{
    commit(sink);
    for (size_t i = 0; i < MESSAGES; i++) {
        assert_int_equal(deliveries[i].result, PR_SCRIPT);
        assert_non_null(strstr(deliveries[i].failure, "oh no"));
    }
}

static void check_last_missing(struct pr_sink *sink)
{
    commit(sink);
    assert_int_equal(deliveries[1].result, PR_OK);
    assert_int_equal(deliveries[2].result, PR_SCRIPT);
    assert_non_null(strstr(deliveries[2].failure, "result 3 is missing"));
}

/* What was said before the error holds. */
static void check_wrong_result(struct pr_sink *sink)
{
    commit(sink);
    assert_int_equal(deliveries[0].result, PR_OK);
    assert_int_equal(deliveries[1].result, PR_SCRIPT);
    assert_int_equal(deliveries[2].result, PR_SCRIPT);
    assert_non_null(strstr(deliveries[2].failure, "expects true"));
}

static void a_commit_may_answer_for_all(void **state)
{
    (void)state;
    with_sink("sink('box', { commit = function(b) return nil, 'closed' end })",
              check_all_later);
    with_sink("sink('box', { commit = function(b) error 'oh no' end })",
              check_all_failed);
    with_sink("sink('box', { commit = function(b) return { true, true } end })",
              check_last_missing);
    with_sink("sink('box', { commit = function(b) return { true, 5, true } "
              "end })",
              check_wrong_result);
}

/* Whichever allocation fails, each delivery has a result, and none that failed
 * is said to be done. */
static void check_allocations(struct pr_sink *sink)
{
    bool is_over = false;

    for (unsigned long n = 1; !is_over; n++) {
        make_deliveries(sink);
        for (size_t i = 0; i < MESSAGES; i++)
            deliveries[i].result = PR_BUG;
        memory_fail_at(n);
        pr_status status = ops_of(sink)->stage(sink, batch[0]);
        if (status == PR_OK)
            status = ops_of(sink)->commit(sink, batch, MESSAGES);
        is_over = memory_fail_pending();
        memory_fail_at(0);
        assert_true(status == PR_OK || status == PR_NOMEM ||
                    status == PR_SCRIPT);
        for (size_t i = 0; status == PR_OK && i < MESSAGES; i++)
            assert_true(deliveries[i].result == PR_OK ||
                        deliveries[i].result == PR_NOMEM ||
                        deliveries[i].result == PR_SCRIPT);
        assert_true(n < 20000);
    }
    assert_int_equal(deliveries[2].result, PR_OK);
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    with_sink("sink('box', {\n"
              "stage = function(m) return m.key .. m:header 'subject' end,\n"
              "commit = function(b)\n"
              "  local done = {}\n"
              "  for i, m in ipairs(b) do\n"
              "    assert(#m:raw() > 0)\n"
              "    done[i] = true\n"
              "  end\n"
              "  return done\n"
              "end })",
              check_allocations);
    with_sink("sink('box', { deliver = function(m) return #m:raw() > 0 end })",
              check_allocations);
}

/* ---- Sources ------------------------------------------------------------- */

struct fake_feed {
    struct pr_feed feed;
    struct pr_item *items;
    size_t count, next, ended;
    enum pr_want want;
    struct pr_spool *spool;
    pr_status results[8];
    uint64_t sizes[8];
};

static pr_status feed_next(struct pr_feed *feed, bool wait,
                           struct pr_request *ret)
{
    struct fake_feed *fake = (struct fake_feed *)feed;

    (void)wait;
    if (fake->next == fake->count)
        return PR_EOF;
    *ret = (struct pr_request){.item = &fake->items[fake->next++],
                               .want = fake->want};
    return PR_OK;
}

static pr_status feed_begin(struct pr_feed *feed, struct pr_item *item,
                            enum pr_want want, uint64_t octets,
                            struct pr_spool **ret)
{
    struct fake_feed *fake = (struct fake_feed *)feed;

    (void)item, (void)want, (void)octets;
    assert_null(fake->spool);
    pr_status status = spool_new("/tmp", 0, &fake->spool);
    *ret = fake->spool;
    return status;
}

static void feed_end(struct pr_feed *feed, struct pr_item *item,
                     pr_status result)
{
    struct fake_feed *fake = (struct fake_feed *)feed;

    (void)item;
    if (result == PR_OK)
        result = pr_spool_seal(fake->spool);
    fake->sizes[fake->ended] = result == PR_OK ? pr_spool_size(fake->spool) : 0;
    fake->results[fake->ended++] = result;
    spool_free(fake->spool);
    fake->spool = NULL;
}

static const struct pr_feed_ops feed_ops = {
    .size = sizeof feed_ops,
    .next = feed_next,
    .begin = feed_begin,
    .end = feed_end,
};

static pr_status note_item(void *user, const struct pr_item *item)
{
    struct fake_feed *fake = user;

    fake->items[fake->count++] = *item;
    return PR_OK;
}

static const char lua_source[] =
    "local s = source('shelf', {\n"
    "list = function() return { { uidl = 'a', size = 40, received = 9 },\n"
    "  { uidl = 'b', own = 'text' }, { uidl = 'c' }, { uidl = 'd' },\n"
    "  { uidl = 'e' } } end,\n"
    "fetch = function(item, want)\n"
    "  if item.uidl == 'a' then return 'A: 1\\r\\n\\r\\nbody\\r\\n' end\n"
    "  if item.uidl == 'b' then\n"
    "    assert(item.own == 'text')\n"
    "    local n = 0\n"
    "    return function()\n"
    "      n = n + 1\n"
    "      if n < 3 then return n == 1 and 'B: 1\\n' or '\\nbody' end\n"
    "    end\n"
    "  end\n"
    "  if item.uidl == 'd' then return nil, 'busy' end\n"
    "  if item.uidl == 'e' then error 'torn' end\n"
    "end,\n"
    "settle = function(deeds)\n"
    "  assert(deeds[1].uidl == 'a' and deeds[1].remove)\n"
    "  assert(deeds[2].item.own == 'text')\n"
    "  return { true, { 'later', 'no' } }\n"
    "end })\n"
    "account 'w' { source = s, deliver = maildir '/m' }\n";

static void use_source(struct pr_source *source, enum pr_want want)
{
    static struct pr_item items[8];
    const struct pr_source_ops *ops = source->class->source;
    struct fake_feed fake = {.feed = {&feed_ops}, .items = items, .want = want};
    struct pr_mailbox mailbox;

    assert_int_equal(ops->open(source), PR_OK);
    assert_int_equal(ops->select(source, "other", &mailbox), PR_GONE);
    assert_int_equal(ops->select(source, "INBOX", &mailbox), PR_OK);
    assert_int_equal(mailbox.exists, 5);
    assert_int_equal(mailbox.uidvalidity, 0);
    assert_int_equal(ops->list(source, NULL, 0, note_item, &fake), PR_OK);
    assert_int_equal(fake.count, 5);
    assert_string_equal(items[0].uidl, "a");
    assert_true(items[0].size == 40 && items[0].received == 9);
    assert_int_equal(ops->fetch(source, &fake.feed), PR_OK);
    assert_int_equal(fake.ended, 5);
    assert_int_equal(fake.sizes[0], 11);
    assert_int_equal(fake.sizes[1], 10);
    assert_int_equal(fake.results[2], PR_GONE);
    assert_int_equal(fake.results[3], PR_LATER);
    assert_int_equal(fake.results[4], PR_SCRIPT);
    struct pr_deed deeds[2] = {{.item = &items[0], .remove = true},
                               {.item = &items[1], .remove = true}};
    assert_int_equal(ops->settle(source, deeds, 2), PR_OK);
    assert_int_equal(deeds[0].result, PR_OK);
    assert_int_equal(deeds[1].result, PR_LATER);
    ops->close(source);
}

static pr_status run_source(void *argument)
{
    (void)argument;
    if (fixture_load(lua_source, &config) != PR_OK)
        fail_msg("%s", fixture_errors());
    struct pr_source source = {
        .class = config->accounts[0].source,
        .options = config->accounts[0].source_options,
        .account = "w",
    };
    use_source(&source, PR_WANT_ALL);
    use_source(&source, PR_WANT_HEADER);
    config_free(config);
    return PR_OK;
}

static void a_source_has_the_contract_of_one_in_c(void **state)
{
    (void)state;
    assert_int_equal(loop_run(2, run_source, NULL), PR_OK);
}

static int begin(void **state)
{
    (void)state;
    fixture_begin();
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
        cmocka_unit_test(a_sink_has_the_contract_of_one_in_c),
        cmocka_unit_test(deliver_is_called_for_each),
        cmocka_unit_test(a_commit_may_answer_for_all),
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(a_source_has_the_contract_of_one_in_c),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
