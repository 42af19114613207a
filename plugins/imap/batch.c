/*
 * Tasks merged into commands, and what becomes of them.
 */
#include <stdlib.h>
#include <string.h>

#include "copyuid.h"
#include "settle.h"

/* After so many refusals in a row the rest of a command is not asked for
 * singly: it is not this message that the server dislikes. */
#define REFUSALS_CAP 3u

/* One command for tasks that stand side by side. */
struct order {
    struct imap_command command;
    struct task *tasks;
    size_t count;
};

static int compare_tasks(const void *a, const void *b)
{
    const struct task *left = a, *right = b;
    int by_object = strcmp(left->object, right->object);
    uint32_t x = left->deed->item->uid, y = right->deed->item->uid;

    if (left->verb != right->verb)
        return left->verb < right->verb ? -1 : 1;
    if (by_object != 0)
        return by_object;
    return x < y ? -1 : x > y;
}

static bool are_alike(const struct task *a, const struct task *b)
{
    return a->verb == b->verb && strcmp(a->object, b->object) == 0;
}

/* ---- Sending ------------------------------------------------------------ */

/* Puts as many tasks as one command may name into `set`; *ret how many. */
static pr_status gather_uids(struct task *tasks, size_t count,
                             struct imap_uidset *set, size_t *ret)
{
    size_t i = 0;

    for (; i < count && are_alike(&tasks[0], &tasks[i]); i++) {
        uint32_t uid = tasks[i].deed->item->uid;
        pr_status status = imap_uidset_add(set, uid, uid);
        if (status == PR_LIMIT)
            break;
        if (status != PR_OK)
            return status;
    }
    *ret = i;
    return PR_OK;
}

static pr_status put_order(struct imap *imap, struct order *order,
                           struct pr_bytes set)
{
    static const char *const names[] = {"STORE", "COPY", "MOVE", "EXPUNGE"};
    const struct task *task = &order->tasks[0];
    pr_status status = imap_begin(imap, &order->command, names[task->verb]);

    if (status == PR_OK)
        status = imap_put(imap, "UID ");
    if (status == PR_OK)
        status = imap_put(imap, names[task->verb]);
    if (status == PR_OK)
        status = imap_put(imap, " ");
    if (status == PR_OK)
        status = imap_put_bytes(imap, set);
    if (status == PR_OK && task->verb != VERB_EXPUNGE)
        status = imap_put(imap, " ");
    if (status == PR_OK && task->verb == VERB_STORE)
        status = imap_put(imap, task->object);
    if (status == PR_OK && (task->verb == VERB_COPY || task->verb == VERB_MOVE))
        status = imap_put_name(imap, &order->command, task->object);
    if (order->command.is_done) /* refused halfway: judged with the others */
        return PR_OK;
    return status != PR_OK ? status : imap_end(imap);
}

/* Sends one command for the first of `count` tasks and those like it. */
static pr_status send_order(struct imap *imap, struct task *tasks, size_t count,
                            struct order *ret)
{
    struct imap_uidset set;
    struct pr_bytes text;

    *ret = (struct order){.tasks = tasks};
    imap_uidset_init(&set);
    pr_status status = gather_uids(tasks, count, &set, &ret->count);
    if (status == PR_OK)
        status = imap_uidset_finish(&set, &text);
    if (status == PR_OK)
        status = put_order(imap, ret, text);
    imap_uidset_done(&set);
    return status;
}

/* ---- Where they are now -------------------------------------------------- */

/* Commands whose answers are awaited. */
struct flight {
    struct order *orders;
    size_t count;
};

struct placing {
    const struct order *order;
    uint32_t uidvalidity;
    bool is_ours; /* it names a message of the order */
};

static int compare_uid(const void *key, const void *item)
{
    uint32_t left = *(const uint32_t *)key;
    uint32_t right = ((const struct task *)item)->deed->item->uid;

    return left < right ? -1 : left > right;
}

static void note_place(void *user, uint32_t from, uint32_t to)
{
    struct placing *placing = user;
    const struct order *order = placing->order;
    struct task *task =
        bsearch(&from, order->tasks, order->count, sizeof(*task), compare_uid);

    if (task == NULL)
        return;
    task->deed->target_validity = placing->uidvalidity;
    task->deed->target_uid = to;
    placing->is_ours = true;
}

static bool copies(const struct order *order)
{
    return order->tasks[0].verb == VERB_COPY ||
           order->tasks[0].verb == VERB_MOVE;
}

/* MOVE's comes untagged, before the messages vanish (RFC 6851, 4.3). */
static bool may_be_of(const struct imap_response *told,
                      const struct order *order)
{
    if (!copies(order) || imap_copyuid_count(told) > order->count)
        return false;
    return told->kind == IMAP_TAGGED
               ? strcmp(told->tag, order->command.tag) == 0
               : order->tasks[0].verb == VERB_MOVE && !order->command.is_done;
}

static pr_status note_places(void *user, const struct imap_response *told)
{
    const struct flight *flight = user;
    struct placing placing = {.uidvalidity = (uint32_t)told->number};

    if (told->code != IMAP_CODE_COPYUID || told->number == 0)
        return PR_OK;
    for (size_t i = 0; i < flight->count && !placing.is_ours; i++) {
        placing.order = &flight->orders[i];
        if (may_be_of(told, placing.order))
            imap_copyuid_pairs(told, note_place, &placing);
    }
    return PR_OK;
}

