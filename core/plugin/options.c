/*
 * Values from the configuration, checked against a class's table of options and
 * stored in its struct.
 *
 * Words begin with the option's name and say what it takes; the value of a
 * secret is never in them.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/secret.h"
#include "base/text.h"
#include "io/file.h"
#include "plugin/registry.h"

#define EXACT_MOST 9007199254740992.0 /* 2^53: a double holds all below */

const char *option_kind_name(enum pr_option_kind kind)
{
    static const char *const names[] = {
        [PR_OPTION_TEXT] = "text",       [PR_OPTION_PATH] = "path",
        [PR_OPTION_CHOICE] = "choice",   [PR_OPTION_NUMBER] = "number",
        [PR_OPTION_BOOLEAN] = "boolean", [PR_OPTION_SIZE] = "size",
        [PR_OPTION_DURATION] = "time",   [PR_OPTION_LIST] = "list",
        [PR_OPTION_SECRET] = "secret",
    };

    return (size_t)kind < sizeof names / sizeof *names ? names[kind] : "?";
}

const struct pr_option *option_find(const struct pr_class *class,
                                    const char *name)
{
    const struct pr_option *option = class->options;

    for (; option != NULL && option->name != NULL; option++)
        if (strcmp(option->name, name) == 0)
            return option;
    return NULL;
}

/* ---- Words --------------------------------------------------------------- */

static const char *describe_choices(const struct pr_option *option, char *out,
                                    size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; option->choices[i] != NULL && used < size; i++) {
        const char *before = i == 0                           ? ""
                             : option->choices[i + 1] == NULL ? " or "
                                                              : ", ";
        int more = snprintf(out + used, size - used, "%s\"%s\"", before,
                            option->choices[i]);

        used += more > 0 ? (size_t)more : 0;
    }
    return out;
}

/* What the option takes, in words. */
static const char *describe_kind(const struct pr_option *option, char *out,
                                 size_t size)
{
    switch (option->kind) {
    case PR_OPTION_TEXT:
        return "a text";
    case PR_OPTION_PATH:
        return "a path such as \"~/Mail\"";
    case PR_OPTION_CHOICE:
        return describe_choices(option, out, size);
    case PR_OPTION_NUMBER:
        if (option->least == 0 && option->most == 0)
            return "a whole number";
        snprintf(out, size, "a number from %" PRId64 " to %" PRId64,
                 option->least, option->most);
        return out;
    case PR_OPTION_BOOLEAN:
        return "true or false";
    case PR_OPTION_SIZE:
        return "a size such as 4096 or \"50M\"";
    case PR_OPTION_DURATION:
        return "a time such as \"10m\" or seconds as a number";
    case PR_OPTION_LIST:
        return "a list such as { \"a\", \"b\" }";
    case PR_OPTION_SECRET:
        return "where the secret comes from, such as exec { \"pass\", \"mail\" "
               "}, file \"path\" or env \"NAME\"";
    }
    return "something else";
}

static const char *describe_value(const struct option_value *value, char *out,
                                  size_t size)
{
    char text[100];

    switch (value->type) {
    case OPTION_VALUE_TEXT:
        snprintf(out, size, "\"%s\"",
                 text_printable(pr_bytes_of(value->text), text, sizeof text));
        return out;
    case OPTION_VALUE_NUMBER:
        snprintf(out, size, "%.14g", value->number);
        return out;
    case OPTION_VALUE_BOOLEAN:
        return value->boolean ? "true" : "false";
    case OPTION_VALUE_LIST:
        return "a list";
    case OPTION_VALUE_SECRET:
        return "a secret";
    case OPTION_VALUE_OTHER:
        return value->text;
    }
    return "nothing";
}

static pr_status fail_expected(const struct pr_option *option,
                               const struct option_value *value)
{
    char kind[200], got[120];
    bool may_be_secret =
        option->kind == PR_OPTION_SECRET && value->type == OPTION_VALUE_NUMBER;

    return pr_fail(PR_CONFIG, "%s: expects %s, got %s", option->name,
                   describe_kind(option, kind, sizeof kind),
                   may_be_secret ? "a number"
                                 : describe_value(value, got, sizeof got));
}

/* ---- One kind each ------------------------------------------------------- */

static pr_status store_text(const struct pr_option *option, void *slot,
                            const struct option_value *value,
                            struct pr_arena *arena)
{
    const char *copy;

    if (value->type != OPTION_VALUE_TEXT)
        return fail_expected(option, value);
    if (value->text[0] == '\0')
        return pr_fail(PR_CONFIG, "%s: is empty", option->name);
    copy = pr_arena_text(arena, value->text);
    if (copy == NULL)
        return PR_NOMEM;
    *(const char **)slot = copy;
    return PR_OK;
}

