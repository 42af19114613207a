/*
 * The octets of a message as SMTP carries them.
 *
 * Pure: each line end, be it LF, CR or CRLF, becomes CRLF; a last line without
 * one gets one; and where the end of the content is a dot on a line of its own,
 * a dot at the begin of a line is doubled (RFC 5321, 4.5.2). So CR and LF stand
 * on the wire as CRLF or not at all, and nothing in a message can end it.
 */
#ifndef SMTP_CONTENT_H
#define SMTP_CONTENT_H

#include <postrider/buffer.h>

/* Takes octets of the result. */
typedef pr_status smtp_content_taker(void *user, const char *data, size_t size);

struct smtp_content {
    smtp_content_taker *take;
    void *user;
    bool stuffs_dots;
    /* its own */
    bool in_line; /* the last octet was not of a line end */
    bool was_cr;
};

void smtp_content_init(struct smtp_content *content, bool stuffs_dots,
                       smtp_content_taker *take, void *user);
/* Takes more octets of the message. Fails as `take` does. */
PR_CHECKED pr_status smtp_content_add(struct smtp_content *content,
                                      const char *data, size_t size);
/* The message is at its end: ends the last line. */
PR_CHECKED pr_status smtp_content_end(struct smtp_content *content);

/* What there is to know of a message before it is sent. */
struct smtp_facts {
    uint64_t octets; /* as content, dots not doubled */
    uint64_t line;   /* the longest, in octets without CRLF */
    bool has_nul;
    bool is_8bit; /* octets beyond ASCII */
    /* its own */
    uint64_t line_now;
};

/* A taker (user: struct smtp_facts) that learns them. */
pr_status smtp_facts_take(void *user, const char *data, size_t size);

#endif
