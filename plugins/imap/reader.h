/*
 * Tokens pulled from where octets come from: straight-line reading for the
 * grammar.
 *
 * The only part of the parser that may wait, and it does so in `fill` alone. A
 * token's text is lent until the next call on the reader.
 */
#ifndef IMAP_READER_H
#define IMAP_READER_H

#include <postrider/log.h>

#include "parse.h"

/* Where octets come from: a stream, or memory in tests. */
struct imap_octets {
    pr_status (*fill)(void *user); /* at least one more, or a failure */
    struct pr_bytes (*peek)(void *user);
    void (*consume)(void *user, size_t size);
    void *user;
};

struct imap_reader {
    struct imap_lexer lexer;
    struct imap_octets from;
    size_t pending;          /* of the token lent out: not yet consumed */
    struct imap_token again; /* what imap_unread put back */
    bool has_again;
    const struct pr_log *log; /* gets the wire at PR_LOG_TRACE; NULL: nobody */
    struct pr_buffer trace;   /* the line so far */
};

void imap_reader_init(struct imap_reader *reader,
                      const struct imap_octets *from, const struct pr_log *log);
void imap_reader_done(struct imap_reader *reader);
/* Between responses: gives back what memory it holds. */
void imap_reader_shrink(struct imap_reader *reader);

/* Whole tokens only: never IMAP_MORE. May wait. */
PR_CHECKED pr_status imap_read(struct imap_reader *reader,
                               struct imap_token *ret);
/* The next imap_read gives `token`, the last one read, again. */
void imap_unread(struct imap_reader *reader, const struct imap_token *token);
/* The rest of the line, without its end. */
PR_CHECKED pr_status imap_read_text(struct imap_reader *reader,
                                    struct pr_bytes *ret);
/* Lets go of the octets of the last token, whose text is no longer lent: for
 * when somebody else is to read on. */
void imap_reader_release(struct imap_reader *reader);

/* Reads one token that must be of `kind`; `what` names it in the failure. */
PR_CHECKED pr_status imap_expect(struct imap_reader *reader,
                                 enum imap_token_kind kind, const char *what,
                                 struct imap_token *ret);
/* Reads one value and drops it: a string, an atom or a list with all in it. */
PR_CHECKED pr_status imap_skip_value(struct imap_reader *reader);
/* Reads and drops up to the end of the line. */
PR_CHECKED pr_status imap_skip_line(struct imap_reader *reader);
/* Reads past the literal just announced; its octets are no burden. */
PR_CHECKED pr_status imap_skip_literal(struct imap_reader *reader,
                                       uint64_t size);
/* A string, a number or an atom, appended to `to`. *ret_is_nil: it was the atom
 * NIL, and nothing was appended. */
PR_CHECKED pr_status imap_read_string(struct imap_reader *reader,
                                      struct pr_buffer *to, bool *ret_is_nil);

#endif
