/*
 * Reads encoded words as leniently as mail readers do.
 *
 * A run is words of one charset with nothing but white space between them
 * (RFC 2047, 6.2). Its octets are put together before the charset is decoded,
 * because many programs cut a character in two.
 */
#include "config.h"

#include "mail/words.h"

#include <string.h>

#include "mail/decode.h"

struct word {
    size_t begin, end; /* in the text, with =? and ?= */
    struct pr_bytes charset, payload;
    bool is_q;
};

struct reader {
    struct pr_bytes text;
    struct pr_buffer *out;
    bool joins;              /* write encoded words again */
    struct pr_buffer joined; /* UTF-8 of the words not yet written again */
    struct pr_buffer octets; /* of the run */
    struct pr_bytes charset; /* of the run */
};

/* ---- One word ------------------------------------------------------------ */

static size_t find(struct pr_bytes text, size_t at, const char *what)
{
    const char *found =
        memmem(text.data + at, text.size - at, what, strlen(what));
    return found != NULL ? (size_t)(found - text.data) : text.size;
}

/* The octets from `at` to the next '?', which *at is then after; false if there
 * is none near, or they could not be a charset or an encoding. */
static bool read_token(struct pr_bytes text, size_t *at, struct pr_bytes *ret)
{
    size_t begin = *at;
    while (*at < text.size && *at - begin < 100 && text.data[*at] != '?' &&
           !g_ascii_isspace(text.data[*at]))
        ++*at;
    *ret = (struct pr_bytes){text.data + begin, *at - begin};
    return *at < text.size && text.data[(*at)++] == '?' && ret->size != 0;
}

/* Where the payload that begins at `at` ends. The text's size if it does not,
 * or not before another word begins: so no octet is looked at twice. */
static size_t payload_end(struct pr_bytes text, size_t at)
{
    for (; text.size - at > 1; at++) {
        const char *two = text.data + at;
        if (two[0] == '?' && two[1] == '=')
            return at;
        if (two[0] == '=' && two[1] == '?' &&
            (text.size - at == 2 || two[2] != '='))
            break;
    }
    return text.size;
}

/* Is there a word that begins at `at`? */
static bool read_word(struct pr_bytes text, size_t at, struct word *ret)
{
    struct pr_bytes encoding;
    ret->begin = at;
    if (text.size - at < 2 || memcmp(text.data + at, "=?", 2) != 0)
        return false;
    at += 2;
    if (!read_token(text, &at, &ret->charset) ||
        !read_token(text, &at, &encoding) || encoding.size != 1)
        return false;
    char letter = g_ascii_tolower(encoding.data[0]);
    size_t end = payload_end(text, at);
    ret->is_q = letter == 'q';
    ret->payload = (struct pr_bytes){text.data + at, end - at};
    ret->end = end + 2;
    return (letter == 'q' || letter == 'b') && end < text.size;
}

static bool next_word(struct pr_bytes text, size_t at, struct word *ret)
{
    for (at = find(text, at, "=?"); at < text.size;
         at = find(text, at + 2, "=?"))
        if (read_word(text, at, ret))
            return true;
    return false;
}

static pr_status add_q(struct pr_bytes payload, struct pr_buffer *out)
{
    pr_status status = PR_OK;
    for (size_t i = 0; i < payload.size && status == PR_OK; i++) {
        char octet = payload.data[i] == '_' ? ' ' : payload.data[i];
        if (octet == '=' && payload.size - i > 2 &&
            g_ascii_isxdigit(payload.data[i + 1]) &&
            g_ascii_isxdigit(payload.data[i + 2])) {
            octet = (char)(g_ascii_xdigit_value(payload.data[i + 1]) << 4 |
                           g_ascii_xdigit_value(payload.data[i + 2]));
            i += 2;
        }
        status = pr_buffer_add(out, &octet, 1);
    }
    return status;
}

static int base64_value(char octet)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "abcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = octet != '\0' ? strchr(alphabet, octet) : NULL;
    return found != NULL ? (int)(found - alphabet) : -1;
}

