/*
 * What the rules did with one message: which ran, what each looked at, what it
 * asked for, and what that cost.
 *
 * Whoever wants to know puts a trace into the message before the rules run. A
 * rule's costs are measured in any case, once, and added to its profile.
 */
#ifndef LUA_TRACE_H
#define LUA_TRACE_H

#include "mail/message.h"

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
    uint64_t time;               /* us of processor time */
    uint64_t waited;             /* us for services, and for the message */
    struct message_cost fetched; /* because it looked */
    const char *error;           /* NULL: it ran to its end */
};

struct trace {
    struct pr_arena *arena; /* lent */
    struct rule_visit *visits;
    size_t count, allocated;
};

/* "envelope", ... */
const char *cost_name(enum rule_cost cost);
/* What it costs to have a field, or to call a method, of that name; those of a
 * part begin with "part:". */
enum rule_cost cost_of(const char *name);

#endif
