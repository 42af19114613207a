/*
 * Which sweeps are due, and what came of them.
 *
 * A sweep that fails does not hold up the account's mail, and runs again at its
 * time.
 */
#include "engine/sweeps.h"

#include <string.h>
#include <time.h>

#include "plugin/registry.h"
#include "state/sweeps.h"

struct pr_source source_to_look_at(const struct account *account,
                                   const struct pr_log *log)
{
    return (struct pr_source){.class = account->source,
                              .options = account->source_options,
                              .log = log,
                              .account = account->name,
                              .read_only = true};
}

bool source_has_labels(const struct pr_source *source)
{
    const struct pr_source_ops *ops = source->class->source;
    return REGISTRY_COVERS(ops, has_labels) && ops->has_labels != NULL &&
           ops->has_labels(source);
}

/* ---- When ---------------------------------------------------------------- */

static const struct state_sweep *find_record(const struct state_sweep *records,
                                             size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(records[i].name, name) == 0) {
            return &records[i];
        }
    }
    return NULL;
}

/* In ms; 0: now. A clock that was set back does not keep it waiting. */
static uint64_t time_left(const struct sweep *sweep,
                          const struct state_sweep *record)
{
    int64_t now = time(NULL);
    if (record == NULL || record->last > now) {
        return 0;
    }
    uint64_t gone = (uint64_t)(now - record->last) * 1000;
    return gone < sweep->every ? sweep->every - gone : 0;
}

static bool has_any(const struct config *config, const struct account *account)
{
    for (size_t i = 0; i < config->sweep_count; i++) {
        if (sweep_takes(config_sweep(config, i), account)) {
            return true;
        }
    }
    return false;
}

pr_time sweeps_due(const struct config *config, struct state *state,
                   const struct account *account)
{
    struct state_sweep *records = NULL;
    size_t count = 0;
    pr_time due = PR_NEVER;
    struct pr_arena *arena = has_any(config, account) ? pr_arena_new() : NULL;
    if (arena == NULL ||
        state_sweeps(state, account->name, arena, &records, &count) != PR_OK) {
        pr_arena_free(arena);
        return PR_NEVER;
    }
    for (size_t i = 0; i < config->sweep_count; i++) {
        const struct sweep *sweep = config_sweep(config, i);
        if (!sweep_takes(sweep, account)) {
            continue;
        }
        pr_time then =
            pr_in(time_left(sweep, find_record(records, count, sweep->name)));
        due = then < due ? then : due;
    }
    pr_arena_free(arena);
    return due;
}

/* ---- One folder ---------------------------------------------------------- */

static bool is_fetched(const struct account_run *run, const char *folder)
{
    return pr_folder_matches(run->account->folders, folder, '/') &&
           !account_is_for_events(run, folder);
}

static pr_status open_folder(struct visit *visit)
{
    struct session *session = &visit->session;
    pr_status status = visit_note(
        visit, session->account->source->source->select(
                   session->source, session->folder, &session->mailbox));
    if (status == PR_OK) {
        status = state_folder(session->engine->state, session->account->name,
                              session->folder, &session->record);
    }
    if (status == PR_OK && visit->is_fetched &&
        session->record.uidvalidity != 0 &&
        session->record.uidvalidity != session->mailbox.uidvalidity) {
        return pr_fail(PR_LATER, "the folder was numbered anew just now");
    }
    if (status != PR_OK) {
        return status;
    }
    visit->box.exists = session->mailbox.exists;
    visit->box.read_only =
        session->account->read_only ||
        (session->mailbox.read_only && !session->engine->dry_run);
    return PR_OK;
}

static pr_status decide_and_act(struct visit *visit)
{
    struct session *session = &visit->session;
    pr_status status = open_folder(visit);
    if (status == PR_OK && !session->engine->dry_run &&
        !session->account->read_only) {
        status = visit_pay(visit);
    }
    if (status == PR_OK) {
        session->line->thinks = true;
        status = sweep_run(session->engine->config, visit->sweep, &visit->box);
        session->line->thinks = false;
    }
    visit_end_readers(visit);
    return status == PR_OK ? visit_carry_out(visit) : status;
}

/* What a folder's visit came to, for the sweep as a whole. */
struct outcome {
    uint64_t messages;
    pr_status status;
    char words[PR_FAILURE_MAX];
};

static void note_outcome(struct outcome *outcome, const struct visit *visit,
                         pr_status status)
{
    outcome->messages += visit->messages;
    if (outcome->status != PR_OK) {
        return;
    }
    outcome->status = status != PR_OK ? status : visit->result;
    if (outcome->status != PR_OK) {
        memcpy(outcome->words,
               status != PR_OK ? pr_last_failure()->text : visit->words,
               sizeof(outcome->words));
    }
}

