/*
 * rule("name", selector, function(m) ... end), and running them over a message.
 *
 * Each message has a Lua thread of its own, so that rules of many messages can
 * wait at the same time.
 */
#include <config.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "lua/keep.h"
#include "lua/script.h"

/* ---- Noting them --------------------------------------------------------- */

struct selector {
    const char *const *account, *const *folder;
};

#define OPTION(field, words)                                      \
    {                                                             \
        .name = #field, .kind = PR_OPTION_LIST,                   \
        .offset = offsetof(struct selector, field), .help = words \
    }

static const struct pr_class selector_class = {
    .size = sizeof(struct pr_class),
    .name = "rule",
    .options =
        (const struct pr_option[]){
            OPTION(account, "accounts whose mail the rule sees"),
            OPTION(folder, "folders whose mail the rule sees"),
            {.name = NULL},
        },
    .options_size = sizeof(struct selector),
};

void push_selector(lua_State *L, int table, const char *const *names)
{
    lua_newtable(L);
    for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1)) {
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, -5);
    }
    for (size_t i = 0; names[i] != NULL; i++) {
        if (lua_getfield(L, -1, names[i]) == LUA_TSTRING) {
            lua_createtable(L, 1, 0);
            lua_insert(L, -2);
            lua_rawseti(L, -2, 1);
            lua_setfield(L, -2, names[i]);
        } else {
            lua_pop(L, 1);
        }
    }
}

static void read_selector(lua_State *L, struct rule *rule, int table)
{
    static const char *const names[] = {"account", "folder", NULL};
    struct selector *selector =
        script_alloc(L, script_of(L)->arena, sizeof *selector);
    struct reader reader = {
        .what = lua_pushfstring(L, "rule \"%s\"", rule->name),
        .opener = "rule",
        .class = &selector_class,
        .options = selector,
        .place = {rule->file, rule->line},
    };

    push_selector(L, table, names);
    reader_read(L, &reader, lua_gettop(L));
    rule->accounts = selector->account;
    rule->folders = selector->folder;
}

static struct rule *add_rule(lua_State *L, const char *name)
{
    struct script *script = script_of(L);
    struct place place = script_place(L, 1);
    struct rule *rule;

    script->rules = script_grow(L, script->rules, script->rule_count,
                                &script->rules_allocated, sizeof *rule);
    rule = &script->rules[script->rule_count];
    *rule = (struct rule){
        .name = script_copy(L, script->arena, name),
        .file = script_copy(L, script->arena, place.file),
        .line = place.line,
        .function = LUA_NOREF,
    };
    rule->profile = profile_new();
    if (rule->profile == NULL)
        script_raise(L, pr_fail(PR_NOMEM, "out of memory"));
    script->rule_count++;
    return rule;
}

/* rule(name, [{ account = ..., folder = ... },] function(m) ... end): runs over
 * each new message that the selector takes */
static int rule(lua_State *L)
{
    struct rule *added;
    int function = lua_istable(L, 2) ? 3 : 2;

    if (script_of(L)->running->who != NULL)
        return luaL_error(L, "rule: not in a rule");
    if (lua_type(L, 1) != LUA_TSTRING)
        return luaL_error(L,
                          "rule: expects rule(\"name\", function(m) ... "
                          "end), got %s for the name",
                          type_words(L, 1));
    lua_settop(L, 3);
    added = add_rule(L, check_text(L, 1));
    for (const struct rule *other = script_of(L)->rules; other < added; other++)
        if (strcmp(other->name, added->name) == 0)
            problem_add(L, script_place(L, 1),
                        "rule \"%s\" stands at line %d already", added->name,
                        other->line);
    if (!lua_isfunction(L, function)) {
        problem_add(L, script_place(L, 1),
                    "rule \"%s\": expects a function(m), got %s", added->name,
                    type_words(L, function));
        return 0;
    }
    lua_pushvalue(L, function);
    added->function = luaL_ref(L, LUA_REGISTRYINDEX);
    if (lua_istable(L, 2))
        read_selector(L, added, 2);
    return 0;
}

void open_rules(lua_State *L)
{
    lua_pushcfunction(L, rule);
    lua_setglobal(L, "rule");
}

static bool has_rules(const struct account *account)
{
    (void)account;
    return true;
}

void finish_rules(lua_State *L)
{
    struct script *script = script_of(L);

    for (size_t i = 0; i < script->rule_count; i++) {
        const struct rule *one = &script->rules[i];
        struct place place = {one->file, one->line};

        check_accounts(
            L, source_field(script, place, "rule", "account"), one->accounts,
            lua_pushfstring(L, "rule \"%s\"", one->name), has_rules, "");
        lua_pop(L, 1);
    }
}

/* ---- Which rules take a message ------------------------------------------ */

static bool is_inbox(const char *name)
{
    return strcasecmp(name, "INBOX") == 0; /* RFC 3501, 5.1 */
}

static bool name_matches(const char *pattern, const char *name)
{
    return text_matches(pattern, name) || (is_inbox(pattern) && is_inbox(name));
}

