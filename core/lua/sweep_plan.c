/*
 * What a sweep decided: steps in order.
 */
#include <config.h>

#include <string.h>

#include "lua/sweep.h"
#include "mail/ranges.h"

#define STEPS_MOST 100000

static const char *const names[] = {
    [SWEEP_FLAG] = "flag",
    [SWEEP_UNFLAG] = "unflag",
    [SWEEP_LABEL] = "label",
    [SWEEP_UNLABEL] = "unlabel",
    [SWEEP_COPY_TO] = "copy_to",
    [SWEEP_MOVE] = "move",
    [SWEEP_DELETE] = "delete",
    [SWEEP_NOTE] = "note",
    [SWEEP_CREATE] = "create folder",
    [SWEEP_RENAME] = "rename folder",
    [SWEEP_DROP] = "delete folder",
    [SWEEP_SUBSCRIBE] = "subscribe to",
    [SWEEP_UNSUBSCRIBE] = "unsubscribe from",
};

const char *sweep_action_name(enum sweep_action action)
{
    return names[action];
}

static bool are_equal(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool are_alike(const struct sweep_step *a, const struct sweep_step *b)
{
    return a->action == b->action && a->uids != NULL && b->uids != NULL &&
           a->line == b->line && are_equal(a->file, b->file) &&
           are_equal(a->text, b->text);
}

/* A message after the other: they mostly ascend. */
static pr_status merge(struct sweep_plan *plan, struct sweep_step *last,
                       const struct sweep_step *step)
{
    struct pr_range *room;

    if (last->uids_allocated < last->uid_count + step->uid_count) {
        size_t more = 2 * (last->uid_count + step->uid_count);
        room = pr_arena_array(plan->arena, more, sizeof *room);
        if (room == NULL)
            return PR_NOMEM;
        memcpy(room, last->uids, last->uid_count * sizeof *room);
        last->uids = room;
        last->uids_allocated = more;
    }
    memcpy(last->uids + last->uid_count, step->uids,
           step->uid_count * sizeof *step->uids);
    bool ascends = last->uid_count > 0 && step->uid_count > 0 &&
                   step->uids[0].first >
                       last->uids[last->uid_count - 1].last + (uint64_t)1;
    last->uid_count += step->uid_count;
    if (!ascends)
        last->uid_count = ranges_tidy(last->uids, last->uid_count);
    return PR_OK;
}

static pr_status copy_text(struct pr_arena *arena, const char **text)
{
    if (*text == NULL)
        return PR_OK;
    *text = pr_arena_text(arena, *text);
    return *text != NULL ? PR_OK : PR_NOMEM;
}

pr_status sweep_plan_add(struct sweep_plan *plan, const struct sweep_step *step)
{
    struct sweep_step *steps;

    if (plan->count > 0 && are_alike(&plan->steps[plan->count - 1], step))
        return merge(plan, &plan->steps[plan->count - 1], step);
    if (plan->count == STEPS_MOST)
        return pr_fail(PR_LIMIT,
                       "the sweep asks for over %d things: act on "
                       "sets, not on each message in another way",
                       STEPS_MOST);
    steps = pr_arena_grow(plan->arena, plan->steps, plan->count,
                          &plan->allocated, sizeof *steps);
    if (steps == NULL)
        return PR_NOMEM;
    plan->steps = steps;
    steps[plan->count] = *step;
    steps = &steps[plan->count];
    if (copy_text(plan->arena, &steps->text) != PR_OK ||
        copy_text(plan->arena, &steps->value) != PR_OK)
        return PR_NOMEM;
    if (step->uids != NULL) {
        steps->uids = pr_arena_array(plan->arena, step->uid_count + 1,
                                     sizeof *step->uids);
        if (steps->uids == NULL)
            return PR_NOMEM;
        if (step->uid_count > 0)
            memcpy(steps->uids, step->uids,
                   step->uid_count * sizeof *step->uids);
        steps->uids_allocated = step->uid_count + 1;
    }
    plan->count++;
    return PR_OK;
}
