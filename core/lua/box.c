/*
 * The box of a sweep: one folder of one account, while its function runs.
 */
#include <config.h>

#include "lua/box.h"

#include <string.h>

#include "mail/ranges.h"

/* Octets of the ranges that one search finds. */
#define FOUND_MOST ((size_t)64 * 1024 * 1024)

struct box_cell *push_box(lua_State *L, struct sweep_box *box)
{
    size_t size = strlen(box->folder) + 1;
    struct box_cell *cell = lua_newuserdatauv(L, sizeof *cell + size, 2);

    *cell = (struct box_cell){.box = box, .folder = (char *)(cell + 1)};
    memcpy(cell->folder, box->folder, size);
    luaL_setmetatable(L, TYPE_BOX);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, box);
    return cell;
}

struct sweep_box *check_open(lua_State *L, const struct box_cell *cell)
{
    if (cell->box == NULL)
        luaL_error(L,
                   "the sweep of \"%s\" is over: boxes and sets can be used "
                   "only by the function that got them",
                   cell->folder);
    return cell->box;
}

struct box_cell *check_box(lua_State *L, int arg)
{
    struct box_cell *cell = luaL_testudata(L, arg, TYPE_BOX);

    if (cell == NULL)
        luaL_error(L,
                   "expects the box, got %s: methods are called with a colon, "
                   "as in box:search { ... }",
                   type_words(L, arg));
    check_open(L, cell);
    return cell;
}

void check_call(lua_State *L, pr_status status)
{
    if (status != PR_OK)
        script_raise(L, status);
}

void check_changes(lua_State *L, const struct sweep_box *box)
{
    if (box->read_only)
        luaL_error(L,
                   "nothing can be changed in \"%s\": the account is "
                   "read_only, or the server lets us only read",
                   box->folder);
}

void add_step(lua_State *L, struct sweep_box *box, struct sweep_step step)
{
    struct place place = script_outer_place(L);

    step.file = place.file;
    step.line = place.line;
    check_call(L, sweep_plan_add(&box->plan, &step));
}

/* ---- Searching ----------------------------------------------------------- */

void push_found(lua_State *L, int arg, const struct pr_search_key *keys,
                size_t count)
{
    struct sweep_box *box = check_box(L, arg)->box;
    struct pr_buffer *found = push_buffer(L, FOUND_MOST);
    struct run *run = script_pause(L);
    pr_status status = box->ops->search(box, keys, count, found);

    script_resume_working(run, found->size);
    check_call(L, status);
    push_set(L, arg, (const struct pr_range *)(const void *)found->data,
             found->size / sizeof(struct pr_range));
    lua_remove(L, -2);
}

/* box:all(): set of all messages. Waits */
static int all(lua_State *L)
{
    const struct pr_search_key key = {.by = PR_SEARCH_ALL};

    push_found(L, 1, &key, 1);
    return 1;
}

/* box:none(): set of no message, to begin with */
static int none(lua_State *L)
{
    check_box(L, 1);
    push_set(L, 1, NULL, 0);
    return 1;
}

/* ---- The type ------------------------------------------------------------ */

static const luaL_Reg methods[] = {
    {"search", box_search}, {"all", all}, {"none", none}, {NULL, NULL}};

/* box.account: text, the name of the account; box.folder: text, the folder that
 * is swept; box.count: number of its messages when it was opened */
static int box_index(lua_State *L)
{
    static const char *const names[] = {"account", "folder", "count", "search",
                                        "all",     "none",   NULL};
    const struct box_cell *cell = luaL_checkudata(L, 1, TYPE_BOX);
    const char *name = luaL_tolstring(L, 2, NULL);
    const struct sweep_box *box;

    for (const luaL_Reg *method = methods; method->name != NULL; method++)
        if (strcmp(method->name, name) == 0) {
            lua_pushcfunction(L, method->func);
            return 1;
        }
    box = check_open(L, cell);
    if (strcmp(name, "account") == 0)
        lua_pushstring(L, box->account);
    else if (strcmp(name, "folder") == 0)
        lua_pushstring(L, box->folder);
    else if (strcmp(name, "count") == 0)
        lua_pushinteger(L, (lua_Integer)box->exists);
    else
        return raise_unknown(L, "a box has no", name, names);
    return 1;
}

static int box_tostring(lua_State *L)
{
    const struct box_cell *cell = luaL_checkudata(L, 1, TYPE_BOX);

    lua_pushfstring(L, "box \"%s\"", cell->folder);
    return 1;
}

void open_boxes(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"__index", box_index}, {"__tostring", box_tostring}, {NULL, NULL}};

    new_type(L, TYPE_BOX, functions);
    luaL_getmetatable(L, TYPE_BOX);
    lua_pushcfunction(L, box_index);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    open_folders(L);
}
