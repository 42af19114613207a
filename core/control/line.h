/*
 * A log line in the forms it is written in: text, JSON, the journal's fields.
 *
 * Pure: nothing waits, nothing is written anywhere. Texts are one line of
 * printable UTF-8, as core/base/log.h hands them over.
 */
#ifndef CONTROL_LINE_H
#define CONTROL_LINE_H

#include <stdint.h>

#include <postrider/buffer.h>
#include <postrider/log.h>

struct line {
    int64_t time; /* milliseconds since 1970 */
    enum pr_level level;
    const char *who;     /* "work/INBOX", "" */
    const char *account; /* whose it is; "": nobody's */
    const char *folder;  /* "": none, or not about one */
    const char *text;
};

/* Finds account and folder in line->who, among `accounts` (ended by NULL; NULL:
 * none). What it finds goes into `room` of `size` octets, which the line then
 * points to. */
void line_place(struct line *line, const char *const *accounts, char *room,
                size_t size);

/* "08:15:02 work/INBOX: warning: text" and a line end, local time; the level
 * only from a warning on. */
PR_CHECKED pr_status line_add_text(const struct line *line, bool is_colored,
                                   struct pr_buffer *out);
/* {"time":"2026-01-31T08:15:02.123Z","level":"info",...} without a line end. */
PR_CHECKED pr_status line_add_json(const struct line *line,
                                   struct pr_buffer *out);
/* The fields of one entry of the systemd journal's native protocol. */
PR_CHECKED pr_status line_add_journal(const struct line *line,
                                      struct pr_buffer *out);

/* "error" to "trace". False if there is no such level. */
bool level_of_name(const char *name, enum pr_level *ret);

#endif
