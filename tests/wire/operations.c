/*
 * Running a transcript's operations and comparing what they report.
 *
 *     > open                          = open ok
 *     > folders INBOX Lists/%         = folder INBOX ... = folders ok
 *     > select INBOX                  = select ok validity=7 next=4 modseq=0
 *                                       exists=3 rw
 *     > list 1:* 9                    = item 1 size=11 received=0 flags=\Seen
 *                                       ... = list ok; without UIDs
 *                                       item #1 size=11 uidl=x flags=
 *     > fetch 1/11 2/11/h 3           = got 1 ok "A: 1\n\nx\n" ... = fetch ok
 *       (UID or, without UIDs, number, size, "h" for the header only; "listed"
 *        for all that was listed;
 *        "limit=N": longer ones are not wanted)
 *     > settle 1 set=\Seen copy=X ; 2 remove      = deed 1 ok ... = settle ok
 *     > close                         = closed
 *
 * Words in operations stand between spaces; "_" in them means a space.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../plugins/imap/flags.h"
#include "../../plugins/imap/uidset.h"
#include "auth/secret.h"
#include "base/memory.h"
#include "base/text.h"
#include "mail/spool.h"
#include "protocol.h"
#include "transcript.h"

#define ITEMS 64
#define WORDS 64

struct request {
    struct pr_item item;
    enum pr_want want;
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

struct replay {
    const struct transcript *transcript;
    size_t doing;
    struct pr_net_options *net; /* the options, which begin with them */
    struct pr_secret password;
    const char *disabled[9], *mechanisms[9], *tunnel[2];
    struct pr_source source;
    struct pr_item listed[ITEMS];
    size_t listed_count;
    char wrong[1200];
    char broken_promise[200];
};

/* The test's own memory, which no sweep makes fail. */
static char scratch[1 << 18];
static size_t scratch_used;

static void *scratch_zeroed(size_t size)
{
    char *at = scratch + scratch_used;

    scratch_used += (size + 15) & ~(size_t)15;
    if (scratch_used > sizeof(scratch))
        abort();
    return memset(at, 0, size);
}

static char *scratch_text(const char *text)
{
    return strcpy(scratch_zeroed(strlen(text) + 1), text);
}

static const struct pr_log test_log = {NULL, "wire"};

/* ---- Reporting ---------------------------------------------------------- */

static void report(struct replay *replay, const char *format, ...)
    PR_PRINTF(2, 3);

static void report(struct replay *replay, const char *format, ...)
{
    char line[500];
    va_list arguments;

    if (replay->wrong[0] != '\0')
        return;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    const char *expected = replay->doing < replay->transcript->doing_count
                               ? replay->transcript->doings[replay->doing]
                               : "(nothing)";
    if (expected[0] != '=' || strcmp(expected + 2, line) != 0)
        snprintf(replay->wrong, sizeof(replay->wrong),
                 "reported \"%s\", expected \"%s\" (last failure: %s)", line,
                 expected, pr_last_failure()->text);
    replay->doing++;
}

static void report_status(struct replay *replay, const char *what,
                          pr_status status)
{
    report(replay, "%s %s", what, pr_status_name(status));
    const char *words = replay->doing < replay->transcript->doing_count
                            ? replay->transcript->doings[replay->doing]
                            : "";
    if (words[0] != '~' || replay->wrong[0] != '\0')
        return;
    replay->doing++;
    if (strstr(pr_last_failure()->text, words + 2) == NULL)
        snprintf(replay->wrong, sizeof(replay->wrong),
                 "the words are \"%s\", expected \"%s\"",
                 pr_last_failure()->text, words + 2);
}

/* ---- Words of an operation ---------------------------------------------- */

static size_t split(const char *line, const char *words[WORDS + 1])
{
    char *copy = scratch_text(line);
    size_t count = 0;

    for (char *word = strtok(copy, " "); word != NULL && count < WORDS;
         word = strtok(NULL, " ")) {
        for (char *c = word; *c != '\0'; c++)
            if (*c == '_')
                *c = ' ';
        words[count++] = word;
    }
    words[count] = NULL;
    return count;
}

static bool value_of(const char *word, const char *name, const char **ret)
{
    size_t size = strlen(name);

    if (strncmp(word, name, size) != 0 || word[size] != '=')
        return false;
    *ret = word + size + 1;
    return true;
}

/* ---- Options ------------------------------------------------------------ */

static void set_list(const char *value, const char **list)
{
    for (size_t i = 0; i < 8; i++)
        if (list[i] == NULL) {
            list[i] = value;
            return;
        }
}

