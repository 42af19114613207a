/*
 * An mbox taken apart, streaming.
 */
#include "config.h"

#include "split.h"

#include <string.h>

static const char *const fields_of_flags[] = {"Status", "X-Status",
                                              "X-Keywords", NULL};
static const char *const fields_of_readers[] = {
    "Status",     "X-Status",       "X-Keywords", "X-UID", "X-IMAP",
    "X-IMAPbase", "Content-Length", "Lines",      NULL};

static pr_status pass_on(void *user, const char *data, size_t size)
{
    struct split *split = user;

    return split->calls->octets(split->user, data, size);
}

void split_init(struct split *split, const struct split_calls *calls,
                void *user, enum split_keep keep, enum unquote_format format,
                uint64_t at)
{
    *split =
        (struct split){.calls = calls, .user = user, .keep = keep, .at = at};
    unquote_init(&split->unquote, format, pass_on, split);
}

/* ---- Octets of a message ------------------------------------------------- */

static pr_status put(struct split *split, const char *data, size_t size)
{
    if (split->place == SPLIT_BEFORE || split->drops || size == 0)
        return PR_OK;
    if (split->keep == SPLIT_RAW)
        return pass_on(split, data, size);
    return unquote_add(&split->unquote, data, size);
}

static pr_status end_header(struct split *split)
{
    if (split->place != SPLIT_HEADER)
        return PR_OK;
    split->drops = false;
    pr_status status = unquote_end(&split->unquote);
    if (status == PR_OK)
        status = split->calls->header(split->user);
    split->place = SPLIT_BODY;
    return status;
}

/* The empty line was not the last. */
static pr_status put_gap(struct split *split)
{
    size_t size = split->gap;

    if (size == 0)
        return PR_OK;
    pr_status status = end_header(split);
    split->gap = 0;
    return status == PR_OK ? put(split, split->gap_octets, size) : status;
}

static pr_status end_message(struct split *split, uint64_t at)
{
    if (split->place == SPLIT_BEFORE)
        return PR_OK;
    split->gap = 0;
    pr_status status = end_header(split);
    if (status == PR_OK)
        status = unquote_end(&split->unquote);
    return status == PR_OK ? split->calls->end(split->user, at) : status;
}

static pr_status begin_message(struct split *split, struct pr_bytes line,
                               uint64_t at)
{
    pr_status status = end_message(split, at);

    split->place = SPLIT_HEADER;
    split->drops = split->passes = false;
    unquote_init(&split->unquote, split->unquote.format, pass_on, split);
    return status == PR_OK ? split->calls->begin(split->user, at, line)
                           : status;
}

/* ---- Lines --------------------------------------------------------------- */

/* The name of the field that is left out; empty: it is not. */
static struct pr_bytes name_of(const struct split *split, struct pr_bytes line)
{
    const char *const *names =
        split->keep == SPLIT_RAW ? fields_of_flags : fields_of_readers;
    const char *colon = memchr(line.data, ':', line.size);
    struct pr_bytes name = {line.data,
                            colon != NULL ? (size_t)(colon - line.data) : 0};

    while (name.size > 0 && (name.data[name.size - 1] == ' ' ||
                             name.data[name.size - 1] == '\t'))
        name.size--;
    for (; *names != NULL; names++)
        if (pr_bytes_equal_nocase(name, pr_bytes_of(*names)))
            return name;
    return (struct pr_bytes){line.data, 0};
}

static struct pr_bytes value_of(struct pr_bytes line)
{
    const char *colon = memchr(line.data, ':', line.size);
    const char *end = line.data + line.size;

    for (colon++; colon < end && (*colon == ' ' || *colon == '\t');)
        colon++;
    return (struct pr_bytes){colon, (size_t)(end - colon)};
}

/* A line of the header, or as much of it as there is room for. */
static pr_status take_field(struct split *split, struct pr_bytes line)
{
    bool goes_on =
        line.size > 0 && (line.data[0] == ' ' || line.data[0] == '\t');

    if (goes_on)
        return PR_OK;
    struct pr_bytes name = name_of(split, line);
    split->drops = name.size > 0;
    return split->drops ? split->calls->field(split->user, name, value_of(line))
                        : PR_OK;
}

static struct pr_bytes without_end(const char *line, size_t size)
{
    if (size > 0 && line[size - 1] == '\n')
        size--;
    if (size > 0 && line[size - 1] == '\r')
        size--;
    return (struct pr_bytes){line, size};
}

static pr_status take_held(struct split *split)
{
    struct pr_bytes text = without_end(split->line, split->held);
    size_t size = split->held;
    pr_status status;

    split->held = 0;
    if (from_is_line(text))
        return begin_message(split, text, split->at - size);
    if (split->place == SPLIT_BEFORE) {
        split->has_garbage |= text.size > 0;
        return PR_OK;
    }
    status = put_gap(split);
    if (status != PR_OK)
        return status;
    if (text.size == 0 && size > 0) {
        memcpy(split->gap_octets, split->line, size);
        split->gap = size;
        return PR_OK;
    }
    if (split->place == SPLIT_HEADER)
        status = take_field(split, text);
    return status == PR_OK ? put(split, split->line, size) : status;
}

/* A line that has begun and is too long to be held. */
static pr_status release_held(struct split *split)
{
    split->passes = true;
    return take_held(split);
}

/* ---- Octets that come in ------------------------------------------------- */

/* In a body only lines that may be the beginning of a message, or its last
 * empty one, are looked at. */
static bool must_hold(const struct split *split, char first)
{
    return split->held > 0 || split->place != SPLIT_BODY || first == 'F' ||
           first == '\n' || first == '\r';
}

static size_t hold(struct split *split, const char *data, size_t size,
                   bool *ret_is_line)
{
    size_t room = sizeof(split->line) - split->held;
    size_t part = size < room ? size : room;
    const char *end = memchr(data, '\n', part);

    *ret_is_line = end != NULL;
    if (end != NULL)
        part = (size_t)(end - data) + 1;
    memcpy(split->line + split->held, data, part);
    split->held += part;
    return part;
}

/* Lines that need no look, as many as there are. */
static size_t pass(struct split *split, const char *data, size_t size)
{
    size_t done = 0;

    do {
        const char *end = memchr(data + done, '\n', size - done);
        split->passes = end == NULL;
        done = end != NULL ? (size_t)(end - data) + 1 : size;
    } while (done < size && !must_hold(split, data[done]));
    return done;
}

pr_status split_add(struct split *split, const char *data, size_t size)
{
    pr_status status = PR_OK;

    while (status == PR_OK && size > 0) {
        size_t part;
        bool is_line = false;
        if (!split->passes && must_hold(split, *data)) {
            part = hold(split, data, size, &is_line);
            split->at += part;
            if (is_line)
                status = take_held(split);
            else if (split->held == sizeof(split->line))
                status = release_held(split);
        } else {
            status = put_gap(split);
            part = pass(split, data, size);
            split->at += part;
            if (status == PR_OK)
                status = put(split, data, part);
        }
        data += part;
        size -= part;
    }
    return status;
}

pr_status split_end(struct split *split)
{
    pr_status status = PR_OK;

    if (split->held > 0)
        status = take_held(split);
    return status == PR_OK ? end_message(split, split->at) : status;
}
