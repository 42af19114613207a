/*
 * What octets are, by libmagic.
 */
#ifndef MAIL_MAGIC_H
#define MAIL_MAGIC_H

#include <postrider/buffer.h>

/* Appends the MIME type of the octets; "application/octet-stream" if it cannot
 * be told, "application/x-empty" for none. One call at a time works; blocks:
 * call it in the pool. PR_NOMEM, PR_LIMIT. */
PR_CHECKED pr_status magic_type(struct pr_bytes octets, struct pr_buffer *ret);
void magic_shutdown(void);

#endif
