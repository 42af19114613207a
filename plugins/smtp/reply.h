/*
 * Replies of SMTP and LMTP servers (RFC 5321, 4.2), line by line.
 *
 * Pure: lines in, a reply out. What is kept of a reply has a cap, and so has
 * the number of its lines.
 */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include <postrider/buffer.h>

/* The longest line to read: RFC 5321, 4.5.3.1.5 says 512, servers say more. */
#define SMTP_REPLY_LINE 4096u
#define SMTP_REPLY_LINES 256u

struct smtp_reply {
    unsigned code;  /* 200 to 599 */
    unsigned lines; /* so far; 0: none was read */
    bool is_whole;
    /* RFC 2034, 3463: 5.1.1 is {5, 1, 1}; all 0 if there is none */
    unsigned short enhanced[3];
    char text[300]; /* its first lines, joined by spaces, cut; for people */
};

/* Empty again: for the next reply. */
void smtp_reply_clear(struct smtp_reply *reply);

/* Takes the next line, without its line end, of a reply that is not whole.
 * *ret_text is what follows code and separator, within `line`. PR_PROTOCOL: no
 * reply, or not one of this code; nothing can be read on this line any more. */
PR_CHECKED pr_status smtp_reply_add(struct smtp_reply *reply,
                                    struct pr_bytes line,
                                    struct pr_bytes *ret_text);

/* Is it refused because a transaction has too many recipients (RFC 5321,
 * 4.5.3.1.10), and not for what this recipient is? */
bool smtp_reply_is_too_many(const struct smtp_reply *reply);

#endif
