/*
 * Lua's patterns (manual, 6.4.1) with a clock: find, match, gmatch and gsub.
 *
 * Lua's own cannot be interrupted, and a pattern such as ".-.-.-x" on a text
 * that somebody else wrote can take years. Here every few thousand steps of
 * matching look at the run's time, as its instructions do. Behaviour is that of
 * Lua in all else.
 */
#include <config.h>

#include <ctype.h>
#include <string.h>

#include "lua/script.h"

#define ESCAPE '%'
#define SPECIALS "^$*+?.([%-"
#define CAPTURES_MOST 32
#define DEPTH_MOST 200
#define STEPS_BETWEEN_LOOKS 20000

#define CAPTURE_OPEN (-1)
#define CAPTURE_POSITION (-2)

struct capture {
    const char *start;
    ptrdiff_t size; /* or one of CAPTURE_* */
};

struct matcher {
    lua_State *L;
    const char *text, *text_end;
    const char *pattern, *pattern_end;
    unsigned steps, depth, count;
    struct capture captures[CAPTURES_MOST];
};

static void step(struct matcher *matcher)
{
    if (++matcher->steps < STEPS_BETWEEN_LOOKS)
        return;
    matcher->steps = 0;
    script_check_time(matcher->L);
}

/* ---- Single characters --------------------------------------------------- */

static bool class_has(char class, unsigned char c)
{
    bool is_in;

    switch (tolower((unsigned char)class)) {
    case 'a':
        is_in = isalpha(c) != 0;
        break;
    case 'c':
        is_in = iscntrl(c) != 0;
        break;
    case 'd':
        is_in = isdigit(c) != 0;
        break;
    case 'g':
        is_in = isgraph(c) != 0;
        break;
    case 'l':
        is_in = islower(c) != 0;
        break;
    case 'p':
        is_in = ispunct(c) != 0;
        break;
    case 's':
        is_in = isspace(c) != 0;
        break;
    case 'u':
        is_in = isupper(c) != 0;
        break;
    case 'w':
        is_in = isalnum(c) != 0;
        break;
    case 'x':
        is_in = isxdigit(c) != 0;
        break;
    default:
        return (unsigned char)class == c;
    }
    return isupper((unsigned char)class) ? !is_in : is_in;
}

/* What follows the one character, class or set that begins at `at`. */
static const char *item_end(const struct matcher *matcher, const char *at)
{
    const char *end = matcher->pattern_end;
    char first = *at++;

    if (first == ESCAPE) {
        if (at == end)
            luaL_error(matcher->L, "malformed pattern (ends with '%%')");
        return at + 1;
    }
    if (first != '[')
        return at;
    if (at < end && *at == '^')
        at++;
    do {
        if (at >= end)
            luaL_error(matcher->L, "malformed pattern (missing ']')");
        if (*at++ == ESCAPE && at < end)
            at++;
    } while (at >= end || *at != ']');
    return at + 1;
}

/* Is `c` in the set from its "[" to its "]"? */
static bool set_has(const char *at, const char *close, unsigned char c)
{
    bool is_in = true;

    at++;
    if (*at == '^') {
        is_in = false;
        at++;
    }
    for (; at < close; at++) {
        if (*at == ESCAPE) {
            at++;
            if (class_has(*at, c))
                return is_in;
        } else if (at[1] == '-' && at + 2 < close) {
            if ((unsigned char)*at <= c && c <= (unsigned char)at[2])
                return is_in;
            at += 2;
        } else if ((unsigned char)*at == c) {
            return is_in;
        }
    }
    return !is_in;
}

/* Does the item from `at` to `end` match the character at `text`? */
static bool item_matches(struct matcher *matcher, const char *text,
                         const char *at, const char *end)
{
    unsigned char c;

    step(matcher);
    if (text >= matcher->text_end)
        return false;
    c = (unsigned char)*text;
    switch (*at) {
    case '.':
        return true;
    case ESCAPE:
        return class_has(at[1], c);
    case '[':
        return set_has(at, end - 1, c);
    default:
        return (unsigned char)*at == c;
    }
}

/* ---- Matching ------------------------------------------------------------ */

static const char *match_here(struct matcher *matcher, const char *text,
                              const char *at);

