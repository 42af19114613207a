/*
 * An account of the daemon: its turns, and what it waits for between them.
 *
 * A turn is a pass over the folders that are due, or takes up the news of those
 * that are watched. It always runs with the newest configuration; connections
 * live on when what they were made with did not change.
 */
#include "engine/keeper.h"

#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "engine/sweeps.h"
#include "engine/watching.h"

/* After the last turn, memory that nobody uses is given back. */
#define QUIET_MS 5000u

/* ---- Its life ------------------------------------------------------------ */

pr_status keeper_new(struct daemon *daemon, const char *name,
                     struct keeper **ret)
{
    struct keeper *keeper = memory_zeroed(1, sizeof(*keeper));
    char *copy = memory_text(name);
    if (keeper == NULL || copy == NULL) {
        memory_free(keeper);
        memory_free(copy);
        return pr_fail(PR_NOMEM, "out of memory");
    }
    keeper->daemon = daemon;
    keeper->name = copy;
    keeper->log = (struct pr_log){NULL, copy};
    keeper->since = time(NULL);
    keeper->wanted_news = PR_NEWS_MESSAGES | PR_NEWS_FOLDER;
    *ret = keeper;
    return PR_OK;
}

void keeper_free(struct keeper *keeper)
{
    if (keeper == NULL) {
        return;
    }
    for (size_t i = 0; i < keeper->line_count; i++) {
        memory_free(keeper->lines[i]);
    }
    memory_free(keeper->lines);
    spots_free(keeper);
    engine_release(keeper->engine);
    state_unlock_account(keeper->lock);
    memory_free(keeper->trouble_text);
    memory_free(keeper->shortage);
    memory_free(keeper->name);
    memory_free(keeper);
}

void keeper_set_state(struct keeper *keeper, enum account_state state)
{
    if (keeper->state != state) {
        keeper->state = state;
        keeper->since = time(NULL);
    }
    pr_event_wake_all(&keeper->daemon->changes);
}

static bool is_ending(const struct keeper *keeper)
{
    return keeper->is_removed || keeper->daemon->is_stopping;
}

bool keeper_wants_turn(const struct keeper *keeper, pr_time now)
{
    if (keeper->is_turning || keeper->is_gone) {
        return false;
    }
    if (is_ending(keeper)) {
        return keeper->buried == 0;
    }
    return keeper->is_asked || keeper->wants_turn || keeper->drops ||
           keeper->has_changed || (!keeper->is_paused && keeper->due <= now);
}

/* ---- Polls that somebody waits for --------------------------------------- */

static void serve_tickets(struct keeper *keeper,
                          const struct account_report *report)
{
    while (keeper->served != NULL) {
        struct ticket *ticket = keeper->served;
        struct poll *poll = ticket->poll;
        keeper->served = ticket->next;
        memory_free(ticket);
        if (poll == NULL) {
            continue;
        }
        if (poll->observer != NULL && poll->observer->account != NULL) {
            poll->observer->account(poll->observer->user, report);
        }
        poll->left--;
        pr_event_wake_all(&poll->done);
    }
}

static void tell_report(struct keeper *keeper,
                        const struct account_report *report)
{
    const struct engine_observer *observer = &keeper->daemon->observer;
    if (observer->account != NULL) {
        observer->account(observer->user, report);
    }
    serve_tickets(keeper, report);
}

/* ---- A turn -------------------------------------------------------------- */

static void folder_done(struct account_run *run, struct line *line,
                        const char *folder, pr_status status, uint64_t messages)
{
    struct keeper *keeper = run->owner;
    struct spot *spot = keeper_spot(keeper, folder);
    bool is_cut =
        status == PR_CANCELLED || backoff_kind(status) == TROUBLE_NETWORK;
    if (spot == NULL) {
        return;
    }
    spot->news = is_cut ? PR_NEWS_MESSAGES : 0;
    if (!is_cut) {
        spots_note(keeper, spot, line, messages);
    }
}

static void tell_undone(void *user, const struct undo_report *report)
{
    const struct ticket *ticket = user;
    const struct engine_observer *observer =
        ticket->poll != NULL ? ticket->poll->observer : NULL;
    if (observer != NULL && observer->undone != NULL) {
        observer->undone(observer->user, report);
    }
}

