/*
 * source("name", { ... }): where mail comes from, written in Lua.
 *
 * It has one folder and no UIDs: `list` names the messages, the core gives them
 * numbers that stay. One session calls one function at a time.
 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "lua/script.h"
#include "mail/spool.h"

enum { LIST, FETCH, SETTLE };

static const char *const names[] = {"list", "fetch", "settle", NULL};

#define ITEMS_MOST 1000000
#define UIDL_MOST 1000 /* octets */
#define PIECE ((size_t)64 * 1024)

/* What stands where a plugin's class has its options. */
struct lua_source {
    struct script *script;
    const char *name;
    int functions[FUNCTIONS_MOST];
};

/* The state of a session. */
struct feeder {
    const struct lua_source *lua;
    const char *who;
    struct pr_arena *arena;
    int listed; /* in the registry: what `list` returned */
    struct pr_item *items;
    size_t count;
};

static pr_status call(const struct feeder *feeder, int function, uint64_t count,
                      int (*push)(lua_State *L, void *user),
                      void (*take)(lua_State *L, void *user), void *user)
{
    struct turn turn = {
        .script = feeder->lua->script,
        .who = feeder->who,
        .what = names[function],
        .function = feeder->lua->functions[function],
        .count = count,
        .push = push,
        .take = take,
        .user = user,
    };

    return turn_run(&turn);
}

/* ---- Opening ------------------------------------------------------------- */

static pr_status source_open(struct pr_source *source)
{
    struct pr_arena *arena = pr_arena_new();
    struct feeder *feeder =
        arena != NULL ? pr_arena_alloc(arena, sizeof *feeder) : NULL;

    if (feeder == NULL) {
        pr_arena_free(arena);
        return PR_NOMEM;
    }
    *feeder = (struct feeder){.lua = source->options,
                              .who = source->account,
                              .arena = arena,
                              .listed = LUA_NOREF};
    source->state = feeder;
    return PR_OK;
}

static void forget_list(struct feeder *feeder)
{
    luaL_unref(feeder->lua->script->L, LUA_REGISTRYINDEX, feeder->listed);
    feeder->listed = LUA_NOREF;
    feeder->count = 0;
}

static void source_close(struct pr_source *source)
{
    struct feeder *feeder = source->state;

    if (feeder == NULL)
        return;
    forget_list(feeder);
    pr_arena_free(feeder->arena);
    source->state = NULL;
}

/* ---- Listing ------------------------------------------------------------- */

static int push_nothing(lua_State *L, void *user)
{
    (void)L, (void)user;
    return 0;
}

/* A field of the item on top of the stack that is a number from 0 on. */
static int64_t number_field(lua_State *L, const char *name, size_t index)
{
    int64_t value = 0;
    int is_number = 1;

    if (lua_getfield(L, -1, name) != LUA_TNIL)
        value = lua_tointegerx(L, -1, &is_number);
    if (!is_number || value < 0)
        luaL_error(L, "item %d: %s: expects a whole number, got %s",
                   (int)index + 1, name, type_words(L, -1));
    lua_pop(L, 1);
    return value;
}

static const char *uidl_field(lua_State *L, struct pr_arena *arena,
                              size_t index)
{
    const char *uidl = NULL;
    size_t size = 0;

    if (lua_getfield(L, -1, "uidl") == LUA_TSTRING) {
        uidl = lua_tolstring(L, -1, &size);
        if (size == 0 || size > UIDL_MOST || strlen(uidl) != size)
            luaL_error(L, "item %d: uidl: expects 1 to %d octets without NUL",
                       (int)index + 1, UIDL_MOST);
        uidl = script_copy(L, arena, uidl);
    } else if (!lua_isnil(L, -1)) {
        luaL_error(L, "item %d: uidl: expects a text, got %s", (int)index + 1,
                   type_words(L, -1));
    }
    lua_pop(L, 1);
    return uidl;
}

static void take_list(lua_State *L, void *user)
{
    struct feeder *feeder = user;
    size_t count;

    lua_settop(L, 2);
    if (!lua_istable(L, 1)) {
        if (lua_isnil(L, 1) && lua_isstring(L, 2))
            luaL_error(L, "%s", lua_tostring(L, 2));
        luaL_error(L, "expects a list of items to be returned, got %s",
                   type_words(L, 1));
    }
    count = lua_rawlen(L, 1);
    if (count > ITEMS_MOST)
        luaL_error(L, "more than %d items", ITEMS_MOST);
    feeder->items =
        script_alloc(L, feeder->arena, (count + 1) * sizeof *feeder->items);
    for (size_t i = 0; i < count; i++) {
        if (lua_rawgeti(L, 1, (lua_Integer)i + 1) != LUA_TTABLE)
            luaL_error(L, "item %d: expects a table, got %s", (int)i + 1,
                       type_words(L, -1));
        feeder->items[i] = (struct pr_item){
            .number = (uint32_t)i + 1,
            .uidl = uidl_field(L, feeder->arena, i),
            .size = (uint64_t)number_field(L, "size", i),
            .received = number_field(L, "received", i),
        };
        lua_pop(L, 1);
    }
    lua_settop(L, 1);
    feeder->listed = luaL_ref(L, LUA_REGISTRYINDEX);
    feeder->count = count;
}

