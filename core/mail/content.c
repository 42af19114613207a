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
/* Octets of one field that GMime is given. */
#define FIELD_MAX (64 * 1024)

/* The first field `name`, unfolded; NULL if there is none. Free it. */
static char *find_value(struct pr_bytes header, const char *name)
{
    struct field_place place;
    struct pr_buffer value = {.cap = FIELD_MAX};
    size_t offset = 0;

    while (fields_next(header, &offset, &place)) {
        struct pr_bytes field = {header.data + place.begin, place.name_size};
        struct pr_bytes raw = {header.data + place.value,
                               place.value_end - place.value};
        if (!pr_bytes_equal_nocase(field, pr_bytes_of(name)))
            continue;
        char *copy = NULL;
        if (decode_unfold(raw, &value) == PR_OK && value.size != 0)
            copy = g_strdup(value.data);
        pr_buffer_done(&value);
        return copy;
    }
    return NULL;
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

static void read_type(struct pr_bytes header, bool is_in_digest,
                      struct content *ret)
{
    char *value = find_value(header, "Content-Type");
    GMimeContentType *type = g_mime_content_type_parse(
        decode_options(), value != NULL  ? value
                          : is_in_digest ? "message/rfc822"
                                         : "text/plain");
    char *name = g_mime_content_type_get_mime_type(type);
    ret->type = lower_copy(name);
    ret->charset =
        lower_copy(g_mime_content_type_get_parameter(type, "charset"));
    ret->filename = text_copy(g_mime_content_type_get_parameter(type, "name"));
    read_boundary(type, ret);
    g_free(name);
    g_free(value);
    g_object_unref(type);
}

static void read_encoding(struct pr_bytes header, struct content *ret)
{
    char *value = find_value(header, "Content-Transfer-Encoding");
    ret->encoding = GMIME_CONTENT_ENCODING_DEFAULT;
    if (value != NULL) {
        value[strcspn(value, " \t;(")] = '\0';
        ret->encoding = g_mime_content_encoding_from_string(value);
    }
    g_free(value);
    bool is_plain = ret->encoding == GMIME_CONTENT_ENCODING_DEFAULT ||
                    ret->encoding == GMIME_CONTENT_ENCODING_7BIT ||
                    ret->encoding == GMIME_CONTENT_ENCODING_8BIT ||
                    ret->encoding == GMIME_CONTENT_ENCODING_BINARY;
    /* RFC 2046, 5.2.1 allows no other; encoded ones stay closed. */
    ret->is_message = is_plain && (strcmp(ret->type, "message/rfc822") == 0 ||
                                   strcmp(ret->type, "message/global") == 0);
}

static void read_disposition(struct pr_bytes header, struct content *ret)
{
    char *value = find_value(header, "Content-Disposition");
    const char *kind = "";
    if (value != NULL) {
        GMimeContentDisposition *disposition =
            g_mime_content_disposition_parse(decode_options(), value);
        const char *filename =
            g_mime_content_disposition_get_parameter(disposition, "filename");
        if (filename != NULL && *filename != '\0') {
            g_free(ret->filename);
            ret->filename = g_strdup(filename);
        }
        /* RFC 2183, 2.8: what is not known is an attachment. */
        kind = g_ascii_strcasecmp(
                   g_mime_content_disposition_get_disposition(disposition),
                   "inline") == 0
                   ? "inline"
                   : "attachment";
        g_object_unref(disposition);
    }
    ret->disposition = g_strdup(kind);
    g_free(value);
}

static void read_id(struct pr_bytes header, struct content *ret)
{
    char *value = find_value(header, "Content-ID");
    char *begin = value != NULL ? strchr(value, '<') : NULL;
    begin = begin != NULL ? begin + 1 : value;
    if (begin != NULL)
        begin[strcspn(begin, ">")] = '\0';
    ret->id = text_copy(begin);
    g_free(value);
}

void content_read(struct pr_bytes header, bool is_in_digest,
                  struct content *ret)
{
    *ret = (struct content){.encoding = GMIME_CONTENT_ENCODING_DEFAULT};
    read_type(header, is_in_digest, ret);
    read_encoding(header, ret);
    read_disposition(header, ret);
    read_id(header, ret);
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
