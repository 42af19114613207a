/*
 * The operations of a source, for transcripts.
 *
 *     > open                          = open ok
 *     > folders INBOX Lists/%         = folder INBOX ... = folders ok
 *     > select INBOX                  = select ok validity=7 next=4 modseq=0
 *                                       exists=3 rw
 *     > list 1:* 9                    = item 1 size=11 received=0 flags=\Seen
 *                                       ... = list ok; without UIDs
 *                                       item #1 size=11 uidl=x flags=
 *     > fetch 1/11 2/11/h 3           = got 1 ok "A: 1\n\nx\n" ... = fetch ok
 *       (UID or, without UIDs, number, size, "h" for the header only, "s" for
 *        the structure, "o" for both, "p1.2" for a part, "p1.2:99" for its
 *        beginning; "listed" for all that was listed;
 *        "limit=N": longer ones are not wanted)
 *     > settle 1 set=\Seen copy=X ; 2 remove      = deed 1 ok ... = settle ok
 *     > search from=a or:to=b not:seen uid=1:9    = found 1:3 ... = search ok
 *       (names as the configuration has them; dates and ages in seconds)
 *     > manage rename Old New         = manage ok
 *     > changes 20 1:3,7              = changed 1 modseq=21 flags=\Seen
 *                                       = gone 7 ...
 *       (MODSEQ, and the UIDs that are known)  = changes ok modseq=22
 *     > keep                          = keep ok
 *     > watches INBOX Lists           = watches 2
 *     > watch INBOX probe=60          = news INBOX messages flags = watch ok
 *       (renew, probe and deadline in seconds; want=messages,flags,vanished,
 *        folder: messages if not said)
 *     > probe                         the next watch proves the line at once
 *     > glance INBOX Lists            = glance INBOX validity=7 next=4 exists=3
 *                                       modseq=0, or = glance Lists none
 *                                       ... = glance ok
 *     > close                         = closed
 *
 * Words in operations stand between spaces; "_" in them means a space.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../plugins/imap/flags.h"
#include "../../plugins/imap/uidset.h"
#include "base/text.h"
#include "mail/spool.h"
#include "protocol.h"
#include "replay.h"

#define ITEMS 64
#define WORDS REPLAY_WORDS

struct request {
    struct pr_item item;
    enum pr_want want;
    const char *part;
    uint64_t most;
    char parts[400]; /* as structure() told them */
    struct pr_spool *spool;
    unsigned taken, ended;
    pr_status result;
};

struct feed {
    struct pr_feed base;
    struct request requests[ITEMS];
    size_t count, next;
    uint64_t limit;
};

/* The source's side of the replay. */
static struct pr_source source;
static struct pr_item listed[ITEMS];
static size_t listed_count;

/* ---- Folders and lists -------------------------------------------------- */

static pr_status folder_found(void *user, const char *name)
{
    replay_report(user, "folder %s", name);
    return PR_OK;
}

static void run_select(struct replay *replay, const char *name)
{
    struct pr_mailbox box;
    pr_status status = wire_protocol.source->select(&source, name, &box);

    if (status != PR_OK)
        replay_status(replay, "select", status);
    else
        replay_report(replay,
                      "select ok validity=%u next=%u modseq=%" PRIu64
                      " exists=%u %s",
                      box.uidvalidity, box.uidnext, box.modseq, box.exists,
                      box.read_only ? "ro" : "rw");
}

static const char *flags_text(const struct pr_flags *flags)
{
    struct pr_buffer text = {.cap = 1000};
    pr_status status = imap_flags_format(flags, &text);
    const char *copy =
        scratch_text(status == PR_OK ? pr_buffer_text(&text) : "(bad)");

    pr_buffer_done(&text);
    return copy;
}

/* Labels with "|" between them, in order. */
static const char *labels_text(const char *labels)
{
    char *copy = scratch_text(labels);

    for (char *at = copy; *at != '\0'; at++)
        if (*at == '\n')
            *at = '|';
    return copy;
}

