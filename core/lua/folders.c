/*
 * folders: the folders of a sweep's account, listed and changed.
 */
#include <config.h>

#include <string.h>
#include <strings.h>

#include "lua/box.h"
#include "lua/calls.h"

static struct sweep_box *check_sweep(lua_State *L, const char *name)
{
    const struct run *root = script_of(L)->running->root;

    if (root->box == NULL)
        luaL_error(L,
                   "folders.%s: only in the function of a sweep, which says "
                   "whose folders they are",
                   name);
    return check_open(L, root->box);
}

static const char *check_folder_name(lua_State *L, int arg)
{
    const char *name = check_text(L, arg);

    luaL_argcheck(L, name[0] != '\0' && strpbrk(name, "\r\n") == NULL, arg,
                  "this cannot be a folder's name");
    return name;
}

/* What would pull the ground from under the sweep, or mean something else. */
static void check_movable(lua_State *L, const struct sweep_box *box,
                          const char *what, const char *name)
{
    if (strcasecmp(name, "INBOX") == 0)
        luaL_error(L, "folders.%s: INBOX is always there", what);
    if (strcmp(name, box->folder) == 0)
        luaL_error(L,
                   "folders.%s: \"%s\" is the folder that is swept just now: "
                   "do it in the sweep of another one",
                   what, name);
}

static int change(lua_State *L, enum sweep_action action, const char *what)
{
    struct sweep_box *box = check_sweep(L, what);
    const char *name = check_folder_name(L, 1);

    check_changes(L, box);
    add_step(L, box, (struct sweep_step){.action = action, .text = name});
    return 0;
}

/* folders.create(name): fine if it is there */
static int create(lua_State *L)
{
    return change(L, SWEEP_CREATE, "create");
}

/* folders.subscribe(name): other programs show it */
static int subscribe(lua_State *L)
{
    return change(L, SWEEP_SUBSCRIBE, "subscribe");
}

/* folders.unsubscribe(name): other programs do not show it */
static int unsubscribe(lua_State *L)
{
    return change(L, SWEEP_UNSUBSCRIBE, "unsubscribe");
}

/* folders.rename(name, new_name): with those below it */
static int rename_folder(lua_State *L)
{
    struct sweep_box *box = check_sweep(L, "rename");
    const char *name = check_folder_name(L, 1), *to = check_folder_name(L, 2);

    check_changes(L, box);
    check_movable(L, box, "rename", name);
    add_step(
        L, box,
        (struct sweep_step){.action = SWEEP_RENAME, .text = name, .value = to});
    return 0;
}

/* folders.delete(name, { with_messages = true }): without that only if it is
 * empty */
static int delete_folder(lua_State *L)
{
    static const char *const names[] = {"with_messages", NULL};
    struct sweep_box *box = check_sweep(L, "delete");
    const char *name = check_folder_name(L, 1);
    bool with_messages = false;

    if (!lua_isnoneornil(L, 2)) {
        luaL_checktype(L, 2, LUA_TTABLE);
        call_check_fields(L, "folders.delete", 2, names);
        with_messages = lua_getfield(L, 2, "with_messages") == LUA_TBOOLEAN &&
                        lua_toboolean(L, -1);
    }
    check_changes(L, box);
    check_movable(L, box, "delete", name);
    add_step(L, box,
             (struct sweep_step){.action = SWEEP_DROP,
                                 .text = name,
                                 .with_messages = with_messages});
    return 0;
}

/* ---- Listing ------------------------------------------------------------- */

struct listing {
    struct pr_buffer *names; /* each with its NUL */
};

static pr_status note_name(void *user, const char *name)
{
    struct listing *listing = user;

    return pr_buffer_add(listing->names, name, strlen(name) + 1);
}

/* folders.list(pattern, ...): list of names, of all folders if no pattern is
 * given; "*" stands for anything, "%" for anything on one level, "!" before a
 * pattern leaves out. Waits */
static int list(lua_State *L)
{
    struct sweep_box *box = check_sweep(L, "list");
    int count = lua_gettop(L);
    const char **patterns;
    struct listing listing;
    struct run *run;
    pr_status status;

    if (count == 0) {
        lua_pushliteral(L, "*");
        count = 1;
    }
    for (int i = 1; i <= count; i++)
        check_folder_name(L, i);
    patterns = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof *patterns, 0);
    for (int i = 0; i < count; i++)
        patterns[i] = lua_tostring(L, i + 1);
    patterns[count] = NULL;
    listing.names = push_buffer(L, (size_t)16 * 1024 * 1024);
    run = script_pause(L);
    status = box->ops->folders(box, patterns, note_name, &listing);
    script_resume_working(run, listing.names->size);
    check_call(L, status);
    lua_newtable(L);
    for (size_t at = 0; at < listing.names->size;) {
        const char *name = listing.names->data + at;

        lua_pushstring(L, name);
        lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
        at += strlen(name) + 1;
    }
    return 1;
}

void open_folders(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"list", list},
        {"create", create},
        {"rename", rename_folder},
        {"delete", delete_folder},
        {"subscribe", subscribe},
        {"unsubscribe", unsubscribe},
        {NULL, NULL},
    };

    push_library(L, "folders", functions);
}
