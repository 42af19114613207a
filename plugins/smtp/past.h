/*
 * Who has a message already that another has yet to get.
 *
 * A delivery is done when all of its recipients have the message. An LMTP
 * server may take it for one and not for another, and then the next try must
 * leave out who has it, in this run or in a later one. So must one after a
 * split (RFC 5321, 4.5.3.1.10) of which a part was taken. The delivery's
 * receipt names them, each by a digest of its address, and has room for all.
 */
#ifndef SMTP_PAST_H
#define SMTP_PAST_H

#include "letter.h"

/* Marks as SMTP_DONE who has it by the receipt of an earlier try. */
void smtp_past_recall(struct smtp_letter *letter);
/* Writes the receipt: who has it by now. */
void smtp_past_note(const struct smtp_letter *letter);

#endif
