/*
 * What is to happen on the server with messages that are safe here.
 *
 * In phases: flags set, flags cleared, the same of labels, copied, moved,
 * deleted. Each phase is
 * one flight of merged commands and takes only messages that every earlier
 * phase was right for; so nothing is deleted whose copy failed.
 */
#include "settle.h"

#include <stdlib.h>

#include "flags.h"

enum phase {
    PHASE_SET,
    PHASE_CLEAR,
    PHASE_LABEL,
    PHASE_UNLABEL,
    PHASE_COPY,
    PHASE_MOVE, /* or COPY, where the server cannot move */
    PHASE_REMOVE,
    PHASES
};

struct settling {
    struct imap *imap;
    struct pr_deed *deeds;
    size_t count;
    struct task *tasks; /* of the running phase; room for two a deed */
    struct pr_arena *arena;
};

static bool has_flags(const struct pr_flags *flags)
{
    return (flags->system & ~(unsigned)PR_FLAG_RECENT) != 0 ||
           (flags->keywords != NULL && *flags->keywords != '\0');
}

static bool is_in_phase(const struct imap *imap, const struct pr_deed *deed,
                        enum phase phase)
{
    switch (phase) {
    case PHASE_SET:
        return has_flags(&deed->set);
    case PHASE_CLEAR:
        return has_flags(&deed->clear);
    case PHASE_LABEL:
        return deed->label != NULL;
    case PHASE_UNLABEL:
        return deed->unlabel != NULL;
    case PHASE_COPY:
        return deed->copy_to != NULL;
    case PHASE_MOVE:
        return deed->move_to != NULL;
    default:
        return deed->move_to != NULL ? !imap_can(imap, IMAP_CAN_MOVE)
                                     : deed->remove;
    }
}

static bool is_last_phase(const struct imap *imap, const struct pr_deed *deed,
                          enum phase phase)
{
    for (int later = (int)phase + 1; later < PHASES; later++)
        if (is_in_phase(imap, deed, (enum phase)later))
            return false;
    return true;
}

/* ---- Tasks of a phase --------------------------------------------------- */

/* Closes the list in `text`, unless `status` says that it failed, and makes it
 * the task's; `text` is gone then. */
static pr_status end_store(struct settling *settling, pr_status status,
                           struct pr_buffer *text, struct task *ret)
{
    if (status == PR_OK)
        status = pr_buffer_add(text, ")", 1);
    if (status == PR_OK) {
        ret->verb = VERB_STORE;
        ret->object = pr_arena_text(settling->arena, pr_buffer_text(text));
        if (ret->object == NULL)
            status = PR_NOMEM;
    }
    pr_buffer_done(text);
    return status;
}

static pr_status make_store(struct settling *settling, const char *sign,
                            const struct pr_flags *flags, struct task *ret)
{
    struct pr_buffer text = {.cap = 4096};
    pr_status status = pr_buffer_printf(&text, "%sFLAGS.SILENT (", sign);

    if (status == PR_OK)
        status = imap_flags_format(flags, &text);
    return end_store(settling, status, &text, ret);
}

static pr_status make_label(struct settling *settling, const char *sign,
                            const char *labels, struct task *ret)
{
    struct pr_buffer text = {.cap = IMAP_TOKEN_CAP};
    pr_status status = PR_OK;

    if (!imap_can(settling->imap, IMAP_CAN_GMAIL))
        return pr_fail(PR_UNSUPPORTED, "the server has no labels "
                                       "(X-GM-EXT-1)");
    status = pr_buffer_printf(&text, "%sX-GM-LABELS.SILENT (", sign);
    if (status == PR_OK)
        status = imap_labels_format(settling->imap, labels, &text);
    return end_store(settling, status, &text, ret);
}

static pr_status make_task(struct settling *settling, enum phase phase,
                           struct pr_deed *deed, struct task *ret)
{
    *ret = (struct task){.deed = deed, .result = PR_DOUBT};
    switch (phase) {
    case PHASE_SET:
        return make_store(settling, "+", &deed->set, ret);
    case PHASE_CLEAR:
        return make_store(settling, "-", &deed->clear, ret);
    case PHASE_LABEL:
        return make_label(settling, "+", deed->label, ret);
    case PHASE_UNLABEL:
        return make_label(settling, "-", deed->unlabel, ret);
    case PHASE_COPY:
        ret->verb = VERB_COPY;
        ret->object = deed->copy_to;
        return imap_name_prepare(settling->imap, ret->object);
    case PHASE_MOVE:
        ret->verb =
            imap_can(settling->imap, IMAP_CAN_MOVE) ? VERB_MOVE : VERB_COPY;
        ret->object = deed->move_to;
        return imap_name_prepare(settling->imap, ret->object);
    default:
        ret->verb = VERB_STORE;
        ret->object = "+FLAGS.SILENT (\\Deleted)";
        return PR_OK;
    }
}