static pr_status item_listed(void *user, const struct pr_item *item)
{
    struct replay *replay = user;

    if (item->number > 0)
        replay_report(replay, "item #%u size=%" PRIu64 " uidl=%s flags=%s",
                      item->number, item->size,
                      item->uidl != NULL ? item->uidl : "(none)",
                      flags_text(&item->flags));
    else
        replay_report(
            replay,
            "item %u size=%" PRIu64 " received=%" PRId64 " flags=%s%s%s",
            item->uid, item->size, item->received, flags_text(&item->flags),
            item->labels != NULL ? " labels=" : "",
            item->labels != NULL ? labels_text(item->labels) : "");
    if (listed_count < ITEMS) {
        struct pr_item *copy = &listed[listed_count++];
        *copy = *item;
        if (copy->uid == 0)
            copy->uid = item->number;
    }
    return PR_OK;
}

static void run_list(struct replay *replay, const char *const *words)
{
    struct pr_range ranges[WORDS];
    size_t count = 0;

    for (; words[count] != NULL; count++) {
        struct pr_bytes text = pr_bytes_of(words[count]);
        if (!imap_uidset_take(&text, &ranges[count].first, &ranges[count].last))
            abort();
    }
    listed_count = 0;
    replay_status(replay, "list",
                  wire_protocol.source->list(&source, ranges, count,
                                             item_listed, replay));
}

/* ---- Fetches ------------------------------------------------------------ */

static pr_status feed_next(struct pr_feed *base, bool wait,
                           struct pr_request *ret)
{
    struct feed *feed = (struct feed *)base;

    (void)wait;
    if (feed->next == feed->count)
        return PR_EOF;
    struct request *request = &feed->requests[feed->next++];
    request->taken++;
    *ret = (struct pr_request){.item = &request->item,
                               .want = request->want,
                               .part = request->part,
                               .most = request->most};
    return PR_OK;
}

static struct request *request_of(struct feed *feed, struct pr_item *item)
{
    for (size_t i = 0; i < feed->count; i++)
        if (&feed->requests[i].item == item)
            return &feed->requests[i];
    abort();
}

static pr_status feed_begin(struct pr_feed *base, struct pr_item *item,
                            enum pr_want want, uint64_t octets,
                            struct pr_spool **ret)
{
    struct feed *feed = (struct feed *)base;
    struct request *request = request_of(feed, item);

    if ((request->want & want) == 0 || request->ended > 0 ||
        request->spool != NULL)
        abort();
    if (octets > feed->limit)
        return pr_fail(PR_LIMIT, "over the limit");
    pr_status status = spool_new("/tmp", 0, &request->spool);
    *ret = request->spool;
    return status;
}

static void feed_end(struct pr_feed *base, struct pr_item *item,
                     pr_status result)
{
    struct request *request = request_of((struct feed *)base, item);

    request->ended++;
    request->result = result;
}

/* "0*text/plain 2000": depth, "*" for a multipart, type, size. */
static pr_status feed_structure(struct pr_feed *base, struct pr_item *item,
                                const struct pr_part *parts, size_t count,
                                uint64_t octets)
{
    struct request *request = request_of((struct feed *)base, item);
    size_t at = 0;

    if ((request->want & PR_WANT_STRUCTURE) == 0 || request->ended > 0 ||
        octets == 0)
        abort();
    for (size_t i = 0; i < count && at < sizeof(request->parts); i++) {
        const char *type = parts[i].fields.data + strlen("Content-Type: ");
        at += (size_t)snprintf(request->parts + at, sizeof(request->parts) - at,
                               " %u%s%.*s %" PRIu64, parts[i].depth,
                               parts[i].is_multipart ? "*" : "",
                               (int)strcspn(type, ";\n"), type, parts[i].size);
    }
    return PR_OK;
}

static const struct pr_feed_ops feed_ops = {.size = sizeof(feed_ops),
                                            .next = feed_next,
                                            .begin = feed_begin,
                                            .end = feed_end,
                                            .structure = feed_structure};

