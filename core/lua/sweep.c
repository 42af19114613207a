/*
 * sweep("name", { account, folder, every }, function(box) ... end), and running
 * its function over a folder.
 */
#include <config.h>

#include <string.h>

#include "lua/box.h"
#include "plugin/registry.h"

/* So many times as long as rules have for a message. */
#define SWEEP_TIMES 30
#define EVERY_LEAST 1000u /* ms */

/* ---- Noting them --------------------------------------------------------- */

struct selector {
    const char *const *account, *const *folder;
    uint64_t every;
};

static const struct pr_class selector_class = {
    .size = sizeof(struct pr_class),
    .name = "sweep",
    .options =
        (const struct pr_option[]){
            {.name = "account",
             .kind = PR_OPTION_LIST,
             .offset = offsetof(struct selector, account),
             .help = "accounts whose folders are swept"},
            {.name = "folder",
             .kind = PR_OPTION_LIST,
             .offset = offsetof(struct selector, folder),
             .required = true,
             .help = "folders that are swept, one after the other"},
            {.name = "every",
             .kind = PR_OPTION_DURATION,
             .offset = offsetof(struct selector, every),
             .fallback = "1d",
             .help = "how often it runs"},
            {.name = NULL},
        },
    .options_size = sizeof(struct selector),
};

static struct place place_of(const struct sweep *sweep)
{
    return (struct place){sweep->file, sweep->line};
}

static struct place field_of(lua_State *L, const struct sweep *sweep,
                             const char *field)
{
    return source_field(script_of(L), place_of(sweep), "sweep", field);
}

static void read_selector(lua_State *L, struct sweep *sweep)
{
    static const char *const names[] = {"account", "folder", NULL};
    struct selector *selector =
        script_alloc(L, script_of(L)->arena, sizeof *selector);
    struct reader reader = {
        .what = lua_pushfstring(L, "sweep \"%s\"", sweep->name),
        .opener = "sweep",
        .class = &selector_class,
        .options = selector,
        .place = place_of(sweep),
    };

    selector->every = (uint64_t)24 * 60 * 60 * 1000;
    push_selector(L, 2, names);
    reader_read(L, &reader, lua_gettop(L));
    sweep->accounts = selector->account;
    sweep->folders = selector->folder;
    sweep->every = selector->every;
    if (sweep->every < EVERY_LEAST)
        problem_add(L, field_of(L, sweep, "every"),
                    "sweep \"%s\": every: is less than a second", sweep->name);
}

static struct sweep *add_sweep(lua_State *L, const char *name)
{
    struct script *script = script_of(L);
    struct place place = script_place(L, 1);
    struct sweep *sweep;

    for (size_t i = 0; i < script->sweep_count; i++)
        if (strcmp(script->sweeps[i].name, name) == 0)
            problem_add(L, place, "sweep \"%s\" stands at line %d already",
                        name, script->sweeps[i].line);
    script->sweeps = script_grow(L, script->sweeps, script->sweep_count,
                                 &script->sweeps_allocated, sizeof *sweep);
    sweep = &script->sweeps[script->sweep_count];
    *sweep = (struct sweep){
        .name = script_copy(L, script->arena, name),
        .file = script_copy(L, script->arena, place.file),
        .line = place.line,
        .function = LUA_NOREF,
    };
    script->sweep_count++;
    return sweep;
}

/* sweep(name, { folder = ..., account = ..., every = "1d" }, function(box) ...
 * end): acts on what is in a folder on the server, at its interval */
static int sweep(lua_State *L)
{
    struct sweep *added;

    if (script_of(L)->running->who != NULL)
        return luaL_error(L, "sweep: not in a rule");
    if (lua_type(L, 1) != LUA_TSTRING || !lua_istable(L, 2) ||
        !lua_isfunction(L, 3))
        return luaL_error(L,
                          "sweep: expects sweep(\"name\", { folder = ... }, "
                          "function(box) ... end), got %s, %s, %s",
                          type_words(L, 1), type_words(L, 2), type_words(L, 3));
    lua_settop(L, 3);
    added = add_sweep(L, check_text(L, 1));
    lua_pushvalue(L, 3);
    added->function = luaL_ref(L, LUA_REGISTRYINDEX);
    read_selector(L, added);
    return 0;
}

void open_sweeps(lua_State *L)
{
    lua_pushcfunction(L, sweep);
    lua_setglobal(L, "sweep");
    open_boxes(L);
    open_sets(L);
}

/* ---- What can be said when all accounts are known ------------------------ */

static bool can_search(const struct account *account)
{
    const struct pr_source_ops *ops =
        account->source != NULL ? account->source->source : NULL;

    return ops == NULL || (REGISTRY_COVERS(ops, search) && ops->search != NULL);
}

static bool is_for_any(const struct config *config, const struct sweep *sweep)
{
    for (size_t i = 0; i < config->account_count; i++)
        if (config->accounts[i].source == NULL ||
            sweep_takes(sweep, &config->accounts[i]))
            return true;
    return config->account_count == 0;
}

void finish_sweeps(lua_State *L)
{
    const struct script *script = script_of(L);

    for (size_t i = 0; i < script->sweep_count; i++) {
        const struct sweep *one = &script->sweeps[i];
        size_t problems = script->problem_count;

        const char *what = lua_pushfstring(L, "sweep \"%s\"", one->name);

        check_accounts(L, field_of(L, one, "account"), one->accounts, what,
                       can_search, "cannot search and move mail on its server");
        lua_pop(L, 1);
        if (problems == script->problem_count &&
            !is_for_any(script->config, one))
            problem_add(L, place_of(one),
                        "sweep \"%s\": there is no account whose mail can be "
                        "searched on the server",
                        one->name);
    }
}

/* ---- For the engine ------------------------------------------------------ */

const struct sweep *config_sweep(const struct config *config, size_t index)
{
    return &config->script->sweeps[index];
}

bool sweep_takes(const struct sweep *sweep, const struct account *account)
{
    return account->source != NULL && can_search(account) &&
           patterns_take(sweep->accounts, account->name);
}

struct sweeping {
    struct sweep_box *box;
    struct box_cell *cell; /* lent by the registry */
};

static int push_arguments(lua_State *L, void *user)
{
    struct sweeping *sweeping = user;

    sweeping->cell = push_box(L, sweeping->box);
    script_of(L)->running->box = sweeping->cell;
    return 1;
}

static void take_nothing(lua_State *L, void *user)
{
    (void)L;
    (void)user;
}

/* Only what cannot raise: this is outside of any protected call. */
static void end_box(struct script *script, struct sweeping *sweeping)
{
    if (sweeping->cell == NULL)
        return;
    sweeping->cell->box = NULL;
    if (sweeping->cell->message != NULL)
        sweeping->cell->message->message = NULL;
    lua_pushnil(script->L);
    lua_rawsetp(script->L, LUA_REGISTRYINDEX, sweeping->box);
}

pr_status sweep_run(struct config *config, const struct sweep *sweep,
                    struct sweep_box *box)
{
    struct sweeping sweeping = {.box = box};
    char what[300];
    struct turn turn = {
        .script = config->script,
        .who = box->account,
        .what = what,
        .function = sweep->function,
        .count = SWEEP_TIMES,
        .push = push_arguments,
        .take = take_nothing,
        .user = &sweeping,
    };
    pr_status status;

    snprintf(what, sizeof what, "sweep \"%.200s\"", sweep->name);
    status = turn_run(&turn);
    end_box(config->script, &sweeping);
    return status;
}
