/*
 * An account's newest configuration taken over by its keeper.
 */
#include <string.h>

#include "base/memory.h"
#include "engine/watching.h"
#include "plugin/registry.h"

static bool has_same_source(const struct account *a, const struct account *b)
{
    return a->source == b->source && a->read_only == b->read_only &&
           options_equal(a->source, a->source_options, b->source_options);
}

static bool has_same_times(const struct account *a, const struct account *b)
{
    if (a->every != b->every ||
        a->folder_every_count != b->folder_every_count) {
        return false;
    }
    for (size_t i = 0; i < a->folder_every_count; i++) {
        if (strcmp(a->folder_every[i].folder, b->folder_every[i].folder) != 0 ||
            a->folder_every[i].every != b->folder_every[i].every) {
            return false;
        }
    }
    return true;
}

static bool has_same_folders(const struct account *a, const struct account *b)
{
    return text_lists_equal(a->folders, b->folders) && has_same_times(a, b) &&
           a->watch == b->watch && a->probe == b->probe &&
           a->connections == b->connections;
}

void keeper_look_at(struct keeper *keeper, const struct account *account)
{
    if (keeper->account == NULL) {
        return;
    }
    if (!has_same_source(keeper->account, account) ||
        !has_same_folders(keeper->account, account)) {
        keeper->has_changed = true;
        daemon_wake(keeper->daemon);
    }
}

void keeper_close_lines(struct keeper *keeper)
{
    for (size_t i = 0; i < keeper->line_count; i++) {
        watching_close(keeper, keeper->lines[i]);
    }
    keeper->cannot_watch = false;
    memory_free(keeper->shortage);
    keeper->shortage = NULL;
}

/* Lines past the number that is wanted now are closed already. */
static pr_status make_lines(struct keeper *keeper, size_t count)
{
    struct line **lines = memory_zeroed(count, sizeof(*lines));
    if (lines == NULL) {
        return pr_fail(PR_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < keeper->line_count; i++) {
        if (i < count) {
            lines[i] = keeper->lines[i];
        } else {
            watching_close(keeper, keeper->lines[i]);
            memory_free(keeper->lines[i]);
        }
    }
    memory_free(keeper->lines);
    keeper->lines = lines;
    keeper->line_count = count;
    return PR_OK;
}

/* Takes over the newest configuration; all lines were called back. */
pr_status keeper_adopt(struct keeper *keeper)
{
    struct engine *engine = keeper->daemon->engine;
    const struct account *account =
        config_account(engine->config, keeper->name);
    keeper->has_changed = false;
    if (keeper->engine == engine || account == NULL) {
        return PR_OK;
    }
    if (keeper->account != NULL && !has_same_source(keeper->account, account)) {
        keeper_close_lines(keeper);
        (void)keeper_drop_secrets(keeper->account);
        keeper_forget_trouble(keeper);
    }
    if (keeper->account != NULL &&
        !has_same_folders(keeper->account, account)) {
        keeper->list_due = 0;
        for (size_t i = 0; i < keeper->spot_count; i++) {
            keeper->spots[i].next = 0;
        }
    }
    struct engine *before = keeper->engine;
    engine_hold(engine);
    keeper->engine = engine;
    keeper->account = account;
    keeper->wanted_news = PR_NEWS_MESSAGES | PR_NEWS_FOLDER;
    if (hooks_of_account(engine->config, keeper->name) != 0) {
        keeper->wanted_news |= PR_NEWS_FLAGS | PR_NEWS_VANISHED;
        keeper->list_due = 0; /* hooks may want others now */
    }
    engine_release(before);
    return keeper->line_count == account->connections
               ? PR_OK
               : make_lines(keeper, account->connections);
}
