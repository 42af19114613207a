/*
 * sink("name", { ... }): a place to deliver to, written in Lua.
 *
 * Its functions never run side by side: a batch waits until the one before it
 * has come to its end. A sink that cannot be asked afterwards whether a
 * delivery happened (one without `recover`) is journaled, and the journal is
 * written here.
 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "lua/script.h"

enum { STAGE, COMMIT, DELIVER, ABORT, RECOVER, CHECK };

static const char *const names[] = {"stage",   "commit", "deliver", "abort",
                                    "recover", "check",  NULL};

/* What stands where a plugin's class has its options. */
struct lua_sink {
    struct script *script;
    const char *name;
    int functions[FUNCTIONS_MOST];
    struct pr_semaphore *places; /* one: whose turn it is */
};

static bool has(const struct lua_sink *lua, int function)
{
    return lua->functions[function] != LUA_NOREF;
}

/* Calls a function, when it is its turn. */
static pr_status call(const struct pr_sink *sink, int function, uint64_t count,
                      int (*push)(lua_State *L, void *user),
                      void (*take)(lua_State *L, void *user), void *user)
{
    const struct lua_sink *lua = sink->options;
    struct turn turn = {
        .script = lua->script,
        .who = sink->name,
        .what = names[function],
        .function = lua->functions[function],
        .count = count,
        .push = push,
        .take = take,
        .user = user,
    };
    pr_status status = pr_semaphore_take(lua->places, 1, PR_NEVER);

    if (status != PR_OK)
        return status;
    status = turn_run(&turn);
    pr_semaphore_give(lua->places, 1);
    return status;
}

/* ---- One message --------------------------------------------------------- */

/* What a function said: the words are noted in its own fiber. */
static void note(struct pr_failure *said, pr_status status)
{
    if (status != PR_OK)
        *said = *pr_last_failure();
    said->status = status;
}

static pr_status say_again(const struct pr_failure *said)
{
    return said->status == PR_OK ? PR_OK
                                 : pr_fail(said->status, "%s", said->text);
}

struct one {
    struct pr_delivery *delivery;
    struct parcel parcel;
    struct pr_failure said;
};

static int push_one(lua_State *L, void *user)
{
    struct one *one = user;

    push_parcel(L, &one->parcel, one->delivery);
    return 1;
}

static void take_nothing(lua_State *L, void *user)
{
    (void)L, (void)user;
}

/* What `stage` returns: nothing, a receipt, or as to_outcome what is no PR_OK.
 */
static void take_receipt(lua_State *L, void *user)
{
    struct one *one = user;
    size_t size;
    const char *receipt;

    lua_settop(L, 2);
    if (lua_isnil(L, 1) && lua_isnil(L, 2))
        return;
    if (lua_type(L, 1) != LUA_TSTRING) {
        note(&one->said, to_outcome(L, 1));
        return;
    }
    receipt = lua_tolstring(L, 1, &size);
    if (size >= sizeof one->delivery->receipt)
        luaL_error(L, "a receipt has at most %d octets, this one has %d",
                   (int)sizeof one->delivery->receipt - 1, (int)size);
    if (strlen(receipt) != size || strpbrk(receipt, "\r\n") != NULL)
        luaL_error(L, "a receipt is one line of text");
    memcpy(one->delivery->receipt, receipt, size + 1);
}

static void take_outcome(lua_State *L, void *user)
{
    lua_settop(L, 2);
    note(&((struct one *)user)->said, to_outcome(L, 1));
}

static pr_status call_one(struct pr_sink *sink, int function,
                          struct pr_delivery *delivery,
                          void (*take)(lua_State *L, void *user))
{
    struct one one = {.delivery = delivery};
    pr_status status = call(sink, function, 1, push_one, take, &one);

    parcel_end(&one.parcel);
    return status == PR_OK ? say_again(&one.said) : status;
}

static pr_status sink_stage(struct pr_sink *sink, struct pr_delivery *delivery)
{
    delivery->receipt[0] = '\0';
    if (!has(sink->options, STAGE))
        return PR_OK;
    return call_one(sink, STAGE, delivery, take_receipt);
}

static void sink_abort(struct pr_sink *sink, struct pr_delivery *delivery)
{
    pr_status status = PR_OK;

    if (has(sink->options, ABORT))
        status = call_one(sink, ABORT, delivery, take_nothing);
    if (status != PR_OK)
        pr_log(sink->log, PR_LOG_WARNING, "%s", pr_last_failure()->text);
}

/* ---- A batch ------------------------------------------------------------- */

