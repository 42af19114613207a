/*
 * A state in a folder of its own, for tests.
 */
#include "config.h"

#include "state_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "state/private.h"

char directory[64];
struct state *state;
struct pr_arena *arena;

int set_up(void **unused)
{
    (void)unused;
    strcpy(directory, "/tmp/postrider-state-XXXXXX");
    assert_non_null(mkdtemp(directory));
    arena = pr_arena_new();
    OK(state_open(directory, &state));
    return 0;
}

int tear_down(void **unused)
{
    char command[100];

    (void)unused;
    state_close(state);
    state = NULL;
    pr_arena_free(arena);
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    return system(command);
}

void reopen(void)
{
    state_close(state);
    state = NULL;
    OK(state_open(directory, &state));
}

static void execute(sqlite3 *db, const char *sql)
{
    char *error = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s", error);
}

void reopen_older(int steps, const char *sql)
{
    char path[100];
    sqlite3 *db;

    state_close(state);
    state = NULL;
    snprintf(path, sizeof(path), "%s/state.db", directory);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    for (int i = 0; i < steps; i++)
        execute(db, schema_steps[i]);
    execute(db, sql);
    sqlite3_close(db);
    OK(state_open(directory, &state));
}

struct state_folder folder(const char *name)
{
    struct state_folder found;

    OK(state_folder(state, "work", name, &found));
    return found;
}

int64_t folder_id(const char *name)
{
    return folder(name).id;
}

struct state_changes *begin(void)
{
    struct state_changes *changes;

    OK(state_begin(state, &changes));
    return changes;
}
