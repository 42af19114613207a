/*
 * Sets of flags: compared, and changed by one another.
 */
#include "config.h"

#include "mail/flags.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"

#define COUNTED (~(unsigned)PR_FLAG_RECENT)

const struct flag_name flag_names[] = {
    {"\\Seen", PR_FLAG_SEEN},
    {"\\Answered", PR_FLAG_ANSWERED},
    {"\\Flagged", PR_FLAG_FLAGGED},
    {"\\Deleted", PR_FLAG_DELETED},
    {"\\Draft", PR_FLAG_DRAFT},
    {"\\Recent", PR_FLAG_RECENT},
    {NULL, 0},
};

/* RFC 3501, 9: ATOM-CHAR */
static bool is_atom_octet(char octet)
{
    return octet > ' ' && octet < 0x7f && strchr("(){%*\"\\]", octet) == NULL;
}

bool is_keyword(const char *text)
{
    size_t size = 0;

    while (is_atom_octet(text[size]))
        size++;
    return text[size] == '\0' && size > 0 && size < KEYWORD_SIZE;
}

void keyword_of(const char *text, char ret[KEYWORD_SIZE])
{
    size_t size = 0;

    for (; *text != '\0' && size < KEYWORD_SIZE - 1; text++)
        if (!text_goes_on(*text))
            ret[size++] = is_atom_octet(*text) ? *text : '_';
    ret[size] = '\0';
}

static bool has_word(const char *keywords, struct pr_bytes word)
{
    for (const char *at = keywords; at != NULL && *at != '\0';) {
        const char *end = strchrnul(at, ' ');
        if ((size_t)(end - at) == word.size &&
            strncasecmp(at, word.data, word.size) == 0)
            return true;
        at = *end == ' ' ? end + 1 : end;
    }
    return false;
}

bool flags_have_keyword(const char *keywords, const char *keyword)
{
    return has_word(keywords, pr_bytes_of(keyword));
}

bool flags_are_none(const struct pr_flags *flags)
{
    return (flags->system & COUNTED) == 0 &&
           (flags->keywords == NULL || *flags->keywords == '\0');
}

/* The first word of *keywords, which moves past it; empty: there is none. */
static struct pr_bytes take_word(const char **keywords)
{
    const char *at = *keywords == NULL ? "" : *keywords;
    const char *end = strchrnul(at, ' ');

    *keywords = *end == ' ' ? end + 1 : end;
    return (struct pr_bytes){at, (size_t)(end - at)};
}

/* Adds to *to the keywords of `from` that neither it nor `without` has. */
static pr_status add_keywords(struct pr_arena *arena, const char **to,
                              const char *from, const char *without)
{
    for (struct pr_bytes word = take_word(&from); word.size > 0;
         word = take_word(&from)) {
        if (has_word(*to, word) || has_word(without, word))
            continue;
        *to = *to == NULL ? pr_arena_bytes(arena, word)
                          : pr_arena_printf(arena, "%s %.*s", *to,
                                            (int)word.size, word.data);
        if (*to == NULL)
            return PR_NOMEM;
    }
    return PR_OK;
}

pr_status flags_without(struct pr_arena *arena, const struct pr_flags *all,
                        const struct pr_flags *less, struct pr_flags *ret)
{
    struct pr_flags rest = {all->system & ~less->system & COUNTED, NULL};
    pr_status status =
        add_keywords(arena, &rest.keywords, all->keywords, less->keywords);

    *ret = rest;
    return status;
}

pr_status flags_that_change(struct pr_arena *arena,
                            const struct pr_flags *flags, struct pr_flags *set,
                            struct pr_flags *clear)
{
    struct pr_flags absent;
    pr_status status = flags_without(arena, set, flags, set);

    if (status == PR_OK)
        status = flags_without(arena, clear, flags, &absent);
    return status == PR_OK ? flags_without(arena, clear, &absent, clear)
                           : status;
}

pr_status flags_change(struct pr_arena *arena, const struct pr_flags *flags,
                       const struct pr_flags *set, const struct pr_flags *clear,
                       struct pr_flags *ret)
{
    struct pr_flags now = {
        (flags->system | set->system) & ~clear->system & COUNTED, NULL};
    pr_status status =
        add_keywords(arena, &now.keywords, flags->keywords, clear->keywords);

    if (status == PR_OK)
        status =
            add_keywords(arena, &now.keywords, set->keywords, clear->keywords);
    *ret = now;
    return status;
}

static bool holds_keywords(const char *all, const char *some)
{
    for (struct pr_bytes word = take_word(&some); word.size > 0;
         word = take_word(&some))
        if (!has_word(all, word))
            return false;
    return true;
}

bool flags_are_equal(const struct pr_flags *a, const struct pr_flags *b)
{
    return ((a->system ^ b->system) & COUNTED) == 0 &&
           holds_keywords(a->keywords, b->keywords) &&
           holds_keywords(b->keywords, a->keywords);
}

pr_status flags_add(struct pr_arena *arena, struct pr_flags *flags,
                    const char *name)
{
    for (const struct flag_name *one = flag_names; one->name != NULL; one++) {
        if (one->flag != PR_FLAG_RECENT && strcasecmp(one->name, name) == 0) {
            flags->system |= one->flag;
            return PR_OK;
        }
    }
    return add_keywords(arena, &flags->keywords, name, NULL);
}

pr_status labels_add(struct pr_arena *arena, const char **labels,
                     const char *label)
{
    *labels = *labels == NULL
                  ? pr_arena_text(arena, label)
                  : pr_arena_printf(arena, "%s\n%s", *labels, label);
    return *labels != NULL ? PR_OK : PR_NOMEM;
}
