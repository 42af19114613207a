/*
 * A source and a sink in memory, for tests of what stands between them.
 */
#include "fake.h"

#include <stdio.h>
#include <string.h>

struct fake_server fake_server;
struct fake_mailbox fake_mailbox, fake_other;
void (*fake_on_commit)(void);

void fake_reset(void)
{
    memset(&fake_server, 0, sizeof(fake_server));
    memset(&fake_mailbox, 0, sizeof(fake_mailbox));
    memset(&fake_other, 0, sizeof(fake_other));
    fake_on_commit = NULL;
    fake_server.uidvalidity = 7;
    fake_server.uidnext = 1;
}

void fake_add(const char *subject)
{
    struct fake_message *message = &fake_server.messages[fake_server.count++];
    memset(message, 0, sizeof(*message));
    message->uid = fake_server.uidnext++;
    message->received = 1700000000 + message->uid;
    snprintf(message->name, sizeof(message->name), "name%u", message->uid);
    snprintf(message->text, sizeof(message->text),
             "Message-ID: <%s@fake.example>\r\nSubject: %s\r\n\r\nbody of "
             "%s\r\n",
             subject, subject, subject);
}

void fake_renumber(uint32_t uidvalidity, uint32_t first_uid)
{
    fake_server.uidvalidity = uidvalidity;
    for (size_t i = 0; i < fake_server.count; i++) {
        fake_server.messages[i].uid = first_uid + (uint32_t)i;
    }
    fake_server.uidnext = first_uid + (uint32_t)fake_server.count;
}

size_t fake_count(const struct fake_mailbox *mailbox, const char *subject)
{
    char line[100];
    size_t count = 0;
    snprintf(line, sizeof(line), "Subject: %s\n", subject);
    for (size_t i = 0; i < mailbox->count; i++) {
        count += strstr(mailbox->deliveries[i].text, line) != NULL;
    }
    return count;
}

/* ---- The source ------------------------------------------------------------
 */

static pr_status source_open(struct pr_source *source)
{
    (void)source;
    fake_server.opens++;
    return PR_OK;
}

static pr_status source_folders(struct pr_source *source,
                                const char *const *patterns,
                                pr_folder_found *found, void *user)
{
    (void)source;
    (void)patterns;
    if (fake_server.has_refused_folder) {
        pr_status status = found(user, "Private");
        if (status != PR_OK) {
            return status;
        }
    }
    return found(user, "INBOX");
}

static pr_status source_select(struct pr_source *source, const char *folder,
                               struct pr_mailbox *ret)
{
    (void)source;
    if (strcmp(folder, "Private") == 0) {
        return pr_fail(PR_REFUSED, "it is private");
    }
    if (strcmp(folder, "INBOX") != 0) {
        return pr_fail(PR_GONE, "no such folder");
    }
    *ret = (struct pr_mailbox){.uidvalidity = fake_server.uidvalidity,
                               .uidnext = fake_server.uidnext,
                               .exists = (uint32_t)fake_server.count};
    if (fake_server.has_no_uids) {
        ret->uidvalidity = ret->uidnext = 0;
    }
    return PR_OK;
}

