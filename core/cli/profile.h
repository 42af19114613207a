/*
 * What the rules of the daemon have cost so far, as a table for people. Pure:
 * JSON in, text out.
 */
#ifndef CLI_PROFILE_H
#define CLI_PROFILE_H

#include "cli/table.h"

/* Adds the table of the rules of a status (docs/control.md) to `out`. PR_LIMIT,
 * PR_NOMEM. */
PR_CHECKED pr_status profile_add(const json_t *status,
                                 const struct table_look *look,
                                 struct pr_buffer *out);

#endif
