/*
 * Reads a spool line by line through a window of fixed size.
 *
 * A spool in memory is its own window. One in a file is read in steps; what is
 * left of the window moves to its front when less than LINES_WHOLE octets are.
 */
#include "config.h"

#include "mail/lines.h"

#include <string.h>

#include "base/memory.h"

#define WINDOW (64 * 1024)

pr_status lines_init(struct lines *lines, const struct pr_spool *spool)
{
    struct pr_bytes memory = pr_spool_memory(spool);
    *lines = (struct lines){.spool = spool};
    if (memory.data != NULL) {
        lines->window = memory.data;
        lines->end = memory.size;
        lines->is_at_end = true;
        return PR_OK;
    }
    lines->memory = memory_alloc(WINDOW);
    if (lines->memory == NULL)
        return pr_fail(PR_NOMEM, "out of memory for reading a message");
    lines->window = lines->memory;
    return PR_OK;
}

void lines_done(struct lines *lines)
{
    memory_free(lines->memory);
    lines->memory = NULL;
}

static pr_status fill_window(struct lines *lines)
{
    size_t left = lines->end - lines->begin, got = 0;
    memmove(lines->memory, lines->memory + lines->begin, left);
    pr_status status = pr_spool_read(lines->spool, lines->offset + left,
                                     lines->memory + left, WINDOW - left, &got);
    if (status != PR_OK)
        return status;
    lines->begin = 0;
    lines->end = left + got;
    lines->is_at_end = got == 0;
    return PR_OK;
}

pr_status lines_next(struct lines *lines, struct line_piece *ret)
{
    if (!lines->is_at_end && lines->end - lines->begin < LINES_WHOLE) {
        pr_status status = fill_window(lines);
        if (status != PR_OK)
            return status;
    }
    const char *begin = lines->window + lines->begin;
    size_t left = lines->end - lines->begin;
    if (left == 0)
        return PR_EOF;
    const char *end = memchr(begin, '\n', left);
    size_t size = end != NULL ? (size_t)(end - begin) + 1 : left;
    *ret = (struct line_piece){
        .bytes = {begin, size},
        .offset = lines->offset,
        .begins_line = !lines->is_in_line,
        .ends_line = end != NULL,
    };
    lines->is_in_line = end == NULL;
    lines->begin += size;
    lines->offset += size;
    return PR_OK;
}
