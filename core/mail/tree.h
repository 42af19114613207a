/*
 * The tree of a message's parts (RFC 2045, 2046) in two flat blocks.
 *
 * The blocks hold offsets alone, no pointers: they may be moved, or written to
 * another process, as they are.
 */
#ifndef MAIL_TREE_H
#define MAIL_TREE_H

#include <postrider/plugin.h>

/* Offsets of texts are into the text block; each ends with a NUL. */
struct tree_part {
    uint64_t begin, end; /* the content in the spool */
    uint64_t size;       /* of the content, lines ended by CRLF */
    uint32_t path, type, charset, filename, disposition, content_id;
    uint32_t depth;
    uint16_t encoding; /* GMimeContentEncoding */
    bool is_multipart;
};

struct tree {
    struct pr_buffer parts; /* of struct tree_part */
    struct pr_buffer text;
};

/* Reads the parts of a sealed spool in one pass, with memory for a few lines
 * whatever its size. Blocks for a spool in a file; touches only its arguments,
 * so it may be offloaded; decode_ready() was called before. Beyond
 * VIEW_PARTS_MAX parts it stops; beyond VIEW_DEPTH_MAX levels a multipart is
 * one part. PR_NOMEM, PR_IO. */
PR_CHECKED pr_status tree_read(const struct pr_spool *spool, struct tree *ret);
/* The same from what a server tells of a message that is not here: parts have
 * no place in a spool then. PR_NOMEM; PR_UNSUPPORTED: it makes no sense, and
 * the whole message is to be read. */
PR_CHECKED pr_status tree_told(const struct pr_part *parts, size_t count,
                               struct tree *ret);
void tree_done(struct tree *tree); /* zeroed ones too */

size_t tree_count(const struct tree *tree);
const struct tree_part *tree_part(const struct tree *tree, size_t index);
const char *tree_text(const struct tree *tree, uint32_t offset);

#endif
