/*
 * Are two sets of options the same, by the class's table?
 */
#include "config.h"

#include <string.h>

#include "auth/secret.h"
#include "plugin/registry.h"

static bool texts_equal(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool text_lists_equal(const char *const *a, const char *const *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    for (; *a != NULL && *b != NULL; a++, b++)
        if (strcmp(*a, *b) != 0)
            return false;
    return *a == *b;
}

static bool option_equals(const struct pr_option *option, const void *a,
                          const void *b)
{
    const char *left = (const char *)a + option->offset;
    const char *right = (const char *)b + option->offset;

    switch (option->kind) {
    case PR_OPTION_TEXT:
    case PR_OPTION_PATH:
        return texts_equal(*(const char *const *)left,
                           *(const char *const *)right);
    case PR_OPTION_CHOICE:
        return *(const unsigned *)left == *(const unsigned *)right;
    case PR_OPTION_NUMBER:
        return *(const int64_t *)left == *(const int64_t *)right;
    case PR_OPTION_BOOLEAN:
        return *(const bool *)left == *(const bool *)right;
    case PR_OPTION_SIZE:
    case PR_OPTION_DURATION:
        return *(const uint64_t *)left == *(const uint64_t *)right;
    case PR_OPTION_LIST:
        return text_lists_equal(*(const char *const *const *)left,
                                *(const char *const *const *)right);
    case PR_OPTION_SECRET:
        return secret_equals(*(const struct pr_secret *const *)left,
                             *(const struct pr_secret *const *)right);
    }
    return false;
}

bool options_equal(const struct pr_class *class, const void *a, const void *b)
{
    const struct pr_option *option = class->options;

    if (a == NULL || b == NULL)
        return a == b;
    for (; option != NULL && option->name != NULL; option++)
        if (!option_equals(option, a, b))
            return false;
    return true;
}
