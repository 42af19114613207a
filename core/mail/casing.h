/*
 * Text made equal where people see no difference: case and form.
 */
#ifndef MAIL_CASING_H
#define MAIL_CASING_H

#include <postrider/buffer.h>

/* Appends `text` in Unicode's compatibility form (NFKC) with case folded, for
 * comparing. Octets that are not UTF-8 only lose the case of ASCII letters.
 * PR_LIMIT, PR_NOMEM. */
PR_CHECKED pr_status casing_fold(struct pr_bytes text,
                                 struct pr_buffer *buffer);
/* Appends `text` in lower or upper case, for showing. */
PR_CHECKED pr_status casing_lower(struct pr_bytes text,
                                  struct pr_buffer *buffer);
PR_CHECKED pr_status casing_upper(struct pr_bytes text,
                                  struct pr_buffer *buffer);

#endif