static pr_status store_path(const struct pr_option *option, void *slot,
                            const struct option_value *value,
                            struct pr_arena *arena)
{
    char *path;
    pr_status status;

    if (value->type != OPTION_VALUE_TEXT || value->text[0] == '\0')
        return fail_expected(option, value);
    status = file_absolute(arena, value->text, &path);
    if (status != PR_OK)
        return pr_context(status, "%s", option->name);
    *(const char **)slot = path;
    return PR_OK;
}

static pr_status store_choice(const struct pr_option *option, void *slot,
                              const struct option_value *value)
{
    const char *near;

    if (value->type != OPTION_VALUE_TEXT)
        return fail_expected(option, value);
    for (unsigned i = 0; option->choices[i] != NULL; i++) {
        if (strcmp(option->choices[i], value->text) == 0) {
            *(unsigned *)slot = i;
            return PR_OK;
        }
    }
    near = text_nearest(value->text, option->choices);
    if (near != NULL) {
        char got[120];

        return pr_fail(PR_CONFIG, "%s: unknown value %s; did you mean \"%s\"?",
                       option->name, describe_value(value, got, sizeof got),
                       near);
    }
    return fail_expected(option, value);
}

/* A whole number that a double holds exactly. */
static bool is_whole(double number)
{
    return fabs(number) <= EXACT_MOST && floor(number) == number;
}

static pr_status store_number(const struct pr_option *option, void *slot,
                              const struct option_value *value)
{
    if (value->type != OPTION_VALUE_NUMBER || !is_whole(value->number))
        return fail_expected(option, value);
    if ((option->least != 0 || option->most != 0) &&
        (value->number < (double)option->least ||
         value->number > (double)option->most))
        return fail_expected(option, value);
    *(int64_t *)slot = (int64_t)value->number;
    return PR_OK;
}

static pr_status store_boolean(const struct pr_option *option, void *slot,
                               const struct option_value *value)
{
    if (value->type != OPTION_VALUE_BOOLEAN)
        return fail_expected(option, value);
    *(bool *)slot = value->boolean;
    return PR_OK;
}

static pr_status store_size(const struct pr_option *option, void *slot,
                            const struct option_value *value)
{
    if (value->type == OPTION_VALUE_TEXT &&
        text_to_size(value->text, slot) == PR_OK)
        return PR_OK;
    if (value->type != OPTION_VALUE_NUMBER || !is_whole(value->number) ||
        value->number < 0)
        return fail_expected(option, value);
    *(uint64_t *)slot = (uint64_t)value->number;
    return PR_OK;
}

static pr_status store_duration(const struct pr_option *option, void *slot,
                                const struct option_value *value)
{
    if (value->type == OPTION_VALUE_TEXT &&
        text_to_duration(value->text, slot) == PR_OK)
        return PR_OK;
    if (value->type != OPTION_VALUE_NUMBER || !(value->number >= 0) ||
        value->number > EXACT_MOST / 1000)
        return fail_expected(option, value);
    *(uint64_t *)slot = (uint64_t)(value->number * 1000);
    return PR_OK;
}

/* A text is a list of one. */
static pr_status store_list(const struct pr_option *option, void *slot,
                            const struct option_value *value,
                            struct pr_arena *arena)
{
    const char *const one[] = {
        value->type == OPTION_VALUE_TEXT ? value->text : NULL, NULL};
    const char *const *list =
        value->type == OPTION_VALUE_LIST ? value->list : one;
    const char **copies;
    size_t count = 0;

    if (value->type != OPTION_VALUE_LIST && value->type != OPTION_VALUE_TEXT)
        return fail_expected(option, value);
    while (list[count] != NULL)
        count++;
    copies = pr_arena_array(arena, count + 1, sizeof *copies);
    if (copies == NULL)
        return PR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        copies[i] = pr_arena_text(arena, list[i]);
        if (copies[i] == NULL)
            return PR_NOMEM;
    }
    *(const char *const **)slot = copies;
    return PR_OK;
}

/* A secret as text or as a program; the texts lie where the caller put them. */
static pr_status new_secret(const struct option_value *value,
                            struct pr_arena *arena,
                            const struct pr_secret **ret)
{
    struct pr_secret *secret = pr_arena_alloc(arena, sizeof *secret);
    pr_status status = PR_OK;
    const struct pr_option as_text = {.kind = PR_OPTION_TEXT};

    if (secret == NULL)
        return PR_NOMEM;
    if (value->type == OPTION_VALUE_TEXT) {
        secret->kind = SECRET_TEXT;
        status = store_text(&as_text, &secret->text, value, arena);
    } else {
        secret->kind = SECRET_EXEC;
        status = store_list(&as_text, &secret->argv, value, arena);
    }
    *ret = secret;
    return status;
}

