/*
 * The messages of ours that a folder held when it was first used, and those
 * delivered since: so that one which a reader has moved to cur/ or flagged is
 * not delivered a second time, whatever became of the state.
 *
 * Kept as 32-bit hashes, at most 8 octets a message. A hash that is there is
 * looked up in the folder itself before it is believed.
 */
#ifndef MAILDIR_KNOWN_H
#define MAILDIR_KNOWN_H

#include "folder.h"

/* Adds the message called `name` to what is known of the folder; was it, or one
 * with its hash, there before? Reads the folder at its first use, and removes
 * old leftovers of ours from its tmp/. Blocks. PR_NOMEM, PR_IO. */
PR_CHECKED pr_status known_meet(struct maildir *maildir,
                                const struct folder *folder, const char *name,
                                bool *ret_was_there);
void known_free_all(struct maildir *maildir);

#endif
