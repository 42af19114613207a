/*
 * Lists of words of which a class knows a few: capabilities, mechanisms.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include <postrider/buffer.h>
#include <postrider/option.h>

#include "base/text.h"

#define WORD_MOST 60

static bool is_among(const char *word, const char *const *known)
{
    while (*known != NULL &&
           !pr_bytes_equal_nocase(pr_bytes_of(word), pr_bytes_of(*known)))
        known++;
    return *known != NULL;
}

/* Most names are in capitals, and most people do not write them so. */
static const char *nearest(const char *word, const char *const *known)
{
    char capitals[WORD_MOST + 1];
    const char *near = text_nearest(word, known);

    if (near != NULL)
        return near;
    snprintf(capitals, sizeof(capitals), "%s", word);
    for (char *at = capitals; *at != '\0'; at++)
        if (*at >= 'a' && *at <= 'z')
            *at = (char)(*at - 'a' + 'A');
    return text_nearest(capitals, known);
}

static const char *enumerate(const char *const *known, char *out, size_t size)
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; known[i] != NULL && used < size; i++) {
        const char *before = i == 0                 ? ""
                             : known[i + 1] == NULL ? " and "
                                                    : ", ";
        used +=
            (size_t)snprintf(out + used, size - used, "%s%s", before, known[i]);
    }
    return out;
}

pr_status pr_words_check(const char *option, const char *const *words,
                         const char *const *known)
{
    char all[PR_FAILURE_MAX];

    for (; words != NULL && *words != NULL; words++) {
        if (is_among(*words, known))
            continue;
        const char *near = nearest(*words, known);
        if (near != NULL)
            return pr_fail(PR_CONFIG,
                           "%s: \"%.*s\" is not known; did you mean \"%s\"?",
                           option, WORD_MOST, *words, near);
        return pr_fail(PR_CONFIG, "%s: \"%.*s\" is not known; %s are", option,
                       WORD_MOST, *words, enumerate(known, all, sizeof(all)));
    }
    return PR_OK;
}
