/*
 * Fibers: their life, their waits and the order in which they run.
 *
 * How it works. A fiber is a stack of its own and the place where it stopped
 * (context.h). The loop's stack is the hub: it takes a fiber from the ready
 * queue and switches to it; the fiber runs until it parks, steps back or ends,
 * which switches to the loop's stack again. Fibers never switch to each other.
 * So at any time one fiber runs (`current`) or the loop does, and whatever
 * wakes a fiber, a callback of libuv or another fiber, only puts it into the
 * queue.
 *
 *     spawn                      turn comes
 *     ------> ready <----------------------------- running ----> ended
 *               ^  step back         |                |  return
 *               |                    |                | park
 *               +-- wake, deadline, cancellation -- parked
 *
 * The queue is run before the loop polls and after it (loop.c), a bounded
 * number of fibers at a time, so that fibers which keep each other busy leave
 * I/O its turn. A fiber stands in the queue once, and the first of wake,
 * deadline and cancellation decides what its wait returns.
 *
 * A struct pr_fiber outlives its fiber: it is used again, and freed only when
 * the loop ends. A late wake-up so finds a fiber that is not parked, or ends a
 * wait of another fiber early, for which every wait is prepared.
 *
 * Memory: the slot for the words of failures lies at the top of the stack, in a
 * page that is in use anyway; a parked fiber takes little more than that page.
 */
#include "config.h"

#include "fiber/fiber.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/failure.h"
#include "base/memory.h"

enum {
    TURN_FIBERS = 256,    /* as many run before I/O has its turn, */
    TURN_CHECK = 8,       /* or fewer: every so many we look at the clock, */
    TURN_NS = 4 * 1000000 /* and this long is enough */
};

/* Seen by each thread as its own, so that an offloaded job is in no fiber. */
static _Thread_local struct pr_fiber *current;

static struct context loop_context;
static struct pr_fiber *ready_first, *ready_last;
static struct pr_fiber *known; /* all, ended ones too */
static struct pr_fiber *ended; /* those to use again */

struct pr_fiber *fiber_self(void)
{
    return current;
}

const char *fiber_name(const struct pr_fiber *fiber)
{
    return fiber->name;
}

/* Ready and running. */

static void make_ready(struct pr_fiber *fiber)
{
    fiber->state = FIBER_READY;
    fiber->next_ready = NULL;
    if (ready_first == NULL)
        ready_first = fiber;
    else
        ready_last->next_ready = fiber;
    ready_last = fiber;
}

static void end_park(struct pr_fiber *fiber, pr_status status)
{
    uv_timer_stop(&fiber->timer);
    fiber->parked_for = status;
    make_ready(fiber);
}

void fiber_wake(struct pr_fiber *fiber)
{
    if (fiber->state == FIBER_PARKED)
        end_park(fiber, PR_OK);
}

static void on_deadline(uv_timer_t *timer)
{
    struct pr_fiber *fiber = timer->data;

    if (fiber->state == FIBER_PARKED)
        end_park(fiber, PR_TIMEOUT);
}

static void give_back(struct pr_fiber *fiber)
{
    stack_give(fiber->stack);
    fiber->stack = NULL;
    fiber->failure = NULL;
    fiber->next_ended = ended;
    ended = fiber;
}

static void run_one(struct pr_fiber *fiber)
{
    struct pr_failure *slot = failure_use_slot(fiber->failure);

    fiber->state = FIBER_RUNNING;
    current = fiber;
    context_switch(&loop_context, &fiber->context);
    current = NULL;
    failure_use_slot(slot);
    if (fiber->state == FIBER_ENDED)
        give_back(fiber);
}

bool fiber_run_ready(void)
{
    uint64_t start = uv_hrtime();

    for (unsigned n = 1; ready_first != NULL; n++) {
        struct pr_fiber *fiber = ready_first;

        ready_first = fiber->next_ready;
        run_one(fiber);
        if (n == TURN_FIBERS ||
            (n % TURN_CHECK == 0 && uv_hrtime() - start > TURN_NS))
            break;
    }
    return ready_first != NULL;
}

void fiber_step_back(void)
{
    struct pr_fiber *self = current;

    assert(self != NULL);
    make_ready(self);
    context_switch(&self->context, &loop_context);
}

/* Waits. */

static void arm_deadline(struct pr_fiber *self, pr_time deadline)
{
    uint64_t now = uv_now(self->timer.loop);

    /* The loop's clock may lag behind pr_now(), so that this is never early. */
    if (deadline != PR_NEVER)
        uv_timer_start(&self->timer, on_deadline,
                       deadline > now ? deadline - now : 0, 0);
}

pr_status fiber_wait(pr_time deadline, bool firm)
{
    struct pr_fiber *self = current;

    assert(self != NULL && "only a fiber can wait");
    if (!firm && pr_is_cancelled())
        return PR_CANCELLED;
    arm_deadline(self, deadline);
    self->firm = firm;
    self->state = FIBER_PARKED;
    context_switch(&self->context, &loop_context);
    return self->parked_for;
}

