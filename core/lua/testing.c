/*
 * test("name", { ... }, { ... }): rules run over one message, and what they
 * decided compared with what was expected.
 *
 * While a test runs, what it says of functions stands for them, and nothing
 * reaches outside (mocks.c); so tests run one after another.
 */
#include <config.h>

#include "lua/testing.h"

#include <string.h>
#include <strings.h>
#include <time.h>

#include "io/file.h"
#include "lua/outcome.h"
#include "mail/flags.h"
#include "mail/spool.h"
#include "plugin/registry.h"

#define MESSAGE_MOST (64u * 1024 * 1024) /* octets of a test's message */
#define WORDS_MOST 65536

/* One test() of a configuration or of a file beside it. */
struct rule_test {
    const char *name;
    const char *who; /* in the log: test "name" */
    struct place place;
    int setup, expected; /* tables in the registry */
};

/* A test under way. */
struct trial {
    struct config *config;
    const struct rule_test *test;
    const struct account *account;
    const char *folder;
    const char *path, *text; /* of the message: one of them */
    struct pr_item item;
    struct pr_spool *spool; /* until the message has it */
    struct message *message;
    const char *error;           /* of the rules; NULL: none */
    struct pr_buffer words;      /* what is not as expected */
    struct pr_buffer not_mocked; /* what rules asked in vain */
    pr_status result;            /* of rules_run */
};

/* ---- test() -------------------------------------------------------------- */

/* test(name, setup, expected): what the rules are to make of a message; for
 * postrider test */
static int test(lua_State *L)
{
    struct script *script = script_of(L);
    struct rule_test *added;

    if (script->running->who != NULL)
        return luaL_error(L, "test: not in a rule");
    if (lua_type(L, 1) != LUA_TSTRING || !lua_istable(L, 2) ||
        !lua_istable(L, 3))
        return luaL_error(L, "test: expects test(\"name\", { eml = \"...\" }, "
                             "{ what is expected })");
    script->tests = script_grow(L, script->tests, script->test_count,
                                &script->tests_allocated, sizeof *added);
    added = &script->tests[script->test_count];
    *added = (struct rule_test){
        .name = script_copy(L, script->arena, check_text(L, 1)),
        .place = script_place(L, 1),
    };
    added->who = script_copy(L, script->arena,
                             lua_pushfstring(L, "test \"%s\"", added->name));
    added->place.file = script_copy(L, script->arena, added->place.file);
    lua_settop(L, 3);
    added->expected = luaL_ref(L, LUA_REGISTRYINDEX);
    added->setup = luaL_ref(L, LUA_REGISTRYINDEX);
    script->test_count++;
    return 0;
}

/* What a turn calls that does all of its work around the call. */
static int nothing(lua_State *L)
{
    (void)L;
    return 0;
}

void open_tests(lua_State *L)
{
    lua_pushcfunction(L, nothing);
    script_of(L)->nothing = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushcfunction(L, test);
    lua_setglobal(L, "test");
}

size_t tests_count(const struct config *config)
{
    return config->script->test_count;
}

/* ---- Files of tests ------------------------------------------------------ */

static pr_status run_file(struct script *script, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    pr_status status = source_load(script, script->L, path, name);

    if (status == PR_OK && lua_pcall(script->L, 0, 0, 0) != LUA_OK) {
        status = pr_fail(PR_CONFIG, "%s", lua_tostring(script->L, -1));
        lua_pop(script->L, 1);
    }
    return status;
}

pr_status tests_load(struct config *config, const char *file)
{
    struct script *script = config->script;
    size_t rules = script->rule_count, accounts = config->account_count;
    struct run run = {.script = script};
    char *path;
    pr_status status = file_absolute(config->arena, file, &path);

    if (status != PR_OK)
        return status;
    script_begin(&run, script, script->L);
    status = run_file(script, path);
    script_end(&run);
    script->memory_base = script->memory;
    if (status == PR_OK &&
        (script->rule_count != rules || config->account_count != accounts))
        status = pr_fail(PR_CONFIG,
                         "%s: a file of tests has no rules and no accounts: "
                         "they are those of the configuration",
                         file);
    return status;
}

/* ---- What a test sets up ------------------------------------------------- */

