/*
 * Replies of SMTP servers: whatever lines come.
 *
 * What is kept must have its end, no control characters, and a code that a
 * reply can have; a capability line must not matter to memory.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "../../plugins/smtp/capability.h"
#include "../../plugins/smtp/reply.h"
#include "driver.h"

static void look_at(const struct smtp_reply *reply)
{
    size_t size = strnlen(reply->text, sizeof(reply->text));

    if (size == sizeof(reply->text) || reply->code < 200 || reply->code > 599 ||
        reply->lines == 0 || reply->lines > SMTP_REPLY_LINES)
        abort();
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)reply->text[i] < ' ' || reply->text[i] == 0x7f)
            abort();
    if (reply->enhanced[0] != 0 && reply->enhanced[0] != reply->code / 100)
        abort();
    (void)smtp_reply_is_too_many(reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pr_bytes rest = {(const char *)data, size}, text;
    struct smtp_capabilities all = {0};
    struct smtp_reply reply;

    smtp_reply_clear(&reply);
    while (rest.size > 0) {
        const char *end = memchr(rest.data, '\n', rest.size);
        size_t used = end != NULL ? (size_t)(end - rest.data) : rest.size;
        struct pr_bytes line = {rest.data, used};
        if (used > 0 && line.data[used - 1] == '\r')
            line.size--;
        if (smtp_reply_add(&reply, line, &text) != PR_OK)
            break;
        if (text.size > 0 && (text.data < line.data ||
                              text.data + text.size > line.data + line.size))
            abort();
        look_at(&reply);
        smtp_capability_add(&all, text);
        if (reply.is_whole)
            smtp_reply_clear(&reply);
        used += end != NULL;
        rest = (struct pr_bytes){rest.data + used, rest.size - used};
    }
    return 0;
}
