/*
 * dns: what rules ask of the domain name system.
 */
#include <config.h>

#include <arpa/inet.h>
#include <string.h>

#include "io/dns.h"
#include "lua/calls.h"

#define NAME_MOST 1000          /* octets as text; RFC 1035 has 255 of a name */
#define KEEP_MOST (3600 * 1000) /* ms */

struct lookup {
    struct dns *dns;
    const char *name;
    enum dns_type type;
};

static pr_status ask(struct call *call, pr_time deadline)
{
    const struct lookup *lookup = call->user;
    uint32_t ttl = 0;
    pr_status status = dns_ask(lookup->dns, lookup->name, lookup->type,
                               deadline, &call->reply, &ttl);

    call->keep = (uint64_t)ttl * 1000;
    if (call->keep > KEEP_MOST)
        call->keep = KEEP_MOST;
    return status;
}

/* The name at `arg`; what mail has there may be none at all, which is "". */
static const char *to_name(lua_State *L, int arg)
{
    const char *name;

    if (lua_isnil(L, arg))
        return "";
    name = luaL_checkstring(L, arg);
    return strlen(name) == lua_rawlen(L, arg) ? name : "";
}

/* A call that asks; `options` is the index of { timeout = ... }. */
static struct call *lookup_call(lua_State *L, const char *what,
                                const char *name, enum dns_type type,
                                int options)
{
    static const char *const names[] = {"timeout", NULL};
    struct call *call = call_new(L, what);
    struct lookup *lookup = script_alloc(L, call->arena, sizeof *lookup);
    char number = (char)type;

    call_check_fields(L, what, options, names);
    *lookup = (struct lookup){
        .dns = calls_dns(L),
        .name = script_copy(L, call->arena, name),
        .type = type,
    };
    call->timeout = call_duration(L, options, "timeout", call_timeout(L));
    call_key(L, call, "dns", 3);
    call_key(L, call, &number, 1);
    call_key(L, call, name, strlen(name));
    call_key(L, call, (const char *)&call->timeout, sizeof call->timeout);
    call->gate = call_gate(L, "dns");
    call->ask = ask;
    call->user = lookup;
    return call;
}

/* Names come out of mail: what cannot be one is no error, but has no answer.
 */
static int no_answer(lua_State *L, const char *what, const char *words)
{
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", what, words);
    return 2;
}

/* Asks; `options` is the index of { timeout = ... }. */
static int look_up(lua_State *L, const char *what, const char *name,
                   enum dns_type type, int options)
{
    struct call *call = lookup_call(L, what, name, type, options);

    if (name[0] == '\0' || strlen(name) > NAME_MOST)
        return no_answer(L, what, "that is no name");
    if (mocks_hold(L))
        return mocks_answer(L, what, 2);
    return call_make(L, call);
}

/* dns.a(name), dns.aaaa(name): list of addresses as texts; nil and a text if
 * nobody could tell. Names and types that are not there are empty lists. */
static int ask_a(lua_State *L)
{
    lua_settop(L, 2);
    return look_up(L, "dns.a", to_name(L, 1), DNS_A, 2);
}

static int ask_aaaa(lua_State *L)
{
    lua_settop(L, 2);
    return look_up(L, "dns.aaaa", to_name(L, 1), DNS_AAAA, 2);
}

/* dns.mx(name): list of { preference = number, host = text }, by preference */
static int ask_mx(lua_State *L)
{
    lua_settop(L, 2);
    return look_up(L, "dns.mx", to_name(L, 1), DNS_MX, 2);
}

/* dns.txt(name): list of texts */
static int ask_txt(lua_State *L)
{
    lua_settop(L, 2);
    return look_up(L, "dns.txt", to_name(L, 1), DNS_TXT, 2);
}

static bool is_version_six(const char *address)
{
    return strchr(address, ':') != NULL;
}

