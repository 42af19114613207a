/*
 * Reads the Content-* fields of a part, by GMime.
 *
 * Parameters come decoded (RFC 2231, and RFC 2047 where programs put it against
 * the rules). Fields are read as leniently as mail readers do.
 */
#include "config.h"

#include "mail/content.h"

#include <string.h>

#include "mail/decode.h"
#include "mail/fields.h"

/* Longer than RFC 2046 allows (70), no longer than a line always is. */
#define BOUNDARY_MAX 250

/* The values of the fields, unfolded; empty if there is no such field. */
struct values {
    struct pr_buffer type, encoding, disposition, id;
};

static struct pr_buffer *value_named(struct values *values,
                                     struct pr_bytes name)
{
    const struct {
        struct pr_bytes name;
        struct pr_buffer *value;
    } known[] = {
        {PR_BYTES("Content-Type"), &values->type},
        {PR_BYTES("Content-Transfer-Encoding"), &values->encoding},
        {PR_BYTES("Content-Disposition"), &values->disposition},
        {PR_BYTES("Content-ID"), &values->id},
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (pr_bytes_equal_nocase(known[i].name, name))
            return known[i].value;
    return NULL;
}

/* The first of each name counts, as for IMAP servers. */
static pr_status find_values(struct pr_bytes header, struct values *values)
{
    struct field_place place;
    size_t offset = 0;

    while (fields_next(header, &offset, &place)) {
        struct pr_bytes name = {header.data + place.begin, place.name_size};
        struct pr_bytes raw = {header.data + place.value,
                               place.value_end - place.value};
        struct pr_buffer *value = value_named(values, name);
        if (value == NULL || value->size != 0)
            continue;
        value->cap = SIZE_MAX - 1; /* the header has one */
        pr_status status = decode_structured(raw, value);
        if (status != PR_OK)
            return status;
    }
    return PR_OK;
}

static void values_done(struct values *values)
{
    pr_buffer_done(&values->type);
    pr_buffer_done(&values->encoding);
    pr_buffer_done(&values->disposition);
    pr_buffer_done(&values->id);
}

static char *lower_copy(const char *text)
{
    return g_ascii_strdown(text != NULL ? text : "", -1);
}

static char *text_copy(const char *text)
{
    return g_strdup(text != NULL ? text : "");
}

static void read_boundary(GMimeContentType *type, struct content *ret)
{
    ret->boundary =
        text_copy(g_mime_content_type_get_parameter(type, "boundary"));
    g_strchomp(ret->boundary);
    size_t size = strlen(ret->boundary);
    ret->is_multipart = g_mime_content_type_is_type(type, "multipart", "*") &&
                        size != 0 && size <= BOUNDARY_MAX;
}

/* "Content-Type: text" was written by old programs and means plain text. */
static const char *repair_type(const char *value, bool is_in_digest)
{
    if (*value == '\0')
        return is_in_digest ? "message/rfc822" : "text/plain";
    return g_ascii_strcasecmp(value, "text") == 0 ? "text/plain" : value;
}

/* RFC 2045, 5.2: text that does not say otherwise is US-ASCII. Many servers say
 * so of a part that does not. */
static char *read_charset(GMimeContentType *type)
{
    const char *charset = g_mime_content_type_get_parameter(type, "charset");
    bool is_text = g_mime_content_type_is_type(type, "text", "*");

    if (is_text && (charset == NULL || *charset == '\0'))
        charset = "us-ascii";
    return lower_copy(charset);
}

static void read_type(const char *value, bool is_in_digest, struct content *ret)
{
    GMimeContentType *type = g_mime_content_type_parse(
        decode_options(), repair_type(value, is_in_digest));
    char *name = g_mime_content_type_get_mime_type(type);
    ret->type = lower_copy(name);
    ret->charset = read_charset(type);
    ret->filename = text_copy(g_mime_content_type_get_parameter(type, "name"));
    read_boundary(type, ret);
    g_free(name);
    g_object_unref(type);
}

static void read_encoding(const char *value, struct content *ret)
{
    char *token = g_strndup(value, strcspn(value, " \t;("));
    ret->encoding = g_mime_content_encoding_from_string(token);
    g_free(token);
    bool is_plain = ret->encoding == GMIME_CONTENT_ENCODING_DEFAULT ||
                    ret->encoding == GMIME_CONTENT_ENCODING_7BIT ||
                    ret->encoding == GMIME_CONTENT_ENCODING_8BIT ||
                    ret->encoding == GMIME_CONTENT_ENCODING_BINARY;
    /* RFC 2046, 5.2.1 allows no other; encoded ones stay closed. */
    ret->is_message = is_plain && (strcmp(ret->type, "message/rfc822") == 0 ||
                                   strcmp(ret->type, "message/global") == 0);
}

/* RFC 2183, 2.8: what is not known is an attachment. */
static void read_disposition(const char *value, struct content *ret)
{
    GMimeContentDisposition *disposition =
        g_mime_content_disposition_parse(decode_options(), value);
    const char *filename =
        g_mime_content_disposition_get_parameter(disposition, "filename");
    const char *kind = g_mime_content_disposition_get_disposition(disposition);

    if (filename != NULL && *filename != '\0') {
        g_free(ret->filename);
        ret->filename = g_strdup(filename);
    }
    ret->disposition = g_strdup(
        g_ascii_strcasecmp(kind, "inline") == 0 ? "inline" : "attachment");
    g_object_unref(disposition);
}

static void read_id(const char *value, struct content *ret)
{
    const char *begin = strchr(value, '<');
    begin = begin != NULL ? begin + 1 : value;
    ret->id = g_strndup(begin, strcspn(begin, ">"));
}

pr_status content_read(struct pr_bytes header, bool is_in_digest,
                       struct content *ret)
{
    struct values values = {.type = {.cap = 0}};
    pr_status status = find_values(header, &values);

    *ret = (struct content){.encoding = GMIME_CONTENT_ENCODING_DEFAULT};
    if (status == PR_OK) {
        read_type(pr_buffer_text(&values.type), is_in_digest, ret);
        read_encoding(pr_buffer_text(&values.encoding), ret);
        if (values.disposition.size != 0)
            read_disposition(values.disposition.data, ret);
        else
            ret->disposition = g_strdup("");
        read_id(pr_buffer_text(&values.id), ret);
    }
    values_done(&values);
    return status;
}

void content_done(struct content *content)
{
    g_free(content->type);
    g_free(content->charset);
    g_free(content->filename);
    g_free(content->disposition);
    g_free(content->id);
    g_free(content->boundary);
}
