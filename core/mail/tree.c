/*
 * Finds the parts of a message in one pass over its lines.
 *
 * The state is a stack of multiparts with their boundaries, so depth costs no
 * recursion. A boundary of any open multipart ends all that is inside it: a
 * missing closing boundary spoils no part of a multipart further out (RFC 2046,
 * 5.1.2). The line end before a boundary belongs to the boundary (5.1.1).
 */
#include "config.h"

#include "mail/tree.h"

#include <string.h>

#include "base/memory.h"
#include "mail/branch.h"
#include "mail/decode.h"
#include "mail/fields.h"
#include "mail/lines.h"
#include "mail/spool.h"
#include "mail/view.h"

/* Octets of Content-* fields looked at in one part's header. */
#define HEADER_MAX (64 * 1024)

/* A multipart that is open. */
struct level {
    char *boundary;
    size_t boundary_size;
    size_t open_count; /* parts open when it began, itself among them */
    uint32_t prefix;   /* path of its parts, without their number */
    unsigned parts;    /* that it has so far */
    bool is_digest;
};

struct scan {
    struct tree *tree;
    struct lines lines;
    struct level levels[VIEW_DEPTH_MAX];
    size_t level_count;
    size_t open[VIEW_DEPTH_MAX + 1]; /* parts that have no end yet */
    size_t open_count;
    uint64_t line_begin; /* of what is being read, in the spool */
    uint64_t newlines;   /* before that */
    bool is_in_header;
    /* Of the header being read: */
    struct pr_buffer header;
    bool keeps_field;   /* the field now being read is kept in `header` */
    bool is_of_message; /* the header of a message, not of a part */
    bool is_first_line;
    bool ends_at_text; /* a line that is no field ends it */
    uint32_t prefix;   /* path of what the message is in */
};

static void begin_header(struct scan *scan, bool is_of_message,
                         bool ends_at_text)
{
    pr_buffer_clear(&scan->header);
    scan->is_in_header = true;
    scan->keeps_field = false;
    scan->is_first_line = true;
    scan->is_of_message = is_of_message;
    scan->ends_at_text = ends_at_text;
}

/* ---- What a header opens ------------------------------------------------ */

/* Line ends before `offset`, which is in the line now being read or at its end.
 */
static uint64_t newlines_before(const struct scan *scan, uint64_t offset)
{
    return scan->newlines + (offset > scan->line_begin ? 1 : 0);
}

static pr_status add_part(struct scan *scan, const struct content *content,
                          uint64_t begin, uint32_t *ret_prefix)
{
    struct branch branch = {.prefix = scan->prefix,
                            .depth = (uint32_t)scan->open_count};
    if (!scan->is_of_message) {
        struct level *level = &scan->levels[scan->level_count - 1];
        branch.prefix = level->prefix;
        branch.number = ++level->parts;
    }
    pr_status status = branch_add(scan->tree, content, &branch, ret_prefix);
    if (status != PR_OK)
        return status;
    struct tree_part *part = branch_last(scan->tree);
    part->begin = part->end = begin;
    part->size = newlines_before(scan, begin); /* until it is closed */
    scan->open[scan->open_count++] = tree_count(scan->tree) - 1;
    return PR_OK;
}

static pr_status open_multipart(struct scan *scan,
                                const struct content *content, uint32_t prefix)
{
    char *boundary = memory_text(content->boundary);
    if (boundary == NULL)
        return pr_fail(PR_NOMEM, "out of memory for reading a message");
    scan->levels[scan->level_count++] = (struct level){
        .boundary = boundary,
        .boundary_size = strlen(boundary),
        .open_count = scan->open_count,
        .prefix = prefix,
        .is_digest = strcmp(content->type, "multipart/digest") == 0,
    };
    return PR_OK;
}

static bool is_in_digest(const struct scan *scan)
{
    return !scan->is_of_message &&
           scan->levels[scan->level_count - 1].is_digest;
}

