/*
 * on("event", selector, function(m, change) ... end): what hears of messages
 * that other programs flag, move and delete on the server.
 *
 * A hook is run as a rule is, over a message with what changed of it. What it
 * asks for goes into the message's plan; only what the server can do is left
 * for it to ask.
 */
#include <config.h>

#include <stddef.h>
#include <string.h>

#include "lua/keep.h"
#include "lua/script.h"
#include "mail/print.h"

static const struct {
    const char *name;
    enum hook_kind kind;
} events[] = {
    {"flags", HOOK_FLAGS},
    {"vanished", HOOK_VANISHED},
    {"moved_in", HOOK_MOVED_IN},
};

#define EVENTS (sizeof events / sizeof *events)

const char *hook_kind_name(enum hook_kind kind)
{
    for (size_t i = 0; i < EVENTS; i++)
        if (events[i].kind == kind)
            return events[i].name;
    return "";
}

/* ---- Noting them --------------------------------------------------------- */

struct selector {
    const char *const *account, *const *folder, *const *from;
};

#define OPTION(field, words)                                      \
    {                                                             \
        .name = #field, .kind = PR_OPTION_LIST,                   \
        .offset = offsetof(struct selector, field), .help = words \
    }

static const struct pr_class selector_class = {
    .size = sizeof(struct pr_class),
    .name = "on",
    .options =
        (const struct pr_option[]){
            OPTION(account, "accounts whose events the hook hears of"),
            OPTION(folder, "folders whose events the hook hears of"),
            OPTION(from, "folders that a message was moved from"),
            {.name = NULL},
        },
    .options_size = sizeof(struct selector),
};

/* Places of the configuration that words are about. */
static struct place place_of(const struct hook *hook)
{
    return (struct place){hook->rule.file, hook->rule.line};
}

static struct place field_of(lua_State *L, const struct hook *hook,
                             const char *field)
{
    return source_field(script_of(L), place_of(hook), "on", field);
}

static void read_selector(lua_State *L, struct hook *hook, int table)
{
    static const char *const names[] = {"account", "folder", "from", NULL};
    struct selector *selector =
        script_alloc(L, script_of(L)->arena, sizeof *selector);
    struct reader reader = {
        .what = hook->rule.name,
        .opener = "on",
        .class = &selector_class,
        .options = selector,
        .place = place_of(hook),
    };

    push_selector(L, table, names);
    reader_read(L, &reader, lua_gettop(L));
    hook->rule.accounts = selector->account;
    hook->rule.folders = selector->folder;
    hook->from = selector->from;
    if (hook->from != NULL && hook->kind != HOOK_MOVED_IN)
        problem_add(L, field_of(L, hook, "from"),
                    "%s: from: only what is moved_in comes from a folder",
                    hook->rule.name);
}

static struct hook *add_hook(lua_State *L, enum hook_kind kind)
{
    struct script *script = script_of(L);
    struct place place = script_place(L, 1);
    const char *name = lua_pushfstring(L, "on(\"%s\")", hook_kind_name(kind));
    struct hook *hook;

    script->hooks = script_grow(L, script->hooks, script->hook_count,
                                &script->hooks_allocated, sizeof *hook);
    hook = &script->hooks[script->hook_count];
    *hook = (struct hook){
        .rule = {.name = script_copy(L, script->arena, name),
                 .file = script_copy(L, script->arena, place.file),
                 .line = place.line,
                 .function = LUA_NOREF},
        .kind = kind,
    };
    script->hook_count++;
    return hook;
}

/* The event of that name; 0, and a problem noted, if there is none. */
static enum hook_kind find_event(lua_State *L, const char *name)
{
    const char *names[EVENTS + 1] = {NULL};
    char near[100];

    for (size_t i = 0; i < EVENTS; i++) {
        if (strcmp(events[i].name, name) == 0)
            return events[i].kind;
        names[i] = events[i].name;
    }
    problem_add(L, script_place(L, 1),
                "on: there is no event \"%s\"%s (flags, vanished and moved_in "
                "can be heard of)",
                name, near_text(name, names, near, sizeof near));
    return 0;
}

/* on(event, [{ account = ..., folder = ..., from = ... },]
 *    function(m, change) ... end): hears of messages that other programs flag,
 * move and delete on the server: "flags", "vanished", "moved_in" */
