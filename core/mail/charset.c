/*
 * The text of parts to UTF-8, in pieces, by iconv.
 *
 * Many charsets are declared by a name that means a subset of what is used
 * (iso-8859-1 for windows-1252, gb2312 for gb18030): they are read as the
 * larger one, as mail readers do.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "base/memory.h"
#include "mail/converters.h"
#include "mail/decode.h"

/* Octets of an unfinished character that may wait for the next piece. */
#define PENDING_MAX 16
#define PIECE 4096

enum reading {
    READ_GUESS, /* ASCII so far */
    READ_UTF8,
    READ_ICONV,
    READ_ASCII /* the charset is unknown */
};

struct decoder {
    enum reading reading;
    iconv_t iconv;
    char charset[CHARSET_SIZE]; /* what it reads */
    char pending[PENDING_MAX];
    size_t pending_size;
    bool holds_cr;
};

static const struct {
    const char *declared, *charset; /* "" to guess */
} aliases[] = {
    {"us-ascii", ""},
    {"ascii", ""},
    {"ansi_x3.4-1968", ""},
    {"unknown", ""},
    {"x-unknown", ""},
    {"unknown-8bit", ""},
    {"default", ""},
    {"default_charset", ""},
    {"8bit", ""},
    {"7bit", ""},
    {"none", ""},
    {"utf8", "utf-8"},
    {"utf_8", "utf-8"},
    {"cp65001", "utf-8"},
    {"unicode-1-1-utf-8", "utf-8"},
    {"unicode-1-1-utf-7", "utf-7"},
    {"iso-8859-1", "windows-1252"},
    {"iso8859-1", "windows-1252"},
    {"iso_8859-1", "windows-1252"},
    {"latin1", "windows-1252"},
    {"latin-1", "windows-1252"},
    {"ansi", "windows-1252"},
    {"cp-1252", "windows-1252"},
    {"iso-8859-9", "windows-1254"},
    {"iso-8859-8-i", "iso-8859-8"},
    {"gb2312", "gb18030"},
    {"gb_2312-80", "gb18030"},
    {"gbk", "gb18030"},
    {"x-gbk", "gb18030"},
    {"ks_c_5601-1987", "cp949"},
    {"euc-kr", "cp949"},
    {"shift_jis", "cp932"},
    {"shift-jis", "cp932"},
    {"x-sjis", "cp932"},
    {"sjis", "cp932"},
    {"big5", "big5-hkscs"},
    {"x-mac-roman", "macintosh"},
};

static const char *real_charset(const char *declared)
{
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (g_ascii_strcasecmp(aliases[i].declared, declared) == 0)
            return aliases[i].charset;
    return declared;
}

/* Nothing that would mean more than a name to iconv. */
static bool is_charset_name(const char *name)
{
    size_t length = strlen(name);
    return length != 0 && length < CHARSET_SIZE &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "abcdefghijklmnopqrstuvwxyz"
                        "0123456789-_.:+") == length;
}

static void open_iconv(struct decoder *decoder, const char *charset)
{
    decoder->reading = READ_ASCII;
    if (!is_charset_name(charset))
        return;
    decode_ready();
    decoder->iconv = converter_take(charset);
    if (decoder->iconv == (iconv_t)-1)
        return;
    decoder->reading = READ_ICONV;
    memcpy(decoder->charset, charset, strlen(charset) + 1);
}

pr_status decoder_new(const char *charset, struct decoder **ret)
{
    struct decoder *decoder = memory_zeroed(1, sizeof *decoder);
    if (decoder == NULL)
        return pr_fail(PR_NOMEM, "out of memory for the text of a part");
    decoder->iconv = (iconv_t)-1;
    bool is_utf8 = g_ascii_strcasecmp(charset, "utf-8") == 0;
    if (*charset != '\0' && !is_utf8) {
        charset = real_charset(charset);
        is_utf8 = strcmp(charset, "utf-8") == 0;
    }
    if (*charset == '\0')
        decoder->reading = READ_GUESS;
    else if (is_utf8)
        decoder->reading = READ_UTF8;
    else
        open_iconv(decoder, charset);
    *ret = decoder;
    return PR_OK;
}

