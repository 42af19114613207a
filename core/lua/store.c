/*
 * seen, store and ratelimit: what rules keep for later messages.
 *
 * What a message's rules keep holds when the message is dealt with, and not
 * before: see keep.h.
 */
#include <config.h>

#include <string.h>

#include <postrider/digest.h>

#include "lua/keep.h"
#include "lua/script.h"

#define SEEN_FOR ((int64_t)30 * 86400 * 1000) /* ms, unless the rule says */
#define SEEN_KEY_MAX 500 /* octets; a longer one is known by its digest */

static struct keep *check_keep(lua_State *L, const char *what)
{
    if (script_of(L)->running->who == NULL)
        luaL_error(L, "%s: only in a rule, not while the configuration is read",
                   what);
    return script_of(L)->keep;
}

/* When a time that begins now is over: ms since 1970, 0 if `arg` is none. */
static int64_t check_expiry(lua_State *L, int arg, int64_t otherwise)
{
    uint64_t ms;

    if (lua_isnoneornil(L, arg))
        return otherwise != 0 ? keep_now() + otherwise : 0;
    ms = check_duration(L, arg);
    luaL_argcheck(L, ms > 0, arg, "expects a time longer than nothing");
    return keep_now() + (int64_t)ms;
}

/* The text at `arg`; nil is an empty one. One of more than `most` octets, which
 * mail can have, is known by its beginning and its digest. */
static struct pr_bytes check_key(lua_State *L, int arg, size_t most)
{
    unsigned char digest[PR_DIGEST_SIZE];
    struct pr_bytes key = PR_BYTES("");
    luaL_Buffer shorter;

    if (lua_isnil(L, arg))
        return key;
    key.data = luaL_checklstring(L, arg, &key.size);
    if (key.size <= most)
        return key;
    if (pr_digest(key, digest) != PR_OK)
        script_raise(L, pr_last_failure()->status);
    luaL_buffinit(L, &shorter);
    luaL_addlstring(&shorter, key.data, most - sizeof digest);
    luaL_addlstring(&shorter, (const char *)digest, sizeof digest);
    luaL_pushresult(&shorter);
    lua_replace(L, arg);
    key.data = lua_tolstring(L, arg, &key.size);
    return key;
}

/* Asks for the key; raises on failure. Waits. */
static struct keep_entry *ask(lua_State *L, struct keep *keep,
                              enum kept_table table, struct pr_bytes key,
                              struct kept *ret)
{
    struct keep_entry *entry = NULL;
    struct run *run = script_pause(L);
    pr_status status = keep_ask(keep, table, key, &entry, ret);

    script_resume_spent(run, 0);
    if (status != PR_OK)
        script_raise(L, status);
    return entry;
}

/* Takes the step, if there is one, and leaves the entry; raises on failure. May
 * wait where no message is. */
static void finish(lua_State *L, struct keep *keep, struct keep_entry *entry,
                   const struct kept_step *step)
{
    struct run *run;
    pr_status status = PR_OK;

    if (step != NULL) {
        run = script_pause(L);
        status = keep_step(keep, entry, run->message, step);
        script_resume_spent(run, 0);
    }
    keep_leave(keep, entry);
    if (status != PR_OK)
        script_raise(L, status);
}

/* ---- seen ---------------------------------------------------------------- */

/* A long key as its digest. */
static struct pr_bytes shorten(lua_State *L, struct pr_bytes key,
                               unsigned char digest[PR_DIGEST_SIZE])
{
    pr_status status;

    if (key.size <= SEEN_KEY_MAX)
        return key;
    status = pr_digest(key, digest);
    if (status != PR_OK)
        script_raise(L, status);
    return (struct pr_bytes){(const char *)digest, PR_DIGEST_SIZE};
}

/* seen(key, time): has another message asked with this key, within that time
 * (30 days)? The key is the Message-ID if none is given; without one no message
 * is like another, and the answer is false. A message that asks again, or is
 * tried again, gets the same answer. Waits. */
