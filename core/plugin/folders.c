/*
 * Patterns of folders' names, for sources that match them themselves.
 */
#include "config.h"

#include <postrider/plugin.h>

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
