/*
 * What rules label a message with: on the server, and on the delivered copy.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "engine_bench.h"
#include "plugin/registry.h"

static const struct pr_class *const classes[] = {&fake_source_class,
                                                 &fake_sink_class, NULL};
static const struct pr_plugin plugin = {
    .abi = PR_ABI, .size = sizeof(plugin), .name = "bench", .classes = classes};

static void write_rules(const char *path, const char *body)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file,
            "account \"a\" { source = fake {}, deliver = memory {} }\n"
            "options { limits = { time = \"5s\" } }\n"
            "rule(\"r\", function(m) %s end)\n",
            body);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

/* Runs these rules over one message; `asked` is what the server was then asked
 * for, `keywords` what the copy has. */
static void check(const char *body, const char *asked, const char *keywords)
{
    struct config *loaded;
    char path[100];
    snprintf(path, sizeof(path), "%s/config.lua", bench.directory);
    write_rules(path, body);
    if (config_load(path, &loaded) != PR_OK) {
        fail_msg("%s", pr_last_failure()->text);
    }
    bench.config.script = loaded->script;
    bench.config.rule_count = loaded->rule_count;
    add_many(1);
    fake_server.asked[0] = '\0';
    size_t before = fake_mailbox.count;
    run();
    assert_int_equal(fake_mailbox.count, before + 1);
    assert_string_equal(fake_mailbox.deliveries[before].keywords, keywords);
    assert_int_equal(fake_mailbox.deliveries[before].flags, 0);
    assert_string_equal(fake_server.asked, asked);
    bench.config.script = NULL;
    bench.config.rule_count = 0;
    config_free(loaded);
}

static void a_copy_has_the_labels_as_keywords(void **state)
{
    (void)state;
    fake_server.has_labels = true;
    check("m:label 'work'", "label work;", "work");
    check("m:label 'work' m:label 'to do' m:flag '$Seen'",
          "set $Seen;label work\nto do;", "$Seen work to_do");
    check("m:flag 'work' m:unlabel 'work'", "set work;unlabel work;", "");
    check("m:label 'work' m:unlabel 'Work'", "label work;unlabel Work;", "");
}

/* They are folders and marks of the server's, not what a rule calls mail. */
static void labels_of_the_servers_own_stay_there(void **state)
{
    (void)state;
    fake_server.has_labels = true;
    check("m:label '\\\\Important' m:label '\\\\Flagged'",
          "label \\Important\n\\Flagged;", "");
}

static void without_labels_both_are_keywords(void **state)
{
    (void)state;
    check("m:label 'work' m:label 'to do'", "set work to_do;", "work to_do");
}

static int register_classes(void **state)
{
    (void)state;
    if (registry_add(&plugin) != PR_OK) {
        fprintf(stderr, "%s\n", pr_last_failure()->text);
        return -1;
    }
    return 0;
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_copy_has_the_labels_as_keywords),
        TEST(labels_of_the_servers_own_stay_there),
        TEST(without_labels_both_are_keywords),
    };
    return cmocka_run_group_tests(tests, register_classes, NULL);
}