/* The folder is looked at here, and shown as it was then by list. */
static pr_status source_select(struct pr_source *source, const char *folder,
                               struct pr_mailbox *ret)
{
    struct feeder *feeder = source->state;
    pr_status status;

    if (!pr_bytes_equal_nocase(pr_bytes_of(folder), PR_BYTES("INBOX")))
        return pr_fail(PR_GONE, "there is no folder but INBOX");
    forget_list(feeder);
    status = call(feeder, LIST, 1, push_nothing, take_list, feeder);
    if (status == PR_OK)
        *ret = (struct pr_mailbox){.exists = (uint32_t)feeder->count};
    return status;
}

static pr_status source_list(struct pr_source *source,
                             const struct pr_range *ranges, size_t count,
                             pr_item_listed *listed, void *user)
{
    struct feeder *feeder = source->state;
    pr_status status = PR_OK;

    (void)ranges, (void)count;
    for (size_t i = 0; status == PR_OK && i < feeder->count; i++)
        status = listed(user, &feeder->items[i]);
    return status;
}

/* ---- Fetching ------------------------------------------------------------ */

struct fetching {
    const struct feeder *feeder;
    struct pr_feed *feed;
    struct pr_request request;
    struct pr_spool *spool; /* NULL: not begun */
    struct pr_failure failure;
};

/* Pushes what `list` returned for the item; nil for one it did not. */
static void push_item(lua_State *L, const struct feeder *feeder,
                      const struct pr_item *item)
{
    if (item->number == 0 || item->number > feeder->count) {
        lua_pushnil(L);
        return;
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, feeder->listed);
    lua_rawgeti(L, -1, (lua_Integer)item->number);
    lua_remove(L, -2);
}

static int push_request(lua_State *L, void *user)
{
    const struct fetching *fetching = user;

    push_item(L, fetching->feeder, fetching->request.item);
    lua_pushstring(L,
                   fetching->request.want == PR_WANT_HEADER ? "header" : "all");
    return 2;
}

static pr_status append(struct fetching *fetching, const char *data,
                        size_t size)
{
    const struct pr_request *request = &fetching->request;
    const struct pr_item *item = request->item;
    pr_status status = PR_OK;

    if (fetching->spool == NULL)
        status = fetching->feed->ops->begin(
            fetching->feed, request->item, request->want,
            item->size > size ? item->size : size, &fetching->spool);
    while (status == PR_OK && size > 0) {
        size_t piece = size < PIECE ? size : PIECE;
        status = pr_spool_append(fetching->spool, data, piece);
        data += piece;
        size -= piece;
        if (request->want == PR_WANT_HEADER &&
            spool_header_is_ended(fetching->spool))
            break;
    }
    return status;
}

/* The text on top of the stack goes into the spool. False: no more is wanted.
 */
static bool take_text(lua_State *L, struct fetching *fetching)
{
    size_t size;
    const char *text = lua_tolstring(L, -1, &size);
    struct run *run = script_pause(L);
    pr_time start = pr_now();
    pr_status status = append(fetching, text, size);

    script_resume(run);
    run->deadline += pr_now() - start; /* the house was full: not its fault */
    if (status != PR_OK)
        fetching->failure = *pr_last_failure();
    fetching->failure.status = status;
    return status == PR_OK && (fetching->request.want != PR_WANT_HEADER ||
                               !spool_header_is_ended(fetching->spool));
}

/* A text, or a function that returns one after the other and then nil; nothing:
 * it is gone. */
static void take_octets(lua_State *L, void *user)
{
    struct fetching *fetching = user;

    lua_settop(L, 2);
    if (lua_type(L, 1) == LUA_TSTRING) {
        lua_settop(L, 1);
        (void)take_text(L, fetching);
    } else if (lua_isfunction(L, 1)) {
        bool goes_on = true;
        while (goes_on) {
            lua_pushvalue(L, 1);
            lua_call(L, 0, 1);
            if (lua_isnil(L, -1))
                break;
            if (lua_type(L, -1) != LUA_TSTRING)
                luaL_error(L,
                           "expects texts from the function that it "
                           "returned, got %s",
                           type_words(L, -1));
            goes_on = take_text(L, fetching);
            lua_pop(L, 1);
        }
    } else if (lua_isnil(L, 1) && lua_isnil(L, 2)) {
        pr_fail(PR_GONE, "it is not there any more");
        fetching->failure = *pr_last_failure();
    } else {
        if (to_outcome(L, 1) == PR_OK)
            luaL_error(L, "expects a text or a function to be returned");
        fetching->failure = *pr_last_failure();
    }
}

