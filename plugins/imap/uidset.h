/*
 * Sets of UIDs as IMAP writes them: "1:3,5,90:*" (RFC 3501, 9: sequence-set).
 *
 * Pure. A set is built in the order it is told; neighbours that follow one
 * another are merged, so a set never names a UID that was not added.
 */
#ifndef IMAP_UIDSET_H
#define IMAP_UIDSET_H

#include <postrider/buffer.h>

/* Octets of a set: with the rest of the command within the 8000 that servers
 * take (RFC 7162, 4). */
#define IMAP_UIDSET_CAP 7000u

struct imap_uidset {
    struct pr_buffer text; /* without the last range */
    uint32_t first, last;  /* the last range; first 0: none */
};

void imap_uidset_init(struct imap_uidset *set);
void imap_uidset_done(struct imap_uidset *set);
void imap_uidset_clear(struct imap_uidset *set);

/* Adds first..last (UINT32_MAX: "*"). PR_LIMIT without words, and nothing
 * added, when the set is as long as a command should be: send it and begin
 * another. PR_NOMEM. */
PR_CHECKED pr_status imap_uidset_add(struct imap_uidset *set, uint32_t first,
                                     uint32_t last);
bool imap_uidset_is_empty(const struct imap_uidset *set);
/* The set as text, which ends it: clear it before adding again. PR_NOMEM. */
PR_CHECKED pr_status imap_uidset_finish(struct imap_uidset *set,
                                        struct pr_bytes *ret);

/* Takes the first range off the front of `text`, lower end first; "*" is
 * UINT32_MAX. False if there is none or it is not one. */
bool imap_uidset_take(struct pr_bytes *text, uint32_t *ret_first,
                      uint32_t *ret_last);

#endif
