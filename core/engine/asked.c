/*
 * What is asked of the daemon from outside: polls, pauses, what happened to the
 * machine, and how the accounts do.
 */
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "engine/keeper.h"

/* ---- Asked for from outside ---------------------------------------------- */

static pr_status check_names(const struct daemon *daemon,
                             const char *const *accounts)
{
    for (; accounts != NULL && *accounts != NULL; accounts++) {
        if (daemon_keeper(daemon, *accounts) != NULL) {
            continue;
        }
        const struct config *config = daemon_config(daemon);
        if (config == NULL) {
            return pr_fail(PR_CONFIG, "there is no configuration yet");
        }
        return config_account(config, *accounts) == NULL
                   ? no_such_account(config, *accounts)
                   : pr_fail(PR_CONFIG,
                             "account \"%s\" reads standard input: use "
                             "postrider deliver",
                             *accounts);
    }
    return PR_OK;
}

static bool is_named(const char *const *accounts, const struct keeper *keeper)
{
    for (; *accounts != NULL; accounts++) {
        if (strcmp(*accounts, keeper->name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_all(const char *const *accounts)
{
    return accounts == NULL || *accounts == NULL;
}

static pr_status ask(struct keeper *keeper, struct poll *poll, unsigned mode,
                     const struct undo_order *undo)
{
    struct ticket *ticket = memory_alloc(sizeof(*ticket));
    if (ticket == NULL) {
        return pr_fail(PR_NOMEM, "out of memory");
    }
    *ticket = (struct ticket){
        .next = keeper->tickets, .poll = poll, .is_undo = undo != NULL};
    if (undo != NULL) {
        ticket->undo = *undo;
    }
    keeper->tickets = ticket;
    keeper->is_asked = true;
    keeper->asks_retry |= (mode & ENGINE_RETRY) != 0;
    keeper->asks_sweep |= (mode & ENGINE_SWEEP) != 0;
    keeper->claimant.is_urgent = true;
    poll->left++;
    return PR_OK;
}

static void leave(struct ticket *ticket, const struct poll *poll)
{
    for (; ticket != NULL; ticket = ticket->next) {
        if (ticket->poll == poll) {
            ticket->poll = NULL;
        }
    }
}

/* Whoever waited has gone; the polls go on. */
static void leave_all(struct daemon *daemon, const struct poll *poll)
{
    for (size_t i = 0; i < daemon->keeper_count; i++) {
        leave(daemon->keepers[i]->tickets, poll);
        leave(daemon->keepers[i]->served, poll);
    }
    for (size_t i = 0; i < daemon->leaving_count; i++) {
        leave(daemon->leaving[i]->tickets, poll);
        leave(daemon->leaving[i]->served, poll);
    }
}

static pr_status ask_all(struct daemon *daemon, const char *const *accounts,
                         unsigned mode, const struct undo_order *undo,
                         const struct engine_observer *observer)
{
    struct poll poll = {.observer = observer};
    pr_status status = check_names(daemon, accounts);
    if (status == PR_OK && daemon->is_stopping) {
        status = pr_fail(PR_CANCELLED, "the daemon stops");
    }
    for (size_t i = 0; status == PR_OK && i < daemon->keeper_count; i++) {
        struct keeper *keeper = daemon->keepers[i];
        bool is_left_out = is_all(accounts) && keeper->is_paused;
        bool is_meant = is_all(accounts) || is_named(accounts, keeper);
        if (is_left_out && observer != NULL && observer->paused != NULL) {
            observer->paused(observer->user, keeper->name);
        } else if (is_meant && !is_left_out) {
            status = ask(keeper, &poll, mode, undo);
        }
    }
    daemon_wake(daemon);
    while (status == PR_OK && poll.left > 0) {
        status = pr_event_wait(&poll.done, PR_NEVER);
    }
    leave_all(daemon, &poll);
    return status;
}

pr_status daemon_poll(struct daemon *daemon, const char *const *accounts,
                      unsigned mode, const struct engine_observer *observer)
{
    return ask_all(daemon, accounts, mode, NULL, observer);
}

pr_status daemon_undo(struct daemon *daemon, const char *const *accounts,
                      const struct undo_order *order,
                      const struct engine_observer *observer)
{
    return ask_all(daemon, accounts, 0, order, observer);
}

static pr_status set_paused(struct daemon *daemon, const char *const *accounts,
                            bool is_paused)
{
    pr_status status = check_names(daemon, accounts);
    for (size_t i = 0; status == PR_OK && i < daemon->keeper_count; i++) {
        struct keeper *keeper = daemon->keepers[i];
        bool is_meant = is_all(accounts) || is_named(accounts, keeper);
        if (!is_meant || keeper->is_paused == is_paused) {
            continue;
        }
        keeper->is_paused = is_paused;
        keeper->wants_turn = true;
        keeper->due = is_paused ? PR_NEVER : 0;
        if (is_paused && keeper->run != NULL) {
            keeper_stop(keeper);
        }
    }
    daemon_wake(daemon);
    return status;
}

pr_status daemon_pause(struct daemon *daemon, const char *const *accounts)
{
    return set_paused(daemon, accounts, true);
}

pr_status daemon_resume(struct daemon *daemon, const char *const *accounts)
{
    return set_paused(daemon, accounts, false);
}

void daemon_tell(struct daemon *daemon, enum daemon_news news, uint64_t slept)
{
    if (news != DAEMON_NETWORK_CHANGED) {
        daemon->network_up = pr_now();
    }
    for (size_t i = 0; i < daemon->keeper_count; i++) {
        keeper_tell(daemon->keepers[i], news, slept);
    }
}

/* ---- How they do --------------------------------------------------------- */

size_t daemon_account_count(const struct daemon *daemon)
{
    return daemon->keeper_count;
}

static void count_lines(const struct keeper *keeper,
                        struct account_status *status)
{
    for (size_t i = 0; i < keeper->line_count; i++) {
        const struct line *line = keeper->lines[i];
        if (line == NULL) {
            continue;
        }
        status->connections += line->is_open;
        if (line->session != NULL) {
            status->folder = line->session->folder;
        }
    }
    for (size_t i = 0; i < keeper->spot_count; i++) {
        status->watched += keeper->spots[i].line != NULL;
    }
}

static enum account_state state_of(const struct keeper *keeper)
{
    bool waits = keeper->claimant.waiting > 0 && keeper->claimant.at_work == 0;
    return keeper->state == ACCOUNT_FETCHING && waits ? ACCOUNT_QUEUED
                                                      : keeper->state;
}

struct account_status daemon_account(const struct daemon *daemon, size_t index)
{
    const struct keeper *keeper = daemon->keepers[index];
    pr_time now = pr_now();
    struct account_status status = {
        .account = keeper->name,
        .state = state_of(keeper),
        .since = keeper->since,
        .last_poll = keeper->last_poll,
        .trouble =
            keeper->trouble != TROUBLE_NONE ? keeper->trouble_status : PR_OK,
        .trouble_text = keeper->trouble_text,
        .trouble_since = keeper->trouble_since,
        .failures = keeper->failures,
        .folders = keeper->spot_count,
        .shortage = keeper->shortage,
    };
    if (keeper->due != PR_NEVER && !keeper->is_paused) {
        uint64_t left = keeper->due > now ? keeper->due - now : 0;
        status.next_poll = time(NULL) + (int64_t)(left / 1000);
    }
    count_lines(keeper, &status);
    return status;
}

size_t daemon_account_waiting(const struct daemon *daemon, size_t index)
{
    const struct keeper *keeper = daemon->keepers[index];
    size_t count = 0;
    for (size_t i = 0; i < keeper->line_count; i++) {
        const struct line *line = keeper->lines[i];
        const struct session *session = line != NULL ? line->session : NULL;
        /* The ledger's entries are the slice's. */
        if (session != NULL && session->slice != NULL) {
            count += ledger_waiting(&session->ledger);
        }
    }
    return count;
}

/* ---- Decisions ----------------------------------------------------------- */

static bool has_in_hand(const struct session *session,
                        const struct state_place *place)
{
    return strcmp(place->account, session->account->name) == 0 &&
           strcmp(place->folder, session->folder) == 0 &&
           session_has_in_hand(session, place->uid);
}

static bool keeper_has_in_hand(const struct keeper *keeper,
                               const struct state_place *place)
{
    for (size_t i = 0; i < keeper->line_count; i++) {
        const struct line *line = keeper->lines[i];
        if (line != NULL && line->session != NULL &&
            has_in_hand(line->session, place)) {
            return true;
        }
    }
    return false;
}

static bool is_in_hand(const struct daemon *daemon,
                       const struct state_place *place)
{
    for (size_t i = 0; i < daemon->keeper_count; i++) {
        if (keeper_has_in_hand(daemon->keepers[i], place)) {
            return true;
        }
    }
    for (size_t i = 0; i < daemon->leaving_count; i++) {
        if (keeper_has_in_hand(daemon->leaving[i], place)) {
            return true;
        }
    }
    return false;
}

/* What is no name is in nobody's hand. */
static pr_status check_in_hand(const struct daemon *daemon, const char *id,
                               struct pr_arena *arena)
{
    struct state_place place;
    pr_status status = state_place_parse(id, arena, &place);
    if (status == PR_OK && is_in_hand(daemon, &place)) {
        return pr_fail(PR_BUSY,
                       "%s is being fetched just now; try again when that is "
                       "over",
                       id);
    }
    return status == PR_GONE ? PR_OK : status;
}

pr_status daemon_drop(struct daemon *daemon, const char *id)
{
    struct pr_arena *arena = pr_arena_new();
    pr_status status =
        arena == NULL ? PR_NOMEM : check_in_hand(daemon, id, arena);
    if (status == PR_OK) {
        status = state_aside_drop(daemon->state, id, arena);
    }
    pr_arena_free(arena);
    return status;
}

struct pr_event *daemon_changes(struct daemon *daemon)
{
    return &daemon->changes;
}
