/*
 * What the rules decided about a message, as a Lua table, and what a test
 * expects of it.
 *
 * A key of the expectation is compared with the same key of the outcome: lists
 * as sets, texts as wholes or, for places, by the end of their path; `true`
 * takes anything, `false` nothing.
 */
#include <config.h>

#include "lua/outcome.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"

/* Every key there can be. */
static const char *const keys[] = {
    "delivered", "copied",  "redirected", "replied",   "reply",    "moved",
    "copied_to", "deleted", "left",       "discarded", "deferred", "stopped",
    "default",   "flags",   "unflags",    "headers",   "tags",     "points",
    "notes",     "rule",    "error",      "others",    "saved",    NULL};

/* ---- The outcome --------------------------------------------------------- */

/* Appends the text on top of the stack to the list `key` of the table at
 * `table`. */
static void append(lua_State *L, int table, const char *key)
{
    if (lua_getfield(L, table, key) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_setfield(L, table, key);
    }
    lua_insert(L, -2);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    lua_pop(L, 1);
}

/* table[key][name] = the value on top of the stack */
static void put(lua_State *L, int table, const char *key, const char *name)
{
    if (lua_getfield(L, table, key) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_setfield(L, table, key);
    }
    lua_insert(L, -2);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

static void push_target(lua_State *L, const struct target *target)
{
    const char *folder = target->folder != NULL ? target->folder : "";

    lua_pushfstring(L, "%s%s%s",
                    target->sink != NULL ? target->sink->name : "nowhere",
                    folder[0] != '\0' ? "/" : "", folder);
}

static void append_text(lua_State *L, int table, const char *key,
                        const char *text)
{
    lua_pushstring(L, text);
    append(L, table, key);
}

static void set_text(lua_State *L, int table, const char *key, const char *text)
{
    lua_pushstring(L, text);
    lua_setfield(L, table, key);
}

static void set_true(lua_State *L, int table, const char *key)
{
    lua_pushboolean(L, true);
    lua_setfield(L, table, key);
}

static void add_points(lua_State *L, int table, double points)
{
    lua_Integer whole;

    lua_getfield(L, table, "points");
    points += lua_tonumber(L, -1);
    if (lua_numbertointeger(points, &whole) && (double)whole == points)
        lua_pushinteger(L, whole);
    else
        lua_pushnumber(L, points);
    lua_setfield(L, table, "points");
    lua_pop(L, 1);
}

static void add_final(lua_State *L, int table, const struct plan_entry *entry)
{
    switch (entry->action) {
    case PLAN_DELIVER:
        push_target(L, &entry->target);
        append(L, table, "delivered");
        break;
    case PLAN_MOVE:
        set_text(L, table, "moved", entry->text);
        break;
    case PLAN_DELETE:
        set_true(L, table, "deleted");
        break;
    case PLAN_LEAVE:
        set_true(L, table, "left");
        break;
    case PLAN_DISCARD:
        set_text(L, table, "discarded", entry->text);
        break;
    case PLAN_DEFER:
        lua_pushnumber(L, (lua_Number)entry->delay / 1000);
        lua_setfield(L, table, "deferred");
        break;
    default:
        set_true(L, table, "stopped");
        break;
    }
    set_text(L, table, "rule", entry->rule);
}

static void add_reply(lua_State *L, int table, const struct reply *reply)
{
    const struct {
        const char *name, *text;
    } texts[] = {
        {"to", reply->to},
        {"from", reply->from},
        {"subject", reply->subject},
        {"in_reply_to", reply->in_reply_to},
        {"references", reply->references},
        {"text", reply->text},
        {"mime", reply->mime},
        {"handle", reply->handle},
    };

    set_text(L, table, "replied", reply->to);
    if (reply->once != 0) {
        lua_pushinteger(L, (lua_Integer)(reply->once / 1000));
        put(L, table, "reply", "once");
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (texts[i].text == NULL)
            continue;
        lua_pushstring(L, texts[i].text);
        put(L, table, "reply", texts[i].name);
    }
}

static void add_entry(lua_State *L, int table, const struct plan_entry *entry)
{
    if (plan_action_is_final(entry->action)) {
        add_final(L, table, entry);
        return;
    }
    switch (entry->action) {
    case PLAN_COPY:
        push_target(L, &entry->target);
        append(L, table, "copied");
        break;
    case PLAN_REDIRECT:
        append_text(L, table, "redirected", entry->target.folder);
        break;
    case PLAN_SAVE:
        lua_pushfstring(L, "%s/%s", entry->folder, entry->text);
        append(L, table, "saved");
        break;
    case PLAN_REPLY:
        add_reply(L, table, entry->reply);
        break;
    case PLAN_COPY_TO:
        append_text(L, table, "copied_to", entry->text);
        break;
    case PLAN_FLAG:
    case PLAN_LABEL:
        append_text(L, table, "flags", entry->text);
        break;
    case PLAN_UNFLAG:
    case PLAN_UNLABEL:
        append_text(L, table, "unflags", entry->text);
        break;
    case PLAN_SET_HEADER:
    case PLAN_ADD_HEADER:
        lua_pushstring(L, entry->value);
        put(L, table, "headers", entry->text);
        break;
    case PLAN_REMOVE_HEADER:
        lua_pushboolean(L, false);
        put(L, table, "headers", entry->text);
        break;
    case PLAN_TAG:
        lua_pushstring(L, entry->value);
        put(L, table, "tags", entry->text);
        break;
    case PLAN_SCORE:
        add_points(L, table, entry->score);
        break;
    case PLAN_NOTE:
        append_text(L, table, "notes", entry->text);
        break;
    default:
        append_text(L, table, "others", plan_action_name(entry->action));
        break;
    }
}

void push_plan_outcome(lua_State *L, const struct plan *plan,
                       const struct account *account, const char *error)
{
    const struct plan_entry *final = plan_final(plan);
    bool is_default =
        error == NULL && (final == NULL || final->action == PLAN_STOP);
    int table;

    lua_newtable(L);
    table = lua_gettop(L);
    for (size_t i = 0; i < plan->count; i++)
        add_entry(L, table, &plan->entries[i]);
    for (size_t i = 0; is_default && i < account->deliver_count; i++) {
        push_target(L, &account->deliver[i]);
        append(L, table, "delivered");
    }
    if (is_default)
        set_true(L, table, "default");
    if (error != NULL)
        set_text(L, table, "error", error);
}

/* ---- The expectation ----------------------------------------------------- */

/* Is it the place, or the end of its path: "lists/dev" of
 * "maildir:/home/a/Mail/lists/dev"? */
static bool is_end_of(const char *actual, const char *expected)
{
    size_t size = strlen(actual), wanted = strlen(expected);

    return wanted > 0 && wanted < size && actual[size - wanted - 1] == '/' &&
           strcmp(actual + size - wanted, expected) == 0;
}

static bool is_place(const char *key)
{
    return strcmp(key, "delivered") == 0 || strcmp(key, "copied") == 0 ||
           strcmp(key, "saved") == 0;
}

/* The expected value at `index` as a text: a sink by its name. */
static const char *push_expected_text(lua_State *L, int index)
{
    struct target target;

    if (lua_type(L, index) == LUA_TUSERDATA && to_target(L, index, &target) &&
        target.sink != NULL)
        push_target(L, &target);
    else
        luaL_tolstring(L, index, NULL);
    return lua_tostring(L, -1);
}

/* Is one value as expected? Both at absolute places. */
static bool is_same(lua_State *L, const char *key, int expected, int actual)
{
    int top = lua_gettop(L);
    bool is_it;

    if (lua_isboolean(L, expected))
        return lua_toboolean(L, expected) == lua_toboolean(L, actual);
    if (lua_type(L, actual) == LUA_TNUMBER) {
        if (lua_type(L, expected) == LUA_TNUMBER)
            return lua_compare(L, expected, actual, LUA_OPEQ) == 1;
        return strcmp(key, "deferred") == 0 &&
               (lua_Number)check_duration(L, expected) / 1000 ==
                   lua_tonumber(L, actual);
    }
    if (lua_type(L, actual) != LUA_TSTRING)
        return false;
    const char *wanted = push_expected_text(L, expected);
    const char *got = lua_tostring(L, actual);
    is_it = strcmp(wanted, got) == 0 ||
            (is_place(key) && is_end_of(got, wanted)) ||
            (strcmp(key, "flags") == 0 && strcasecmp(wanted, got) == 0) ||
            (strcmp(key, "error") == 0 && strstr(got, wanted) != NULL);
    lua_settop(L, top);
    return is_it;
}

/* Is each of the list at `some` in the list at `all`? */
static bool is_within(lua_State *L, const char *key, int some, int all,
                      bool some_are_expected)
{
    lua_Integer count = (lua_Integer)lua_rawlen(L, some);
    lua_Integer others = (lua_Integer)lua_rawlen(L, all);

    for (lua_Integer i = 1; i <= count; i++) {
        bool is_found = false;

        lua_rawgeti(L, some, i);
        for (lua_Integer j = 1; !is_found && j <= others; j++) {
            int one = lua_gettop(L), other = one + 1;

            lua_rawgeti(L, all, j);
            is_found = is_same(L, key, some_are_expected ? one : other,
                               some_are_expected ? other : one);
            lua_pop(L, 1);
        }
        lua_pop(L, 1);
        if (!is_found)
            return false;
    }
    return true;
}

/* A list of one in the place of what is none. */
static int as_list(lua_State *L, int index)
{
    lua_newtable(L);
    if (!lua_isnil(L, index)) {
        lua_pushvalue(L, index);
        lua_rawseti(L, -2, 1);
    }
    return lua_gettop(L);
}

static bool are_same_lists(lua_State *L, const char *key, int expected,
                           int actual)
{
    int top = lua_gettop(L);

    if (!lua_istable(L, expected))
        expected = as_list(L, expected);
    if (!lua_istable(L, actual))
        actual = as_list(L, actual);
    bool are_same = is_within(L, key, expected, actual, true) &&
                    is_within(L, key, actual, expected, false);
    lua_settop(L, top);
    return are_same;
}

/* Is the value at an index, whose name lies below it, in that table too? There
 * may be none; headers are found in any case. */
static bool is_among(lua_State *L, const char *key, int value, int actual)
{
    bool is_found = false;

    if (!lua_istable(L, actual) || lua_type(L, value - 1) != LUA_TSTRING)
        return false;
    for (lua_pushnil(L); lua_next(L, actual) != 0; lua_pop(L, 1))
        is_found = is_found || (strcasecmp(lua_tostring(L, -2),
                                           lua_tostring(L, value - 1)) == 0 &&
                                is_same(L, key, value, lua_gettop(L)));
    return is_found;
}

/* Each name of the expected table is as in the other. */
static bool are_same_names(lua_State *L, const char *key, int expected,
                           int actual)
{
    bool are_same = true;

    for (lua_pushnil(L); lua_next(L, expected) != 0; lua_pop(L, 1))
        are_same = is_among(L, key, lua_gettop(L), actual) && are_same;
    return are_same;
}

static bool is_as_expected(lua_State *L, const char *key, int expected,
                           int actual)
{
    if (lua_isboolean(L, expected))
        return lua_toboolean(L, expected) == !lua_isnil(L, actual);
    if (strcmp(key, "headers") == 0 || strcmp(key, "tags") == 0 ||
        strcmp(key, "reply") == 0)
        return lua_istable(L, expected) &&
               are_same_names(L, key, expected, actual);
    if (lua_istable(L, actual) || lua_istable(L, expected))
        return are_same_lists(L, key, expected, actual);
    return is_same(L, key, expected, actual);
}

/* ---- Words --------------------------------------------------------------- */

static void add_value(lua_State *L, int index, struct pr_buffer *words);

static void add_table(lua_State *L, int index, struct pr_buffer *words)
{
    const char *before = "{ ";

    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
        (void)!pr_buffer_add_text(words, before);
        before = ", ";
        if (lua_type(L, -2) == LUA_TSTRING)
            (void)!pr_buffer_printf(words, "%s = ", lua_tostring(L, -2));
        add_value(L, lua_gettop(L), words);
    }
    (void)!pr_buffer_add_text(words, *before == '{' ? "{}" : " }");
}

