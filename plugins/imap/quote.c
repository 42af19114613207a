/*
 * Strings as commands carry them.
 */
#include "quote.h"

#define QUOTED_CAP 4096u /* beyond that servers may find a line too long */

enum imap_form imap_form_of(struct pr_bytes text, bool utf8)
{
    enum imap_form form =
        text.size <= QUOTED_CAP ? IMAP_FORM_QUOTED : IMAP_FORM_LITERAL;

    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c == '\0' || c == '\r' || c == '\n')
            return IMAP_FORM_NONE;
        if (c < ' ' || c == 0x7f || (c >= 0x80 && !utf8))
            form = IMAP_FORM_LITERAL;
    }
    return form;
}

pr_status imap_quote(struct pr_bytes text, struct pr_buffer *ret)
{
    pr_status status = pr_buffer_add(ret, "\"", 1);

    for (size_t i = 0; i < text.size && status == PR_OK; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\')
            status = pr_buffer_add(ret, "\\", 1);
        if (status == PR_OK)
            status = pr_buffer_add(ret, text.data + i, 1);
    }
    return status != PR_OK ? status : pr_buffer_add(ret, "\"", 1);
}
