/*
 * Servers with accounts, folders and connections in memory, for tests of the
 * daemon.
 */
#include "farm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct farm_account farm[FARM_ACCOUNTS];
size_t farm_opens, farm_at_work, farm_at_work_most;

struct connection {
    struct farm_account *account;
    unsigned epoch;
    struct farm_folder *selected;
    uint32_t seen[FARM_FOLDERS]; /* UIDNEXT when it was listed; 0: never */
    bool is_broken;
};

static char names[FARM_ACCOUNTS][30];

void farm_reset(size_t accounts)
{
    memset(farm, 0, sizeof(farm));
    farm_opens = farm_at_work = farm_at_work_most = 0;
    for (size_t i = 0; i < accounts; i++) {
        snprintf(names[i], sizeof(names[i]), "a%zu", i);
        farm[i] = (struct farm_account){
            .name = names[i], .host = names[i], .folder_count = 1, .reach = 1};
        static const char *const folder_names[FARM_FOLDERS] = {
            "INBOX", "Lists/a", "Lists/b", "Lists/c", "Lists/d"};
        for (size_t n = 0; n < FARM_FOLDERS; n++) {
            farm[i].folders[n] = (struct farm_folder){
                .name = folder_names[n], .uidvalidity = 7, .uidnext = 1};
        }
    }
}

struct farm_account *farm_account(const char *name)
{
    for (size_t i = 0; i < FARM_ACCOUNTS; i++) {
        if (farm[i].name != NULL && strcmp(farm[i].name, name) == 0) {
            return &farm[i];
        }
    }
    return NULL;
}

void farm_add(struct farm_account *account, size_t folder)
{
    account->folders[folder].uidnext++;
    pr_event_wake_all(&account->moves);
}

void farm_break(struct farm_account *account)
{
    account->epoch++;
    pr_event_wake_all(&account->moves);
}

/* ---- Operations ---------------------------------------------------------- */

static pr_status check(struct connection *connection)
{
    struct farm_account *account = connection->account;
    if (account->is_dead || connection->epoch != account->epoch) {
        connection->is_broken = true;
        return pr_fail(PR_NETWORK, "the line broke");
    }
    return PR_OK;
}

static pr_status hang(struct farm_account *account, const bool *while_true)
{
    pr_status status = PR_OK;
    while (*while_true && (status == PR_OK || status == PR_TIMEOUT)) {
        status = pr_event_wait(&account->moves,
                               account->is_chatty ? pr_in(10) : PR_NEVER);
    }
    return status == PR_TIMEOUT ? PR_OK : status;
}

static void begin_work(void)
{
    farm_at_work++;
    if (farm_at_work > farm_at_work_most) {
        farm_at_work_most = farm_at_work;
    }
}

static pr_status read_secret(const struct farm_options *options)
{
    struct pr_buffer secret;
    if (options->secret == NULL) {
        return PR_OK;
    }
    pr_status status = pr_secret_read(options->secret, &secret);
    if (status == PR_OK) {
        pr_secret_wipe(&secret);
    }
    return status;
}

static bool is_refused(const struct farm_account *account)
{
    return account->refusal != PR_OK &&
           (account->patience == 0 || account->opens <= account->patience);
}

static pr_status farm_open(struct pr_source *source)
{
    struct farm_account *account = farm_account(source->account);
    struct connection *connection = calloc(1, sizeof(*connection));
    connection->account = account;
    connection->epoch = account->epoch;
    source->state = connection;
    account->opens++;
    account->open_now++;
    account->order = ++farm_opens;
    begin_work();
    pr_status status = pr_yield();
    if (status == PR_OK) {
        status = hang(account, &account->hangs);
    }
    farm_at_work--;
    if (status == PR_OK) {
        status = read_secret(source->options);
    }
    if (status == PR_OK && is_refused(account)) {
        status = pr_fail(account->refusal, "%s", account->words);
    }
    if (status == PR_OK && account->most > 0 &&
        account->open_now > account->most) {
        status = pr_fail(PR_LATER, "too many connections");
    }
    return status == PR_OK ? check(connection) : status;
}

