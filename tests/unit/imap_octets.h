/*
 * Octets from memory, in cuts, for tests of the IMAP parser.
 */
#ifndef UNIT_IMAP_OCTETS_H
#define UNIT_IMAP_OCTETS_H

#include "../../plugins/imap/reader.h"

struct octets {
    struct pr_bytes all;
    size_t shown, used, step; /* so many more at each fill */
};

static pr_status octets_fill(void *user)
{
    struct octets *octets = user;

    if (octets->shown == octets->all.size)
        return pr_fail(PR_EOF, "end of the test's octets");
    octets->shown += octets->step;
    if (octets->shown > octets->all.size)
        octets->shown = octets->all.size;
    return PR_OK;
}

static struct pr_bytes octets_peek(void *user)
{
    struct octets *octets = user;

    return (struct pr_bytes){octets->all.data + octets->used,
                             octets->shown - octets->used};
}

static void octets_consume(void *user, size_t size)
{
    ((struct octets *)user)->used += size;
}

static inline void octets_reader(struct octets *octets,
                                 struct imap_reader *reader)
{
    const struct imap_octets from = {octets_fill, octets_peek, octets_consume,
                                     octets};

    imap_reader_init(reader, &from, NULL);
}

#endif