static pr_status fetch_one(struct fetching *fetching)
{
    pr_status status =
        call(fetching->feeder, FETCH, 1, push_request, take_octets, fetching);

    if (status == PR_OK && fetching->failure.status != PR_OK)
        status =
            pr_fail(fetching->failure.status, "%s", fetching->failure.text);
    if (status == PR_OK &&
        (fetching->spool == NULL || pr_spool_wire_size(fetching->spool) == 0))
        status = pr_fail(PR_PROTOCOL, "%s: fetch gave an empty message",
                         fetching->feeder->who);
    fetching->feed->ops->end(fetching->feed, fetching->request.item, status);
    return status == PR_CANCELLED || status == PR_NOMEM ? status : PR_OK;
}

static pr_status source_fetch(struct pr_source *source, struct pr_feed *feed)
{
    pr_status status = PR_OK;

    while (status == PR_OK) {
        struct fetching fetching = {.feeder = source->state, .feed = feed};
        status = feed->ops->next(feed, true, &fetching.request);
        if (status == PR_OK && fetching.request.item != NULL)
            status = fetch_one(&fetching);
    }
    return status == PR_EOF ? PR_OK : status;
}

/* ---- Settling ------------------------------------------------------------ */

struct settling {
    const struct feeder *feeder;
    struct pr_deed *deeds;
    size_t count;
};

static int push_deeds(lua_State *L, void *user)
{
    const struct settling *settling = user;

    lua_createtable(L, (int)settling->count, 0);
    for (size_t i = 0; i < settling->count; i++) {
        const struct pr_deed *deed = &settling->deeds[i];
        lua_createtable(L, 0, 3);
        push_item(L, settling->feeder, deed->item);
        lua_setfield(L, -2, "item");
        lua_pushstring(L, deed->item->uidl);
        lua_setfield(L, -2, "uidl");
        lua_pushboolean(L, deed->remove);
        lua_setfield(L, -2, "remove");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static void set_result(void *user, size_t index, pr_status status)
{
    ((struct settling *)user)->deeds[index].result = status;
}

static void take_results(lua_State *L, void *user)
{
    const struct settling *settling = user;

    take_outcomes(L, settling->count, set_result, user);
}

static pr_status source_settle(struct pr_source *source, struct pr_deed *deeds,
                               size_t count)
{
    const struct feeder *feeder = source->state;
    struct settling settling = {feeder, deeds, count};
    pr_status status = PR_UNSUPPORTED;

    if (count == 0)
        return PR_OK;
    for (size_t i = 0; i < count; i++)
        deeds[i].result = PR_UNSUPPORTED;
    if (feeder->lua->functions[SETTLE] == LUA_NOREF)
        return PR_OK;
    status = call(feeder, SETTLE, count, push_deeds, take_results, &settling);
    for (size_t i = 0; status != PR_OK && i < count; i++)
        deeds[i].result = status;
    return status == PR_SCRIPT ? PR_OK : status;
}

/* ---- The constructor ----------------------------------------------------- */

static const struct pr_source_ops ops = {
    .size = sizeof ops,
    .open = source_open,
    .select = source_select,
    .list = source_list,
    .fetch = source_fetch,
    .settle = source_settle,
    .close = source_close,
    .lacks = PR_LACKS_FLAGS | PR_LACKS_FOLDERS,
};

static const struct pr_class source_class = {
    .size = sizeof source_class,
    .role = PR_ROLE_SOURCE,
    .name = "source",
    .summary = "mail from functions of the configuration",
    .source = &ops,
};

/* source("name", { list = function() ... end, ... }): where mail comes from.
 * list(): a list of items { uidl = text, size = octets, received = seconds }:
 * uidl names a message as long as it is there; other fields are its own.
 * fetch(item, want): the message, a text or a function that returns one text
 * after the other and then nil; nil: it is gone. want is "header" where the
 * header is enough, else "all".
 * settle(deeds): a list of { uidl = text, item = item, remove = true }; returns
 * as commit of a sink does */
static int new_lua_source(lua_State *L)
{
    struct script *script = script_of(L);
    struct lua_source *lua = script_alloc(L, script->arena, sizeof *lua);
    bool is_right;

    lua_settop(L, 2);
    is_right = read_functions(L, "source", names, &lua->name, lua->functions);
    for (int i = LIST; i <= FETCH; i++) {
        if (lua->functions[i] != LUA_NOREF)
            continue;
        problem_add(L, script_place(L, 1), "source \"%s\": %s is missing",
                    lua->name, names[i]);
        is_right = false;
    }
    lua->script = script;
    push_new_source(L, is_right ? &source_class : NULL, lua);
    return 1;
}

void open_sources(lua_State *L)
{
    lua_pushcfunction(L, new_lua_source);
    lua_setglobal(L, "source");
}
