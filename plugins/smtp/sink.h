/*
 * An open sink: its connections, and the batches that go over them.
 *
 * A connection is used by one fiber at a time. As many are in use as the option
 * `connections` says, first come first served.
 */
#ifndef SMTP_SINK_H
#define SMTP_SINK_H

#include "line.h"

/* The state of an open sink. */
struct smtp_sink {
    const struct pr_sink *sink;
    enum smtp_protocol protocol;
    struct pr_net_options net; /* the options', `socket` in it */
    char name[256];            /* to greet with */
    struct pr_semaphore places;
    struct smtp_line *idle; /* connected and not in use */
    struct pr_scope watchers;
    struct pr_event news; /* a line has gone idle */
    bool is_watched;
    struct pr_failure down; /* why no connection could be had */
    pr_time down_until;
};

/* ---- pool.c: connections that are not in use ----------------------------- */

/* A line of this sink, not connected. NULL: out of memory. */
struct smtp_line *smtp_pool_new_line(const struct smtp_sink *smtp);
/* One that is connected, if there is one, else a new one. NULL: out of memory.
 */
struct smtp_line *smtp_pool_take(struct smtp_sink *smtp);
/* Takes it back, to be used again or closed. May wait. */
void smtp_pool_keep(struct smtp_sink *smtp, struct smtp_line *line);
/* Says goodbye on all of them. Waits. */
void smtp_pool_close(struct smtp_sink *smtp);

/* ---- commit.c ------------------------------------------------------------ */

/* pr_sink_ops.commit; frees the tickets. */
pr_status smtp_commit(struct pr_sink *sink, struct pr_delivery *const *batch,
                      size_t count);

#endif