/* Before the pass, which then finds all as the undo left it. */
static pr_status undo_asked(struct account_run *run, struct line *line)
{
    struct keeper *keeper = run->owner;
    pr_status status = PR_OK;
    for (struct ticket *ticket = keeper->served;
         status == PR_OK && ticket != NULL; ticket = ticket->next) {
        if (!ticket->is_undo) {
            continue;
        }
        const struct engine_observer observer = {.user = ticket,
                                                 .undone = tell_undone};
        status = undo_run(run, line, &ticket->undo, &observer);
        ticket->is_undo = status != PR_OK;
    }
    return status;
}

static void end(struct keeper *keeper)
{
    pr_status ignored = watching_recall(keeper, true);
    (void)ignored;
    keeper_close_lines(keeper);
    if (keeper->is_removed && keeper->account != NULL) {
        (void)keeper_drop_secrets(keeper->account);
    }
    state_unlock_account(keeper->lock);
    keeper->lock = NULL;
    struct account_report report = {
        .account = keeper->name,
        .status = PR_CANCELLED,
        .error = keeper->is_removed ? "the account is no longer configured"
                                    : "the daemon stops"};
    while (keeper->tickets != NULL || keeper->served != NULL) {
        keeper->served =
            keeper->served != NULL ? keeper->served : keeper->tickets;
        keeper->tickets = NULL;
        serve_tickets(keeper, &report);
    }
    keeper->is_gone = true;
}

static pr_status pass_once(struct keeper *keeper, struct account_run *run)
{
    pr_status status = account_pass(run);
    watching_forget_closed(keeper);
    run->folder_count = run->folder_next = 0;
    return status;
}

/* As if the one before had not been. */
static pr_status pass_again(struct keeper *keeper, struct account_run *run,
                            const char *why)
{
    pr_log(&keeper->log, PR_LOG_DEBUG, "%s: %s", why, pr_last_failure()->text);
    run->status = run->report.status = PR_OK;
    run->report.error = NULL;
    return pass_once(keeper, run);
}

/* A connection that was left open may be dead without our knowing, and a secret
 * that was kept be out of date: that is no trouble yet. */
static pr_status pass(struct keeper *keeper, struct account_run *run)
{
    bool was_open = watching_first_open(keeper) != NULL;
    pr_status status = pass_once(keeper, run);
    if (was_open && backoff_kind(status) == TROUBLE_NETWORK &&
        !account_is_stopping(run) && !keeper->drops) {
        status = pass_again(keeper, run, "connecting anew");
    }
    if (status == PR_AUTH && keeper->refusals == 0 &&
        !account_is_stopping(run) && keeper_drop_secrets(keeper->account)) {
        status = pass_again(keeper, run, "asking for the secret anew");
    }
    return status;
}

static pr_status work(struct keeper *keeper, struct account_run *run,
                      bool is_pass)
{
    pr_status status = PR_OK;
    if (keeper->lock == NULL) {
        status = account_lock(run, &keeper->lock);
    }
    if (status == PR_OK) {
        status = account_begin(run);
    }
    if (status == PR_OK && is_pass) {
        status = pass(keeper, run);
    }
    if (status == PR_OK && is_pass) {
        watching_assign(keeper);
    }
    return status == PR_OK ? watching_work(keeper, run) : status;
}

static bool is_watching(const struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->line_count; i++) {
        if (keeper->lines[i] != NULL && keeper->lines[i]->is_watching) {
            return true;
        }
    }
    return false;
}

/* What is cut off, by us or because the machine slept, tells nothing of the
 * account: how it would have ended nobody knows. */
static bool is_trouble(const struct keeper *keeper, pr_status status)
{
    enum trouble kind = backoff_kind(status);
    return kind != TROUBLE_NONE && !(kind == TROUBLE_NETWORK && keeper->drops);
}

