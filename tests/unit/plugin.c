/*
 * Plugins as files: which are taken, and what is said of the others.
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

#include "base/log.h"
#include "plugin/registry.h"

static char folder[] = "/tmp/postrider-plugin-XXXXXX";

/* A sink with the operations it must have, a class and a descriptor; macros
 * make each of them wrong. */
static const char source[] =
    "#include <postrider/plugin.h>\n"
    "#ifndef NAME\n#define NAME good\n#endif\n"
    "#ifndef CLASS\n#define CLASS \"good_sink\"\n#endif\n"
    "#ifndef ABI\n#define ABI PR_ABI\n#endif\n"
    "#ifndef SIZE\n#define SIZE sizeof(struct pr_plugin)\n#endif\n"
    "#ifndef OFFSET\n#define OFFSET 0\n#endif\n"
    "#ifndef KIND\n#define KIND PR_OPTION_TEXT\n#endif\n"
    "#ifndef ROLE\n#define ROLE PR_ROLE_SINK\n#endif\n"
    "#ifndef STAGE\n#define STAGE stage\n#endif\n"
    "#define JOIN_(a, b) a##b\n#define JOIN(a, b) JOIN_(a, b)\n"
    "#define TEXT_(a) #a\n#define TEXT(a) TEXT_(a)\n"
    "#ifdef MISSING\nvoid missing(void);\nvoid *use = missing;\n#endif\n"
    "static pr_status stage(struct pr_sink *s, struct pr_delivery *d)\n"
    "{ return PR_OK; }\n"
    "static pr_status commit(struct pr_sink *s, struct pr_delivery *const *b,"
    " size_t n) { return PR_OK; }\n"
    "static void abort_(struct pr_sink *s, struct pr_delivery *d) {}\n"
    "static void describe(const void *o, char *name, size_t size) {}\n"
    "static const struct pr_sink_ops ops = { sizeof ops, .stage = STAGE,\n"
    "  .commit = commit, .abort = abort_, .describe = describe };\n"
    "static const struct pr_option options[] = {\n"
    "  { .name = \"path\", .kind = KIND, .offset = OFFSET },\n"
    "#ifdef TWICE\n  { .name = \"path\", .kind = KIND },\n#endif\n"
    "  { 0 } };\n"
    "static const struct pr_class class = { sizeof class, ROLE, CLASS,\n"
    "  .options = options, .options_size = 8, .sink = &ops };\n"
    "static const struct pr_class *const classes[] = { &class, NULL };\n"
    "__attribute__((visibility(\"default\")))\n"
    "const struct pr_plugin JOIN(pr_plugin_, NAME) = {\n"
    "  ABI, SIZE, TEXT(NAME), \"1\", \"MIT\", \"test\", classes };\n";

struct wrong {
    const char *file;
    const char *flags;   /* for the compiler; NULL: a text file */
    const char *problem; /* what its problem begins with */
};

static const struct wrong wrongs[] = {
    {"abi", "-DNAME=abi -DABI=2",
     "abi.so is for plugin interface 2, this postrider has 1: rebuild the "
     "plugin"},
    {"big", "-DNAME=big -DCLASS='\"b\"' -DOFFSET=1",
     "big.so: option path of class b lies outside of its struct"},
    {"choice", "-DNAME=choice -DCLASS='\"c\"' -DKIND=PR_OPTION_CHOICE",
     "choice.so: option path of class c has no choices"},
    {"goods", "-DNAME=goods", "goods.so: there is already a class good_sink"},
    {"kind", "-DNAME=kind -DCLASS='\"k\"' -DKIND=77",
     "kind.so: option path of class k is of no known kind"},
    {"link", "-DNAME=link -DMISSING", "link.so cannot be loaded: "},
    {"name", "-DNAME=name -DCLASS='\"no name\"'",
     "name.so: a class of it has a name that is none"},
    {"ops", "-DNAME=ops -DCLASS='\"o\"' -DSTAGE=0",
     "ops.so: class o lacks an operation of a sink"},
    {"role", "-DNAME=role -DCLASS='\"r\"' -DROLE=9",
     "role.so: class r is neither source, sink nor service"},
    {"small", "-DNAME=small -DSIZE=16",
     "small.so has a descriptor of 16 octets, at least 48 are needed: rebuild "
     "the plugin"},
    {"symbol", "-DNAME=other",
     "symbol.so is no plugin of postrider: it has no pr_plugin_symbol"},
    {"text", NULL, "text.so cannot be loaded: "},
    {"twice", "-DNAME=twice -DCLASS='\"t\"' -DTWICE",
     "twice.so: option path of class t stands there twice"},
};

