/*
 * A batch on its way to the server, through lost connections.
 *
 * What is in doubt is looked for before it is sent again. A message that loses
 * the line while it is on its way alone is left for later, so that it stops no
 * other.
 */
#include <stdlib.h>

#include "append.h"

/* Connections that may be lost in one batch. */
#define LOSSES_CAP 3u

/* ---- What is in doubt ---------------------------------------------------- */

static struct receipt receipt_of(const struct parcel *parcel)
{
    struct receipt receipt = {.rank = 0};

    if (receipt_parse(parcel->delivery->receipt, &receipt) != PR_OK)
        receipt.rank = 0; /* cannot be: it is ours */
    return receipt;
}

/* Not there, so it is sent again; unless that is what loses the line. */
static void repeat(struct parcel *parcel, const struct pr_failure *loss)
{
    parcel->stand = PARCEL_WAITS;
    if (parcel->lost_the_line)
        parcel_conclude(parcel, pr_fail(PR_LATER,
                                        "the connection breaks when it is "
                                        "sent: %s",
                                        loss->text));
}

static pr_status settle_one(struct append *append, struct parcel *parcel,
                            const struct pr_failure *loss)
{
    struct receipt receipt = receipt_of(parcel);
    pr_status status = append_look(append, parcel->folder, &receipt);

    if (status == PR_OK) {
        parcel->folder->is_known = false;
        parcel_conclude(parcel, PR_OK);
        pr_log(append->log, PR_LOG_INFO,
               "message %u had arrived before the connection was lost",
               parcel->delivery->uid);
    } else if (status == PR_GONE) {
        repeat(parcel, loss);
    } else {
        return status;
    }
    return PR_OK;
}

static pr_status settle_doubts(struct run *run, const struct pr_failure *loss)
{
    pr_status status = PR_OK;

    for (size_t i = 0; i < run->count && status == PR_OK; i++)
        if (run->parcels[i]->stand == PARCEL_IN_DOUBT)
            status = settle_one(run->append, run->parcels[i], loss);
    return status;
}

/* ---- The way through ----------------------------------------------------- */

static pr_status attempt(struct run *run, const struct pr_failure *loss,
                         bool *ret_connected)
{
    pr_status status = append_connect(run->append);

    *ret_connected = status == PR_OK;
    if (status == PR_OK)
        status = settle_doubts(run, loss);
    if (status == PR_OK)
        status = append_send(run);
    return status;
}

/* Nothing more can be done now. */
static void leave(struct run *run, const struct pr_failure *loss)
{
    for (size_t i = 0; i < run->count; i++) {
        struct parcel *parcel = run->parcels[i];
        if (parcel->stand == PARCEL_WAITS) {
            parcel_conclude(parcel, pr_fail(loss->status, "%s", loss->text));
        } else if (parcel->stand == PARCEL_IN_DOUBT) {
            parcel_conclude(parcel,
                            pr_fail(PR_DOUBT,
                                    "the connection was lost before the "
                                    "server answered; the next run looks "
                                    "whether it arrived (%s)",
                                    loss->text));
            parcel->stand = PARCEL_IN_DOUBT;
        }
    }
}

static void deliver(struct run *run)
{
    struct pr_failure loss = {.status = PR_OK};

    for (unsigned losses = 0;; losses++) {
        bool is_connected = false;
        pr_status status = attempt(run, &loss, &is_connected);
        if (status == PR_OK)
            return;
        loss = *pr_last_failure();
        loss.status = status;
        bool is_lost = append_was_lost(run->append);
        if (!is_connected || !is_lost || losses == LOSSES_CAP)
            break;
        pr_log(run->append->log, PR_LOG_WARNING, "%s", loss.text);
        run->singly = true;
    }
    leave(run, &loss);
}

static void begin_folders(struct append *append)
{
    for (struct append_folder *folder = append->folders; folder != NULL;
         folder = folder->next) {
        folder->was_made = false;
        folder->refusals = 0;
    }
}

/* Those in doubt stay, so that none like them follows. */
static void clear(struct run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        struct parcel *parcel = run->parcels[i];
        parcel->delivery->ticket = NULL;
        parcel->delivery = NULL;
        if (parcel->stand != PARCEL_IN_DOUBT)
            parcel_free(run->append, parcel);
    }
}

pr_status append_commit(struct pr_sink *sink, struct pr_delivery *const *batch,
                        size_t count)
{
    struct run run = {.append = sink->state, .count = count};

    run.parcels = calloc(count, sizeof(struct parcel *));
    if (run.parcels == NULL && count > 0)
        return pr_fail(PR_NOMEM, "out of memory");
    for (size_t i = 0; i < count; i++)
        run.parcels[i] = batch[i]->ticket;
    pr_status status = pr_semaphore_take(&run.append->line, 1, PR_NEVER);
    if (status == PR_OK) {
        begin_folders(run.append);
        deliver(&run);
        pr_semaphore_give(&run.append->line, 1);
        clear(&run);
    }
    free(run.parcels);
    return status;
}
