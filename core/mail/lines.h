/*
 * The lines of a sealed spool, one after the other, in little memory.
 */
#ifndef MAIL_LINES_H
#define MAIL_LINES_H

#include <postrider/message.h>

/* The first octets of a line that always come in one piece. */
#define LINES_WHOLE 1024

/* A line, or a piece of a long one. */
struct line_piece {
    struct pr_bytes bytes; /* with the line end, if it is in it */
    uint64_t offset;
    bool begins_line, ends_line;
};

struct lines {
    const struct pr_spool *spool; /* lent */
    uint64_t offset;              /* in the spool, of window[begin] */
    const char *window;
    size_t begin, end;
    char *memory; /* owned: the window of a spool in a file */
    bool is_at_end, is_in_line;
};

/* PR_NOMEM. */
PR_CHECKED pr_status lines_init(struct lines *lines,
                                const struct pr_spool *spool);
void lines_done(struct lines *lines);
/* The next piece, lent until the next call. PR_EOF, PR_IO. */
PR_CHECKED pr_status lines_next(struct lines *lines, struct line_piece *ret);

#endif
