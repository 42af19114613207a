/*
 * Splits a header into fields and decodes their values.
 *
 * A field begins at a line that is a name and a colon, and goes on over the
 * lines that begin with white space. Anything else (the "From " line of an
 * mbox, a line cut in two by a broken program) is passed over. The block is:
 * the count, an entry for each field, the header's octets, the values.
 */
#include "config.h"

#include "mail/fields.h"

#include <string.h>

#include "mail/decode.h"

/* A value may grow by decoding: from one octet to the three of U+FFFD. */
#define GROWTH_MAX 4

struct entry {
    uint32_t name, name_size;
    uint32_t raw, raw_size;
    uint32_t value;
};

static bool is_name_octet(char octet)
{
    return octet > ' ' && octet < 0x7f && octet != ':';
}

bool fields_is_name(struct pr_bytes name)
{
    for (size_t i = 0; i < name.size; i++)
        if (!is_name_octet(name.data[i]))
            return false;
    return name.size != 0;
}

static size_t line_end(struct pr_bytes header, size_t at)
{
    const char *end = memchr(header.data + at, '\n', header.size - at);
    return end != NULL ? (size_t)(end - header.data) + 1 : header.size;
}

static bool is_blank(char octet)
{
    return octet == ' ' || octet == '\t';
}

/* Is there "name:" at `at`? White space before the colon was allowed once
 * (RFC 5322, 4.5.8). */
static bool find_colon(struct pr_bytes header, size_t at,
                       struct field_place *ret)
{
    size_t end = at;
    while (end < header.size && is_name_octet(header.data[end]))
        end++;
    ret->begin = at;
    ret->name_size = end - at;
    while (end < header.size && is_blank(header.data[end]))
        end++;
    ret->value = end + 1;
    return ret->name_size != 0 && end < header.size && header.data[end] == ':';
}

bool fields_begins(struct pr_bytes line)
{
    struct field_place place = {0};
    return find_colon(line, 0, &place);
}

bool fields_next(struct pr_bytes header, size_t *offset,
                 struct field_place *ret)
{
    size_t at = *offset;
    while (at < header.size && !find_colon(header, at, ret))
        at = line_end(header, at);
    if (at >= header.size) {
        *offset = header.size;
        return false;
    }
    do
        at = line_end(header, at);
    while (at < header.size && is_blank(header.data[at]));
    ret->end = at;
    ret->value_end = at;
    if (header.data[at - 1] == '\n')
        ret->value_end--;
    *offset = at;
    return true;
}

static size_t count_fields(struct pr_bytes header, size_t most)
{
    struct field_place place = {0};
    size_t count = 0, offset = 0;
    while (count < most && fields_next(header, &offset, &place))
        count++;
    return count;
}

static struct entry *entry_at(const struct fields *fields, size_t index)
{
    return (struct entry *)(void *)(fields->block.data + sizeof(uint64_t)) +
           index;
}

/* Appends the value of a field to the block, and a NUL. */
static pr_status add_value(struct pr_bytes raw, struct fields *fields,
                           uint32_t *ret_offset)
{
    *ret_offset = (uint32_t)fields->block.size;
    pr_status status = decode_header(raw, &fields->block);
    if (status != PR_OK)
        return status;
    fields->block.cap++; /* values use up the rest, the NULs never do */
    return pr_buffer_add(&fields->block, "", 1);
}

static pr_status add_values(struct pr_bytes header, size_t base,
                            struct fields *fields)
{
    struct field_place place = {0};
    size_t offset = 0;
    for (size_t i = 0; i < fields_count(fields); i++) {
        uint32_t value = 0;
        fields_next(header, &offset, &place);
        struct pr_bytes raw = {header.data + place.value,
                               place.value_end - place.value};
        pr_status status = add_value(raw, fields, &value);
        if (status != PR_OK)
            return status;
        *entry_at(fields, i) = (struct entry){
            .name = (uint32_t)(base + place.begin),
            .name_size = (uint32_t)place.name_size,
            .raw = (uint32_t)(base + place.value),
            .raw_size = (uint32_t)raw.size,
            .value = value,
        };
    }
    return PR_OK;
}

pr_status fields_read(struct pr_bytes header, size_t most, struct fields *ret)
{
    uint64_t count = count_fields(header, most);
    size_t table = sizeof count + count * sizeof(struct entry);
    struct fields fields;

    if (header.size > UINT32_MAX / (GROWTH_MAX + 2) ||
        table > UINT32_MAX - header.size * (GROWTH_MAX + 2))
        return pr_fail(PR_LIMIT, "the header is too large");
    pr_buffer_init(&fields.block, table + header.size * (GROWTH_MAX + 1) + 1);
    char *room = pr_buffer_reserve(&fields.block, table + header.size + 1);
    if (room == NULL)
        return pr_last_failure()->status;
    memset(room, 0, table);
    memcpy(room, &count, sizeof count);
    pr_buffer_grew(&fields.block, table);
    pr_status status = pr_buffer_add(&fields.block, header.data, header.size);
    if (status == PR_OK)
        status = add_values(header, table, &fields);
    if (status != PR_OK) {
        pr_buffer_done(&fields.block);
        return status;
    }
    *ret = fields;
    return PR_OK;
}

void fields_done(struct fields *fields)
{
    pr_buffer_done(&fields->block);
}

size_t fields_count(const struct fields *fields)
{
    uint64_t count = 0;
    if (fields->block.data != NULL)
        memcpy(&count, fields->block.data, sizeof count);
    return (size_t)count;
}

struct field fields_get(const struct fields *fields, size_t index)
{
    const struct entry *entry = entry_at(fields, index);
    const char *base = fields->block.data;
    return (struct field){
        .name = {base + entry->name, entry->name_size},
        .raw = {base + entry->raw, entry->raw_size},
        .value = base + entry->value,
    };
}
