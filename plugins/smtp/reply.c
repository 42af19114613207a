/*
 * Replies of SMTP and LMTP servers, line by line.
 */
#include "config.h"

#include "reply.h"

#include <string.h>

void smtp_reply_clear(struct smtp_reply *reply)
{
    reply->code = 0;
    reply->lines = 0;
    reply->is_whole = false;
    memset(reply->enhanced, 0, sizeof(reply->enhanced));
    reply->text[0] = '\0';
}

static bool is_digit(char octet)
{
    return octet >= '0' && octet <= '9';
}

/* 0: no code of a reply. 1yz is none either: no command of ours may be answered
 * by it (RFC 5321, 4.2.1). */
static unsigned read_code(struct pr_bytes line)
{
    if (line.size < 3 || line.data[0] < '2' || line.data[0] > '5' ||
        !is_digit(line.data[1]) || !is_digit(line.data[2]))
        return 0;
    if (line.size > 3 && line.data[3] != ' ' && line.data[3] != '-')
        return 0;
    return (unsigned)(line.data[0] - '0') * 100 +
           (unsigned)(line.data[1] - '0') * 10 + (unsigned)(line.data[2] - '0');
}

/* RFC 2034, 3: class, subject and detail, of which the latter two have up to
 * three digits; the class must be that of the code. */
static void read_enhanced(struct smtp_reply *reply, struct pr_bytes text)
{
    unsigned short found[3] = {0};
    size_t at = 0;

    for (size_t part = 0; part < 3; part++) {
        size_t begin = at;
        for (; at < text.size && at - begin < 3 && is_digit(text.data[at]);
             at++)
            found[part] =
                (unsigned short)(found[part] * 10 + (text.data[at] - '0'));
        char wanted = part < 2 ? '.' : ' ';
        if (at == begin || (at < text.size ? text.data[at] : ' ') != wanted)
            return;
        at++;
    }
    if (found[0] == reply->code / 100)
        memcpy(reply->enhanced, found, sizeof(found));
}

static void keep_text(struct smtp_reply *reply, struct pr_bytes text)
{
    size_t used = strlen(reply->text);
    size_t room = sizeof(reply->text) - 1 - used;

    if (used > 0 && room > 0) {
        reply->text[used++] = ' ';
        room--;
    }
    if (text.size > room)
        text.size = room;
    for (size_t i = 0; i < text.size; i++)
        reply->text[used + i] =
            (unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f
                ? '?'
                : text.data[i];
    reply->text[used + text.size] = '\0';
}

pr_status smtp_reply_add(struct smtp_reply *reply, struct pr_bytes line,
                         struct pr_bytes *ret_text)
{
    unsigned code = read_code(line);

    if (code == 0)
        return pr_fail(PR_PROTOCOL, "the server's answer is no reply: \"%.*s\"",
                       (int)(line.size < 80 ? line.size : 80), line.data);
    if (reply->lines > 0 && code != reply->code)
        return pr_fail(PR_PROTOCOL,
                       "the server's reply changes from %u to %u in its middle",
                       reply->code, code);
    if (reply->lines == SMTP_REPLY_LINES)
        return pr_fail(PR_PROTOCOL, "the server's reply does not end");
    struct pr_bytes text = {line.data + 3, line.size - 3};
    if (text.size > 0)
        text = (struct pr_bytes){text.data + 1, text.size - 1};
    reply->code = code;
    if (reply->lines++ == 0)
        read_enhanced(reply, text);
    keep_text(reply, text);
    reply->is_whole = line.size == 3 || line.data[3] == ' ';
    *ret_text = text;
    return PR_OK;
}

static bool says_too_many(const char *text)
{
    const struct pr_bytes words = PR_BYTES("too many");

    for (size_t left = strlen(text); left >= words.size; left--, text++)
        if (pr_bytes_equal_nocase((struct pr_bytes){text, words.size}, words))
            return true;
    return false;
}

bool smtp_reply_is_too_many(const struct smtp_reply *reply)
{
    if (reply->code != 452 && reply->code != 451 && reply->code != 552)
        return false;
    if (reply->enhanced[0] != 0)
        return reply->enhanced[1] == 5 && reply->enhanced[2] == 3;
    return says_too_many(reply->text);
}
