/*
 * Header text to UTF-8.
 *
 * Most fields are plain ASCII without an encoded word and only unfolded. GMime
 * is made ready by the first that asks for what it knows.
 */
#include "config.h"

#include "mail/decode.h"

#include <string.h>

#include "mail/words.h"

static GMimeParserOptions *options;

void decode_ready(void)
{
    static const char *charsets[] = {"utf-8", "windows-1252", NULL};
    if (options != NULL)
        return;
    g_mime_init();
    options = g_mime_parser_options_new();
    g_mime_parser_options_set_fallback_charsets(options, charsets);
    g_mime_parser_options_set_allow_addresses_without_domain(options, TRUE);
}

GMimeParserOptions *decode_options(void)
{
    return options;
}

void decode_shutdown(void)
{
    if (options == NULL)
        return;
    g_mime_parser_options_free(options);
    options = NULL;
    g_mime_shutdown();
}

/* ---- UTF-8 ------------------------------------------------------------- */

/* Appends valid UTF-8, cut between two characters where the buffer ends. */
static pr_status add_valid(const char *text, size_t size,
                           struct pr_buffer *buffer)
{
    size_t room = buffer->cap - buffer->size;
    if (size > room) {
        size = room;
        while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80)
            size--;
    }
    return pr_buffer_add(buffer, text, size);
}

pr_status decode_utf8(struct pr_bytes bytes, struct pr_buffer *buffer)
{
    const char *at = bytes.data, *end = bytes.data + bytes.size;
    while (at < end) {
        const char *bad = at;
        g_utf8_validate_len(at, (gsize)(end - at), &bad);
        pr_status status = add_valid(at, (size_t)(bad - at), buffer);
        if (status == PR_OK && bad < end)
            status = add_valid("\xef\xbf\xbd", 3, buffer);
        if (status != PR_OK)
            return status;
        at = bad + 1;
    }
    return PR_OK;
}

/* ---- Headers ----------------------------------------------------------- */

static bool is_space(char octet)
{
    return octet == ' ' || (octet >= '\t' && octet <= '\r');
}

static struct pr_bytes trim(struct pr_bytes bytes)
{
    while (bytes.size != 0 && is_space(bytes.data[0])) {
        bytes.data++;
        bytes.size--;
    }
    while (bytes.size != 0 && is_space(bytes.data[bytes.size - 1]))
        bytes.size--;
    return bytes;
}

/* Takes out the line ends (RFC 5322, 2.2.3) and the CR before them; other CR
 * become a space, NUL U+FFFD. */
static pr_status unfold(struct pr_bytes raw, struct pr_buffer *buffer)
{
    pr_status status = PR_OK;
    raw = trim(raw);
    for (size_t i = 0, begin = 0; status == PR_OK && i <= raw.size; i++) {
        if (i < raw.size && raw.data[i] != '\n' && raw.data[i] != '\r' &&
            raw.data[i] != '\0')
            continue;
        status = pr_buffer_add(buffer, raw.data + begin, i - begin);
        begin = i + 1;
        if (status != PR_OK || i == raw.size)
            break;
        if (raw.data[i] == '\0')
            status = pr_buffer_add(buffer, "\xef\xbf\xbd", 3);
        else if (raw.data[i] == '\r' && raw.data[i + 1] != '\n')
            status = pr_buffer_add(buffer, " ", 1);
    }
    return status;
}

static bool is_plain(struct pr_bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        if ((unsigned char)text.data[i] >= 0x80)
            return false;
        if (text.data[i] == '=' && i + 1 < text.size && text.data[i + 1] == '?')
            return false;
    }
    return true;
}

static pr_status decode_unfolded(const struct pr_buffer *unfolded,
                                 struct pr_buffer *buffer)
{
    struct pr_bytes text = {pr_buffer_text(unfolded), unfolded->size};
    if (is_plain(text))
        return add_valid(text.data, text.size, buffer);
    return words_decode(text, buffer);
}

pr_status decode_header(struct pr_bytes raw, struct pr_buffer *buffer)
{
    struct pr_buffer unfolded = {.cap = 3 * raw.size};
    pr_status status = unfold(raw, &unfolded);
    if (status == PR_OK)
        status = decode_unfolded(&unfolded, buffer);
    pr_buffer_done(&unfolded);
    return status;
}

pr_status decode_structured(struct pr_bytes raw, struct pr_buffer *buffer)
{
    struct pr_buffer unfolded = {.cap = 3 * raw.size};
    pr_status status = unfold(raw, &unfolded);
    if (status == PR_OK)
        status = words_join(
            (struct pr_bytes){pr_buffer_text(&unfolded), unfolded.size},
            buffer);
    pr_buffer_done(&unfolded);
    return status;
}
