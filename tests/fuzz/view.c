/*
 * Looks at all that a view offers of any octets, and edits them.
 *
 * Whatever the message, nothing may fail, all text must be UTF-8, and a copy
 * without edits must be the same.
 */
#include "config.h"

#include "mail/view.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "driver.h"
#include "mail/print.h"
#include "mail/spool.h"

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void must_be_text(const char *text)
{
    must(text != NULL && text_is_utf8(pr_bytes_of(text)));
}

static void look_at_header(struct view *view)
{
    static const char *const names[] = {"From", "To", "Cc", "Subject"};
    int64_t date;
    for (size_t i = 0; i < view_field_count(view); i++)
        must_be_text(view_field(view, i).value);
    must_be_text(view_message_id(view));
    (void)view_date(view, &date);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t count;
        const struct view_address *all = view_addresses(view, names[i], &count);
        for (size_t j = 0; j < count; j++) {
            must_be_text(all[j].name);
            must_be_text(all[j].address);
            must_be_text(all[j].local_part);
            must_be_text(all[j].domain);
        }
    }
}

static void look_at_part(struct view *view, size_t part)
{
    struct pr_buffer octets = {.cap = 5000}, text = {.cap = 5000};
    must(view_part_octets(view, part, &octets) == PR_OK);
    must(view_part_text(view, part, &text) == PR_OK);
    must_be_text(pr_buffer_text(&text));
    must(strlen(pr_buffer_text(&text)) == text.size);
    pr_buffer_done(&octets);
    pr_buffer_done(&text);
}

static void look_at_parts(const struct pr_spool *spool, struct view *view)
{
    const struct view_part *parts;
    size_t count;
    must(view_parts(view, &parts, &count) == PR_OK);
    must(count >= 1);
    for (size_t i = 0; i < count; i++) {
        must_be_text(parts[i].path);
        must_be_text(parts[i].type);
        must_be_text(parts[i].charset);
        must_be_text(parts[i].filename);
        must_be_text(parts[i].disposition);
        must_be_text(parts[i].content_id);
        must(parts[i].size <= 2 * pr_spool_size(spool));
        if (i < 20)
            look_at_part(view, i);
    }
}

static bool is_same(const struct pr_spool *a, const struct pr_spool *b)
{
    struct pr_bytes first = pr_spool_memory(a), second = pr_spool_memory(b);
    return first.data == NULL || pr_bytes_equal(first, second);
}

static void edit(const struct pr_spool *spool)
{
    const struct header_edit edits[] = {{HEADER_SET, "Subject", "\u00e4"},
                                        {HEADER_REMOVE, "To", NULL},
                                        {HEADER_ADD, "X-New", "new"}};
    struct pr_spool *copy = NULL;
    must(spool_with_edits(spool, "/tmp", edits, 0, &copy) == PR_OK);
    must(is_same(spool, copy));
    spool_free(copy);
    must(spool_with_edits(spool, "/tmp", edits, 3, &copy) == PR_OK);
    must(pr_spool_size(copy) != 0);
    spool_free(copy);
}

/* NOLINTNEXTLINE(readability-identifier-naming) */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pr_spool *spool = NULL;
    struct view *view = NULL;
    unsigned char print[FINGERPRINT_SIZE];

    must(spool_new("/tmp", 0, &spool) == PR_OK);
    must(pr_spool_append(spool, (const char *)data, size / 3) == PR_OK);
    must(pr_spool_append(spool, (const char *)data + size / 3,
                         size - size / 3) == PR_OK);
    must(pr_spool_seal(spool) == PR_OK);
    must(pr_spool_wire_size(spool) == size);
    must(view_new(spool, &view) == PR_OK);
    look_at_header(view);
    look_at_parts(spool, view);
    edit(spool);
    must(mail_fingerprint(spool, print) == PR_OK);
    view_free(view);
    spool_free(spool);
    return 0;
}
