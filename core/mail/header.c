/*
 * The header of a message as plugins see it.
 */
#include "config.h"

#include <postrider/header.h>

#include "mail/fields.h"
#include "mail/spool.h"

pr_status pr_header_read(const struct pr_spool *spool, size_t cap,
                         struct pr_buffer *ret)
{
    pr_buffer_init(ret, cap);
    return spool_read_header(spool, cap, ret);
}

static bool is_white(char octet)
{
    return octet == ' ' || octet == '\t' || octet == '\r' || octet == '\n';
}

static struct pr_bytes trim(struct pr_bytes text)
{
    while (text.size > 0 && is_white(text.data[0])) {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && is_white(text.data[text.size - 1]))
        text.size--;
    return text;
}

bool pr_header_next(struct pr_bytes header, size_t *offset,
                    struct pr_field *ret)
{
    struct field_place place;

    if (!fields_next(header, offset, &place))
        return false;
    struct pr_bytes value = {header.data + place.value,
                             place.value_end - place.value};
    *ret = (struct pr_field){
        .name = {header.data + place.begin, place.name_size},
        .value = trim(value),
        .begin = place.begin,
        .end = place.end,
    };
    return true;
}

bool pr_header_find(struct pr_bytes header, const char *name,
                    struct pr_field *ret)
{
    size_t offset = 0;

    while (pr_header_next(header, &offset, ret))
        if (pr_bytes_equal_nocase(ret->name, pr_bytes_of(name)))
            return true;
    return false;
}

bool pr_header_path(struct pr_bytes header, const char *name,
                    struct pr_bytes *ret)
{
    struct pr_field field;

    if (!pr_header_find(header, name, &field))
        return false;
    struct pr_bytes path = field.value;
    bool has_brackets = path.size >= 2 && path.data[0] == '<' &&
                        path.data[path.size - 1] == '>';
    if (has_brackets)
        path = (struct pr_bytes){path.data + 1, path.size - 2};
    for (size_t i = 0; i < path.size; i++) {
        unsigned char octet = (unsigned char)path.data[i];
        if (octet <= ' ' || octet == 0x7f || octet == '<' || octet == '>')
            return false;
    }
    *ret = path;
    return has_brackets || path.size > 0;
}
