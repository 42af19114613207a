/*
 * Copies a message with its header edited.
 *
 * The copy is made line by line through a small window, so a header of any
 * length costs the same. Lines after the first one that is neither a field nor
 * goes one on may be body already (a message without the empty line): they are
 * copied as they are, and new fields stand before them.
 */
#include "config.h"

#include <string.h>

#include <postrider/fiber.h>

#include "base/memory.h"
#include "mail/fields.h"
#include "mail/fold.h"
#include "mail/lines.h"
#include "mail/spool.h"

#define PIECE (64 * 1024)

struct copy {
    const struct pr_spool *from;
    struct pr_spool *to;
    const struct header_edit *edits;
    size_t count;
    bool *is_done;      /* of each edit: written, or overruled by a later one */
    bool is_dropping;   /* the field now being read is left out */
    bool is_first_line; /* nothing was read yet */
    bool ends_line;     /* what was written so far ends a line */
};

static pr_status check_edits(const struct header_edit *edits, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!fields_is_name(pr_bytes_of(edits[i].name)))
            return pr_fail(PR_CONFIG, "\"%s\" is no name of a header field",
                           edits[i].name);
        if (edits[i].kind != HEADER_REMOVE &&
            strpbrk(edits[i].value, "\r\n") != NULL)
            return pr_fail(PR_CONFIG, "the value for %s has a line end in it",
                           edits[i].name);
    }
    return PR_OK;
}

static bool is_named(const struct header_edit *edit, struct pr_bytes name)
{
    return pr_bytes_equal_nocase(pr_bytes_of(edit->name), name);
}

/* Edits act one after the other: SET and REMOVE undo those before them. */
static void overrule(struct copy *copy)
{
    for (size_t i = 0; i < copy->count; i++)
        for (size_t j = i + 1; j < copy->count && !copy->is_done[i]; j++)
            copy->is_done[i] =
                copy->edits[j].kind != HEADER_ADD &&
                is_named(&copy->edits[j], pr_bytes_of(copy->edits[i].name));
}

/* The edit that takes the place of the fields named `name`; NULL: they stay. */
static const struct header_edit *
replacement(const struct copy *copy, struct pr_bytes name, size_t *ret_index)
{
    for (size_t i = copy->count; i > 0; i--) {
        *ret_index = i - 1;
        if (copy->edits[i - 1].kind != HEADER_ADD &&
            is_named(&copy->edits[i - 1], name))
            return &copy->edits[i - 1];
    }
    return NULL;
}

static pr_status write_octets(struct copy *copy, struct pr_bytes octets)
{
    if (octets.size == 0)
        return PR_OK;
    copy->ends_line = octets.data[octets.size - 1] == '\n';
    return spool_append_exact(copy->to, octets.data, octets.size);
}

static pr_status write_field(struct copy *copy, size_t index)
{
    struct pr_buffer field = {.cap = FOLD_MAX};
    pr_status status =
        fold_field(copy->edits[index].name, copy->edits[index].value, &field);
    copy->is_done[index] = true;
    if (status == PR_OK && !copy->ends_line)
        status = write_octets(copy, PR_BYTES("\n"));
    if (status == PR_OK)
        status = write_octets(
            copy, (struct pr_bytes){pr_buffer_text(&field), field.size});
    pr_buffer_done(&field);
    return status;
}

static pr_status write_new_fields(struct copy *copy)
{
    pr_status status = PR_OK;
    for (size_t i = 0; i < copy->count && status == PR_OK; i++)
        if (!copy->is_done[i] && copy->edits[i].kind != HEADER_REMOVE)
            status = write_field(copy, i);
    return status;
}

static pr_status begin_field(struct copy *copy, struct pr_bytes line)
{
    size_t index = 0;
    struct field_place place;
    size_t offset = 0;

    copy->is_dropping = false;
    if (!fields_next(line, &offset, &place))
        return PR_OK;
    struct pr_bytes name = {line.data + place.begin, place.name_size};
    const struct header_edit *edit = replacement(copy, name, &index);
    copy->is_dropping = edit != NULL;
    if (edit == NULL || edit->kind == HEADER_REMOVE || copy->is_done[index])
        return PR_OK;
    return write_field(copy, index);
}

