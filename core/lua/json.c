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
    for (size_t i = 0; i < json_array_size(array); i++) {
        push_value(L, json_array_get(array, i), depth + 1);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static void push_value(lua_State *L, const json_t *value, int depth)
{
    if (depth > DEPTH_MOST)
        luaL_error(L, "json.decode: more than %d levels", DEPTH_MOST);
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
        lua_pushnil(L);
        break;
    }
}

/* json.decode(text): the value, without waiting; nil and a text if it is no
 * JSON. null becomes nil, so that a field with it is not there. */
static int decode(lua_State *L)
{
    size_t size;
    const char *text = luaL_checklstring(L, 1, &size);
    json_t **holder = push_holder(L);
    json_error_t error;

    *holder = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (*holder == NULL) {
        lua_pushnil(L);
        lua_pushfstring(L, "line %d: %s", error.line, error.text);
        return 2;
    }
    push_value(L, *holder, 0);
    script_nudge(L);
    return 1;
}

/* ---- Writing ------------------------------------------------------------- */

static json_t *make_value(lua_State *L, int depth);

/* Is the table on top of the stack a list: 1 to n and nothing else? An empty
 * one is an object. */
static bool is_list(lua_State *L)
{
    size_t count = lua_rawlen(L, -1), keys = 0;

    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1))
        if (++keys > count || !lua_isinteger(L, -2))
            return lua_pop(L, 2), false;
    return count > 0;
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
        key = lua_tostring(L, -2);
        if (json_object_set_new(object, key, make_value(L, depth + 1)) != 0)
            luaL_error(L, "json.encode: the key \"%s\" is no UTF-8", key);
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

    if (value == NULL)
        luaL_error(L, "json.encode: a text is no UTF-8");
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
            luaL_error(L, "json.encode: a number is not finite");
        return json_real(lua_tonumber(L, -1));
    case LUA_TNIL:
        return json_null();
    default:
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
 * an empty one is an object. */
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

void open_json(lua_State *L)
{
    static const luaL_Reg holder[] = {{"__gc", holder_free}, {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"encode", encode}, {"decode", decode}, {NULL, NULL}};

    new_type(L, TYPE_JSON, holder);
    push_library(L, "json", functions);
}