int rule_seen(lua_State *L)
{
    struct keep *keep = check_keep(L, "seen");
    struct message *message = script_of(L)->running->message;
    int64_t expires = check_expiry(L, 2, SEEN_FOR);
    struct kept_step step = {.what = KEPT_SET,
                             .value = {.kind = KEPT_TRUE, .expires = expires}};
    unsigned char digest[PR_DIGEST_SIZE];
    struct keep_entry *entry;
    struct kept kept;
    struct pr_bytes key;
    bool is_own, is_there;

    if (message == NULL)
        return luaL_error(L, "seen: only in a rule");
    if (lua_isnoneornil(L, 1)) {
        lua_settop(L, 0);
        lua_pushstring(L, view_message_id(check_view(L, message)));
    }
    key.data = luaL_checklstring(L, 1, &key.size);
    if (key.size == 0) {
        lua_pushboolean(L, false);
        return 1;
    }
    key = shorten(L, key, digest);
    entry = ask(L, keep, KEPT_SEEN, key, &kept);
    is_own = keep_has_step(entry, message);
    is_there = kept.kind != KEPT_NOTHING;
    kept_done(&kept);
    finish(L, keep, entry, is_there || is_own ? NULL : &step);
    lua_pushboolean(L, is_there && !is_own);
    return 1;
}

/* ---- store --------------------------------------------------------------- */

/* The value at `index`, its octets lent; false if it cannot be kept. */
static bool to_kept(lua_State *L, int index, struct kept *ret)
{
    switch (lua_type(L, index)) {
    case LUA_TBOOLEAN:
        ret->kind = lua_toboolean(L, index) ? KEPT_TRUE : KEPT_FALSE;
        return true;
    case LUA_TNUMBER:
        ret->kind = lua_isinteger(L, index) ? KEPT_INTEGER : KEPT_NUMBER;
        ret->integer = lua_tointeger(L, index);
        ret->number = lua_tonumber(L, index);
        return true;
    case LUA_TSTRING:
        ret->kind = KEPT_TEXT;
        ret->octets.data =
            (char *)(uintptr_t)lua_tolstring(L, index, &ret->octets.size);
        luaL_argcheck(L, ret->octets.size <= KEPT_VALUE_MAX, index,
                      "a text that is kept has at most 64 KiB");
        return true;
    default:
        return false;
    }
}

/* Pushes what is kept, and ends it. */
static void push_kept(lua_State *L, struct kept *kept)
{
    switch (kept->kind) {
    case KEPT_TRUE:
    case KEPT_FALSE:
        lua_pushboolean(L, kept->kind == KEPT_TRUE);
        break;
    case KEPT_INTEGER:
        lua_pushinteger(L, (lua_Integer)kept->integer);
        break;
    case KEPT_NUMBER:
        lua_pushnumber(L, kept->number);
        break;
    case KEPT_TEXT: {
        /* Pushing may raise: the buffer is Lua's from here on. */
        struct pr_buffer *buffer = lua_touserdata(L, -1);

        pr_buffer_done(buffer);
        *buffer = kept->octets;
        lua_pushlstring(L, pr_buffer_text(buffer), buffer->size);
        break;
    }
    case KEPT_TIMES:
    case KEPT_NOTHING:
        kept_done(kept);
        lua_pushnil(L);
        break;
    }
}

/* store.get(key): what was set there, nil if nothing was or its time is over.
 * Waits. */
static int store_get(lua_State *L)
{
    struct keep *keep = check_keep(L, "store.get");
    struct pr_bytes key = check_key(L, 1, KEPT_KEY_MAX);
    struct keep_entry *entry;
    struct kept kept;

    push_buffer(L, KEPT_VALUE_MAX);
    entry = ask(L, keep, KEPT_STORE, key, &kept);
    keep_leave(keep, entry);
    push_kept(L, &kept);
    return 1;
}

static int drop_key(lua_State *L, struct keep *keep, struct pr_bytes key)
{
    struct kept kept;
    struct keep_entry *entry = ask(L, keep, KEPT_STORE, key, &kept);

    kept_done(&kept);
    finish(L, keep, entry, &(struct kept_step){.what = KEPT_DROP});
    return 0;
}

/* store.set(key, value, time): keeps a text, a number or a boolean under the
 * key, for that time or for good; nil drops it. Waits. */
static int store_set(lua_State *L)
{
    struct keep *keep = check_keep(L, "store.set");
    struct pr_bytes key = check_key(L, 1, KEPT_KEY_MAX);
    struct kept_step step = {.what = KEPT_SET};
    struct keep_entry *entry;
    struct kept kept;

    luaL_checkany(L, 2);
    if (lua_isnil(L, 2))
        return drop_key(L, keep, key);
    if (!to_kept(L, 2, &step.value))
        return luaL_error(L,
                          "store.set: keeps a text, a number or a boolean, got "
                          "%s",
                          type_words(L, 2));
    step.value.expires = check_expiry(L, 3, 0);
    entry = ask(L, keep, KEPT_STORE, key, &kept);
    kept_done(&kept);
    finish(L, keep, entry, &step);
    return 0;
}

