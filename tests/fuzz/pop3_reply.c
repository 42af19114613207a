/*
 * The lines of a POP3 server: whatever octets they are.
 *
 * What is taken out of a line must lie in that line; a challenge must be a
 * message id as the network sees it, however the greeting is worded; numbers
 * must be what their digits say.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "../../plugins/pop3/capability.h"
#include "../../plugins/pop3/reply.h"
#include "driver.h"

static void check_within(struct pr_bytes part, struct pr_bytes whole)
{
    if (part.size > 0 && (part.data < whole.data ||
                          part.data + part.size > whole.data + whole.size))
        abort();
}

static void check_reply(struct pr_bytes line)
{
    struct pop3_reply reply;

    if (!pop3_reply_parse(line, &reply))
        return;
    if (*line.data != (reply.indicator == POP3_ERR ? '-' : '+'))
        abort();
    if (reply.code != POP3_CODE_NONE && *reply.text.data != '[')
        abort();
    check_within(reply.text, line);
    (void)pop3_words_say_later(reply.text);
}

static void check_entry(struct pr_bytes line)
{
    struct pr_bytes rest;
    uint64_t number, value = 0;

    if (!pop3_entry_parse(line, &number, &rest))
        return;
    check_within(rest, line);
    for (size_t i = 0;
         i < line.size && line.data[i] >= '0' && line.data[i] <= '9'; i++)
        value = value * 10 + (uint64_t)(line.data[i] - '0');
    if (value != number || (rest.size > 0 && *rest.data == ' '))
        abort();
    (void)pop3_number(&rest, &number);
}

static void check_challenge(struct pr_bytes line)
{
    struct pr_bytes challenge = pop3_challenge(line);
    size_t ats = 0;

    if (challenge.size == 0)
        return;
    check_within(challenge, line);
    if (challenge.size < 5 || challenge.size > 128 ||
        challenge.data[0] != '<' || challenge.data[challenge.size - 1] != '>')
        abort();
    for (size_t i = 0; i < challenge.size; i++) {
        if (challenge.data[i] <= ' ' || challenge.data[i] > '~')
            abort();
        ats += challenge.data[i] == '@';
    }
    if (ats != 1)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data, *end = at + size;

    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((stop != NULL ? stop : end) - at);
        struct pr_bytes line = {at, length};
        check_reply(line);
        check_entry(line);
        check_challenge(line);
        (void)pop3_capability(line);
        at += length + 1;
    }
    return 0;
}
