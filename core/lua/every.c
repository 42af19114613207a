/*
 * every = "10m", or a table of times by folder: how often to look.
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "lua/script.h"

#define EVERY_LEAST 1000u /* ms */

static const struct pr_option every_option = {.name = "every",
                                              .kind = PR_OPTION_DURATION};

/* The time on top of the stack. */
static void read_time(lua_State *L, const struct reader *reader,
                      struct place place, uint64_t *ret)
{
    struct option_value value = reader_value(L, &every_option);
    uint64_t every = 0;

    if (option_store(&every_option, &every, &value, script_of(L)->arena) !=
        PR_OK)
        problem_add(L, place, "%s: %s", reader->what, pr_last_failure()->text);
    else if (every < EVERY_LEAST)
        problem_add(L, place, "%s: every: is less than a second", reader->what);
    else
        *ret = every;
}

/* A folder by its name goes before patterns, a longer pattern before a shorter
 * one: what is said of few goes before what is said of many. */
static int by_weight(const void *left, const void *right)
{
    const struct folder_every *a = left, *b = right;
    bool a_is_name = strpbrk(a->folder, "*?") == NULL;
    bool b_is_name = strpbrk(b->folder, "*?") == NULL;
    size_t a_size = strlen(a->folder), b_size = strlen(b->folder);

    if (a_is_name != b_is_name)
        return a_is_name ? -1 : 1;
    if (a_size != b_size)
        return a_size > b_size ? -1 : 1;
    return strcmp(a->folder, b->folder);
}

/* One field of the table: the key is below the value on top of the stack. */
static void read_entry(lua_State *L, const struct reader *reader,
                       struct place place, struct folder_every *entries,
                       size_t *count)
{
    struct account *account = reader->user;

    if (lua_type(L, -2) == LUA_TSTRING) {
        struct folder_every *entry = &entries[(*count)++];

        entry->folder =
            script_copy(L, script_of(L)->arena, lua_tostring(L, -2));
        entry->every = EVERY_DEFAULT;
        read_time(L, reader, place, &entry->every);
    } else if (lua_isinteger(L, -2) && lua_tointeger(L, -2) == 1) {
        read_time(L, reader, place, &account->every);
    } else {
        problem_add(L, place,
                    "%s: every: has more than one time without a folder; write "
                    "[\"Folder\"] = \"1h\"",
                    reader->what);
    }
}

void take_every(lua_State *L, struct reader *reader, const char *name,
                struct place place)
{
    struct account *account = reader->user;
    struct folder_every *entries;
    size_t most = 0, count = 0;
    int table = lua_gettop(L);

    (void)name;
    if (!lua_istable(L, table)) {
        read_time(L, reader, place, &account->every);
        return;
    }
    for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1))
        most++;
    entries = script_alloc(L, script_of(L)->arena,
                           most * sizeof *entries + sizeof *entries);
    for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1))
        read_entry(L, reader, place, entries, &count);
    qsort(entries, count, sizeof *entries, by_weight);
    account->folder_every = entries;
    account->folder_every_count = count;
}