pr_status fiber_wait_words(pr_status status)
{
    static const struct pr_failure timeout = {PR_TIMEOUT, "timed out"};
    static const struct pr_failure cancelled = {PR_CANCELLED, "asked to stop"};

    if (status == PR_TIMEOUT)
        return failure_raise(&timeout);
    if (status == PR_CANCELLED)
        return failure_raise(&cancelled);
    return status;
}

pr_status fiber_park(pr_time deadline)
{
    if (deadline <= pr_now() && !pr_is_cancelled())
        return fiber_wait_words(PR_TIMEOUT);
    return fiber_wait_words(fiber_wait(deadline, false));
}

void fiber_park_firmly(void)
{
    fiber_wait(PR_NEVER, true);
}

pr_status fiber_park_firmly_until(pr_time deadline)
{
    return fiber_wait_words(fiber_wait(deadline, true));
}

/* Cancellation. */

static bool is_shielded(const struct pr_fiber *fiber)
{
    return fiber->shields > 0 && !fiber->given_up;
}

void fiber_cancel(struct pr_fiber *fiber)
{
    fiber->cancelled = true;
    if (fiber->state == FIBER_PARKED && !fiber->firm && !is_shielded(fiber))
        end_park(fiber, PR_CANCELLED);
}

/* One that joins firmly is woken to pass it on. */
void fiber_give_up(struct pr_fiber *fiber)
{
    fiber->given_up = true;
    fiber_cancel(fiber);
    fiber_wake(fiber);
}

bool pr_is_cancelled(void)
{
    return current != NULL && current->cancelled && !is_shielded(current);
}

void pr_shield_begin(void)
{
    if (current != NULL)
        current->shields++;
}

void pr_shield_end(void)
{
    if (current == NULL)
        return;
    assert(current->shields > 0);
    current->shields--;
}

/* Birth and end. */

static void run_fiber(void *argument)
{
    struct pr_fiber *self = argument;
    pr_status status;

    context_entered(&loop_context);
    status = self->run(self->argument);
    assert(self->shields == 0);
    self->state = FIBER_ENDED;
    scope_remove(self->scope, self, status);
    context_leave(&self->context, &loop_context);
}

/* A fiber without a stack: one that ended, or a new one. */
static struct pr_fiber *take_fiber(void)
{
    struct pr_fiber *fiber = ended;

    if (fiber != NULL) {
        ended = fiber->next_ended;
        return fiber;
    }
    fiber = memory_zeroed(1, sizeof *fiber);
    if (fiber == NULL)
        return NULL;
    uv_timer_init(loop_uv(), &fiber->timer);
    fiber->timer.data = fiber;
    fiber->next_known = known;
    known = fiber;
    return fiber;
}

static void prepare(struct pr_fiber *fiber, struct stack *stack)
{
    /* A multiple of the alignment of stacks. */
    size_t top = (sizeof(struct pr_failure) + 15) & ~(size_t)15;

    fiber->stack = stack;
    fiber->failure = (struct pr_failure *)((char *)stack - top);
    fiber->failure->status = PR_OK;
    fiber->failure->text[0] = '\0';
    fiber->shields = 0;
    fiber->firm = false;
    fiber->parked_for = PR_OK;
    context_make(&fiber->context, stack->memory, stack->size - top, run_fiber,
                 fiber);
}

pr_status pr_spawn(struct pr_scope *scope, const char *name, size_t stack_size,
                   pr_fiber_fn *run, void *argument)
{
    struct stack *stack;
    struct pr_fiber *fiber;

    if (loop_uv() == NULL)
        return pr_fail(PR_BUG, "no loop for the fiber \"%s\" to run on", name);
    stack = stack_take(stack_size);
    if (stack == NULL)
        return PR_NOMEM;
    fiber = take_fiber();
    if (fiber == NULL) {
        stack_give(stack);
        return pr_fail(PR_NOMEM, "no memory for the fiber \"%s\"", name);
    }
    fiber->name = name;
    fiber->run = run;
    fiber->argument = argument;
    fiber->cancelled = scope->cancelled;
    fiber->given_up = scope->given_up;
    prepare(fiber, stack);
    scope_add(scope, fiber);
    make_ready(fiber);
    return PR_OK;
}

void fiber_trim_stack(void)
{
    /* What the calls from here use themselves must stay. */
#ifdef CONTEXT_ASAN
    size_t in_use = 16 * 1024;
#else
    size_t in_use = 1024;
#endif
    char *here = __builtin_frame_address(0);

    if (current == NULL)
        return;
    if ((size_t)(here - current->stack->memory) > in_use)
        stack_trim(current->stack, here - in_use);
}

static void on_closed(uv_handle_t *timer)
{
    memory_free(timer->data);
}

void fiber_close_all(void)
{
    while (known != NULL) {
        struct pr_fiber *fiber = known;

        assert(fiber->state == FIBER_ENDED && "one outlives the main fiber");
        known = fiber->next_known;
        uv_close((uv_handle_t *)&fiber->timer, on_closed);
    }
    ended = NULL;
}
