/*
 * A message on its way: its envelope, and what became of each recipient.
 *
 * Made when a delivery is staged, it lasts until that is committed or dropped.
 * Whatever can be refused without asking a server is refused when it is made.
 */
#ifndef SMTP_LETTER_H
#define SMTP_LETTER_H

#include "content.h"
#include "smtp.h"

enum smtp_fate {
    SMTP_PENDING,  /* is to be tried */
    SMTP_ACCEPTED, /* in the transaction under way */
    SMTP_DONE,     /* has the message */
    SMTP_FAILED
};

struct smtp_recipient {
    const char *address;
    enum smtp_fate fate;
};

struct smtp_letter {
    struct pr_arena *arena;
    struct pr_delivery *delivery;
    const char *from; /* "": the null sender */
    struct smtp_recipient *recipients;
    size_t count;
    const char *original; /* ORCPT (RFC 3461, 4.2) of the only one, or NULL */
    const char *trace;    /* what goes before the message */
    struct smtp_facts facts;
    bool needs_utf8;        /* an address is beyond ASCII */
    bool has_utf8_header;   /* the header is, in UTF-8 */
    bool is_begun;          /* pr_delivery_begin was called */
    struct pr_failure fail; /* the worst so far; PR_OK: none */
};

/* Makes the letter of a delivery. `name` is what the sink greets with. May wait
 * for the disk. PR_REFUSED for a loop, or when no recipient can be told;
 * PR_CONFIG for a folder. */
PR_CHECKED pr_status smtp_letter_new(const struct pr_sink *sink,
                                     const char *name,
                                     struct pr_delivery *delivery,
                                     struct smtp_letter **ret);
void smtp_letter_free(struct smtp_letter *letter); /* NULL is fine */

size_t smtp_letter_pending(const struct smtp_letter *letter);
/* Notes the last failure, which was `status`, if it is the worst. */
void smtp_letter_fail(struct smtp_letter *letter, pr_status status);
/* All that are `from` become `to`. */
void smtp_letter_move(struct smtp_letter *letter, enum smtp_fate from,
                      enum smtp_fate to);

/* Gives the octets of the message, trace and all, to `content`, and ends it.
 * Blocks briefly for a message in a file. */
PR_CHECKED pr_status smtp_letter_write(const struct smtp_letter *letter,
                                       struct smtp_content *content);

#endif