static void farm_close(struct pr_source *source)
{
    struct connection *connection = source->state;
    if (connection == NULL) {
        return;
    }
    connection->account->quiet_closes += pr_is_cancelled();
    connection->account->open_now--;
    free(connection);
    source->state = NULL;
}

static pr_status farm_folders(struct pr_source *source,
                              const char *const *patterns,
                              pr_folder_found *found, void *user)
{
    struct connection *connection = source->state;
    struct farm_account *account = connection->account;
    pr_status status = check(connection);
    account->lists++;
    for (size_t i = 0; status == PR_OK && i < account->folder_count; i++) {
        if (pr_folder_matches(patterns, account->folders[i].name, '/')) {
            status = found(user, account->folders[i].name);
        }
    }
    return status;
}

static struct farm_folder *find(struct farm_account *account, const char *name)
{
    for (size_t i = 0; i < account->folder_count; i++) {
        if (strcmp(account->folders[i].name, name) == 0) {
            return &account->folders[i];
        }
    }
    return NULL;
}

static pr_status farm_select(struct pr_source *source, const char *folder,
                             struct pr_mailbox *ret)
{
    struct connection *connection = source->state;
    pr_status status = check(connection);
    if (status != PR_OK) {
        return status;
    }
    struct farm_folder *found = find(connection->account, folder);
    if (found == NULL) {
        return pr_fail(PR_GONE, "no such folder");
    }
    found->selects++;
    connection->selected = found;
    connection->seen[found - connection->account->folders] = found->uidnext;
    *ret = (struct pr_mailbox){.uidvalidity = found->uidvalidity,
                               .uidnext = found->uidnext,
                               .exists = found->uidnext - 1};
    return pr_yield();
}

static pr_status farm_list(struct pr_source *source,
                           const struct pr_range *ranges, size_t count,
                           pr_item_listed *listed, void *user)
{
    struct connection *connection = source->state;
    pr_status status = check(connection);
    for (uint32_t uid = 1; uid < connection->selected->uidnext; uid++) {
        for (size_t i = 0; status == PR_OK && i < count; i++) {
            if (uid >= ranges[i].first && uid <= ranges[i].last) {
                struct pr_item item = {.uid = uid, .size = 100};
                status = listed(user, &item);
            }
        }
    }
    return status;
}

static pr_status send(struct connection *connection, struct pr_feed *feed,
                      struct pr_request *request)
{
    char text[200];
    int size = snprintf(text, sizeof(text),
                        "Message-ID: <%u@%s>\r\nSubject: %s/%s/%u\r\n\r\nx\r\n",
                        request->item->uid, connection->account->name,
                        connection->account->name, connection->selected->name,
                        request->item->uid);
    struct pr_spool *spool;
    pr_status status = feed->ops->begin(feed, request->item, request->want,
                                        (size_t)size, &spool);
    if (status == PR_OK) {
        status = pr_spool_append(spool, text, (size_t)size);
    }
    return status;
}

static pr_status farm_fetch(struct pr_source *source, struct pr_feed *feed)
{
    struct connection *connection = source->state;
    struct farm_account *account = connection->account;
    struct pr_request request;
    pr_status status;
    while ((status = feed->ops->next(feed, true, &request)) == PR_OK) {
        status = hang(account, &account->hangs_fetch);
        if (status == PR_OK) {
            status = check(connection);
        }
        if (status == PR_OK) {
            status = send(connection, feed, &request);
        }
        feed->ops->end(feed, request.item, status);
        if (status != PR_OK) {
            return status;
        }
    }
    return status == PR_EOF ? PR_OK : status;
}

static pr_status farm_settle(struct pr_source *source, struct pr_deed *deeds,
                             size_t count)
{
    struct connection *connection = source->state;
    struct farm_account *account = connection->account;
    account->settling += count;
    pr_status status = hang(account, &account->hangs_settle);
    for (size_t i = 0; i < count; i++) {
        deeds[i].result = status;
        account->settled += status == PR_OK;
    }
    return status;
}

