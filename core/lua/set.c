/*
 * Sets of messages of a box: united, intersected, subtracted; acted on as a
 * whole; gone through one message after the other.
 */
#include <config.h>

#include <string.h>

#include "lua/box.h"
#include "mail/ranges.h"

/* The box is its first value. */
struct set {
    size_t count;
    struct pr_range ranges[];
};

void push_set(lua_State *L, int arg, const struct pr_range *ranges,
              size_t count)
{
    struct set *set =
        lua_newuserdatauv(L, sizeof *set + count * sizeof *ranges, 1);

    set->count = count;
    if (count > 0)
        memcpy(set->ranges, ranges, count * sizeof *ranges);
    set->count = ranges_tidy(set->ranges, count);
    luaL_setmetatable(L, TYPE_SET);
    lua_pushvalue(L, arg);
    lua_setiuservalue(L, -2, 1);
}

static const struct set *check_set(lua_State *L, int arg)
{
    const struct set *set = luaL_testudata(L, arg, TYPE_SET);

    if (set == NULL)
        luaL_error(L,
                   "expects a set of messages, got %s: methods are called with "
                   "a colon, as in set:move \"Trash\"",
                   type_words(L, arg));
    return set;
}

/* The box of the set at `arg`, left on the stack. */
static struct box_cell *push_box_of(lua_State *L, int arg)
{
    lua_getiuservalue(L, arg, 1);
    return lua_touserdata(L, -1);
}

static struct sweep_box *check_set_open(lua_State *L, int arg)
{
    struct sweep_box *box;

    check_set(L, arg);
    box = check_open(L, push_box_of(L, arg));
    lua_pop(L, 1);
    return box;
}

/* ---- Algebra ------------------------------------------------------------- */

typedef size_t combine(const struct pr_range *a, size_t a_count,
                       const struct pr_range *b, size_t b_count,
                       struct pr_range *out);

static void check_alike(lua_State *L)
{
    const struct box_cell *left = push_box_of(L, 1), *right = push_box_of(L, 2);

    if (left != right && strcmp(left->folder, right->folder) == 0)
        luaL_error(L, "sets of different runs over \"%s\" cannot be combined",
                   left->folder);
    if (left != right)
        luaL_error(L,
                   "sets of different folders cannot be combined: \"%s\" and "
                   "\"%s\"",
                   left->folder, right->folder);
    lua_pop(L, 2);
}

static int combined(lua_State *L, combine *how)
{
    const struct set *a = check_set(L, 1), *b = check_set(L, 2);
    struct pr_range *out;
    size_t count;

    lua_settop(L, 2);
    check_alike(L);
    out = lua_newuserdatauv(L, (a->count + b->count + 1) * sizeof *out, 0);
    count = how(a->ranges, a->count, b->ranges, b->count, out);
    push_box_of(L, 1);
    push_set(L, 4, out, count);
    return 1;
}

static int set_union(lua_State *L)
{
    return combined(L, ranges_union);
}

static int set_common(lua_State *L)
{
    return combined(L, ranges_common);
}

static int set_without(lua_State *L)
{
    return combined(L, ranges_without);
}

static int set_length(lua_State *L)
{
    const struct set *set = check_set(L, 1);

    lua_pushinteger(L, (lua_Integer)ranges_size(set->ranges, set->count));
    return 1;
}

static int set_equal(lua_State *L)
{
    const struct set *a = check_set(L, 1), *b = check_set(L, 2);
    bool are_equal =
        push_box_of(L, 1) == push_box_of(L, 2) && a->count == b->count &&
        memcmp(a->ranges, b->ranges, a->count * sizeof *a->ranges) == 0;

    lua_pushboolean(L, are_equal);
    return 1;
}

/* local a = box:all()
 * (a - b):move "Trash"        is one statement to Lua, which calls the first
 * set.
 */
static int set_call(lua_State *L)
{
    return luaL_error(L, "a set cannot be called: a line that begins with a "
                         "parenthesis goes on with the line before it, so "
                         "give the set a name first, as in local gone = a - b");
}

static int set_tostring(lua_State *L)
{
    const struct set *set = check_set(L, 1);
    char text[200];

    lua_pushfstring(L, "set of %I message(s): %s",
                    (lua_Integer)ranges_size(set->ranges, set->count),
                    ranges_text(set->ranges, set->count, text, sizeof text));
    return 1;
}

/* ---- Actions ------------------------------------------------------------- */

/* Leaves the set, so that actions can follow one another. */
static int act(lua_State *L, enum sweep_action action, const char *text)
{
    struct sweep_box *box = check_set_open(L, 1);
    const struct set *set = check_set(L, 1);

    check_changes(L, box);
    if (set->count > 0)
        add_step(L, box,
                 (struct sweep_step){.action = action,
                                     .text = text,
                                     .uids = (struct pr_range *)set->ranges,
                                     .uid_count = set->count});
    lua_settop(L, 1);
    return 1;
}

/* set:flag(name): a flag such as "\\Flagged" or a keyword; returns the set */
static int set_flag(lua_State *L)
{
    return act(L, SWEEP_FLAG, check_flag(L, 2));
}

/* set:unflag(name): a flag or a keyword is taken away; returns the set */
static int set_unflag(lua_State *L)
{
    return act(L, SWEEP_UNFLAG, check_flag(L, 2));
}

/* set:label(name): a label of the server's own where it has such, else a
 * keyword; returns the set */
static int set_label(lua_State *L)
{
    bool has_labels = check_set_open(L, 1)->has_labels;
    const char *label = check_label(L, 2, has_labels);

    return act(L, has_labels ? SWEEP_LABEL : SWEEP_FLAG, label);
}

