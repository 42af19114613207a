/*
 * Scopes: families of fibers, joined and cancelled together.
 *
 * A child is in its scope's list from its spawning until its function returned;
 * the last one to leave wakes the joiner. The words of the first failure are
 * copied when the child ends, because they lie on its stack.
 */
#include "config.h"

#include "base/failure.h"
#include "base/memory.h"
#include "fiber/fiber.h"

void pr_scope_init(struct pr_scope *scope)
{
    *scope = (struct pr_scope){.first_failure = PR_OK};
}

void scope_add(struct pr_scope *scope, struct pr_fiber *fiber)
{
    fiber->scope = scope;
    fiber->previous = NULL;
    fiber->next = scope->children;
    if (scope->children != NULL)
        scope->children->previous = fiber;
    scope->children = fiber;
    scope->count++;
}

static void note_failure(struct pr_scope *scope, pr_status status,
                         const struct pr_failure *failure)
{
    if (status == PR_OK ||
        (scope->first_failure != PR_OK && scope->first_failure != PR_CANCELLED))
        return;
    if (scope->first_failure == PR_CANCELLED && status == PR_CANCELLED)
        return;
    scope->first_failure = status;
    if (scope->words == NULL)
        scope->words = memory_alloc(sizeof *scope->words);
    if (scope->words == NULL)
        return; /* the status must do */
    if (failure->status == status)
        *scope->words = *failure;
    else
        *scope->words = (struct pr_failure){.status = status};
}

void scope_remove(struct pr_scope *scope, struct pr_fiber *fiber,
                  pr_status status)
{
    note_failure(scope, status, fiber->failure);
    if (fiber->previous != NULL)
        fiber->previous->next = fiber->next;
    else
        scope->children = fiber->next;
    if (fiber->next != NULL)
        fiber->next->previous = fiber->previous;
    fiber->scope = NULL;
    scope->count--;
    if (scope->count == 0 && scope->joiner != NULL)
        fiber_wake(scope->joiner);
}

void pr_scope_cancel(struct pr_scope *scope)
{
    scope->cancelled = true;
    for (struct pr_fiber *child = scope->children; child != NULL;
         child = child->next)
        fiber_cancel(child);
}

void pr_scope_give_up(struct pr_scope *scope)
{
    scope->cancelled = scope->given_up = true;
    for (struct pr_fiber *child = scope->children; child != NULL;
         child = child->next)
        fiber_give_up(child);
}

pr_status pr_scope_join(struct pr_scope *scope)
{
    pr_status status;

    while (scope->count > 0) {
        bool cancelled = pr_is_cancelled();

        scope->joiner = fiber_self();
        if (scope->joiner->given_up && !scope->given_up)
            pr_scope_give_up(scope);
        else if (cancelled && !scope->cancelled)
            pr_scope_cancel(scope);
        fiber_wait(PR_NEVER, cancelled);
    }
    status = scope->first_failure;
    if (scope->words != NULL && scope->words->text[0] != '\0')
        failure_raise(scope->words);
    else if (status != PR_OK)
        pr_fail(status, "%s", pr_status_name(status));
    memory_free(scope->words);
    pr_scope_init(scope);
    return status;
}
