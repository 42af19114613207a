/*
 * Adds parts to a tree, numbered as IMAP numbers them.
 */
#include "config.h"

#include "mail/branch.h"

#include "mail/decode.h"
#include "mail/view.h"

#define PARTS_SIZE_MAX (VIEW_PARTS_MAX * sizeof(struct tree_part))

static pr_status add_text(struct tree *tree, const char *text,
                          uint32_t *ret_offset)
{
    *ret_offset = 0; /* of the empty text */
    if (*text == '\0')
        return PR_OK;
    uint32_t offset = (uint32_t)tree->text.size;
    pr_status status = decode_utf8(pr_bytes_of(text), &tree->text);
    if (status == PR_OK)
        status = pr_buffer_add(&tree->text, "", 1);
    if (status == PR_OK)
        *ret_offset = offset;
    return status;
}

static pr_status add_path(struct tree *tree, uint32_t prefix, const char *last,
                          uint32_t *ret_offset)
{
    struct pr_buffer path = {.cap = tree->text.cap};
    const char *before = tree_text(tree, prefix);
    pr_status status = pr_buffer_printf(&path, "%s%s%s", before,
                                        *before != '\0' ? "." : "", last);
    if (status == PR_OK)
        status = add_text(tree, path.data, ret_offset);
    pr_buffer_done(&path);
    return status;
}

/* The path of the part, and the prefix of those in it. */
static pr_status number_part(struct tree *tree, const struct branch *branch,
                             bool is_multipart, uint32_t *ret_path,
                             uint32_t *ret_prefix)
{
    char number[16] = "1";
    if (branch->number == 0 && is_multipart) {
        *ret_prefix = branch->prefix;
        return add_path(tree, branch->prefix, "TEXT", ret_path);
    }
    if (branch->number != 0)
        g_snprintf(number, sizeof number, "%u", branch->number);
    pr_status status = add_path(tree, branch->prefix, number, ret_path);
    *ret_prefix = *ret_path;
    return status;
}

pr_status branch_begin(struct tree *tree)
{
    *tree = (struct tree){.parts = {.cap = PARTS_SIZE_MAX},
                          .text = {.cap = BRANCH_TEXT_MAX}};
    pr_status status = pr_buffer_add(&tree->text, "", 1);
    return status;
}

pr_status branch_add(struct tree *tree, const struct content *content,
                     const struct branch *branch, uint32_t *ret_prefix)
{
    struct tree_part part = {
        .depth = branch->depth,
        .encoding = (uint16_t)content->encoding,
        .is_multipart = content->is_multipart,
    };
    pr_status status = number_part(tree, branch, content->is_multipart,
                                   &part.path, ret_prefix);
    if (status == PR_OK)
        status = add_text(tree, content->type, &part.type);
    if (status == PR_OK)
        status = add_text(tree, content->charset, &part.charset);
    if (status == PR_OK)
        status = add_text(tree, content->filename, &part.filename);
    if (status == PR_OK)
        status = add_text(tree, content->disposition, &part.disposition);
    if (status == PR_OK)
        status = add_text(tree, content->id, &part.content_id);
    return status != PR_OK ? status
                           : pr_buffer_add(&tree->parts, &part, sizeof part);
}

struct tree_part *branch_last(struct tree *tree)
{
    struct tree_part *parts = (void *)tree->parts.data;
    return &parts[tree_count(tree) - 1];
}
