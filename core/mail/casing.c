/*
 * Case folding, by GLib's tables of Unicode.
 */
#include "config.h"

#include "mail/casing.h"

#include <glib.h>
#include <limits.h>

static bool is_ascii(struct pr_bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] >= 0x80)
            return false;
    return true;
}

static pr_status add_ascii(struct pr_bytes text, struct pr_buffer *buffer,
                           bool upper)
{
    char *to;

    if (text.size == 0)
        return PR_OK;
    to = pr_buffer_reserve(buffer, text.size);
    if (to == NULL)
        return pr_last_failure()->status;
    for (size_t i = 0; i < text.size; i++)
        to[i] = upper ? g_ascii_toupper(text.data[i])
                      : g_ascii_tolower(text.data[i]);
    pr_buffer_grew(buffer, text.size);
    return PR_OK;
}

/* Is it text that GLib can be asked about? */
static bool is_unicode(struct pr_bytes text)
{
    return text.size <= INT_MAX && !is_ascii(text) &&
           g_utf8_validate(text.data, (gssize)text.size, NULL);
}

static pr_status add_and_free(struct pr_buffer *buffer, char *text)
{
    pr_status status = pr_buffer_add_text(buffer, text);

    g_free(text);
    return status;
}

pr_status casing_fold(struct pr_bytes text, struct pr_buffer *buffer)
{
    char *folded, *normal;

    if (!is_unicode(text))
        return add_ascii(text, buffer, false);
    /* Folding may take a text out of its form, so the form comes last. */
    folded = g_utf8_casefold(text.data, (gssize)text.size);
    normal = g_utf8_normalize(folded, -1, G_NORMALIZE_NFKC);
    g_free(folded);
    return add_and_free(buffer, normal);
}

pr_status casing_lower(struct pr_bytes text, struct pr_buffer *buffer)
{
    if (!is_unicode(text))
        return add_ascii(text, buffer, false);
    return add_and_free(buffer, g_utf8_strdown(text.data, (gssize)text.size));
}

pr_status casing_upper(struct pr_bytes text, struct pr_buffer *buffer)
{
    if (!is_unicode(text))
        return add_ascii(text, buffer, true);
    return add_and_free(buffer, g_utf8_strup(text.data, (gssize)text.size));
}
