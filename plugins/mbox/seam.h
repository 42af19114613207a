/*
 * Where what we wrote into an mbox ends, and what others have appended begins.
 */
#ifndef MBOX_SEAM_H
#define MBOX_SEAM_H

#include "file.h"

/* Finds where ours ends: not behind `*at`, from where on the octets differ from
 * ours, nor before `least`. False: there is no such place, so the mbox was
 * rewritten. Blocks. */
PR_CHECKED pr_status seam_find(struct mbox_file *file, uint64_t least,
                               uint64_t *at, bool *ret);

/* Is all that follows zeros? A power cut can leave a file longer than what was
 * written into it. Blocks. */
PR_CHECKED pr_status seam_is_zeros(struct mbox_file *file, uint64_t at,
                                   bool *ret);

#endif
