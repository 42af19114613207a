/*
 * Header text to UTF-8.
 *
 * Most fields are plain ASCII without an encoded word and only unfolded. GMime
 * is made ready by the first that asks for what it knows.
 */
#include "config.h"

#include "mail/decode.h"

#include <string.h>

#include "base/text.h"
#include "mail/converters.h"
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
    converters_close();
    g_mime_shutdown();
}

/* ---- UTF-8 ------------------------------------------------------------- */

/* Appends valid UTF-8, cut between two characters where the buffer ends. */
static pr_status add_valid(const char *text, size_t size,
                           struct pr_buffer *buffer)
{
    size_t room = buffer->cap - buffer->size;
    return pr_buffer_add(buffer, text, text_cut(text, size, room));
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

static bool is_ascii(struct pr_bytes text)
{
    const uint64_t high_bits = UINT64_C(0x8080808080808080);
    uint64_t octets, seen = 0;
    size_t i = 0;
    for (; text.size - i >= sizeof octets; i += sizeof octets) {
        memcpy(&octets, text.data + i, sizeof octets);
        seen |= octets;
    }
    for (; i < text.size; i++)
        seen |= (unsigned char)text.data[i];
    return (seen & high_bits) == 0;
}

static bool has_word_begin(struct pr_bytes text)
{
    const char *at = text.data, *end = text.data + text.size;
    while ((at = memchr(at, '?', (size_t)(end - at))) != NULL) {
        if (at > text.data && at[-1] == '=')
            return true;
        at++;
    }
    return false;
}

/* Is there nothing to do but to unfold? So it is with nearly every field. */
static bool is_plain(struct pr_bytes raw)
{
    return raw.size == 0 || (memchr(raw.data, '\r', raw.size) == NULL &&
                             memchr(raw.data, '\0', raw.size) == NULL &&
                             is_ascii(raw) && !has_word_begin(raw));
}

static pr_status unfold_plain(struct pr_bytes raw, struct pr_buffer *buffer)
{
    while (raw.size != 0) {
        const char *end = memchr(raw.data, '\n', raw.size);
        size_t size = end != NULL ? (size_t)(end - raw.data) : raw.size;
        pr_status status = add_valid(raw.data, size, buffer);
        if (status != PR_OK)
            return status;
        size += end != NULL;
        raw.data += size;
        raw.size -= size;
    }
    return PR_OK;
}

/* Unfolds, and lets `read` make of the encoded words what it will. */
static pr_status decode_with(struct pr_bytes raw, struct pr_buffer *buffer,
                             pr_status (*read)(struct pr_bytes,
                                               struct pr_buffer *))
{
    raw = trim(raw);
    if (is_plain(raw))
        return unfold_plain(raw, buffer);
    struct pr_buffer unfolded = {.cap = 3 * raw.size};
    pr_status status = unfold(raw, &unfolded);
    if (status == PR_OK)
        status =
            read((struct pr_bytes){pr_buffer_text(&unfolded), unfolded.size},
                 buffer);
    pr_buffer_done(&unfolded);
    return status;
}

pr_status decode_header(struct pr_bytes raw, struct pr_buffer *buffer)
{
    return decode_with(raw, buffer, words_decode);
}

pr_status decode_structured(struct pr_bytes raw, struct pr_buffer *buffer)
{
    return decode_with(raw, buffer, words_join);
}
