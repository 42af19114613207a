/*
 * The clamd plugin: what its files share.
 */
#ifndef CLAMD_CLAMD_H
#define CLAMD_CLAMD_H

#include <postrider/plugin.h>

struct clamd_options {
    struct pr_service_settings settings;
    const char *host;
    int64_t port;
    uint64_t limit;
};

extern const struct pr_class clamd_class;

/* Reads clamd's reply to INSTREAM, a line without its end, into an answer:
 * `infected` and, if so, `virus`. PR_LIMIT: it would not take so large a
 * message; PR_LATER: another error of its own; PR_PROTOCOL. */
PR_CHECKED pr_status clamd_read_reply(struct pr_bytes line,
                                      struct pr_reply *reply);

#endif