static int on(lua_State *L)
{
    int function = lua_istable(L, 2) ? 3 : 2;
    enum hook_kind kind;
    struct hook *hook;

    if (script_of(L)->running->who != NULL)
        return luaL_error(L, "on: not in a rule");
    if (lua_type(L, 1) != LUA_TSTRING)
        return luaL_error(L,
                          "on: expects on(\"flags\", function(m, change) ... "
                          "end), got %s for the event",
                          type_words(L, 1));
    lua_settop(L, 3);
    kind = find_event(L, check_text(L, 1));
    if (kind == 0)
        return 0;
    hook = add_hook(L, kind);
    if (!lua_isfunction(L, function)) {
        problem_add(L, script_place(L, 1),
                    "%s: expects a function(m, change), got %s",
                    hook->rule.name, type_words(L, function));
        return 0;
    }
    lua_pushvalue(L, function);
    hook->rule.function = luaL_ref(L, LUA_REGISTRYINDEX);
    if (lua_istable(L, 2))
        read_selector(L, hook, 2);
    return 0;
}

void open_hooks(lua_State *L)
{
    lua_pushcfunction(L, on);
    lua_setglobal(L, "on");
}

/* ---- What can be said when all accounts are known ------------------------ */

static bool can_tell(const struct account *account)
{
    const struct pr_source_ops *ops =
        account->source != NULL ? account->source->source : NULL;

    return ops == NULL ||
           (REGISTRY_COVERS(ops, changes) && ops->changes != NULL);
}

void finish_hooks(lua_State *L)
{
    const struct script *script = script_of(L);

    for (size_t i = 0; i < script->hook_count; i++) {
        const struct hook *hook = &script->hooks[i];

        check_accounts(L, field_of(L, hook, "account"), hook->rule.accounts,
                       hook->rule.name, can_tell, "tells of no events");
    }
}

/* ---- Which hooks take what ----------------------------------------------- */

static bool takes_folder(const struct hook *hook, const char *folder,
                         bool is_fetched)
{
    const char *const *patterns = hook->rule.folders;
    bool names_any = false;

    for (size_t i = 0; patterns != NULL && patterns[i] != NULL; i++)
        names_any |= patterns[i][0] != '!';
    return (names_any || is_fetched) && patterns_take(patterns, folder);
}

unsigned hooks_of_folder(const struct config *config, const char *account,
                         const char *folder, bool is_fetched)
{
    const struct script *script = config->script;
    unsigned kinds = 0;

    for (size_t i = 0; i < config->hook_count; i++) {
        const struct hook *hook = &script->hooks[i];

        if (!patterns_take(hook->rule.accounts, account))
            continue;
        if (takes_folder(hook, folder, is_fetched))
            kinds |= hook->kind;
        if (hook->from != NULL && patterns_take(hook->from, folder))
            kinds |= HOOK_DEPARTURE;
    }
    return kinds;
}

unsigned hooks_of_account(const struct config *config, const char *account)
{
    unsigned kinds = 0;

    for (size_t i = 0; i < config->hook_count; i++)
        if (patterns_take(config->script->hooks[i].rule.accounts, account))
            kinds |= config->script->hooks[i].kind;
    return kinds;
}

/* "?" is no wildcard of a list of folders: so much may be found more. */
static pr_status add_patterns(const char *const *patterns,
                              struct pr_arena *arena, const char **found,
                              size_t *count)
{
    for (; patterns != NULL && *patterns != NULL; patterns++) {
        const char *one = strchr(*patterns, '?');

        if (**patterns == '!')
            continue;
        found[*count] =
            one == NULL ? *patterns
                        : pr_arena_printf(arena, "%.*s*",
                                          (int)(one - *patterns), *patterns);
        if (found[*count] == NULL)
            return PR_NOMEM;
        ++*count;
    }
    return PR_OK;
}

static size_t count_patterns(const char *const *patterns)
{
    size_t count = 0;

    while (patterns != NULL && patterns[count] != NULL)
        count++;
    return count;
}

pr_status hooks_patterns(const struct config *config, const char *account,
                         struct pr_arena *arena, const char *const **ret)
{
    const struct script *script = config->script;
    size_t most = 1, count = 0;
    const char **found;
    pr_status status = PR_OK;

    for (size_t i = 0; i < config->hook_count; i++)
        most += count_patterns(script->hooks[i].rule.folders) +
                count_patterns(script->hooks[i].from);
    found = pr_arena_array(arena, most, sizeof *found);
    if (found == NULL)
        return PR_NOMEM;
    for (size_t i = 0; i < config->hook_count && status == PR_OK; i++) {
        const struct hook *hook = &script->hooks[i];

        if (!patterns_take(hook->rule.accounts, account))
            continue;
        status = add_patterns(hook->rule.folders, arena, found, &count);
        if (status == PR_OK)
            status = add_patterns(hook->from, arena, found, &count);
    }
    *ret = count > 0 ? found : NULL;
    return status;
}

static bool takes_event(const struct hook *hook, const struct message *message,
                        const struct hook_event *event)
{
    return hook->kind == event->kind &&
           patterns_take(hook->rule.accounts, message->account) &&
           takes_folder(hook, message->folder, event->is_fetched) &&
           (hook->from == NULL ||
            (event->from != NULL && patterns_take(hook->from, event->from)));
}

