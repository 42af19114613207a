/*
 * A connection to a server: greeting, protection, login, commands and replies.
 *
 * A failure of the stream or of the protocol breaks the line: nothing but
 * smtp_line_drop is of use then. What a server refuses breaks nothing, save 421
 * (RFC 5321, 3.8), after which it closes.
 */
#ifndef SMTP_LINE_H
#define SMTP_LINE_H

#include "capability.h"
#include "reply.h"
#include "smtp.h"

struct smtp_letter;

struct smtp_line {
    struct smtp_line *next; /* its keeper's */
    pr_time idle_until;     /* likewise */

    enum smtp_protocol protocol;
    const struct smtp_options *options;
    const struct pr_net_options *net;
    const struct pr_log *log;
    const char *name;         /* to greet with */
    struct pr_stream *stream; /* NULL: not connected */
    struct smtp_capabilities can;
    struct smtp_reply reply; /* the last one */
    unsigned disabled;
    bool is_broken;
    bool is_closing;                 /* 421 was read */
    bool was_used;                   /* a transaction was begun on it */
    bool needs_reset;                /* RSET goes before the next MAIL */
    bool reset_due;                  /* RSET was put, its reply is due */
    uint64_t written;                /* octets given to the stream */
    const struct smtp_letter *ahead; /* its envelope was sent, the replies to it
                                        are due */
};

/* Not connected yet. All is lent for the line's life. NULL: out of memory. */
struct smtp_line *smtp_line_new(enum smtp_protocol protocol,
                                const struct smtp_options *options,
                                const struct pr_net_options *net,
                                const struct pr_log *log, const char *name);
/* Connects, greets, protects the line and logs in, as the options say. Waits.
 * PR_REFUSED: the server wants nothing of us, whatever the message. */
PR_CHECKED pr_status smtp_line_open(struct smtp_line *line);
bool smtp_line_is_open(const struct smtp_line *line);
/* Closes at once. */
void smtp_line_drop(struct smtp_line *line);
/* QUIT, if the line stands, and its reply for some seconds; then drops it. */
void smtp_line_quit(struct smtp_line *line);
void smtp_line_free(struct smtp_line *line); /* drops it; NULL is fine */

bool smtp_line_can(const struct smtp_line *line, enum smtp_capability what);

/* Adds a command and its CRLF to what is to be sent. PR_BUG, with nothing
 * added, if there is a control character in it. */
PR_CHECKED pr_status smtp_line_put(struct smtp_line *line, const char *format,
                                   ...) PR_PRINTF(2, 3);
/* The same for what must never be shown in the log. */
PR_CHECKED pr_status smtp_line_put_secret(struct smtp_line *line,
                                          struct pr_bytes text);
/* Adds octets as they are. May wait. A taker of content; user: the line. */
pr_status smtp_line_write(void *user, const char *data, size_t size);
/* Sends what was put. */
PR_CHECKED pr_status smtp_line_flush(struct smtp_line *line);

/* Sends what was put and reads one whole reply into line->reply, within
 * `timeout` ms. PR_OK whatever the server says. */
PR_CHECKED pr_status smtp_line_read(struct smtp_line *line, uint64_t timeout);

/* What the last reply means: PR_OK for 2yz, or for 3yz if `wants_more`. Else
 * PR_LATER, PR_REFUSED or PR_AUTH with the server's words after `what`, or
 * PR_PROTOCOL, which breaks the line. */
PR_CHECKED pr_status smtp_line_verdict(struct smtp_line *line, const char *what,
                                       bool wants_more);

/* auth.c: logs in with what the server offers. */
PR_CHECKED pr_status smtp_line_log_in(struct smtp_line *line);

#endif
