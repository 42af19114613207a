/*
 * Messages as they are on the server, looked at and left alone.
 */
#include "engine/look.h"

#include <stddef.h>
#include <string.h>

#include "engine/parts.h"
#include "engine/peek.h"
#include "io/file.h"
#include "mail/spool.h"

/* The look at one folder; its source pulls from `feed`. */
struct glimpse {
    const struct look *look;
    struct config *config;
    const struct account *account;
    const char *folder;
    struct pr_feed feed;
    struct pr_arena *arena;
    struct pr_item **items; /* listed, and wanted */
    size_t count, allocated, next;
    struct message *message; /* coming in */
    pr_status failure;       /* of `each`, or of what leads to it */
    struct pr_failure words;
    size_t seen;
    bool has_uids;    /* else they are to be had from the state */
    bool has_headers; /* the source can give them alone */
    bool has_labels;  /* the source's own */
};

/* ---- Which messages ------------------------------------------------------ */

static bool is_wanted(const struct glimpse *glimpse, const struct pr_item *item)
{
    const struct look *look = glimpse->look;
    bool is_too_old =
        look->since > 0 && item->received > 0 && item->received < look->since;
    return !is_too_old && (look->uid == 0 || look->uid == item->uid);
}

static pr_status note_item(void *user, const struct pr_item *item)
{
    struct glimpse *glimpse = user;
    if (glimpse->has_uids && !is_wanted(glimpse, item)) {
        return PR_OK;
    }
    struct pr_item **items =
        pr_arena_grow(glimpse->arena, glimpse->items, glimpse->count,
                      &glimpse->allocated, sizeof(*items));
    struct pr_item *copy = pr_arena_alloc(glimpse->arena, sizeof(*copy));
    if (items == NULL || copy == NULL) {
        return PR_NOMEM;
    }
    *copy = *item;
    if (item->uidl != NULL) {
        copy->uidl = pr_arena_text(glimpse->arena, item->uidl);
    }
    if (item->labels != NULL) {
        copy->labels = pr_arena_text(glimpse->arena, item->labels);
    }
    if (item->flags.keywords != NULL) {
        copy->flags.keywords =
            pr_arena_text(glimpse->arena, item->flags.keywords);
    }
    glimpse->items = items;
    items[glimpse->count++] = copy;
    return PR_OK;
}

/* The UIDs that a pass gave them, or would; then those that are wanted. */
static pr_status number_items(struct glimpse *glimpse)
{
    struct state *state = NULL;
    size_t count = 0;
    pr_status status = PR_OK;
    if (state_is_there(glimpse->config->state_dir)) {
        status = state_open(glimpse->config->state_dir, &state);
    }
    if (status != PR_OK) {
        return status;
    }
    status = identify_by_name(state, glimpse->account->name, glimpse->folder,
                              glimpse->arena, glimpse->items, glimpse->count);
    state_close(state);
    for (size_t i = 0; i < glimpse->count; i++) {
        if (is_wanted(glimpse, glimpse->items[i])) {
            glimpse->items[count++] = glimpse->items[i];
        }
    }
    glimpse->count = count;
    return status;
}

/* ---- The feed ------------------------------------------------------------ */

static struct glimpse *glimpse_of(struct pr_feed *feed)
{
    return (struct glimpse *)((char *)feed - offsetof(struct glimpse, feed));
}

static void give_up(struct glimpse *glimpse, pr_status status)
{
    if (glimpse->failure == PR_OK) {
        glimpse->failure = status;
        glimpse->words = *pr_last_failure();
    }
}

static pr_status feed_next(struct pr_feed *feed, bool wait,
                           struct pr_request *ret)
{
    struct glimpse *glimpse = glimpse_of(feed);
    (void)wait;
    if (glimpse->failure != PR_OK || glimpse->next == glimpse->count) {
        return PR_EOF;
    }
    *ret = (struct pr_request){.item = glimpse->items[glimpse->next++],
                               .want = PR_WANT_ALL};
    return PR_OK;
}

