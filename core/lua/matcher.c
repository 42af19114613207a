/*
 * Matching: one item after the other, trying again where there is a choice.
 *
 * Lua's own matcher cannot be interrupted, and a pattern such as ".-.-.-x" on a
 * text that somebody else wrote can take years. Here every few thousand steps
 * look at the run's time, as its instructions do. Behaviour is that of Lua in
 * all else.
 */
#include <config.h>

#include "lua/matcher.h"

#include <ctype.h>
#include <string.h>

#define DEPTH_MOST 200
#define STEPS_BETWEEN_LOOKS 20000

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

    if (first == MATCHER_ESCAPE) {
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
        if (*at++ == MATCHER_ESCAPE && at < end)
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
        if (*at == MATCHER_ESCAPE) {
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
    case MATCHER_ESCAPE:
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

    if (matcher->count >= MATCHER_CAPTURES_MOST)
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
    int i = digit - '1';
    const struct capture *capture;
    size_t size;

    if (i < 0 || i >= (int)matcher->count ||
        matcher->captures[i].size == CAPTURE_OPEN) {
        luaL_error(matcher->L, "invalid capture index %%%d", i + 1);
        return NULL;
    }
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

static const char *match_parenthesis(struct matcher *matcher, const char *text,
                                     const char *at)
{
    if (*at == ')')
        return match_close(matcher, text, at + 1);
    if (at + 1 < matcher->pattern_end && at[1] == ')')
        return match_open(matcher, text, at + 2, CAPTURE_POSITION);
    return match_open(matcher, text, at + 1, CAPTURE_OPEN);
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

        if (*at == '(' || *at == ')')
            return match_parenthesis(matcher, text, at);
        if (*at == '$' && at + 1 == last)
            return text == matcher->text_end ? text : NULL;
        if (*at == MATCHER_ESCAPE) {
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

void matcher_push_capture(struct matcher *matcher, unsigned i,
                          const char *start, const char *end)
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

int matcher_push_captures(struct matcher *matcher, const char *start,
                          const char *end)
{
    unsigned count = matcher->count == 0 && start != NULL ? 1 : matcher->count;

    luaL_checkstack(matcher->L, (int)count, "too many captures");
    for (unsigned i = 0; i < count; i++)
        matcher_push_capture(matcher, i, start, end);
    return (int)count;
}

void matcher_begin(struct matcher *matcher, lua_State *L, int text, int pattern)
{
    size_t text_size, pattern_size;

    matcher->L = L;
    matcher->text = luaL_checklstring(L, text, &text_size);
    matcher->pattern = luaL_checklstring(L, pattern, &pattern_size);
    matcher->text_end = matcher->text + text_size;
    matcher->pattern_end = matcher->pattern + pattern_size;
    matcher->steps = 0;
}

const char *matcher_try(struct matcher *matcher, const char *text,
                        const char *pattern)
{
    matcher->count = 0;
    matcher->depth = 0;
    return match_here(matcher, text, pattern);
}