/* dns.ptr(address): list of the names that an IPv4 or IPv6 address has */
static int ask_ptr(lua_State *L)
{
    const char *address = to_name(L, 1);
    char name[128];

    lua_settop(L, 2);
    if (!dns_reverse(address,
                     is_version_six(address) ? "ip6.arpa" : "in-addr.arpa",
                     name, sizeof name))
        return no_answer(L, "dns.ptr", "that is no address");
    return look_up(L, "dns.ptr", name, DNS_PTR, 2);
}

/* ---- Lists of addresses and names (RFC 5782) ----------------------------- */

/* Pushes the name to ask for about what is at 1 in the zone at 2; NULL and
 * nothing if that is neither an address nor a name. */
static const char *push_list_name(lua_State *L)
{
    const char *about = to_name(L, 1), *zone = check_text(L, 2);
    struct in_addr address;
    char name[NAME_MOST];

    if (is_version_six(about) || inet_pton(AF_INET, about, &address) == 1) {
        if (!dns_reverse(about, zone, name, sizeof name))
            return NULL;
        return lua_pushstring(L, name);
    }
    return lua_pushfstring(L, "%s.%s", about, zone);
}

/* Of the addresses in the list on top of the stack, those that say something:
 * RFC 5782, 2.1: only 127.0.0.0/8 does, and what else comes is of a name server
 * that answers for names that are not there. Pushes a list. */
static void push_codes(lua_State *L)
{
    lua_newtable(L);
    for (lua_Integer i = 1; lua_rawgeti(L, -2, i) == LUA_TSTRING; i++) {
        if (strncmp(lua_tostring(L, -1), "127.", 4) == 0)
            lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
        else
            lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* Lists answer 127.255.255.0/24 to those that they do not serve. */
static bool is_refusal(lua_State *L)
{
    bool refused;

    lua_rawgeti(L, -1, 1);
    refused = lua_isstring(L, -1) &&
              strncmp(lua_tostring(L, -1), "127.255.255.", 12) == 0;
    lua_pop(L, 1);
    return refused;
}

/* Sets the field `text` of the table at `result`: why it is listed. */
static void add_reason(lua_State *L, int result, const char *name)
{
    if (look_up(L, "dns.rbl", name, DNS_TXT, 3) != 1 ||
        lua_rawgeti(L, -1, 1) != LUA_TSTRING)
        lua_pushliteral(L, "");
    lua_setfield(L, result, "text");
}

/* dns.rbl(address or name, zone): table with listed (true or false), codes
 * (list of addresses below 127.0.0.0) and text (why); nil and a text if nobody
 * could tell, or the list refuses to */
static int ask_rbl(lua_State *L)
{
    const char *name;
    int result;

    lua_settop(L, 3);
    name = push_list_name(L);
    if (name == NULL || name[0] == '.')
        return no_answer(L, "dns.rbl", "that is neither an address nor a name");
    if (mocks_hold(L))
        return mocks_answer(L, "dns.rbl", 3);
    if (look_up(L, "dns.rbl", name, DNS_A, 3) != 1)
        return 2;
    push_codes(L);
    if (is_refusal(L)) {
        lua_pushnil(L);
        lua_pushfstring(L, "%s does not answer this name server",
                        lua_tostring(L, 2));
        return 2;
    }
    lua_createtable(L, 0, 3);
    result = lua_gettop(L);
    lua_pushboolean(L, lua_rawlen(L, -2) > 0);
    lua_setfield(L, result, "listed");
    lua_pushvalue(L, result - 1);
    lua_setfield(L, result, "codes");
    if (lua_rawlen(L, result - 1) > 0) {
        add_reason(L, result, name);
    } else {
        lua_pushliteral(L, "");
        lua_setfield(L, result, "text");
    }
    lua_settop(L, result);
    return 1;
}

void open_names(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"a", ask_a},     {"aaaa", ask_aaaa}, {"mx", ask_mx}, {"txt", ask_txt},
        {"ptr", ask_ptr}, {"rbl", ask_rbl},   {NULL, NULL},
    };

    push_library(L, "dns", functions);
}