/* Adds the UID EXPUNGE that goes along with each \Deleted: it touches nothing
 * that is not flagged, so it need not wait for the flags' answer. */
static size_t add_expunges(struct task *tasks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        tasks[count + i] = tasks[i];
        tasks[count + i].verb = VERB_EXPUNGE;
        tasks[count + i].object = "";
    }
    return 2 * count;
}

/* ---- Phases ------------------------------------------------------------- */

static void note_results(struct settling *settling, enum phase phase,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct task *task = &settling->tasks[i];
        struct pr_deed *deed = task->deed;
        if (task->result != PR_OK)
            deed->result = task->result;
        else if (deed->result == PR_DOUBT &&
                 is_last_phase(settling->imap, deed, phase))
            deed->result = PR_OK;
    }
}

static size_t collect(struct settling *settling, enum phase phase)
{
    size_t count = 0;

    for (size_t i = 0; i < settling->count; i++) {
        struct pr_deed *deed = &settling->deeds[i];
        if (deed->result != PR_DOUBT ||
            !is_in_phase(settling->imap, deed, phase))
            continue;
        pr_status status =
            make_task(settling, phase, deed, &settling->tasks[count]);
        if (status == PR_OK)
            count++;
        else
            deed->result = status;
    }
    return count;
}

static pr_status run_phase(struct settling *settling, enum phase phase)
{
    struct imap *imap = settling->imap;
    bool expunges = phase == PHASE_REMOVE;
    size_t count = collect(settling, phase), total = count;
    pr_status status;

    if (count == 0)
        return PR_OK;
    if (expunges && imap_can(imap, IMAP_CAN_UIDPLUS))
        total = add_expunges(settling->tasks, count);
    status = imap_batch_run(imap, settling->tasks, total);
    if (status == PR_OK && expunges && !imap_can(imap, IMAP_CAN_UIDPLUS))
        status = imap_expunge_ours(imap, settling->tasks, total);
    note_results(settling, phase, total);
    return status;
}

static pr_status run(struct settling *settling)
{
    pr_status status = PR_OK;

    for (int phase = 0; phase < PHASES && status == PR_OK; phase++)
        status = run_phase(settling, (enum phase)phase);
    return status;
}

/* ---- The operation ------------------------------------------------------ */

/* Deeds that ask for nothing are done; the others are open. */
static size_t open_deeds(const struct imap *imap, struct pr_deed *deeds,
                         size_t count)
{
    size_t open = 0;

    for (size_t i = 0; i < count; i++) {
        bool asks = false;
        for (int phase = 0; phase < PHASES; phase++)
            asks |= is_in_phase(imap, &deeds[i], (enum phase)phase);
        deeds[i].result = asks ? PR_DOUBT : PR_OK;
        open += asks;
    }
    return open;
}

static void close_deeds(struct pr_deed *deeds, size_t count, pr_status status)
{
    for (size_t i = 0; i < count; i++)
        if (deeds[i].result == PR_DOUBT)
            deeds[i].result = status;
}

static pr_status settle(struct imap *imap, struct pr_deed *deeds, size_t count)
{
    struct settling settling = {.imap = imap, .deeds = deeds, .count = count};
    pr_status status = PR_OK;

    settling.arena = pr_arena_new();
    settling.tasks = calloc(count, 2 * sizeof(*settling.tasks));
    if (settling.arena == NULL || settling.tasks == NULL)
        status = pr_fail(PR_NOMEM, "out of memory");
    if (status == PR_OK)
        status = run(&settling);
    free(settling.tasks);
    pr_arena_free(settling.arena);
    return status;
}

pr_status imap_op_settle(struct pr_source *source, struct pr_deed *deeds,
                         size_t count)
{
    struct imap *imap = source->state;
    pr_status status = PR_OK;

    if (open_deeds(imap, deeds, count) == 0)
        return PR_OK;
    status = imap_check(imap);
    if (status == PR_OK && imap->folder.arena == NULL)
        status = pr_fail(PR_BUG, "no folder is selected");
    if (status == PR_OK && imap->folder.read_only) {
        /* The line stands: it is the deeds that are refused. */
        pr_log(imap->log, PR_LOG_WARNING,
               "the server lets us read this folder only");
        close_deeds(deeds, count, PR_REFUSED);
        return PR_OK;
    }
    if (status == PR_OK) {
        imap_listen(imap, NULL, NULL, NULL);
        imap->watching.is_settling = true;
        imap_be_patient(imap, true);
        status = settle(imap, deeds, count);
        imap_be_patient(imap, false);
        imap->watching.is_settling = false;
    }
    close_deeds(deeds, count, status == PR_OK ? PR_BUG : status);
    return status;
}
