/*
 * COPYUID: where messages are that were copied or moved (RFC 4315, 3; RFC 6851,
 * 4.3).
 */
#ifndef IMAP_COPYUID_H
#define IMAP_COPYUID_H

#include <postrider/plugin.h>

struct imap_response;

/* Reads the code's argument, "38505 304,319:320 3956:3958", into the response's
 * number, ranges and targets. One that is malformed, or that names more
 * messages on one side than on the other, tells nothing: number is then 0. */
void imap_copyuid_read(struct pr_bytes argument, struct imap_response *ret);

/* How many messages it tells of. */
uint64_t imap_copyuid_count(const struct imap_response *told);

/* Calls `each` with every message's UID before and after, in their order. */
void imap_copyuid_pairs(const struct imap_response *told,
                        void (*each)(void *user, uint32_t from, uint32_t to),
                        void *user);

#endif
