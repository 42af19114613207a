/*
 * What clamd says of a stream: "stream: OK", "stream: NAME FOUND", or words
 * with " ERROR" at their end (clamd(8)).
 */
#include "config.h"

#include <string.h>

#include "clamd.h"

static bool take_end(struct pr_bytes *line, struct pr_bytes end)
{
    if (line->size < end.size ||
        memcmp(line->data + line->size - end.size, end.data, end.size) != 0)
        return false;
    line->size -= end.size;
    return true;
}

static bool take_begin(struct pr_bytes *line, struct pr_bytes begin)
{
    if (line->size < begin.size ||
        memcmp(line->data, begin.data, begin.size) != 0)
        return false;
    line->data += begin.size;
    line->size -= begin.size;
    return true;
}

pr_status clamd_read_reply(struct pr_bytes line, struct pr_reply *reply)
{
    struct pr_bytes whole = line;
    int size;

    if (line.size > 300)
        line.size = 300;
    size = (int)line.size;
    line = whole;
    if (take_end(&line, PR_BYTES(" ERROR"))) {
        bool is_large = memmem(line.data, line.size, "size limit", 10) != NULL;

        return pr_fail(is_large ? PR_LIMIT : PR_LATER, "clamd: %.*s", size,
                       whole.data);
    }
    if (!take_begin(&line, PR_BYTES("stream: ")))
        return pr_fail(PR_PROTOCOL, "clamd: a reply that is none: %.*s", size,
                       whole.data);
    if (pr_bytes_equal(line, PR_BYTES("OK"))) {
        pr_reply_boolean(reply, "infected", false);
        return PR_OK;
    }
    if (!take_end(&line, PR_BYTES(" FOUND")) || line.size == 0)
        return pr_fail(PR_PROTOCOL, "clamd: a reply that is none: %.*s", size,
                       whole.data);
    pr_reply_boolean(reply, "infected", true);
    pr_reply_text(reply, "virus", line);
    return PR_OK;
}
