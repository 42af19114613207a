/*
 * re "...": regular expressions (PCRE2) for rules, and their methods.
 *
 * What a search finds is put on the Lua stack before anything else can run, so
 * that a function called for each match may use the same expression again. A
 * search that takes longer than a moment goes on in the thread pool, and its
 * processor time counts as the rule's.
 */
#include <config.h>

#include <ctype.h>
#include <string.h>

#include "base/text.h"
#include "lua/regex.h"
#include "lua/script.h"

#define CACHE "postrider.expressions" /* flags, "/", pattern -> expression */
#define CACHE_MOST 500
#define MATCHES_MOST 1000000 /* replaced by one call */

struct expression {
    struct regex *regex;
};

/* ---- Making them --------------------------------------------------------- */

static int expression_free(lua_State *L)
{
    struct expression *expression = luaL_checkudata(L, 1, TYPE_REGEX);

    regex_free(expression->regex);
    expression->regex = NULL;
    return 0;
}

/* Forgets all when they are too many: a rule makes patterns out of mail. */
static void keep_cache_small(lua_State *L)
{
    lua_Integer count;

    lua_getfield(L, LUA_REGISTRYINDEX, CACHE);
    lua_rawgeti(L, -1, 1);
    count = lua_tointeger(L, -1) + 1;
    lua_pop(L, 1);
    if (count > CACHE_MOST) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_setfield(L, LUA_REGISTRYINDEX, CACHE);
        count = 1;
    }
    lua_pushinteger(L, count);
    lua_rawseti(L, -2, 1);
    lua_pop(L, 1);
}

/* re(pattern, flags): a regular expression as in pcre2pattern(3), over UTF-8.
 * Flags: "i" (case does not count), "m" (^ and $ at each line), "s" (a dot is a
 * line end, too), "x" (white space and comments in the pattern). One that tries
 * too many ways to match is ended with an error. The same pattern is compiled
 * once. */
static int new_expression(lua_State *L)
{
    struct pr_bytes pattern;
    struct expression *expression;
    pr_status status;

    pattern.data = luaL_checklstring(L, 1, &pattern.size);
    luaL_optstring(L, 2, "");
    lua_settop(L, 2);
    if (lua_isnil(L, 2)) {
        lua_pushliteral(L, "");
        lua_replace(L, 2);
    }
    lua_pushfstring(L, "%s/", check_text(L, 2));
    lua_pushvalue(L, 1);
    lua_concat(L, 2); /* the key, at 3 */
    luaL_getsubtable(L, LUA_REGISTRYINDEX, CACHE);
    lua_pushvalue(L, 3);
    if (lua_rawget(L, -2) != LUA_TNIL)
        return 1;
    lua_settop(L, 3);
    expression = lua_newuserdatauv(L, sizeof *expression, 0);
    expression->regex = NULL;
    luaL_setmetatable(L, TYPE_REGEX);
    script_nudge(L);
    status = regex_new(pattern, lua_tostring(L, 2), &expression->regex);
    if (status != PR_OK)
        return script_raise(L, status);
    keep_cache_small(L);
    lua_getfield(L, LUA_REGISTRYINDEX, CACHE);
    lua_pushvalue(L, 3);
    lua_pushvalue(L, 4);
    lua_rawset(L, -3);
    lua_settop(L, 4);
    return 1;
}

static struct regex *check_regex(lua_State *L, int arg)
{
    const struct expression *expression = luaL_testudata(L, arg, TYPE_REGEX);

    if (expression == NULL)
        luaL_error(L,
                   "expects a regular expression, got %s: methods are called "
                   "with a colon, as in re\"x\":match(text)",
                   type_words(L, arg));
    return expression->regex;
}

/* ---- Searching ----------------------------------------------------------- */

static pr_status go_on(void *argument)
{
    return regex_go_on(argument);
}

/* Searches; raises when it gives up. Waits if it takes long. */
static bool search(lua_State *L, struct regex_search *search)
{
    pr_status status;

    search->budget = script_time_left(L);
    status = regex_begin(search);
    if (status == PR_BUSY) {
        uint64_t before = search->spent;

        struct run *run = script_pause(L);
        status = pr_offload(go_on, search);
        script_resume_spent(run, search->spent - before);
    }
    regex_end(search);
    if (status != PR_OK && status != PR_EOF)
        script_raise(L, status);
    return status == PR_OK;
}

static void push_group(lua_State *L, const struct regex_search *search,
                       size_t group)
{
    size_t begin, end;

    if (regex_group(search->regex, group, &begin, &end))
        lua_pushlstring(L, search->text.data + begin, end - begin);
    else
        lua_pushnil(L);
}

