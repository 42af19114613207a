/*
 * BODYSTRUCTURE, and the tree that is made of it: whatever octets come, however
 * they are cut.
 *
 * The first octet says how many come at a time. What is read in these cuts must
 * be what is read whole, and the parts must fit together.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "../../plugins/imap/structure.h"
#include "driver.h"
#include "mail/decode.h"
#include "mail/tree.h"
#include "mail/view.h"
#include "octets.h"

static void check_tree(const struct pr_part *parts, size_t count)
{
    struct tree tree;
    pr_status status = tree_told(parts, count, &tree);

    if (status == PR_UNSUPPORTED)
        return;
    if (status != PR_OK || tree_count(&tree) == 0 || tree_count(&tree) > count)
        abort();
    for (size_t i = 0; i < tree_count(&tree); i++) {
        const struct tree_part *part = tree_part(&tree, i);
        if (part->depth > VIEW_DEPTH_MAX || (part->depth == 0) != (i == 0) ||
            *tree_text(&tree, part->path) == '\0' ||
            strchr(tree_text(&tree, part->type), '/') == NULL)
            abort();
    }
    tree_done(&tree);
}

static uint64_t fold(uint64_t sum, uint64_t value)
{
    return (sum ^ value) * 1099511628211u;
}

static uint64_t fold_parts(const struct imap_structure *structure)
{
    uint64_t sum = structure->is_odd;
    struct pr_part *parts = NULL;
    size_t count = 0;

    if (imap_structure_parts(structure, &parts, &count) != PR_OK)
        abort();
    for (size_t i = 0; i < count; i++) {
        sum = fold(fold(sum, parts[i].depth), parts[i].size);
        sum = fold(sum, parts[i].is_multipart);
        for (size_t j = 0; j < parts[i].fields.size; j++)
            sum = fold(sum, (unsigned char)parts[i].fields.data[j]);
        if (parts[i].depth > (i == 0 ? 0 : parts[i - 1].depth + 1))
            abort();
    }
    if (!structure->is_odd)
        check_tree(parts, count);
    free(parts);
    return sum;
}

static uint64_t read_all(const uint8_t *data, size_t size, size_t step)
{
    struct octets octets = {.all = {(const char *)data, size}, .step = step};
    const struct imap_octets from = octets_source(&octets);
    struct imap_structure structure;
    struct imap_reader reader;

    imap_reader_init(&reader, &from, NULL);
    imap_structure_init(&structure);
    pr_status status = imap_structure_read(&reader, &structure);
    if (status != PR_OK && status != PR_EOF && status != PR_PROTOCOL)
        abort();
    uint64_t sum = status == PR_OK ? fold_parts(&structure) : 0;
    imap_structure_done(&structure);
    imap_reader_done(&reader);
    return fold(sum, status);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    decode_ready();
    if (size < 2)
        return 0;
    uint64_t whole = read_all(data + 1, size - 1, size);
    if (read_all(data + 1, size - 1, 1 + data[0] % 16) != whole)
        abort();
    return 0;
}