/* What follows the size. */
static void want_what(struct request *request, const char *word)
{
    static char parts[ITEMS][20];
    static size_t kept;

    request->want = *word == 'h'   ? PR_WANT_HEADER
                    : *word == 's' ? PR_WANT_STRUCTURE
                    : *word == 'o' ? PR_WANT_OUTLINE
                    : *word == 'p' ? PR_WANT_PART
                                   : PR_WANT_ALL;
    if (*word != 'p')
        return;
    char *part = parts[kept++ % ITEMS];
    snprintf(part, sizeof(parts[0]), "%s", word + 1);
    char *colon = strchr(part, ':');
    if (colon != NULL) {
        *colon = '\0';
        request->most = strtoul(colon + 1, NULL, 10);
    }
    request->part = part;
}

static void add_request(struct feed *feed, const char *word)
{
    struct request *request = &feed->requests[feed->count];
    char *rest = NULL;

    if (strncmp(word, "limit=", 6) == 0) {
        feed->limit = strtoul(word + 6, NULL, 10);
        return;
    }
    if (strcmp(word, "listed") == 0) {
        for (size_t i = 0; i < listed_count; i++)
            feed->requests[feed->count++] =
                (struct request){.item = listed[i], .want = PR_WANT_ALL};
        return;
    }
    request->item.uid = (uint32_t)strtoul(word, &rest, 10);
    request->item.number = request->item.uid;
    if (*rest == '/')
        request->item.size = strtoul(rest + 1, &rest, 10);
    want_what(request, *rest == '/' ? rest + 1 : "");
    feed->count++;
}

static void report_request(struct replay *replay, struct request *request)
{
    char octets[300] = "", text[400];
    size_t size = 0;

    if (request->taken != request->ended) {
        snprintf(replay->broken_promise, sizeof(replay->broken_promise),
                 "UID %u was taken %u and ended %u times", request->item.uid,
                 request->taken, request->ended);
        return;
    }
    if (request->taken == 0) {
        replay_report(replay, "got %u nothing", request->item.uid);
    } else if (request->result == PR_OK && request->want == PR_WANT_STRUCTURE) {
        replay_report(replay, "got %u parts%s", request->item.uid,
                      request->parts);
    } else if (request->result == PR_OK) {
        if (request->parts[0] != '\0')
            replay_report(replay, "told %u parts%s", request->item.uid,
                          request->parts);
        if (pr_spool_seal(request->spool) != PR_OK ||
            pr_spool_read(request->spool, 0, octets, sizeof(octets), &size) !=
                PR_OK)
            snprintf(replay->wrong, sizeof(replay->wrong), "a spool failed");
        text_printable((struct pr_bytes){octets, size}, text, sizeof(text));
        replay_report(replay, "got %u ok \"%s\"", request->item.uid, text);
    } else {
        replay_report(replay, "got %u %s", request->item.uid,
                      pr_status_name(request->result));
    }
}

static void run_fetch(struct replay *replay, const char *const *words)
{
    struct feed *feed = scratch_zeroed(sizeof(*feed));

    feed->base.ops = &feed_ops;
    feed->limit = UINT64_MAX;
    for (; *words != NULL; words++)
        add_request(feed, *words);
    pr_status status = wire_protocol.source->fetch(&source, &feed->base);
    struct pr_failure failure = *pr_last_failure();
    for (size_t i = 0; i < feed->count; i++) {
        report_request(replay, &feed->requests[i]);
        spool_free(feed->requests[i].spool);
    }
    if (failure.status != PR_OK)
        (void)pr_fail(failure.status, "%s", failure.text);
    replay_status(replay, "fetch", status);
}

/* ---- Settling ----------------------------------------------------------- */

static struct pr_flags flags_of(const char *text)
{
    struct pr_flags flags = {0, NULL};
    char *copy = scratch_text(text);

