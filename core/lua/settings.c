/*
 * options { ... }: what holds for the whole program.
 */
#include <config.h>

#include <string.h>

#include "io/file.h"
#include "lua/script.h"

struct settings {
    const char *state;
    int64_t connections_per_host, connections;
    uint64_t stall;
    const char *const *trust_auth;
    const char *metrics;
    bool metrics_remote;
    uint64_t time, memory, total;
    const char *const *save, *const *grant;
    const char *const *dns;
    uint64_t timeout;
    int64_t concurrency;
};

#define OPTION(field, option_kind, ...)                         \
    {                                                           \
        .name = #field, .kind = PR_OPTION_##option_kind,        \
        .offset = offsetof(struct settings, field), __VA_ARGS__ \
    }

static const struct pr_option settings_table[] = {
    OPTION(state, PATH, .help = "folder of what is remembered"),
    OPTION(connections_per_host, NUMBER, .least = 1, .most = 1000,
           .help = "connections at work with one server at the same time"),
    OPTION(connections, NUMBER, .least = 1, .most = 100000,
           .help = "connections in all, those that watch among them"),
    OPTION(stall, DURATION,
           .help = "end a session that has made no step forward for so long"),
    OPTION(trust_auth, LIST,
           .help = "authserv-ids whose Authentication-Results are believed"),
    OPTION(metrics, TEXT,
           .help = "address and port where the daemon shows its metrics "
                   "(\"127.0.0.1:9417\")"),
    OPTION(metrics_remote, BOOLEAN,
           .help = "let metrics be at an address that other machines reach"),
    OPTION(grant, LIST,
           .help = "parts of Lua's library that rules may use: io, os, load"),
    OPTION(save, LIST, .help = "folders that part:save may write to"),
    OPTION(dns, LIST,
           .help = "name servers that rules ask, as \"192.0.2.1:53\"; default: "
                   "the system's"),
    {.name = NULL},
};

static const struct pr_option calls_table[] = {
    OPTION(timeout, DURATION, .help = "time for one answer"),
    OPTION(concurrency, NUMBER, .least = 1, .most = 1000,
           .help = "calls to one server or program at the same time"),
    {.name = NULL},
};

static const struct pr_option limits_table[] = {
    OPTION(time, DURATION, .help = "processor time of a rule between waits"),
    OPTION(memory, SIZE, .help = "memory of the rules over one message"),
    OPTION(total, DURATION, .help = "time of all rules over one message"),
    {.name = NULL},
};

static const struct pr_option deletions_table[] = {
    {.name = "messages",
     .kind = PR_OPTION_NUMBER,
     .offset = offsetof(struct deletion_limit, messages),
     .least = 0,
     .most = 1000000000,
     .help = "most messages that rules delete on the server in one run, of "
             "all folders; 0: any number"},
    {.name = "percent",
     .kind = PR_OPTION_NUMBER,
     .offset = offsetof(struct deletion_limit, percent),
     .least = 0,
     .most = 100,
     .help = "most of a folder's messages, of 10 and more; 0: any number"},
    {.name = NULL},
};

static const struct pr_class deletions_class = {
    .size = sizeof(struct pr_class),
    .name = "limit_deletions",
    .options = deletions_table,
    .options_size = sizeof(struct deletion_limit),
};

void take_deletion_limit(lua_State *L, const char *what, struct place place,
                         struct deletion_limit *limit)
{
    struct reader inner = {
        .what = lua_pushfstring(L, "%s: limit_deletions", what),
        .opener = "limit_deletions",
        .class = &deletions_class,
        .options = limit,
        .place = place,
    };

    reader_read(L, &inner, -2);
    lua_pop(L, 1);
}

static const struct pr_class settings_class = {
    .size = sizeof(struct pr_class),
    .name = "options",
    .options = settings_table,
    .options_size = sizeof(struct settings),
};

static const struct pr_class limits_class = {
    .size = sizeof(struct pr_class),
    .name = "limits",
    .options = limits_table,
    .options_size = sizeof(struct settings),
};

static const struct pr_class calls_class = {
    .size = sizeof(struct pr_class),
    .name = "calls",
    .options = calls_table,
    .options_size = sizeof(struct settings),
};

static void take_calls(lua_State *L, struct reader *reader, struct place place)
{
    const struct settings *settings = reader->options;
    struct script *script = script_of(L);
    struct reader inner = {
        .what = "options: calls",
        .opener = "calls",
        .class = &calls_class,
        .options = reader->options,
        .place = place,
    };

    reader_read(L, &inner, -1);
    script->call_timeout = settings->timeout;
    script->call_concurrency = (size_t)settings->concurrency;
}