/* What the account waits for from now on. */
static void settle_down(struct keeper *keeper, struct account_run *run,
                        pr_status status, bool is_pass)
{
    if (status == PR_OK && is_pass) {
        keeper_note_health(keeper);
    }
    if (is_trouble(keeper, status)) {
        keeper_note_trouble(keeper, status);
    } else if (run->arena != NULL && keeper->trouble == TROUBLE_NONE) {
        pr_time swept = sweeps_due(keeper->engine->config,
                                   keeper->daemon->state, keeper->account);
        keeper->due = spots_due(keeper, run->arena);
        keeper->due = swept < keeper->due ? swept : keeper->due;
    }
    if (is_ending(keeper) || keeper->is_paused || keeper->drops) {
        return;
    }
    watching_start(keeper);
    keeper_set_state(keeper, keeper->trouble != TROUBLE_NONE ? ACCOUNT_TROUBLED
                             : is_watching(keeper)           ? ACCOUNT_WATCHING
                                                             : ACCOUNT_WAITING);
}

/* A daemon has no end of a run: for limit_deletions it is an hour. */
#define DELETIONS_MS ((uint64_t)60 * 60 * 1000)

static uint64_t deleted_lately(struct keeper *keeper)
{
    if (keeper->deleted_since == 0 ||
        pr_now() - keeper->deleted_since >= DELETIONS_MS) {
        keeper->deleted = 0;
        keeper->deleted_since = pr_now();
    }
    return keeper->deleted;
}

/* Told once until it is over: each pass tries for more. */
static void note_shortage(struct keeper *keeper, const struct account_run *run,
                          bool is_pass)
{
    if (run->shortage != NULL || is_pass) {
        memory_free(keeper->shortage);
        keeper->shortage =
            run->shortage != NULL ? memory_text(run->shortage) : NULL;
    }
}

/* `lost`: why a line that watched is no more; PR_OK: none is lost. */
static void run_turn(struct keeper *keeper, bool is_pass, pr_status lost)
{
    pr_time start = pr_now();
    struct account_run run = {
        .engine = keeper->engine,
        .account = keeper->account,
        .name = keeper->name,
        .log = &keeper->log,
        .claimant = &keeper->claimant,
        .lines = keeper->lines,
        .line_count = keeper->line_count,
        .keeps_lines = true,
        .short_level = keeper->shortage == NULL ? PR_LOG_INFO : PR_LOG_DEBUG,
        .retries_now = keeper->asks_retry,
        .sweeps_now = keeper->asks_sweep,
        .owner = keeper,
        .choose = spots_choose,
        .next_folder = watching_next,
        .before = undo_asked,
        .is_for_events = spots_are_for_events,
        .folder_done = folder_done,
        .deleted = deleted_lately(keeper),
        .report = {.account = keeper->name},
    };
    keeper->run = &run;
    keeper->claimant.is_urgent = keeper->served != NULL;
    keeper->asks_retry = keeper->asks_sweep = false;
    keeper_set_state(keeper, ACCOUNT_FETCHING);
    pr_status status = work(keeper, &run, is_pass);
    if (is_trouble(keeper, status)) {
        keeper_note_words(keeper, status);
    }
    account_note_failure(&run, status);
    keeper->deleted = run.deleted;
    run.report.ms = pr_now() - start;
    if (is_pass) {
        keeper->last_poll = time(NULL);
    }
    note_shortage(keeper, &run, is_pass);
    settle_down(keeper, &run, status != PR_OK ? status : lost, is_pass);
    account_end(&run);
    keeper->run = NULL;
    if (is_pass || run.report.messages > 0 || run.report.status != PR_OK) {
        tell_report(keeper, &run.report);
    }
    if (!is_pass) {
        watching_calm(keeper, run.report.messages);
    }
}

static void pause_all(struct keeper *keeper)
{
    keeper_close_lines(keeper);
    keeper->due = PR_NEVER;
    keeper_set_state(keeper, ACCOUNT_PAUSED);
}

/* May lines whose folders are not due watch on while others are looked at? Not
 * where the folders are listed, or the configuration changes. */
static bool can_be_partial(const struct keeper *keeper, bool is_asked)
{
    return !is_asked && !keeper->is_paused && !keeper->has_changed &&
           keeper->engine == keeper->daemon->engine && keeper->spot_count > 0 &&
           keeper->list_due > pr_now();
}

static pr_status recall(struct keeper *keeper, bool is_pass)
{
    return keeper->is_partial
               ? watching_recall_due(keeper)
               : watching_recall(keeper, is_pass || keeper->is_paused);
}

/* What came while the machine slept, nobody told. */
static void drop_lines(struct keeper *keeper)
{
    keeper->drops = false;
    watching_give_up(keeper);
    for (size_t i = 0; i < keeper->spot_count; i++) {
        keeper->spots[i].next = 0;
    }
}