void decoder_free(struct decoder *decoder)
{
    if (decoder == NULL)
        return;
    if (decoder->iconv != (iconv_t)-1)
        converter_give(decoder->charset, decoder->iconv);
    memory_free(decoder);
}

/* ---- Out --------------------------------------------------------------- */

/* Appends UTF-8, perhaps not valid, with CRLF as LF. */
static pr_status add_lines(struct decoder *decoder, struct pr_bytes text,
                           struct pr_buffer *buffer)
{
    size_t begin = 0;
    pr_status status = PR_OK;
    if (text.size == 0)
        return PR_OK;
    if (decoder->holds_cr && text.data[0] != '\n')
        status = decode_utf8(PR_BYTES("\r"), buffer);
    decoder->holds_cr = text.data[text.size - 1] == '\r';
    if (decoder->holds_cr)
        text.size--;
    for (size_t i = 0; status == PR_OK && i + 1 < text.size; i++) {
        if (text.data[i] != '\r' || text.data[i + 1] != '\n')
            continue;
        status = decode_utf8((struct pr_bytes){text.data + begin, i - begin},
                             buffer);
        begin = i + 1;
    }
    if (status == PR_OK)
        status = decode_utf8(
            (struct pr_bytes){text.data + begin, text.size - begin}, buffer);
    return status;
}

/* Octets at the end of `text` that begin a UTF-8 character but do not end it.
 */
static size_t unfinished(struct pr_bytes text)
{
    for (size_t n = 1; n <= 3 && n <= text.size; n++) {
        unsigned char octet = (unsigned char)text.data[text.size - n];
        if (octet < 0x80)
            return 0;
        if (octet < 0xc0)
            continue;
        size_t length = octet >= 0xf0 ? 4 : octet >= 0xe0 ? 3 : 2;
        return n < length ? n : 0;
    }
    return 0;
}

static pr_status read_utf8(struct decoder *decoder, struct pr_bytes text,
                           bool is_last, struct pr_buffer *buffer,
                           size_t *ret_left)
{
    *ret_left = is_last ? 0 : unfinished(text);
    text.size -= *ret_left;
    return add_lines(decoder, text, buffer);
}

static pr_status read_ascii(struct decoder *decoder, struct pr_bytes text,
                            struct pr_buffer *buffer)
{
    pr_status status = PR_OK;
    while (status == PR_OK && text.size != 0) {
        size_t n = 0;
        while (n < text.size && (unsigned char)text.data[n] < 0x80)
            n++;
        status = add_lines(decoder, (struct pr_bytes){text.data, n}, buffer);
        if (status == PR_OK && n < text.size)
            status = add_lines(decoder, PR_BYTES("\xef\xbf\xbd"), buffer);
        n += n < text.size;
        text.data += n;
        text.size -= n;
    }
    return status;
}

static pr_status read_iconv(struct decoder *decoder, struct pr_bytes text,
                            bool is_last, struct pr_buffer *buffer,
                            size_t *ret_left)
{
    char *in = (char *)(uintptr_t)text.data;
    size_t in_left = text.size;
    pr_status status = PR_OK;

    *ret_left = 0;
    while (status == PR_OK && in_left != 0) {
        char piece[PIECE], *out = piece;
        size_t out_left = sizeof piece, before = in_left;
        size_t result =
            g_mime_iconv(decoder->iconv, &in, &in_left, &out, &out_left);
        int error = result == (size_t)-1 ? errno : 0;
        status = add_lines(
            decoder, (struct pr_bytes){piece, sizeof piece - out_left}, buffer);
        if (status != PR_OK ||
            (error == E2BIG && (before != in_left || out != piece)))
            continue;
        if (error == EINVAL && !is_last && in_left <= PENDING_MAX) {
            *ret_left = in_left;
            return status;
        }
        if (error != 0 || before == in_left) {
            status = add_lines(decoder, PR_BYTES("\xef\xbf\xbd"), buffer);
            in++;
            in_left--;
        }
    }
    return status;
}

