/*
 * Tables that users write, read into the structs that tables of options
 * describe.
 *
 * A problem is noted with the line of its field, and reading goes on, so that
 * one look shows all that is wrong.
 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "io/file.h"
#include "lua/script.h"
#include "plugin/registry.h"

#define NAMES_MOST 256
#define LIST_MOST 10000

/* Does the Lua string at `index` hold a NUL? C would read half of it. */
static bool has_nul(lua_State *L, int index)
{
    size_t size;
    const char *text = lua_tolstring(L, index, &size);

    return strlen(text) != size;
}

const char *const *read_texts(lua_State *L, int index, struct pr_arena *arena)
{
    size_t count;
    const char **texts;

    index = lua_absindex(L, index);
    if (lua_type(L, index) == LUA_TSTRING && !has_nul(L, index)) {
        texts = script_alloc(L, arena, 2 * sizeof *texts);
        texts[0] = script_copy(L, arena, lua_tostring(L, index));
        return texts;
    }
    if (!lua_istable(L, index))
        return NULL;
    count = lua_rawlen(L, index);
    if (count > LIST_MOST)
        return NULL;
    texts = script_alloc(L, arena, (count + 1) * sizeof *texts);
    for (size_t i = 0; i < count; i++) {
        if (lua_rawgeti(L, index, (lua_Integer)i + 1) != LUA_TSTRING ||
            has_nul(L, -1))
            return NULL;
        texts[i] = script_copy(L, arena, lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    lua_pushnil(L);
    for (size_t keys = 0; lua_next(L, index) != 0; lua_pop(L, 1))
        if (++keys > count)
            return NULL; /* it has named fields too */
    return texts;
}

const char *path_beside(lua_State *L, const char *path)
{
    struct script *script = script_of(L);
    const char *joined;

    if (path[0] == '/' || path[0] == '~' || path[0] == '\0')
        return path;
    joined = pr_arena_printf(script->arena, "%s/%s", script->directory, path);
    if (joined == NULL)
        script_raise(L, PR_NOMEM);
    return joined;
}

/* The value on top of the stack as an option's. */
struct option_value reader_value(lua_State *L, const struct pr_option *option)
{
    struct option_value value = {.type = OPTION_VALUE_OTHER};
    const struct pr_secret **secret = luaL_testudata(L, -1, TYPE_SECRET);
    int top = lua_gettop(L);

    value.text = type_words(L, -1);
    if (secret != NULL) {
        value.type = OPTION_VALUE_SECRET;
        value.secret = *secret;
    } else if (lua_type(L, -1) == LUA_TSTRING && !has_nul(L, -1)) {
        value.type = OPTION_VALUE_TEXT;
        value.text = lua_tostring(L, -1);
        if (option->kind == PR_OPTION_PATH)
            value.text = path_beside(L, value.text);
    } else if (lua_type(L, -1) == LUA_TNUMBER) {
        value.type = OPTION_VALUE_NUMBER;
        value.number = lua_tonumber(L, -1);
    } else if (lua_isboolean(L, -1)) {
        value.type = OPTION_VALUE_BOOLEAN;
        value.boolean = lua_toboolean(L, -1);
    } else if (lua_istable(L, -1)) {
        value.list = read_texts(L, -1, script_of(L)->arena);
        lua_settop(L, top);
        if (value.list != NULL)
            value.type = OPTION_VALUE_LIST;
        else
            value.text = "a table that is no list of texts";
    }
    return value;
}

static struct place field_place(lua_State *L, const struct reader *reader,
                                const char *name)
{
    return source_field(script_of(L), reader->place, reader->opener, name);
}

static bool is_other(const struct reader *reader, const char *name)
{
    for (size_t i = 0; reader->others != NULL && reader->others[i] != NULL; i++)
        if (strcmp(reader->others[i], name) == 0)
            return true;
    return false;
}

static void note_unknown(lua_State *L, const struct reader *reader,
                         const char *name)
{
    const char *names[NAMES_MOST + 1];
    size_t count = 0;
    char near[100];
    const struct pr_option *option = reader->class->options;

    for (; option != NULL && option->name != NULL && count < NAMES_MOST;
         option++)
        names[count++] = option->name;
    for (size_t i = 0; reader->others != NULL && reader->others[i] != NULL &&
                       count < NAMES_MOST;
         i++)
        names[count++] = reader->others[i];
    names[count] = NULL;
    problem_add(L, field_place(L, reader, name), "%s: unknown option \"%s\"%s",
                reader->what, name, near_text(name, names, near, sizeof near));
}

/* The path of the file that others can read though a secret was written into
 * it; NULL if all is well. */
static const char *exposed_in(lua_State *L, const struct pr_option *option,
                              const struct option_value *value,
                              struct place place)
{
    const struct source *source = source_find(script_of(L), place.file);

    if (option->kind != PR_OPTION_SECRET || value->type != OPTION_VALUE_TEXT ||
        source == NULL || !file_is_open_to_others(source->path))
        return NULL;
    return source->path;
}

static bool store(lua_State *L, struct reader *reader,
                  const struct pr_option *option, struct place place)
{
    struct option_value value = reader_value(L, option);
    const char *exposed = exposed_in(L, option, &value, place);
    pr_status status;

    reader->given[option - reader->class->options] = true;
    if (exposed != NULL) {
        problem_add(L, place,
                    "%s: %s: the secret stands in a file that others can read: "
                    "chmod 600 %s",
                    reader->what, option->name, exposed);
        return false;
    }
    if (value.type == OPTION_VALUE_SECRET && value.secret == NULL &&
        option->kind == PR_OPTION_SECRET)
        return false; /* its problem is noted already */
    status = option_store(option, reader->options, &value, script_of(L)->arena);
    if (status == PR_OK)
        return true;
    if (status == PR_NOMEM)
        script_raise(L, status);
    problem_add(L, place, "%s: %s", reader->what, pr_last_failure()->text);
    return false;
}

/* One field; its value is on top of the stack. */
static bool read_field(lua_State *L, struct reader *reader, const char *name)
{
    const struct pr_option *option = option_find(reader->class, name);

    if (option != NULL)
        return store(L, reader, option, field_place(L, reader, name));
    if (is_other(reader, name)) {
        reader->take(L, reader, name, field_place(L, reader, name));
        return true;
    }
    note_unknown(L, reader, name);
    return false;
}

static const struct pr_option *positional(const struct pr_class *class)
{
    const struct pr_option *option = class->options;

    for (; option != NULL && option->name != NULL; option++)
        if (option->positional)
            return option;
    return NULL;
}

static bool read_bare(lua_State *L, struct reader *reader)
{
    const struct pr_option *option = positional(reader->class);

    if (option != NULL && option->kind == PR_OPTION_LIST &&
        lua_type(L, -1) == LUA_TSTRING) {
        lua_createtable(L, 1, 0); /* a list of one */
        lua_insert(L, -2);
        lua_rawseti(L, -2, 1);
    }
    if (option != NULL)
        return store(L, reader, option, reader->place);
    problem_add(L, reader->place,
                "%s: expects a table { name = value }, got %s", reader->what,
                type_words(L, -1));
    return false;
}

/* The texts without names of the table below the entry, as a list: the words of
 * pipe { "program", "argument" }. */
static bool read_words(lua_State *L, struct reader *reader,
                       const struct pr_option *option)
{
    bool is_right;

    lua_newtable(L);
    for (lua_Integer i = 1; lua_rawgeti(L, -4, i) != LUA_TNIL; i++)
        lua_rawseti(L, -2, i);
    lua_pop(L, 1);
    is_right = store(L, reader, option, reader->place);
    lua_pop(L, 1);
    return is_right;
}

/* A value without a name is of the positional option; a list takes them all. */
static bool read_unnamed(lua_State *L, struct reader *reader)
{
    const struct pr_option *option = positional(reader->class);
    lua_Integer at = lua_tointeger(L, -2);

    if (at == 1 && option->kind == PR_OPTION_LIST && !lua_istable(L, -1))
        return read_words(L, reader, option);
    return at != 1 || read_bare(L, reader);
}

/* May the key of the entry be without a name? */
static bool is_unnamed(lua_State *L, const struct reader *reader)
{
    const struct pr_option *option = positional(reader->class);
    lua_Integer at = lua_tointeger(L, -2);
    bool is_list;

    if (option == NULL || !lua_isinteger(L, -2) || at < 1)
        return false;
    lua_rawgeti(L, -3, 1);
    is_list = option->kind == PR_OPTION_LIST && !lua_istable(L, -1);
    lua_pop(L, 1);
    return at == 1 || (is_list && at <= (lua_Integer)lua_rawlen(L, -3));
}

static bool read_entry(lua_State *L, struct reader *reader)
{
    if (lua_type(L, -2) == LUA_TSTRING && !has_nul(L, -2))
        return read_field(L, reader, lua_tostring(L, -2));
    if (is_unnamed(L, reader))
        return read_unnamed(L, reader);
    problem_add(L, reader->place,
                "%s: expects fields such as name = value, got %s without a "
                "name",
                reader->what, type_words(L, -1));
    return false;
}

/* The whole is complete and fits together. */
static bool check_whole(lua_State *L, const struct reader *reader)
{
    if (options_check(reader->class, reader->options, reader->given) == PR_OK)
        return true;
    problem_add(L, reader->place, "%s: %s", reader->what,
                pr_last_failure()->text);
    return false;
}

bool reader_read(lua_State *L, struct reader *reader, int index)
{
    bool is_right = true;
    size_t count = 0;

    while (reader->class->options != NULL &&
           reader->class->options[count].name != NULL)
        count++;
    reader->given = script_alloc(L, script_of(L)->arena, count + 1);
    lua_pushvalue(L, index);
    if (!lua_istable(L, -1)) {
        is_right = read_bare(L, reader);
    } else {
        int table = lua_gettop(L);

        for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1))
            if (!read_entry(L, reader))
                is_right = false;
    }
    lua_pop(L, 1);
    return is_right && check_whole(L, reader);
}
