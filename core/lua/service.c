/*
 * Services as the configuration writes them: `rspamd { ... }` makes one, and
 * `rspamd.check(m)` asks one that has every option at its default.
 *
 * A service is asked by its verbs, with a dot or a colon: both are right.
 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "lua/calls.h"
#include "plugin/registry.h"

#define TYPE_SERVICE "postrider.service"
#define TYPE_SERVICE_CLASS "postrider.service_class"
#define ARGUMENTS_MOST 64

struct service {
    struct service *next; /* in script->services */
    const struct pr_class *class;
    const struct pr_service_settings *settings;
    struct pr_service service;
    struct pr_log log;
    struct gate gate;
    bool is_right; /* false: it had a problem, which is noted */
};

/* ---- Making one ---------------------------------------------------------- */

static int service_free(lua_State *L)
{
    struct service *service = luaL_checkudata(L, 1, TYPE_SERVICE);
    struct service **at = &script_of(L)->services;

    while (*at != NULL && *at != service)
        at = &(*at)->next;
    if (*at != NULL)
        *at = service->next;
    if (service->is_right && service->class->service->close != NULL)
        service->class->service->close(&service->service);
    service->is_right = false;
    return 0;
}

static void *new_options(lua_State *L, const struct pr_class *class)
{
    void *options;
    pr_status status = options_new(class, script_of(L)->arena, &options);

    if (status != PR_OK)
        script_raise(L, pr_context(status, "%s", class->name));
    return options;
}

static void add_last(struct script *script, struct service *service)
{
    struct service **at = &script->services;

    while (*at != NULL)
        at = &(*at)->next;
    *at = service;
}

/* Pushes it. */
static struct service *push_service(lua_State *L, const struct pr_class *class,
                                    const void *options, bool is_right)
{
    const struct pr_service_ops *ops = class->service;
    struct service *service = lua_newuserdatauv(L, sizeof *service, 0);
    char name[PR_FAILURE_MAX] = "";

    *service = (struct service){.class = class};
    luaL_setmetatable(L, TYPE_SERVICE);
    ops->describe(options, name, sizeof name);
    service->settings =
        (const struct pr_service_settings *)(const void *)((const char *)
                                                               options +
                                                           ops->settings);
    service->log.name = script_copy(L, script_of(L)->arena, name);
    service->service = (struct pr_service){
        .class = class,
        .options = options,
        .log = &service->log,
        .name = service->log.name,
    };
    gate_init(&service->gate, service->log.name, &service->log,
              (size_t)service->settings->concurrency);
    service->is_right = is_right;
    add_last(script_of(L), service);
    return service;
}

/* rspamd { url = ..., ... } */
static int class_call(lua_State *L)
{
    const struct pr_class *class =
        *(const struct pr_class **)luaL_checkudata(L, 1, TYPE_SERVICE_CLASS);
    struct reader reader = {
        .what = class->name,
        .opener = class->name,
        .class = class,
        .place = script_place(L, 1),
    };
    bool is_right;

    if (script_of(L)->running->who != NULL)
        return luaL_error(L,
                          "%s: made at the top of the configuration, and asked "
                          "in rules",
                          class->name);
    reader.options = new_options(L, class);
    is_right = reader_read(L, &reader, 2);
    push_service(L, class, reader.options, is_right);
    return 1;
}

/* Pushes the one with every option at its default, made when it is first asked
 * for; the class is at 1. */
static struct service *push_default(lua_State *L, const struct pr_class *class)
{
    bool given[ARGUMENTS_MOST] = {false};
    void *options;

    if (lua_getiuservalue(L, 1, 1) != LUA_TNIL)
        return lua_touserdata(L, -1);
    lua_pop(L, 1);
    options = new_options(L, class);
    if (options_check(class, options, given) != PR_OK)
        luaL_error(L, "%s: %s: write local name = %s { ... } and ask that",
                   class->name, pr_last_failure()->text, class->name);
    push_service(L, class, options, true);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, 1);
    return lua_touserdata(L, -1);
}

