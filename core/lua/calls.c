/*
 * The one way of all calls that wait: cache, who asks the same, place,
 * deadline, answer.
 */
#include <config.h>

#include "lua/calls.h"

#include <stdio.h>
#include <string.h>

#include "base/cache.h"
#include "base/memory.h"
#include "io/digest.h"
#include "io/dns.h"

#define TYPE_CALL "postrider.call"
#define CACHE_OCTETS ((size_t)8 * 1024 * 1024)
/* Servers and programs that are known at a time: names may come from mail. */
#define GATES_MOST 256
#define KEY_MOST 65536
#define TIMEOUT 10000 /* ms */
#define CONCURRENCY 8

/* One server or program that rules ask by its name. */
struct known {
    struct known *next; /* the one used before it */
    struct gate gate;
    char name[];
};

struct calls {
    struct cache *cache;
    struct questions under_way;
    struct known *known; /* by last use */
    size_t known_count;
    struct dns *dns; /* NULL until it is needed */
};

static const struct pr_log calls_log = {.name = "calls"};

pr_status calls_new(struct calls **ret)
{
    struct calls *calls = memory_zeroed(1, sizeof *calls);
    pr_status status = PR_NOMEM;

    if (calls != NULL)
        status = cache_new(CACHE_OCTETS, &calls->cache);
    if (status != PR_OK) {
        memory_free(calls);
        return pr_fail(PR_NOMEM, "out of memory");
    }
    *ret = calls;
    return PR_OK;
}

void calls_free(struct calls *calls)
{
    if (calls == NULL)
        return;
    while (calls->known != NULL) {
        struct known *known = calls->known;

        calls->known = known->next;
        memory_free(known);
    }
    dns_free(calls->dns);
    cache_free(calls->cache);
    memory_free(calls);
}

struct dns *calls_dns(lua_State *L)
{
    struct script *script = script_of(L);
    struct calls *calls = script->calls;
    pr_status status = PR_OK;

    if (calls->dns == NULL)
        status = dns_new(script->name_servers, &calls->dns);
    if (status != PR_OK)
        script_raise(L, status);
    return calls->dns;
}

/* ---- Gates by name ------------------------------------------------------- */

/* Forgets the one that was not asked for longest, if nobody is inside. */
static void forget_oldest(struct calls *calls)
{
    struct known **oldest = NULL;

    for (struct known **at = &calls->known; *at != NULL; at = &(*at)->next)
        if ((*at)->gate.inside == 0 && (*at)->gate.near == 0 &&
            (*at)->gate.places.queue.first == NULL)
            oldest = at;
    if (oldest != NULL) {
        struct known *known = *oldest;

        *oldest = known->next;
        memory_free(known);
        calls->known_count--;
    }
}

static struct known *known_new(lua_State *L, const char *name)
{
    struct script *script = script_of(L);
    struct calls *calls = script->calls;
    size_t size = strlen(name) + 1;
    struct known *known;

    if (calls->known_count >= GATES_MOST)
        forget_oldest(calls);
    known = memory_zeroed(1, sizeof *known + size);
    if (known == NULL)
        script_raise(L, pr_fail(PR_NOMEM, "out of memory"));
    memcpy(known->name, name, size);
    gate_init(&known->gate, known->name, &calls_log,
              script->call_concurrency != 0 ? script->call_concurrency
                                            : CONCURRENCY);
    calls->known_count++;
    return known;
}

struct gate *call_gate(lua_State *L, const char *name)
{
    struct calls *calls = script_of(L)->calls;
    struct known **at = &calls->known, *known;

    while (*at != NULL && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    known = *at;
    if (known != NULL)
        *at = known->next;
    else
        known = known_new(L, name);
    known->next = calls->known;
    calls->known = known;
    return &known->gate;
}

void calls_healths(const struct calls *calls,
                   void (*each)(void *user,
                                const struct service_health *health),
                   void *user)
{
    const struct known *known = calls->known;

    for (; known != NULL; known = known->next) {
        struct service_health health = gate_health(&known->gate);

        each(user, &health);
    }
}

/* ---- What a call is made of ---------------------------------------------- */

static int call_free(lua_State *L)
{
    struct call *call = luaL_checkudata(L, 1, TYPE_CALL);

    if (call->release != NULL)
        call->release(call->resource);
    call->release = NULL;
    question_release(call->joined);
    call->joined = NULL;
    reply_done(&call->reply);
    pr_arena_free(call->arena);
    call->arena = NULL;
    return 0;
}

struct call *call_new(lua_State *L, const char *what)
{
    struct call *call;

