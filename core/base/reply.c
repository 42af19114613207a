/*
 * Answers of services: a token is its kind, a name and a value.
 *
 * The octets are read on this machine only, and by the process that wrote them.
 */
#include "config.h"

#include "base/reply.h"

#include <string.h>

#define REPLY_MOST ((size_t)1024 * 1024)

static void add(struct pr_reply *reply, const void *data, size_t size)
{
    if (reply->status != PR_OK) {
        return;
    }
    reply->octets.cap = REPLY_MOST;
    reply->status = pr_buffer_add(&reply->octets, data, size);
}

static void add_bytes(struct pr_reply *reply, struct pr_bytes bytes)
{
    add(reply, &bytes.size, sizeof(bytes.size));
    add(reply, bytes.data, bytes.size);
}

static void add_head(struct pr_reply *reply, unsigned char kind,
                     const char *name)
{
    unsigned char has_name = name != NULL;
    add(reply, &kind, 1);
    add(reply, &has_name, 1);
    if (has_name) {
        add_bytes(reply, pr_bytes_of(name));
    }
}

void pr_reply_text(struct pr_reply *reply, const char *name,
                   struct pr_bytes text)
{
    add_head(reply, REPLY_TEXT, name);
    add_bytes(reply, text);
}

void pr_reply_number(struct pr_reply *reply, const char *name, double number)
{
    add_head(reply, REPLY_NUMBER, name);
    add(reply, &number, sizeof(number));
}

void pr_reply_boolean(struct pr_reply *reply, const char *name, bool value)
{
    add_head(reply, REPLY_BOOLEAN, name);
    add(reply, &value, sizeof(value));
}

void pr_reply_begin(struct pr_reply *reply, const char *name)
{
    if (reply->status == PR_OK && ++reply->depth > REPLY_DEPTH_MOST) {
        reply->status = PR_LIMIT;
    }
    add_head(reply, REPLY_BEGIN, name);
}

void pr_reply_end(struct pr_reply *reply)
{
    if (reply->status == PR_OK && reply->depth-- == 0) {
        reply->status = PR_BUG;
    }
    add_head(reply, REPLY_END, NULL);
}

void reply_done(struct pr_reply *reply)
{
    pr_buffer_done(&reply->octets);
    *reply = (struct pr_reply){0};
}

pr_status reply_status(const struct pr_reply *reply)
{
    switch (reply->status) {
    case PR_OK:
        if (reply->depth == 0) {
            return PR_OK;
        }
        return pr_fail(PR_BUG, "a table of the answer was not ended");
    case PR_LIMIT:
        return pr_fail(PR_LIMIT, "the answer is larger than 1 MiB or more than "
                                 "32 tables deep");
    default:
        return pr_fail(reply->status, "the answer cannot be written");
    }
}

/* ---- Reading ------------------------------------------------------------- */

static void take(struct pr_bytes *octets, void *ret, size_t size)
{
    memcpy(ret, octets->data, size);
    octets->data += size;
    octets->size -= size;
}

static struct pr_bytes take_bytes(struct pr_bytes *octets)
{
    struct pr_bytes bytes;
    take(octets, &bytes.size, sizeof(bytes.size));
    bytes.data = octets->data;
    octets->data += bytes.size;
    octets->size -= bytes.size;
    return bytes;
}

bool reply_next(struct pr_bytes *octets, struct reply_token *ret)
{
    unsigned char kind, has_name;
    if (octets->size == 0) {
        return false;
    }
    *ret = (struct reply_token){0};
    take(octets, &kind, 1);
    take(octets, &has_name, 1);
    if (has_name) {
        ret->name = take_bytes(octets);
    }
    ret->kind = kind;
    if (kind == REPLY_TEXT) {
        ret->text = take_bytes(octets);
    } else if (kind == REPLY_NUMBER) {
        take(octets, &ret->number, sizeof(ret->number));
    } else if (kind == REPLY_BOOLEAN) {
        take(octets, &ret->boolean, sizeof(ret->boolean));
    }
    return true;
}
