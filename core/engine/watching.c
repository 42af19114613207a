/*
 * A keeper's lines between its turns: watching, called back, given up.
 */
#include "engine/watching.h"

#include <string.h>

#include "base/memory.h"
#include "fiber/loop.h"
#include "plugin/registry.h"

/* So long a probe may take to be answered, in ms. */
#define PROBE_MS ((uint64_t)4 * 1000)
/* News of which nothing comes, in a row, before we take our time. */
#define EMPTY_TURNS_MOST 4u

/* ---- Watching ------------------------------------------------------------ */

/* The line's fiber runs: no turn does, or it leaves this line alone. */
static void note_news(void *user, const char *folder, unsigned what)
{
    struct line *line = user;
    struct spot *spot = keeper_spot(line->owner, folder);
    if (spot != NULL) {
        spot->news |= what;
    }
}

/* When one of its folders is to be looked at. */
static pr_time due_of(const struct keeper *keeper, const struct line *line)
{
    pr_time due = PR_NEVER;
    for (size_t i = 0; i < keeper->spot_count; i++) {
        const struct spot *spot = &keeper->spots[i];
        if (spot->line == line && spot->next < due) {
            due = spot->next;
        }
    }
    return due;
}

static pr_status watch(struct line *line)
{
    struct keeper *keeper = line->owner;
    const struct account *account = keeper->account;
    const char **names = spots_names(keeper, line);
    if (names == NULL) {
        return pr_fail(PR_NOMEM, "out of memory");
    }
    const struct pr_watch wanted = {
        .folders = names,
        .wanted = keeper->wanted_news,
        .deadline = due_of(keeper, line),
        .probe_ms = account->probe,
        .news = note_news,
        .user = line,
    };
    fiber_trim_stack();
    pr_status status =
        line->source.class->source->watch(&line->source, &wanted);
    memory_free(names);
    return status;
}

static pr_status run_watch(void *argument)
{
    struct line *line = argument;
    struct keeper *keeper = line->owner;
    pr_status status = line_verdict(line, watch(line));
    line->is_running = false;
    keeper->wants_turn = true;
    daemon_wake(keeper->daemon);
    return status;
}

/* One that has watched is called back first: what it heard is still to be taken
 * up. */
static bool may_watch(const struct keeper *keeper, const struct line *line)
{
    if (line == NULL || !line->is_open || line->is_running ||
        line->is_watching) {
        return false;
    }
    for (size_t i = 0; i < keeper->spot_count; i++) {
        if (keeper->spots[i].line == line) {
            return true;
        }
    }
    return false;
}

void watching_start(struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->line_count; i++) {
        struct line *line = keeper->lines[i];
        if (!may_watch(keeper, line)) {
            continue;
        }
        pr_scope_init(&line->scope);
        line->owner = keeper;
        line->is_running = line->is_watching = true;
        line->is_cut_off = line->is_hurried = line->has_slept = false;
        if (pr_spawn(&line->scope, keeper->name, PR_STACK_SESSION, run_watch,
                     line) != PR_OK) {
            line->is_running = line->is_watching = false;
        }
    }
}

/* ---- Called back --------------------------------------------------------- */

static void leave_folders(struct keeper *keeper, const struct line *line)
{
    for (size_t i = 0; i < keeper->spot_count; i++) {
        struct spot *spot = &keeper->spots[i];
        if (spot->line == line) {
            spot->line = NULL;
            spot->is_watched = false;
            spot_schedule(keeper, spot);
        }
        if (spot->seen_by == line) {
            spot->seen_by = NULL;
        }
    }
}

void watching_close(struct keeper *keeper, struct line *line)
{
    if (line != NULL && line->is_open) {
        leave_folders(keeper, line);
        line_close(line);
    }
}

void watching_forget_closed(struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->line_count; i++) {
        if (keeper->lines[i] != NULL && !keeper->lines[i]->is_open) {
            leave_folders(keeper, keeper->lines[i]);
        }
    }
}

/* The first failure of several is kept in *ret. */
static void join(struct keeper *keeper, struct line *line, pr_status *ret)
{
    pr_status status = pr_scope_join(&line->scope);
    line->is_watching = false;
    if (status == PR_OK || (status == PR_CANCELLED && !line->is_cut_off)) {
        return;
    }
    if (status == PR_UNSUPPORTED) {
        pr_log(&keeper->log, keeper->cannot_watch ? PR_LOG_DEBUG : PR_LOG_INFO,
               "the server does not tell of new mail, polling instead: %s",
               pr_last_failure()->text);
        keeper->cannot_watch = true;
        return;
    }
    pr_log(&keeper->log, PR_LOG_DEBUG, "a connection that watched is lost: %s",
           pr_last_failure()->text);
    if (*ret == PR_OK) {
        keeper_note_words(keeper, status);
        *ret = status;
    }
    for (size_t i = 0; i < keeper->spot_count; i++) {
        keeper->spots[i].is_lost = keeper->spots[i].line == line;
    }
    watching_close(keeper, line);
    for (size_t i = 0; i < keeper->spot_count; i++) {
        if (keeper->spots[i].is_lost) {
            keeper->spots[i].next = 0; /* what came meanwhile, nobody told */
        }
    }
}

