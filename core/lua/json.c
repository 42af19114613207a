/*
 * json: texts of JSON (RFC 8259) to Lua values and back, by jansson.
 */
#include <config.h>

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "lua/calls.h"

#define DEPTH_MOST 100
#define TYPE_JSON "postrider.json"
#define TYPE_NULL "postrider.json.null"
#define TYPE_LIST "postrider.json.list" /* a table that is one, also empty */

/* What Lua frees: a value being read or made. */
static json_t **push_holder(lua_State *L)
{
    json_t **holder = lua_newuserdatauv(L, sizeof *holder, 0);

    *holder = NULL;
    luaL_setmetatable(L, TYPE_JSON);
    return holder;
}

static int holder_free(lua_State *L)
{
    json_t **holder = luaL_checkudata(L, 1, TYPE_JSON);

    json_decref(*holder);
    *holder = NULL;
    return 0;
}

/* ---- Reading ------------------------------------------------------------- */

static void push_value(lua_State *L, const json_t *value, int depth);

static void push_object(lua_State *L, const json_t *object, int depth)
{
    /* jansson's walk takes what it does not change without const */
    json_t *walked = (json_t *)object;

    lua_createtable(L, 0, (int)json_object_size(object));
    for (void *at = json_object_iter(walked); at != NULL;
         at = json_object_iter_next(walked, at)) {
        lua_pushstring(L, json_object_iter_key(at));
        push_value(L, json_object_iter_value(at), depth + 1);
        lua_rawset(L, -3);
    }
}

static void push_array(lua_State *L, const json_t *array, int depth)
{
    lua_createtable(L, (int)json_array_size(array), 0);
    luaL_setmetatable(L, TYPE_LIST);
    for (size_t i = 0; i < json_array_size(array); i++) {
        push_value(L, json_array_get(array, i), depth + 1);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static void push_value(lua_State *L, const json_t *value, int depth)
{
    luaL_checkstack(L, 5, NULL);
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        push_object(L, value, depth);
        break;
    case JSON_ARRAY:
        push_array(L, value, depth);
        break;
    case JSON_STRING:
        lua_pushlstring(L, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        lua_pushinteger(L, (lua_Integer)json_integer_value(value));
        break;
    case JSON_REAL:
        lua_pushnumber(L, json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        lua_pushboolean(L, json_is_true(value));
        break;
    default:
        lua_pushvalue(L, 2);
        break;
    }
}

static bool is_too_deep(const json_t *value, int depth)
{
    json_t *walked = (json_t *)value;
    bool is_too = depth > DEPTH_MOST;

    for (size_t i = 0; !is_too && i < json_array_size(value); i++)
        is_too = is_too_deep(json_array_get(value, i), depth + 1);
    for (void *at = json_object_iter(walked); !is_too && at != NULL;
         at = json_object_iter_next(walked, at))
        is_too = is_too_deep(json_object_iter_value(at), depth + 1);
    return is_too;
}

/* json.decode(text, null): the value; nil and a text if it is no JSON. null
 * becomes what is given for it, such as json.null; nil if nothing is, so that a
 * field with it is not there. */
static int decode(lua_State *L)
{
    size_t size;
    const char *text = luaL_checklstring(L, 1, &size);
    json_t **holder;
    json_error_t error;

    lua_settop(L, 2);
    holder = push_holder(L);
    *holder = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (*holder == NULL) {
        lua_pushnil(L);
        lua_pushfstring(L, "line %d: %s", error.line, error.text);
        return 2;
    }
    if (is_too_deep(*holder, 0)) {
        lua_pushnil(L);
        lua_pushfstring(L, "more than %d levels", DEPTH_MOST);
        return 2;
    }
    push_value(L, *holder, 0);
    script_nudge(L);
    return 1;
}

/* ---- Writing ------------------------------------------------------------- */

static json_t *make_value(lua_State *L, int depth);

/* Has the value at `index` the metatable of that name? */
static bool is_of(lua_State *L, int index, const char *type)
{
    bool is_it;

    if (lua_getmetatable(L, index) == 0)
        return false;
    luaL_getmetatable(L, type);
    is_it = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return is_it;
}

/* Is the table on top of the stack a list: 1 to n and nothing else? An empty
 * one is if it is marked as one. */
static bool is_list(lua_State *L)
{
    size_t count = lua_rawlen(L, -1), keys = 0;

    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1))
        if (++keys > count || !lua_isinteger(L, -2))
            return lua_pop(L, 2), false;
    return count > 0 || is_of(L, -1, TYPE_LIST);
}

/* The value made of what is on top of the stack is put into `array`, which it
 * belongs to from then on; what stands in the holder frees all. */
static void fill_array(lua_State *L, json_t *array, int depth)
{
    size_t count = lua_rawlen(L, -1);

    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i);
        if (json_array_append_new(array, make_value(L, depth + 1)) != 0)
            script_raise(L, pr_fail(PR_NOMEM, "out of memory"));
        lua_pop(L, 1);
    }
}