/* set:unlabel(name): a label is taken away; returns the set */
static int set_unlabel(lua_State *L)
{
    bool has_labels = check_set_open(L, 1)->has_labels;
    const char *label = check_label(L, 2, has_labels);

    return act(L, has_labels ? SWEEP_UNLABEL : SWEEP_UNFLAG, label);
}

/* No mail names it: what is empty is a mistake. */
static const char *check_target(lua_State *L)
{
    luaL_argcheck(L, luaL_checkstring(L, 2)[0] != '\0', 2,
                  "this cannot be a folder's name");
    return check_folder(L, 2);
}

/* set:move(folder): made if it is not there; returns the set */
static int set_move(lua_State *L)
{
    return act(L, SWEEP_MOVE, check_target(L));
}

/* set:copy_to(folder): made if it is not there; returns the set */
static int set_copy_to(lua_State *L)
{
    return act(L, SWEEP_COPY_TO, check_target(L));
}

/* set:delete(): for good; returns the set */
static int set_delete(lua_State *L)
{
    return act(L, SWEEP_DELETE, NULL);
}

/* ---- One after the other ------------------------------------------------- */

/* The message before is the loop's no more. */
static void leave_message(struct box_cell *cell)
{
    if (cell->message != NULL)
        cell->message->message = NULL;
    cell->message = NULL;
}

static bool push_next(lua_State *L, struct box_cell *cell, int box_at,
                      struct sweep_reader *reader)
{
    struct sweep_box *box = check_open(L, cell);
    struct message *message = NULL;
    struct run *run;
    pr_status status;

    leave_message(cell);
    run = script_pause(L);
    status = box->ops->next(reader, &message);
    script_resume(run);
    if (status == PR_EOF)
        return false;
    check_call(L, status);
    cell->message = push_message(L, script_of(L)->running->root);
    cell->message->message = message;
    lua_pushvalue(L, -1); /* kept alive with the box */
    lua_setiuservalue(L, box_at, 1);
    return true;
}

/* Upvalues: the box, the reader. */
static int next_message(lua_State *L)
{
    struct box_cell *cell = lua_touserdata(L, lua_upvalueindex(1));

    lua_settop(L, 0);
    lua_pushvalue(L, lua_upvalueindex(1));
    return push_next(L, cell, 1, lua_touserdata(L, lua_upvalueindex(2))) ? 1
                                                                         : 0;
}

/* The reader of the set at 1, whose box is pushed. */
static struct sweep_reader *begin_reading(lua_State *L)
{
    const struct set *set = check_set(L, 1);
    struct sweep_box *box = check_set_open(L, 1);
    struct sweep_reader *reader = NULL;
    struct run *run = script_pause(L);
    pr_status status = box->ops->read(box, set->ranges, set->count, &reader);

    script_resume(run);
    check_call(L, status);
    push_box_of(L, 1);
    return reader;
}

/* set:each(): for a `for`: each message that is still there, with the fields
 * and methods that rules have; it can be used until the next one comes. Waits
 */
static int set_each(lua_State *L)
{
    struct sweep_reader *reader = begin_reading(L);

    lua_pushlightuserdata(L, reader);
    lua_pushcclosure(L, next_message, 2);
    return 1;
}

/* set:filter(function(m) return ... end): set of the messages for which it
 * returns true. Waits */
static int set_filter(lua_State *L)
{
    struct sweep_reader *reader;
    struct pr_range *kept;
    size_t count = 0;
    const struct set *set = check_set(L, 1);
    uint64_t most = ranges_size(set->ranges, set->count);

    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    kept = lua_newuserdatauv(L, (size_t)(most + 1) * sizeof *kept, 0);
    reader = begin_reading(L);
    while (push_next(L, lua_touserdata(L, 4), 4, reader)) {
        uint32_t uid = check_message(L, 5)->item->uid;

        lua_pushvalue(L, 2);
        lua_insert(L, 5);
        lua_call(L, 1, 1);
        if (lua_toboolean(L, 5) && count <= most)
            kept[count++] = (struct pr_range){uid, uid};
        lua_settop(L, 4);
    }
    push_set(L, 4, kept, count);
    return 1;
}

/* ---- The type ------------------------------------------------------------ */

static const luaL_Reg methods[] = {
    {"flag", set_flag},     {"unflag", set_unflag},
    {"label", set_label},   {"unlabel", set_unlabel},
    {"move", set_move},     {"copy_to", set_copy_to},
    {"delete", set_delete}, {"each", set_each},
    {"filter", set_filter}, {NULL, NULL},
};

#define METHODS (sizeof methods / sizeof *methods)

static int set_index(lua_State *L)
{
    const char *names[METHODS] = {NULL};
    const char *name;

    check_set(L, 1);
    name = luaL_tolstring(L, 2, NULL);
    for (size_t i = 0; methods[i].name != NULL; i++) {
        names[i] = methods[i].name;
        if (strcmp(names[i], name) == 0) {
            lua_pushcfunction(L, methods[i].func);
            return 1;
        }
    }
    return raise_unknown(L, "a set has no", name, names);
}

void open_sets(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"__add", set_union},   {"__mul", set_common},
        {"__sub", set_without}, {"__len", set_length},
        {"__eq", set_equal},    {"__tostring", set_tostring},
        {"__call", set_call},   {NULL, NULL},
    };

    new_type(L, TYPE_SET, functions);
    luaL_getmetatable(L, TYPE_SET);
    lua_pushcfunction(L, set_index);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
