/*
 * Sources and sinks as the configuration writes them: one constructor for each
 * class that a plugin brings. (Services are in service.c.)
 *
 * Two sinks written alike are one sink, so that a batch to one place is one
 * batch.
 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lua/calls.h"
#include "plugin/registry.h"

#define SINKS "postrider.sinks" /* in the registry: how it is written -> it */

/* A place below a sink; `sink` is NULL if the sink had a problem. */
struct sink_value {
    struct pr_sink *sink;
    const char *folder; /* in the configuration's arena or the uservalue */
};

static struct reader new_reader(lua_State *L, const struct pr_class *class)
{
    struct reader reader = {
        .what = class->name,
        .opener = class->name,
        .class = class,
        .place = script_place(L, 1),
    };
    pr_status status;

    status = options_new(class, script_of(L)->arena, &reader.options);
    if (status != PR_OK)
        script_raise(L, pr_context(status, "%s", class->name));
    return reader;
}

/* ---- Sources ------------------------------------------------------------- */

void push_new_source(lua_State *L, const struct pr_class *class,
                     const void *options)
{
    struct source_value *value = lua_newuserdatauv(L, sizeof *value, 0);

    *value = (struct source_value){class, options};
    luaL_setmetatable(L, TYPE_SOURCE);
}

static int new_source(lua_State *L)
{
    const struct pr_class *class = lua_touserdata(L, lua_upvalueindex(1));
    struct reader reader = new_reader(L, class);

    if (!reader_read(L, &reader, 1))
        class = NULL;
    push_new_source(L, class, reader.options);
    return 1;
}

/* ---- Sinks --------------------------------------------------------------- */

static void add_list(luaL_Buffer *key, const char *const *list)
{
    for (; list != NULL && *list != NULL; list++) {
        luaL_addstring(key, *list);
        luaL_addlstring(key, "\0", 1);
    }
}

static void add_value(luaL_Buffer *key, const struct pr_option *option,
                      const void *slot)
{
    char number[40] = "";
    const char *text = number;

    switch (option->kind) {
    case PR_OPTION_TEXT:
    case PR_OPTION_PATH:
        text = *(const char *const *)slot;
        break;
    case PR_OPTION_CHOICE:
        snprintf(number, sizeof number, "%u", *(const unsigned *)slot);
        break;
    case PR_OPTION_BOOLEAN:
        text = *(const bool *)slot ? "true" : "false";
        break;
    case PR_OPTION_NUMBER:
    case PR_OPTION_SIZE:
    case PR_OPTION_DURATION:
        snprintf(number, sizeof number, "%" PRIu64, *(const uint64_t *)slot);
        break;
    case PR_OPTION_LIST:
        add_list(key, *(const char *const *const *)slot);
        break;
    case PR_OPTION_SECRET:
        snprintf(number, sizeof number, "%p", *(void *const *)slot);
        break;
    }
    luaL_addstring(key, text != NULL ? text : "");
}

void push_options_key(lua_State *L, const struct pr_class *class,
                      const void *options)
{
    const struct pr_option *option = class->options;
    luaL_Buffer key;

    luaL_buffinit(L, &key);
    luaL_addstring(&key, class->name);
    for (; option != NULL && option->name != NULL; option++) {
        luaL_addlstring(&key, "\0", 1);
        add_value(&key, option, (const char *)options + option->offset);
    }
    luaL_pushresult(&key);
}

static struct pr_sink *make_sink(lua_State *L, const struct pr_class *class,
                                 const void *options)
{
    struct script *script = script_of(L);
    struct config *config = script->config;
    struct pr_sink *sink = script_alloc(L, script->arena, sizeof *sink);
    struct pr_log *log = script_alloc(L, script->arena, sizeof *log);
    char name[PR_FAILURE_MAX] = "";

    class->sink->describe(options, name, sizeof name);
    log->name = script_copy(L, script->arena, name);
    sink->class = class;
    sink->options = options;
    sink->log = log;
    sink->name = log->name;
    config->sinks =
        script_grow(L, config->sinks, config->sink_count,
                    &script->sinks_allocated, sizeof(struct pr_sink *));
    config->sinks[config->sink_count++] = sink;
    return sink;
}

/* The sink written like this, made if it is the first. */
static struct pr_sink *find_sink(lua_State *L, const struct pr_class *class,
                                 const void *options)
{
    struct pr_sink *sink;

    luaL_getsubtable(L, LUA_REGISTRYINDEX, SINKS);
    push_options_key(L, class, options);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, -3) == LUA_TLIGHTUSERDATA) {
        sink = lua_touserdata(L, -1);
        lua_pop(L, 3);
        return sink;
    }
    lua_pop(L, 1);
    sink = make_sink(L, class, options);
    lua_pushlightuserdata(L, sink);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    return sink;
}

static struct sink_value *push_sink(lua_State *L, struct pr_sink *sink)
{
    struct sink_value *value = lua_newuserdatauv(L, sizeof *value, 1);

