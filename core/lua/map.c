/*
 * map "file": a set, or keys with values, that is read again when it changes;
 * and addresses:in_file.
 *
 * All that name the same file share what was read of it. A file is looked at
 * once a second at most, by one fiber in the pool; the others go on with what
 * there is. What cannot be read leaves what was read before in its place.
 */
#include <config.h>

#include <string.h>

#include "base/memory.h"
#include "io/file.h"
#include "lua/script.h"
#include "mail/lookup.h"

#define FILES "postrider.files" /* path -> file, in the registry */
#define TYPE_FILE "postrider.file"
#define LOOK_AGAIN 1000 /* ms */

struct file {
    struct lookup *lookup; /* NULL until it was read */
    struct lookup_file known;
    pr_time looked;
    bool is_looking;    /* a fiber is at it */
    bool is_complained; /* the log has its trouble */
    struct pr_event looked_at;
    char path[];
};

static int file_free(lua_State *L)
{
    struct file *file = luaL_checkudata(L, 1, TYPE_FILE);

    lookup_free(file->lookup);
    file->lookup = NULL;
    return 0;
}

/* Pushes the file of that path. */
static struct file *push_file(lua_State *L, const char *path)
{
    struct script *script = script_of(L);
    struct pr_arena *arena = script->running->message != NULL
                                 ? script->running->message->arena
                                 : script->arena;
    struct file *file;
    char *absolute;

    if (path[0] != '/' && path[0] != '~')
        path = lua_pushfstring(L, "%s/%s", script->directory, path);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, FILES);
    if (lua_getfield(L, -1, path) == LUA_TUSERDATA)
        return lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (file_absolute(arena, path, &absolute) != PR_OK)
        script_raise(L, PR_NOMEM);
    file = lua_newuserdatauv(L, sizeof *file + strlen(absolute) + 1, 0);
    memset(file, 0, sizeof *file);
    memcpy(file->path, absolute, strlen(absolute) + 1);
    luaL_setmetatable(L, TYPE_FILE);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, path);
    return file;
}

/* ---- Reading ------------------------------------------------------------- */

struct reading {
    const char *path;
    const struct lookup_file *known;
    struct lookup_file now;
    struct lookup *lookup;
};

static pr_status read_file(void *argument)
{
    struct reading *job = argument;

    return lookup_read(job->path, job->known, &job->now, &job->lookup);
}

static void complain(struct file *file)
{
    static const struct pr_log log = {.name = "map"};

    if (!file->is_complained)
        pr_log(&log, PR_LOG_WARNING,
               "%s; what was read of it before still holds",
               pr_last_failure()->text);
    file->is_complained = true;
}

/* Looks at the file, and reads it if it changed. Waits. */
static pr_status look(struct file *file)
{
    struct reading job = {.path = file->path,
                          .known = file->lookup != NULL ? &file->known : NULL};
    pr_status status;

    file->is_looking = true;
    status = pr_offload(read_file, &job);
    file->is_looking = false;
    file->looked = pr_now();
    pr_event_wake_all(&file->looked_at);
    if (status == PR_OK && job.lookup != NULL) {
        lookup_free(file->lookup);
        file->lookup = job.lookup;
        file->known = job.now;
    }
    if (status == PR_OK)
        file->is_complained = false;
    if (status == PR_OK || file->lookup == NULL)
        return status;
    complain(file);
    return PR_OK;
}

static pr_status bring_up_to_date(struct file *file, pr_time deadline)
{
    while (file->lookup == NULL && file->is_looking) {
        pr_status status = pr_event_wait(&file->looked_at, deadline);

        if (status != PR_OK)
            return status;
    }
    if (file->is_looking ||
        (file->lookup != NULL && pr_now() - file->looked < LOOK_AGAIN))
        return PR_OK;
    return look(file);
}

/* What stands in the file; raises if it was never read. Waits, and whoever
 * waits after it asks again. */