    if (script_of(L)->running->who == NULL)
        luaL_error(L, "%s: only in a rule", what);
    luaL_checkstack(L, 20, NULL);
    call = lua_newuserdatauv(L, sizeof *call, 0);
    *call = (struct call){.timeout = call_timeout(L)};
    luaL_setmetatable(L, TYPE_CALL);
    call->arena = pr_arena_new();
    if (call->arena == NULL)
        script_raise(L, pr_fail(PR_NOMEM, "out of memory"));
    return call;
}

void call_key(lua_State *L, struct call *call, const char *part, size_t size)
{
    char *longer;

    if (size > KEY_MOST || call->key.size > KEY_MOST)
        luaL_error(L, "a text of more than 64 KiB cannot be asked about");
    longer = script_alloc(L, call->arena, call->key.size + sizeof size + size);
    if (call->key.size > 0)
        memcpy(longer, call->key.data, call->key.size);
    memcpy(longer + call->key.size, &size, sizeof size);
    memcpy(longer + call->key.size + sizeof size, part, size);
    call->key = (struct pr_bytes){longer, call->key.size + sizeof size + size};
}

struct digesting {
    const struct pr_spool *spool;
    struct digest *digest;
};

static pr_status digest_spool(void *argument)
{
    struct digesting *digesting = argument;
    char data[16384];
    uint64_t at = 0;
    size_t size = 1;
    pr_status status = PR_OK;

    while (status == PR_OK && size > 0) {
        status = pr_spool_read(digesting->spool, at, data, sizeof data, &size);
        if (status == PR_OK)
            status = digest_add(digesting->digest, data, size);
        at += size;
    }
    return status;
}

void call_key_of_spool(lua_State *L, struct call *call,
                       const struct pr_spool *spool)
{
    struct digesting digesting = {.spool = spool};
    unsigned char octets[DIGEST_SIZE];
    struct run *run = script_pause(L);
    pr_status status = digest_new(&digesting.digest);

    if (status == PR_OK) {
        status = pr_offload(digest_spool, &digesting);
        digest_end(digesting.digest, octets);
    }
    script_resume(run);
    if (status != PR_OK)
        script_raise(L, status);
    call_key(L, call, (const char *)octets, sizeof octets);
}

uint64_t call_timeout(lua_State *L)
{
    uint64_t ms = script_of(L)->call_timeout;

    return ms != 0 ? ms : TIMEOUT;
}

uint64_t call_duration(lua_State *L, int index, const char *field,
                       uint64_t otherwise)
{
    uint64_t ms = otherwise;

    if (!lua_istable(L, index))
        return ms;
    if (lua_getfield(L, index, field) != LUA_TNIL)
        ms = check_duration(L, lua_gettop(L));
    lua_pop(L, 1);
    return ms;
}

void call_check_fields(lua_State *L, const char *what, int index,
                       const char *const *names)
{
    if (lua_isnoneornil(L, index))
        return;
    if (!lua_istable(L, index))
        luaL_error(L, "%s: expects a table { name = value }, got %s", what,
                   type_words(L, index));
    for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1)) {
        size_t i = 0;

        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "%s: expects fields such as name = value", what);
        while (names[i] != NULL && strcmp(names[i], lua_tostring(L, -2)) != 0)
            i++;
        if (names[i] == NULL) {
            const char *name = lua_tostring(L, -2);

            raise_unknown(L, lua_pushfstring(L, "%s: unknown option", what),
                          name, names);
        }
    }
}

/* ---- The answer ---------------------------------------------------------- */

static void push_token(lua_State *L, const struct reply_token *token)
{
    switch (token->kind) {
    case REPLY_TEXT:
        lua_pushlstring(L, token->text.data, token->text.size);
        break;
    case REPLY_NUMBER:
        if (token->number == (double)(lua_Integer)token->number)
            lua_pushinteger(L, (lua_Integer)token->number);
        else
            lua_pushnumber(L, token->number);
        break;
    case REPLY_BOOLEAN:
        lua_pushboolean(L, token->boolean);
        break;
    default:
        lua_newtable(L);
        break;
    }
}

/* Puts the value on top of the stack into the table below it. */
static void store_token(lua_State *L, const struct reply_token *token)
{
    if (token->name.data == NULL) {
        lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
        return;
    }
    lua_pushlstring(L, token->name.data, token->name.size);
    lua_insert(L, -2);
    lua_rawset(L, -3);
}