/* The header is read; the content begins at `begin`. */
static pr_status end_header(struct scan *scan, uint64_t begin)
{
    struct content content;
    uint32_t prefix = 0;

    scan->is_in_header = false;
    struct pr_bytes header = {pr_buffer_text(&scan->header), scan->header.size};
    pr_status status = content_read(header, is_in_digest(scan), &content);
    if (status != PR_OK)
        return status;
    if (scan->open_count >= VIEW_DEPTH_MAX)
        content.is_multipart = content.is_message = false;
    status = add_part(scan, &content, begin, &prefix);
    if (status == PR_OK && content.is_multipart)
        status = open_multipart(scan, &content, prefix);
    if (status == PR_OK && content.is_message) {
        scan->prefix = prefix;
        begin_header(scan, true, false);
    }
    content_done(&content);
    return status;
}

/* ---- Lines -------------------------------------------------------------- */

static bool is_empty_line(struct pr_bytes line)
{
    return line.data[0] == '\n' ||
           (line.size == 2 && line.data[0] == '\r' && line.data[1] == '\n');
}

static bool is_from_line(const struct scan *scan, struct pr_bytes line)
{
    return scan->is_first_line && scan->is_of_message && line.size > 5 &&
           (memcmp(line.data, "From ", 5) == 0 ||
            memcmp(line.data, ">From", 5) == 0);
}

static bool begins_content_field(struct pr_bytes line)
{
    return line.size > 8 && g_ascii_strncasecmp(line.data, "content-", 8) == 0;
}

/* Decides what a line of a header is; false if it ended the header. */
static bool classify_header_line(struct scan *scan,
                                 const struct line_piece *piece,
                                 pr_status *ret_status)
{
    struct pr_bytes line = piece->bytes;
    bool is_from = is_from_line(scan, line);

    scan->is_first_line = false;
    if (is_empty_line(line)) {
        *ret_status = end_header(scan, piece->offset + line.size);
        return false;
    }
    if (line.data[0] == ' ' || line.data[0] == '\t')
        return true;
    if (fields_begins(line)) {
        scan->keeps_field = begins_content_field(line);
    } else if (scan->ends_at_text && !is_from) {
        *ret_status = end_header(scan, piece->offset);
        return false;
    } else {
        scan->keeps_field = false;
    }
    return true;
}

static pr_status read_header_piece(struct scan *scan,
                                   const struct line_piece *piece)
{
    pr_status status = PR_OK;
    struct pr_bytes line = piece->bytes;
    if (piece->begins_line && !classify_header_line(scan, piece, &status))
        return status;
    if (!scan->keeps_field || line.size > scan->header.cap - scan->header.size)
        return PR_OK;
    return pr_buffer_add(&scan->header, line.data, line.size);
}

/* Is the line a boundary of `level`, perhaps the closing one? */
static bool is_boundary(struct pr_bytes line, const struct level *level,
                        bool *ret_closes)
{
    size_t at = 2 + level->boundary_size;
    if (line.size < at ||
        memcmp(line.data + 2, level->boundary, level->boundary_size) != 0)
        return false;
    *ret_closes =
        line.size >= at + 2 && line.data[at] == '-' && line.data[at + 1] == '-';
    if (*ret_closes)
        at += 2;
    while (at < line.size && strchr(" \t\r\n", line.data[at]) != NULL &&
           line.data[at] != '\0')
        at++;
    return at == line.size;
}

static bool find_boundary(const struct scan *scan, struct pr_bytes line,
                          size_t *ret_level, bool *ret_closes)
{
    if (line.size < 3 || line.data[0] != '-' || line.data[1] != '-')
        return false;
    for (size_t i = scan->level_count; i > 0; i--) {
        *ret_level = i - 1;
        if (is_boundary(line, &scan->levels[i - 1], ret_closes))
            return true;
    }
    return false;
}

/* `newlines`: before `end`. IMAP counts two octets for each (RFC 3501, 7.4.2),
 * and so does a part's size. */