static const char *farm_host(const struct pr_source *source)
{
    return farm_account(source->account)->host;
}

static size_t farm_watches(const struct pr_source *source,
                           const char *const *folders)
{
    (void)folders;
    return farm_account(source->account)->reach;
}

static bool tell_news(struct connection *connection,
                      const struct pr_watch *watch)
{
    struct farm_account *account = connection->account;
    bool any = false;
    for (size_t i = 0; watch->folders[i] != NULL; i++) {
        struct farm_folder *folder = find(account, watch->folders[i]);
        uint32_t *seen = &connection->seen[folder - account->folders];
        if (*seen == 0) {
            *seen = folder->uidnext; /* who never listed it learns nothing */
        }
        if (*seen != folder->uidnext) {
            *seen = folder->uidnext; /* a server tells it once */
            watch->news(watch->user, folder->name, PR_NEWS_MESSAGES);
            any = true;
        }
    }
    return any;
}

static pr_status farm_watch(struct pr_source *source,
                            const struct pr_watch *watch)
{
    struct connection *connection = source->state;
    struct farm_account *account = connection->account;
    if (account->knows_no_idle) {
        return pr_fail(PR_UNSUPPORTED, "no IDLE here");
    }
    pr_status status = PR_OK;
    for (size_t i = 0; watch->folders[i] != NULL; i++) {
        find(account, watch->folders[i])->watches++;
    }
    while (status == PR_OK && !tell_news(connection, watch)) {
        status = pr_event_wait(&account->moves, watch->deadline);
        if (status == PR_OK && connection->epoch != account->epoch) {
            status = check(connection);
        }
    }
    return status == PR_TIMEOUT ? PR_OK : status;
}

static void farm_probe(struct pr_source *source, uint64_t ms)
{
    struct connection *connection = source->state;
    (void)ms;
    connection->account->probes++;
    if (connection->account->is_dead) {
        farm_break(connection->account);
    }
}

static pr_status farm_glance(struct pr_source *source,
                             const char *const *folders, pr_glanced *glanced,
                             void *user)
{
    struct connection *connection = source->state;
    struct farm_account *account = connection->account;
    pr_status status = check(connection);
    account->glances++;
    for (; status == PR_OK && *folders != NULL; folders++) {
        struct farm_folder *folder = find(account, *folders);
        struct pr_glance glance = {.folder = *folders,
                                   .is_there = folder != NULL};
        if (folder != NULL) {
            uint32_t *seen = &connection->seen[folder - account->folders];
            *seen = *seen == 0 ? folder->uidnext : *seen;
            glance.uidvalidity = folder->uidvalidity;
            glance.uidnext = folder->uidnext;
        }
        status = glanced(user, &glance);
    }
    return status;
}

static const struct pr_source_ops farm_ops = {
    .size = sizeof(farm_ops),
    .open = farm_open,
    .folders = farm_folders,
    .select = farm_select,
    .list = farm_list,
    .fetch = farm_fetch,
    .settle = farm_settle,
    .close = farm_close,
    .host = farm_host,
    .watches = farm_watches,
    .watch = farm_watch,
    .probe = farm_probe,
    .glance = farm_glance,
};

static const struct pr_option farm_option_table[] = {
    {.name = "number",
     .kind = PR_OPTION_NUMBER,
     .offset = offsetof(struct farm_options, number)},
    {.name = "secret",
     .kind = PR_OPTION_SECRET,
     .offset = offsetof(struct farm_options, secret)},
    {.name = NULL},
};

const struct pr_class farm_class = {
    .size = sizeof(farm_class),
    .role = PR_ROLE_SOURCE,
    .name = "farm",
    .summary = "accounts in memory",
    .options = farm_option_table,
    .options_size = sizeof(struct farm_options),
    .source = &farm_ops,
};
