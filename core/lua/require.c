/*
 * require: files beside the configuration, and the installed library, by names
 * that cannot lead elsewhere.
 *
 * A library that is required runs as any text of the configuration does: with
 * the same names, grants and limits. The names that begin with "postrider." are
 * its own: no file beside the configuration takes their place.
 */
#include <config.h>

#include <ctype.h>
#include <dirent.h>
#include <string.h>
#include <unistd.h>

#include "lua/script.h"

#define LOADED "postrider.loaded"
#define OWN "postrider."
#define LIBRARY POSTRIDER_SCRIPT_DIR "/lib"
#define NEAR_MOST 1000 /* names that an unknown one is compared with */

/* Names are words with dots between them: they cannot leave the folder. */
static bool is_module_name(const char *name)
{
    size_t word = 0;

    for (; *name != '\0'; name++) {
        if (*name == '.' ? word == 0
                         : !isalnum((unsigned char)*name) && *name != '_' &&
                               *name != '-')
            return false;
        word = *name == '.' ? 0 : word + 1;
    }
    return word > 0;
}

static bool is_own(const char *name)
{
    return strncmp(name, OWN, strlen(OWN)) == 0;
}

/* The file of a module, into the arena; NULL if there is none. `ret_shown` is
 * its name in places. */
static const char *find_module(lua_State *L, const char *name,
                               const char **ret_shown)
{
    struct script *script = script_of(L);
    const char *const folders[] = {script->directory, LIBRARY};
    const char *dots = luaL_gsub(L, name, ".", "/");

    for (size_t i = is_own(name) ? 1 : 0; i < sizeof folders / sizeof *folders;
         i++) {
        const char *path =
            pr_arena_printf(script->arena, "%s/%s.lua", folders[i], dots);

        if (path == NULL)
            script_raise(L, PR_NOMEM);
        if (access(path, R_OK) == 0) {
            *ret_shown = path + strlen(folders[i]) + 1;
            return path;
        }
    }
    return NULL;
}

/* ---- Names that are near ------------------------------------------------- */

struct near {
    struct pr_arena *arena;
    const char *names[NEAR_MOST + 1];
    size_t count;
};

/* Adds the modules that lie in the folder, `before` before their names. */
static void add_modules(struct near *near, const char *folder,
                        const char *before)
{
    DIR *found = opendir(folder);
    struct dirent *entry;

    while (found != NULL && (entry = readdir(found)) != NULL) {
        size_t size = strlen(entry->d_name);
        const char *name;

        if (size <= 4 || strcmp(entry->d_name + size - 4, ".lua") != 0 ||
            near->count == NEAR_MOST)
            continue;
        name = pr_arena_printf(near->arena, "%s%.*s", before, (int)(size - 4),
                               entry->d_name);
        if (name != NULL && is_module_name(name))
            near->names[near->count++] = name;
    }
    if (found != NULL)
        closedir(found);
}

static int no_such_module(lua_State *L, const char *name)
{
    struct script *script = script_of(L);
    struct near *near = script_alloc(L, script->arena, sizeof *near);
    char words[200];

    near->arena = script->arena;
    near->count = 0;
    add_modules(near, LIBRARY "/postrider", OWN);
    if (!is_own(name))
        add_modules(near, script->directory, "");
    near->names[near->count] = NULL;
    if (is_own(name))
        return luaL_error(L, "require: the library has no \"%s\"%s", name,
                          near_text(name, near->names, words, sizeof words));
    return luaL_error(L,
                      "require: there is no %s.lua beside the configuration or "
                      "in the library%s",
                      name, near_text(name, near->names, words, sizeof words));
}

/* ---- require ------------------------------------------------------------- */

/* require(name): the value of the file name.lua, run once. Files lie beside the
 * configuration or in the installed library, whose names begin with
 * "postrider."; dots lead into folders. */
static int require(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    const char *path, *shown = NULL;
    pr_status status;

    lua_settop(L, 1);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LOADED);
    if (lua_getfield(L, 2, name) != LUA_TNIL)
        return 1;
    if (!is_module_name(name))
        return luaL_error(L, "require: \"%s\" is no name of a module", name);
    if (script_of(L)->running->who != NULL)
        return luaL_error(L,
                          "require: \"%s\" must be loaded at the top of the "
                          "configuration, not in a rule",
                          name);
    path = find_module(L, name, &shown);
    if (path == NULL)
        return no_such_module(L, name);
    /* While it is being loaded, a second require of it ends here. */
    lua_pushboolean(L, true);
    lua_setfield(L, 2, name);
    status = source_load(script_of(L), L, path, shown);
    if (status != PR_OK)
        script_raise(L, status);
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    if (lua_isnil(L, -1))
        lua_pushboolean(L, true);
    lua_pushvalue(L, -1);
    lua_setfield(L, 2, name);
    return 1;
}

void open_require(lua_State *L)
{
    lua_pushcfunction(L, require);
    lua_setglobal(L, "require");
}