/* Padding only ends a group: after it another may follow. */
static pr_status add_b(struct pr_bytes payload, struct pr_buffer *out)
{
    pr_status status = PR_OK;
    unsigned bits = 0;
    int held = 0;
    for (size_t i = 0; i < payload.size && status == PR_OK; i++) {
        int value = base64_value(payload.data[i]);
        if (payload.data[i] == '=')
            held = 0;
        if (value < 0)
            continue;
        bits = (bits << 6 | (unsigned)value) & 0xffff;
        held += 6;
        if (held < 8)
            continue;
        held -= 8;
        char octet = (char)(bits >> held & 0xff);
        status = pr_buffer_add(out, &octet, 1);
    }
    return status;
}

/* ---- Runs ---------------------------------------------------------------- */

/* RFC 2231, 5: a language may follow the charset. */
static struct pr_bytes without_language(struct pr_bytes charset)
{
    const char *star = memchr(charset.data, '*', charset.size);
    if (star != NULL)
        charset.size = (size_t)(star - charset.data);
    return charset;
}

static pr_status add_decoded(struct pr_bytes octets, struct pr_bytes charset,
                             struct pr_buffer *out)
{
    struct decoder *decoder = NULL;
    char *name = g_strndup(charset.data, charset.size);
    pr_status status = decoder_new(name, &decoder);
    if (status == PR_OK)
        status = decoder_add(decoder, octets, out);
    if (status == PR_OK)
        status = decoder_end(decoder, out);
    decoder_free(decoder);
    g_free(name);
    return status;
}

static pr_status end_run(struct reader *reader)
{
    struct pr_bytes octets = {pr_buffer_text(&reader->octets),
                              reader->octets.size};
    return add_decoded(octets, reader->charset,
                       reader->joins ? &reader->joined : reader->out);
}

static bool is_blank(struct pr_bytes text, size_t from, size_t to)
{
    while (from < to && g_ascii_isspace(text.data[from]))
        from++;
    return from == to;
}

/* Reads the run that begins with *word; *word is then its last. */
static pr_status read_run(struct reader *reader, struct word *word)
{
    struct word next = *word;
    pr_status status = PR_OK;

    pr_buffer_clear(&reader->octets);
    reader->charset = without_language(word->charset);
    do {
        *word = next;
        status = (word->is_q ? add_q : add_b)(word->payload, &reader->octets);
        size_t at = word->end;
        while (at < reader->text.size && g_ascii_isspace(reader->text.data[at]))
            at++;
        if (!read_word(reader->text, at, &next))
            break;
    } while (
        status == PR_OK &&
        pr_bytes_equal_nocase(without_language(next.charset), reader->charset));
    return status == PR_OK ? end_run(reader) : status;
}

static pr_status write_joined(struct reader *reader)
{
    if (reader->joined.size == 0)
        return PR_OK;
    char *base64 = g_base64_encode((const guchar *)reader->joined.data,
                                   reader->joined.size);
    pr_status status = pr_buffer_printf(reader->out, "=?utf-8?B?%s?=", base64);
    g_free(base64);
    pr_buffer_clear(&reader->joined);
    return status;
}

static pr_status add_between(struct reader *reader, size_t from, size_t to)
{
    struct pr_bytes text = {reader->text.data + from, to - from};
    if (!reader->joins)
        return add_decoded(text, PR_BYTES(""), reader->out);
    pr_status status = write_joined(reader);
    return status != PR_OK ? status
                           : pr_buffer_add(reader->out, text.data, text.size);
}

static pr_status read_text(struct reader *reader)
{
    struct word word;
    size_t at = 0;
    pr_status status = PR_OK;

    while (status == PR_OK && next_word(reader->text, at, &word)) {
        if (at == 0 || !is_blank(reader->text, at, word.begin))
            status = add_between(reader, at, word.begin);
        if (status == PR_OK)
            status = read_run(reader, &word);
        at = word.end;
    }
    if (status == PR_OK)
        status = add_between(reader, at, reader->text.size);
    pr_buffer_done(&reader->octets);
    pr_buffer_done(&reader->joined);
    return status;
}

pr_status words_decode(struct pr_bytes text, struct pr_buffer *buffer)
{
    struct reader reader = {
        .text = text, .out = buffer, .octets = {.cap = text.size}};
    return read_text(&reader);
}

pr_status words_join(struct pr_bytes text, struct pr_buffer *buffer)
{
    struct reader reader = {.text = text,
                            .out = buffer,
                            .joins = true,
                            .joined = {.cap = SIZE_MAX - 1},
                            .octets = {.cap = text.size}};
    return read_text(&reader);
}
