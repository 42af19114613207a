/*
 * Which line of a keeper watches which folders.
 *
 * What a line is to watch it must have listed itself, or mail that came in
 * between would go unnoticed: so a folder that another line has seen last is
 * first worked on once more.
 */
#include "base/memory.h"
#include "engine/watching.h"
#include "plugin/registry.h"

struct line *watching_first_open(const struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->line_count; i++) {
        struct line *line = keeper->lines[i];
        if (line != NULL && line->is_open && !line->is_watching) {
            return line;
        }
    }
    return NULL;
}

/* How many folders the line can watch at a time. */
static size_t reach_of(const struct keeper *keeper, const struct line *line)
{
    const struct pr_source_ops *ops = line->source.class->source;
    if (!keeper->account->watch || keeper->cannot_watch ||
        !REGISTRY_COVERS(ops, watch) || ops->watches == NULL ||
        ops->watch == NULL) {
        return 0;
    }
    const char **names = spots_names(keeper, NULL);
    size_t reach = names != NULL ? ops->watches(&line->source, names) : 0;
    memory_free(names);
    return reach;
}

/* Is a connection that cannot watch worth keeping? */
static bool is_kept_to_glance(const struct keeper *keeper,
                              const struct line *line)
{
    const struct pr_source_ops *ops = line->source.class->source;
    return keeper->account->watch && REGISTRY_COVERS(ops, glance) &&
           ops->glance != NULL && REGISTRY_COVERS(ops, watch) &&
           ops->watch != NULL;
}

static struct line *line_at(struct keeper *keeper, size_t index)
{
    if (keeper->lines[index] == NULL) {
        keeper->lines[index] = memory_zeroed(1, sizeof(struct line));
    }
    return keeper->lines[index];
}

static bool is_held(const struct spot *spot)
{
    return spot->line != NULL && spot->line->is_watching;
}

/* Gives the line as many as it reaches, from *next on. */
static void deal_to(struct keeper *keeper, struct line *line, size_t reach,
                    size_t *next)
{
    for (size_t n = 0; n < reach && *next < keeper->spot_count; ++*next) {
        struct spot *spot = &keeper->spots[*next];
        if (is_held(spot)) {
            continue;
        }
        spot->line = line;
        if (spot->seen_by != line) {
            spot->news |= PR_NEWS_MESSAGES;
        }
        n++;
    }
}

/* Folders are dealt out in the order of their importance; those that are being
 * watched stay where they are. */
static void deal_out(struct keeper *keeper, struct line *first, size_t reach)
{
    size_t next = 0;
    for (size_t i = 0; i < keeper->spot_count; i++) {
        if (!is_held(&keeper->spots[i])) {
            keeper->spots[i].line = NULL;
        }
    }
    deal_to(keeper, first, reach, &next);
    for (size_t i = 0; i < keeper->line_count && next < keeper->spot_count;
         i++) {
        struct line *line = line_at(keeper, i);
        if (line != NULL && line != first && !line->is_watching) {
            deal_to(keeper, line, reach, &next);
        }
    }
}

static bool has_folders(const struct keeper *keeper, const struct line *line)
{
    for (size_t i = 0; i < keeper->spot_count; i++) {
        if (keeper->spots[i].line == line) {
            return true;
        }
    }
    return false;
}

void watching_assign(struct keeper *keeper)
{
    struct line *first = watching_first_open(keeper);
    size_t reach = first != NULL ? reach_of(keeper, first) : 0;
    if (first == NULL) {
        return;
    }
    spots_sort(keeper);
    deal_out(keeper, first, reach);
    for (size_t i = 0; i < keeper->spot_count; i++) {
        struct spot *spot = &keeper->spots[i];
        if ((spot->line != NULL) != spot->is_watched) {
            spot->is_watched = spot->line != NULL;
            spot_schedule(keeper, spot);
        }
    }
    for (size_t i = 0; i < keeper->line_count; i++) {
        struct line *line = keeper->lines[i];
        bool is_kept = line == first && is_kept_to_glance(keeper, line);
        if (line != NULL && !is_kept && !has_folders(keeper, line)) {
            watching_close(keeper, line);
        }
    }
}
