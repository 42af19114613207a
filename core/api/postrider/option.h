/*
 * Options of a plugin's class, as a table.
 *
 * The configuration is checked against it, the values land in the plugin's own
 * struct, and `postrider plugins NAME`, the manual page and the editor
 * annotations are made from it.
 */
#ifndef POSTRIDER_OPTION_H
#define POSTRIDER_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postrider/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The C type that an option is stored as stands beside each kind. */
enum pr_option_kind {
    PR_OPTION_TEXT,     /* const char * */
    PR_OPTION_PATH,     /* const char *; "~/" is expanded, made absolute */
    PR_OPTION_CHOICE,   /* unsigned: index into `choices` */
    PR_OPTION_NUMBER,   /* int64_t, between `least` and `most` */
    PR_OPTION_BOOLEAN,  /* bool */
    PR_OPTION_SIZE,     /* uint64_t octets: 4096 or "50M" */
    PR_OPTION_DURATION, /* uint64_t milliseconds: seconds as a number or "10m"
                         */
    PR_OPTION_LIST,     /* const char *const *, ended by NULL */
    PR_OPTION_SECRET /* const struct pr_secret *: where a secret comes from */
};

struct pr_option {
    const char *name;
    enum pr_option_kind kind;
    size_t offset;        /* in the class's options struct */
    const char *fallback; /* as a user would write it; NULL: none (zero) */
    const char *help;     /* one line, no full stop */
    const char *const *choices; /* PR_OPTION_CHOICE: ended by NULL */
    int64_t least, most;        /* PR_OPTION_NUMBER; both 0: any */
    bool required;
    bool positional; /* also the bare argument: maildir "path" */
};

/* For a class's check of a PR_OPTION_LIST: PR_CONFIG if one of `words` is not
 * among `known`, in any case of letters; it says which, and what it may be
 * meant to be. Both end with NULL; `words` may be NULL. */
PR_API PR_CHECKED pr_status pr_words_check(const char *option,
                                           const char *const *words,
                                           const char *const *known);

/* Where a secret comes from. Opaque here; read with pr_secret_read. */
struct pr_secret;

/* Reads a secret where it lives (a program, a file, the environment). Waits.
 * The buffer is capped at 64 KiB and is to be wiped with pr_secret_wipe.
 * PR_CONFIG, PR_IO, PR_TIMEOUT. */
struct pr_buffer;
PR_API PR_CHECKED pr_status pr_secret_read(const struct pr_secret *secret,
                                           struct pr_buffer *ret);
/* Overwrites and frees. */
PR_API void pr_secret_wipe(struct pr_buffer *buffer);

#ifdef __cplusplus
}
#endif
#endif