static bool is_spoken_of(const struct script *script,
                         const struct pr_class *class)
{
    const struct pr_verb *verb = class->service->verbs;

    for (; verb->name != NULL; verb++)
        if (source_uses(script, class->name, verb->name))
            return true;
    return false;
}

/* One of its own may have the name of the class, which says nothing then. */
static bool has_one(const struct script *script, const struct pr_class *class)
{
    const struct service *service = script->services;

    while (service != NULL && service->class != class)
        service = service->next;
    return service != NULL;
}

/* The class is at 1, in a box. */
static int make_default(lua_State *L)
{
    const struct pr_class *class = lua_touserdata(L, 1);

    lua_getglobal(L, class->name);
    lua_replace(L, 1);
    if (luaL_testudata(L, 1, TYPE_SERVICE_CLASS) != NULL)
        push_default(L, class);
    return 0;
}

/* One that cannot be made without options says so when it is asked. */
static void finish_class(void *user, const struct pr_plugin *plugin,
                         const struct pr_class *class)
{
    lua_State *L = user;
    const struct script *script = script_of(L);

    (void)plugin;
    if (class->role != PR_ROLE_SERVICE || has_one(script, class) ||
        !is_spoken_of(script, class))
        return;
    lua_pushcfunction(L, make_default);
    lua_pushlightuserdata(L, (void *)class);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK)
        lua_pop(L, 1);
}

void finish_services(lua_State *L)
{
    registry_each_class(finish_class, L);
}

/* ---- How it does ----------------------------------------------------------
 */

struct service_health gate_health(const struct gate *gate)
{
    return (struct service_health){
        .name = gate->name,
        .asked = gate->asked,
        .failed = gate->failed,
        .is_left_alone = gate->is_open,
        .failures = gate->failures,
        .since = gate->opened_at,
        .until = gate->opens_at,
        .why = gate->why,
    };
}

void config_services(const struct config *config,
                     void (*each)(void *user,
                                  const struct service_health *health),
                     void *user)
{
    const struct service *service = config->script->services;

    for (; service != NULL; service = service->next) {
        struct service_health health = gate_health(&service->gate);

        each(user, &health);
    }
    calls_healths(config->script->calls, each, user);
}

struct pr_service *config_service(const struct config *config, size_t index)
{
    struct service *service = config->script->services;

    while (service != NULL && index > 0) {
        service = service->next;
        index--;
    }
    return service != NULL ? &service->service : NULL;
}

/* ---- What it is asked ---------------------------------------------------- */

/* The value on top of the stack. */
static struct option_value value_of(lua_State *L, struct pr_arena *arena)
{
    struct option_value value = {.type = OPTION_VALUE_OTHER,
                                 .text = type_words(L, -1)};
    int top = lua_gettop(L);

    switch (lua_type(L, -1)) {
    case LUA_TSTRING:
        value.type = OPTION_VALUE_TEXT;
        value.text = check_text(L, top);
        break;
    case LUA_TNUMBER:
        value.type = OPTION_VALUE_NUMBER;
        value.number = lua_tonumber(L, -1);
        break;
    case LUA_TBOOLEAN:
        value.type = OPTION_VALUE_BOOLEAN;
        value.boolean = lua_toboolean(L, -1);
        break;
    case LUA_TTABLE:
        value.list = read_texts(L, -1, arena);
        lua_settop(L, top);
        if (value.list != NULL)
            value.type = OPTION_VALUE_LIST;
        else
            value.text = "a table that is no list of texts";
        break;
    default:
        break;
    }
    return value;
}

/* Options of the verb as those of a class, for what reads and checks them. */
static struct pr_class class_of(const struct pr_verb *verb, const char *what)
{
    return (struct pr_class){
        .size = sizeof(struct pr_class),
        .name = what,
        .options = verb->options,
        .options_size = verb->options_size,
    };
}

