/*
 * The core's side of a source without UIDs, for tests.
 */
#include "config.h"

#include "local_feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mail/spool.h"

static const struct pr_log quiet = {.name = "source"};

static pr_status note_item(void *user, const struct pr_item *item)
{
    struct local *local = user;
    struct local_message *message = &local->messages[local->count];

    if (local->count == LOCAL_MOST)
        return pr_fail(PR_LIMIT, "too many for this test");
    local->count++;
    *message = (struct local_message){.item = *item};
    snprintf(message->uidl, sizeof(message->uidl), "%s",
             item->uidl != NULL ? item->uidl : "");
    snprintf(message->keywords, sizeof(message->keywords), "%s",
             item->flags.keywords != NULL ? item->flags.keywords : "");
    message->item.uidl = message->uidl;
    message->item.flags.keywords = message->keywords;
    return PR_OK;
}

static void forget(struct local *local)
{
    for (size_t i = 0; i < local->count; i++)
        free(local->messages[i].text);
    local->count = 0;
}

pr_status local_select(struct local *local, const char *folder)
{
    const struct pr_source_ops *ops = local->source.class->source;
    const struct pr_range all = {1, UINT32_MAX};

    forget(local);
    pr_status status = ops->select(&local->source, folder, &local->mailbox);
    return status == PR_OK
               ? ops->list(&local->source, &all, 1, note_item, local)
               : status;
}

pr_status local_start(struct local *local, const struct pr_class *class,
                      const void *options)
{
    local->source.class = class;
    local->source.options = options;
    local->source.log = &quiet;
    local->source.account = "test";
    pr_status status = class->source->open(&local->source);
    return status == PR_OK ? local_select(local, "INBOX") : status;
}

/* ---- Fetching ------------------------------------------------------------ */

struct local_feed {
    struct pr_feed feed;
    struct local *local;
    enum pr_want want;
    size_t next;
    struct pr_spool *spool;
};

static pr_status next(struct pr_feed *feed, bool wait, struct pr_request *ret)
{
    struct local_feed *mine = (struct local_feed *)feed;

    (void)wait;
    if (mine->next == mine->local->count)
        return PR_EOF;
    *ret = (struct pr_request){
        .item = &mine->local->messages[mine->next++].item, .want = mine->want};
    return PR_OK;
}

static struct local_message *message_of(struct local_feed *feed,
                                        const struct pr_item *item)
{
    return &feed->local
                ->messages[(const struct local_message *)(const void *)item -
                           feed->local->messages];
}

static pr_status begin(struct pr_feed *feed, struct pr_item *item,
                       enum pr_want want, uint64_t octets,
                       struct pr_spool **ret)
{
    struct local_feed *mine = (struct local_feed *)feed;

    (void)want;
    if (mine->local->on_begin != NULL)
        mine->local->on_begin();
    message_of(mine, item)->announced = octets;
    pr_status status = spool_new("/tmp", 0, &mine->spool);
    *ret = mine->spool;
    return status;
}

static void end(struct pr_feed *feed, struct pr_item *item, pr_status result)
{
    struct local_feed *mine = (struct local_feed *)feed;
    struct local_message *message = message_of(mine, item);
    size_t got;

    message->result = result;
    if (result == PR_OK && pr_spool_seal(mine->spool) == PR_OK) {
        size_t size = (size_t)pr_spool_size(mine->spool);
        free(message->text);
        message->text = calloc(1, size + 1);
        if (message->text == NULL ||
            pr_spool_read(mine->spool, 0, message->text, size, &got) != PR_OK)
            message->result = PR_BUG;
    }
    spool_free(mine->spool);
    mine->spool = NULL;
}

static const struct pr_feed_ops feed_ops = {
    .size = sizeof(feed_ops), .next = next, .begin = begin, .end = end};

pr_status local_fetch(struct local *local, enum pr_want want)
{
    struct local_feed feed = {
        .feed = {&feed_ops}, .local = local, .want = want};

    return local->source.class->source->fetch(&local->source, &feed.feed);
}

/* ---- The rest ------------------------------------------------------------ */

pr_status local_settle(struct local *local, size_t index, struct pr_deed deed)
{
    deed.item = &local->messages[index].item;
    deed.result = PR_BUG;
    (void)local->source.class->source->settle(&local->source, &deed, 1);
    return deed.result;
}

static pr_status note_folder(void *user, const char *name)
{
    struct local *local = user;

    if (local->folder_count == LOCAL_MOST)
        return pr_fail(PR_LIMIT, "too many for this test");
    snprintf(local->folders[local->folder_count++], sizeof(local->folders[0]),
             "%s", name);
    return PR_OK;
}

pr_status local_folders(struct local *local, const char *const *patterns)
{
    local->folder_count = 0;
    return local->source.class->source->folders(&local->source, patterns,
                                                note_folder, local);
}

void local_end(struct local *local)
{
    forget(local);
    local->source.class->source->close(&local->source);
}
