/*
 * BODYSTRUCTURE: from its nested lists to a flat row of parts (RFC 3501,
 * 7.4.2).
 *
 * Hostile input makes neither recursion nor endless memory: parts, texts and
 * depth have caps. A structure that breaks the grammar, as some servers' do for
 * mail that does, or that may stand for two different messages, is read to its
 * end and told as odd; the answer that it is part of stays good.
 */
#ifndef IMAP_STRUCTURE_H
#define IMAP_STRUCTURE_H

#include <postrider/plugin.h>

#include "reader.h"

#define IMAP_STRUCTURE_CAP (16u * 1024 * 1024) /* octets on the wire */
#define IMAP_PARTS_CAP 10000u

struct imap_structure {
    bool is_told; /* it was in the response */
    bool is_odd;  /* and makes no sense: there are no parts */
    uint64_t octets;
    struct pr_buffer parts; /* of struct imap_part */
    struct pr_buffer text;
};

void imap_structure_init(struct imap_structure *structure);
void imap_structure_done(struct imap_structure *structure);
void imap_structure_clear(struct imap_structure *structure);

/* Reads what follows the name BODYSTRUCTURE. PR_PROTOCOL if it is not IMAP or
 * over a cap, PR_NOMEM, or what the octets' source returned. */
PR_CHECKED pr_status imap_structure_read(struct imap_reader *reader,
                                         struct imap_structure *ret);
/* The parts, allocated with malloc, their texts lent until the structure is
 * cleared. PR_NOMEM. */
PR_CHECKED pr_status
imap_structure_parts(const struct imap_structure *structure,
                     struct pr_part **ret_parts, size_t *ret_count);

#endif