bool patterns_take(const char *const *patterns, const char *name)
{
    bool is_taken = false, only_leaves_out = true;

    if (patterns == NULL)
        return true;
    for (size_t i = 0; patterns[i] != NULL; i++) {
        if (patterns[i][0] != '!') {
            only_leaves_out = false;
            is_taken = is_taken || name_matches(patterns[i], name);
        } else if (name_matches(patterns[i] + 1, name)) {
            return false;
        }
    }
    return is_taken || only_leaves_out;
}

static bool rule_takes(const struct rule *rule, const char *account,
                       const char *folder)
{
    return patterns_take(rule->accounts, account) &&
           patterns_take(rule->folders, folder);
}

bool rules_take(const struct config *config, const char *account,
                const char *folder)
{
    const struct script *script = config->script;

    for (size_t i = 0; i < config->rule_count; i++)
        if (rule_takes(&script->rules[i], account, folder))
            return true;
    return false;
}

/* ---- Running them -------------------------------------------------------- */

static pr_status rule_failure(struct run *run, int status)
{
    const struct rule *rule = run->rule;
    const char *words = lua_tostring(run->thread, -1);
    const char *before = run->hook != 0 ? "" : "rule \"";
    const char *after = run->hook != 0 ? "" : "\"";
    char text[200];

    if (status == LUA_ERRMEM)
        script_stop_for_memory(run);
    if (run->stop == STOP_TIME && run->rules > 1)
        after = run->hook != 0 ? " (with the hooks before it)"
                               : "\" (with the rules before it)";
    if (run->stop == STOP_CANCELLED)
        return pr_fail(PR_CANCELLED, "asked to stop");
    if (run->stop != STOP_NONE)
        return pr_fail(run->stop == STOP_NOMEM ? PR_NOMEM : PR_SCRIPT,
                       "%s:%d: %s%s%s %s", rule->file, rule->line, before,
                       rule->name, after,
                       script_stop_text(run, text, sizeof text));
    return pr_fail(PR_SCRIPT, "%s%s%s: %s", before, rule->name, after,
                   words != NULL ? words : "an error without words");
}

struct beginning {
    struct run *run;
    void (*push)(lua_State *L, const void *user);
    const void *user;
};

/* Leaves a thread with a handler and the arguments on its stack, kept by the
 * registry. */
static int make_thread(lua_State *L)
{
    const struct beginning *beginning = lua_touserdata(L, 1);
    struct run *run = beginning->run;

    run->thread = lua_newthread(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, run);
    lua_pushcfunction(run->thread, traceback);
    run->cell = push_message(run->thread, run);
    if (beginning->push != NULL)
        beginning->push(run->thread, beginning->user);
    return 0;
}

pr_status run_begin(struct run *run,
                    void (*push)(lua_State *L, const void *user),
                    const void *user)
{
    struct beginning beginning = {run, push, user};
    lua_State *L = run->script->L;

    lua_pushcfunction(L, make_thread);
    lua_pushlightuserdata(L, &beginning);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        lua_pop(L, 1);
        return pr_fail(PR_NOMEM, "out of memory for the rules");
    }
    run->arguments = lua_gettop(run->thread) - 1;
    script_begin(run, run->script, run->thread);
    return PR_OK;
}

pr_status run_call(struct run *run, const struct rule *rule)
{
    lua_State *thread = run->thread;
    int status;

    run->rule = rule;
    run->rules++;
    lua_settop(thread, 1 + run->arguments);
    lua_rawgeti(thread, LUA_REGISTRYINDEX, rule->function);
    for (int i = 0; i < run->arguments; i++)
        lua_pushvalue(thread, 2 + i);
    status = lua_pcall(thread, run->arguments, 0, 1);
    return status == LUA_OK ? PR_OK : rule_failure(run, status);
}

/* Only what cannot raise: this is outside of any protected call. */
void run_end(struct run *run, pr_status status)
{
    lua_State *L = run->script->L;

    script_end(run);
    run->cell->message = NULL;
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, run);
    if (status != PR_OK)
        keep_forget(run->message);
}

static pr_status run_all(struct run *run)
{
    struct script *script = run->script;
    struct message *message = run->message;
    struct rule_watch watch = {.is_set = false};

    for (size_t i = 0; i < script->rule_count && !message->plan.is_final; i++) {
        const struct rule *rule = &script->rules[i];
        pr_status status;

        if (!rule_takes(rule, message->account, message->folder)) {
            rule_passed_over(run, rule);
            continue;
        }
        rule_begins(&watch, run, rule);
        status = run_call(run, rule);
        rule_ends(&watch, run, rule, status);
        if (status != PR_OK)
            return status;
    }
    return PR_OK;
}

pr_status rules_run(struct config *config, struct message *message)
{
    struct script *script = config->script;
    struct run run = {
        .script = script, .who = message->account, .message = message};
    pr_status status;

    if (script->rule_count == 0)
        return PR_OK;
    status = run_begin(&run, NULL, NULL);
    if (status != PR_OK)
        return status;
    status = run_all(&run);
    run_end(&run, status);
    return status;
}
