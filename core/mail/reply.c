/*
 * Writes a message of a rule's own.
 *
 * What comes from a rule, and through it from a stranger's mail, gets into the
 * header as the value of a field that is written here, never as a field: no
 * text with a control character passes.
 */
#include "config.h"

#include "mail/reply.h"

#include <string.h>
#include <time.h>

#include "base/text.h"
#include "mail/decode.h"
#include "mail/fields.h"
#include "mail/fold.h"
#include "mail/spool.h"

#define HEADER_MOST ((size_t)64 * 1024)
#define LINE_MOST 998 /* octets of a line (RFC 5322, 2.1.1) */

/* ---- What is right ------------------------------------------------------- */

static bool has_control(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return true;
    return false;
}

static pr_status check_line(const char *what, const char *text)
{
    if (has_control(text) || !text_is_utf8(pr_bytes_of(text)))
        return pr_fail(PR_CONFIG,
                       "%s: holds a line end, another control character, or "
                       "what is no UTF-8",
                       what);
    if (strlen(text) > HEADER_MOST / 8)
        return pr_fail(PR_CONFIG, "%s: has more than %zu octets", what,
                       HEADER_MOST / 8);
    return PR_OK;
}

/* The address of the one mailbox that `text` is, owned by the caller; NULL if
 * it is something else. */
static char *one_address(const char *text)
{
    decode_ready();
    InternetAddressList *list =
        internet_address_list_parse(decode_options(), text);
    InternetAddress *one =
        list != NULL && internet_address_list_length(list) == 1
            ? internet_address_list_get_address(list, 0)
            : NULL;
    char *address = INTERNET_ADDRESS_IS_MAILBOX(one)
                        ? g_strdup(internet_address_mailbox_get_addr(
                              INTERNET_ADDRESS_MAILBOX(one)))
                        : NULL;

    if (list != NULL)
        g_object_unref(list);
    if (address != NULL &&
        (strchr(address, '@') == NULL || strpbrk(address, "<> ") != NULL)) {
        g_free(address);
        address = NULL;
    }
    return address;
}

pr_status reply_check_address(const char *what, const char *text)
{
    pr_status status = check_line(what, text);
    char *address = status == PR_OK ? one_address(text) : NULL;

    if (status == PR_OK && address == NULL)
        status =
            pr_fail(PR_CONFIG, "%s: \"%.100s\" is not one address", what, text);
    g_free(address);
    return status;
}

/* The fields of a MIME part are those of its content alone (RFC 2045, 9). */
static pr_status check_mime(const char *mime)
{
    struct pr_bytes rest = pr_bytes_of(mime);
    bool has_type = false, is_begun = false;

    while (rest.size > 0 && rest.data[0] != '\n') {
        const char *end = memchr(rest.data, '\n', rest.size);
        struct pr_bytes line = {
            rest.data, end != NULL ? (size_t)(end - rest.data) : rest.size};
        bool goes_on = line.data[0] == ' ' || line.data[0] == '\t';

        if (goes_on ? !is_begun
                    : !fields_begins(line) ||
                          g_ascii_strncasecmp(line.data, "Content-", 8) != 0)
            return pr_fail(PR_CONFIG,
                           "mime: begins with Content- fields and an empty "
                           "line, not with \"%.*s\"",
                           (int)(line.size < 60 ? line.size : 60), line.data);
        has_type |= g_ascii_strncasecmp(line.data, "Content-Type:", 13) == 0;
        is_begun = true;
        rest.data += line.size + (end != NULL);
        rest.size -= line.size + (end != NULL);
    }
    if (!has_type || rest.size == 0)
        return pr_fail(PR_CONFIG,
                       "mime: lacks its Content-Type field, or the empty line "
                       "before its body");
    return strchr(mime, '\r') == NULL
               ? PR_OK
               : pr_fail(PR_CONFIG, "mime: lines end with \\n, without \\r");
}

static pr_status check_content(const struct reply *reply)
{
    const char *content = reply->mime != NULL ? reply->mime : reply->text;

    if ((reply->text == NULL) == (reply->mime == NULL))
        return pr_fail(PR_CONFIG, "expects text, or mime: one of them");
    if (strlen(content) > REPLY_MOST)
        return pr_fail(PR_CONFIG, "the text has more than %zu octets",
                       REPLY_MOST);
    if (reply->mime != NULL)
        return check_mime(reply->mime);
    return text_is_utf8(pr_bytes_of(content))
               ? PR_OK
               : pr_fail(PR_CONFIG, "text: is no UTF-8");
}

