/*
 * Strings as commands carry them, and base64.
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

pr_status imap_base64(struct pr_bytes octets, struct pr_buffer *ret)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    pr_status status = PR_OK;

    for (size_t i = 0; i < octets.size && status == PR_OK; i += 3) {
        size_t left = octets.size - i;
        unsigned bits = (unsigned)(unsigned char)octets.data[i] << 16;
        if (left > 1)
            bits |= (unsigned)(unsigned char)octets.data[i + 1] << 8;
        if (left > 2)
            bits |= (unsigned char)octets.data[i + 2];
        char four[4] = {alphabet[bits >> 18], alphabet[(bits >> 12) & 63],
                        left > 1 ? alphabet[(bits >> 6) & 63] : '=',
                        left > 2 ? alphabet[bits & 63] : '='};
        status = pr_buffer_add(ret, four, 4);
    }
    return status;
}
