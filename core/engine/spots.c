/*
 * What a keeper knows of each folder: when to look at it, and how much comes.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/memory.h"
#include "engine/keeper.h"
#include "engine/schedule.h"
#include "plugin/registry.h"

/* Where nobody tells of news: not more often than so, in ms. A glance costs one
 * round trip on a connection that is there, a poll of POP3 a whole session. */
#define GLANCE_LEAST ((uint64_t)30 * 1000)
#define POLL_LEAST ((uint64_t)60 * 1000)
/* What is put aside for longer is not waited for, in seconds. */
#define RETRY_FARTHEST ((int64_t)366 * 86400)

struct spot *keeper_spot(struct keeper *keeper, const char *folder)
{
    for (size_t i = 0; i < keeper->spot_count; i++) {
        if (strcmp(keeper->spots[i].name, folder) == 0) {
            return &keeper->spots[i];
        }
    }
    return NULL;
}

/* ---- The list ------------------------------------------------------------ */

static pr_status add_spot(struct keeper *keeper, const char *name)
{
    struct spot *more =
        memory_realloc(keeper->spots, (keeper->spot_count + 1) * sizeof(*more));
    char *copy = memory_text(name);
    if (more != NULL) {
        keeper->spots = more;
    }
    if (more == NULL || copy == NULL) {
        memory_free(copy);
        return pr_fail(PR_NOMEM, "out of memory");
    }
    pr_time now = pr_now();
    more[keeper->spot_count++] = (struct spot){
        .name = copy, .is_there = true, .next = now, .last_mail = now};
    return PR_OK;
}

static void forget_missing(struct keeper *keeper)
{
    size_t left = 0;
    for (size_t i = 0; i < keeper->spot_count; i++) {
        if (keeper->spots[i].is_there) {
            keeper->spots[left++] = keeper->spots[i];
        } else {
            memory_free(keeper->spots[i].name);
        }
    }
    keeper->spot_count = left;
}

static bool is_inbox(const struct spot *spot)
{
    return strcasecmp(spot->name, "INBOX") == 0;
}

static int by_importance(const void *left, const void *right)
{
    const struct spot *a = left, *b = right;
    if (is_inbox(a) != is_inbox(b)) {
        return is_inbox(a) ? -1 : 1;
    }
    if (a->recent != b->recent) {
        return a->recent > b->recent ? -1 : 1;
    }
    return strcmp(a->name, b->name);
}

void spots_sort(struct keeper *keeper)
{
    if (keeper->spot_count > 0) {
        qsort(keeper->spots, keeper->spot_count, sizeof(*keeper->spots),
              by_importance);
    }
}

static bool is_event_folder(const struct account_run *run, const char *name)
{
    for (size_t i = 0; i < run->event_folder_count; i++) {
        if (strcmp(run->event_folders[i], name) == 0) {
            return true;
        }
    }
    return false;
}

bool spots_are_for_events(const struct account_run *run, const char *folder)
{
    const struct spot *spot = keeper_spot(run->owner, folder);
    return spot != NULL && spot->is_for_events;
}

pr_status spots_take(struct keeper *keeper, const struct account_run *run)
{
    pr_status status = PR_OK;
    for (size_t i = 0; i < keeper->spot_count; i++) {
        keeper->spots[i].is_there = false;
        keeper->spots[i].recent -= keeper->spots[i].recent / 4;
    }
    for (size_t i = 0; status == PR_OK && i < run->folder_count; i++) {
        struct spot *spot = keeper_spot(keeper, run->folders[i]);
        if (spot != NULL) {
            spot->is_there = true;
        } else {
            status = add_spot(keeper, run->folders[i]);
        }
    }
    for (size_t i = 0; status == PR_OK && i < keeper->spot_count; i++) {
        keeper->spots[i].is_for_events =
            is_event_folder(run, keeper->spots[i].name);
    }
    forget_missing(keeper);
    spots_sort(keeper);
    return status;
}

void spots_free(struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->spot_count; i++) {
        memory_free(keeper->spots[i].name);
    }
    memory_free(keeper->spots);
    keeper->spots = NULL;
    keeper->spot_count = 0;
}

