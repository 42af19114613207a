/*
 * Log lines with the name of who speaks before them.
 *
 * A line is for the person who runs the program. Text from the network is
 * escaped here: control characters and octets that are not UTF-8 become \xNN,
 * so no line can forge another or drive a terminal. Secrets never come here.
 */
#ifndef POSTRIDER_LOG_H
#define POSTRIDER_LOG_H

#include <stdbool.h>

#include <postrider/status.h>

#ifdef __cplusplus
extern "C" {
#endif

enum pr_level {
    PR_LOG_ERROR,   /* something did not happen that should have */
    PR_LOG_WARNING, /* it happened, but a person should know */
    PR_LOG_INFO,    /* what was done */
    PR_LOG_DEBUG,   /* how: -v */
    PR_LOG_TRACE    /* the wire: -vv */
};

/* Who speaks: "work", "work/INBOX". Lent parents outlive their children. */
struct pr_log {
    const struct pr_log *parent; /* NULL at the root */
    const char *name;
};

PR_API void pr_log(const struct pr_log *log, enum pr_level level,
                   const char *format, ...) PR_PRINTF(3, 4);
/* Is anybody listening? For lines that are dear to make. */
PR_API bool pr_log_wants(enum pr_level level);

#ifdef __cplusplus
}
#endif
#endif