static void set_option(struct replay *replay, const char *option)
{
    struct pr_net_options *net = replay->net;
    const char *value;

    if (wire_protocol.set_option(net, option))
        return;
    if (value_of(option, "tls", &value))
        net->tls = strcmp(value, "implicit") == 0   ? PR_TLS_IMPLICIT
                   : strcmp(value, "starttls") == 0 ? PR_TLS_STARTTLS
                                                    : PR_TLS_NONE;
    else if (value_of(option, "insecure", &value))
        net->insecure = strcmp(value, "true") == 0;
    else if (value_of(option, "user", &value))
        net->user = value;
    else if (value_of(option, "password", &value))
        replay->password.text = value;
    else if (value_of(option, "read_only", &value))
        replay->source.read_only = true;
    else if (value_of(option, "disable", &value))
        set_list(value, replay->disabled);
    else if (value_of(option, "auth", &value))
        set_list(value, replay->mechanisms);
    else if (value_of(option, "tunnel", &value))
        replay->tunnel[0] = value;
    else
        snprintf(replay->wrong, sizeof(replay->wrong), "unknown option %s",
                 option);
}

static void set_options(struct replay *replay)
{
    struct pr_net_options *net = wire_protocol.new_options();

    replay->net = net;
    replay->password =
        (struct pr_secret){.kind = SECRET_TEXT, .text = "secret"};
    net->host = "mail.example.org";
    net->user = "alice";
    net->tls = PR_TLS_NONE;
    net->insecure = true;
    net->timeout = 1000;
    for (size_t i = 0; i < replay->transcript->option_count; i++)
        set_option(replay, replay->transcript->options[i]);
    net->password = &replay->password;
    net->disable = replay->disabled;
    net->auth = replay->mechanisms;
    net->tunnel = replay->tunnel;
    replay->source.options = net;
    replay->source.log = &test_log;
    replay->source.account = "test";
}

/* ---- Folders and lists -------------------------------------------------- */

static pr_status folder_found(void *user, const char *name)
{
    report(user, "folder %s", name);
    return PR_OK;
}