static const struct lookup *current(lua_State *L, struct file *file)
{
    pr_status status = PR_OK;

    if (file->lookup == NULL ||
        (!file->is_looking && pr_now() - file->looked >= LOOK_AGAIN)) {
        pr_time deadline = script_of(L)->running->deadline;
        struct run *run = script_pause(L);

        status = bring_up_to_date(file, deadline);
        script_resume_spent(run, 0);
    }
    if (status != PR_OK)
        script_raise(L, status);
    return file->lookup;
}

/* ---- The type ------------------------------------------------------------ */

struct map {
    struct file *file; /* kept by the uservalue */
};

static struct file *check_map(lua_State *L)
{
    const struct map *map = luaL_testudata(L, 1, TYPE_MAP);

    if (map == NULL)
        luaL_error(L,
                   "expects a map, got %s: methods are called with a colon, as "
                   "in people:has(m.from)",
                   type_words(L, 1));
    return map->file;
}

/* map "path": a file with an entry, or `key = value` (white space around the
 * sign), a line; "#" begins a comment. In entries "*" and "?" stand for
 * anything, "@example.org" is every address there, and case does not count. It
 * is read when it is first asked, and again when it changes. */
static int new_map(lua_State *L)
{
    const char *path = check_text(L, 1);
    struct map *map;

    luaL_argcheck(L, path[0] != '\0', 1, "the path is empty");
    lua_settop(L, 1);
    push_file(L, path);
    map = lua_newuserdatauv(L, sizeof *map, 1);
    map->file = lua_touserdata(L, -2);
    luaL_setmetatable(L, TYPE_MAP);
    lua_pushvalue(L, -2);
    lua_setiuservalue(L, -2, 1);
    return 1;
}

/* Is the key at `arg`, a text or addresses, in the file? */
static bool find(lua_State *L, struct file *file, int arg,
                 const char **ret_value)
{
    const struct lookup *lookup = current(L, file);
    size_t size;
    const char *text;
    bool found;

    *ret_value = NULL;
    if (lua_isnil(L, arg)) /* as the address of mail without a sender is */
        return false;
    if (luaL_testudata(L, arg, TYPE_ADDRESSES) != NULL)
        return addresses_stand_in(L, arg, lookup, ret_value);
    text = luaL_checklstring(L, arg, &size);
    push_folded(L, text, size);
    text = lua_tostring(L, -1);
    found = strchr(text, '@') != NULL ? lookup_address(lookup, text, ret_value)
                                      : lookup_text(lookup, text, ret_value);
    lua_pop(L, 1);
    return found;
}

/* map:has(key): does the text, or one of the addresses, stand in the file?
 * Waits. */
static int has(lua_State *L)
{
    const char *value;

    lua_pushboolean(L, find(L, check_map(L), 2, &value));
    return 1;
}

/* map:get(key), map[key]: the text beside the key; true if nothing stands
 * beside it; nil if the key is not in the file. Waits. */
static int get(lua_State *L)
{
    const char *value;

    if (!find(L, check_map(L), 2, &value))
        luaL_pushfail(L);
    else if (value != NULL)
        lua_pushstring(L, value);
    else
        lua_pushboolean(L, true);
    return 1;
}

static int map_index(lua_State *L)
{
    struct file *file = check_map(L);

    (void)file;
    if (lua_type(L, 2) == LUA_TSTRING) {
        const char *name = lua_tostring(L, 2);

        if (strcmp(name, "has") == 0 || strcmp(name, "get") == 0) {
            lua_pushcfunction(L, name[0] == 'h' ? has : get);
            return 1;
        }
    }
    return get(L);
}

/* #map: how many entries it has. Waits. */
static int map_length(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)lookup_count(current(L, check_map(L))));
    return 1;
}

bool stands_in_file(lua_State *L, int arg, const char *path)
{
    const char *value;
    struct file *file = push_file(L, path);

    return find(L, file, arg, &value);
}

void open_maps(lua_State *L)
{
    static const luaL_Reg file[] = {{"__gc", file_free}, {NULL, NULL}};
    static const luaL_Reg map[] = {
        {"__index", map_index}, {"__len", map_length}, {NULL, NULL}};

    new_type(L, TYPE_FILE, file);
    new_type(L, TYPE_MAP, map);
    lua_pushcfunction(L, new_map);
    lua_setglobal(L, "map");
}
