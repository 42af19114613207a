/*
 * What a call answers, and the words that go with a failure.
 *
 * A function that can fail returns a pr_status. The one that first knows of the
 * failure calls pr_fail() with words for the person who must act; those above
 * pass the status on, and may put context before the words with pr_context().
 * The words belong to the running fiber or offloaded job until it fails again.
 */
#ifndef POSTRIDER_STATUS_H
#define POSTRIDER_STATUS_H

#include <stdarg.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PR_API __attribute__((visibility("default")))
#define PR_CHECKED __attribute__((warn_unused_result))
#define PR_PRINTF(string, first) __attribute__((format(printf, string, first)))

typedef enum pr_status {
    PR_OK = 0,
    PR_CANCELLED,   /* asked to stop; nothing is wrong */
    PR_TIMEOUT,     /* a deadline passed */
    PR_EOF,         /* the far side closed, or a sequence is at its end */
    PR_NOMEM,       /* out of memory */
    PR_NETWORK,     /* name lookup, connection, reset: try again soon */
    PR_TLS,         /* handshake or verification: a person must look */
    PR_AUTH,        /* the server refuses who we are: a person must look */
    PR_PROTOCOL,    /* the far side breaks its protocol */
    PR_REFUSED,     /* the far side says no, for good */
    PR_LATER,       /* the far side says not now: busy, throttled, 4xx */
    PR_LIMIT,       /* a cap of ours was reached */
    PR_CONFIG,      /* the configuration is wrong */
    PR_IO,          /* a local file or program failed */
    PR_FULL,        /* no room left: disk or quota; try again later */
    PR_BUSY,        /* another process holds it; try again later */
    PR_GONE,        /* the message or folder is not there (any more) */
    PR_SCRIPT,      /* a rule failed */
    PR_DOUBT,       /* it may or may not have happened */
    PR_UNSUPPORTED, /* the far side or this build cannot do that */
    PR_BUG          /* a mistake of this program */
} pr_status;

/* The longest text of a failure, in octets with its NUL; more is cut. */
#define PR_FAILURE_MAX 512

struct pr_failure {
    pr_status status;
    char text[PR_FAILURE_MAX]; /* one line, no control characters */
};

/* Notes the words of a failure and returns `status`, so that one can write
 * `return pr_fail(PR_AUTH, "...")`. Control characters become '?'. */
PR_API pr_status pr_fail(pr_status status, const char *format, ...)
    PR_PRINTF(2, 3);

/* As pr_fail, and appends ": " and the text of the errno value `error`.
 * ENOSPC and EDQUOT turn PR_IO into PR_FULL, ENOMEM into PR_NOMEM. */
PR_API pr_status pr_fail_errno(pr_status status, int error, const char *format,
                               ...) PR_PRINTF(3, 4);

/* Puts "words: " before the words of the failure being passed on, and returns
 * `status` unchanged. */
PR_API pr_status pr_context(pr_status status, const char *format, ...)
    PR_PRINTF(2, 3);

/* The last failure of this fiber or job; never NULL. Lent. */
PR_API const struct pr_failure *pr_last_failure(void);

/* "timeout", "auth", ...: one lower-case word, for logs and JSON. */
PR_API const char *pr_status_name(pr_status status);

#ifdef __cplusplus
}
#endif
#endif
