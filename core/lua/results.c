/*
 * m.auth: what servers that the user trusts found about who sent a message
 * (RFC 8601, Authentication-Results).
 *
 * Anybody can write such a header, so one without a trusted authserv-id is as
 * good as none, and of the trusted ones only the topmost counts: it was added
 * last.
 */
#include <config.h>

#include <string.h>
#include <strings.h>

#include "lua/script.h"

#define BLANK " \t"

/* Copies the value without its comments (RFC 5322, 3.2.2) onto the stack. */
static const char *push_without_comments(lua_State *L, const char *value)
{
    luaL_Buffer plain;
    unsigned depth = 0;

    luaL_buffinit(L, &plain);
    for (; *value != '\0'; value++) {
        if (*value == '(')
            depth++;
        else if (*value == ')' && depth > 0)
            depth--;
        else if (depth == 0)
            luaL_addchar(&plain, *value);
    }
    luaL_pushresult(&plain);
    return lua_tostring(L, -1);
}

static bool is_trusted(const struct script *script, const char *value)
{
    size_t start = strspn(value, BLANK);
    size_t size = strcspn(value + start, BLANK ";");
    const char *const *id = script->trusted_authserv_ids;

    for (; id != NULL && *id != NULL; id++)
        if (strlen(*id) == size && strncasecmp(*id, value + start, size) == 0)
            return true;
    return false;
}

/* Sets method = result in the table on top. Of several signatures one that
 * passes is enough. */
static void set_result(lua_State *L, const char *method, size_t method_size,
                       const char *result, size_t result_size)
{
    bool is_passed;

    lua_pushlstring(L, method, method_size);
    lua_pushvalue(L, -1);
    lua_rawget(L, -3);
    is_passed = lua_isstring(L, -1) && strcmp(lua_tostring(L, -1), "pass") == 0;
    lua_pop(L, 1);
    if (is_passed) {
        lua_pop(L, 1);
        return;
    }
    push_folded(L, result, result_size);
    lua_rawset(L, -3);
}

/* Reads "; method/1 = result reason..." as often as it stands there. */
static void add_results(lua_State *L, const char *value)
{
    while ((value = strchr(value, ';')) != NULL) {
        const char *method = value + 1 + strspn(value + 1, BLANK);
        size_t method_size = strcspn(method, BLANK "=/;");
        const char *equals = method + strcspn(method, "=;");
        const char *result;
        size_t result_size;

        value++;
        if (*equals != '=' || method_size == 0)
            continue;
        result = equals + 1 + strspn(equals + 1, BLANK);
        result_size = strcspn(result, BLANK ";");
        set_result(L, method, method_size, result, result_size);
    }
}

void push_auth(lua_State *L, int arg)
{
    struct view *view = check_view(L, check_message(L, arg));
    struct view_field field;
    size_t index = 0;

    while (view_find_field(view, "Authentication-Results", &index, &field)) {
        const char *value = push_without_comments(L, field.value);

        if (is_trusted(script_of(L), value)) {
            lua_newtable(L);
            add_results(L, value);
            lua_remove(L, -2);
            return;
        }
        lua_pop(L, 1);
    }
    lua_pushnil(L);
}
