/*
 * m.auth: what servers that the user trusts found about who sent a message
 * (RFC 8601, Authentication-Results).
 *
 * Anybody can write such a header, so one without a trusted authserv-id is as
 * good as none, and of the trusted ones only the topmost counts: it was added
 * last. What stands in it may come from the sender as well, such as an address:
 * so it is read as it was sent, where no encoded word can become a ";", and a
 * quoted text or a comment is never looked into.
 */
#include <config.h>

#include <string.h>

#include "base/text.h"
#include "lua/script.h"

#define BLANK " \t\r\n"
#define RESULTS_MOST 100

/* The rest of a header that is being read. */
struct results {
    const char *at, *end;
};

/* ---- Words (RFC 8601, 2.2) ----------------------------------------------- */

static bool is_in(const char *set, char c)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static void skip_comment(struct results *results)
{
    unsigned depth = 0;

    do {
        char c = *results->at++;

        if (c == '\\' && results->at < results->end)
            results->at++;
        else if (c == '(')
            depth++;
        else if (c == ')')
            depth--;
    } while (depth > 0 && results->at < results->end);
}

/* White space and comments (RFC 5322, 3.2.2). */
static void skip_blank(struct results *results)
{
    while (results->at < results->end) {
        if (is_in(BLANK, *results->at))
            results->at++;
        else if (*results->at == '(')
            skip_comment(results);
        else
            return;
    }
}

/* Adds a quoted text without its quotes. */
static void add_quoted(struct results *results, luaL_Buffer *word)
{
    results->at++;
    while (results->at < results->end && *results->at != '"') {
        if (*results->at == '\\' && results->at + 1 < results->end)
            results->at++;
        luaL_addchar(word, *results->at++);
    }
    if (results->at < results->end)
        results->at++;
}

/* The text on top of the stack, if it is no UTF-8, with U+FFFD for what is not
 * ASCII in it. */
static void make_utf8(lua_State *L)
{
    struct pr_bytes text;
    luaL_Buffer clean;

    text.data = lua_tolstring(L, -1, &text.size);
    if (text_is_utf8(text))
        return;
    luaL_buffinit(L, &clean);
    for (size_t i = 0; i < text.size; i++) {
        if ((unsigned char)text.data[i] < 0x80)
            luaL_addchar(&clean, text.data[i]);
        else
            luaL_addstring(&clean, "\xef\xbf\xbd");
    }
    luaL_pushresult(&clean);
    lua_remove(L, -2);
}

/* Pushes the next word, which ends at one of `ends`; it may be in quotes, or
 * have some in it. */
static void push_word(lua_State *L, struct results *results, const char *ends)
{
    luaL_Buffer word;

    skip_blank(results);
    luaL_buffinit(L, &word);
    while (results->at < results->end && !is_in(ends, *results->at) &&
           !is_in(BLANK "(", *results->at)) {
        if (*results->at == '"')
            add_quoted(results, &word);
        else
            luaL_addchar(&word, *results->at++);
    }
    luaL_pushresult(&word);
    make_utf8(L);
}

/* Goes behind `sign` if it comes next. */
static bool skip_sign(struct results *results, char sign)
{
    skip_blank(results);
    if (results->at == results->end || *results->at != sign)
        return false;
    results->at++;
    return true;
}

/* Pushes `text` without case, and as UTF-8. */
static void fold_top(lua_State *L)
{
    size_t size;
    const char *text = lua_tolstring(L, -1, &size);

    push_folded(L, text, size);
    lua_remove(L, -2);
}

/* ---- Results ------------------------------------------------------------- */

/* Pushes name and value of `name = value`; false, and nothing is pushed, where
 * none stands before the next ";". */
static bool push_pair(lua_State *L, struct results *results)
{
    for (;;) {
        push_word(L, results, ";=");
        fold_top(L);
        if (skip_sign(results, '=')) {
            push_word(L, results, ";");
            return true;
        }
        if (lua_rawlen(L, -1) == 0)
            break;
        lua_pop(L, 1); /* a word of its own */
    }
    lua_pop(L, 1);
    return false;
}

/* What follows "/" is the version of a method. */
static void drop_version(lua_State *L, int index)
{
    const char *method = lua_tostring(L, index);

    lua_pushlstring(L, method, strcspn(method, "/"));
    lua_replace(L, index);
}

/* Sets method = result in the table at 1. Of several signatures one that passes
 * is enough. */
static void set_result(lua_State *L, int table, int method, int result)
{
    bool is_passed;

    lua_pushvalue(L, method);
    lua_rawget(L, table);
    is_passed = lua_type(L, -1) == LUA_TSTRING &&
                strcmp(lua_tostring(L, -1), "pass") == 0;
    lua_pop(L, 1);
    if (is_passed)
        return;
    lua_pushvalue(L, method);
    lua_pushvalue(L, result);
    lua_rawset(L, table);
}

/* Pushes { method = ..., result = ..., reason = ..., ["smtp.mailfrom"] = ... }
 * and sets it in the table that is there. */
static bool push_result(lua_State *L, struct results *results, int table)
{
    int entry;

    if (!push_pair(L, results))
        return false;
    if (lua_rawlen(L, -2) == 0) {
        lua_pop(L, 2);
        return false;
    }
    fold_top(L);
    drop_version(L, lua_gettop(L) - 1);
    set_result(L, table, lua_gettop(L) - 1, lua_gettop(L));
    lua_createtable(L, 0, 4);
    lua_insert(L, -3); /* the table, the method, the result */
    entry = lua_gettop(L) - 2;
    lua_setfield(L, entry, "result");
    lua_setfield(L, entry, "method");
    while (push_pair(L, results))
        lua_rawset(L, entry);
    return true;
}

/* Goes behind the next ";". */
static bool next_result(struct results *results)
{
    while (results->at < results->end && *results->at != ';') {
        const char *before = results->at;

        skip_blank(results);
        if (results->at == before && *results->at != ';')
            results->at++;
    }
    return skip_sign(results, ';');
}

static void push_results(lua_State *L, struct results *results)
{
    int table;

    lua_newtable(L);
    table = lua_gettop(L);
    lua_newtable(L);
    for (lua_Integer i = 1; i <= RESULTS_MOST && next_result(results);) {
        if (push_result(L, results, table))
            lua_rawseti(L, table + 1, i++);
    }
    lua_setfield(L, table, "results");
}

/* ---- The header ---------------------------------------------------------- */

/* Reads the authserv-id; is it one of those that are trusted? */
static bool is_trusted(lua_State *L, struct results *results)
{
    const char *const *id = script_of(L)->trusted_authserv_ids;
    bool is_found = false;

    push_word(L, results, ";");
    for (; id != NULL && *id != NULL && !is_found; id++)
        is_found = pr_bytes_equal_nocase(pr_bytes_of(*id),
                                         pr_bytes_of(lua_tostring(L, -1)));
    lua_pop(L, 1);
    return is_found;
}

void push_auth(lua_State *L, int arg)
{
    struct view *view = check_view(L, check_message(L, arg));
    struct view_field field;
    size_t index = 0;

    while (view_find_field(view, "Authentication-Results", &index, &field)) {
        struct results results = {field.raw.data,
                                  field.raw.data + field.raw.size};

        if (is_trusted(L, &results)) {
            push_results(L, &results);
            return;
        }
    }
    lua_pushnil(L);
}