static int unknown_argument(lua_State *L, const struct pr_verb *verb,
                            const char *what, const char *name)
{
    const char *names[ARGUMENTS_MOST + 1] = {NULL};

    for (size_t i = 0; i < ARGUMENTS_MOST && verb->options[i].name != NULL; i++)
        names[i] = verb->options[i].name;
    return raise_unknown(L, lua_pushfstring(L, "%s: unknown option", what),
                         name, names);
}

/* Stores the entry of the table whose key and value are on top of the stack. */
static void take_argument(lua_State *L, struct call *call,
                          const struct pr_verb *verb, const char *what,
                          void *options, bool *given)
{
    const struct pr_class class = class_of(verb, what);
    const struct pr_option *option = NULL;
    struct option_value value;

    if (lua_type(L, -2) == LUA_TSTRING)
        option = option_find(&class, lua_tostring(L, -2));
    if (option == NULL)
        unknown_argument(L, verb, what,
                         lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2)
                                                        : "without a name");
    value = value_of(L, call->arena);
    if (option_store(option, options, &value, call->arena) != PR_OK)
        luaL_error(L, "%s: %s", what, pr_last_failure()->text);
    given[option - verb->options] = true;
}

/* Reads the table at `index`, which may be missing, into the verb's options. */
static const void *read_arguments(lua_State *L, struct call *call,
                                  const struct pr_verb *verb, const char *what,
                                  int index)
{
    const struct pr_class class = class_of(verb, what);
    bool given[ARGUMENTS_MOST] = {false};
    void *options;

    if (verb->options == NULL)
        return NULL;
    if (!lua_isnoneornil(L, index) && !lua_istable(L, index))
        luaL_error(L, "%s: expects a table { name = value }, got %s", what,
                   type_words(L, index));
    if (options_new(&class, call->arena, &options) != PR_OK)
        script_raise(L, pr_last_failure()->status);
    if (lua_istable(L, index))
        for (lua_pushnil(L); lua_next(L, index) != 0; lua_pop(L, 1))
            take_argument(L, call, verb, what, options, given);
    if (options_check(&class, options, given) != PR_OK)
        luaL_error(L, "%s: %s", what, pr_last_failure()->text);
    push_options_key(L, &class, options);
    call_key(L, call, lua_tostring(L, -1), lua_rawlen(L, -1));
    lua_pop(L, 1);
    return options;
}

/* The message at `index`, whole. */
static const struct pr_spool *check_spool(lua_State *L, const char *what,
                                          int index)
{
    struct pr_delivery *delivery;
    struct message *message;

    if (luaL_testudata(L, index, TYPE_MESSAGE) != NULL) {
        message = check_message(L, index);
        need_whole(L, message);
        return message->spool;
    }
    delivery = to_delivery(L, index);
    if (delivery == NULL)
        luaL_error(L, "%s: expects the message, got %s", what,
                   type_words(L, index));
    return delivery->spool;
}

struct asking {
    struct service *service;
    struct pr_question question;
};

static pr_status ask(struct call *call, pr_time deadline)
{
    struct asking *asking = call->user;
    struct service *service = asking->service;

    asking->question.deadline = deadline;
    return service->class->service->ask(&service->service, &asking->question,
                                        &call->reply);
}

