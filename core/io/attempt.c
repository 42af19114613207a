/*
 * The attempts under way, in a list.
 */
#include "config.h"

#include "io/attempt.h"

#include "fiber/loop.h"

static struct attempt *all;
static unsigned era;

void attempt_begin(struct attempt *attempt)
{
    *attempt = (struct attempt){.next = all, .fiber = fiber_self()};
    if (all != NULL)
        all->previous = attempt;
    all = attempt;
}

void attempt_end(struct attempt *attempt)
{
    if (attempt->previous != NULL)
        attempt->previous->next = attempt->next;
    else
        all = attempt->next;
    if (attempt->next != NULL)
        attempt->next->previous = attempt->previous;
}

unsigned attempt_era(void)
{
    return era;
}

void attempts_begin_again(void)
{
    era++;
    for (struct attempt *at = all; at != NULL; at = at->next)
        fiber_wake(at->fiber);
}