/* As many as can be, then fewer until the rest matches. */
static const char *match_greedy(struct matcher *matcher, const char *text,
                                const char *at, const char *end)
{
    const char *last = text;

    while (item_matches(matcher, last, at, end))
        last++;
    for (;; last--) {
        const char *found = match_here(matcher, last, end + 1);

        if (found != NULL || last == text)
            return found;
    }
}

/* As few as can be, then more. */
static const char *match_lazy(struct matcher *matcher, const char *text,
                              const char *at, const char *end)
{
    for (;; text++) {
        const char *found = match_here(matcher, text, end + 1);

        if (found != NULL || !item_matches(matcher, text, at, end))
            return found;
    }
}

static const char *match_open(struct matcher *matcher, const char *text,
                              const char *at, ptrdiff_t kind)
{
    const char *found;

    if (matcher->count >= CAPTURES_MOST)
        luaL_error(matcher->L, "too many captures");
    matcher->captures[matcher->count++] = (struct capture){text, kind};
    found = match_here(matcher, text, at);
    if (found == NULL)
        matcher->count--;
    return found;
}

static const char *match_close(struct matcher *matcher, const char *text,
                               const char *at)
{
    unsigned i = matcher->count;
    struct capture *capture;
    const char *found;

    while (i > 0 && matcher->captures[i - 1].size != CAPTURE_OPEN)
        i--;
    if (i == 0)
        luaL_error(matcher->L, "invalid pattern capture");
    capture = &matcher->captures[i - 1];
    capture->size = text - capture->start;
    found = match_here(matcher, text, at);
    if (found == NULL)
        capture->size = CAPTURE_OPEN;
    return found;
}

/* "%bxy": what lies between balanced ones. Returns its end. */
static const char *match_balanced(struct matcher *matcher, const char *text,
                                  const char *at)
{
    unsigned depth = 1;

    if (at + 1 >= matcher->pattern_end)
        luaL_error(matcher->L, "malformed pattern (missing arguments to "
                               "'%%b')");
    if (text >= matcher->text_end || *text != at[0])
        return NULL;
    while (++text < matcher->text_end) {
        step(matcher);
        if (*text == at[1]) {
            if (--depth == 0)
                return text + 1;
        } else if (*text == at[0]) {
            depth++;
        }
    }
    return NULL;
}

/* "%f[set]": a border between what is not in the set and what is. */
static bool is_frontier(const struct matcher *matcher, const char *text,
                        const char *set, const char *set_end)
{
    unsigned char before =
        text == matcher->text ? '\0' : (unsigned char)text[-1];
    unsigned char here =
        text == matcher->text_end ? '\0' : (unsigned char)*text;

    return !set_has(set, set_end - 1, before) &&
           set_has(set, set_end - 1, here);
}

/* "%1": the same as an earlier capture. Returns its end. */
static const char *match_again(const struct matcher *matcher, const char *text,
                               char digit)
{
    unsigned i = (unsigned)(digit - '1');
    const struct capture *capture;
    size_t size;

    if (digit == '0' || i >= matcher->count ||
        matcher->captures[i].size == CAPTURE_OPEN)
        luaL_error(matcher->L, "invalid capture index %%%d", (int)i + 1);
    capture = &matcher->captures[i];
    if (capture->size == CAPTURE_POSITION)
        return NULL;
    size = (size_t)capture->size;
    if ((size_t)(matcher->text_end - text) < size ||
        memcmp(capture->start, text, size) != 0)
        return NULL;
    return text + size;
}

/* The items that begin with "%" and are no class. Moves *at past it and
 * returns where the text goes on; `ret_is_one` false if it is none of them. */
static const char *match_escape(struct matcher *matcher, const char *text,
                                const char **at, bool *ret_is_one)
{
    const char *set, *set_end;
    char kind = *at + 1 < matcher->pattern_end ? (*at)[1] : '\0';

    *ret_is_one = true;
    if (kind == 'b') {
        set = *at + 2;
        *at += 4;
        return match_balanced(matcher, text, set);
    }
    if (kind == 'f') {
        set = *at + 2;
        if (set >= matcher->pattern_end || *set != '[')
            luaL_error(matcher->L, "missing '[' after '%%f' in pattern");
        set_end = item_end(matcher, set);
        *at = set_end;
        return is_frontier(matcher, text, set, set_end) ? text : NULL;
    }
    if (isdigit((unsigned char)kind)) {
        *at += 2;
        return match_again(matcher, text, kind);
    }
    *ret_is_one = false;
    return text;
}