static pr_status store_secret(const struct pr_option *option, void *slot,
                              const struct option_value *value,
                              struct pr_arena *arena)
{
    const struct pr_secret *secret = value->secret;
    pr_status status = PR_OK;
    bool is_empty =
        (value->type == OPTION_VALUE_TEXT && value->text[0] == '\0') ||
        (value->type == OPTION_VALUE_LIST && value->list[0] == NULL);

    if (is_empty)
        return pr_fail(PR_CONFIG, "%s: is empty", option->name);
    if (value->type == OPTION_VALUE_TEXT || value->type == OPTION_VALUE_LIST)
        status = new_secret(value, arena, &secret);
    else if (value->type != OPTION_VALUE_SECRET)
        return fail_expected(option, value);
    if (status == PR_OK)
        *(const struct pr_secret **)slot = secret;
    return status;
}

pr_status option_store(const struct pr_option *option, void *options,
                       const struct option_value *value, struct pr_arena *arena)
{
    void *slot = (char *)options + option->offset;

    switch (option->kind) {
    case PR_OPTION_TEXT:
        return store_text(option, slot, value, arena);
    case PR_OPTION_PATH:
        return store_path(option, slot, value, arena);
    case PR_OPTION_CHOICE:
        return store_choice(option, slot, value);
    case PR_OPTION_NUMBER:
        return store_number(option, slot, value);
    case PR_OPTION_BOOLEAN:
        return store_boolean(option, slot, value);
    case PR_OPTION_SIZE:
        return store_size(option, slot, value);
    case PR_OPTION_DURATION:
        return store_duration(option, slot, value);
    case PR_OPTION_LIST:
        return store_list(option, slot, value, arena);
    case PR_OPTION_SECRET:
        return store_secret(option, slot, value, arena);
    }
    return pr_fail(PR_BUG, "option %s is of no known kind", option->name);
}

/* ---- A whole struct ------------------------------------------------------ */

/* The words of a fallback, separated by spaces, as a list. */
static pr_status split(const char *text, struct pr_arena *arena,
                       struct option_value *ret)
{
    char *copy = pr_arena_text(arena, text);
    const char **words =
        pr_arena_array(arena, strlen(text) / 2 + 2, sizeof *words);
    char *rest, *word;
    size_t count = 0;

    if (copy == NULL || words == NULL)
        return PR_NOMEM;
    for (word = strtok_r(copy, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest))
        words[count++] = word;
    *ret = (struct option_value){.type = OPTION_VALUE_LIST, .list = words};
    return PR_OK;
}

static pr_status store_fallback(const struct pr_option *option, void *options,
                                struct pr_arena *arena)
{
    struct option_value value = {.type = OPTION_VALUE_TEXT,
                                 .text = option->fallback};
    char *end = NULL;

    if (option->kind == PR_OPTION_BOOLEAN) {
        value.type = OPTION_VALUE_BOOLEAN;
        value.boolean = strcmp(option->fallback, "true") == 0;
    } else if (option->kind == PR_OPTION_NUMBER) {
        value.type = OPTION_VALUE_NUMBER;
        value.number = strtod(option->fallback, &end);
        if (*end != '\0')
            return fail_expected(option, &value);
    } else if (option->kind == PR_OPTION_LIST) {
        pr_status status = split(option->fallback, arena, &value);

        if (status != PR_OK)
            return status;
    }
    return option_store(option, options, &value, arena);
}

pr_status options_new(const struct pr_class *class, struct pr_arena *arena,
                      void **ret)
{
    const struct pr_option *option = class->options;
    void *options = pr_arena_alloc(
        arena, class->options_size != 0 ? class->options_size : 1);

    if (options == NULL)
        return PR_NOMEM;
    for (; option != NULL && option->name != NULL; option++) {
        pr_status status = option->fallback != NULL
                               ? store_fallback(option, options, arena)
                               : PR_OK;

        if (status != PR_OK)
            return status;
    }
    *ret = options;
    return PR_OK;
}

pr_status options_check(const struct pr_class *class, const void *options,
                        const bool *given)
{
    const struct pr_option *option = class->options;

    for (size_t i = 0; option != NULL && option[i].name != NULL; i++)
        if (option[i].required && !given[i])
            return pr_fail(PR_CONFIG, "%s is missing (%s)", option[i].name,
                           option[i].help != NULL
                               ? option[i].help
                               : option_kind_name(option[i].kind));
    if (REGISTRY_COVERS(class, check_options) && class->check_options != NULL)
        return class->check_options(options);
    return PR_OK;
}
