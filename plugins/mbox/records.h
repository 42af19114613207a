/*
 * How the records of a journal are written: lines of fixed width, so that the
 * state of one can be changed in its place.
 */
#ifndef MBOX_RECORDS_H
#define MBOX_RECORDS_H

#include "journal.h"

#define RECORDS_HEAD "postrider mbox journal 1\n"
#define RECORDS_LINE 94  /* octets of a record's own line */
#define RECORDS_ENTRY 99 /* and of one of its entries */
#define RECORDS_STATE_AT 6
#define RECORDS_STATE 10 /* octets of what can change */

void records_format_state(const struct journal_record *record,
                          char ret[RECORDS_STATE + 1]);
/* Writes the line, with a digest over itself but the state, and the entries. */
void records_format(const struct journal_record *record,
                    const struct pr_buffer *entries,
                    char ret[RECORDS_LINE + 1]);
PR_CHECKED pr_status records_format_entry(const struct journal_entry *entry,
                                          struct pr_buffer *ret);
bool records_parse_entry(const char line[RECORDS_ENTRY],
                         struct journal_entry *ret);
/* The line of the record at `at`; its digest is not looked at. */
bool records_parse(int fd, uint64_t at, struct journal_record *ret);

/* Is told of each entry, before it is known whether its record is valid. */
typedef void records_visitor(void *user, const struct journal_record *record,
                             uint32_t index, const struct journal_entry *entry);

struct records_end {
    uint64_t at; /* behind the last valid record, its payload left out; 0: this
                    is no journal, or an empty one */
    size_t count;
    struct journal_record last;
};

/* Reads records up to the first that is not valid, or is not done. */
PR_CHECKED pr_status records_read(int fd, records_visitor *visit, void *user,
                                  struct records_end *ret);

/* A visitor that finds the first record at or behind `least`. */
struct records_half {
    uint64_t least, at;
};

records_visitor records_find_half;

#endif