struct hook_place hooks_find(const struct config *config,
                             const struct message *message,
                             const struct hook_event *event)
{
    for (size_t i = 0; i < config->hook_count; i++) {
        const struct hook *hook = &config->script->hooks[i];

        if (takes_event(hook, message, event))
            return (struct hook_place){hook->rule.name, hook->rule.file,
                                       hook->rule.line};
    }
    return (struct hook_place){NULL, NULL, 0};
}

/* ---- What they may do ---------------------------------------------------- */

void check_in_hook(lua_State *L, enum plan_action action)
{
    const struct run *run = script_of(L)->running;

    if (action == PLAN_NOTE)
        return;
    if (run->hook == HOOK_VANISHED)
        luaL_error(L, "m:%s: the message is gone; m:note is all that is left",
                   plan_action_name(action));
    switch (action) {
    case PLAN_MOVE:
    case PLAN_DELETE:
    case PLAN_COPY_TO:
    case PLAN_FLAG:
    case PLAN_UNFLAG:
    case PLAN_LABEL:
    case PLAN_UNLABEL:
        return;
    default:
        luaL_error(L,
                   "m:%s is for rules: in a hook there are m:flag, m:unflag, "
                   "m:label, m:unlabel, m:copy_to, m:move, m:delete and "
                   "m:note; a program "
                   "gets the message by exec { ..., input = m }",
                   plan_action_name(action));
    }
}

/* ---- The second argument ------------------------------------------------- */

static const char *const change_fields[] = {
    "event", "flags", "old", "added", "removed", "from", "fingerprint", NULL};

/* A field that this event has not is nil, any other a mistake. */
static int change_index(lua_State *L)
{
    const char *name = luaL_tolstring(L, 2, NULL);

    for (size_t i = 0; change_fields[i] != NULL; i++)
        if (strcmp(change_fields[i], name) == 0)
            return 0;
    return raise_unknown(L, "a change has no", name, change_fields);
}

static void set_flags(lua_State *L, const char *name, struct pr_flags flags)
{
    push_flags(L, flags);
    lua_setfield(L, -2, name);
}

static void set_print(lua_State *L, const unsigned char *print)
{
    char text[2 * FINGERPRINT_SIZE + 1];

    for (size_t i = 0; i < FINGERPRINT_SIZE; i++) {
        text[2 * i] = "0123456789abcdef"[print[i] >> 4];
        text[2 * i + 1] = "0123456789abcdef"[print[i] & 15];
    }
    lua_pushlstring(L, text, sizeof text - 1);
    lua_setfield(L, -2, "fingerprint");
}

/* change.event: text, such as "moved_in"; change.flags, change.old,
 * change.added, change.removed: list of its flags, as m.flags is; change.from:
 * text, the folder it was moved from; nil if it was not; change.fingerprint:
 * text, of its header; nil if that is not known */
static void push_change(lua_State *L, const void *user)
{
    const struct hook_event *event = user;

    lua_newtable(L);
    lua_pushstring(L, hook_kind_name(event->kind));
    lua_setfield(L, -2, "event");
    set_flags(L, "flags", event->flags);
    set_flags(L, "old", event->old);
    set_flags(L, "added", event->added);
    set_flags(L, "removed", event->removed);
    if (event->from != NULL) {
        lua_pushstring(L, event->from);
        lua_setfield(L, -2, "from");
    }
    if (event->print != NULL)
        set_print(L, event->print);
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, change_index);
    lua_setfield(L, -2, "__index");
    lock_metatable(L, -1);
    lua_setmetatable(L, -2);
}

/* ---- Running them -------------------------------------------------------- */

static pr_status run_all(struct run *run, const struct hook_event *event,
                         struct hook_place *ret)
{
    const struct script *script = run->script;
    struct message *message = run->message;
    pr_status status = PR_OK;

    for (size_t i = 0;
         status == PR_OK && i < script->hook_count && !message->plan.is_final;
         i++) {
        const struct hook *hook = &script->hooks[i];

        if (!takes_event(hook, message, event))
            continue;
        *ret = (struct hook_place){hook->rule.name, hook->rule.file,
                                   hook->rule.line};
        status = run_call(run, &hook->rule);
    }
    return status;
}

pr_status hooks_run(struct config *config, struct message *message,
                    const struct hook_event *event, struct hook_place *ret)
{
    struct script *script = config->script;
    struct run run = {.script = script,
                      .who = message->account,
                      .message = message,
                      .hook = event->kind};
    pr_status status;

    *ret = (struct hook_place){NULL, NULL, 0};
    status = run_begin(&run, push_change, event);
    if (status != PR_OK)
        return status;
    status = run_all(&run, event, ret);
    run_end(&run, status);
    return status;
}
