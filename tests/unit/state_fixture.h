/*
 * A state in a folder of its own, made before each test and gone after it.
 */
#ifndef UNIT_STATE_FIXTURE_H
#define UNIT_STATE_FIXTURE_H

#include <stdint.h>

#include "state/state.h"

#define OK(call) assert_int_equal((call), PR_OK)

extern char directory[64];
extern struct state *state;
extern struct pr_arena *arena;

int set_up(void **unused);
int tear_down(void **unused);
/* As after the end of the process. */
void reopen(void);

/* As it is after a program that had the first `steps` of schema_steps only, and
 * ran `sql` then, has made the database. */
void reopen_older(int steps, const char *sql);

/* Of the account "work". */
struct state_folder folder(const char *name);
int64_t folder_id(const char *name);
struct state_changes *begin(void);

#endif