void push_reply(lua_State *L, struct pr_bytes octets)
{
    struct reply_token token;

    luaL_checkstack(L, REPLY_DEPTH_MOST * 2 + 10, NULL);
    lua_newtable(L);
    while (reply_next(&octets, &token)) {
        if (token.kind == REPLY_END) {
            lua_pop(L, 1);
            continue;
        }
        push_token(L, &token);
        if (token.kind != REPLY_BEGIN) {
            store_token(L, &token);
            continue;
        }
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        store_token(L, &token);
        lua_pop(L, 1); /* what follows goes into the new one */
    }
}

/* ---- Making it ----------------------------------------------------------- */

static pr_status ask_at_gate(struct call *call, pr_time total)
{
    pr_time deadline;
    bool is_trial;
    pr_status status = gate_enter(call->gate, total, &is_trial);

    if (status != PR_OK)
        return status;
    deadline = pr_in(call->timeout);
    status = call->ask(call, deadline < total ? deadline : total);
    if (status == PR_OK)
        status = reply_status(&call->reply);
    /* That the message had no more time says nothing about the service. */
    gate_leave(call->gate, is_trial,
               status == PR_TIMEOUT && pr_now() >= total ? PR_CANCELLED
                                                         : status);
    return status;
}

static bool push_kept(lua_State *L, const struct call *call)
{
    struct pr_bytes kept;

    if (call->key.data == NULL || call->is_fresh ||
        !cache_get(script_of(L)->calls->cache, call->key, pr_now(), &kept))
        return false;
    push_reply(L, kept);
    return true;
}

static int push_answer(lua_State *L, const struct call *call)
{
    struct pr_bytes octets = {call->reply.octets.data, call->reply.octets.size};

    if (call->key.data != NULL && call->keep > 0)
        cache_put(script_of(L)->calls->cache, call->key, octets,
                  pr_in(call->keep));
    push_reply(L, octets);
    return 1;
}

/* The words are those of the last failure. */
static int push_failure(lua_State *L, const struct run *run, pr_status status)
{
    if (status == PR_CANCELLED || status == PR_NOMEM)
        return script_raise(L, status);
    if (pr_now() >= run->deadline)
        script_check_time(L);
    lua_pushnil(L);
    lua_pushstring(L, pr_last_failure()->text);
    return 2;
}

/* Waits for what another, who asks the same, is told; true: it is in `joined`.
 * False: that one gave up, so that there may be nobody any more who asks. */
static bool wait_for_other(struct call *call, pr_time total,
                           pr_status *ret_status)
{
    struct question *question = call->joined;
    pr_status status;

    call->gate->near++;
    status = question_wait(question, total);
    call->gate->near--;
    if (status == PR_OK && question->status == PR_CANCELLED) {
        question_release(call->joined);
        call->joined = NULL;
        return false;
    }
    if (status == PR_OK && question->status != PR_OK)
        status = pr_fail(question->status, "%s",
                         question->words != NULL ? question->words
                                                 : "out of memory");
    *ret_status = status;
    return true;
}

/* Asks, unless another asks the same and is told. */
static pr_status ask_once(struct call *call, struct questions *under_way,
                          pr_time total)
{
    struct question *question;
    pr_status status;

    if (call->key.data == NULL)
        return ask_at_gate(call, total);
    while ((call->joined = question_join(under_way, call->key)) != NULL)
        if (wait_for_other(call, total, &status))
            return status;
    question = question_begin(under_way, call->key);
    status = ask_at_gate(call, total);
    /* Others may have more time left than this message had. */
    question_end(
        under_way, question,
        status != PR_OK && pr_now() >= total ? PR_CANCELLED : status,
        (struct pr_bytes){call->reply.octets.data, call->reply.octets.size});
    return status;
}

int call_make(lua_State *L, struct call *call)
{
    struct run *run;
    pr_status status;

    if (push_kept(L, call))
        return 1;
    run = script_pause(L);
    status = ask_once(call, &run->script->calls->under_way, run->deadline);
    script_resume(run);
    if (status != PR_OK)
        return push_failure(L, run, status);
    if (call->joined == NULL)
        return push_answer(L, call);
    push_reply(L, call->joined->answer);
    question_release(call->joined);
    call->joined = NULL;
    return 1;
}

void open_calls(lua_State *L)
{
    static const luaL_Reg functions[] = {{"__gc", call_free}, {NULL, NULL}};

    new_type(L, TYPE_CALL, functions);
    open_services(L);
    open_names(L);
    open_web(L);
    open_json(L);
    open_all_of(L);
}
