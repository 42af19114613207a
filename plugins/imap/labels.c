/*
 * Labels of the server's own: X-GM-LABELS of X-GM-EXT-1.
 *
 * A label is a folder's name, and written like one, in modified UTF-7 unless
 * UTF8=ACCEPT is enabled; those of the system, such as \Inbox, begin with a
 * backslash.
 */
#include <string.h>

#include "imap.h"
#include "quote.h"
#include "utf7.h"

bool imap_op_has_labels(const struct pr_source *source)
{
    const struct imap *imap = source->state;

    return imap != NULL && imap_can(imap, IMAP_CAN_GMAIL);
}

pr_status imap_label_encode(const struct imap *imap, struct pr_bytes label,
                            struct pr_buffer *ret)
{
    return imap->utf8 ? pr_buffer_add(ret, label.data, label.size)
                      : imap_utf7_encode(label, ret);
}

/* The next of labels with LF between. */
static struct pr_bytes take_label(struct pr_bytes *labels)
{
    const char *end = memchr(labels->data, '\n', labels->size);
    struct pr_bytes label = *labels;

    if (end != NULL)
        label.size = (size_t)(end - labels->data);
    size_t used = label.size + (end != NULL);
    labels->data += used;
    labels->size -= used;
    return label;
}

/* "\Inbox" is an atom with a backslash before it; only "\\Inbox" would be it in
 * quotes. */
static bool is_system(struct pr_bytes label)
{
    if (label.size < 2 || label.data[0] != '\\')
        return false;
    for (size_t i = 1; i < label.size; i++)
        if (label.data[i] <= ' ' || label.data[i] > '~' ||
            strchr("(){%*\"\\]", label.data[i]) != NULL)
            return false;
    return true;
}

static pr_status add_label(const struct imap *imap, struct pr_bytes label,
                           struct pr_buffer *ret)
{
    struct pr_buffer encoded = {.cap = IMAP_TOKEN_CAP};
    pr_status status;

    if (is_system(label))
        return pr_buffer_add(ret, label.data, label.size);
    status = imap_label_encode(imap, label, &encoded);
    if (status == PR_OK)
        status = imap_quote(
            (struct pr_bytes){pr_buffer_text(&encoded), encoded.size}, ret);
    pr_buffer_done(&encoded);
    return status;
}

pr_status imap_labels_format(const struct imap *imap, const char *labels,
                             struct pr_buffer *ret)
{
    struct pr_bytes rest = pr_bytes_of(labels);
    pr_status status = PR_OK;

    for (bool is_first = true; status == PR_OK && rest.size > 0;
         is_first = false) {
        if (!is_first)
            status = pr_buffer_add(ret, " ", 1);
        if (status == PR_OK)
            status = add_label(imap, take_label(&rest), ret);
    }
    return status;
}

pr_status imap_labels_decode(const struct imap *imap, const char *wire,
                             struct pr_buffer *ret)
{
    struct pr_bytes rest = pr_bytes_of(wire);
    pr_status status = PR_OK;

    while (status == PR_OK && rest.size > 0) {
        struct pr_bytes label = take_label(&rest);
        if (ret->size > 0)
            status = pr_buffer_add(ret, "\n", 1);
        /* What is no modified UTF-7 is shown as it came. */
        if (status == PR_OK &&
            (imap->utf8 || imap_utf7_decode(label, ret) == PR_PROTOCOL))
            status = pr_buffer_add(ret, label.data, label.size);
    }
    return status;
}
