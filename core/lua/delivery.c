/*
 * A message as the functions of a sink see it: what is to be delivered, and
 * where to. It is there until the function has returned.
 */
#include <config.h>

#include <string.h>

#include "lua/script.h"
#include "mail/view.h"

#define CHUNK (64 * 1024)
#define CHUNK_MOST (16 * 1024 * 1024)

static struct parcel *check_parcel(lua_State *L, int arg)
{
    struct parcel **box = luaL_testudata(L, arg, TYPE_DELIVERY);

    if (box == NULL)
        luaL_error(L,
                   "expects the message, got %s: methods are called with a "
                   "colon, as in m:raw()",
                   type_words(L, arg));
    if (*box == NULL)
        luaL_error(L, "the message has left: it can be used only until the "
                      "function that got it returns");
    return *box;
}

struct pr_delivery *to_delivery(lua_State *L, int index)
{
    if (luaL_testudata(L, index, TYPE_DELIVERY) == NULL)
        return NULL;
    return check_parcel(L, index)->delivery;
}

void push_parcel(lua_State *L, struct parcel *parcel,
                 struct pr_delivery *delivery)
{
    struct parcel **box = lua_newuserdatauv(L, sizeof(struct parcel *), 0);

    *parcel = (struct parcel){.delivery = delivery, .box = box};
    *box = parcel;
    luaL_setmetatable(L, TYPE_DELIVERY);
}

void parcel_end(struct parcel *parcel)
{
    view_free(parcel->view);
    if (parcel->box != NULL)
        *parcel->box = NULL;
    *parcel = (struct parcel){0};
}

static int box_gc(lua_State *L)
{
    struct parcel **box = luaL_checkudata(L, 1, TYPE_DELIVERY);

    if (*box != NULL)
        (*box)->box = NULL;
    *box = NULL;
    return 0;
}

/* ---- Fields -------------------------------------------------------------- */

#define TEXT_FIELD(name, member)                                 \
    static void get_##name(lua_State *L)                         \
    {                                                            \
        lua_pushstring(L, check_parcel(L, 1)->delivery->member); \
    }

/* m.account: text, the account it came in by */
TEXT_FIELD(account, account)
/* m.source_folder: text, the folder it was found in */
TEXT_FIELD(source_folder, source_folder)
/* m.folder: text, where to below the sink: "a/b" for sink / "a/b", else "" */
TEXT_FIELD(folder, folder)
/* m.key: text of letters, digits, ".", "_" and "-": the same for each try */
TEXT_FIELD(key, key)
/* m.receipt: text that `stage` returned */
TEXT_FIELD(receipt, receipt)

/* m.uid: number, its UID in source_folder */
static void get_uid(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)check_parcel(L, 1)->delivery->uid);
}

/* m.received: seconds since 1970 */
static void get_received(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)check_parcel(L, 1)->delivery->received);
}

/* m.size: number of octets of what is delivered, line ends as LF */
static void get_size(lua_State *L)
{
    const struct pr_delivery *delivery = check_parcel(L, 1)->delivery;

    lua_pushinteger(L, (lua_Integer)pr_spool_size(delivery->spool));
}

/* m.flags: list of its flags and keywords; m.flags["\\Seen"] is true or false
 */
static void get_flags(lua_State *L)
{
    push_flags(L, check_parcel(L, 1)->delivery->flags);
}

/* ---- Header -------------------------------------------------------------- */

static struct view *parcel_view(lua_State *L, struct parcel *parcel)
{
    struct view *view = NULL;
    struct run *run;
    pr_status status;

    if (parcel->view != NULL)
        return parcel->view;
    run = script_pause(L);
    status = view_new(parcel->delivery->spool, &view);
    if (parcel->view == NULL)
        parcel->view = view;
    else /* by another branch meanwhile */
        view_free(view);
    script_resume(run);
    if (status != PR_OK)
        script_raise(L, status);
    return parcel->view;
}

/* m:header(name): text of the first field of that name, decoded; nil if none */
static int header(lua_State *L)
{
    const struct view *view = parcel_view(L, check_parcel(L, 1));
    struct view_field field;
    size_t index = 0;

    if (!view_find_field(view, check_text(L, 2), &index, &field))
        return 0;
    lua_pushstring(L, field.value);
    return 1;
}