struct batch {
    const struct pr_sink *sink;
    struct pr_delivery **deliveries;
    struct parcel *parcels;
    size_t count;
    size_t told; /* of these, from the first on, the result is known */
};

static bool is_journaled(const struct pr_sink *sink)
{
    return !has(sink->options, RECOVER);
}

static void set_result(const struct pr_sink *sink, struct pr_delivery *delivery,
                       pr_status status)
{
    if (is_journaled(sink)) {
        pr_delivery_end(delivery, status);
        return;
    }
    delivery->result = status;
    if (status != PR_OK)
        memcpy(delivery->failure, pr_last_failure()->text,
               sizeof delivery->failure);
}

static void set_one(void *user, size_t index, pr_status status)
{
    struct batch *batch = user;

    set_result(batch->sink, batch->deliveries[index], status);
    batch->told = index + 1;
}

static int push_batch(lua_State *L, void *user)
{
    struct batch *batch = user;

    lua_createtable(L, (int)batch->count, 0);
    for (size_t i = 0; i < batch->count; i++) {
        push_parcel(L, &batch->parcels[i], batch->deliveries[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static void take_batch(lua_State *L, void *user)
{
    struct batch *batch = user;

    take_outcomes(L, batch->count, set_one, batch);
}

/* Those of which the journal has noted that they were begun. */
static void begin(struct batch *batch, struct pr_delivery *const *deliveries,
                  size_t count)
{
    for (size_t i = 0; i < count; i++) {
        pr_status status = is_journaled(batch->sink)
                               ? pr_delivery_begin(deliveries[i])
                               : PR_OK;
        if (status == PR_OK) {
            batch->deliveries[batch->count++] = deliveries[i];
            continue;
        }
        deliveries[i]->result = status;
        memcpy(deliveries[i]->failure, pr_last_failure()->text,
               sizeof deliveries[i]->failure);
    }
}

static void commit_begun(struct pr_sink *sink, struct batch *batch)
{
    struct pr_failure failure;
    pr_status status =
        call(sink, COMMIT, batch->count, push_batch, take_batch, batch);

    failure = *pr_last_failure();
    for (size_t i = 0; i < batch->count; i++)
        parcel_end(&batch->parcels[i]);
    for (size_t i = batch->told; i < batch->count; i++)
        set_result(sink, batch->deliveries[i],
                   pr_fail(status, "%s", failure.text));
}

static pr_status commit_together(struct pr_sink *sink,
                                 struct pr_delivery *const *deliveries,
                                 size_t count)
{
    struct pr_arena *arena = pr_arena_new();
    struct batch batch = {.sink = sink};

    if (arena == NULL)
        return PR_NOMEM;
    batch.deliveries = pr_arena_array(arena, count, sizeof *batch.deliveries);
    batch.parcels = pr_arena_array(arena, count, sizeof *batch.parcels);
    if (batch.deliveries == NULL || batch.parcels == NULL) {
        pr_arena_free(arena);
        return PR_NOMEM;
    }
    begin(&batch, deliveries, count);
    if (batch.count > 0)
        commit_begun(sink, &batch);
    pr_arena_free(arena);
    return PR_OK;
}

static void deliver_one(struct pr_sink *sink, struct pr_delivery *delivery)
{
    pr_status status = is_journaled(sink) ? pr_delivery_begin(delivery) : PR_OK;

    if (status == PR_OK) {
        set_result(sink, delivery,
                   call_one(sink, DELIVER, delivery, take_outcome));
        return;
    }
    delivery->result = status;
    memcpy(delivery->failure, pr_last_failure()->text,
           sizeof delivery->failure);
}

static pr_status sink_commit(struct pr_sink *sink,
                             struct pr_delivery *const *deliveries,
                             size_t count)
{
    if (has(sink->options, COMMIT))
        return commit_together(sink, deliveries, count);
    for (size_t i = 0; i < count; i++)
        deliver_one(sink, deliveries[i]);
    return PR_OK;
}

/* ---- Asking -------------------------------------------------------------- */

struct question {
    const char *key, *receipt;
    struct pr_failure answer;
};

static int push_question(lua_State *L, void *user)
{
    const struct question *question = user;

    if (question->key == NULL)
        return 0;
    lua_pushstring(L, question->key);
    lua_pushstring(L, question->receipt);
    return 2;
}

/* true: it happened; false: it did not; nil: nobody can tell. */
static void take_answer(lua_State *L, void *user)
{
    struct question *question = user;
    pr_status status;

    lua_settop(L, 2);
    if (lua_isnil(L, 1) && lua_isnil(L, 2))
        status = pr_fail(PR_DOUBT, "it cannot be told");
    else if (lua_isboolean(L, 1) && !lua_toboolean(L, 1))
        status = pr_fail(PR_GONE, "it is not there");
    else
        status = to_outcome(L, 1);
    note(&question->answer, status);
}

static pr_status sink_recover(struct pr_sink *sink, const char *key,
                              const char *receipt)
{
    struct question question = {.key = key, .receipt = receipt};
    pr_status status =
        call(sink, RECOVER, 1, push_question, take_answer, &question);

    return status == PR_OK ? say_again(&question.answer) : status;
}

static void take_check(lua_State *L, void *user)
{
    lua_settop(L, 2);
    note(&((struct question *)user)->answer, to_outcome(L, 1));
}

static pr_status sink_check(struct pr_sink *sink)
{
    struct question question = {0};
    pr_status status;

    if (!has(sink->options, CHECK))
        return pr_fail(PR_UNSUPPORTED, "it has no function check");
    status = call(sink, CHECK, 1, push_question, take_check, &question);
    return status == PR_OK ? say_again(&question.answer) : status;
}

static void sink_describe(const void *options, char *name, size_t size)
{
    snprintf(name, size, "sink:%s", ((const struct lua_sink *)options)->name);
}

/* ---- The constructor ----------------------------------------------------- */

#define SINK_OPS                                                     \
    .size = sizeof(struct pr_sink_ops), .stage = sink_stage,         \
    .commit = sink_commit, .abort = sink_abort, .check = sink_check, \
    .describe = sink_describe

static const struct pr_sink_ops journaled_ops = {SINK_OPS, .journaled = true};
static const struct pr_sink_ops asked_ops = {SINK_OPS, .recover = sink_recover};

#define SINK_CLASS                                                         \
    .size = sizeof(struct pr_class), .role = PR_ROLE_SINK, .name = "sink", \
    .summary = "deliver through functions of the configuration"

static const struct pr_class journaled_class = {SINK_CLASS,
                                                .sink = &journaled_ops};
static const struct pr_class asked_class = {SINK_CLASS, .sink = &asked_ops};

static bool is_name_free(lua_State *L, const char *name)
{
    const struct config *config = script_of(L)->config;

    for (size_t i = 0; i < config->sink_count; i++) {
        const struct pr_sink *other = config->sinks[i];
        if ((other->class == &journaled_class ||
             other->class == &asked_class) &&
            strcmp(((const struct lua_sink *)other->options)->name, name) ==
                0) {
            problem_add(L, script_place(L, 1), "sink \"%s\" is there already",
                        name);
            return false;
        }
    }
    return true;
}

/* The functions fit together. */
static bool check_functions(lua_State *L, const struct lua_sink *lua)
{
    if (has(lua, COMMIT) != has(lua, DELIVER))
        return true;
    problem_add(L, script_place(L, 1),
                has(lua, COMMIT)
                    ? "sink \"%s\": commit and deliver do the same work: one "
                      "of them is enough"
                    : "sink \"%s\": deliver or commit is missing (what "
                      "delivers)",
                lua->name);
    return false;
}

/* sink("name", { deliver = function(m) ... end, ... }): a place to deliver to.
 * Its functions, of which deliver or commit must be there:
 * stage(m): returns a receipt, which recover gets; nothing may happen yet.
 * deliver(m): delivers one message.
 * commit(batch): delivers a list of messages.
 * abort(m): what was staged is not delivered.
 * recover(key, receipt): after a crash, was it delivered? true, false or nil.
 * check(): for `postrider check`.
 * deliver and check return true, "later" with a text, or false with a text;
 * commit one of these for all, or a list with one for each message. */
static int new_lua_sink(lua_State *L)
{
    struct script *script = script_of(L);
    struct lua_sink *lua = script_alloc(L, script->arena, sizeof *lua);
    bool is_right;

    lua_settop(L, 2);
    is_right = read_functions(L, "sink", names, &lua->name, lua->functions);
    is_right = check_functions(L, lua) && is_right;
    is_right = is_name_free(L, lua->name) && is_right;
    lua->script = script;
    lua->places = script_alloc(L, script->arena, sizeof *lua->places);
    lua->places->free = 1;
    push_new_sink(L,
                  !is_right           ? NULL
                  : has(lua, RECOVER) ? &asked_class
                                      : &journaled_class,
                  lua);
    return 1;
}

void open_sinks(lua_State *L)
{
    lua_pushcfunction(L, new_lua_sink);
    lua_setglobal(L, "sink");
}