/* Upvalues: the service, the verb. */
static int verb_call(lua_State *L)
{
    struct service *service = lua_touserdata(L, lua_upvalueindex(1));
    const struct pr_verb *verb = lua_touserdata(L, lua_upvalueindex(2));
    const char *what;
    struct call *call;
    struct asking *asking;

    if (lua_touserdata(L, 1) == service)
        lua_remove(L, 1);
    lua_settop(L, 2);
    what = lua_pushfstring(L, "%s.%s", service->class->name, verb->name);
    call = call_new(L, what);
    asking = script_alloc(L, call->arena, sizeof *asking);
    asking->service = service;
    asking->question.verb = verb;
    call_key(L, call, (const char *)&service, sizeof(struct service *));
    call_key(L, call, verb->name, strlen(verb->name));
    if (verb->takes_message) {
        asking->question.message = check_spool(L, what, 1);
        if (service->settings->cache > 0)
            call_key_of_spool(L, call, asking->question.message);
        else /* it stays what it is while it is asked about */
            call_key(L, call, (const char *)&asking->question.message,
                     sizeof asking->question.message);
    }
    asking->question.arguments =
        read_arguments(L, call, verb, what, verb->takes_message ? 2 : 1);
    if (mocks_hold(L))
        return mocks_answer(L, what, 2);
    call->gate = &service->gate;
    call->timeout = service->settings->timeout;
    call->keep = service->settings->cache;
    call->is_fresh = call->keep == 0;
    call->ask = ask;
    call->user = asking;
    return call_make(L, call);
}

/* ---- Its fields ---------------------------------------------------------- */

static const struct pr_verb *
check_verb(lua_State *L, const struct pr_class *class, const char *name)
{
    const struct pr_verb *verb = class->service->verbs;
    const char *names[ARGUMENTS_MOST + 1] = {NULL};

    for (size_t i = 0; verb[i].name != NULL; i++) {
        if (strcmp(verb[i].name, name) == 0)
            return &verb[i];
        if (i < ARGUMENTS_MOST)
            names[i] = verb[i].name;
    }
    raise_unknown(L, lua_pushfstring(L, "%s has no", class->name), name, names);
    return NULL; /* raise_unknown does not say that it never returns */
}

/* Pushes the verb that the text at 2 names, of the service on top. */
static int push_verb(lua_State *L, const struct service *service)
{
    const struct pr_verb *verb =
        check_verb(L, service->class, luaL_tolstring(L, 2, NULL));

    lua_pushvalue(L, -2);
    lua_pushlightuserdata(L, (void *)verb);
    lua_pushcclosure(L, verb_call, 2);
    return 1;
}

bool service_answers(lua_State *L, const char *path)
{
    const char *dot = strchr(path, '.');
    const struct pr_class *class;
    int top = lua_gettop(L);
    bool is_table;

    if (dot == NULL)
        return false;
    class = registry_class(lua_pushlstring(L, path, (size_t)(dot - path)));
    if (class == NULL || class->role != PR_ROLE_SERVICE)
        return false;
    is_table = lua_getglobal(L, class->name) == LUA_TTABLE;
    lua_settop(L, top);
    return !is_table && check_verb(L, class, dot + 1) != NULL;
}

static int service_index(lua_State *L)
{
    const struct service *service = luaL_checkudata(L, 1, TYPE_SERVICE);

    lua_pushvalue(L, 1);
    return push_verb(L, service);
}

static int class_index(lua_State *L)
{
    const struct pr_class *class =
        *(const struct pr_class **)luaL_checkudata(L, 1, TYPE_SERVICE_CLASS);

    return push_verb(L, push_default(L, class));
}

static int service_tostring(lua_State *L)
{
    const struct service *service = luaL_checkudata(L, 1, TYPE_SERVICE);

    lua_pushstring(L, service->log.name);
    return 1;
}

void push_service_class(lua_State *L, const struct pr_class *class)
{
    const struct pr_class **value =
        lua_newuserdatauv(L, sizeof(const struct pr_class *), 1);

    *value = class;
    luaL_setmetatable(L, TYPE_SERVICE_CLASS);
}

void open_services(lua_State *L)
{
    static const luaL_Reg service[] = {
        {"__gc", service_free},
        {"__index", service_index},
        {"__tostring", service_tostring},
        {NULL, NULL},
    };
    static const luaL_Reg class[] = {
        {"__call", class_call},
        {"__index", class_index},
        {NULL, NULL},
    };

    new_type(L, TYPE_SERVICE, service);
    new_type(L, TYPE_SERVICE_CLASS, class);
}
