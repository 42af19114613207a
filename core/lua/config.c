/*
 * The configuration as a whole: found, loaded, and refused unless all of it is
 * right.
 */
#include <config.h>

#include "lua/config.h"

#include <stdlib.h>
#include <string.h>

#include "io/file.h"
#include "lua/calls.h"

#define CONNECTIONS_PER_HOST 8
#define CONNECTIONS 4096
#define STALL (5u * 60 * 1000) /* ms */

static const struct pr_log no_log = {.name = "configuration"};

/* $variable/rest, or ~/fallback/rest if it is not set to an absolute path. */
static pr_status under(struct pr_arena *arena, const char *variable,
                       const char *fallback, const char *rest, const char **ret)
{
    const char *base = getenv(variable);
    char *path;
    pr_status status;

    if (base == NULL || base[0] != '/')
        base = fallback;
    path = pr_arena_printf(arena, "%s/%s", base, rest);
    if (path == NULL)
        return PR_NOMEM;
    status = file_absolute(arena, path, &path);
    *ret = path;
    return status;
}

pr_status config_find(const char *given, struct pr_arena *arena,
                      const char **ret)
{
    char *path;
    pr_status status;

    if (given == NULL || given[0] == '\0')
        given = getenv("POSTRIDER_CONFIG");
    if (given == NULL || given[0] == '\0')
        return under(arena, "XDG_CONFIG_HOME", "~/.config",
                     "postrider/config.lua", ret);
    status = file_absolute(arena, given, &path);
    if (status == PR_OK)
        *ret = path;
    return status;
}

const struct account *config_account(const struct config *config,
                                     const char *name)
{
    for (size_t i = 0; i < config->account_count; i++)
        if (strcmp(config->accounts[i].name, name) == 0)
            return &config->accounts[i];
    return NULL;
}

/* ---- Problems ------------------------------------------------------------ */

static int by_place(const void *left, const void *right)
{
    const struct problem *a = left, *b = right;
    int order = strcmp(a->file, b->file);

    if (order == 0)
        order = (a->line > b->line) - (a->line < b->line);
    return order != 0 ? order : strcmp(a->text, b->text);
}

/* Logs what was noted; the first goes into the words. */
static pr_status report(struct script *script)
{
    struct problem *problems = script->problems;

    if (script->problem_count == 0)
        return PR_OK;
    qsort(problems, script->problem_count, sizeof *problems, by_place);
    for (size_t i = 0; i < script->problem_count; i++)
        pr_log(&no_log, PR_LOG_ERROR, "%s:%d: %s", problems[i].file,
               problems[i].line, problems[i].text);
    return pr_fail(PR_CONFIG, "%s:%d: %s", problems[0].file, problems[0].line,
                   problems[0].text);
}

/* ---- Loading ------------------------------------------------------------- */

static int open_all(lua_State *L)
{
    open_sandbox(L);
    open_require(L);
    open_values(L);
    open_accounts(L);
    open_settings(L);
    open_rules(L);
    open_tests(L);
    open_hooks(L);
    open_sweeps(L);
    open_message(L);
    open_addresses(L);
    open_parts(L);
    open_exec(L);
    open_calls(L);
    open_expressions(L);
    open_store(L);
    open_maps(L);
    open_streams(L);
    open_deliveries(L);
    open_sinks(L);
    open_sources(L);
    open_classes(L);
    seal_names(L);
    return 0;
}

/* Runs the chunk that is the first argument; the second is its name. */
static int run_chunk(lua_State *L)
{
    const char *name = lua_touserdata(L, 2);

    lua_pushvalue(L, 1);
    lua_call(L, 0, 0);
    finish_accounts(L);
    finish_rules(L);
    finish_hooks(L);
    finish_services(L);
    finish_sweeps(L);
    if (script_of(L)->config->account_count == 0 &&
        script_of(L)->problem_count == 0)
        problem_add(L, (struct place){name, 1}, "there is no account");
    return 0;
}