/* The path as the test's file sees it. */
static const char *beside(lua_State *L, const struct trial *trial,
                          const char *path)
{
    struct script *script = script_of(L);
    const struct source *source = source_find(script, trial->test->place.file);
    const char *slash;

    if (path[0] == '/' || source == NULL)
        return script_copy(L, script->arena, path);
    slash = strrchr(source->path, '/');
    return script_copy(
        L, script->arena,
        lua_pushfstring(L, "%s/%s",
                        slash != NULL
                            ? lua_pushlstring(L, source->path,
                                              (size_t)(slash - source->path))
                            : ".",
                        path));
}

static void take_account(lua_State *L, struct trial *trial)
{
    const char *name = check_text(L, -1);

    trial->account = config_account(trial->config, name);
    if (trial->account == NULL)
        luaL_error(L, "there is no account \"%s\"", name);
}

static void take_flags(lua_State *L, struct trial *trial)
{
    struct pr_arena *arena = script_of(L)->arena;
    const char *const *flags = read_texts(L, -1, arena);

    if (flags == NULL)
        luaL_error(L, "flags: expects a list such as { \"\\\\Seen\" }");
    for (; *flags != NULL; flags++) {
        if (flags_add(arena, &trial->item.flags, *flags) != PR_OK)
            script_raise(L, PR_NOMEM);
    }
}

static void take_field(lua_State *L, struct trial *trial, const char *name)
{
    static const char *const names[] = {"eml",   "text", "account", "folder",
                                        "flags", "uid",  "size",    "received",
                                        "age",   "mock", NULL};

    if (strcmp(name, "eml") == 0)
        trial->path = beside(L, trial, check_text(L, -1));
    else if (strcmp(name, "text") == 0)
        trial->text = script_copy(L, script_of(L)->arena, check_text(L, -1));
    else if (strcmp(name, "account") == 0)
        take_account(L, trial);
    else if (strcmp(name, "folder") == 0)
        trial->folder = script_copy(L, script_of(L)->arena, check_text(L, -1));
    else if (strcmp(name, "flags") == 0)
        take_flags(L, trial);
    else if (strcmp(name, "uid") == 0)
        trial->item.uid = (uint32_t)luaL_checkinteger(L, -1);
    else if (strcmp(name, "size") == 0)
        trial->item.size = (uint64_t)luaL_checkinteger(L, -1);
    else if (strcmp(name, "received") == 0)
        trial->item.received = (int64_t)luaL_checkinteger(L, -1);
    else if (strcmp(name, "age") == 0)
        trial->item.received =
            time(NULL) - (int64_t)(check_duration(L, lua_gettop(L)) / 1000);
    else if (strcmp(name, "mock") == 0)
        mocks_put(L, lua_gettop(L));
    else
        raise_unknown(L, "a test has no", name, names);
}

/* Runs as the push of a turn. */
static int set_up(lua_State *L, void *user)
{
    struct trial *trial = user;

    lua_rawgeti(L, LUA_REGISTRYINDEX, trial->test->setup);
    for (lua_pushnil(L); lua_next(L, -2) != 0;) {
        int top = lua_gettop(L);

        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "a test has named fields: { eml = \"...\" }");
        take_field(L, trial, lua_tostring(L, -2));
        lua_settop(L, top - 1);
    }
    lua_pop(L, 1);
    if ((trial->path == NULL) == (trial->text == NULL))
        luaL_error(L,
                   "a test has a message: eml = \"FILE\", or text = \"...\"");
    return 0;
}

static int take_down(lua_State *L, void *user)
{
    (void)user;
    mocks_take_away(L);
    return 0;
}

static int compare(lua_State *L, void *user)
{
    struct trial *trial = user;
    int top;

    luaL_checkstack(L, 20, NULL);
    lua_rawgeti(L, LUA_REGISTRYINDEX, trial->test->expected);
    push_plan_outcome(L, &trial->message->plan, trial->account, trial->error);
    top = lua_gettop(L);
    if (trial->error != NULL && lua_getfield(L, top - 1, "error") == LUA_TNIL)
        (void)!pr_buffer_printf(&trial->words, "%s\n", trial->error);
    lua_settop(L, top);
    compare_outcome(L, top - 1, top, &trial->words);
    lua_settop(L, top - 2);
    return 0;
}

static void take_nothing(lua_State *L, void *user)
{
    (void)L;
    (void)user;
}