/* An item with "*", "+", "-" or "?" after it, and all that follows. */
static const char *match_repeated(struct matcher *matcher, const char *text,
                                  const char *at, const char *end)
{
    switch (*end) {
    case '*':
        return match_greedy(matcher, text, at, end);
    case '-':
        return match_lazy(matcher, text, at, end);
    case '+':
        return item_matches(matcher, text, at, end)
                   ? match_greedy(matcher, text + 1, at, end)
                   : NULL;
    default:
        if (item_matches(matcher, text, at, end)) {
            const char *found = match_here(matcher, text + 1, end + 1);

            if (found != NULL)
                return found;
        }
        return match_here(matcher, text, end + 1);
    }
}

static bool is_repeated(const struct matcher *matcher, const char *end)
{
    return end < matcher->pattern_end && *end != '\0' &&
           strchr("*+-?", *end) != NULL;
}

static const char *match_items(struct matcher *matcher, const char *text,
                               const char *at)
{
    const char *last = matcher->pattern_end;

    while (at != last) {
        const char *end;
        bool is_one = false;

        if (*at == '(')
            return at + 1 < last && at[1] == ')'
                       ? match_open(matcher, text, at + 2, CAPTURE_POSITION)
                       : match_open(matcher, text, at + 1, CAPTURE_OPEN);
        if (*at == ')')
            return match_close(matcher, text, at + 1);
        if (*at == '$' && at + 1 == last)
            return text == matcher->text_end ? text : NULL;
        if (*at == ESCAPE) {
            text = match_escape(matcher, text, &at, &is_one);
            if (text == NULL)
                return NULL;
            if (is_one)
                continue;
        }
        end = item_end(matcher, at);
        if (is_repeated(matcher, end))
            return match_repeated(matcher, text, at, end);
        if (!item_matches(matcher, text, at, end))
            return NULL;
        text++;
        at = end;
    }
    return text;
}

/* The end of the match of the pattern from `at` on at `text`, NULL if there is
 * none. */
static const char *match_here(struct matcher *matcher, const char *text,
                              const char *at)
{
    const char *found;

    if (++matcher->depth > DEPTH_MOST)
        luaL_error(matcher->L, "pattern too complex");
    step(matcher);
    found = match_items(matcher, text, at);
    matcher->depth--;
    return found;
}

/* ---- Captures ------------------------------------------------------------ */

/* Pushes a capture; the whole match if there are none and `i` is 0. */
static void push_capture(struct matcher *matcher, unsigned i, const char *start,
                         const char *end)
{
    const struct capture *capture = &matcher->captures[i];

    if (i >= matcher->count) {
        if (i != 0)
            luaL_error(matcher->L, "invalid capture index %%%d", (int)i + 1);
        lua_pushlstring(matcher->L, start, (size_t)(end - start));
    } else if (capture->size == CAPTURE_POSITION) {
        lua_pushinteger(matcher->L, capture->start - matcher->text + 1);
    } else if (capture->size == CAPTURE_OPEN) {
        luaL_error(matcher->L, "unfinished capture");
    } else {
        lua_pushlstring(matcher->L, capture->start, (size_t)capture->size);
    }
}

/* Pushes all captures; the whole match (if `start` is given) if there are none.
 */
static int push_captures(struct matcher *matcher, const char *start,
                         const char *end)
{
    unsigned count = matcher->count == 0 && start != NULL ? 1 : matcher->count;

    luaL_checkstack(matcher->L, (int)count, "too many captures");
    for (unsigned i = 0; i < count; i++)
        push_capture(matcher, i, start, end);
    return (int)count;
}

/* Of the text and the pattern at 1 and 2, or at these upvalues. */
static void begin(struct matcher *matcher, lua_State *L, int text, int pattern)
{
    size_t text_size, pattern_size;

    matcher->L = L;
    matcher->text = luaL_checklstring(L, text, &text_size);
    matcher->pattern = luaL_checklstring(L, pattern, &pattern_size);
    matcher->text_end = matcher->text + text_size;
    matcher->pattern_end = matcher->pattern + pattern_size;
    matcher->steps = 0;
}

