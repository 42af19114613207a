/*
 * mboxrd: a line that is "From " behind any number of ">" gets one more ">",
 * so that no line of a message looks like the beginning of another, and each
 * can be restored.
 *
 * Pure and streaming: lines may be cut anywhere between two calls.
 */
#ifndef MBOX_QUOTE_H
#define MBOX_QUOTE_H

#include <postrider/buffer.h>

/* Takes what comes out; what it returns, if not PR_OK, ends the stream. */
typedef pr_status quote_put(void *user, const char *data, size_t size);

struct quote {
    quote_put *put;
    void *user;
    struct pr_bytes fields; /* to be put at the end of the header */
    bool is_in_line;        /* beyond what could be quoted */
    bool has_angle;         /* the line begins with ">" */
    unsigned matched;       /* octets of "From " held back */
    bool lacks_end;         /* the last line, so far */
};

void quote_init(struct quote *quote, quote_put *put, void *user,
                struct pr_bytes fields);
PR_CHECKED pr_status quote_add(struct quote *quote, const char *data,
                               size_t size);
/* Ends the message: adds a line end if it has none, and the empty line that
 * stands behind each message. */
PR_CHECKED pr_status quote_end(struct quote *quote);

enum unquote_format {
    UNQUOTE_MBOXRD, /* one ">" less before any ">*From " */
    UNQUOTE_MBOXO,  /* ">From " becomes "From ", ">>From " stays */
};

/* The way back. */
struct unquote {
    quote_put *put;
    void *user;
    enum unquote_format format;
    bool is_in_line;
    bool holds_angle; /* the first ">" of the line */
    bool has_more;    /* and more followed it */
    unsigned matched;
};

void unquote_init(struct unquote *unquote, enum unquote_format format,
                  quote_put *put, void *user);
PR_CHECKED pr_status unquote_add(struct unquote *unquote, const char *data,
                                 size_t size);
/* Puts what is still held. */
PR_CHECKED pr_status unquote_end(struct unquote *unquote);

#endif
