/*
 * Texts as rules compare them: methods of strings, and globs.
 *
 * Comparing is by folded text, so that case and compatible forms make no
 * difference in any language.
 */
#include <config.h>

#include <string.h>

#include "base/text.h"
#include "lua/script.h"
#include "mail/casing.h"

#define FOLDED_MOST (8 * 1024 * 1024u)
#define LARGE_TEXT 4096 /* octets */

typedef pr_status fold_fn(struct pr_bytes text, struct pr_buffer *buffer);

static void push_by(lua_State *L, fold_fn *fold, const char *text, size_t size)
{
    struct pr_buffer *buffer = push_buffer(L, FOLDED_MOST);
    pr_status status = fold((struct pr_bytes){text, size}, buffer);

    if (status != PR_OK)
        script_raise(L, status);
    lua_pushlstring(L, pr_buffer_text(buffer), buffer->size);
    pr_buffer_done(buffer);
    lua_remove(L, -2);
}

void push_folded(lua_State *L, const char *text, size_t size)
{
    push_by(L, casing_fold, text, size);
}

/* Folds both arguments; they are then at the top. False: the second is nil, as
 * the address of mail without a sender is. */
static bool fold_two(lua_State *L, struct pr_bytes *a, struct pr_bytes *b)
{
    if (lua_isnil(L, 2))
        return false;
    a->data = luaL_checklstring(L, 1, &a->size);
    b->data = luaL_checklstring(L, 2, &b->size);
    if (a->size > LARGE_TEXT || b->size > LARGE_TEXT)
        script_nudge(L);
    push_folded(L, a->data, a->size);
    push_folded(L, b->data, b->size);
    a->data = lua_tolstring(L, -2, &a->size);
    b->data = lua_tolstring(L, -1, &b->size);
    return true;
}

/* text:has(part): true if it stands anywhere in it; case does not count */
static int has(lua_State *L)
{
    struct pr_bytes text, part;

    lua_pushboolean(L, fold_two(L, &text, &part) &&
                           memmem(text.data, text.size, part.data, part.size) !=
                               NULL);
    return 1;
}

/* text:starts(part): true if it begins so; case does not count */
static int starts(lua_State *L)
{
    struct pr_bytes text, part;

    lua_pushboolean(L, fold_two(L, &text, &part) && part.size <= text.size &&
                           memcmp(text.data, part.data, part.size) == 0);
    return 1;
}

/* text:ends(part): true if it ends so; case does not count */
static int ends(lua_State *L)
{
    struct pr_bytes text, part;

    lua_pushboolean(L, fold_two(L, &text, &part) && part.size <= text.size &&
                           memcmp(text.data + text.size - part.size, part.data,
                                  part.size) == 0);
    return 1;
}

/* text:fold(): as texts are compared here: two that differ only in case or in
 * compatible forms become the same */
static int fold(lua_State *L)
{
    size_t size;
    const char *text = luaL_checklstring(L, 1, &size);

    push_folded(L, text, size);
    return 1;
}

/* text:lower(), text:upper(): of any alphabet */
static int lower(lua_State *L)
{
    size_t size;
    const char *text = luaL_checklstring(L, 1, &size);

    push_by(L, casing_lower, text, size);
    return 1;
}

static int upper(lua_State *L)
{
    size_t size;
    const char *text = luaL_checklstring(L, 1, &size);

    push_by(L, casing_upper, text, size);
    return 1;
}

/* ---- Globs --------------------------------------------------------------- */

/* glob "*.pdf": a pattern, in which "*" and "?" stand for anything; case does
 * not count */
static int new_glob(lua_State *L)
{
    size_t size;
    const char *pattern = luaL_checklstring(L, 1, &size);

    check_text(L, 1);
    lua_newuserdatauv(L, 0, 1);
    luaL_setmetatable(L, TYPE_GLOB);
    push_folded(L, pattern, size);
    lua_setiuservalue(L, -2, 1);
    return 1;
}

/* glob:match(text): true if it matches the whole text */
static int glob_match(lua_State *L)
{
    size_t size;
    const char *text;

    luaL_checkudata(L, 1, TYPE_GLOB);
    if (lua_isnil(L, 2)) {
        lua_pushboolean(L, false);
        return 1;
    }
    text = luaL_checklstring(L, 2, &size);
    lua_getiuservalue(L, 1, 1);
    push_folded(L, text, size);
    lua_pushboolean(L, text_matches(lua_tostring(L, -2), lua_tostring(L, -1)));
    return 1;
}

void open_strings(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"has", has},     {"starts", starts}, {"ends", ends}, {"lower", lower},
        {"upper", upper}, {"fold", fold},     {NULL, NULL},
    };
    static const luaL_Reg methods[] = {{"match", glob_match}, {NULL, NULL}};
    static const luaL_Reg glob[] = {{NULL, NULL}};

    lua_getglobal(L, "string");
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
    new_type(L, TYPE_GLOB, glob);
    luaL_getmetatable(L, TYPE_GLOB);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lua_pushcfunction(L, new_glob);
    lua_setglobal(L, "glob");
}
