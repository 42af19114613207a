/*
 * Writes a header field as RFC 5322 and RFC 2047 want it.
 */
#include "config.h"

#include "mail/fold.h"

#include <string.h>

#include "mail/decode.h"

#define LINE_MAX_OCTETS 78 /* RFC 5322, 2.1.1 */

/* Octets of addresses read at once: a group in a group costs GMime 200 octets
 * of stack, and a group two octets of text. */
#define ADDRESSES_MAX 1024

static bool is_ascii(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text >= 0x80)
            return false;
    return true;
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

/* Encoded words for what is not ASCII; GLib's memory. */
static char *encode(const char *name, const char *value)
{
    InternetAddressList *list = NULL;
    char *encoded = NULL;

    if (is_address_field(name) && strlen(value) <= ADDRESSES_MAX)
        list = internet_address_list_parse(decode_options(), value);
    if (list != NULL) {
        encoded = internet_address_list_to_string(list, NULL, TRUE);
        g_object_unref(list);
    }
    if (encoded == NULL || !is_ascii(encoded)) {
        g_free(encoded);
        encoded = g_mime_utils_header_encode_text(NULL, value, "utf-8");
    }
    return encoded;
}

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
    decode_ready();
    char *encoded = encode(name, value);
    /* GMime may have folded it already. */
    for (char *end = encoded; (end = strchr(end, '\n')) != NULL;)
        memmove(end, end + 1, strlen(end));
    pr_status status = write_plain(name, encoded, buffer);
    g_free(encoded);
    return status;
}

pr_status fold_field(const char *name, const char *value,
                     struct pr_buffer *buffer)
{
    struct pr_buffer valid = {.cap = FOLD_MAX};
    if (is_ascii(value))
        return write_plain(name, value, buffer);
    pr_status status = decode_utf8(pr_bytes_of(value), &valid);
    if (status == PR_OK)
        status = write_encoded(name, valid.data, buffer);
    pr_buffer_done(&valid);
    return status;
}
