/*
 * The example of a plugin: it is taken for one, and keeps what sinks promise.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fiber/loop.h"
#include "mail/spool.h"
#include "plugin/registry.h"

extern const struct pr_plugin pr_plugin_journal;

static struct {
    char folder[40], path[60];
    struct pr_arena *arena;
    struct pr_sink sink;
} here;

static int set_up(void **state)
{
    (void)state;
    strcpy(here.folder, "/tmp/journal.XXXXXX");
    if (mkdtemp(here.folder) == NULL)
        return -1;
    snprintf(here.path, sizeof(here.path), "%s/journal", here.folder);
    here.arena = pr_arena_new();
    return here.arena == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    pr_arena_free(here.arena);
    unlink(here.path);
    return rmdir(here.folder);
}

/* Fills the sink as the configuration `journal "path"` does. */
static void configure(void)
{
    const struct pr_class *class = registry_class("journal");
    const struct option_value path = {.type = OPTION_VALUE_TEXT,
                                      .text = here.path};
    const bool given[] = {true};
    void *options;
    assert_non_null(class);
    assert_int_equal(options_new(class, here.arena, &options), PR_OK);
    assert_int_equal(
        option_store(option_find(class, "path"), options, &path, here.arena),
        PR_OK);
    assert_int_equal(options_check(class, options, given), PR_OK);
    here.sink = (struct pr_sink){.class = class, .options = options};
}

static void is_a_plugin(void **state)
{
    (void)state;
    char name[100];
    assert_int_equal(registry_add(&pr_plugin_journal), PR_OK);
    configure();
    here.sink.class->sink->describe(here.sink.options, name, sizeof(name));
    assert_memory_equal(name, "journal:/tmp/", 13);
}

static struct pr_delivery delivery_of(const struct pr_spool *spool,
                                      const char *key)
{
    return (struct pr_delivery){.spool = spool,
                                .folder = "",
                                .key = key,
                                .account = "work",
                                .source_folder = "INBOX"};
}

static struct pr_spool *spool_of(const char *text)
{
    struct pr_spool *spool;
    assert_int_equal(spool_new(here.folder, 0, &spool), PR_OK);
    assert_int_equal(pr_spool_append(spool, text, strlen(text)), PR_OK);
    assert_int_equal(pr_spool_seal(spool), PR_OK);
    return spool;
}

static pr_status deliver_two(void *argument)
{
    (void)argument;
    const struct pr_sink_ops *ops = here.sink.class->sink;
    struct pr_spool *spool = spool_of("A: b\r\n\r\nc\r\n");
    struct pr_delivery one = delivery_of(spool, "k1");
    struct pr_delivery two = delivery_of(spool, "k2");
    struct pr_delivery *const batch[] = {&one, &two};
    assert_int_equal(ops->open(&here.sink), PR_OK);
    assert_int_equal(ops->stage(&here.sink, &one), PR_OK);
    assert_int_equal(ops->stage(&here.sink, &two), PR_OK);
    assert_int_equal(ops->recover(&here.sink, "k1", one.receipt), PR_GONE);
    one.result = two.result = PR_BUG;
    assert_int_equal(ops->commit(&here.sink, batch, 2), PR_OK);
    assert_int_equal(one.result, PR_OK);
    assert_int_equal(two.result, PR_OK);
    assert_int_equal(ops->recover(&here.sink, "k2", two.receipt), PR_OK);
    assert_int_equal(ops->recover(&here.sink, "k", two.receipt), PR_GONE);
    spool_free(spool);
    return PR_OK;
}

static void adds_a_line_for_each_message(void **state)
{
    (void)state;
    char text[200] = "";
    configure();
    assert_int_equal(loop_run(1, deliver_two, NULL), PR_OK);
    FILE *file = fopen(here.path, "r");
    assert_non_null(file);
    (void)!fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    assert_string_equal(text, "k1 8 work/INBOX\nk2 8 work/INBOX\n");
}

static pr_status deliver_below(void *argument)
{
    (void)argument;
    struct pr_delivery one = delivery_of(NULL, "k1");
    one.folder = "below";
    return here.sink.class->sink->stage(&here.sink, &one);
}

static void has_no_folders(void **state)
{
    (void)state;
    configure();
    assert_int_equal(loop_run(1, deliver_below, NULL), PR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_a_plugin),
        cmocka_unit_test(adds_a_line_for_each_message),
        cmocka_unit_test(has_no_folders),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