static bool run(const char *command)
{
    return system(command) == 0;
}

static void write_file(const char *name, const char *text)
{
    char path[200];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static bool build(const char *name, const char *flags)
{
    char command[1000];

    snprintf(command, sizeof command,
             "cc -shared -fPIC -w -I'%s/core/api' %s -o %s/%s.so %s/source.c",
             getenv("abs_srcdir"), flags, folder, name, folder);
    return run(command);
}

static const struct registry_entry *entry_of(const char *name)
{
    char end[50];

    snprintf(end, sizeof end, "/%s.so", name);
    for (size_t i = 0; i < registry_count(); i++) {
        const char *path = registry_at(i)->path;

        if (strlen(path) > strlen(end) &&
            strcmp(path + strlen(path) - strlen(end), end) == 0)
            return registry_at(i);
    }
    return NULL;
}

static void quiet(void *user, enum pr_level level, const char *who,
                  const char *text)
{
    (void)user, (void)level, (void)who, (void)text;
}

static void folders_that_are_not_there(void **state)
{
    (void)state;
    setenv("POSTRIDER_PLUGIN_DIR", "/nowhere/a:/nowhere/b", 1);
    assert_int_equal(registry_load(), PR_CONFIG);
    assert_non_null(strstr(pr_last_failure()->text, "/nowhere/"));
    assert_int_equal(registry_count(), 0);
}

static void good_ones_are_in_and_others_left_out(void **state)
{
    const struct registry_entry *entry;

    (void)state;
    if (getenv("abs_srcdir") == NULL || !run("cc --version > /dev/null"))
        skip();
    write_file("source.c", source);
    write_file("README", "no plugin");
    write_file(".hidden.so", "no plugin");
    write_file("text.so", "no plugin at all");
    assert_true(build("good", ""));
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++)
        assert_true(wrongs[i].flags == NULL ||
                    build(wrongs[i].file, wrongs[i].flags));
    setenv("POSTRIDER_PLUGIN_DIR", folder, 1);
    assert_int_equal(registry_load(), PR_OK);
    assert_int_equal(registry_count(), 1 + sizeof wrongs / sizeof *wrongs);
    entry = entry_of("good");
    assert_null(entry->problem);
    assert_string_equal(entry->plugin->name, "good");
    assert_non_null(registry_class("good_sink"));
    assert_null(registry_class("b"));
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        entry = entry_of(wrongs[i].file);
        assert_non_null(entry);
        assert_null(entry->plugin);
        if (strncmp(entry->problem, wrongs[i].problem,
                    strlen(wrongs[i].problem)) != 0)
            fail_msg("%s", entry->problem);
    }
}

static void the_first_of_a_name_is_taken(void **state)
{
    size_t count = registry_count();

    (void)state;
    if (count == 0)
        skip();
    assert_int_equal(registry_load(), PR_OK);
    assert_non_null(strstr(registry_at(count + 3)->problem,
                           "good.so was already found at /tmp/postrider-"));
}

static int begin(void **state)
{
    (void)state;
    log_set(PR_LOG_ERROR, quiet, NULL);
    return mkdtemp(folder) == NULL;
}

static int end(void **state)
{
    char command[100];

    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return !run(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_that_are_not_there),
        cmocka_unit_test(good_ones_are_in_and_others_left_out),
        cmocka_unit_test(the_first_of_a_name_is_taken),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
