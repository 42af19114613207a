/*
 * The header of a message, as it stands, for sources and sinks.
 *
 * Rules see fields decoded; here they are octets of a sealed spool, with line
 * ends as LF (RFC 5322, 2.2). Nothing here waits; a header in a file blocks
 * briefly.
 */
#ifndef POSTRIDER_HEADER_H
#define POSTRIDER_HEADER_H

#include <postrider/message.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Reads the header, with the empty line at its end, at most `cap` octets of it;
 * what is beyond is left out. The caller frees *ret with pr_buffer_done, also
 * after a failure. PR_IO, PR_NOMEM. */
PR_API PR_CHECKED pr_status pr_header_read(const struct pr_spool *spool,
                                           size_t cap, struct pr_buffer *ret);

/* A field; lent by the header's octets. */
struct pr_field {
    struct pr_bytes name;
    struct pr_bytes value; /* without white space around it; may be folded */
    size_t begin, end;     /* the whole field, with its line end */
};

/* The next field at or after *offset, which is moved past it. Lines that are no
 * field are passed over. False: there is none. */
PR_API bool pr_header_next(struct pr_bytes header, size_t *offset,
                           struct pr_field *ret);
/* The first field of that name; case does not matter. */
PR_API bool pr_header_find(struct pr_bytes header, const char *name,
                           struct pr_field *ret);
/* The address in the first field of that name, one that holds nothing else, as
 * Return-Path (RFC 5321, 4.4) and Delivered-To do: what is between the angle
 * brackets, or the whole value. Empty for "<>". False: no such field, or
 * something else in it (white space, control characters). */
PR_API bool pr_header_path(struct pr_bytes header, const char *name,
                           struct pr_bytes *ret);

#ifdef __cplusplus
}
#endif
#endif