static bool is_from_line(struct pr_bytes line)
{
    return line.size > 5 && (memcmp(line.data, "From ", 5) == 0 ||
                             memcmp(line.data, ">From", 5) == 0);
}

/* Does the line belong to the header? */
static bool is_of_header(const struct copy *copy, struct pr_bytes line)
{
    return fields_begins(line) ||
           (!copy->is_first_line &&
            (line.data[0] == ' ' || line.data[0] == '\t')) ||
           (copy->is_first_line && is_from_line(line));
}

static pr_status read_piece(struct copy *copy, const struct line_piece *piece)
{
    pr_status status = PR_OK;
    struct pr_bytes line = piece->bytes;
    if (piece->begins_line && line.data[0] != ' ' && line.data[0] != '\t')
        status = begin_field(copy, line);
    copy->is_first_line = false;
    if (status != PR_OK || copy->is_dropping)
        return status;
    return write_octets(copy, line);
}

/* Copies the header with the new fields; *ret_offset is where the rest begins.
 */
static pr_status copy_header(struct copy *copy, uint64_t *ret_offset)
{
    struct lines lines;
    struct line_piece piece;
    pr_status status = lines_init(&lines, copy->from);

    *ret_offset = 0;
    while (status == PR_OK) {
        status = lines_next(&lines, &piece);
        if (status != PR_OK ||
            (piece.begins_line && !is_of_header(copy, piece.bytes)))
            break;
        status = read_piece(copy, &piece);
        *ret_offset = piece.offset + piece.bytes.size;
    }
    lines_done(&lines);
    if (status == PR_EOF || status == PR_OK)
        status = write_new_fields(copy);
    return status;
}

/* ---- The rest ------------------------------------------------------------ */

struct read_job {
    const struct pr_spool *spool;
    uint64_t offset;
    char *data;
    size_t size;
};

/* Offloaded. */
static pr_status read_rest(void *argument)
{
    struct read_job *job = argument;
    return pr_spool_read(job->spool, job->offset, job->data, PIECE, &job->size);
}

static pr_status copy_file(struct copy *copy, uint64_t offset)
{
    struct read_job job = {.spool = copy->from, .offset = offset};
    pr_status status = PR_OK;

    job.data = memory_alloc(PIECE);
    if (job.data == NULL)
        return pr_fail(PR_NOMEM, "out of memory for a copy of a message");
    do {
        status = pr_offload(read_rest, &job);
        if (status == PR_OK)
            status = write_octets(copy, (struct pr_bytes){job.data, job.size});
        job.offset += job.size;
    } while (status == PR_OK && job.size != 0);
    memory_free(job.data);
    return status;
}

static pr_status copy_rest(struct copy *copy, uint64_t offset)
{
    struct pr_bytes memory = pr_spool_memory(copy->from);
    if (memory.data == NULL)
        return copy_file(copy, offset);
    return write_octets(copy, (struct pr_bytes){memory.data + offset,
                                                memory.size - (size_t)offset});
}

static pr_status copy_edited(struct copy *copy)
{
    uint64_t offset = 0;
    overrule(copy);
    pr_status status = copy_header(copy, &offset);
    if (status == PR_OK)
        status = copy_rest(copy, offset);
    if (status == PR_OK)
        status = pr_spool_seal(copy->to);
    return status;
}

pr_status spool_with_edits(const struct pr_spool *spool, const char *directory,
                           const struct header_edit *edits, size_t count,
                           struct pr_spool **ret)
{
    struct copy copy = {.from = spool,
                        .edits = edits,
                        .count = count,
                        .is_first_line = true,
                        .ends_line = true};
    pr_status status = check_edits(edits, count);
    if (status == PR_OK)
        status = spool_new(directory, 0, &copy.to);
    if (status != PR_OK)
        return status;
    copy.is_done = memory_zeroed(count + 1, sizeof *copy.is_done);
    if (copy.is_done == NULL)
        status = pr_fail(PR_NOMEM, "out of memory for a copy of a message");
    else
        status = copy_edited(&copy);
    memory_free(copy.is_done);
    if (status != PR_OK) {
        spool_free(copy.to);
        return status;
    }
    *ret = copy.to;
    return PR_OK;
}
