/*
 * Regular expressions with bounds: PCRE2 with its JIT, over UTF-8 that may be
 * broken.
 *
 * A search never takes much longer than it was given: it goes over the text in
 * stretches of starting points and looks at the clock between them, and what
 * one starting point may cost is limited by the number of ways that are tried.
 * A search that is not over at once is to go on in the thread pool.
 */
#ifndef LUA_REGEX_H
#define LUA_REGEX_H

#include <postrider/buffer.h>

struct regex;

/* Compiles a pattern. Flags: any of "i" (case does not count), "m" (^ and $ at
 * each line), "s" (. is a line end, too), "x" (white space and comments in the
 * pattern). PR_SCRIPT with words for a wrong pattern or flag; PR_NOMEM. */
PR_CHECKED pr_status regex_new(struct pr_bytes pattern, const char *flags,
                               struct regex **ret);
void regex_free(struct regex *regex); /* NULL is fine */
/* How many groups it has besides the whole. */
size_t regex_groups(const struct regex *regex);
/* The name of a group, NULL if it has none. Lent. */
const char *regex_group_name(const struct regex *regex, size_t group);
bool regex_has_names(const struct regex *regex);

struct regex_data; /* where one search puts what it finds */

struct regex_search {
    struct regex *regex;
    struct pr_bytes text;
    size_t from;       /* the first starting point */
    bool is_not_empty; /* an empty match at `from` does not count */
    uint64_t budget;   /* ns of processor time it may take in all */
    uint64_t spent;    /* ns it took so far */
    struct regex_data *data;
    size_t at; /* where it goes on */
    bool has_begun;
};

/* Searches for a moment. PR_OK: found, see regex_group; PR_EOF: there is none;
 * PR_BUSY: not over, call regex_go_on; PR_LIMIT with words: it tries too many
 * ways, or `budget` is used up; PR_NOMEM. Call regex_end in any case. */
PR_CHECKED pr_status regex_begin(struct regex_search *search);
/* The rest of it, to its end. Blocks: call it in the pool. */
PR_CHECKED pr_status regex_go_on(struct regex_search *search);
/* Where the group lies in the text, 0 is the whole; false if it took no part.
 * Until the next search with this regex ends, or the regex is freed. */
bool regex_group(const struct regex *regex, size_t group, size_t *ret_begin,
                 size_t *ret_end);
void regex_end(struct regex_search *search);

#endif