    for (char *word = strtok(copy, ","); word != NULL;
         word = strtok(NULL, ",")) {
        unsigned bit = imap_flag(pr_bytes_of(word));
        flags.system |= bit;
        if (bit == 0)
            flags.keywords = word;
    }
    return flags;
}

/* Labels have "," between them here. */
static const char *labels_of(const char *text)
{
    char *copy = scratch_text(text);

    for (char *at = copy; *at != '\0'; at++)
        if (*at == ',')
            *at = '\n';
    return copy;
}

static void run_settle(struct replay *replay, const char *const *words)
{
    struct pr_item *items = scratch_zeroed(WORDS * sizeof(*items));
    struct pr_deed deeds[WORDS] = {{.item = NULL}};
    const char *value;
    size_t count = 0;

    for (; *words != NULL; words++) {
        struct pr_deed *deed = &deeds[count];
        if (strcmp(*words, ";") == 0)
            count++;
        else if (strcmp(*words, "remove") == 0)
            deed->remove = true;
        else if (replay_value(*words, "set", &value))
            deed->set = flags_of(value);
        else if (replay_value(*words, "clear", &value))
            deed->clear = flags_of(value);
        else if (replay_value(*words, "copy", &value))
            deed->copy_to = value;
        else if (replay_value(*words, "move", &value))
            deed->move_to = value;
        else if (replay_value(*words, "label", &value))
            deed->label = labels_of(value);
        else if (replay_value(*words, "unlabel", &value))
            deed->unlabel = labels_of(value);
        else {
            items[count].uid = (uint32_t)strtoul(*words, NULL, 10);
            items[count].number = items[count].uid;
            deed->item = &items[count];
        }
    }
    count++;
    pr_status status = wire_protocol.source->settle(&source, deeds, count);
    for (size_t i = 0; i < count; i++) {
        char target[40] = "";
        if (deeds[i].target_uid != 0)
            snprintf(target, sizeof(target), " to=%u/%u",
                     deeds[i].target_validity, deeds[i].target_uid);
        replay_report(replay, "deed %u %s%s", deeds[i].item->uid,
                      pr_status_name(deeds[i].result), target);
    }
    replay_status(replay, "settle", status);
}

/* ---- Searching ----------------------------------------------------------- */

static const char *const search_names[] = {
    [PR_SEARCH_ALL] = "all",
    [PR_SEARCH_BEFORE] = "before",
    [PR_SEARCH_SINCE] = "since",
    [PR_SEARCH_SENT_BEFORE] = "sentbefore",
    [PR_SEARCH_SENT_SINCE] = "sentsince",
    [PR_SEARCH_FROM] = "from",
    [PR_SEARCH_TO] = "to",
    [PR_SEARCH_CC] = "cc",
    [PR_SEARCH_BCC] = "bcc",
    [PR_SEARCH_SUBJECT] = "subject",
    [PR_SEARCH_BODY] = "body",
    [PR_SEARCH_TEXT] = "text",
    [PR_SEARCH_HEADER] = "header",
    [PR_SEARCH_LARGER] = "larger",
    [PR_SEARCH_SMALLER] = "smaller",
    [PR_SEARCH_FLAG] = "flag",
    [PR_SEARCH_KEYWORD] = "keyword",
    [PR_SEARCH_LABEL] = "label",
    [PR_SEARCH_UIDS] = "uid",
    [PR_SEARCH_GMAIL] = "gmail",
    [PR_SEARCH_RAW] = "raw",
};

static bool take_prefix(const char **word, const char *prefix)
{
    size_t size = strlen(prefix);

    if (strncmp(*word, prefix, size) != 0)
        return false;
    *word += size;
    return true;
}

static void take_uids(struct pr_search_key *key, const char *value)
{
    struct pr_range *ranges = scratch_zeroed(WORDS * sizeof(*ranges));
    struct pr_bytes text = pr_bytes_of(value);

    key->uids = ranges;
    for (; text.size > 0; key->uid_count++)
        if (!imap_uidset_take(&text, &ranges[key->uid_count].first,
                              &ranges[key->uid_count].last))
            abort();
}

