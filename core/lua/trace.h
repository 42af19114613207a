/*
 * What the rules did with one message: which ran, what each looked at, what it
 * asked for, and what that cost.
 *
 * Kept for `postrider explain` and for tests. Whoever wants to know puts a
 * trace into the message before the rules run.
 */
#ifndef LUA_TRACE_H
#define LUA_TRACE_H

#include <postrider/buffer.h>

/* What it takes to have a field of a message, cheapest first. */
enum rule_cost {
    COST_NOTHING,  /* told when the message is listed */
    COST_ENVELOPE, /* addresses, subject, date, parts */
    COST_HEADERS,  /* the whole header */
    COST_PART,     /* the text of a part */
    COST_ALL       /* the whole message */
};

/* One rule and the message. */
struct rule_visit {
    const char *rule, *file;
    int line;
    bool is_taken; /* its selector takes the message; else it did not run */
    const char **reads; /* fields and methods, each once, as first used */
    size_t read_count, reads_allocated;
    enum rule_cost cost;         /* of the dearest of them */
    size_t plan_first, plan_end; /* its entries of the plan */
    uint64_t time;               /* ns of processor time */
    uint64_t waited;             /* ms for services, and for the message */
    const char *error;           /* NULL: it ran to its end */
};

struct trace {
    struct pr_arena *arena; /* lent */
    struct rule_visit *visits;
    size_t count, allocated;
};

/* "envelope", ... */
const char *cost_name(enum rule_cost cost);

#endif