static void fill_object(lua_State *L, json_t *object, int depth)
{
    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
        const char *key;

        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "json.encode: a table is a list or has texts as its "
                          "keys, not both");
        lua_pushvalue(L, -2);
        key = check_utf8(L, lua_gettop(L)).data;
        lua_pushvalue(L, -2);
        if (json_object_set_new(object, key, make_value(L, depth + 1)) != 0)
            script_raise(L, pr_fail(PR_NOMEM, "out of memory"));
        lua_pop(L, 2);
    }
}

/* A table is filled by the caller's holder, so that an error leaks nothing:
 * it is pushed as one of its own. */
static json_t *make_table(lua_State *L, int depth)
{
    bool list = is_list(L);
    json_t **holder;

    if (depth > DEPTH_MOST)
        luaL_error(L, "json.encode: more than %d levels", DEPTH_MOST);
    luaL_checkstack(L, 10, NULL);
    script_check_time(L);
    holder = push_holder(L);
    lua_insert(L, -2);
    *holder = list ? json_array() : json_object();
    if (*holder == NULL)
        script_raise(L, pr_fail(PR_NOMEM, "out of memory"));
    if (list)
        fill_array(L, *holder, depth);
    else
        fill_object(L, *holder, depth);
    lua_remove(L, -2);
    return json_incref(*holder);
}

static json_t *make_text(lua_State *L)
{
    size_t size;
    const char *text = lua_tolstring(L, -1, &size);
    json_t *value = json_stringn(text, size);
    struct pr_bytes valid;

    if (value != NULL)
        return value;
    valid = check_utf8(L, lua_gettop(L));
    value = json_stringn(valid.data, valid.size);
    if (value == NULL)
        script_raise(L, pr_fail(PR_NOMEM, "out of memory"));
    return value;
}

/* What is on top of the stack, which stays. */
static json_t *make_value(lua_State *L, int depth)
{
    switch (lua_type(L, -1)) {
    case LUA_TTABLE:
        return make_table(L, depth);
    case LUA_TSTRING:
        return make_text(L);
    case LUA_TBOOLEAN:
        return json_boolean(lua_toboolean(L, -1));
    case LUA_TNUMBER:
        if (lua_isinteger(L, -1))
            return json_integer((json_int_t)lua_tointeger(L, -1));
        if (!isfinite(lua_tonumber(L, -1)))
            return json_null(); /* JSON has no other word for it */
        return json_real(lua_tonumber(L, -1));
    case LUA_TNIL:
        return json_null();
    default:
        if (is_of(L, -1, TYPE_NULL))
            return json_null();
        luaL_error(L,
                   "json.encode: expects tables, texts, numbers and "
                   "booleans, got %s",
                   type_words(L, -1));
        return NULL;
    }
}

static int add_octets(const char *data, size_t size, void *user)
{
    return pr_buffer_add(user, data, size) == PR_OK ? 0 : -1;
}

/* json.encode(value): text. A table with 1 to n is a list, any other an object;
 * an empty one is an object, unless json.decode or json.list made it. */
static int encode(lua_State *L)
{
    json_t **holder;
    struct pr_buffer *text;

    luaL_checkany(L, 1);
    lua_settop(L, 1);
    holder = push_holder(L);
    lua_insert(L, 1);
    *holder = make_value(L, 0);
    text = push_buffer(L, 8 * 1024 * 1024);
    if (*holder == NULL || json_dump_callback(*holder, add_octets, text,
                                              JSON_ENCODE_ANY | JSON_COMPACT |
                                                  JSON_SORT_KEYS) != 0)
        return luaL_error(L, "json.encode: the text is larger than 8 MiB");
    lua_pushlstring(L, pr_buffer_text(text), text->size);
    return 1;
}

/* json.list(table): the table, which json.encode takes for a list if it is
 * empty */
static int list(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        return luaL_error(L, "json.list: this table is protected");
    luaL_setmetatable(L, TYPE_LIST);
    return 1;
}

static int null_tostring(lua_State *L)
{
    lua_pushliteral(L, "null");
    return 1;
}

/* json.null: what json.encode writes as null */
static void add_null(lua_State *L)
{
    lua_getglobal(L, "json");
    lua_newuserdatauv(L, 0, 0);
    luaL_setmetatable(L, TYPE_NULL);
    lua_setfield(L, -2, "null");
    lua_pop(L, 1);
}

void open_json(lua_State *L)
{
    static const luaL_Reg null[] = {{"__tostring", null_tostring},
                                    {NULL, NULL}};
    static const luaL_Reg marked[] = {{NULL, NULL}};
    static const luaL_Reg holder[] = {{"__gc", holder_free}, {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"encode", encode}, {"decode", decode}, {"list", list}, {NULL, NULL}};

    new_type(L, TYPE_JSON, holder);
    new_type(L, TYPE_NULL, null);
    new_type(L, TYPE_LIST, marked);
    push_library(L, "json", functions);
    add_null(L);
}
