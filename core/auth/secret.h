/*
 * Where a secret comes from, as the configuration says it.
 */
#ifndef AUTH_SECRET_H
#define AUTH_SECRET_H

#include <postrider/buffer.h>
#include <postrider/option.h>

enum secret_kind {
    SECRET_TEXT, /* `text` is the secret itself */
    SECRET_EXEC, /* first line that `argv` writes */
    SECRET_FILE, /* first line of the file `text` */
    SECRET_ENV   /* the environment variable `text` */
};

#define SECRET_TIMEOUT 30000 /* ms that a program has when `timeout` is 0 */

struct pr_secret {
    enum secret_kind kind;
    const char *text;
    const char *const *argv; /* ended by NULL */
    uint64_t timeout;        /* ms; SECRET_EXEC only */
};

/* Do both come from the same place? NULL is equal to NULL. */
bool secret_equals(const struct pr_secret *a, const struct pr_secret *b);

/* As pr_secret_read, but from where it lives, not from memory. */
PR_CHECKED pr_status secret_read_anew(const struct pr_secret *secret,
                                      struct pr_buffer *ret);

/* pr_secret_read (see <postrider/option.h>) puts the secret into a buffer made
 * by it; NULs, CRs and LFs cannot be in one, nor can one be empty: PR_CONFIG.
 */

#endif