static pr_status feed_begin(struct pr_feed *feed, struct pr_item *item,
                            enum pr_want want, uint64_t octets,
                            struct pr_spool **ret)
{
    struct glimpse *glimpse = glimpse_of(feed);
    (void)want;
    (void)octets;
    if (glimpse->failure != PR_OK) {
        return PR_LIMIT;
    }
    message_free(glimpse->message);
    glimpse->message = NULL;
    pr_status status = message_new(glimpse->account->name, glimpse->folder,
                                   item, &glimpse->message);
    if (status == PR_OK) {
        glimpse->message->has_labels = glimpse->has_labels;
        status =
            spool_new(glimpse->config->state_dir, 0, &glimpse->message->spool);
    }
    if (status == PR_OK) {
        *ret = glimpse->message->spool;
    }
    return status;
}

static pr_status tell(void *argument)
{
    struct glimpse *glimpse = argument;
    return glimpse->look->each(glimpse->look->user, glimpse->account,
                               glimpse->message);
}

/* In a fiber of its own, which has the stack that rules need. */
static pr_status tell_in_fiber(struct glimpse *glimpse)
{
    struct pr_scope scope;
    pr_scope_init(&scope);
    pr_status status =
        pr_spawn(&scope, glimpse->folder, PR_STACK_RULE, tell, glimpse);
    pr_status joined = pr_scope_join(&scope);
    return status != PR_OK ? status : joined;
}

static void feed_end(struct pr_feed *feed, struct pr_item *item,
                     pr_status result)
{
    struct glimpse *glimpse = glimpse_of(feed);
    (void)item;
    if (result == PR_OK && glimpse->message == NULL) {
        result = pr_fail(PR_PROTOCOL, "the server sent no content");
    }
    if (result == PR_OK && glimpse->failure == PR_OK) {
        result = pr_spool_seal(glimpse->message->spool);
        if (result == PR_OK) {
            glimpse->seen++;
            result = tell_in_fiber(glimpse);
        }
    }
    if (result != PR_OK && result != PR_GONE) {
        give_up(glimpse, result);
    }
    message_free(glimpse->message);
    glimpse->message = NULL;
}

static const struct pr_feed_ops feed_ops = {
    .size = sizeof(feed_ops),
    .next = feed_next,
    .begin = feed_begin,
    .end = feed_end,
};

/* ---- A folder ------------------------------------------------------------ */

static pr_status list(struct glimpse *glimpse, struct pr_source *source)
{
    const struct pr_source_ops *ops = source->class->source;
    const struct look *look = glimpse->look;
    struct pr_mailbox mailbox;
    glimpse->has_labels = source_has_labels(source);
    pr_status status = ops->select(source, glimpse->folder, &mailbox);
    glimpse->has_uids = status != PR_OK || mailbox.uidvalidity != 0;
    glimpse->has_headers = status == PR_OK && !mailbox.has_no_headers;
    if (status != PR_OK || mailbox.exists == 0) {
        return status;
    }
    bool is_one = glimpse->has_uids && look->uid != 0;
    const struct pr_range range = {is_one ? look->uid : 1,
                                   is_one ? look->uid : UINT32_MAX};
    status = ops->list(source, &range, 1, note_item, glimpse);
    return status == PR_OK && !glimpse->has_uids ? number_items(glimpse)
                                                 : status;
}

static pr_status say_gone(const struct glimpse *glimpse)
{
    return pr_fail(PR_GONE,
                   glimpse->has_uids
                       ? "%s/%s/%u is not on the server"
                       : "there is no %s/%s/%u, or its source gives it no name "
                         "to know it by: give the message as a file",
                   glimpse->account->name, glimpse->folder, glimpse->look->uid);
}