/* The table of a match: [0] the whole, [1] ... the groups, and by name. */
static void push_table(lua_State *L, const struct regex_search *search)
{
    size_t groups = regex_groups(search->regex);

    lua_createtable(L, (int)groups, (int)groups + 1);
    for (size_t i = 0; i <= groups; i++) {
        const char *name = regex_group_name(search->regex, i);

        push_group(L, search, i);
        if (name != NULL && !lua_isnil(L, -1)) {
            lua_pushvalue(L, -1);
            lua_setfield(L, -3, name);
        }
        lua_rawseti(L, -2, (lua_Integer)i);
    }
}

/* What a match gives: its groups; the whole if there is none; a table if groups
 * have names. */
static int push_match(lua_State *L, const struct regex_search *search)
{
    size_t groups = regex_groups(search->regex);

    if (regex_has_names(search->regex)) {
        push_table(L, search);
        return 1;
    }
    luaL_checkstack(L, (int)groups + 2, "too many groups");
    if (groups == 0)
        push_group(L, search, 0);
    for (size_t i = 1; i <= groups; i++)
        push_group(L, search, i);
    return groups == 0 ? 1 : (int)groups;
}

/* The search of self at 1 in the text at 2 from the index at 3 on; false: there
 * is no text, or the index is beyond it. */
static bool begin(lua_State *L, struct regex_search *search)
{
    lua_Integer index = luaL_optinteger(L, 3, 1);

    *search = (struct regex_search){.regex = check_regex(L, 1)};
    if (lua_isnil(L, 2)) /* as a header that is not there is */
        return false;
    search->text.data = luaL_checklstring(L, 2, &search->text.size);
    if (index < 0)
        index += (lua_Integer)search->text.size + 1;
    if (index < 1)
        index = 1;
    search->from = (size_t)index - 1;
    while (search->from < search->text.size &&
           text_goes_on(search->text.data[search->from]))
        search->from++;
    return search->from <= search->text.size;
}

/* expression:match(text, init): the groups of the first match, or the whole of
 * it if there are none; a table by name and number if groups have names; nil if
 * nothing matches. Waits if it takes long. */
static int match(lua_State *L)
{
    struct regex_search it;

    if (!begin(L, &it) || !search(L, &it)) {
        luaL_pushfail(L);
        return 1;
    }
    return push_match(L, &it);
}

/* expression:find(text, init): where the first match begins and ends, then what
 * match gives for groups; nil if nothing matches. Waits if it takes long. */
static int find(lua_State *L)
{
    struct regex_search it;
    size_t first, last;

    if (!begin(L, &it) || !search(L, &it) ||
        !regex_group(it.regex, 0, &first, &last)) {
        luaL_pushfail(L);
        return 1;
    }
    lua_pushinteger(L, (lua_Integer)first + 1);
    lua_pushinteger(L, (lua_Integer)last);
    return regex_groups(it.regex) > 0 ? 2 + push_match(L, &it) : 2;
}

/* Upvalues: expression, text, where to go on (0-based), was there a match? */
static int gmatch_next(lua_State *L)
{
    struct regex_search it = {.is_not_empty =
                                  lua_toboolean(L, lua_upvalueindex(4))};
    size_t first, last;

    it.regex = check_regex(L, lua_upvalueindex(1));
    it.text.data = lua_tolstring(L, lua_upvalueindex(2), &it.text.size);
    it.from = (size_t)lua_tointeger(L, lua_upvalueindex(3));
    if (it.from > it.text.size || !search(L, &it) ||
        !regex_group(it.regex, 0, &first, &last))
        return 0;
    lua_pushinteger(L, (lua_Integer)last);
    lua_replace(L, lua_upvalueindex(3));
    lua_pushboolean(L, true);
    lua_replace(L, lua_upvalueindex(4));
    return push_match(L, &it);
}

/* expression:gmatch(text): for a `for`: what match gives, of each match. */
static int gmatch(lua_State *L)
{
    check_regex(L, 1);
    lua_settop(L, 2);
    if (lua_isnil(L, 2)) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, script_of(L)->nothing);
        return 1;
    }
    luaL_checkstring(L, 2);
    lua_pushinteger(L, 0);
    lua_pushboolean(L, false);
    lua_pushcclosure(L, gmatch_next, 4);
    return 1;
}

/* ---- Replacing ----------------------------------------------------------- */

static size_t group_named(lua_State *L, const struct regex *regex,
                          const char *name, size_t size)
{
    for (size_t i = 1; i <= regex_groups(regex); i++) {
        const char *of_group = regex_group_name(regex, i);

        if (of_group != NULL && strlen(of_group) == size &&
            memcmp(of_group, name, size) == 0)
            return i;
    }
    luaL_error(L, "the expression has no group named \"%s\"",
               lua_pushlstring(L, name, size));
    return 0;
}

