/*
 * Texts made fit for where a rule puts them. They may come from mail: what a
 * stranger wrote must neither end the rule nor get out of its place.
 */
#include <config.h>

#include <string.h>

#include "base/text.h"
#include "lua/script.h"
#include "mail/flags.h"

#define PART_MOST 200 /* of a folder's name, octets */
#define NO_NAME "_"   /* in the place of an empty one */

static bool is_control(char octet)
{
    return (unsigned char)octet < ' ' || octet == 0x7f;
}

/* Puts the text in the buffer, which ends, in the place of the one at `arg`. */
static const char *put_result(lua_State *L, luaL_Buffer *result, int arg)
{
    luaL_pushresult(result);
    lua_replace(L, arg);
    return lua_tostring(L, arg);
}

/* Octets of the character that the text begins with; 0: it begins with none. */
static size_t character(struct pr_bytes text)
{
    for (size_t size = 1; size <= 4 && size <= text.size; size++)
        if (text_is_utf8((struct pr_bytes){text.data, size}))
            return size;
    return 0;
}

struct pr_bytes check_utf8(lua_State *L, int arg)
{
    struct pr_bytes text = PR_BYTES("");
    luaL_Buffer valid;

    if (lua_isnil(L, arg))
        return text;
    text.data = luaL_checklstring(L, arg, &text.size);
    if (text_is_utf8(text) && strlen(text.data) == text.size)
        return text;
    luaL_buffinit(L, &valid);
    while (text.size > 0) {
        size_t size = character(text);

        if (text.data[0] == '\0')
            luaL_addchar(&valid, ' ');
        else if (size > 0)
            luaL_addlstring(&valid, text.data, size);
        else
            luaL_addstring(&valid, "\uFFFD");
        text.data += size > 0 ? size : 1;
        text.size -= size > 0 ? size : 1;
    }
    put_result(L, &valid, arg);
    text.data = lua_tolstring(L, arg, &text.size);
    return text;
}

const char *check_line(lua_State *L, int arg)
{
    struct pr_bytes text = check_utf8(L, arg);
    bool is_between = false, is_begun = false;
    luaL_Buffer line;
    size_t plain = 0;

    while (plain < text.size && !is_control(text.data[plain]))
        plain++;
    if (plain == text.size)
        return text.data;
    luaL_buffinit(L, &line);
    for (size_t i = 0; i < text.size; i++) {
        if (is_control(text.data[i])) {
            is_between = is_begun;
            continue;
        }
        if (is_between)
            luaL_addchar(&line, ' ');
        luaL_addchar(&line, text.data[i]);
        is_between = false;
        is_begun = true;
    }
    return put_result(L, &line, arg);
}

const char *check_title(lua_State *L, int arg)
{
    if (check_line(L, arg)[0] == '\0') {
        lua_pushliteral(L, NO_NAME);
        lua_replace(L, arg);
    }
    return lua_tostring(L, arg);
}

/* ---- Folders ------------------------------------------------------------- */

const char *check_folder(lua_State *L, int arg)
{
    struct pr_bytes text = check_utf8(L, arg);
    luaL_Buffer name;

    luaL_buffinit(L, &name);
    for (size_t i = 0; i < text.size; i++)
        luaL_addchar(&name, is_control(text.data[i]) ? '_' : text.data[i]);
    if (text.size == 0)
        luaL_addstring(&name, NO_NAME);
    return put_result(L, &name, arg);
}

/* Adds one part of a path: not hidden, not too long. */
static void add_part(luaL_Buffer *path, const char *part, size_t size)
{
    size = text_cut(part, size, PART_MOST);
    for (size_t i = 0; i < size; i++) {
        bool is_dots = part[i] == '.' && strspn(part, ".") > i;

        luaL_addchar(path, is_dots ? '_' : part[i]);
    }
}

const char *check_path(lua_State *L, int arg)
{
    const char *at = check_folder(L, arg);
    bool is_begun = false;
    luaL_Buffer path;

    luaL_buffinit(L, &path);
    while (*(at += strspn(at, "/")) != '\0') {
        size_t size = strcspn(at, "/");

        if (is_begun)
            luaL_addchar(&path, '/');
        add_part(&path, at, size);
        is_begun = true;
        at += size;
    }
    if (!is_begun)
        luaL_addstring(&path, NO_NAME);
    return put_result(L, &path, arg);
}

/* ---- Keywords ------------------------------------------------------------ */

const char *check_keyword(lua_State *L, int arg)
{
    const char *text = check_title(L, arg);
    char keyword[KEYWORD_SIZE];

    if (is_keyword(text))
        return text;
    keyword_of(text, keyword);
    lua_pushstring(L, keyword);
    lua_replace(L, arg);
    return lua_tostring(L, arg);
}
