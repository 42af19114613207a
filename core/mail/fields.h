/*
 * The fields of a header (RFC 5322, 2.2) in one flat block.
 *
 * The block holds offsets alone, no pointers: it may be moved, or written to
 * another process, as it is.
 */
#ifndef MAIL_FIELDS_H
#define MAIL_FIELDS_H

#include <postrider/buffer.h>

/* A field among the octets of a header. */
struct field_place {
    size_t begin, end;       /* the whole field with its line end */
    size_t name_size;        /* the name starts at `begin` */
    size_t value, value_end; /* after the colon, up to the last line end */
};

/* Finds the next field at or after *offset and moves *offset past it. Lines
 * that are no field are passed over; false at the end. */
bool fields_next(struct pr_bytes header, size_t *offset,
                 struct field_place *ret);

struct fields {
    struct pr_buffer block;
};

struct field {
    struct pr_bytes name;
    struct pr_bytes raw;
    const char *value; /* unfolded, RFC 2047 decoded, valid UTF-8 */
};

/* Reads at most `most` fields of `header`. PR_NOMEM. */
PR_CHECKED pr_status fields_read(struct pr_bytes header, size_t most,
                                 struct fields *ret);
void fields_done(struct fields *fields); /* zeroed ones too */
size_t fields_count(const struct fields *fields);
struct field fields_get(const struct fields *fields, size_t index);

/* Does a field begin where `line` does? */
bool fields_begins(struct pr_bytes line);
/* Is it a field name (printable ASCII without the colon)? */
bool fields_is_name(struct pr_bytes name);

#endif
