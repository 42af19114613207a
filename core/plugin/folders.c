/*
 * Names of folders, for sources and sinks to which folders are files.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <postrider/plugin.h>

/* ---- Patterns ------------------------------------------------------------ */

static bool matches(const char *pattern, const char *name, char separator)
{
    const char *wild = NULL, *from = NULL;

    /* When what follows a wildcard does not fit, it takes one more octet. Only
     * the last one need be tried again: the ones before it took as little as
     * they could. */
    while (*name != '\0') {
        if (*pattern == '*' || *pattern == '%') {
            wild = pattern++;
            from = name;
        } else if (*pattern == *name) {
            pattern++;
            name++;
        } else if (wild != NULL && (*wild == '*' || *from != separator)) {
            pattern = wild + 1;
            name = ++from;
        } else {
            return false;
        }
    }
    while (*pattern == '*' || *pattern == '%')
        pattern++;
    return *pattern == '\0';
}

bool pr_folder_matches(const char *const *patterns, const char *name,
                       char separator)
{
    bool is_in = false;

    for (; *patterns != NULL; patterns++) {
        bool leaves_out = (*patterns)[0] == '!';
        if (!matches(*patterns + leaves_out, name, separator))
            continue;
        if (leaves_out)
            return false;
        is_in = true;
    }
    return is_in;
}

/* ---- Lists --------------------------------------------------------------- */

pr_status pr_folder_list_add(struct pr_folder_list *list, const char *name)
{
    const char *copy = pr_arena_text(list->arena, name);

    if (copy == NULL)
        return PR_NOMEM;
    list->names.cap = PR_FOLDERS_MAX * sizeof(copy);
    pr_status status = pr_buffer_add(&list->names, &copy, sizeof(copy));
    return status == PR_LIMIT
               ? pr_fail(PR_LIMIT, "there are over %u folders", PR_FOLDERS_MAX)
               : status;
}

static int by_name(const void *a, const void *b)
{
    const char *left = *(const char *const *)a;
    const char *right = *(const char *const *)b;
    bool is_first = strcmp(left, "INBOX") == 0;

    if (is_first != (strcmp(right, "INBOX") == 0))
        return is_first ? -1 : 1;
    return strcmp(left, right);
}

pr_status pr_folder_list_tell(struct pr_folder_list *list,
                              const char *const *patterns,
                              pr_folder_found *found, void *user)
{
    size_t count = list->names.size / sizeof(const char *);
    const char **names = (const char **)(void *)list->names.data;
    pr_status status = PR_OK;

    if (count > 0)
        qsort(names, count, sizeof(*names), by_name);
    for (size_t i = 0; status == PR_OK && i < count; i++) {
        if (pr_folder_matches(patterns, names[i], '/'))
            status = found(user, names[i]);
    }
    return status;
}

void pr_folder_list_done(struct pr_folder_list *list)
{
    pr_buffer_done(&list->names);
}

/* ---- Names that become files --------------------------------------------- */

static pr_status check_part(const char *folder, const char *part, size_t size,
                            size_t most)
{
    if (size == 0)
        return pr_fail(PR_REFUSED,
                       "the folder name \"%s\" has an empty part: \"/\" stands "
                       "only between parts",
                       folder);
    if (size > most)
        return pr_fail(PR_REFUSED, "the folder name \"%.60s...\" is too long",
                       folder);
    if (part[0] == '.')
        return pr_fail(PR_REFUSED,
                       "no part of the folder name \"%s\" may begin with \".\"",
                       folder);
    return PR_OK;
}

pr_status pr_folder_check(const char *folder, size_t part_max)
{
    for (const char *c = folder; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return pr_fail(PR_REFUSED,
                           "the folder name \"%s\" has control characters",
                           folder);
    }
    for (const char *part = folder;; part++) {
        size_t size = strcspn(part, "/");
        pr_status status = check_part(folder, part, size, part_max);
        part += size;
        if (status != PR_OK || *part == '\0')
            return status;
    }
}