static pr_status do_turn(struct trial *trial, const char *what,
                         int (*work)(lua_State *L, void *user))
{
    struct turn turn = {
        .script = trial->config->script,
        .who = trial->test->who,
        .what = what,
        .function = trial->config->script->nothing,
        .push = work,
        .take = take_nothing,
        .user = trial,
    };

    return turn_run(&turn);
}

/* ---- Running one --------------------------------------------------------- */

static pr_status fill_spool(const struct trial *trial)
{
    pr_status status = PR_OK;

    if (trial->path != NULL)
        return spool_fill(trial->spool, trial->path, MESSAGE_MOST);
    if (trial->text[0] != '\0')
        status =
            pr_spool_append(trial->spool, trial->text, strlen(trial->text));
    return status == PR_OK ? pr_spool_seal(trial->spool) : status;
}

static pr_status make_message(struct trial *trial)
{
    pr_status status = spool_new(trial->config->state_dir, 0, &trial->spool);

    if (status == PR_OK)
        status = fill_spool(trial);
    if (status == PR_OK)
        status = message_new(trial->account->name, trial->folder, &trial->item,
                             &trial->message);
    if (status != PR_OK)
        return status;
    trial->message->may_have_labels =
        class_may_have_labels(trial->account->source);
    trial->message->spool = trial->spool;
    trial->spool = NULL;
    return PR_OK;
}

static pr_status run_rules(struct trial *trial)
{
    pr_status status = make_message(trial);

    if (status != PR_OK)
        return status;
    trial->config->script->not_mocked = &trial->not_mocked;
    status = rules_run(trial->config, trial->message);
    trial->config->script->not_mocked = NULL;
    if (status != PR_SCRIPT)
        return status;
    trial->error =
        pr_arena_text(trial->message->arena, pr_last_failure()->text);
    return trial->error != NULL ? PR_OK : PR_NOMEM;
}

/* Words of a turn begin with who had it, which is told anyhow. */
static const char *without_name(const struct trial *trial, const char *words)
{
    size_t size = strlen(trial->test->who);

    return strncmp(words, trial->test->who, size) == 0 &&
                   strncmp(words + size, ": ", 2) == 0
               ? words + size + 2
               : words;
}

/* That may be why it is not as expected. */
static void add_not_mocked(struct trial *trial)
{
    if (trial->words.size > 0 && trial->not_mocked.size > 0)
        (void)!pr_buffer_printf(&trial->words, "%s",
                                pr_buffer_text(&trial->not_mocked));
}

/* What goes wrong with the test itself is one more thing that is not as
 * expected. */
static pr_status run_trial(struct trial *trial)
{
    pr_status status = do_turn(trial, "its set-up", set_up);

    if (status == PR_OK)
        status = run_rules(trial);
    struct pr_failure failure = *pr_last_failure();
    pr_status down = do_turn(trial, "its end", take_down);
    if (status == PR_OK)
        status = down;
    if (status == PR_OK) {
        status = do_turn(trial, "what it expects", compare);
        failure = *pr_last_failure();
    }
    if (status == PR_OK || status == PR_CANCELLED || status == PR_NOMEM)
        return status;
    (void)!pr_buffer_printf(&trial->words, "%s\n",
                            without_name(trial, failure.text));
    return PR_OK;
}

static void end_trial(struct trial *trial)
{
    message_free(trial->message);
    spool_free(trial->spool);
    pr_buffer_done(&trial->words);
    pr_buffer_done(&trial->not_mocked);
}

pr_status tests_run(struct config *config,
                    void (*each)(void *user, const struct test_report *report),
                    void *user)
{
    pr_status status = PR_OK;

    for (size_t i = 0; status == PR_OK && i < config->script->test_count; i++) {
        const struct rule_test *one = &config->script->tests[i];
        struct trial trial = {.config = config,
                              .test = one,
                              .account = &config->accounts[0],
                              .folder = "INBOX",
                              .item = {.uid = (uint32_t)i + 1}};

        pr_buffer_init(&trial.words, WORDS_MOST);
        pr_buffer_init(&trial.not_mocked, WORDS_MOST);
        status = run_trial(&trial);
        if (status == PR_OK) {
            add_not_mocked(&trial);
            struct test_report report = {
                .name = one->name,
                .file = one->place.file,
                .line = one->place.line,
                .has_passed = trial.words.size == 0,
                .words = pr_buffer_text(&trial.words),
                .plan = trial.message != NULL ? &trial.message->plan : NULL,
            };
            each(user, &report);
        }
        end_trial(&trial);
    }
    return status;
}
