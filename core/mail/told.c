/*
 * The tree of parts as a server tells it, so that none of the content need be
 * here.
 *
 * Each part's fields are read by content.c, as those of a message that is here
 * are, and decide by the same rules what is opened: so both trees have one
 * shape. Where the server opened what we would not, what is in it is left out;
 * where it did not open what we would, the tree cannot be made.
 */
#include "config.h"

#include <string.h>

#include "mail/branch.h"
#include "mail/decode.h"
#include "mail/tree.h"
#include "mail/view.h"

/* A part that holds others. */
struct holder {
    uint32_t prefix; /* of the paths of what is in it */
    unsigned parts;  /* in it so far */
    bool is_message, is_digest;
};

struct telling {
    struct tree *tree;
    struct holder open[VIEW_DEPTH_MAX];
    size_t open_count;
    bool is_closed; /* the last part holds nothing for us: what is in it is
                       passed over */
    unsigned closed_depth;
};

static pr_status senseless(void)
{
    return pr_fail(PR_UNSUPPORTED,
                   "the server tells of parts that do not fit together");
}

/* A message that is a part holds one body. */
static bool is_complete(const struct telling *telling, size_t depth)
{
    for (size_t i = depth; i < telling->open_count; i++)
        if (telling->open[i].is_message && telling->open[i].parts != 1)
            return false;
    return true;
}

/* Ends what the part is not in. */
static pr_status take_place(struct telling *telling, const struct pr_part *part,
                            struct branch *ret)
{
    bool is_first = tree_count(telling->tree) == 0;

    if (is_first != (part->depth == 0) || part->depth > telling->open_count ||
        !is_complete(telling, part->depth))
        return senseless();
    telling->open_count = part->depth;
    *ret = (struct branch){.depth = part->depth};
    if (is_first)
        return PR_OK;
    struct holder *holder = &telling->open[part->depth - 1];
    holder->parts++;
    if (holder->is_message && holder->parts > 1)
        return senseless();
    ret->prefix = holder->prefix;
    ret->number = holder->is_message ? 0 : holder->parts;
    return PR_OK;
}

/* What is opened is what we would open ourselves; a server may leave out the
 * boundary, but not what it parts. */
static pr_status agree(const struct pr_part *part, struct content *content)
{
    bool is_of_type = strncmp(content->type, "multipart/", 10) == 0;

    if (part->depth + 1 > VIEW_DEPTH_MAX) {
        content->is_multipart = content->is_message = false;
        return PR_OK;
    }
    if (part->is_multipart && !is_of_type)
        return senseless();
    if (part->is_multipart && *content->boundary == '\0')
        content->is_multipart = true;
    return content->is_multipart && !part->is_multipart ? senseless() : PR_OK;
}

static pr_status add(struct telling *telling, const struct pr_part *part,
                     struct content *content, const struct branch *branch)
{
    uint32_t prefix = 0;
    pr_status status = agree(part, content);

    if (status == PR_OK)
        status = branch_add(telling->tree, content, branch, &prefix);
    if (status != PR_OK)
        return status;
    branch_last(telling->tree)->size = content->is_multipart ? 0 : part->size;
    telling->is_closed = !content->is_multipart && !content->is_message;
    telling->closed_depth = part->depth;
    if (!telling->is_closed)
        telling->open[telling->open_count++] = (struct holder){
            .prefix = prefix,
            .is_message = content->is_message,
            .is_digest = strcmp(content->type, "multipart/digest") == 0,
        };
    return PR_OK;
}

static pr_status take_part(struct telling *telling, const struct pr_part *part)
{
    struct branch branch;
    struct content content;

    if (telling->is_closed && part->depth > telling->closed_depth)
        return PR_OK;
    pr_status status = take_place(telling, part, &branch);
    if (status != PR_OK)
        return status;
    bool is_in_digest =
        branch.number != 0 && telling->open[part->depth - 1].is_digest;
    status = content_read(part->fields, is_in_digest, &content);
    if (status != PR_OK)
        return status;
    status = add(telling, part, &content, &branch);
    content_done(&content);
    return status;
}

pr_status tree_told(const struct pr_part *parts, size_t count, struct tree *ret)
{
    struct tree tree;
    struct telling telling = {.tree = &tree};
    pr_status status = branch_begin(&tree);

    for (size_t i = 0; i < count && status == PR_OK; i++)
        status = take_part(&telling, &parts[i]);
    if (status == PR_OK && (count == 0 || !is_complete(&telling, 0)))
        status = senseless();
    if (status == PR_LIMIT) /* a cap leaves out what is beyond it */
        status = PR_OK;
    if (status != PR_OK) {
        tree_done(&tree);
        return status;
    }
    *ret = tree;
    return PR_OK;
}
