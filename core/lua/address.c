/*
 * Addresses of a message: a list that is also its first address.
 *
 * A list of one and an address are the same thing, so there is one type: a run
 * of addresses that lie in the message's view. It is of no use once the message
 * has left.
 */
#include <config.h>

#include <string.h>

#include "base/text.h"
#include "lua/script.h"
#include "mail/lookup.h"

struct addresses {
    struct cell *cell; /* of the message, kept by the uservalue */
    const struct view_address *first;
    size_t count;
};

static const struct addresses *check_addresses(lua_State *L, int arg)
{
    const struct addresses *addresses = luaL_testudata(L, arg, TYPE_ADDRESSES);

    if (addresses == NULL)
        luaL_error(L,
                   "expects addresses, got %s: methods are called with a "
                   "colon, as in m.from:is \"*@example.org\"",
                   type_words(L, arg));
    check_cell(L, addresses->cell);
    return addresses;
}

/* Pushes a run of addresses; the message, or another run of it, is at `owner`.
 */
static void push_run(lua_State *L, int owner, struct cell *cell,
                     const struct view_address *first, size_t count)
{
    struct addresses *run = lua_newuserdatauv(L, sizeof *run, 1);

    *run = (struct addresses){.cell = cell, .first = first, .count = count};
    luaL_setmetatable(L, TYPE_ADDRESSES);
    lua_pushvalue(L, owner);
    lua_setiuservalue(L, -2, 1);
}

void push_addresses(lua_State *L, int arg, const char *const *fields)
{
    struct view *view = check_view(L, check_message(L, arg));
    const struct view_address *first = NULL;
    size_t count = 0;

    struct run *run = script_pause(L); /* a long field is read in the pool */

    for (size_t i = 0; fields[i] != NULL && count == 0; i++)
        first = view_addresses(view, fields[i], &count);
    script_resume_working(run, 0);
    push_run(L, arg, lua_touserdata(L, arg), first, count);
}

/* ---- Fields -------------------------------------------------------------- */

/* RFC 5233. */
static void push_detail(lua_State *L, const struct view_address *address)
{
    const char *plus = strchr(address->local_part, '+');

    lua_pushstring(L, plus != NULL ? plus + 1 : "");
}

/* addresses.address, addresses.name, addresses.local_part, addresses.domain:
 * text, of the first address; nil if the list is empty; addresses.detail: text,
 * what follows the first "+" of the local part, "" if nothing does; nil if the
 * list is empty */
static bool push_field(lua_State *L, const struct addresses *addresses,
                       const char *name)
{
    static const char *const names[] = {"address", "name",   "local_part",
                                        "domain",  "detail", NULL};
    const struct view_address *first = addresses->first;
    size_t i = 0;

    while (names[i] != NULL && strcmp(names[i], name) != 0)
        i++;
    if (names[i] == NULL)
        return false;
    if (addresses->count == 0)
        lua_pushnil(L);
    else if (i == 4)
        push_detail(L, first);
    else
        lua_pushstring(L, i == 0   ? first->address
                          : i == 1 ? first->name
                          : i == 2 ? first->local_part
                                   : first->domain);
    return true;
}

/* ---- Matching ------------------------------------------------------------ */

