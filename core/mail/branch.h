/*
 * Adds parts to a tree, numbered as IMAP numbers them (RFC 3501, 6.4.5).
 */
#ifndef MAIL_BRANCH_H
#define MAIL_BRANCH_H

#include "mail/content.h"
#include "mail/tree.h"

#define BRANCH_TEXT_MAX (8u * 1024 * 1024) /* octets of a tree's texts */

/* Where a part stands. */
struct branch {
    uint32_t prefix; /* path of what it is in, in the tree's texts */
    unsigned number; /* in the multipart; 0: it is what a message holds */
    uint32_t depth;
};

/* Begins an empty tree; tree_done is the caller's, also after a failure.
 * PR_NOMEM. */
PR_CHECKED pr_status branch_begin(struct tree *tree);
/* Appends a part whose place in the spool and size are still 0. *ret_prefix:
 * the path of what is in it. PR_NOMEM; PR_LIMIT: the tree is full. */
PR_CHECKED pr_status branch_add(struct tree *tree,
                                const struct content *content,
                                const struct branch *branch,
                                uint32_t *ret_prefix);
/* The part that was added last. */
struct tree_part *branch_last(struct tree *tree);

#endif
