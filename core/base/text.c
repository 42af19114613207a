/*
 * Escaping, UTF-8, globs and near names.
 *
 * All octets may come from the network: nothing here trusts a length, an
 * encoding or a NUL it has not seen.
 */
#include "config.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

/* The length of the well-formed UTF-8 character that `text` begins with, 0 if
 * there is none (RFC 3629, section 4). */
static size_t character(const unsigned char *text, size_t size,
                        uint32_t *ret_point)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char c = text[0];
    size_t length = c < 0x80                ? 1
                    : c >= 0xc2 && c < 0xe0 ? 2
                    : c >= 0xe0 && c < 0xf0 ? 3
                    : c >= 0xf0 && c < 0xf5 ? 4
                                            : 0;
    uint32_t point = length <= 1 ? c : c & (0x7fu >> length);

    if (length == 0 || length > size)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (text[i] & 0x3fu);
    }
    if (point < smallest[length] || point > 0x10ffff ||
        (point >= 0xd800 && point <= 0xdfff))
        return 0;
    *ret_point = point;
    return length;
}

bool text_is_utf8(struct pr_bytes bytes)
{
    const unsigned char *at = (const unsigned char *)bytes.data;
    size_t left = bytes.size;

    while (left > 0) {
        uint32_t point;
        size_t length = character(at, left, &point);

        if (length == 0)
            return false;
        at += length;
        left -= length;
    }
    return true;
}

/* Characters that end a line, drive a terminal or turn the order of reading. */
static bool is_control(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point <= 0x9f) ||
           point == 0x200e || point == 0x200f ||
           (point >= 0x2028 && point <= 0x202e) ||
           (point >= 0x2066 && point <= 0x2069);
}

size_t text_printable_piece(struct pr_bytes bytes, char piece[TEXT_PIECE_SIZE])
{
    const unsigned char *text = (const unsigned char *)bytes.data;
    uint32_t point;
    size_t length = character(text, bytes.size, &point);

    if (length == 0 || is_control(point)) {
        snprintf(piece, TEXT_PIECE_SIZE, "\\x%02X", text[0]);
        return 1;
    }
    memcpy(piece, text, length);
    piece[length] = '\0';
    return length;
}

char *text_printable(struct pr_bytes bytes, char *out, size_t size)
{
    struct pr_bytes rest = bytes;
    size_t used = 0, cut = 0;

    if (size == 0)
        return out;
    while (rest.size > 0) {
        char piece[TEXT_PIECE_SIZE];
        size_t taken = text_printable_piece(rest, piece);
        size_t length = strlen(piece);

        if (length >= size - used) {
            snprintf(out + cut, size - cut, "...");
            return out;
        }
        memcpy(out + used, piece, length);
        used += length;
        if (size - used > 3)
            cut = used;
        rest.data += taken;
        rest.size -= taken;
    }
    out[used] = '\0';
    return out;
}

static unsigned char folded(char octet)
{
    unsigned char c = (unsigned char)octet;

    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : c;
}

enum {
    NAME_MAX_OCTETS = 63 /* longer names have no near ones */
};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many octets to change, add, drop or swap with the next one; the case of
 * letters costs nothing. Both are at most NAME_MAX_OCTETS long. */
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][NAME_MAX_OCTETS + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2], *free_row;
    size_t a_size = strlen(a), b_size = strlen(b);

    for (size_t j = 0; j <= b_size; j++)
        above[j] = before[j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            bool same = folded(a[i - 1]) == folded(b[j - 1]);

            row[j] = least(least(above[j], row[j - 1]) + 1,
                           above[j - 1] + (same ? 0 : 1));
            if (i > 1 && j > 1 && folded(a[i - 1]) == folded(b[j - 2]) &&
                folded(a[i - 2]) == folded(b[j - 1]))
                row[j] = least(row[j], before[j - 2] + 1);
        }
        free_row = before;
        before = above;
        above = row;
        row = free_row;
    }
    return above[b_size];
}

const char *text_nearest(const char *name, const char *const *names)
{
    size_t size = strlen(name);
    size_t nearest = size / 3 > 1 ? size / 3 + 1 : 2; /* one too far */
    const char *found = NULL;

    if (size == 0 || size > NAME_MAX_OCTETS)
        return NULL;
    for (; *names != NULL; names++) {
        size_t edits;

        if (strlen(*names) > NAME_MAX_OCTETS)
            continue;
        edits = distance(name, *names);
        if (edits < nearest) {
            nearest = edits;
            found = *names;
        }
    }
    return found;
}

static pr_status add_json_piece(struct pr_buffer *buffer,
                                const unsigned char *text, size_t size,
                                size_t *ret_taken)
{
    uint32_t point;
    size_t length = character(text, size, &point);

    *ret_taken = length != 0 ? length : 1;
    if (length == 0)
        return pr_buffer_add(buffer, "\xef\xbf\xbd", 3);
    if (point == '"' || point == '\\')
        return pr_buffer_printf(buffer, "\\%c", (char)point);
    if (point == '\n')
        return pr_buffer_add(buffer, "\\n", 2);
    if (is_control(point))
        return pr_buffer_printf(buffer, "\\u%04x", (unsigned)point);
    return pr_buffer_add(buffer, text, length);
}

/* The octets up to the first one that JSON may want escaped. */
static size_t plain_run(const unsigned char *text, size_t size)
{
    size_t i = 0;

    while (i < size && text[i] >= 0x20 && text[i] < 0x7f && text[i] != '"' &&
           text[i] != '\\')
        i++;
    return i;
}

static pr_status add_json_text(struct pr_buffer *buffer,
                               const unsigned char *text, size_t size)
{
    while (size > 0) {
        size_t taken = plain_run(text, size);
        pr_status status;

        if (taken > 0)
            status = pr_buffer_add(buffer, text, taken);
        else
            status = add_json_piece(buffer, text, size, &taken);
        if (status != PR_OK)
            return status;
        text += taken;
        size -= taken;
    }
    return PR_OK;
}

pr_status text_add_json(struct pr_buffer *buffer, struct pr_bytes bytes)
{
    size_t before = buffer->size;
    pr_status status = pr_buffer_add(buffer, "\"", 1);

    if (status == PR_OK)
        status = add_json_text(buffer, (const unsigned char *)bytes.data,
                               bytes.size);
    if (status == PR_OK)
        status = pr_buffer_add(buffer, "\"", 1);
    if (status != PR_OK && buffer->data != NULL) {
        buffer->size = before;
        buffer->data[before] = '\0';
    }
    return status;
}

size_t text_cut(const char *text, size_t size, size_t most)
{
    if (size <= most)
        return size;
    while (most > 0 && text_goes_on(text[most]))
        most--;
    return most;
}

/* The next character of a text that need not be UTF-8. */
static const char *after_character(const char *text)
{
    text++;
    while (text_goes_on(*text))
        text++;
    return text;
}

bool text_matches(const char *pattern, const char *text)
{
    const char *star = NULL;  /* after the last '*' met ... */
    const char *retry = NULL; /* ... and where its match is to end next */

    while (*text != '\0') {
        if (*pattern == '*') {
            star = ++pattern;
            retry = text;
        } else if (*pattern == '?') {
            pattern++;
            text = after_character(text);
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star;
            text = retry = after_character(retry);
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}
