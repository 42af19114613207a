/*
 * What the files that make a view share.
 */
#ifndef MAIL_VIEW_PRIVATE_H
#define MAIL_VIEW_PRIVATE_H

#include "mail/fields.h"
#include "mail/tree.h"
#include "mail/view.h"

struct address_list {
    struct address_list *next;
    const char *field;
    const struct view_address *addresses;
    size_t count;
};

/* The content of a part that came by itself. It stays when more of the part
 * comes, before it in the list: a job may still read it. */
struct part_content {
    struct part_content *next;
    size_t part;
    struct pr_spool *spool; /* owned */
    bool is_all;
};

struct view {
    const struct pr_spool *spool; /* lent */
    struct pr_arena *arena;       /* owned: what was asked for by name */
    struct fields fields;
    struct address_list *lists;
    const char *message_id;
    struct tree tree;
    struct view_part *parts; /* NULL until they were asked for */
    bool is_told; /* the tree is the server's word: `contents` has what came */
    struct part_content *contents;
};

/* Frees them. */
void contents_done(struct part_content *contents);

#endif
