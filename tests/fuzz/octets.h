/*
 * Octets that come some at a time, for a target that reads responses of IMAP.
 */
#ifndef FUZZ_OCTETS_H
#define FUZZ_OCTETS_H

#include <stdlib.h>

#include <postrider/buffer.h>

#include "../../plugins/imap/response.h"

struct octets {
    struct pr_bytes all;
    size_t shown, used, step; /* step: how many come at a time */
};

static inline pr_status octets_fill(void *user)
{
    struct octets *octets = user;
    size_t left = octets->all.size - octets->shown;

    if (left == 0)
        return PR_EOF;
    octets->shown += left < octets->step ? left : octets->step;
    return PR_OK;
}

static inline struct pr_bytes octets_peek(void *user)
{
    struct octets *octets = user;

    return (struct pr_bytes){octets->all.data + octets->used,
                             octets->shown - octets->used};
}

static inline void octets_consume(void *user, size_t size)
{
    struct octets *octets = user;

    if (size > octets->shown - octets->used)
        abort();
    octets->used += size;
}

/* Where a reader takes them from. */
static inline struct imap_octets octets_source(struct octets *octets)
{
    return (struct imap_octets){octets_fill, octets_peek, octets_consume,
                                octets};
}

#endif
