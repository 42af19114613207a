/*
 * The status as a table for people. Pure: JSON in, text out.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <jansson.h>

#include <postrider/buffer.h>

struct table_look {
    unsigned width; /* columns; at least 60 are used */
    bool is_colored;
};

/* Adds the table of a status (docs/control.md) to `out`. PR_LIMIT, PR_NOMEM. */
PR_CHECKED pr_status table_add(const json_t *status,
                               const struct table_look *look,
                               struct pr_buffer *out);

#endif
