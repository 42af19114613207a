/*
 * The tokenizer of IMAP responses: octets in, tokens out.
 *
 * Pure: it neither waits nor keeps the octets. A token lies whole in the input,
 * or it is asked for again once there is more of it; a literal is announced and
 * then handed on in chunks as it comes, never collected. Every line, token,
 * response and nesting has a cap, so no server can make it work or remember
 * without end. RFC 3501, 9; RFC 9051, 9.
 */
#ifndef IMAP_PARSE_H
#define IMAP_PARSE_H

#include <postrider/buffer.h>

#define IMAP_TOKEN_CAP (64u * 1024) /* also of a line of text */
/* Streamed literals and sets of UIDs not counted; those have IMAP_RANGES_CAP.
 */
#define IMAP_RESPONSE_CAP (1024u * 1024)
#define IMAP_NESTING_CAP 250u /* BODYSTRUCTURE nests as the message does */

enum imap_token_kind {
    IMAP_MORE,    /* not a whole token yet: come back with more input */
    IMAP_ATOM,    /* atom, number, flag, NIL, "BODY[HEADER]" as one */
    IMAP_QUOTED,  /* unescaped */
    IMAP_LITERAL, /* `size` octets follow as chunks */
    IMAP_CHUNK,   /* some of them */
    IMAP_OPEN,    /* ( */
    IMAP_CLOSE,   /* ) */
    IMAP_TEXT,    /* the rest of a line, without its end */
    IMAP_END      /* the end of a line, and so of the response */
};

struct imap_token {
    enum imap_token_kind kind;
    struct pr_bytes text; /* atom, quoted, chunk, text: lent from the input, or
                             from the lexer until its next call */
    uint64_t size;        /* of a literal */
    size_t used;          /* octets of the input this token took */
};

/* {0} is one at the start of a line. */
struct imap_lexer {
    struct pr_buffer unquoted; /* a quoted string that had escapes */
    uint64_t literal_left;
    size_t scanned;  /* octets of an unfinished token already looked at */
    size_t spent;    /* octets of this response */
    unsigned depth;  /* open parentheses */
    bool in_section; /* `scanned` ends between "[" and "]" */
    bool in_set;     /* atoms are sets of UIDs: a long one comes in pieces, of
                        which all but the last end with a comma */
    bool
        is_streamed; /* this literal goes elsewhere: its octets are no burden */
};

void imap_lexer_done(struct imap_lexer *lexer);

/* The next token of `input`, which begins after what was used so far. Spaces
 * between tokens are part of the next one. A literal's chunks come before
 * anything else. PR_PROTOCOL if it is not IMAP or over a cap, PR_NOMEM. */
PR_CHECKED pr_status imap_lex(struct imap_lexer *lexer, struct pr_bytes input,
                              struct imap_token *ret);

/* The rest of the line as text (RFC 3501: resp-text), then IMAP_END comes. Not
 * inside a list or a literal. */
PR_CHECKED pr_status imap_lex_text(struct imap_lexer *lexer,
                                   struct pr_bytes input,
                                   struct imap_token *ret);

/* All of `text` as a decimal number of at most `most`. */
bool imap_number(struct pr_bytes text, uint64_t most, uint64_t *ret);

#endif