/* store.delete(key): drops what is kept there. Waits. */
static int store_delete(lua_State *L)
{
    return drop_key(L, check_keep(L, "store.delete"),
                    check_key(L, 1, KEPT_KEY_MAX));
}

/* store.incr(key, n, time): adds n (1) to the number there, 0 if there is none,
 * and returns the sum; a time given here begins anew. Waits. */
static int store_incr(lua_State *L)
{
    struct keep *keep = check_keep(L, "store.incr");
    struct pr_bytes key = check_key(L, 1, KEPT_KEY_MAX);
    struct kept_step step = {.what = KEPT_ADD,
                             .value = {.kind = KEPT_INTEGER, .integer = 1}};
    struct keep_entry *entry;
    struct kept kept;

    if (!lua_isnoneornil(L, 2)) {
        luaL_checktype(L, 2, LUA_TNUMBER);
        to_kept(L, 2, &step.value);
    }
    step.value.expires = check_expiry(L, 3, 0);
    lua_settop(L, 3);
    push_buffer(L, KEPT_VALUE_MAX);
    entry = ask(L, keep, KEPT_STORE, key, &kept);
    if (kept.kind != KEPT_NOTHING && kept.kind != KEPT_INTEGER &&
        kept.kind != KEPT_NUMBER) {
        keep_leave(keep, entry);
        kept_done(&kept);
        return luaL_error(L, "store.incr: what is kept there is no number");
    }
    (void)!kept_take(&kept, &step); /* a sum needs no memory */
    finish(L, keep, entry, &step);
    push_kept(L, &kept);
    return 1;
}

/* ---- ratelimit ----------------------------------------------------------- */

/* ratelimit(key, n, time): true, and counted, if it was true less than n times,
 * at most 8000, within that time; else false. Waits. */
static int ratelimit(lua_State *L)
{
    struct keep *keep = check_keep(L, "ratelimit");
    struct pr_bytes key = check_key(L, 1, KEPT_KEY_MAX);
    lua_Integer most = luaL_checkinteger(L, 2);
    int64_t now = keep_now(), expires = check_expiry(L, 3, 0);
    struct kept_step step = {.what = KEPT_HIT,
                             .value = {.integer = now, .expires = expires}};
    struct keep_entry *entry;
    struct kept kept;
    bool is_below;

    luaL_argcheck(L, most > 0 && most <= KEPT_TIMES_MAX, 2,
                  "expects a number from 1 to 8000");
    luaL_argcheck(L, expires != 0, 3, "expects a time such as \"1h\"");
    step.most = (unsigned)most;
    entry = ask(L, keep, KEPT_RATE, key, &kept);
    is_below = kept_times_after(&kept, now - (expires - now)) < (size_t)most;
    kept_done(&kept);
    finish(L, keep, entry, is_below ? &step : NULL);
    lua_pushboolean(L, is_below);
    return 1;
}

/* ---- m:reply ------------------------------------------------------------- */

bool reply_is_due(lua_State *L, struct message *message, const char *key,
                  uint64_t time)
{
    struct keep *keep = check_keep(L, "m:reply");
    int64_t now = keep_now(), expires = now + (int64_t)time;
    const struct kept_step step = {
        .what = KEPT_HIT,
        .value = {.integer = now, .expires = expires},
        .most = 1};
    struct keep_entry *entry;
    struct kept kept;
    pr_status status = PR_OK;
    bool is_due;

    entry = ask(L, keep, KEPT_RATE, pr_bytes_of(key), &kept);
    is_due = kept_times_after(&kept, now - (int64_t)time) == 0;
    kept_done(&kept);
    if (is_due)
        status = keep_step_of_reply(keep, entry, message, &step);
    keep_leave(keep, entry);
    if (status != PR_OK)
        script_raise(L, status);
    return is_due;
}

/* ---- The engine's side --------------------------------------------------- */

void rules_attach(struct config *config, struct state *state, bool is_trial)
{
    if (config->script != NULL)
        keep_attach(config->script->keep, state, is_trial);
}

void rules_note(struct message *message, struct state_changes *changes)
{
    keep_note(message, changes);
}

void rules_reply_is_lost(struct message *message)
{
    keep_drop_reply(message);
}

void rules_noted(struct message *message)
{
    keep_noted(message);
}

void open_store(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"get", store_get},   {"set", store_set}, {"delete", store_delete},
        {"incr", store_incr}, {NULL, NULL},
    };

    luaL_newlib(L, functions);
    make_strict(L, "store");
    lua_setglobal(L, "store");
    lua_pushcfunction(L, ratelimit);
    lua_setglobal(L, "ratelimit");
}
