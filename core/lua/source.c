/*
 * The texts of a configuration: loaded as chunks, searched for lines.
 *
 * Only text is loaded, never bytecode: Lua does not check that.
 */
#include <config.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "io/file.h"
#include "lua/script.h"

#define SOURCE_MAX (1024 * 1024) /* octets of one file */

/* Keeps the text; its end is a NUL. */
static pr_status keep_source(struct script *script, const char *path,
                             const char *name, const struct pr_buffer *text)
{
    struct source *source = pr_arena_alloc(script->arena, sizeof *source);

    if (source == NULL)
        return PR_NOMEM;
    source->name = pr_arena_text(script->arena, name);
    source->path = pr_arena_text(script->arena, path);
    source->text = pr_arena_bytes(script->arena,
                                  (struct pr_bytes){text->data, text->size});
    if (source->name == NULL || source->path == NULL || source->text == NULL)
        return PR_NOMEM;
    source->next = script->sources;
    script->sources = source;
    return PR_OK;
}

static pr_status load_text(struct script *script, lua_State *L,
                           const char *path, const char *name,
                           const struct pr_buffer *text)
{
    const char *chunk = pr_arena_printf(script->arena, "@%s", name);
    pr_status status = keep_source(script, path, name, text);

    if (chunk == NULL)
        return PR_NOMEM;
    if (status != PR_OK)
        return status;
    switch (luaL_loadbufferx(L, pr_buffer_text(text), text->size, chunk, "t")) {
    case LUA_OK:
        return PR_OK;
    case LUA_ERRMEM:
        lua_pop(L, 1);
        return pr_fail(PR_NOMEM, "out of memory");
    default:
        status = pr_fail(PR_CONFIG, "%s", lua_tostring(L, -1));
        lua_pop(L, 1);
        return status;
    }
}

pr_status source_load(struct script *script, lua_State *L, const char *path,
                      const char *name)
{
    struct pr_buffer text;
    pr_status status;

    pr_buffer_init(&text, SOURCE_MAX);
    status = file_read(path, &text);
    if (status == PR_OK)
        status = load_text(script, L, path, name, &text);
    pr_buffer_done(&text);
    return status;
}

const struct source *source_find(const struct script *script, const char *name)
{
    const struct source *source = script->sources;

    while (source != NULL && strcmp(source->name, name) != 0)
        source = source->next;
    return source;
}

/* ---- Finding a field's line ---------------------------------------------- */

/* A walk over the tokens of a Lua text, as far as that takes to find names. */
struct walk {
    const char *at;
    int line;
    const char *token; /* a name, or the text of a string without quotes */
    size_t size;
    char kind; /* 'n' name, 's' string, 0 end, else the character itself */
};

static void walk_to(struct walk *walk, const char *end)
{
    for (; walk->at < end; walk->at++)
        if (*walk->at == '\n')
            walk->line++;
}

/* The end of a long bracket ("[[", "[==[") that starts here, NULL if none
 * does. */
static const char *long_bracket_end(const char *at)
{
    size_t level;
    const char *end;

    if (*at != '[')
        return NULL;
    level = strspn(at + 1, "=");
    end = at + 1 + level;
    if (*end != '[')
        return NULL;
    while ((end = strchr(end, ']')) != NULL) {
        if (strspn(end + 1, "=") == level && end[1 + level] == ']')
            return end + 2 + level;
        end++;
    }
    return at + strlen(at);
}

static void skip_space(struct walk *walk)
{
    for (;;) {
        const char *end;

        walk_to(walk, walk->at + strspn(walk->at, " \t\r\n\f\v"));
        if (strncmp(walk->at, "--", 2) != 0)
            return;
        end = long_bracket_end(walk->at + 2);
        if (end == NULL)
            end = walk->at + strcspn(walk->at, "\n");
        walk_to(walk, end);
    }
}

static const char *quoted_end(const char *at)
{
    char quote = *at++;

    while (*at != '\0' && *at != quote && *at != '\n') {
        if (*at == '\\' && at[1] != '\0')
            at++;
        at++;
    }
    return at;
}