    *value = (struct sink_value){.sink = sink, .folder = ""};
    luaL_setmetatable(L, TYPE_SINK);
    return value;
}

void push_new_sink(lua_State *L, const struct pr_class *class,
                   const void *options)
{
    push_sink(L, class != NULL ? make_sink(L, class, options) : NULL);
}

static int new_sink(lua_State *L)
{
    const struct pr_class *class = lua_touserdata(L, lua_upvalueindex(1));
    struct reader reader;
    struct pr_sink *sink = NULL;

    if (script_of(L)->running->who != NULL)
        return luaL_error(L,
                          "%s: sinks are made at the top of the "
                          "configuration; a folder below one is written "
                          "sink / \"folder\"",
                          class->name);
    reader = new_reader(L, class);
    if (reader_read(L, &reader, 1))
        sink = find_sink(L, class, reader.options);
    push_sink(L, sink);
    return 1;
}

/* Why `folder` cannot be one below a sink, NULL if it can. */
static const char *folder_problem(const char *folder, size_t size)
{
    const char *at = folder;

    if (size == 0)
        return "has no name";
    if (strlen(folder) != size)
        return "has a NUL in its name";
    for (;;) {
        size_t part = strcspn(at, "/");

        if (part == 0)
            return "has a part without a name";
        if ((part == 1 && at[0] == '.') ||
            (part == 2 && at[0] == '.' && at[1] == '.'))
            return "leads out of the sink";
        if (at[part] == '\0')
            return NULL;
        at += part + 1;
    }
}

/* sink / "folder": a folder below it */
static int sink_divide(lua_State *L)
{
    const struct sink_value *above = luaL_testudata(L, 1, TYPE_SINK);
    struct sink_value *below;
    const char *folder, *problem;
    size_t size;

    if (above == NULL || lua_type(L, 2) != LUA_TSTRING)
        return luaL_error(L, "expects sink / \"folder\", got %s / %s",
                          type_words(L, 1), type_words(L, 2));
    if (script_of(L)->running->who != NULL)
        check_path(L, 2); /* it may come from a message */
    folder = lua_tolstring(L, 2, &size);
    problem = folder_problem(folder, size);
    if (problem != NULL)
        return luaL_error(L, "the folder \"%s\" %s", folder, problem);
    folder = above->folder[0] != '\0'
                 ? lua_pushfstring(L, "%s/%s", above->folder, folder)
                 : lua_pushstring(L, folder);
    below = push_sink(L, above->sink);
    below->folder = folder;
    lua_insert(L, -2);
    lua_setiuservalue(L, -2, 1); /* keeps the text */
    return 1;
}

static int sink_tostring(lua_State *L)
{
    const struct sink_value *value = luaL_checkudata(L, 1, TYPE_SINK);
    const char *name = value->sink != NULL ? value->sink->name : "a sink";

    lua_pushfstring(L, value->folder[0] != '\0' ? "%s/%s" : "%s", name,
                    value->folder);
    return 1;
}

static int sink_equal(lua_State *L)
{
    const struct sink_value *a = luaL_testudata(L, 1, TYPE_SINK);
    const struct sink_value *b = luaL_testudata(L, 2, TYPE_SINK);

    lua_pushboolean(L, a != NULL && b != NULL && a->sink == b->sink &&
                           strcmp(a->folder, b->folder) == 0);
    return 1;
}

bool to_target(lua_State *L, int index, struct target *ret)
{
    const struct sink_value *value = luaL_testudata(L, index, TYPE_SINK);

    if (value == NULL)
        return false;
    *ret = (struct target){value->sink, value->folder};
    return true;
}

pr_status target_check(const struct target *target)
{
    const struct pr_sink_ops *ops;

    if (target->sink == NULL)
        return PR_OK; /* what is wrong with it has been said */
    ops = target->sink->class->sink;
    return REGISTRY_COVERS(ops, check_folder) && ops->check_folder != NULL
               ? ops->check_folder(target->sink->options, target->folder)
               : PR_OK;
}

/* ---- Opening ------------------------------------------------------------- */

static void add_class(void *user, const struct pr_plugin *plugin,
                      const struct pr_class *class)
{
    lua_State *L = user;

    (void)plugin;
    if (class->role == PR_ROLE_SERVICE) {
        push_service_class(L, class);
    } else {
        lua_pushlightuserdata(L, (void *)class);
        lua_pushcclosure(
            L, class->role == PR_ROLE_SOURCE ? new_source : new_sink, 1);
    }
    lua_setglobal(L, class->name);
}

void open_classes(lua_State *L)
{
    static const luaL_Reg source[] = {{NULL, NULL}};
    static const luaL_Reg sink[] = {
        {"__div", sink_divide},
        {"__tostring", sink_tostring},
        {"__eq", sink_equal},
        {NULL, NULL},
    };

    new_type(L, TYPE_SOURCE, source);
    new_type(L, TYPE_SINK, sink);
    registry_each_class(add_class, L);
}