pr_status watching_recall(struct keeper *keeper, bool all)
{
    pr_status status = PR_OK;
    for (size_t i = 0; all && i < keeper->line_count; i++) {
        struct line *line = keeper->lines[i];
        if (line != NULL && line->is_watching) {
            pr_scope_cancel(&line->scope);
        }
    }
    for (size_t i = 0; i < keeper->line_count; i++) {
        struct line *line = keeper->lines[i];
        if (line != NULL && line->is_watching && (all || !line->is_running)) {
            join(keeper, line, &status);
        }
    }
    return status;
}

/* The least important of those that watch. */
static struct line *least_important(const struct keeper *keeper)
{
    for (size_t i = keeper->spot_count; i > 0; i--) {
        struct line *line = keeper->spots[i - 1].line;
        if (line != NULL && line->is_watching) {
            return line;
        }
    }
    return NULL;
}

pr_status watching_recall_due(struct keeper *keeper)
{
    pr_time now = pr_now();
    pr_status status = PR_OK;
    for (size_t i = 0; i < keeper->spot_count; i++) {
        struct line *line = keeper->spots[i].line;
        if (line != NULL && line->is_watching && keeper->spots[i].next <= now) {
            pr_scope_cancel(&line->scope);
            join(keeper, line, &status);
        }
    }
    pr_status other = watching_recall(keeper, false);
    struct line *line =
        watching_first_open(keeper) == NULL ? least_important(keeper) : NULL;
    if (line != NULL) {
        pr_scope_cancel(&line->scope);
        join(keeper, line, &status);
    }
    return status == PR_OK ? other : status;
}

/* ---- Given up ------------------------------------------------------------ */

struct burial {
    struct keeper *keeper;
    struct line *line;
};

/* Cancelled from its beginning, so that nothing is said on a dead line. */
static pr_status bury(void *argument)
{
    struct burial *burial = argument;
    struct keeper *keeper = burial->keeper;
    struct line *line = burial->line;
    if (line->is_watching) {
        pr_scope_cancel(&line->scope);
        (void)pr_scope_join(&line->scope);
    }
    line_close(line);
    memory_free(line);
    memory_free(burial);
    keeper->buried--;
    daemon_wake(keeper->daemon);
    return PR_OK;
}

void watching_give_up(struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->line_count; i++) {
        struct line *line = keeper->lines[i];
        struct burial *burial = memory_alloc(sizeof(*burial));
        if (line == NULL || burial == NULL) {
            memory_free(burial);
            continue;
        }
        *burial = (struct burial){keeper, line};
        leave_folders(keeper, line);
        keeper->buried++;
        keeper->lines[i] = NULL;
        if (pr_spawn(&keeper->daemon->burials, keeper->name, PR_STACK_SESSION,
                     bury, burial) != PR_OK) {
            keeper->buried--;
            keeper->lines[i] = line;
            memory_free(burial);
        }
    }
}

void watching_probe(struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->line_count; i++) {
        struct line *line = keeper->lines[i];
        if (line == NULL || !line->is_running) {
            continue;
        }
        const struct pr_source_ops *ops = line->source.class->source;
        if (!line->is_watching) {
            line->is_hurried = true;
            line->seen_time = pr_now();
        } else if (REGISTRY_COVERS(ops, probe) && ops->probe != NULL) {
            ops->probe(&line->source, PROBE_MS);
        }
    }
}

/* ---- News ---------------------------------------------------------------- */

static bool has_news(const struct keeper *keeper, const struct line *line)
{
    for (size_t i = 0; i < keeper->spot_count; i++) {
        if (keeper->spots[i].line == line && keeper->spots[i].news != 0) {
            return true;
        }
    }
    return false;
}

const char *watching_next(struct account_run *run, struct line *line)
{
    const struct keeper *keeper = run->owner;
    for (size_t i = 0; i < keeper->spot_count; i++) {
        struct spot *spot = &keeper->spots[i];
        if (spot->line == line && spot->news != 0) {
            spot->news = 0;
            return spot->name;
        }
    }
    return NULL;
}

pr_status watching_work(struct keeper *keeper, struct account_run *run)
{
    for (size_t i = 0; i < keeper->line_count; i++) {
        struct line *line = keeper->lines[i];
        if (line == NULL || line->is_running || !has_news(keeper, line)) {
            continue;
        }
        line->is_helper = !line->is_open;
        pr_status status = line_start(run, line, account_work);
        if (status != PR_OK) {
            return status;
        }
    }
    pr_status status = account_join(run);
    watching_forget_closed(keeper);
    return status;
}

void watching_calm(struct keeper *keeper, uint64_t messages)
{
    keeper->empty_turns = messages > 0 ? 0 : keeper->empty_turns + 1;
    if (keeper->empty_turns > EMPTY_TURNS_MOST) {
        unsigned shift = keeper->empty_turns - EMPTY_TURNS_MOST;
        (void)!pr_sleep((uint64_t)50 << (shift < 6 ? shift : 6));
    }
}
