/*
 * Sets of flags: compared, and changed by one another.
 *
 * Keywords are told apart without regard to case, as servers do. \Recent is no
 * flag of the message but of a session, and never counts.
 */
#ifndef MAIL_FLAGS_H
#define MAIL_FLAGS_H

#include <postrider/message.h>

/* The system flags (RFC 3501, 2.3.2) by name, ended by a NULL name; \Recent,
 * which nobody can set, is the last. */
struct flag_name {
    const char *name;
    unsigned flag; /* PR_FLAG_ */
};
extern const struct flag_name flag_names[];

#define KEYWORD_SIZE 201 /* of the longest that rules set, with its NUL */

/* Is it an atom that can be a keyword (RFC 3501, 9: flag-keyword)? */
bool is_keyword(const char *text);
/* The keyword that stands for a text in UTF-8: "_" is in the place of each
 * character that cannot be in one. */
void keyword_of(const char *text, char ret[KEYWORD_SIZE]);
/* Is `keyword` among the keywords (struct pr_flags; NULL: none)? */
bool flags_have_keyword(const char *keywords, const char *keyword);
bool flags_are_none(const struct pr_flags *flags);
/* What is in `all` and not in `less`, into the arena. PR_NOMEM. */
PR_CHECKED pr_status flags_without(struct pr_arena *arena,
                                   const struct pr_flags *all,
                                   const struct pr_flags *less,
                                   struct pr_flags *ret);
/* `flags` with `set`, then without `clear`. PR_NOMEM. */
PR_CHECKED pr_status flags_change(struct pr_arena *arena,
                                  const struct pr_flags *flags,
                                  const struct pr_flags *set,
                                  const struct pr_flags *clear,
                                  struct pr_flags *ret);
/* Leaves in `set` and `clear` only what is not so in `flags` already. PR_NOMEM.
 */
PR_CHECKED pr_status flags_that_change(struct pr_arena *arena,
                                       const struct pr_flags *flags,
                                       struct pr_flags *set,
                                       struct pr_flags *clear);
/* Adds a system flag such as "\\Seen", or a keyword, by its name; the keywords
 * are then in the arena. PR_NOMEM. */
PR_CHECKED pr_status flags_add(struct pr_arena *arena, struct pr_flags *flags,
                               const char *name);
/* Adds a label of the server's own to *labels (pr_item.labels), in the arena.
 * PR_NOMEM. */
PR_CHECKED pr_status labels_add(struct pr_arena *arena, const char **labels,
                                const char *label);
/* Do both hold the same? */
bool flags_are_equal(const struct pr_flags *a, const struct pr_flags *b);

#endif