static void add_value(lua_State *L, int index, struct pr_buffer *words)
{
    if (lua_isnil(L, index)) {
        (void)!pr_buffer_add_text(words, "nothing");
    } else if (lua_istable(L, index)) {
        add_table(L, index, words);
    } else if (lua_isboolean(L, index) || lua_type(L, index) == LUA_TNUMBER) {
        (void)!pr_buffer_add_text(words, luaL_tolstring(L, index, NULL));
        lua_pop(L, 1);
    } else {
        const char *text = push_expected_text(L, index);
        (void)!pr_buffer_printf(words, "\"%s\"", text);
        lua_pop(L, 1);
    }
}

static void add_difference(lua_State *L, const char *key, int expected,
                           int actual, struct pr_buffer *words)
{
    (void)!pr_buffer_printf(words, "%s: expected ", key);
    if (lua_isboolean(L, expected))
        (void)!pr_buffer_add_text(
            words, lua_toboolean(L, expected) ? "something" : "nothing");
    else
        add_value(L, expected, words);
    (void)!pr_buffer_add_text(words, ", got ");
    add_value(L, actual, words);
    (void)!pr_buffer_add_text(words, "\n");
}

static bool is_key(const char *name)
{
    for (size_t i = 0; keys[i] != NULL; i++)
        if (strcmp(keys[i], name) == 0)
            return true;
    return false;
}

static void check_names(lua_State *L, int expected)
{
    for (lua_pushnil(L); lua_next(L, expected) != 0; lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "an expectation has names: { moved = \"Junk\" }");
        if (!is_key(lua_tostring(L, -2)))
            raise_unknown(L, "a test cannot expect", lua_tostring(L, -2), keys);
    }
}

void compare_outcome(lua_State *L, int expected, int actual,
                     struct pr_buffer *words)
{
    int top = lua_gettop(L);

    check_names(L, expected);
    for (size_t i = 0; keys[i] != NULL; i++) {
        if (lua_getfield(L, expected, keys[i]) != LUA_TNIL) {
            lua_getfield(L, actual, keys[i]);
            if (!is_as_expected(L, keys[i], top + 1, top + 2))
                add_difference(L, keys[i], top + 1, top + 2, words);
        }
        lua_settop(L, top);
    }
}