static const char *match_at(struct matcher *matcher, const char *text,
                            const char *pattern)
{
    matcher->count = 0;
    matcher->depth = 0;
    return match_here(matcher, text, pattern);
}

/* ---- find and match ------------------------------------------------------ */

/* The place of the 1-based, perhaps negative, index at `arg`; one behind the
 * end for one beyond. */
static size_t start_index(lua_State *L, int arg, size_t size)
{
    lua_Integer index = luaL_optinteger(L, arg, 1);

    if (index > 0)
        return (lua_Unsigned)index > (lua_Unsigned)size + 1 ? size + 1
                                                            : (size_t)index - 1;
    if (index == 0 || index < -(lua_Integer)size)
        return 0;
    return size - (size_t)-index;
}

static bool is_plain(const struct matcher *matcher)
{
    for (const char *at = matcher->pattern; at < matcher->pattern_end; at++)
        if (*at != '\0' && strchr(SPECIALS, *at) != NULL)
            return false;
    return true;
}

static int find_plain(struct matcher *matcher, const char *from)
{
    size_t size = (size_t)(matcher->pattern_end - matcher->pattern);
    const char *found = memmem(from, (size_t)(matcher->text_end - from),
                               matcher->pattern, size);

    script_nudge(matcher->L);
    if (found == NULL) {
        luaL_pushfail(matcher->L);
        return 1;
    }
    lua_pushinteger(matcher->L, found - matcher->text + 1);
    lua_pushinteger(matcher->L, found - matcher->text + (lua_Integer)size);
    return 2;
}

static int push_found(struct matcher *matcher, bool is_find, const char *start,
                      const char *end)
{
    if (!is_find)
        return push_captures(matcher, start, end);
    lua_pushinteger(matcher->L, start - matcher->text + 1);
    lua_pushinteger(matcher->L, end - matcher->text);
    return push_captures(matcher, NULL, NULL) + 2;
}

static int search(lua_State *L, bool is_find)
{
    struct matcher matcher;
    size_t index;
    const char *start, *pattern;
    bool is_anchored;

    begin(&matcher, L, 1, 2);
    index = start_index(L, 3, (size_t)(matcher.text_end - matcher.text));
    if (index > (size_t)(matcher.text_end - matcher.text)) {
        luaL_pushfail(L);
        return 1;
    }
    start = matcher.text + index;
    if (is_find && (lua_toboolean(L, 4) || is_plain(&matcher)))
        return find_plain(&matcher, start);
    is_anchored =
        matcher.pattern < matcher.pattern_end && *matcher.pattern == '^';
    pattern = matcher.pattern + (is_anchored ? 1 : 0);
    do {
        const char *end = match_at(&matcher, start, pattern);

        if (end != NULL)
            return push_found(&matcher, is_find, start, end);
    } while (start++ < matcher.text_end && !is_anchored);
    luaL_pushfail(L);
    return 1;
}

/* string.find(text, pattern, init, plain), as in Lua */
static int find(lua_State *L)
{
    return search(L, true);
}

/* string.match(text, pattern, init), as in Lua */
static int match(lua_State *L)
{
    return search(L, false);
}

/* ---- gmatch -------------------------------------------------------------- */

/* Upvalues: text, pattern, where to go on, where the last match ended (both
 * 0-based; -1: there was none). */
static int gmatch_next(lua_State *L)
{
    struct matcher matcher;
    const char *start, *last;

    begin(&matcher, L, lua_upvalueindex(1), lua_upvalueindex(2));
    start = matcher.text + lua_tointeger(L, lua_upvalueindex(3));
    last = matcher.text + lua_tointeger(L, lua_upvalueindex(4));
    for (; start <= matcher.text_end; start++) {
        const char *end = match_at(&matcher, start, matcher.pattern);

        if (end == NULL || end == last)
            continue;
        lua_pushinteger(L, end - matcher.text);
        lua_copy(L, -1, lua_upvalueindex(3));
        lua_replace(L, lua_upvalueindex(4));
        return push_captures(&matcher, start, end);
    }
    return 0;
}