pr_status reply_check(const struct reply *reply)
{
    pr_status status = reply_check_address("from", reply->from);

    if (status == PR_OK)
        status = reply_check_address("to", reply->to);
    if (status == PR_OK)
        status = check_line("subject", reply->subject);
    if (status == PR_OK)
        status = check_line("in_reply_to", reply->in_reply_to);
    if (status == PR_OK)
        status = check_line("references", reply->references);
    return status == PR_OK ? check_content(reply) : status;
}

/* ---- The header ---------------------------------------------------------- */

struct writer {
    struct pr_buffer out;
    pr_status status; /* of the first failure */
};

static void add(struct writer *writer, const char *text)
{
    if (writer->status == PR_OK)
        writer->status = pr_buffer_add_text(&writer->out, text);
}

static void add_field(struct writer *writer, const char *name,
                      const char *value)
{
    if (writer->status == PR_OK && value[0] != '\0')
        writer->status = fold_field(name, value, &writer->out);
}

static void add_date(struct writer *writer, int64_t now)
{
    GDateTime *date = g_date_time_new_from_unix_utc(now);
    char *text = date != NULL ? g_mime_utils_header_format_date(date) : NULL;

    if (text != NULL)
        add_field(writer, "Date", text);
    g_free(text);
    if (date != NULL)
        g_date_time_unref(date);
}

static void add_message_id(struct writer *writer, const struct reply *reply,
                           const char *key)
{
    char *from = one_address(reply->from);
    const char *at = from != NULL ? strrchr(from, '@') : NULL;
    char *id = g_strdup_printf("<%s.reply@%s>", key,
                               at != NULL ? at + 1 : "localhost");

    add_field(writer, "Message-ID", id);
    g_free(id);
    g_free(from);
}

static void add_header(struct writer *writer, const struct reply *reply,
                       const char *key, int64_t now)
{
    char *answered = g_strdup_printf("<%s>", reply->in_reply_to);

    add_date(writer, now);
    add_field(writer, "From", reply->from);
    add_field(writer, "To", reply->to);
    add_field(writer, "Subject", reply->subject);
    add_message_id(writer, reply, key);
    if (reply->in_reply_to[0] != '\0')
        add_field(writer, "In-Reply-To", answered);
    add_field(writer, "References", reply->references);
    add_field(writer, "Auto-Submitted", "auto-replied");
    add_field(writer, "MIME-Version", "1.0");
    g_free(answered);
}

/* ---- The body ------------------------------------------------------------ */

/* Can it go as it is, in any way there is? */
static bool is_plain(const char *text)
{
    size_t line = 0;

    for (; *text != '\0'; text++) {
        line = *text == '\n' ? 0 : line + 1;
        if ((unsigned char)*text >= 0x7f || line > LINE_MOST ||
            (*text < ' ' && *text != '\n' && *text != '\t'))
            return false;
    }
    return true;
}

static void add_quoted(struct writer *writer, const char *text)
{
    GMimeEncoding encoding;
    size_t size = strlen(text);

    g_mime_encoding_init_encode(&encoding,
                                GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
    char *out = g_malloc(g_mime_encoding_outlen(&encoding, size) + 1);
    size = g_mime_encoding_flush(&encoding, text, size, out);
    if (writer->status == PR_OK)
        writer->status = pr_buffer_add(&writer->out, out, size);
    g_free(out);
}

static void add_text(struct writer *writer, const char *text)
{
    bool plain = is_plain(text);
    size_t size = strlen(text);

    add_field(writer, "Content-Type",
              plain ? "text/plain; charset=us-ascii"
                    : "text/plain; charset=utf-8");
    add_field(writer, "Content-Transfer-Encoding",
              plain ? "7bit" : "quoted-printable");
    add(writer, "\n");
    if (plain)
        add(writer, text);
    else
        add_quoted(writer, text);
    if (size == 0 || text[size - 1] != '\n')
        add(writer, "\n");
}

pr_status reply_write(const struct reply *reply, const char *key, int64_t now,
                      const char *directory, struct pr_spool **ret)
{
    struct writer writer = {.out = {.cap = HEADER_MOST + 4 * REPLY_MOST}};
    struct pr_spool *spool = NULL;

    writer.status = reply_check(reply);
    if (writer.status == PR_OK)
        add_header(&writer, reply, key, now);
    if (writer.status == PR_OK && reply->mime != NULL)
        add(&writer, reply->mime);
    else if (writer.status == PR_OK)
        add_text(&writer, reply->text);
    if (writer.status == PR_OK)
        writer.status = spool_new(directory, 0, &spool);
    if (writer.status == PR_OK)
        writer.status =
            pr_spool_append(spool, writer.out.data, writer.out.size);
    if (writer.status == PR_OK)
        writer.status = pr_spool_seal(spool);
    pr_buffer_done(&writer.out);
    if (writer.status == PR_OK)
        *ret = spool;
    else
        spool_free(spool);
    return writer.status;
}
