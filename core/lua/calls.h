/*
 * Calls that wait: what a rule asks of a service, a name server, a web server.
 *
 * One way for all: the cache is looked at, then whether the same is being asked
 * (io/coalesce.h), whose answer will do; else a place before the service is
 * waited for (io/gate.h) and it is asked with a deadline. The answer becomes a
 * table, a failure `nil, text`. No wait goes on beyond the time that the
 * message has in all.
 */
#ifndef LUA_CALLS_H
#define LUA_CALLS_H

#include "base/reply.h"
#include "io/coalesce.h"
#include "io/gate.h"
#include "lua/script.h"

/* What the calls of a configuration share. */
struct calls;
PR_CHECKED pr_status calls_new(struct calls **ret);
void calls_free(struct calls *calls); /* NULL is fine */

/* A call, with what must be given back whatever happens. */
struct call {
    struct pr_arena *arena; /* what is needed until its end */
    struct pr_reply reply;
    void *resource; /* of whoever asks, or NULL */
    void (*release)(void *resource);

    struct gate *gate;
    uint64_t timeout;    /* ms for the answer */
    struct pr_bytes key; /* what is asked, of whom; .data NULL: whoever asks the
                            same is to be asked for, too */
    bool is_fresh;       /* an answer that was kept will not do */
    uint64_t keep;       /* ms to keep the answer; `ask` may change it */
    struct question *joined; /* held: of another that asks the same */
    /* Asks, until `deadline`, and writes the answer. Waits. */
    pr_status (*ask)(struct call *call, pr_time deadline);
    void *user;
};

/* Pushes a new one, which Lua frees. Raises outside of rules and functions that
 * the engine calls: `what` is the word that the user wrote. */
struct call *call_new(lua_State *L, const char *what);
/* Makes it: pushes the answer, or nil and a text; returns how many. Raises when
 * cancelled or out of memory. Waits. */
int call_make(lua_State *L, struct call *call);
/* How what is behind a gate does; its texts are lent by the gate. */
struct service_health gate_health(const struct gate *gate);
/* Tells of those with a name. */
void calls_healths(const struct calls *calls,
                   void (*each)(void *user,
                                const struct service_health *health),
                   void *user);
/* Adds to the key. */
void call_key(lua_State *L, struct call *call, const char *part, size_t size);
/* The same of what a spool holds. Waits. */
void call_key_of_spool(lua_State *L, struct call *call,
                       const struct pr_spool *spool);
/* The gate before what has this name, such as "http example.org". Lent for the
 * call. */
struct gate *call_gate(lua_State *L, const char *name);
/* Milliseconds that the field `timeout` (or another) of the table at `index`
 * says, which is popped off nothing; `otherwise` if it is not there. */
uint64_t call_duration(lua_State *L, int index, const char *field,
                       uint64_t otherwise);
/* ms that a call takes at most unless it says otherwise. */
uint64_t call_timeout(lua_State *L);
/* Raises for a field of the table at `index` that is not in `names`. */
void call_check_fields(lua_State *L, const char *what, int index,
                       const char *const *names);
/* Pushes an answer's octets as a table. */
void push_reply(lua_State *L, struct pr_bytes octets);

struct dns;
struct dns *calls_dns(lua_State *L);

void open_calls(lua_State *L);
void open_names(lua_State *L);  /* names.c: dns */
void open_web(lua_State *L);    /* web.c: http */
void open_json(lua_State *L);   /* json.c */
void open_all_of(lua_State *L); /* all.c: all { ... } */

/* service.c: the global of a service's class; pushed */
void open_services(lua_State *L);
void push_service_class(lua_State *L, const struct pr_class *class);
/* Is `path` such as "rspamd.check" a verb of the services of a class? Raises if
 * the class has no such verb. False too if the configuration has a table of its
 * own by the name of the class. */
bool service_answers(lua_State *L, const char *path);

#endif