static void close_parts(struct scan *scan, size_t from, uint64_t end,
                        uint64_t newlines)
{
    struct tree_part *parts = (void *)scan->tree->parts.data;
    for (size_t i = from; i < scan->open_count; i++) {
        struct tree_part *part = &parts[scan->open[i]];
        bool is_empty = end <= part->begin;
        part->end = is_empty ? part->begin : end;
        part->size = is_empty ? 0 : end - part->begin + newlines - part->size;
    }
    if (from < scan->open_count)
        scan->open_count = from;
}

static void close_levels(struct scan *scan, size_t from)
{
    while (scan->level_count > from)
        memory_free(scan->levels[--scan->level_count].boundary);
}

static pr_status read_boundary(struct scan *scan, uint64_t offset, size_t level,
                               bool closes)
{
    if (scan->is_in_header) {
        pr_status status = end_header(scan, offset);
        if (status != PR_OK)
            return status;
        scan->is_in_header = false;
    }
    /* A boundary is never in the first line: a header is before it. */
    close_parts(scan, scan->levels[level].open_count, offset - 1,
                scan->newlines - 1);
    close_levels(scan, closes ? level : level + 1);
    if (!closes)
        begin_header(scan, false, true);
    return PR_OK;
}

static pr_status read_lines(struct scan *scan)
{
    struct line_piece piece;
    size_t level = 0;
    bool closes = false;
    pr_status status;

    while ((status = lines_next(&scan->lines, &piece)) == PR_OK) {
        scan->line_begin = piece.offset;
        if (piece.begins_line && scan->level_count != 0 &&
            find_boundary(scan, piece.bytes, &level, &closes))
            status = read_boundary(scan, piece.offset, level, closes);
        else if (scan->is_in_header)
            status = read_header_piece(scan, &piece);
        if (status != PR_OK)
            break;
        scan->newlines += piece.bytes.data[piece.bytes.size - 1] == '\n';
    }
    return status;
}

static pr_status read_parts(struct scan *scan, const struct pr_spool *spool)
{
    pr_status status = branch_begin(scan->tree);
    if (status != PR_OK)
        return status;
    begin_header(scan, true, !spool_header_is_ended(spool));
    status = read_lines(scan);
    if (status == PR_EOF && scan->is_in_header) {
        scan->line_begin = pr_spool_size(spool);
        status = end_header(scan, pr_spool_size(spool));
    }
    /* A cap leaves out what is beyond it. */
    if (status == PR_EOF || status == PR_LIMIT)
        status = PR_OK;
    close_parts(scan, 0, pr_spool_size(spool), scan->newlines);
    close_levels(scan, 0);
    return status;
}

pr_status tree_read(const struct pr_spool *spool, struct tree *ret)
{
    struct tree tree = {.parts = {.cap = 0}};
    struct scan *scan = memory_zeroed(1, sizeof *scan);
    if (scan == NULL)
        return pr_fail(PR_NOMEM, "out of memory for reading a message");
    scan->tree = &tree;
    scan->header.cap = HEADER_MAX;
    pr_status status = lines_init(&scan->lines, spool);
    if (status == PR_OK)
        status = read_parts(scan, spool);
    lines_done(&scan->lines);
    pr_buffer_done(&scan->header);
    memory_free(scan);
    if (status != PR_OK) {
        tree_done(&tree);
        return status;
    }
    *ret = tree;
    return PR_OK;
}

/* ---- Reading the blocks -------------------------------------------------- */

void tree_done(struct tree *tree)
{
    pr_buffer_done(&tree->parts);
    pr_buffer_done(&tree->text);
}

size_t tree_count(const struct tree *tree)
{
    return tree->parts.size / sizeof(struct tree_part);
}

const struct tree_part *tree_part(const struct tree *tree, size_t index)
{
    return (const struct tree_part *)(const void *)tree->parts.data + index;
}

const char *tree_text(const struct tree *tree, uint32_t offset)
{
    return tree->text.data + offset;
}
