/*
 * Deeds on the server taken back: which of them, in which order.
 *
 * The last deed with a message is taken back first, and it may be that only
 * then it is where an older one left it. So there are rounds: in each, what no
 * newer deed stands before. Nothing is deleted: copies stay where they are.
 */
#include "engine/undo.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const char *action_of(const struct state_deed *deed)
{
    switch (deed->kind) {
    case DEED_MOVED:
        return "move";
    case DEED_COPIED:
        return "copy";
    case DEED_DELETED:
        return "delete";
    default:
        return "flag";
    }
}

static const char *or_empty(const char *text)
{
    return text != NULL ? text : "";
}

void undo_tell(const struct engine_observer *observer,
               const struct state_deed *deed, const char *status,
               const char *reason)
{
    const struct undo_report report = {
        .account = deed->account,
        .folder = deed->folder,
        .uid = deed->uid,
        .time = deed->time,
        .action = action_of(deed),
        .target = deed->target,
        .set = deed->set,
        .clear = deed->clear,
        .message_id = or_empty(deed->message_id),
        .sender = or_empty(deed->sender),
        .subject = or_empty(deed->subject),
        .status = status,
        .reason = reason,
    };
    if (observer != NULL && observer->undone != NULL) {
        observer->undone(observer->user, &report);
    }
}

/* ---- Given up ------------------------------------------------------------ */