static void walk_next(struct walk *walk)
{
    const char *end;

    skip_space(walk);
    walk->token = walk->at;
    walk->kind = *walk->at;
    if (isalpha((unsigned char)*walk->at) || *walk->at == '_') {
        for (end = walk->at; isalnum((unsigned char)*end) || *end == '_';)
            end++;
        walk->kind = 'n';
        walk->size = (size_t)(end - walk->token);
        walk_to(walk, end);
    } else if (*walk->at == '"' || *walk->at == '\'') {
        end = quoted_end(walk->at);
        walk->kind = 's';
        walk->token++;
        walk->size = (size_t)(end - walk->token);
        walk_to(walk, *end != '\0' ? end + 1 : end);
    } else if (long_bracket_end(walk->at) != NULL) {
        walk->kind = 's';
        walk->size = 0;
        walk_to(walk, long_bracket_end(walk->at));
    } else if (*walk->at != '\0') {
        walk_to(walk, walk->at + 1);
    }
}

static bool token_is(const struct walk *walk, char kind, const char *text)
{
    return walk->kind == kind && strlen(text) == walk->size &&
           memcmp(walk->token, text, walk->size) == 0;
}

/* Stands behind the "{" that follows `opener`, perhaps after "=", "(", "," and
 * a string. False if there is none. */
static bool walk_into(struct walk *walk, const char *opener)
{
    do
        walk_next(walk);
    while (walk->kind != 0 && !token_is(walk, 'n', opener));
    do
        walk_next(walk);
    while (walk->kind == '=' || walk->kind == '(' || walk->kind == ',' ||
           walk->kind == 's');
    return walk->kind == '{';
}

/* The line of `field =` or `["field"] =` in the table the walk stands in; 0 if
 * there is none. */
static int find_field(struct walk *walk, const char *field)
{
    int depth = 1;

    while (depth > 0) {
        bool is_it;
        int line;

        walk_next(walk);
        if (walk->kind == 0)
            return 0;
        if (strchr("{([", walk->kind) != NULL && walk->kind != '[')
            depth++;
        if (walk->kind == '}' || walk->kind == ')')
            depth--;
        is_it = depth == 1 &&
                (token_is(walk, 'n', field) || token_is(walk, 's', field));
        if (!is_it)
            continue;
        line = walk->line;
        walk_next(walk);
        if (walk->kind == ']')
            walk_next(walk);
        if (walk->kind == '=' && *walk->at != '=')
            return line;
        if (walk->kind == '{' || walk->kind == '(')
            depth++;
        if (walk->kind == '}' || walk->kind == ')')
            depth--;
    }
    return 0;
}

struct place source_field(struct script *script, struct place place,
                          const char *opener, const char *field)
{
    const struct source *source = source_find(script, place.file);
    struct walk walk = {.line = 1};
    int line;

    if (source == NULL)
        return place;
    walk.at = source->text;
    while (walk.line < place.line && *walk.at != '\0')
        walk_to(&walk, walk.at + 1);
    if (!walk_into(&walk, opener))
        return place;
    line = find_field(&walk, field);
    return line == 0 ? place : (struct place){.file = place.file, .line = line};
}

/* ---- What a text speaks of ------------------------------------------------
 */

static bool text_uses(const char *text, const char *global, const char *name)
{
    struct walk walk = {.at = text, .line = 1};
    char before = 0;

    for (walk_next(&walk); walk.kind != 0;) {
        bool is_it =
            before != '.' && before != ':' && token_is(&walk, 'n', global);

        before = walk.kind;
        walk_next(&walk);
        if (!is_it || (walk.kind != '.' && walk.kind != ':'))
            continue;
        before = walk.kind;
        walk_next(&walk);
        if (token_is(&walk, 'n', name))
            return true;
    }
    return false;
}

bool source_uses(const struct script *script, const char *global,
                 const char *name)
{
    for (const struct source *source = script->sources; source != NULL;
         source = source->next)
        if (text_uses(source->text, global, name))
            return true;
    return false;
}