static void take_search_key(struct pr_search_key *key, const char *word)
{
    const char *value = "";

    key->or_next = take_prefix(&word, "or:");
    key->is_not = take_prefix(&word, "not:");
    key->is_exact = take_prefix(&word, "exact:");
    for (unsigned by = 1; by <= PR_SEARCH_RAW; by++)
        if (replay_value(word, search_names[by], &value) ||
            strcmp(word, search_names[by]) == 0)
            key->by = (enum pr_search_by)by;
    key->text = value;
    key->octets = strtoull(value, NULL, 10);
    key->time = (int64_t)key->octets;
    if (key->is_exact)
        key->time = time(NULL) - key->time;
    key->flag = imap_flag(pr_bytes_of(value));
    if (key->by == PR_SEARCH_UIDS)
        take_uids(key, value);
    if (key->by == PR_SEARCH_HEADER) {
        char *name = scratch_text(value), *colon = strchr(name, ':');
        *colon = '\0';
        key->name = name;
        key->text = colon + 1;
    }
}

static pr_status found_uids(void *user, struct pr_range uids)
{
    replay_report(user, "found %u:%u", uids.first, uids.last);
    return PR_OK;
}

static void run_search(struct replay *replay, const char *const *words)
{
    struct pr_search_key keys[WORDS] = {{.by = PR_SEARCH_ALL}};
    size_t count = 0;

    for (; words[count] != NULL; count++)
        take_search_key(&keys[count], words[count]);
    replay_status(
        replay, "search",
        wire_protocol.source->search(&source, keys, count, found_uids, replay));
}

static void run_manage(struct replay *replay, const char *const *words)
{
    static const char *const names[] = {"create", "rename", "delete",
                                        "subscribe", "unsubscribe"};
    unsigned change = 0;

    while (strcmp(names[change], words[0]) != 0)
        change++;
    replay_status(replay, "manage",
                  wire_protocol.source->manage(&source,
                                               (enum pr_folder_change)change,
                                               words[1], words[2]));
}

/* ---- Changes ------------------------------------------------------------ */

static pr_status changed(void *user, const struct pr_change *change)
{
    struct replay *replay = user;

    if (change->is_gone)
        replay_report(replay, "gone %u", change->uid);
    else
        replay_report(replay, "changed %u modseq=%" PRIu64 " flags=%s",
                      change->uid, change->modseq, flags_text(&change->flags));
    return PR_OK;
}

static void run_changes(struct replay *replay, const char *const *words)
{
    struct pr_range known[WORDS];
    struct pr_bytes text = pr_bytes_of(words[1] != NULL ? words[1] : "");
    size_t count = 0;
    uint64_t modseq = 0;

    for (; text.size > 0; count++)
        if (!imap_uidset_take(&text, &known[count].first, &known[count].last))
            abort();
    pr_status status =
        wire_protocol.source->changes(&source, strtoull(words[0], NULL, 10),
                                      known, count, changed, replay, &modseq);
    if (status != PR_OK)
        replay_status(replay, "changes", status);
    else
        replay_report(replay, "changes ok modseq=%" PRIu64, modseq);
}

/* ---- Watching ----------------------------------------------------------- */

static const char *const news_names[] = {"messages", "flags", "vanished",
                                         "folder"};

static unsigned news_of(const char *text)
{
    unsigned news = 0;

    for (unsigned i = 0; i < 4; i++)
        if (strstr(text, news_names[i]) != NULL)
            news |= 1u << i;
    return news;
}

static void told_news(void *user, const char *folder, unsigned what)
{
    char text[100] = "";

    for (unsigned i = 0; i < 4; i++)
        if ((what & 1u << i) != 0) {
            strcat(text, " ");
            strcat(text, news_names[i]);
        }
    replay_report(user, "news %s%s", folder, text);
}

