/*
 * The daemon's log: where lines go, and the recent ones kept for those who ask.
 *
 * Any thread may log. What repeats itself is counted (control/repeats.h). The
 * ring keeps the last lines; who follows it reads from a place of his own and
 * is told how many he missed, so that a slow reader holds up nobody.
 */
#ifndef CONTROL_LOGS_H
#define CONTROL_LOGS_H

#include <stdint.h>

#include <postrider/buffer.h>
#include <postrider/fiber.h>
#include <postrider/log.h>

enum log_format {
    LOG_AUTO, /* journal, text or JSON: what standard error is */
    LOG_TEXT,
    LOG_JSON,
    LOG_JOURNAL
};

/* "auto", "text", "json", "journal". False if there is no such format. */
bool log_format_of_name(const char *name, enum log_format *ret);

/* Takes the log over, until logs_close. LOG_JOURNAL needs the journal's socket
 * (PR_IO); with LOG_AUTO text or JSON goes to standard error without it. */
PR_CHECKED pr_status logs_open(enum log_format format, enum pr_level level);
void logs_close(void);

/* Whose lines are whose: the accounts' names (ended by NULL), copied. */
void logs_set_accounts(const char *const *names);

/* In a fiber of its own, until cancelled: wakes those who wait for lines, and
 * tells of repeats when their time is over. */
pr_status logs_run(void *unused);
/* Woken when there are new lines. For fibers. */
struct pr_event *logs_news(void);

/* A place in the ring. */
struct logs_cursor {
    uint64_t next;
    enum pr_level level; /* lines above it are left out */
};

/* At the last `lines` of those kept. From now on lines up to `level` are made,
 * until logs_unfollow. */
struct logs_cursor logs_follow(enum pr_level level, unsigned lines);
void logs_unfollow(const struct logs_cursor *cursor);
/* The next line as a JSON object (control/line.h) behind what is in `out`;
 * PR_EOF: none now. *ret_missed: lines that were lost before it. */
PR_CHECKED pr_status logs_next(struct logs_cursor *cursor,
                               struct pr_buffer *out, uint64_t *ret_missed);

/* Until this is called with NULL, warnings and errors that the calling thread
 * logs also go into `lines`, one a line. */
void logs_capture(struct pr_buffer *lines);

#endif
