/*
 * Writes a header field as RFC 5322 and RFC 2047 want it.
 */
#include "config.h"

#include "mail/fold.h"

#include <string.h>

#include "mail/decode.h"

#define LINE_MAX_OCTETS 78 /* RFC 5322, 2.1.1 */
/* The same allows 998 octets at most: so much of a word can stand on a line
 * beside the name of a field. */
#define PLAIN_WORD_MAX 900

/* RFC 2047, 2: an encoded word has at most 75 octets. */
#define WORD_MAX 75
#define WORD_BEGIN "=?utf-8"
#define WORD_END "?="
/* Octets of addresses read at once: a group in a group costs GMime 200 octets
 * of stack, and a group two octets of text. */
#define ADDRESSES_MAX 1024

/* Must the word of `size` octets be encoded? */
static bool is_foreign(const char *word, size_t size)
{
    bool is_it = size > PLAIN_WORD_MAX;

    for (size_t i = 0; i < size && !is_it; i++)
        is_it = (unsigned char)word[i] >= 0x80;
    return is_it;
}

static bool is_address_field(const char *name)
{
    static const char *const names[] = {
        "From",      "Sender",    "Reply-To",    "To",
        "Cc",        "Bcc",       "Resent-From", "Resent-Sender",
        "Resent-To", "Resent-Cc", "Resent-Bcc"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (g_ascii_strcasecmp(names[i], name) == 0)
            return true;
    return false;
}

/* ---- Encoded words (RFC 2047) -------------------------------------------- */

struct encoder {
    size_t word_max; /* octets of an encoded word */
    bool is_q;       /* quoted-printable, else base64 */
    struct pr_buffer *out;
};

static bool is_written_plain(char octet)
{
    return g_ascii_isalnum(octet) || octet == ' ' ||
           (octet != '\0' && strchr("!*+-/.,", octet) != NULL);
}

/* Octets that `size` octets of text take when encoded. */
static size_t encoded_size(const struct encoder *encoder, const char *text,
                           size_t size)
{
    size_t total = 0;
    if (!encoder->is_q)
        return (size + 2) / 3 * 4;
    for (size_t i = 0; i < size; i++)
        total += is_written_plain(text[i]) ? 1 : 3;
    return total;
}

/* Octets of whole characters that go into the next word. */
static size_t next_word(const struct encoder *encoder, struct pr_bytes text)
{
    size_t room = encoder->word_max - strlen(WORD_BEGIN "?q?" WORD_END);
    size_t end = 0, next = 0;
    while (next < text.size) {
        next +=
            (size_t)(g_utf8_next_char(text.data + next) - (text.data + next));
        if (end != 0 && encoded_size(encoder, text.data, next) > room)
            break;
        end = next;
    }
    return end;
}

static pr_status add_q(const char *text, size_t size, struct pr_buffer *out)
{
    pr_status status = PR_OK;
    for (size_t i = 0; i < size && status == PR_OK; i++) {
        if (!is_written_plain(text[i]))
            status = pr_buffer_printf(out, "=%02X", (unsigned char)text[i]);
        else
            status = pr_buffer_add(out, text[i] == ' ' ? "_" : text + i, 1);
    }
    return status;
}

static pr_status add_b(const char *text, size_t size, struct pr_buffer *out)
{
    char *base64 = g_base64_encode((const guchar *)text, size);
    pr_status status = pr_buffer_add_text(out, base64);
    g_free(base64);
    return status;
}

static pr_status add_words(const struct encoder *encoder, struct pr_bytes text)
{
    pr_status status = PR_OK;
    while (text.size != 0 && status == PR_OK) {
        size_t size = next_word(encoder, text);
        status = pr_buffer_printf(encoder->out, WORD_BEGIN "?%c?",
                                  encoder->is_q ? 'q' : 'b');
        if (status == PR_OK)
            status =
                (encoder->is_q ? add_q : add_b)(text.data, size, encoder->out);
        text.data += size;
        text.size -= size;
        if (status == PR_OK)
            status = pr_buffer_add_text(
                encoder->out, text.size != 0 ? WORD_END " " : WORD_END);
    }
    return status;
}

/* The words of `value` from the first to the last that must be encoded. */
static struct pr_bytes foreign_words(const char *value)
{
    const char *begin = NULL, *end = value;
    size_t size;

    for (const char *at = value; *at != '\0'; at += size) {
        at += strspn(at, " \t");
        size = strcspn(at, " \t");
        if (!is_foreign(at, size))
            continue;
        if (begin == NULL)
            begin = at;
        end = at + size;
    }
    if (begin == NULL)
        begin = end;
    return (struct pr_bytes){begin, (size_t)(end - begin)};
}

static bool is_mostly_ascii(struct pr_bytes text)
{
    size_t others = 0;
    for (size_t i = 0; i < text.size; i++)
        others += !is_written_plain(text.data[i]);
    return others < text.size / 3;
}

/* Appends `value` with encoded words short enough that one stands beside the
 * field's name on a line. */
static pr_status encode_text(const char *name, const char *value,
                             struct pr_buffer *out)
{
    struct pr_bytes text = foreign_words(value);
    size_t taken = strlen(name) + 2;
    struct encoder encoder = {
        .word_max = WORD_MAX - (taken < WORD_MAX / 2 ? taken : WORD_MAX / 2),
        .is_q = is_mostly_ascii(text),
        .out = out,
    };
    pr_status status = pr_buffer_add(out, value, (size_t)(text.data - value));
    if (status == PR_OK)
        status = add_words(&encoder, text);
    return status != PR_OK ? status
                           : pr_buffer_add_text(out, text.data + text.size);
}

/* Addresses stay; the names with them are encoded. False if that cannot be. */
static bool encode_addresses(const char *value, struct pr_buffer *out,
                             pr_status *ret_status)
{
    if (strlen(value) > ADDRESSES_MAX)
        return false;
    decode_ready();
    InternetAddressList *list =
        internet_address_list_parse(decode_options(), value);
    if (list == NULL)
        return false;
    char *text = internet_address_list_to_string(list, NULL, TRUE);
    g_object_unref(list);
    bool is_done = foreign_words(text).size == 0;
    if (is_done)
        *ret_status = pr_buffer_add_text(out, text);
    g_free(text);
    return is_done;
}

/* ---- Folding ------------------------------------------------------------- */

/* Where to break `text` so that `room` octets stay on the line: the last white
 * space that leaves something before it, else the first there is. Its length if
 * there is none. */
static size_t break_at(const char *text, size_t room)
{
    size_t last = 0, i = strspn(text, " \t");
    for (; text[i] != '\0'; i++) {
        if (i > room && last != 0)
            return last;
        if ((text[i] == ' ' || text[i] == '\t') &&
            text[i + strspn(text + i, " \t")] != '\0')
            last = i;
    }
    return i > room && last != 0 ? last : i;
}

static pr_status fold(const char *text, size_t used, struct pr_buffer *buffer)
{
    pr_status status = PR_OK;
    while (status == PR_OK && *text != '\0') {
        size_t room = used < LINE_MAX_OCTETS ? LINE_MAX_OCTETS - used : 0;
        size_t size = break_at(text, room);
        status = pr_buffer_add(buffer, text, size);
        if (status == PR_OK)
            status = pr_buffer_add(buffer, "\n", 1);
        text += size;
        used = 0;
    }
    return status;
}

/* A value that is all in one line, its white space as it is. */
static pr_status write_plain(const char *name, const char *value,
                             struct pr_buffer *buffer)
{
    pr_status status = pr_buffer_printf(buffer, "%s: ", name);
    if (status != PR_OK)
        return status;
    if (*value == '\0')
        return pr_buffer_add(buffer, "\n", 1);
    return fold(value, strlen(name) + 2, buffer);
}

static pr_status write_encoded(const char *name, const char *value,
                               struct pr_buffer *buffer)
{
    struct pr_buffer encoded = {.cap = FOLD_MAX};
    pr_status status = PR_OK;

    if (!is_address_field(name) || !encode_addresses(value, &encoded, &status))
        status = encode_text(name, value, &encoded);
    if (status == PR_OK) {
        /* GMime may have folded it already. */
        g_strdelimit(encoded.data, "\n\t", ' ');
        status = write_plain(name, encoded.data, buffer);
    }
    pr_buffer_done(&encoded);
    return status;
}

pr_status fold_field(const char *name, const char *value,
                     struct pr_buffer *buffer)
{
    struct pr_buffer valid = {.cap = FOLD_MAX};
    if (foreign_words(value).size == 0)
        return write_plain(name, value, buffer);
    pr_status status = decode_utf8(pr_bytes_of(value), &valid);
    if (status == PR_OK)
        status = write_encoded(name, valid.data, buffer);
    pr_buffer_done(&valid);
    return status;
}