/* ---- In ---------------------------------------------------------------- */

/* What the first piece that is not ASCII looks like. Of a character that may be
 * unfinished nothing is known before there is more, or no more comes. */
static void guess(struct decoder *decoder, struct pr_bytes text, bool is_last)
{
    struct pr_bytes whole = {text.data,
                             text.size - (is_last ? 0 : unfinished(text))};
    bool is_ascii = true;
    for (size_t i = 0; is_ascii && i < whole.size; i++)
        is_ascii = (unsigned char)whole.data[i] < 0x80;
    if (is_ascii)
        return;
    if (g_utf8_validate(whole.data, (gssize)whole.size, NULL))
        decoder->reading = READ_UTF8;
    else
        open_iconv(decoder, "windows-1252");
}

/* Reads a piece; *ret_left octets at its end wait for the next. */
static pr_status read_piece(struct decoder *decoder, struct pr_bytes text,
                            bool is_last, struct pr_buffer *buffer,
                            size_t *ret_left)
{
    *ret_left = 0;
    if (decoder->reading == READ_GUESS)
        guess(decoder, text, is_last);
    switch (decoder->reading) {
    case READ_ICONV:
        return read_iconv(decoder, text, is_last, buffer, ret_left);
    case READ_ASCII:
        return read_ascii(decoder, text, buffer);
    case READ_GUESS:
    case READ_UTF8:
        break;
    }
    return read_utf8(decoder, text, is_last, buffer, ret_left);
}

/* Reads what waits together with the first octets of `piece`, and takes those
 * from it. */
static pr_status read_pending(struct decoder *decoder, struct pr_bytes *piece,
                              struct pr_buffer *buffer)
{
    char joined[2 * PENDING_MAX];
    size_t held = decoder->pending_size, left = 0;
    size_t more = piece->size < PENDING_MAX ? piece->size : PENDING_MAX;

    memcpy(joined, decoder->pending, held);
    memcpy(joined + held, piece->data, more);
    pr_status status = read_piece(
        decoder, (struct pr_bytes){joined, held + more}, false, buffer, &left);
    if (status != PR_OK)
        return status;
    if (left > PENDING_MAX)
        left = PENDING_MAX;
    if (left <= more) {
        decoder->pending_size = 0;
        piece->data += more - left;
        piece->size -= more - left;
        return PR_OK;
    }
    memcpy(decoder->pending, joined + held + more - left, left);
    decoder->pending_size = left;
    piece->data += more;
    piece->size -= more;
    return PR_OK;
}

pr_status decoder_add(struct decoder *decoder, struct pr_bytes piece,
                      struct pr_buffer *buffer)
{
    size_t left = 0;
    while (decoder->pending_size != 0 && piece.size != 0) {
        pr_status status = read_pending(decoder, &piece, buffer);
        if (status != PR_OK)
            return status;
    }
    if (piece.size == 0)
        return PR_OK;
    pr_status status = read_piece(decoder, piece, false, buffer, &left);
    if (status != PR_OK)
        return status;
    memcpy(decoder->pending, piece.data + piece.size - left, left);
    decoder->pending_size = left;
    return PR_OK;
}

pr_status decoder_end(struct decoder *decoder, struct pr_buffer *buffer)
{
    size_t left = 0;
    struct pr_bytes rest = {decoder->pending, decoder->pending_size};
    pr_status status = read_piece(decoder, rest, true, buffer, &left);
    decoder->pending_size = 0;
    if (status == PR_OK && decoder->holds_cr)
        status = decode_utf8(PR_BYTES("\r"), buffer);
    decoder->holds_cr = false;
    return status;
}