static int compare_ids(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static bool is_given_up(const struct undo *undo, int64_t id)
{
    return undo->given_up_count > 0 &&
           bsearch(&id, undo->given_up, undo->given_up_count, sizeof(id),
                   compare_ids) != NULL;
}

static pr_status give_up(struct undo *undo, int64_t id)
{
    if (undo->given_up_count == undo->given_up_allocated) {
        size_t room = 2 * undo->given_up_allocated + 64;
        int64_t *more = memory_alloc(room * sizeof(*more));
        if (more == NULL) {
            return pr_fail(PR_NOMEM, "out of memory");
        }
        if (undo->given_up_count > 0) {
            memcpy(more, undo->given_up, undo->given_up_count * sizeof(*more));
        }
        memory_free(undo->given_up);
        undo->given_up = more;
        undo->given_up_allocated = room;
    }
    undo->given_up[undo->given_up_count++] = id;
    return PR_OK;
}

static pr_status tell_kept(struct undo *undo, const struct state_deed *deed)
{
    const char *reason =
        deed->kind == DEED_COPIED
            ? "the copy stays: nothing is deleted to undo something"
            : "deleted for good: it may still be where the server keeps what "
              "was deleted (a Trash folder, a backup)";
    undo_tell(undo->observer, deed, "kept", reason);
    return give_up(undo, deed->id);
}

/* ---- The order ----------------------------------------------------------- */

/* A message in a folder, and the newest deed that took it from there. */
struct spot_of {
    const char *folder;
    uint32_t uid;
    size_t index; /* of the deed; the newest is 0 */
};

static int compare_spots(const void *left, const void *right)
{
    const struct spot_of *a = left, *b = right;
    int order = strcmp(a->folder, b->folder);
    if (order == 0) {
        order = (a->uid > b->uid) - (a->uid < b->uid);
    }
    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

static const char *place_of(const struct state_deed *deed)
{
    return deed->kind == DEED_MOVED ? deed->target : deed->folder;
}

static uint32_t uid_of(const struct state_deed *deed)
{
    return deed->kind == DEED_MOVED ? deed->target_uid : deed->uid;
}

/* Was the message changed by a newer deed, which is not undone? */
static bool is_behind(const struct state_deed *deeds, size_t index,
                      const struct spot_of *spots, size_t count)
{
    const struct spot_of where = {place_of(&deeds[index]),
                                  uid_of(&deeds[index]), 0};
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_spots(&spots[middle], &where) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < count && spots[low].uid == where.uid &&
           strcmp(spots[low].folder, where.folder) == 0 &&
           spots[low].index < index;
}

static int compare_steps(const void *left, const void *right)
{
    const struct step *a = left, *b = right;
    int order = strcmp(a->place, b->place);
    return order != 0 ? order : (a->uid > b->uid) - (a->uid < b->uid);
}

struct round {
    struct state_deed *deeds;
    size_t count;
    struct step *steps;
    size_t step_count;
};

static bool can_be_undone(const struct state_deed *deed)
{
    return deed->kind == DEED_MOVED || deed->kind == DEED_FLAGGED;
}

/* What can be taken back now. */
static pr_status choose_steps(struct undo *undo, struct round *round)
{
    struct spot_of *spots =
        pr_arena_array(undo->arena, round->count + 1, sizeof(*spots));
    round->steps =
        pr_arena_array(undo->arena, round->count + 1, sizeof(*round->steps));
    if (spots == NULL || round->steps == NULL) {
        return PR_NOMEM;
    }
    size_t count = 0;
    for (size_t i = 0; i < round->count; i++) {
        if (can_be_undone(&round->deeds[i])) {
            spots[count++] = (struct spot_of){round->deeds[i].folder,
                                              round->deeds[i].uid, i};
        }
    }
    qsort(spots, count, sizeof(*spots), compare_spots);
    for (size_t i = 0; i < round->count; i++) {
        struct state_deed *deed = &round->deeds[i];
        if (!can_be_undone(deed) || is_given_up(undo, deed->id) ||
            is_behind(round->deeds, i, spots, count)) {
            continue;
        }
        round->steps[round->step_count++] = (struct step){
            .deed = deed, .place = place_of(deed), .uid = uid_of(deed)};
    }
    if (round->step_count > 0) {
        qsort(round->steps, round->step_count, sizeof(*round->steps),
              compare_steps);
    }
    return PR_OK;
}

/* ---- A round ------------------------------------------------------------- */

static pr_status take_steps(struct undo *undo, struct round *round)
{
    pr_status status = PR_OK;
    for (size_t first = 0, end; status == PR_OK && first < round->step_count;
         first = end) {
        struct step *steps = &round->steps[first];
        for (end = first + 1;
             end < round->step_count &&
             strcmp(round->steps[end].place, steps->place) == 0;) {
            end++;
        }
        status = undo_folder(undo, steps, end - first);
    }
    for (size_t i = 0; status == PR_OK && i < round->step_count; i++) {
        const struct step *step = &round->steps[i];
        if (step->why != NULL) {
            undo_tell(undo->observer, step->deed, "failed", step->why);
        }
        if (step->why != NULL || undo->order->dry_run) {
            status = give_up(undo, step->deed->id);
        }
    }
    return status;
}

/* What is left has a newer deed before it that could not be undone, or, when
 * nothing is really done, that would be undone first. */
static pr_status tell_rest(struct undo *undo, const struct round *round)
{
    pr_status status = PR_OK;
    for (size_t i = 0; status == PR_OK && i < round->count; i++) {
        const struct state_deed *deed = &round->deeds[i];
        if (!can_be_undone(deed) || is_given_up(undo, deed->id)) {
            continue;
        }
        if (undo->order->dry_run) {
            undo_tell(undo->observer, deed, "planned", NULL);
        } else {
            undo_tell(undo->observer, deed, "failed",
                      "what was done with it later could not be undone");
        }
        status = give_up(undo, deed->id);
    }
    return status;
}

static pr_status run_round(struct undo *undo, bool is_first, bool *ret_is_last)
{
    struct account_run *run = undo->run;
    struct round round = {0};
    pr_status status =
        state_deeds(run->engine->state, run->name, undo->order->since,
                    undo->arena, &round.deeds, &round.count);
    for (size_t i = 0; is_first && status == PR_OK && i < round.count; i++) {
        if (!can_be_undone(&round.deeds[i])) {
            status = tell_kept(undo, &round.deeds[i]);
        }
    }
    if (undo->given_up_count > 0) {
        qsort(undo->given_up, undo->given_up_count, sizeof(int64_t),
              compare_ids);
    }
    if (status == PR_OK) {
        status = choose_steps(undo, &round);
    }
    *ret_is_last = round.step_count == 0;
    if (status != PR_OK) {
        return status;
    }
    return *ret_is_last ? tell_rest(undo, &round) : take_steps(undo, &round);
}

/* ---- What a crash left --------------------------------------------------- */

/* Undoes that were under way when postrider last ended. */
static pr_status recover_all(struct undo *undo)
{
    struct account_run *run = undo->run;
    struct state_deed *deeds;
    size_t count;
    pr_status status = state_deeds_returning(run->engine->state, run->name,
                                             NULL, undo->arena, &deeds, &count);
    for (size_t i = 0; status == PR_OK && i < count; i++) {
        bool is_known = false;
        for (size_t j = 0; j < i && !is_known; j++) {
            is_known = strcmp(deeds[i].folder, deeds[j].folder) == 0;
        }
        if (!is_known) {
            status = undo_recover_in(undo, deeds[i].folder);
            status = status == PR_GONE ? PR_OK : status;
        }
    }
    return status;
}

pr_status undo_run(struct account_run *run, struct line *line,
                   const struct undo_order *order,
                   const struct engine_observer *observer)
{
    struct undo undo = {
        .run = run, .line = line, .order = order, .observer = observer};
    bool is_last = false, is_first = true;
    pr_status status = PR_OK;
    while (status == PR_OK && !is_last && !account_is_stopping(run)) {
        undo.arena = pr_arena_new();
        if (undo.arena == NULL) {
            status = PR_NOMEM;
            break;
        }
        if (is_first && !order->dry_run) {
            status = recover_all(&undo);
        }
        if (status == PR_OK) {
            status = run_round(&undo, is_first, &is_last);
        }
        is_first = false;
        pr_arena_free(undo.arena);
    }
    memory_free(undo.given_up);
    return status;
}