static void run_select(struct replay *replay, const char *name)
{
    struct pr_mailbox box;
    pr_status status = wire_protocol.ops->select(&replay->source, name, &box);

    if (status != PR_OK)
        report_status(replay, "select", status);
    else
        report(replay,
               "select ok validity=%u next=%u modseq=%" PRIu64 " exists=%u %s",
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

static pr_status item_listed(void *user, const struct pr_item *item)
{
    struct replay *replay = user;

    if (item->number > 0)
        report(replay, "item #%u size=%" PRIu64 " uidl=%s flags=%s",
               item->number, item->size,
               item->uidl != NULL ? item->uidl : "(none)",
               flags_text(&item->flags));
    else
        report(replay, "item %u size=%" PRIu64 " received=%" PRId64 " flags=%s",
               item->uid, item->size, item->received, flags_text(&item->flags));
    if (replay->listed_count < ITEMS) {
        struct pr_item *copy = &replay->listed[replay->listed_count++];
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
    replay->listed_count = 0;
    report_status(replay, "list",
                  wire_protocol.ops->list(&replay->source, ranges, count,
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
    *ret = (struct pr_request){&request->item, request->want};
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

    if (request->want != want || request->ended > 0 || request->spool != NULL)
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

static const struct pr_feed_ops feed_ops = {.size = sizeof(feed_ops),
                                            .next = feed_next,
                                            .begin = feed_begin,
                                            .end = feed_end};

static void add_request(struct replay *replay, struct feed *feed,
                        const char *word)
{
    struct request *request = &feed->requests[feed->count];
    char *rest = NULL;

    if (strncmp(word, "limit=", 6) == 0) {
        feed->limit = strtoul(word + 6, NULL, 10);
        return;
    }
    if (strcmp(word, "listed") == 0) {
        for (size_t i = 0; i < replay->listed_count; i++)
            feed->requests[feed->count++] = (struct request){
                .item = replay->listed[i], .want = PR_WANT_ALL};
        return;
    }
    request->item.uid = (uint32_t)strtoul(word, &rest, 10);
    request->item.number = request->item.uid;
    if (*rest == '/')
        request->item.size = strtoul(rest + 1, &rest, 10);
    request->want = *rest == '/' ? PR_WANT_HEADER : PR_WANT_ALL;
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
        report(replay, "got %u nothing", request->item.uid);
    } else if (request->result == PR_OK) {
        if (pr_spool_seal(request->spool) != PR_OK ||
            pr_spool_read(request->spool, 0, octets, sizeof(octets), &size) !=
                PR_OK)
            snprintf(replay->wrong, sizeof(replay->wrong), "a spool failed");
        text_printable((struct pr_bytes){octets, size}, text, sizeof(text));
        report(replay, "got %u ok \"%s\"", request->item.uid, text);
    } else {
        report(replay, "got %u %s", request->item.uid,
               pr_status_name(request->result));
    }
}

static void run_fetch(struct replay *replay, const char *const *words)
{
    struct feed *feed = scratch_zeroed(sizeof(*feed));

    feed->base.ops = &feed_ops;
    feed->limit = UINT64_MAX;
    for (; *words != NULL; words++)
        add_request(replay, feed, *words);
    pr_status status = wire_protocol.ops->fetch(&replay->source, &feed->base);
    struct pr_failure failure = *pr_last_failure();
    for (size_t i = 0; i < feed->count; i++) {
        report_request(replay, &feed->requests[i]);
        spool_free(feed->requests[i].spool);
    }
    if (failure.status != PR_OK)
        (void)pr_fail(failure.status, "%s", failure.text);
    report_status(replay, "fetch", status);
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
        else if (value_of(*words, "set", &value))
            deed->set = flags_of(value);
        else if (value_of(*words, "clear", &value))
            deed->clear = flags_of(value);
        else if (value_of(*words, "copy", &value))
            deed->copy_to = value;
        else if (value_of(*words, "move", &value))
            deed->move_to = value;
        else {
            items[count].uid = (uint32_t)strtoul(*words, NULL, 10);
            items[count].number = items[count].uid;
            deed->item = &items[count];
        }
    }
    count++;
    pr_status status = wire_protocol.ops->settle(&replay->source, deeds, count);
    for (size_t i = 0; i < count; i++)
        report(replay, "deed %u %s", deeds[i].item->uid,
               pr_status_name(deeds[i].result));
    report_status(replay, "settle", status);
}

/* ---- All of it ---------------------------------------------------------- */

static void run_operation(struct replay *replay, const char *line)
{
    const char *words[WORDS + 1];
    struct pr_source *source = &replay->source;

    if (split(line, words) == 0)
        return;
    const char *name = words[0];
    if (strcmp(name, "open") == 0) {
        report_status(replay, name, wire_protocol.ops->open(source));
    } else if (strcmp(name, "folders") == 0) {
        report_status(replay, name,
                      wire_protocol.ops->folders(source, words + 1,
                                                 folder_found, replay));
    } else if (strcmp(name, "select") == 0) {
        run_select(replay, words[1]);
    } else if (strcmp(name, "list") == 0) {
        run_list(replay, words + 1);
    } else if (strcmp(name, "fetch") == 0) {
        run_fetch(replay, words + 1);
    } else if (strcmp(name, "settle") == 0) {
        run_settle(replay, words + 1);
    } else if (strcmp(name, "close") == 0) {
        wire_protocol.ops->close(source);
        report(replay, "closed");
    } else {
        snprintf(replay->wrong, sizeof(replay->wrong), "no operation %s", name);
    }
}

static void run_doings(struct replay *replay)
{
    const struct transcript *transcript = replay->transcript;

    while (replay->doing < transcript->doing_count &&
           replay->wrong[0] == '\0') {
        const char *line = transcript->doings[replay->doing++];
        if (line[0] == '>')
            run_operation(replay, line + 2);
        else
            snprintf(replay->wrong, sizeof(replay->wrong),
                     "never reported: \"%s\"", line);
    }
    wire_protocol.ops->close(&replay->source);
}

const char *transcript_run(const struct transcript *transcript,
                           enum script_cut cut, uint32_t seed)
{
    static struct replay replay;
    struct script script = {.steps = transcript->steps,
                            .count = transcript->step_count,
                            .cut = cut,
                            .seed = seed};

    replay = (struct replay){.transcript = transcript};
    scratch_used = 0;
    set_options(&replay);
    scripted_install(&script, 1);
    run_doings(&replay);
    scripted_install(NULL, 0);
    if (replay.broken_promise[0] != '\0')
        return replay.broken_promise;
    const char *verdict = script_verdict(&script);
    size_t used = strlen(replay.wrong);
    if (verdict[0] != '\0')
        snprintf(replay.wrong + used, sizeof(replay.wrong) - used, "%s%s",
                 used > 0 ? "; " : "", verdict);
    return replay.wrong[0] == '\0' ? NULL : replay.wrong;
}

/* The plugin's own allocations take part in the sweep too (ld --wrap).
 * NOLINTBEGIN(readability-identifier-naming,bugprone-reserved-identifier) */
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
    static _Thread_local bool is_inside;

    if (is_inside)
        return __real_calloc(count, size);
    is_inside = true;
    void *memory = memory_zeroed(count, size);
    is_inside = false;
    return memory;
}

/* NOLINTEND(readability-identifier-naming,bugprone-reserved-identifier) */

const char *transcript_sweep(const struct transcript *transcript)
{
    for (unsigned long n = 1;; n++) {
        memory_fail_at(n);
        const char *wrong = transcript_run(transcript, SCRIPT_WHOLE, 0);
        bool is_over = memory_fail_pending();
        memory_fail_at(0);
        if (wrong != NULL && strncmp(wrong, "UID ", 4) == 0)
            return wrong;
        if (is_over)
            return wrong;
    }
}