/* One text for all name servers, as c-ares reads them. */
static const char *join_servers(lua_State *L, const char *const *servers)
{
    struct script *script = script_of(L);
    const char *joined = "";

    if (servers == NULL || servers[0] == NULL)
        return NULL;
    for (size_t i = 0; servers[i] != NULL; i++) {
        joined = pr_arena_printf(script->arena, "%s%s%s", joined,
                                 i > 0 ? "," : "", servers[i]);
        if (joined == NULL)
            script_raise(L, PR_NOMEM);
    }
    return joined;
}

static void take_limits(lua_State *L, struct reader *reader, struct place place)
{
    const struct settings *settings = reader->options;
    struct limits *limits = &script_of(L)->limits;
    struct reader inner = {
        .what = "options: limits",
        .opener = "limits",
        .class = &limits_class,
        .options = reader->options,
        .place = place,
    };

    reader_read(L, &inner, -1);
    if (settings->time != 0)
        limits->time = settings->time;
    if (settings->memory != 0)
        limits->memory = settings->memory;
    if (settings->total != 0)
        limits->total = settings->total;
}

static void take_redirect(lua_State *L, struct place place)
{
    struct target target;

    if (!to_target(L, -1, &target))
        problem_add(L, place,
                    "options: redirect: expects a sink such as smtp { host = "
                    "\"localhost\", port = 25 }, got %s",
                    type_words(L, -1));
    else
        script_of(L)->redirect = target.sink;
}

static void take_other(lua_State *L, struct reader *reader, const char *name,
                       struct place place)
{
    if (strcmp(name, "redirect") == 0)
        take_redirect(L, place);
    else if (strcmp(name, "calls") == 0)
        take_calls(L, reader, place);
    else if (strcmp(name, "limit_deletions") == 0)
        take_deletion_limit(L, "options", place,
                            &script_of(L)->config->deletions);
    else
        take_limits(L, reader, place);
}

/* Each of the paths made absolute: those that are not lie beside the
 * configuration. */
static const char *const *absolute_paths(lua_State *L, const char *const *paths)
{
    struct script *script = script_of(L);
    size_t count = 0;
    const char **absolute;

    while (paths != NULL && paths[count] != NULL)
        count++;
    absolute = script_alloc(L, script->arena, (count + 1) * sizeof *absolute);
    for (size_t i = 0; i < count; i++) {
        char *path = NULL;
        pr_status status =
            file_absolute(script->arena, path_beside(L, paths[i]), &path);

        if (status != PR_OK)
            script_raise(L, status);
        absolute[i] = path;
    }
    return absolute;
}

/* options { state = "...", connections_per_host = n, trust_auth = { ... },
 * limits = { time = "50ms", memory = "32M", total = "60s" },
 * limit_deletions = { messages = 500, percent = 30 },
 * dns = { "192.0.2.1" }, calls = { timeout = "10s", concurrency = 8 } }: what
 * holds for the whole program */
static int options(lua_State *L)
{
    static const char *const others[] = {"limits", "limit_deletions", "calls",
                                         "redirect", NULL};
    struct script *script = script_of(L);
    struct settings *settings =
        script_alloc(L, script->arena, sizeof *settings);
    char near[100];
    struct reader reader = {
        .what = "options",
        .opener = "options",
        .class = &settings_class,
        .others = others,
        .take = take_other,
        .options = settings,
        .place = script_place(L, 1),
    };

    if (script->running->who != NULL)
        return luaL_error(L, "options: not in a rule");
    if (script->has_settings)
        problem_add(L, reader.place, "options stand there twice");
    script->has_settings = true;
    lua_settop(L, 1);
    reader_read(L, &reader, 1);
    if (settings->state != NULL)
        script->config->state_dir = settings->state;
    if (settings->connections_per_host != 0)
        script->config->connections_per_host =
            (unsigned)settings->connections_per_host;
    if (settings->connections != 0)
        script->config->connections = (unsigned)settings->connections;
    if (settings->stall != 0)
        script->config->stall = settings->stall;
    script->trusted_authserv_ids = settings->trust_auth;
    script->config->metrics = settings->metrics;
    script->config->metrics_remote = settings->metrics_remote;
    for (const char *const *name = settings->grant;
         name != NULL && *name != NULL; name++)
        if (!sandbox_grant(L, *name))
            problem_add(L, reader.place,
                        "options: grant: there is no \"%s\" to be opened%s",
                        *name,
                        near_text(*name, sandbox_grants(), near, sizeof near));
    script->save_below = absolute_paths(L, settings->save);
    script->name_servers = join_servers(L, settings->dns);
    return 0;
}

void open_settings(lua_State *L)
{
    lua_pushcfunction(L, options);
    lua_setglobal(L, "options");
}
