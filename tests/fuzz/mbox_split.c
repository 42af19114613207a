/*
 * An mbox taken apart: cuts change nothing, places are in order, and what was
 * quoted into an mbox is one message that comes out as it went in.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../../plugins/mbox/split.h"
#include "driver.h"

/* What the splitter told, in order. */
struct story {
    struct pr_buffer text;    /* all of it */
    struct pr_buffer content; /* octets of messages only */
    uint64_t last;            /* place */
    unsigned open, messages;
};

static void need(bool claim)
{
    if (!claim)
        abort();
}

static pr_status begin(void *user, uint64_t at, struct pr_bytes line)
{
    struct story *story = user;

    need(story->open == 0 && at >= story->last);
    need(from_is_line(line));
    story->open = 1;
    story->messages++;
    story->last = at;
    return pr_buffer_printf(&story->text, "<%" PRIu64 ":%zu>", at, line.size);
}

static pr_status field(void *user, struct pr_bytes name, struct pr_bytes value)
{
    struct story *story = user;

    need(story->open == 1 && name.size > 0);
    pr_status status = pr_buffer_add(&story->text, name.data, name.size);
    return status == PR_OK ? pr_buffer_add(&story->text, value.data, value.size)
                           : status;
}

static pr_status header(void *user)
{
    struct story *story = user;

    need(story->open == 1);
    story->open = 2;
    return pr_buffer_add_text(&story->text, "<header>");
}

static pr_status octets(void *user, const char *data, size_t size)
{
    struct story *story = user;

    need(story->open != 0 && size > 0);
    pr_status status = pr_buffer_add(&story->content, data, size);
    return status == PR_OK ? pr_buffer_add(&story->text, data, size) : status;
}

static pr_status end(void *user, uint64_t at)
{
    struct story *story = user;

    need(story->open == 2 && at > story->last);
    story->open = 0;
    story->last = at;
    return pr_buffer_printf(&story->text, "<end %" PRIu64 ">", at);
}

static const struct split_calls calls = {begin, field, header, octets, end};

static void split(struct story *story, enum split_keep keep,
                  enum unquote_format format, const char *data, size_t size,
                  size_t step)
{
    struct split *split = malloc(sizeof(*split));

    *story = (struct story){.text = {.cap = SIZE_MAX / 4},
                            .content = {.cap = SIZE_MAX / 4}};
    need(split != NULL);
    split_init(split, &calls, story, keep, format, 0);
    for (size_t at = 0; at < size; at += step)
        need(split_add(split, data + at, size - at < step ? size - at : step) ==
             PR_OK);
    need(split_end(split) == PR_OK);
    need(story->open == 0 && story->last <= size);
    free(split);
}

static void story_done(struct story *story)
{
    pr_buffer_done(&story->text);
    pr_buffer_done(&story->content);
}

static bool is_equal(const struct pr_buffer *a, const struct pr_buffer *b)
{
    return a->size == b->size &&
           (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

static void cuts_change_nothing(const char *data, size_t size)
{
    static const size_t steps[] = {1, 7, 1001};

    for (int way = 0; way < 4; way++) {
        struct story whole;
        enum split_keep keep = way & 1 ? SPLIT_RAW : SPLIT_MESSAGE;
        enum unquote_format format = way & 2 ? UNQUOTE_MBOXO : UNQUOTE_MBOXRD;
        split(&whole, keep, format, data, size, size + 1);
        for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
            struct story cut;
            split(&cut, keep, format, data, size, steps[i]);
            need(is_equal(&cut.content, &whole.content));
            need(cut.messages == whole.messages);
            story_done(&cut);
        }
        story_done(&whole);
    }
}

static pr_status put(void *user, const char *data, size_t size)
{
    return pr_buffer_add(user, data, size);
}

/* As the body of a message: the fields of readers are left out of headers. */
static void what_goes_in_comes_out(const char *data, size_t size)
{
    struct pr_buffer box = {.cap = SIZE_MAX / 4}, sent = {.cap = SIZE_MAX / 4};
    struct quote quote;
    struct story story;

    need(pr_buffer_add_text(&sent, "A: b\n\n") == PR_OK);
    need(pr_buffer_add(&sent, data, size) == PR_OK);
    need(from_format(PR_BYTES("x"), 1, &box) == PR_OK);
    quote_init(&quote, put, &box, (struct pr_bytes){NULL, 0});
    need(quote_add(&quote, sent.data, sent.size) == PR_OK);
    need(quote_end(&quote) == PR_OK);
    if (size > 0 && data[size - 1] != '\n')
        need(pr_buffer_add(&sent, "\n", 1) == PR_OK);
    split(&story, SPLIT_MESSAGE, UNQUOTE_MBOXRD, box.data, box.size, 4096);
    need(story.messages == 1 && is_equal(&story.content, &sent));
    story_done(&story);
    pr_buffer_done(&box);
    pr_buffer_done(&sent);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cuts_change_nothing((const char *)data, size);
    what_goes_in_comes_out((const char *)data, size);
    return 0;
}