/* m:headers(name): list of the texts of all fields of that name */
static int headers(lua_State *L)
{
    const struct view *view = parcel_view(L, check_parcel(L, 1));
    const char *name = check_text(L, 2);
    struct view_field field;
    size_t index = 0;
    lua_Integer count = 0;

    lua_newtable(L);
    while (view_find_field(view, name, &index, &field)) {
        lua_pushstring(L, field.value);
        lua_rawseti(L, -2, ++count);
    }
    return 1;
}

/* ---- Octets -------------------------------------------------------------- */

/* Pushes at most `size` octets from `offset` on; returns how many. */
static size_t push_octets(lua_State *L, const struct parcel *parcel,
                          uint64_t offset, size_t size)
{
    luaL_Buffer buffer;
    char *room = luaL_buffinitsize(L, &buffer, size);
    size_t got = 0;
    pr_status status =
        pr_spool_read(parcel->delivery->spool, offset, room, size, &got);

    if (status != PR_OK)
        script_raise(L, status);
    luaL_pushresultsize(&buffer, got);
    return got;
}

/* m:raw(): text, the whole message with LF line ends. A large one is over the
 * memory a function may take: see m:bytes(). */
static int raw(lua_State *L)
{
    const struct parcel *parcel = check_parcel(L, 1);

    push_octets(L, parcel, 0, (size_t)pr_spool_size(parcel->delivery->spool));
    return 1;
}

static int next_bytes(lua_State *L)
{
    const struct parcel *parcel = check_parcel(L, lua_upvalueindex(1));
    lua_Integer offset = lua_tointeger(L, lua_upvalueindex(2));
    lua_Integer size = lua_tointeger(L, lua_upvalueindex(3));
    size_t got = push_octets(L, parcel, (uint64_t)offset, (size_t)size);

    if (got == 0)
        return 0;
    lua_pushinteger(L, offset + (lua_Integer)got);
    lua_replace(L, lua_upvalueindex(2));
    return 1;
}

/* m:bytes([size]): iterator over the message in texts of so many octets, 64 KiB
 * unless said: for chunk in m:bytes() do ... end */
static int bytes(lua_State *L)
{
    lua_Integer size = luaL_optinteger(L, 2, CHUNK);

    check_parcel(L, 1);
    luaL_argcheck(L, size > 0 && size <= CHUNK_MOST, 2,
                  "expects a number of octets from 1 to 16777216");
    lua_pushvalue(L, 1);
    lua_pushinteger(L, 0);
    lua_pushinteger(L, size);
    lua_pushcclosure(L, next_bytes, 3);
    return 1;
}

/* ---- The type ------------------------------------------------------------ */

static const struct {
    const char *name;
    void (*get)(lua_State *L);
} fields[] = {
    {"account", get_account},   {"source_folder", get_source_folder},
    {"folder", get_folder},     {"key", get_key},
    {"receipt", get_receipt},   {"uid", get_uid},
    {"received", get_received}, {"size", get_size},
    {"flags", get_flags},
};

static const luaL_Reg methods[] = {
    {"header", header}, {"headers", headers}, {"raw", raw},
    {"bytes", bytes},   {NULL, NULL},
};

#define FIELDS (sizeof fields / sizeof *fields)
#define METHODS (sizeof methods / sizeof *methods - 1)

static int parcel_index(lua_State *L)
{
    const char *names[FIELDS + METHODS + 1];
    const char *name = luaL_tolstring(L, 2, NULL);
    size_t count = 0;

    for (size_t i = 0; i < METHODS; i++) {
        names[count++] = methods[i].name;
        if (strcmp(methods[i].name, name) == 0) {
            lua_pushcfunction(L, methods[i].func);
            return 1;
        }
    }
    for (size_t i = 0; i < FIELDS; i++) {
        names[count++] = fields[i].name;
        if (strcmp(fields[i].name, name) == 0) {
            fields[i].get(L);
            return 1;
        }
    }
    names[count] = NULL;
    return raise_unknown(L, "a message to deliver has no", name, names);
}

static int parcel_newindex(lua_State *L)
{
    return luaL_error(L, "a message to deliver cannot be changed");
}

void open_deliveries(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"__index", parcel_index},
        {"__newindex", parcel_newindex},
        {"__gc", box_gc},
        {NULL, NULL},
    };

    new_type(L, TYPE_DELIVERY, functions);
}