static void run_watch(struct replay *replay, const char *const *words)
{
    const char *folders[WORDS] = {NULL};
    struct pr_watch watch = {.folders = folders,
                             .wanted = PR_NEWS_MESSAGES,
                             .deadline = pr_in(24 * 60 * 60 * 1000),
                             .news = told_news,
                             .user = replay};
    const char *value;
    size_t count = 0;

    for (; *words != NULL; words++)
        if (replay_value(*words, "renew", &value))
            watch.renew_ms = strtoul(value, NULL, 10) * 1000;
        else if (replay_value(*words, "probe", &value))
            watch.probe_ms = strtoul(value, NULL, 10) * 1000;
        else if (replay_value(*words, "deadline", &value))
            watch.deadline = pr_in(strtoul(value, NULL, 10) * 1000);
        else if (replay_value(*words, "want", &value))
            watch.wanted = news_of(value);
        else
            folders[count++] = *words;
    replay_status(replay, "watch",
                  wire_protocol.source->watch(&source, &watch));
}

static pr_status glanced(void *user, const struct pr_glance *glance)
{
    if (glance->is_there)
        replay_report(user,
                      "glance %s validity=%u next=%u exists=%u modseq=%" PRIu64,
                      glance->folder, glance->uidvalidity, glance->uidnext,
                      glance->exists, glance->modseq);
    else
        replay_report(user, "glance %s none", glance->folder);
    return PR_OK;
}

static bool run_watching(struct replay *replay, const char *const *words)
{
    const struct pr_source_ops *ops = wire_protocol.source;

    if (strcmp(words[0], "watches") == 0)
        replay_report(replay, "watches %zu", ops->watches(&source, words + 1));
    else if (strcmp(words[0], "watch") == 0)
        run_watch(replay, words + 1);
    else if (strcmp(words[0], "probe") == 0)
        ops->probe(&source, 1000);
    else if (strcmp(words[0], "glance") == 0)
        replay_status(replay, "glance",
                      ops->glance(&source, words + 1, glanced, replay));
    else
        return false;
    return true;
}

/* ---- All of it ---------------------------------------------------------- */

static void run_close(struct replay *replay)
{
    wire_protocol.source->close(&source);
    replay_report(replay, "closed");
}

bool side_option(const char *option)
{
    if (strcmp(option, "read_only=true") == 0)
        source.read_only = true;
    else if (strcmp(option, "wants_changes=true") == 0)
        source.wants_changes = true;
    else
        return false;
    return true;
}

void side_begin(struct replay *replay)
{
    static const struct pr_log log = {NULL, "wire"};

    source = (struct pr_source){
        .options = replay->net, .log = &log, .account = "test"};
    listed_count = 0;
}

bool side_run(struct replay *replay, const char *const *words)
{
    const char *name = words[0];

    if (strcmp(name, "open") == 0)
        replay_status(replay, name, wire_protocol.source->open(&source));
    else if (strcmp(name, "folders") == 0)
        replay_status(replay, name,
                      wire_protocol.source->folders(&source, words + 1,
                                                    folder_found, replay));
    else if (strcmp(name, "select") == 0)
        run_select(replay, words[1]);
    else if (strcmp(name, "list") == 0)
        run_list(replay, words + 1);
    else if (strcmp(name, "fetch") == 0)
        run_fetch(replay, words + 1);
    else if (strcmp(name, "settle") == 0)
        run_settle(replay, words + 1);
    else if (strcmp(name, "changes") == 0)
        run_changes(replay, words + 1);
    else if (strcmp(name, "search") == 0)
        run_search(replay, words + 1);
    else if (strcmp(name, "manage") == 0)
        run_manage(replay, words + 1);
    else if (strcmp(name, "keep") == 0)
        replay_status(replay, name, wire_protocol.source->keep(&source));
    else if (strcmp(name, "close") == 0)
        run_close(replay);
    else
        return run_watching(replay, words);
    return true;
}

void side_end(void)
{
    wire_protocol.source->close(&source);
}