/* The words of the error on top of the stack, which is popped. */
static pr_status lua_failure(struct script *script, int status, struct run *run)
{
    const char *words = lua_tostring(script->L, -1);
    char text[200];

    if (status == LUA_ERRMEM)
        script_stop_for_memory(run);
    if (run->stop == STOP_NOMEM)
        pr_fail(PR_NOMEM, "out of memory");
    else if (run->stop != STOP_NONE)
        pr_fail(PR_CONFIG, "the configuration %s",
                script_stop_text(run, text, sizeof text));
    else
        pr_fail(PR_CONFIG, "%s",
                words != NULL ? words : "an error without words");
    lua_pop(script->L, 1);
    return pr_last_failure()->status;
}

static pr_status call(struct script *script, lua_CFunction function,
                      int arguments, struct run *run)
{
    lua_State *L = script->L;
    int status;

    lua_pushcfunction(L, function);
    lua_insert(L, -1 - arguments);
    status = lua_pcall(L, arguments, 0, 0);
    return status == LUA_OK ? PR_OK : lua_failure(script, status, run);
}

static pr_status run_configuration(struct script *script, struct run *run)
{
    const char *file = script->config->file;
    const char *name = strrchr(file, '/') + 1;
    pr_status status = call(script, open_all, 0, run);

    if (status == PR_OK)
        status = source_load(script, script->L, file, name);
    if (status != PR_OK)
        return status;
    lua_pushlightuserdata(script->L, (void *)name);
    return call(script, run_chunk, 2, run);
}

/* An error that ended the loading is one more problem, the first if it is the
 * only one. */
static pr_status load(struct script *script)
{
    struct run run = {.script = script};
    pr_status status;
    char text[PR_FAILURE_MAX];

    script_begin(&run, script, script->L);
    status = run_configuration(script, &run);
    script_end(&run);
    script->memory_base = script->memory;
    if (status == PR_OK)
        return report(script);
    memcpy(text, pr_last_failure()->text, sizeof text);
    pr_log(&no_log, PR_LOG_ERROR, "%s", text);
    if (report(script) == PR_OK || status != PR_CONFIG)
        return pr_fail(status, "%s", text);
    return PR_CONFIG;
}

static pr_status fill(struct config *config, const char *file)
{
    char *absolute, *slash;
    const char *directory;
    pr_status status = file_absolute(config->arena, file, &absolute);

    if (status != PR_OK)
        return status;
    config->file = absolute;
    config->connections_per_host = CONNECTIONS_PER_HOST;
    config->connections = CONNECTIONS;
    config->stall = STALL;
    config->deletions = DELETIONS_DEFAULT;
    status = under(config->arena, "XDG_STATE_HOME", "~/.local/state",
                   "postrider", &config->state_dir);
    if (status != PR_OK)
        return status;
    directory = pr_arena_text(config->arena, absolute);
    if (directory == NULL)
        return PR_NOMEM;
    slash = strrchr(directory, '/');
    if (slash != NULL)
        *slash = '\0';
    status = script_new(config, &config->script);
    if (status != PR_OK)
        return status;
    config->script->directory = directory;
    return load(config->script);
}

pr_status config_load(const char *file, struct config **ret)
{
    struct pr_arena *arena = pr_arena_new();
    struct config *config =
        arena != NULL ? pr_arena_alloc(arena, sizeof *config) : NULL;
    pr_status status;

    if (config == NULL) {
        pr_arena_free(arena);
        return PR_NOMEM;
    }
    config->arena = arena;
    status = fill(config, file);
    if (status == PR_OK) {
        config->rule_count = config->script->rule_count;
        config->hook_count = config->script->hook_count;
        config->sweep_count = config->script->sweep_count;
        *ret = config;
    } else {
        config_free(config);
    }
    return status;
}

void config_free(struct config *config)
{
    if (config == NULL)
        return;
    script_free(config->script);
    pr_arena_free(config->arena);
}