static bool is_in(const struct pr_range *ranges, size_t count, uint32_t uid)
{
    for (size_t i = 0; i < count; i++) {
        if (uid >= ranges[i].first && uid <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

static pr_status source_list(struct pr_source *source,
                             const struct pr_range *ranges, size_t count,
                             pr_item_listed *listed, void *user)
{
    (void)source;
    fake_server.lists++;
    for (size_t i = 0; i < fake_server.count; i++) {
        const struct fake_message *message = &fake_server.messages[i];
        if (!fake_server.has_no_uids && !is_in(ranges, count, message->uid)) {
            continue;
        }
        struct pr_item item = {.uid = message->uid,
                               .size = strlen(message->text),
                               .received = message->received,
                               .flags = {.system = message->flags}};
        if (fake_server.has_no_uids) {
            item.uid = 0;
            item.received = 0;
            item.number = (uint32_t)i + 1;
            item.uidl = fake_server.has_no_names ? NULL : message->name;
            item.flags.system =
                item.number <= fake_server.last ? PR_FLAG_SEEN : 0;
        }
        pr_status status = listed(user, &item);
        if (status != PR_OK) {
            return status;
        }
    }
    return PR_OK;
}

static struct fake_message *find_message(const struct pr_item *item)
{
    if (fake_server.has_no_uids) {
        return &fake_server.messages[item->number - 1];
    }
    uint32_t uid = item->uid;
    for (size_t i = 0; i < fake_server.count; i++) {
        if (fake_server.messages[i].uid == uid) {
            return &fake_server.messages[i];
        }
    }
    return NULL;
}

/* A header that the server does not give alone is taken from the whole message,
 * as POP3's is. */
static pr_status send_octets(struct pr_feed *feed, struct pr_request *request,
                             const char *text)
{
    size_t size = strlen(text);
    if (request->want == PR_WANT_HEADER) {
        size = (size_t)(strstr(text, "\r\n\r\n") + 4 - text);
    }
    if (request->want == PR_WANT_HEADER && !fake_server.has_no_headers) {
        fake_server.headers++;
    } else {
        fake_server.bodies++;
    }
    struct pr_spool *spool;
    pr_status status =
        feed->ops->begin(feed, request->item, request->want, size, &spool);
    if (status == PR_OK) {
        status = pr_spool_append(spool, text, size);
    }
    return status;
}

static pr_status source_fetch(struct pr_source *source, struct pr_feed *feed)
{
    (void)source;
    struct pr_request request;
    pr_status status;
    size_t here = 0;
    while ((status = feed->ops->next(feed, true, &request)) == PR_OK) {
        struct fake_message *message = find_message(request.item);
        if (fake_server.lose_line_after > 0 &&
            here++ >= fake_server.lose_line_after) {
            status = pr_fail(PR_NETWORK, "the line broke");
            feed->ops->end(feed, request.item, status);
            return status;
        }
        if (message != NULL && fake_server.poison != NULL &&
            strstr(message->text, fake_server.poison) != NULL) {
            (void)!send_octets(feed, &request, message->text);
            status = pr_fail(PR_NETWORK, "the line broke");
            feed->ops->end(feed, request.item, status);
            return status;
        }
        if (message == NULL) {
            status = PR_GONE;
        } else if (message->trouble != PR_OK) {
            status = pr_fail(message->trouble, "this one will not come");
        } else {
            status = send_octets(feed, &request, message->text);
        }
        feed->ops->end(feed, request.item, status);
        if (status == PR_CANCELLED) {
            return status;
        }
    }
    return status == PR_EOF ? PR_OK : status;
}

/* Is the message with this text delivered already? */
static bool is_safe(const struct fake_message *message)
{
    const char *id = strstr(message->text, "Subject: ");
    char subject[100] = "";
    sscanf(id, "Subject: %99[^\r]", subject);
    return fake_count(&fake_mailbox, subject) > 0 ||
           fake_count(&fake_other, subject) > 0;
}

static void take_away_gone(void)
{
    size_t left = 0;
    for (size_t i = 0; i < fake_server.count; i++) {
        if (!fake_server.messages[i].is_gone) {
            fake_server.messages[left++] = fake_server.messages[i];
        }
    }
    fake_server.count = left;
}

static void note_asked(const struct pr_deed *deed)
{
    const struct {
        const char *what, *text;
    } parts[] = {
        {"set", deed->set.keywords},
        {"clear", deed->clear.keywords},
        {"label", deed->label},
        {"unlabel", deed->unlabel},
    };

    char *out = fake_server.asked;
    size_t size = 0;
    out[0] = '\0';
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        if (parts[i].text == NULL) {
            continue;
        }
        size += (size_t)snprintf(out + size, sizeof(fake_server.asked) - size,
                                 "%s %s;", parts[i].what, parts[i].text);
    }
}

static bool source_has_own_labels(const struct pr_source *source)
{
    (void)source;
    return fake_server.has_labels;
}

static pr_status source_settle(struct pr_source *source, struct pr_deed *deeds,
                               size_t count)
{
    (void)source;
    if (fake_server.settles_slowly && pr_sleep(400) != PR_OK) {
        return PR_CANCELLED;
    }
    fake_server.settles++;
    for (size_t i = 0; i < count; i++) {
        struct fake_message *message = find_message(deeds[i].item);
        deeds[i].result = PR_OK;
        note_asked(&deeds[i]);
        fake_server.settled++;
        if (message == NULL) {
            continue;
        }
        if (fake_server.refuses_all) {
            deeds[i].result = PR_REFUSED;
            continue;
        }
        if (deeds[i].copy_to != NULL && fake_server.refused_copy != NULL &&
            strcmp(deeds[i].copy_to, fake_server.refused_copy) == 0) {
            deeds[i].result = PR_REFUSED;
            continue;
        }
        fake_server.copies += deeds[i].copy_to != NULL;
        fake_server.unsafe_deeds += !is_safe(message);
        message->flags |= deeds[i].set.system;
        message->flags &= ~deeds[i].clear.system;
        message->is_gone = deeds[i].remove || deeds[i].move_to != NULL;
    }
    take_away_gone();
    return PR_OK;
}

static void source_close(struct pr_source *source)
{
    (void)source;
}

static const struct pr_source_ops source_ops = {
    .size = sizeof(source_ops),
    .open = source_open,
    .folders = source_folders,
    .select = source_select,
    .list = source_list,
    .fetch = source_fetch,
    .settle = source_settle,
    .has_labels = source_has_own_labels,
    .close = source_close,
};

static const struct pr_option no_options[] = {{0}};

const struct pr_class fake_source_class = {
    .size = sizeof(fake_source_class),
    .role = PR_ROLE_SOURCE,
    .name = "fake",
    .summary = "messages in memory",
    .options = no_options,
    .source = &source_ops,
};

/* ---- The sink: sink->state is its mailbox
 * ------------------------------------ */

static pr_status hang(struct fake_mailbox *mailbox, enum fake_hang where)
{
    if (mailbox->hang != where) {
        return PR_OK;
    }
    mailbox->hanging++;
    pr_status status = pr_sleep((uint64_t)3600 * 1000);
    mailbox->hanging--;
    return status;
}

static pr_status sink_stage(struct pr_sink *sink, struct pr_delivery *delivery)
{
    pr_status status = hang(sink->state, FAKE_IN_STAGE);
    if (status != PR_OK) {
        return status;
    }
    if (strcmp(delivery->folder, "refused") == 0) {
        return pr_fail(PR_REFUSED, "no such mailbox");
    }
    snprintf(delivery->receipt, sizeof(delivery->receipt), "%s/%s",
             delivery->folder, delivery->key);
    return PR_OK;
}

static pr_status deliver(struct fake_mailbox *mailbox,
                         struct pr_delivery *delivery)
{
    if (mailbox->fail_next > 0) {
        mailbox->fail_next--;
        snprintf(delivery->failure, sizeof(delivery->failure), "no room");
        return mailbox->failure;
    }
    struct fake_delivery *to = &mailbox->deliveries[mailbox->count];
    size_t size;
    memset(to, 0, sizeof(*to));
    pr_status status = pr_spool_read(delivery->spool, 0, to->text,
                                     sizeof(to->text) - 1, &size);
    snprintf(to->key, sizeof(to->key), "%s", delivery->key);
    snprintf(to->folder, sizeof(to->folder), "%s", delivery->folder);
    to->flags = delivery->flags.system;
    snprintf(to->keywords, sizeof(to->keywords), "%s",
             delivery->flags.keywords != NULL ? delivery->flags.keywords : "");
    mailbox->count++;
    return status;
}

static pr_status sink_commit(struct pr_sink *sink,
                             struct pr_delivery *const *batch, size_t count)
{
    struct fake_mailbox *mailbox = sink->state;
    mailbox->batches++;
    pr_status status = hang(mailbox, FAKE_BEFORE_ALL);
    for (size_t i = 0; status == PR_OK && i < count; i++) {
        batch[i]->result = deliver(mailbox, batch[i]);
    }
    if (status == PR_OK) {
        status = hang(mailbox, FAKE_AFTER_ALL);
    }
    if (fake_on_commit != NULL) {
        fake_on_commit();
    }
    return status;
}

static void sink_abort(struct pr_sink *sink, struct pr_delivery *delivery)
{
    (void)sink;
    (void)delivery;
}

static pr_status sink_recover(struct pr_sink *sink, const char *key,
                              const char *receipt)
{
    (void)receipt;
    const struct fake_mailbox *mailbox = sink->state;
    for (size_t i = 0; i < mailbox->count; i++) {
        if (strcmp(mailbox->deliveries[i].key, key) == 0) {
            return PR_OK;
        }
    }
    return mailbox->recover_says == PR_OK ? PR_GONE : mailbox->recover_says;
}

static void sink_describe(const void *options, char *name, size_t size)
{
    (void)options;
    snprintf(name, size, "memory:one");
}

static const struct pr_sink_ops sink_ops = {
    .size = sizeof(sink_ops),
    .stage = sink_stage,
    .commit = sink_commit,
    .abort = sink_abort,
    .recover = sink_recover,
    .describe = sink_describe,
};

const struct pr_class fake_sink_class = {
    .size = sizeof(fake_sink_class),
    .role = PR_ROLE_SINK,
    .name = "memory",
    .summary = "a mailbox in memory",
    .options = no_options,
    .sink = &sink_ops,
};