const char **spots_names(const struct keeper *keeper, const struct line *line)
{
    size_t count = 0;
    const char **names =
        memory_alloc((keeper->spot_count + 1) * sizeof(*names));
    for (size_t i = 0; names != NULL && i < keeper->spot_count; i++) {
        if (line == NULL || keeper->spots[i].line == line) {
            names[count++] = keeper->spots[i].name;
        }
    }
    if (names != NULL) {
        names[count] = NULL;
    }
    return names;
}

/* ---- When ---------------------------------------------------------------- */

/* Even what is watched is looked at so often: a server that forgets to tell of
 * news costs time then, not mail. */
static uint64_t interval_of(const struct keeper *keeper,
                            const struct spot *spot)
{
    const struct account *account = keeper->account;
    const struct pr_source_ops *ops = account->source->source;
    uint64_t every = schedule_every(account, spot->name);
    if (!account->watch || spot->line != NULL) {
        return every;
    }
    bool can_glance = REGISTRY_COVERS(ops, glance) && ops->glance != NULL;
    return schedule_adaptive(pr_now() - spot->last_mail,
                             can_glance ? GLANCE_LEAST : POLL_LEAST, every);
}

void spot_schedule(struct keeper *keeper, struct spot *spot)
{
    spot->next = pr_in(schedule_jitter(
        interval_of(keeper, spot), schedule_random(&keeper->daemon->random)));
}

void spots_note(struct keeper *keeper, struct spot *spot, struct line *line,
                uint64_t messages)
{
    spot->seen_by = line;
    if (messages > 0) {
        spot->recent += messages < 1000000 ? (unsigned)messages : 1000000;
        spot->last_mail = pr_now();
    }
    spot_schedule(keeper, spot);
}

/* A folder is looked at when a message that is put aside is to be tried again,
 * too. */
static void take_retries(struct keeper *keeper, struct pr_arena *arena)
{
    struct state_standing *standings = NULL;
    size_t count = 0;
    int64_t now = time(NULL);
    if (state_standings(keeper->daemon->state, keeper->name, now, arena,
                        &standings, &count) != PR_OK) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        int64_t later = standings[i].due_later;
        struct spot *spot = keeper_spot(keeper, standings[i].folder);
        if (spot == NULL || later <= now || later - now > RETRY_FARTHEST) {
            continue;
        }
        pr_time due = pr_in((uint64_t)(later - now) * 1000 + 500);
        spot->next = due < spot->next ? due : spot->next;
    }
}

pr_time spots_due(struct keeper *keeper, struct pr_arena *arena)
{
    pr_time due = PR_NEVER;
    take_retries(keeper, arena);
    for (size_t i = 0; i < keeper->spot_count; i++) {
        if (keeper->spots[i].next < due) {
            due = keeper->spots[i].next;
        }
    }
    return due;
}

/* ---- Choosing ------------------------------------------------------------ */

struct choice {
    struct keeper *keeper;
    struct line *line;
    struct state_standing *standings;
    size_t count;
    pr_time now;
};

static const struct state_standing *standing_of(const struct choice *choice,
                                                const char *folder)
{
    for (size_t i = 0; i < choice->count; i++) {
        if (strcmp(choice->standings[i].folder, folder) == 0) {
            return &choice->standings[i];
        }
    }
    return NULL;
}

/* Have hooks not seen all? Whatever happens in a folder changes its modseq. */
static bool has_events(const struct choice *choice, const struct spot *spot,
                       const struct state_standing *standing,
                       const struct pr_glance *glance)
{
    const struct keeper *keeper = choice->keeper;
    return hooks_of_folder(keeper->engine->config, keeper->name, spot->name,
                           !spot->is_for_events) != 0 &&
           (glance->modseq == 0 || standing == NULL ||
            standing->seen_uidvalidity != glance->uidvalidity ||
            standing->seen_modseq != glance->modseq);
}