static void turn(struct keeper *keeper)
{
    bool is_asked = keeper->is_asked;
    bool is_due = keeper->due <= pr_now() && !keeper->is_paused;
    bool drops = keeper->drops;
    bool is_pass = is_asked || is_due || keeper->has_changed ||
                   (drops && !keeper_waits_its_time(keeper));
    keeper->wants_turn = keeper->is_asked = false;
    if (drops) {
        drop_lines(keeper);
    }
    if (is_ending(keeper)) {
        end(keeper);
        return;
    }
    if (drops && !is_pass && !keeper->is_paused) {
        keeper_set_state(keeper, ACCOUNT_TROUBLED);
        return;
    }
    bool could_watch = !keeper->cannot_watch;
    keeper->is_partial = is_pass && can_be_partial(keeper, is_asked);
    pr_status lost = recall(keeper, is_pass);
    if (could_watch && keeper->cannot_watch &&
        (!is_pass || keeper->is_partial)) {
        lost = watching_recall(keeper, true);
        is_pass = true;
        keeper->is_partial = false;
    }
    if (keeper->is_paused && !is_asked) {
        pause_all(keeper);
        return;
    }
    if (is_ending(keeper)) {
        end(keeper);
        return;
    }
    if (is_pass) {
        keeper->served = keeper->tickets;
        keeper->tickets = NULL;
    }
    pr_status status = is_pass ? keeper_adopt(keeper) : PR_OK;
    if (status != PR_OK) {
        keeper_note_words(keeper, status);
        keeper_note_trouble(keeper, status);
        return;
    }
    run_turn(keeper, is_pass, is_pass ? PR_OK : lost);
    if (keeper->is_paused) {
        (void)!watching_recall(keeper, true);
        pause_all(keeper);
    }
}

pr_status keeper_turn(void *argument)
{
    struct keeper *keeper = argument;
    turn(keeper);
    keeper->is_turning = false;
    keeper->daemon->trim_due = pr_in(QUIET_MS);
    daemon_wake(keeper->daemon);
    return PR_OK;
}

/* ---- From outside -------------------------------------------------------- */

/* Nothing that came in would be lost with it, and nothing that the server is
 * doing, such as copies, would be asked for a second time. */
static bool has_nothing_in_hand(const struct line *line)
{
    const struct session *session = line->session;
    if (line->is_settling) {
        return false;
    }
    return session == NULL ||
           (session->in_house == 0 && session->batches_running == 0 &&
            session->debt_count == 0 && !session->is_paying);
}

/* Whoever waits for a server with nothing in hand need not be waited for. */
void keeper_stop(struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->line_count; i++) {
        struct line *line = keeper->lines[i];
        if (line != NULL && line->is_running && !line->is_watching &&
            has_nothing_in_hand(line)) {
            pr_scope_cancel(&line->scope);
        }
    }
    if (keeper->run != NULL) {
        keeper->run->is_stopping = true;
        pr_event_wake_all(&keeper->run->engine->house_has_room);
    }
    daemon_wake(keeper->daemon);
}

static void cut_off_all(struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->line_count; i++) {
        struct line *line = keeper->lines[i];
        if (line != NULL && line->is_running && !line->is_watching) {
            line->has_slept = true;
            line_cut_off(line);
        }
    }
}

/* Time that passes in sleep is waited for all the same. */
static pr_time after_sleep(pr_time due, uint64_t slept)
{
    return due == PR_NEVER ? PR_NEVER : due - (slept < due ? slept : due);
}

void keeper_tell(struct keeper *keeper, enum daemon_news news, uint64_t slept)
{
    bool waits_for_network =
        keeper->trouble == TROUBLE_NETWORK && !keeper->is_paused;
    if (news == DAEMON_RESUMED && !keeper->is_paused) {
        cut_off_all(keeper);
        keeper->drops = true;
        keeper->due = after_sleep(keeper->due, slept);
    } else if (news == DAEMON_NETWORK_CHANGED) {
        watching_probe(keeper);
    }
    if (waits_for_network) {
        keeper->failures = 0;
        keeper->due = 0;
    }
    daemon_wake(keeper->daemon);
}