static pr_status look_at_folder(struct glimpse *glimpse,
                                struct pr_source *source)
{
    glimpse->arena = pr_arena_new();
    if (glimpse->arena == NULL) {
        return PR_NOMEM;
    }
    pr_status status = list(glimpse, source);
    if (status == PR_OK && glimpse->count == 1 && glimpse->look->is_lazy) {
        status = peek(glimpse->config, glimpse->look, glimpse->account,
                      glimpse->folder, source, glimpse->has_headers,
                      glimpse->items[0]);
        glimpse->seen += status == PR_OK;
        status = status == PR_GONE ? PR_OK : status;
    } else if (status == PR_OK && glimpse->count > 0) {
        status = source->class->source->fetch(source, &glimpse->feed);
    }
    if (glimpse->failure != PR_OK) {
        status = pr_fail(glimpse->failure, "%s", glimpse->words.text);
    }
    if (status == PR_OK && glimpse->look->uid != 0 && glimpse->seen == 0) {
        status = say_gone(glimpse);
    }
    message_free(glimpse->message);
    pr_arena_free(glimpse->arena);
    return status;
}

/* ---- An account ---------------------------------------------------------- */

struct tour {
    struct config *config;
    const struct look *look;
    const struct account *account;
    struct pr_source *source;
    struct pr_arena *arena;
    const char **folders;
    size_t count, allocated;
};

static pr_status note_folder(void *user, const char *name)
{
    struct tour *tour = user;
    const char **folders =
        pr_arena_grow(tour->arena, tour->folders, tour->count, &tour->allocated,
                      sizeof(*folders));
    const char *copy = pr_arena_text(tour->arena, name);
    if (folders == NULL || copy == NULL) {
        return PR_NOMEM;
    }
    tour->folders = folders;
    folders[tour->count++] = copy;
    return PR_OK;
}

static pr_status find_folders(struct tour *tour)
{
    const struct pr_source_ops *ops = tour->source->class->source;
    if (tour->look->folder != NULL) {
        return note_folder(tour, tour->look->folder);
    }
    return ops->folders != NULL
               ? ops->folders(tour->source, tour->account->folders, note_folder,
                              tour)
               : note_folder(tour, "INBOX");
}

static pr_status go_round(struct tour *tour)
{
    pr_status status = tour->source->class->source->open(tour->source);
    if (status == PR_OK) {
        status = find_folders(tour);
    }
    for (size_t i = 0; status == PR_OK && i < tour->count; i++) {
        struct glimpse glimpse = {.look = tour->look,
                                  .config = tour->config,
                                  .account = tour->account,
                                  .folder = tour->folders[i],
                                  .feed = {&feed_ops}};
        status = look_at_folder(&glimpse, tour->source);
    }
    return status;
}

static pr_status look_at_account(struct config *config, const struct look *look,
                                 const struct account *account)
{
    struct pr_log log = {NULL, account->name};
    struct pr_source source = source_to_look_at(account, &log);
    struct tour tour = {.config = config,
                        .look = look,
                        .account = account,
                        .source = &source,
                        .arena = pr_arena_new()};
    if (tour.arena == NULL) {
        return PR_NOMEM;
    }
    pr_status status = go_round(&tour);
    struct pr_failure failure = *pr_last_failure();
    account->source->source->close(&source);
    pr_arena_free(tour.arena);
    return status == PR_OK
               ? PR_OK
               : pr_fail(status, "%s: %s", account->name, failure.text);
}

pr_status engine_look(struct config *config, const struct look *look)
{
    pr_status status = file_make_dirs(config->state_dir); /* for spools */
    bool is_found = false;
    for (size_t i = 0; status == PR_OK && i < config->account_count; i++) {
        const struct account *account = &config->accounts[i];
        bool is_named =
            look->account != NULL && strcmp(look->account, account->name) == 0;
        bool can_be_read =
            (account->source->source->lacks & PR_LACKS_STAY) == 0;
        is_found = is_found || is_named;
        if (is_named && !can_be_read && look->uid != 0) {
            return pr_fail(PR_UNSUPPORTED,
                           "%s: its messages are there only while they are "
                           "delivered: give the message as a file",
                           look->account);
        }
        if (is_named || (look->account == NULL && can_be_read)) {
            status = look_at_account(config, look, account);
        }
    }
    if (look->account != NULL && !is_found) {
        return pr_fail(PR_CONFIG, "%s has no account \"%s\"", config->file,
                       look->account);
    }
    return status;
}
