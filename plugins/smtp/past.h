/*
 * Who has a message already that another has yet to get.
 *
 * A delivery is done when all of its recipients have the message. An LMTP
 * server may take it for one and not for another, and then the next try must
 * leave out who has it. This is known while the program runs, no longer.
 */
#ifndef SMTP_PAST_H
#define SMTP_PAST_H

#include "letter.h"

struct smtp_past {
    struct smtp_had *first;
    size_t count;
};

/* Marks who has it as SMTP_DONE. */
void smtp_past_recall(const struct smtp_past *past, struct smtp_letter *letter);
/* Keeps who has it, if not all do; forgets it if all do. */
void smtp_past_note(struct smtp_past *past, const struct smtp_letter *letter);
void smtp_past_done(struct smtp_past *past);

#endif