/* UIDNEXT below the watermark: the folder was put back from a copy. */
static bool has_news(const struct state_standing *standing,
                     const struct pr_glance *glance)
{
    if (standing == NULL || glance->uidvalidity == 0 || glance->uidnext == 0) {
        return true;
    }
    bool has_changed = standing->modseq != 0 && glance->modseq != 0 &&
                       standing->modseq != glance->modseq;
    return standing->uidvalidity != glance->uidvalidity ||
           standing->watermark != glance->uidnext || standing->due_now > 0 ||
           has_changed;
}

static pr_status note_glance(void *user, const struct pr_glance *glance)
{
    struct choice *choice = user;
    struct spot *spot = keeper_spot(choice->keeper, glance->folder);
    choice->line->steps++;
    if (spot != NULL) {
        spot->is_glanced = true;
        const struct state_standing *standing = standing_of(choice, spot->name);
        bool is_news = spot->is_for_events ? false : has_news(standing, glance);
        spot->has_news =
            glance->is_there &&
            (is_news || has_events(choice, spot, standing, glance));
    }
    return PR_OK;
}

/* What a line watches on is its own matter. */
static bool is_due(const struct choice *choice, const struct spot *spot)
{
    const struct keeper *keeper = choice->keeper;
    if (spot->line != NULL && spot->line->is_watching) {
        return false;
    }
    return keeper->served != NULL || keeper->run->retries_now ||
           spot->next <= choice->now || spot->news != 0;
}

static pr_status glance(struct choice *choice, struct account_run *run)
{
    const struct pr_source_ops *ops = choice->line->source.class->source;
    struct keeper *keeper = choice->keeper;
    if (run->retries_now || !REGISTRY_COVERS(ops, glance) ||
        ops->glance == NULL) {
        return PR_UNSUPPORTED;
    }
    const char **names =
        pr_arena_array(run->arena, keeper->spot_count + 1, sizeof(*names));
    size_t count = 0;
    if (names == NULL) {
        return PR_NOMEM;
    }
    for (size_t i = 0; i < keeper->spot_count; i++) {
        if (is_due(choice, &keeper->spots[i])) {
            names[count++] = keeper->spots[i].name;
        }
    }
    if (count == 0) {
        return PR_OK;
    }
    pr_status status =
        state_standings(run->engine->state, run->name, time(NULL), run->arena,
                        &choice->standings, &choice->count);
    return status == PR_OK
               ? ops->glance(&choice->line->source, names, note_glance, choice)
               : status;
}

static pr_status list(struct keeper *keeper, struct account_run *run,
                      struct line *line)
{
    pr_status status = account_list(run, line);
    if (status == PR_OK) {
        status = spots_take(keeper, run);
        keeper->list_due = pr_in(keeper->account->every);
    }
    run->folder_count = run->folder_next = 0;
    return status;
}

static pr_status queue_chosen(struct choice *choice, struct account_run *run)
{
    struct keeper *keeper = choice->keeper;
    pr_status status = PR_OK;
    for (size_t i = 0; status == PR_OK && i < keeper->spot_count; i++) {
        struct spot *spot = &keeper->spots[i];
        if (!is_due(choice, spot)) {
            continue;
        }
        if (spot->is_glanced && !spot->has_news && spot->news == 0) {
            spots_note(keeper, spot, choice->line, 0);
            continue;
        }
        status = account_queue(run, spot->name);
    }
    return status;
}

pr_status spots_choose(struct account_run *run, struct line *line)
{
    struct keeper *keeper = run->owner;
    struct choice choice = {.keeper = keeper, .line = line};
    pr_status status = PR_OK;
    if (keeper->spot_count == 0 || keeper->served != NULL ||
        (keeper->list_due <= pr_now() && !keeper->is_partial)) {
        status = list(keeper, run, line);
    }
    for (size_t i = 0; i < keeper->spot_count; i++) {
        keeper->spots[i].is_glanced = false;
    }
    choice.now = pr_now();
    if (status == PR_OK) {
        status = glance(&choice, run);
    }
    return status == PR_OK || status == PR_UNSUPPORTED
               ? queue_chosen(&choice, run)
               : status;
}