/* A failure is the line's. */
static pr_status sweep_folder(struct account_run *run, struct line *line,
                              const struct sweep *sweep, const char *folder,
                              struct outcome *outcome)
{
    struct visit visit = {
        .box = {.account = run->name,
                .folder = folder,
                .has_labels = source_has_labels(&line->source),
                .ops = &visit_ops},
        .session = {.run = run,
                    .line = line,
                    .engine = run->engine,
                    .account = run->account,
                    .source = &line->source,
                    .folder = folder,
                    .has_uids = true,
                    .log = {run->log, folder},
                    .arena = pr_arena_new()},
        .sweep = sweep,
        .turns = {.free = 1},
        .is_fetched = is_fetched(run, folder),
    };
    if (visit.session.arena == NULL) {
        return PR_NOMEM;
    }
    visit.arena = visit.box.plan.arena = visit.session.arena;
    pr_status status = decide_and_act(&visit);
    if (status != PR_OK && status != PR_CANCELLED) {
        struct pr_failure failure = *pr_last_failure();
        pr_log(&visit.session.log, PR_LOG_ERROR, "sweep \"%s\": %s",
               sweep->name, failure.text);
        status = pr_fail(status, "%s", failure.text);
    }
    note_outcome(outcome, &visit, status);
    bool is_broken = visit.broken.status != PR_OK;
    if (is_broken) {
        status = pr_fail(visit.broken.status, "%s", visit.broken.text);
    }
    pr_arena_free(visit.session.arena);
    return is_broken || status == PR_CANCELLED || status == PR_NOMEM ? status
                                                                     : PR_OK;
}

/* ---- One sweep ----------------------------------------------------------- */

struct folders {
    struct pr_arena *arena;
    const char **names;
    size_t count, allocated;
    struct line *line;
};

static pr_status note_folder(void *user, const char *name)
{
    struct folders *folders = user;
    const char **names =
        pr_arena_grow(folders->arena, folders->names, folders->count,
                      &folders->allocated, sizeof(*names));
    if (names == NULL) {
        return PR_NOMEM;
    }
    folders->names = names;
    names[folders->count] = pr_arena_text(folders->arena, name);
    folders->line->steps++;
    return names[folders->count++] != NULL ? PR_OK : PR_NOMEM;
}

/* Words that say what went wrong, also of a message's line. */
static pr_status note_ran(struct account_run *run, const struct sweep *sweep,
                          const struct state_sweep *before,
                          const struct outcome *outcome)
{
    struct state_changes *changes;
    struct state_sweep record = {
        .name = sweep->name, .last = time(NULL), .messages = outcome->messages};
    if (run->engine->dry_run) {
        return PR_OK;
    }
    if (outcome->status != PR_OK) {
        record.reason = outcome->words;
        record.since =
            before != NULL && before->since != 0 ? before->since : record.last;
    }
    pr_status status = state_begin(run->engine->state, &changes);
    if (status != PR_OK) {
        return status;
    }
    state_sweep_ran(changes, run->name, &record);
    return state_commit(changes);
}

static void report_failure(struct account_run *run, const struct sweep *sweep,
                           const struct outcome *outcome)
{
    const struct sweep_report report = {
        .account = run->name,
        .folder = sweep->folders[0],
        .sweep = sweep->name,
        .file = sweep->file,
        .line = sweep->line,
        .action = "",
        .uids = "",
        .status = "failed",
        .error = outcome->words,
    };
    if (run->engine->observer.sweep != NULL) {
        run->engine->observer.sweep(run->engine->observer.user, &report);
    }
    account_note_failure(run, pr_fail(outcome->status, "sweep \"%s\": %s",
                                      sweep->name, outcome->words));
}

static pr_status run_sweep(struct account_run *run, struct line *line,
                           const struct sweep *sweep,
                           const struct state_sweep *before)
{
    struct folders folders = {.arena = pr_arena_new(), .line = line};
    struct outcome outcome = {.status = PR_OK};
    if (folders.arena == NULL) {
        return PR_NOMEM;
    }
    pr_status status = line->source.class->source->folders(
        &line->source, sweep->folders, note_folder, &folders);
    for (size_t i = 0; status == PR_OK && i < folders.count; i++) {
        if (account_is_stopping(run)) {
            status = pr_fail(PR_CANCELLED, "asked to stop");
            break;
        }
        status = sweep_folder(run, line, sweep, folders.names[i], &outcome);
    }
    struct pr_failure failure = *pr_last_failure();
    if (outcome.status != PR_OK && outcome.status != PR_CANCELLED) {
        report_failure(run, sweep, &outcome);
    }
    /* What was broken off runs again as soon as the line stands. */
    pr_status noted =
        status == PR_OK ? note_ran(run, sweep, before, &outcome) : PR_OK;
    pr_arena_free(folders.arena);
    return status == PR_OK ? noted : pr_fail(status, "%s", failure.text);
}

/* ---- All of an account --------------------------------------------------- */

/* Other lines may have messages in hand that a sweep would move. */
static pr_status wait_for_others(struct account_run *run, struct line *line)
{
    while (run->running > 1) {
        pr_status status = pr_event_wait(&run->moves, pr_in(1000));
        if (status != PR_OK && status != PR_TIMEOUT) {
            return status;
        }
        line->steps++;
    }
    return PR_OK;
}

pr_status sweeps_work(struct account_run *run, struct line *line)
{
    const struct config *config = run->engine->config;
    struct state_sweep *records = NULL;
    size_t count = 0;
    if (!has_any(config, run->account) || account_is_stopping(run)) {
        return PR_OK;
    }
    pr_status status = state_sweeps(run->engine->state, run->name, run->arena,
                                    &records, &count);
    bool waited = false;
    for (size_t i = 0; status == PR_OK && i < config->sweep_count; i++) {
        const struct sweep *sweep = config_sweep(config, i);
        const struct state_sweep *before =
            find_record(records, count, sweep->name);
        if (!sweep_takes(sweep, run->account) ||
            (!run->sweeps_now && time_left(sweep, before) > 0)) {
            continue;
        }
        if (!waited) {
            status = wait_for_others(run, line);
            waited = true;
        }
        if (status == PR_OK) {
            status = run_sweep(run, line, sweep, before);
        }
    }
    return status;
}
