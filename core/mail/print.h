/*
 * What a message is known by: its fingerprint and its delivery key.
 */
#ifndef MAIL_PRINT_H
#define MAIL_PRINT_H

#include <postrider/message.h>

#define FINGERPRINT_SIZE 16
#define DELIVERY_KEY_SIZE 33 /* with its NUL */

/* The fingerprint of a sealed message's header, line ends as LF: the same for
 * the header alone and for the whole message, never all zero. Fields that mail
 * servers add later (X-UIDL, Status and such) do not count. To find a message
 * again whose UID has changed. Blocks briefly for a spool in a file. PR_IO,
 * PR_NOMEM. */
PR_CHECKED pr_status mail_fingerprint(const struct pr_spool *spool,
                                      unsigned char ret[FINGERPRINT_SIZE]);

/* The name of a delivery, made from the identity of the message: [a-z2-7], 32
 * of them. `uidl` may be NULL. PR_NOMEM. */
PR_CHECKED pr_status mail_delivery_key(const char *account, const char *folder,
                                       uint32_t uidvalidity, uint32_t uid,
                                       const char *uidl,
                                       char ret[DELIVERY_KEY_SIZE]);

#endif
