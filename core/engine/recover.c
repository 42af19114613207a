/*
 * What a crash left: deliveries that were intended, and may have happened.
 */
#include <string.h>
#include <time.h>

#include "engine/parts.h"

/* What a sink's own journal says, when it keeps one. */
static pr_status ask_journal(const struct session *session,
                             const struct state_delivery *delivery)
{
    switch (state_journal_ask(session->run->journal, delivery->sink,
                              delivery->folder, delivery->key)) {
    case WORD_DONE:
        return PR_OK;
    case WORD_NONE:
        return PR_GONE;
    default:
        return PR_DOUBT;
    }
}

/* Did it happen? PR_OK, PR_GONE, or why that is not known now. */
static pr_status look_for(const struct session *session,
                          const struct state_delivery *delivery)
{
    if (delivery->key[0] == '\0') {
        return PR_GONE; /* its sink would not even stage it */
    }
    struct pr_sink *sink = engine_sink(session->engine, delivery->sink);
    const struct pr_sink_ops *ops = sink != NULL ? sink->class->sink : NULL;
    if (ops != NULL && ops->recover != NULL) {
        return ops->recover(sink, delivery->key, delivery->receipt);
    }
    if (ops != NULL && ops->journaled) {
        return ask_journal(session, delivery);
    }
    return PR_DOUBT;
}

/* ---- Sinks that cannot be asked now -------------------------------------- */

/* What hangs costs its whole deadline, so it is asked once in a run, and not
 * for each message. */
struct silence {
    const char *sink; /* its name */
    pr_status status;
    size_t waiting; /* messages besides the first */
    struct silence *next;
};

static struct silence *silence_of(const struct account_run *run,
                                  const char *sink)
{
    struct silence *one = run->silences;
    while (one != NULL && strcmp(one->sink, sink) != 0) {
        one = one->next;
    }
    return one;
}

/* Nothing is remembered where there is no memory for it. */
static void remember_silence(struct account_run *run, const char *sink,
                             pr_status status)
{
    struct silence *one = pr_arena_alloc(run->arena, sizeof *one);
    const char *name = pr_arena_text(run->arena, sink);
    if (one != NULL && name != NULL) {
        *one = (struct silence){name, status, 0, run->silences};
        run->silences = one;
    }
}

static void tell_of_silences(const struct session *session)
{
    for (struct silence *one = session->run->silences; one != NULL;
         one = one->next) {
        if (one->waiting > 0) {
            pr_log(&session->log, PR_LOG_ERROR,
                   "%zu more messages were on their way to %s; they wait, too",
                   one->waiting, one->sink);
            one->waiting = 0;
        }
    }
}

/* ---- Messages ------------------------------------------------------------ */

/* A sink that cannot tell, or that the configuration has no more, makes it a
 * no: better twice than never. One that cannot be asked now is asked again. */
static pr_status has_happened(const struct session *session,
                              const struct state_row *row,
                              const struct state_delivery *delivery)
{
    struct silence *silence = silence_of(session->run, delivery->sink);
    if (silence != NULL) {
        silence->waiting++;
        return silence->status;
    }
    pr_status status = look_for(session, delivery);
    if (status == PR_DOUBT || status == PR_UNSUPPORTED) {
        pr_log(&session->log, PR_LOG_WARNING,
               "message %u was on its way to %s when postrider last ended; "
               "whether it arrived cannot be told, so it is delivered (again)",
               row->uid, delivery->sink);
        return PR_GONE;
    }
    if (status != PR_OK && status != PR_GONE) {
        pr_log(&session->log, PR_LOG_ERROR,
               "message %u was on its way to %s when postrider last ended; "
               "it waits, because that cannot be asked whether it arrived: %s",
               row->uid, delivery->sink, pr_last_failure()->text);
        remember_silence(session->run, delivery->sink, status);
    }
    return status;
}

static void note_recovered(struct session *session,
                           struct state_changes *changes,
                           const struct state_row *row,
                           const struct state_delivery *delivery)
{
    struct state_event event = {
        .time = time(NULL),
        .account = session->account->name,
        .folder = session->folder,
        .uid = row->uid,
        .action = "deliver",
        .target = delivery->sink,
        .outcome = "done",
        .reason = "found delivered after a crash",
    };
    state_history(changes, &event);
}

static pr_status recover_one(struct session *session,
                             struct state_changes *changes,
                             struct state_row *row)
{
    struct state_delivery *deliveries;
    size_t count;
    pr_status status =
        state_deliveries(session->engine->state, session->record.id, row->uid,
                         session->arena, &deliveries, &count);
    if (status != PR_OK) {
        return status;
    }
    size_t done = 0;
    row->due = 0; /* what an earlier run could not ask is asked again */
    for (size_t i = 0; i < count; i++) {
        status = deliveries[i].is_done
                     ? PR_OK
                     : has_happened(session, row, &deliveries[i]);
        if (status == PR_OK && !deliveries[i].is_done) {
            state_delivered(changes, session->record.id, row,
                            deliveries[i].sink, deliveries[i].folder);
            note_recovered(session, changes, row, &deliveries[i]);
        } else if (status != PR_OK && status != PR_GONE) {
            row->due = INT64_MAX; /* not in this run */
            session->run->report.put_off++;
        }
        done += status == PR_OK;
    }
    if (count > 0 && done == count) {
        row->stage = is_owing(&row->debt) ? STAGE_OWED : STAGE_SETTLED;
        state_safe(changes, session->record.id, row);
    }
    return PR_OK;
}

pr_status recover_intents(struct session *session, struct state_row *rows,
                          size_t count)
{
    struct state_changes *changes = NULL;
    for (size_t i = 0; i < count; i++) {
        if (rows[i].stage != STAGE_INTENT) {
            continue;
        }
        pr_status status = PR_OK;
        if (changes == NULL) {
            status = state_begin(session->engine->state, &changes);
        }
        if (status == PR_OK) {
            status = recover_one(session, changes, &rows[i]);
        }
        if (status != PR_OK) {
            state_drop(changes);
            return status;
        }
    }
    tell_of_silences(session);
    return changes == NULL ? PR_OK : state_commit(changes);
}