/* The group that follows the "%" before *at, which moves past it. */
static size_t read_group(lua_State *L, const struct regex *regex,
                         const char **at, const char *end)
{
    const char *name = *at + 1, *close;
    size_t group;

    if (*at < end && isdigit((unsigned char)**at)) {
        group = (size_t)(*(*at)++ - '0');
        if (group > regex_groups(regex))
            luaL_error(L, "the expression has no group %d", (int)group);
        return group;
    }
    close = *at < end && **at == '{' ? memchr(name, '}', (size_t)(end - name))
                                     : NULL;
    if (close == NULL)
        luaL_error(L, "expects %%0 to %%9, %%{name} or %%%% in the "
                      "replacement");
    *at = close + 1;
    return group_named(L, regex, name, (size_t)(close - name));
}

/* Adds the text at 3 with its "%1" and "%{name}" filled in. */
static void add_template(lua_State *L, const struct regex_search *search,
                         luaL_Buffer *result)
{
    size_t size, first, last;
    const char *at = lua_tolstring(L, 3, &size);
    const char *end = at + size;

    while (at < end) {
        if (*at != '%') {
            luaL_addchar(result, *at++);
        } else if (++at < end && *at == '%') {
            luaL_addchar(result, *at++);
        } else if (regex_group(search->regex,
                               read_group(L, search->regex, &at, end), &first,
                               &last)) {
            luaL_addlstring(result, search->text.data + first, last - first);
        }
    }
}

/* Adds what the function or table at 3 has for the match. */
static void add_looked_up(lua_State *L, const struct regex_search *search,
                          luaL_Buffer *result, struct pr_bytes whole)
{
    if (lua_isfunction(L, 3)) {
        lua_pushvalue(L, 3);
        lua_call(L, push_match(L, search), 1);
    } else {
        push_group(L, search, regex_groups(search->regex) > 0 ? 1 : 0);
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            lua_pushliteral(L, "");
        }
        lua_gettable(L, 3);
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        luaL_addlstring(result, whole.data, whole.size);
    } else if (lua_isstring(L, -1)) {
        luaL_addvalue(result);
    } else {
        luaL_error(L, "the replacement is %s, not a text", type_words(L, -1));
    }
}

static lua_Integer replace_all(lua_State *L, struct regex_search *it,
                               luaL_Buffer *result, lua_Integer most)
{
    bool is_text = lua_isstring(L, 3);
    lua_Integer count = 0;
    size_t first, last, copied = 0;

    while (count < most && search(L, it) &&
           regex_group(it->regex, 0, &first, &last)) {
        count++;
        luaL_addlstring(result, it->text.data + copied, first - copied);
        if (is_text)
            add_template(L, it, result);
        else
            add_looked_up(
                L, it, result,
                (struct pr_bytes){it->text.data + first, last - first});
        copied = last;
        *it = (struct regex_search){.regex = it->regex,
                                    .text = it->text,
                                    .from = last,
                                    .is_not_empty = true};
    }
    luaL_addlstring(result, it->text.data + copied, it->text.size - copied);
    return count;
}

/* expression:gsub(text, replacement, most): the text with each match replaced,
 * and how many there were. A text may name groups: "%1", "%{name}", "%0" the
 * whole; a function gets what match gives, a table is asked by the first group;
 * nil or false from these leaves the match as it is. */
static int gsub(lua_State *L)
{
    struct regex_search it = {.regex = check_regex(L, 1)};
    int type = lua_type(L, 3);
    lua_Integer most = luaL_optinteger(L, 4, MATCHES_MOST), count;
    luaL_Buffer result;

    it.text.data = luaL_checklstring(L, 2, &it.text.size);
    luaL_argexpected(L,
                     type == LUA_TNUMBER || type == LUA_TSTRING ||
                         type == LUA_TTABLE || type == LUA_TFUNCTION,
                     3, "string/function/table");
    script_check_stack(L);
    lua_settop(L, 3);
    luaL_buffinit(L, &result);
    count = replace_all(L, &it, &result, most);
    luaL_pushresult(&result);
    lua_pushinteger(L, count);
    return 2;
}

void open_expressions(lua_State *L)
{
    static const luaL_Reg functions[] = {{"__gc", expression_free},
                                         {NULL, NULL}};
    static const luaL_Reg methods[] = {
        {"match", match}, {"find", find}, {"gmatch", gmatch},
        {"gsub", gsub},   {NULL, NULL},
    };

    new_type(L, TYPE_REGEX, functions);
    luaL_getmetatable(L, TYPE_REGEX);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lua_pushcfunction(L, new_expression);
    lua_setglobal(L, "re");
}
