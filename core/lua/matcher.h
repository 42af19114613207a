/*
 * Matching Lua's patterns (manual, 6.4.1) with a clock.
 */
#ifndef LUA_MATCHER_H
#define LUA_MATCHER_H

#include "lua/script.h"

#define MATCHER_ESCAPE '%'
#define MATCHER_CAPTURES_MOST 32

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
    struct capture captures[MATCHER_CAPTURES_MOST];
};

/* Takes the text and the pattern at these indices; raises if they are none. */
void matcher_begin(struct matcher *matcher, lua_State *L, int text,
                   int pattern);
/* The end of the match at `text` of the pattern from `pattern` on (behind a
 * "^"), NULL if there is none. Raises for a malformed one and when the run's
 * time is over. */
const char *matcher_try(struct matcher *matcher, const char *text,
                        const char *pattern);
/* Pushes capture `i` of the last match, from `start` to `end`; the whole of it
 * if there are none and `i` is 0. */
void matcher_push_capture(struct matcher *matcher, unsigned i,
                          const char *start, const char *end);
/* Pushes all captures and returns how many; the whole match (if `start` is
 * given) if there are none. */
int matcher_push_captures(struct matcher *matcher, const char *start,
                          const char *end);

#endif
