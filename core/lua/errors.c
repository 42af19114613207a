/*
 * What is wrong with a script, where it stands, and what was meant.
 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "lua/script.h"

#define PROBLEMS_MOST 100

struct place script_place(lua_State *L, int level)
{
    lua_Debug about;

    if (!lua_getstack(L, level, &about) || !lua_getinfo(L, "Sl", &about) ||
        about.currentline < 0)
        return (struct place){.file = "?"};
    return (struct place){
        .file = about.source[0] == '@' ? about.source + 1 : about.source,
        .line = about.currentline,
    };
}

struct place script_outer_place(lua_State *L)
{
    struct place found = {.file = "?"}, place;
    lua_Debug about;

    for (int level = 0; level < 250 && lua_getstack(L, level, &about);
         level++) {
        place = script_place(L, level);
        if (place.line > 0)
            found = place;
    }
    return found;
}

static void keep_problem(lua_State *L, struct place place, const char *text)
{
    struct script *script = script_of(L);

    if (script->problem_count >= PROBLEMS_MOST)
        return;
    script->problems =
        script_grow(L, script->problems, script->problem_count,
                    &script->problems_allocated, sizeof *script->problems);
    script->problems[script->problem_count++] = (struct problem){
        .file = script_copy(L, script->arena, place.file),
        .line = place.line,
        .text = script_copy(L, script->arena, text),
    };
}

void problem_add(lua_State *L, struct place place, const char *format, ...)
{
    char text[PR_FAILURE_MAX];
    va_list list;

    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    keep_problem(L, place, text);
}

const char *near_text(const char *name, const char *const *names, char *out,
                      size_t size)
{
    const char *near = text_nearest(name, names);

    if (near == NULL)
        return "";
    snprintf(out, size, "; did you mean \"%s\"?", near);
    return out;
}

static bool is_name(const char *pattern)
{
    return pattern[0] != '!' && strpbrk(pattern, "*?") == NULL;
}

static void unknown_account(lua_State *L, struct place place, const char *what,
                            const char *name)
{
    const struct config *config = script_of(L)->config;
    const char **names =
        lua_newuserdatauv(L, (config->account_count + 1) * sizeof *names, 0);
    char near[200];

    for (size_t i = 0; i < config->account_count; i++)
        names[i] = config->accounts[i].name;
    names[config->account_count] = NULL;
    problem_add(L, place, "%s: account: there is no account \"%s\"%s", what,
                name, near_text(name, names, near, sizeof near));
    lua_pop(L, 1);
}

void check_accounts(lua_State *L, struct place place,
                    const char *const *patterns, const char *what,
                    bool (*can)(const struct account *account), const char *why)
{
    for (; patterns != NULL && *patterns != NULL; patterns++) {
        const struct account *account =
            config_account(script_of(L)->config, *patterns);

        if (account == NULL && is_name(*patterns))
            unknown_account(L, place, what, *patterns);
        else if (account != NULL && !can(account))
            problem_add(L, place, "%s: account: a %s source %s (\"%s\")", what,
                        account->source->name, why, *patterns);
    }
}

int raise_unknown(lua_State *L, const char *what, const char *name,
                  const char *const *names)
{
    char near[100];

    return luaL_error(L, "%s \"%s\"%s", what, name,
                      near_text(name, names, near, sizeof near));
}

const char *type_words(lua_State *L, int index)
{
    static const struct {
        const char *type, *words;
    } types[] = {
        {TYPE_SOURCE, "a source"},
        {TYPE_SINK, "a sink"},
        {TYPE_SECRET, "a secret"},
        {TYPE_AFTER, "what to do after"},
        {TYPE_MESSAGE, "a message"},
        {TYPE_PART, "a part"},
        {TYPE_GLOB, "a glob pattern"},
        {TYPE_ADDRESSES, "addresses"},
        {TYPE_DELIVERY, "a message to deliver"},
    };

    switch (lua_type(L, index)) {
    case LUA_TNONE:
        return "nothing";
    case LUA_TNIL:
        return "nil";
    case LUA_TBOOLEAN:
        return lua_toboolean(L, index) ? "true" : "false";
    case LUA_TNUMBER:
        return "a number";
    case LUA_TSTRING:
        return "a text";
    case LUA_TTABLE:
        return "a table";
    case LUA_TFUNCTION:
        return "a function";
    default:
        break;
    }
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (luaL_testudata(L, index, types[i].type) != NULL)
            return types[i].words;
    return "something else";
}

/* Logs a text line by line. */
static void log_lines(const struct pr_log *log, const char *text)
{
    while (*text != '\0') {
        bool is_deeper = text[0] == '\t';
        size_t size;

        text += is_deeper ? 1 : 0;
        size = strcspn(text, "\n");
        pr_log(log, PR_LOG_ERROR, "%s%.*s", is_deeper ? "    " : "", (int)size,
               text);
        text += size + (text[size] == '\n' ? 1 : 0);
    }
}

int traceback(lua_State *L)
{
    const struct run *run = script_of(L)->running;
    struct pr_log log = {.name = ""};

    luaL_tolstring(L, 1, NULL);
    bool counts = run != NULL && run->stop != STOP_CANCELLED &&
                  (run->message == NULL || !run->message->is_lost);
    if (counts && run->who != NULL) {
        log.name = run->who;
        luaL_traceback(L, L, NULL, 1);
        log_lines(&log, lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    return 1;
}