/* Does one of the addresses match the pattern at `index`? */
static bool matches(lua_State *L, const struct addresses *addresses, int index)
{
    size_t size;
    const char *pattern;
    bool found = false;

    if (lua_isnil(L, index)) /* as the address of mail without a sender is */
        return false;
    pattern = luaL_checklstring(L, index, &size);
    push_folded(L, pattern, size);
    pattern = lua_tostring(L, -1);
    for (size_t i = 0; i < addresses->count && !found; i++) {
        const char *address = addresses->first[i].address;

        push_folded(L, address, strlen(address));
        found = text_matches(pattern, lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return found;
}

/* addresses:is(pattern): true if one of them matches; "*" and "?" stand for
 * any, case does not count */
static int is(lua_State *L)
{
    lua_pushboolean(L, matches(L, check_addresses(L, 1), 2));
    return 1;
}

/* addresses:any { pattern, ... }: true if one of them matches one of these */
static int any(lua_State *L)
{
    const struct addresses *addresses = check_addresses(L, 1);
    bool found = false;
    lua_Integer count;

    luaL_checktype(L, 2, LUA_TTABLE);
    count = (lua_Integer)lua_rawlen(L, 2);
    for (lua_Integer i = 1; i <= count && !found; i++) {
        lua_rawgeti(L, 2, i);
        found = matches(L, addresses, lua_gettop(L));
        lua_pop(L, 1);
    }
    lua_pushboolean(L, found);
    return 1;
}

/* ---- Files of addresses -------------------------------------------------- */

bool addresses_stand_in(lua_State *L, int arg, const struct lookup *lookup,
                        const char **ret_value)
{
    const struct addresses *addresses = check_addresses(L, arg);
    bool found = false;

    for (size_t i = 0; i < addresses->count && !found; i++) {
        const char *address = addresses->first[i].address;

        push_folded(L, address, strlen(address));
        found = lookup_address(lookup, lua_tostring(L, -1), ret_value);
        lua_pop(L, 1);
    }
    return found;
}

/* addresses:in_file(path): true if one of them stands in the file, which is as
 * one of `map`. Waits. */
static int in_file(lua_State *L)
{
    check_addresses(L, 1);
    lua_pushboolean(L, stands_in_file(L, 1, check_text(L, 2)));
    return 1;
}

/* ---- The type ------------------------------------------------------------ */

static const luaL_Reg methods[] = {
    {"is", is}, {"any", any}, {"in_file", in_file}, {NULL, NULL}};

static int addresses_index(lua_State *L)
{
    static const char *const names[] = {"address", "name",    "local_part",
                                        "domain",  "detail",  "is",
                                        "any",     "in_file", NULL};
    const struct addresses *addresses = check_addresses(L, 1);
    const char *name;

    if (lua_isinteger(L, 2)) {
        lua_Integer i = lua_tointeger(L, 2);

        if (i < 1 || (lua_Unsigned)i > addresses->count)
            return 0;
        push_run(L, 1, addresses->cell, &addresses->first[i - 1], 1);
        return 1;
    }
    name = luaL_tolstring(L, 2, NULL);
    for (size_t i = 0; methods[i].name != NULL; i++) {
        if (strcmp(methods[i].name, name) == 0) {
            lua_pushcfunction(L, methods[i].func);
            return 1;
        }
    }
    if (push_field(L, addresses, name))
        return 1;
    return raise_unknown(L, "addresses have no", name, names);
}

static int addresses_length(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)check_addresses(L, 1)->count);
    return 1;
}

/* "a@example.org, b@example.org" */
static int addresses_tostring(lua_State *L)
{
    const struct addresses *addresses = check_addresses(L, 1);
    luaL_Buffer text;

    luaL_buffinit(L, &text);
    for (size_t i = 0; i < addresses->count; i++) {
        if (i > 0)
            luaL_addstring(&text, ", ");
        luaL_addstring(&text, addresses->first[i].address);
    }
    luaL_pushresult(&text);
    return 1;
}

/* Two are equal if they hold the same addresses in the same order. */
static int addresses_equal(lua_State *L)
{
    const struct addresses *a = check_addresses(L, 1);
    const struct addresses *b = check_addresses(L, 2);
    bool equal = a->count == b->count;

    for (size_t i = 0; i < a->count && equal; i++)
        equal = pr_bytes_equal_nocase(pr_bytes_of(a->first[i].address),
                                      pr_bytes_of(b->first[i].address));
    lua_pushboolean(L, equal);
    return 1;
}

void open_addresses(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"__index", addresses_index},
        {"__len", addresses_length},
        {"__tostring", addresses_tostring},
        {"__eq", addresses_equal},
        {NULL, NULL},
    };

    new_type(L, TYPE_ADDRESSES, functions);
}