/* ---- Judging ------------------------------------------------------------ */

static void conclude(struct task *tasks, size_t count, pr_status result)
{
    for (size_t i = 0; i < count; i++)
        tasks[i].result = result;
}

static pr_status judge_one(const struct imap_command *command)
{
    if (command->code == IMAP_CODE_EXPUNGEISSUED)
        return PR_OK; /* gone, as it was to be */
    return imap_verdict(command, PR_REFUSED);
}

static bool lacks_folder(const struct order *order)
{
    enum verb verb = order->tasks[0].verb;

    return (verb == VERB_COPY || verb == VERB_MOVE) &&
           order->command.condition == IMAP_NO &&
           (order->command.code == IMAP_CODE_TRYCREATE ||
            order->command.code == IMAP_CODE_NONEXISTENT);
}

/* Is it about all the messages, whichever they are? */
static bool is_general(const struct imap_command *command)
{
    switch (command->code) {
    case IMAP_CODE_TRYCREATE:
    case IMAP_CODE_NONEXISTENT:
    case IMAP_CODE_NOPERM:
    case IMAP_CODE_OVERQUOTA:
    case IMAP_CODE_UNAVAILABLE:
        return true;
    default:
        return command->condition == IMAP_BAD;
    }
}

static pr_status ask_again(struct imap *imap, struct order *order)
{
    struct order again;
    struct flight flight = {&again, 1};
    pr_status status = send_order(imap, order->tasks, order->count, &again);

    imap_listen(imap, note_places, NULL, &flight);
    if (status == PR_OK)
        status = imap_await(imap, &again.command);
    imap_listen(imap, NULL, NULL, NULL);
    if (status == PR_OK)
        order->command = again.command;
    return status;
}

static pr_status ask_one_by_one(struct imap *imap, struct order *order)
{
    size_t refusals = 0;

    for (size_t i = 0; i < order->count; i++) {
        struct order one = {.tasks = &order->tasks[i], .count = 1};
        pr_status status = ask_again(imap, &one);
        if (status != PR_OK)
            return status;
        one.tasks[0].result = judge_one(&one.command);
        refusals = one.tasks[0].result == PR_OK ? 0 : refusals + 1;
        if (refusals == REFUSALS_CAP) {
            conclude(order->tasks + i, order->count - i, one.tasks[0].result);
            return PR_OK;
        }
    }
    return PR_OK;
}

static pr_status judge(struct imap *imap, struct order *order)
{
    if (lacks_folder(order)) {
        pr_status status = imap_create(imap, order->tasks[0].object);
        if (status == PR_OK)
            status = ask_again(imap, order);
        if (status != PR_OK)
            return status;
    }
    pr_status result = order->count == 1
                           ? judge_one(&order->command)
                           : imap_verdict(&order->command, PR_REFUSED);
    if (result != PR_OK)
        pr_log(imap->log, PR_LOG_WARNING, "%s", pr_last_failure()->text);
    if (result != PR_OK && order->count > 1 && !is_general(&order->command))
        return ask_one_by_one(imap, order);
    conclude(order->tasks, order->count, result);
    return PR_OK;
}

/* ---- All of it ---------------------------------------------------------- */

static pr_status run_orders(struct imap *imap, struct order *orders,
                            size_t count)
{
    pr_status status = PR_OK;

    for (size_t i = 0; i < count && status == PR_OK; i++)
        status = imap_await(imap, &orders[i].command);
    imap_listen(imap, NULL, NULL, NULL);
    for (size_t i = 0; i < count && status == PR_OK; i++)
        status = judge(imap, &orders[i]);
    return status;
}

/* How many commands so many tasks can need: one for each object, and one for
 * each full set. */
static size_t count_orders(const struct task *tasks, size_t count)
{
    size_t orders = 2 + count / (IMAP_UIDSET_CAP / 32);

    for (size_t i = 1; i < count; i++)
        orders += !are_alike(&tasks[i - 1], &tasks[i]);
    return orders;
}

pr_status imap_batch_run(struct imap *imap, struct task *tasks, size_t count)
{
    pr_status status = PR_OK;
    size_t sent = 0;

    qsort(tasks, count, sizeof(*tasks), compare_tasks);
    struct order *orders = calloc(count_orders(tasks, count), sizeof(*orders));
    if (orders == NULL)
        return imap_break(imap, pr_fail(PR_NOMEM, "out of memory"));
    struct flight flight = {orders, 0};
    imap_listen(imap, note_places, NULL, &flight);
    for (size_t i = 0; i < count && status == PR_OK;
         i += orders[sent++].count) {
        status = send_order(imap, tasks + i, count - i, &orders[sent]);
        flight.count++;
    }
    if (status != PR_OK)
        (void)imap_break(imap, status); /* commands may be half sent */
    else
        status = run_orders(imap, orders, sent);
    imap_listen(imap, NULL, NULL, NULL); /* also if the line broke */
    free(orders);
    return status;
}