/* string.gmatch(text, pattern, init), as in Lua */
static int gmatch(lua_State *L)
{
    size_t size, index;

    luaL_checklstring(L, 1, &size);
    luaL_checkstring(L, 2);
    index = start_index(L, 3, size);
    lua_settop(L, 2);
    lua_pushinteger(L, (lua_Integer)index);
    lua_pushinteger(L, -1);
    lua_pushcclosure(L, gmatch_next, 4);
    return 1;
}

/* ---- gsub ---------------------------------------------------------------- */

/* Adds the text at 3 with its "%1" filled in. */
static void add_template(struct matcher *matcher, luaL_Buffer *result,
                         const char *start, const char *end)
{
    size_t size;
    const char *at = lua_tolstring(matcher->L, 3, &size);
    const char *last = at + size;

    for (; at < last; at++) {
        if (*at != ESCAPE) {
            luaL_addchar(result, *at);
            continue;
        }
        at++;
        if (at < last && *at == ESCAPE) {
            luaL_addchar(result, ESCAPE);
        } else if (at < last && *at == '0') {
            luaL_addlstring(result, start, (size_t)(end - start));
        } else if (at < last && isdigit((unsigned char)*at)) {
            push_capture(matcher, (unsigned)(*at - '1'), start, end);
            luaL_tolstring(matcher->L, -1, NULL);
            lua_remove(matcher->L, -2);
            luaL_addvalue(result);
        } else {
            luaL_error(matcher->L, "invalid use of '%%' in replacement string");
        }
    }
}

/* Adds what the function or table at 3 has for the match. */
static bool add_looked_up(struct matcher *matcher, luaL_Buffer *result,
                          const char *start, const char *end)
{
    lua_State *L = matcher->L;

    if (lua_isfunction(L, 3)) {
        int count;

        lua_pushvalue(L, 3);
        count = push_captures(matcher, start, end);
        lua_call(L, count, 1);
    } else {
        push_capture(matcher, 0, start, end);
        lua_gettable(L, 3);
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        luaL_addlstring(result, start, (size_t)(end - start));
        return false;
    }
    if (!lua_isstring(L, -1))
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    luaL_addvalue(result);
    return true;
}

static bool add_replacement(struct matcher *matcher, luaL_Buffer *result,
                            const char *start, const char *end)
{
    if (lua_type(matcher->L, 3) == LUA_TNUMBER ||
        lua_type(matcher->L, 3) == LUA_TSTRING) {
        add_template(matcher, result, start, end);
        return true;
    }
    return add_looked_up(matcher, result, start, end);
}

/* Replaces up to `most` matches; returns how many there were. */
static lua_Integer replace_all(struct matcher *matcher, luaL_Buffer *result,
                               lua_Integer most)
{
    bool is_anchored =
        matcher->pattern < matcher->pattern_end && *matcher->pattern == '^';
    const char *pattern = matcher->pattern + (is_anchored ? 1 : 0);
    const char *at = matcher->text, *last = NULL;
    lua_Integer count = 0;

    while (count < most) {
        const char *end = match_at(matcher, at, pattern);

        if (end != NULL && end != last) {
            count++;
            add_replacement(matcher, result, at, end);
            at = last = end;
        } else if (at < matcher->text_end) {
            luaL_addchar(result, *at++);
        } else {
            break;
        }
        if (is_anchored)
            break;
    }
    luaL_addlstring(result, at, (size_t)(matcher->text_end - at));
    return count;
}

/* string.gsub(text, pattern, replacement, most), as in Lua */
static int gsub(lua_State *L)
{
    struct matcher matcher;
    luaL_Buffer result;
    int type = lua_type(L, 3);
    lua_Integer count, most;

    script_check_stack(L);
    begin(&matcher, L, 1, 2);
    luaL_argexpected(L,
                     type == LUA_TNUMBER || type == LUA_TSTRING ||
                         type == LUA_TTABLE || type == LUA_TFUNCTION,
                     3, "string/function/table");
    most = luaL_optinteger(L, 4,
                           (lua_Integer)(matcher.text_end - matcher.text) + 1);
    luaL_buffinit(L, &result);
    count = replace_all(&matcher, &result, most);
    luaL_pushresult(&result);
    lua_pushinteger(L, count);
    return 2;
}

void open_patterns(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"find", find}, {"match", match}, {"gmatch", gmatch},
        {"gsub", gsub}, {NULL, NULL},
    };

    lua_getglobal(L, "string");
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
}
