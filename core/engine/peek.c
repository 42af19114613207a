/*
 * One message as it is on the server, fetched as a pass would fetch it.
 *
 * The source's fetch goes on while the rules run in a fiber of their own: what
 * they ask for is its next request. Rules ask for one thing at a time.
 */
#include "engine/peek.h"

#include <stddef.h>

#include "mail/spool.h"
#include "plugin/registry.h"

struct peek {
    struct pr_feed feed;
    struct config *config;
    const struct look *look;
    const struct account *account;
    const char *folder;
    struct pr_item *item;
    struct message *message; /* owned */
    struct pr_scope rules;
    struct pr_event moves;
    unsigned wants; /* of enum pr_want: what the source can fetch of it */
    enum pr_want first;
    bool has_begun, is_telling, is_over;
    struct pr_spool *incoming; /* owned */
    struct pr_request ask;     /* what the rules wait for */
    bool is_asked, is_handed;
    pr_status answer; /* to the last ask */
    struct pr_failure answer_words;
    pr_status failure;
    struct pr_failure words;
};

static struct peek *peek_of(struct pr_feed *feed)
{
    return (struct peek *)((char *)feed - offsetof(struct peek, feed));
}

static void give_up(struct peek *peek, pr_status status)
{
    if (peek->failure == PR_OK) {
        peek->failure = status;
        peek->words = *pr_last_failure();
    }
}

/* ---- In the fiber of the rules ------------------------------------------- */

static pr_status fetch_more(struct message *message, enum pr_want want,
                            const char *part, uint64_t most)
{
    struct peek *peek = message->owner;
    pr_status status = PR_OK;
    if (!peek->is_asked) {
        peek->ask = (struct pr_request){
            .item = peek->item, .want = want, .part = part, .most = most};
        peek->is_asked = true;
        peek->is_handed = false;
        message->cost.requests++;
        pr_event_wake_all(&peek->moves);
    }
    while (peek->is_asked && !peek->is_over && status == PR_OK) {
        status = pr_event_wait(&peek->moves, PR_NEVER);
    }
    if (status != PR_OK || peek->is_asked) {
        return pr_fail(status != PR_OK ? status : PR_CANCELLED,
                       "the message did not come");
    }
    bool is_dispensable =
        want != PR_WANT_ALL &&
        (peek->answer == PR_UNSUPPORTED || peek->answer == PR_REFUSED);
    if (peek->answer == PR_OK || is_dispensable) {
        return peek->answer == PR_OK ? PR_OK : PR_UNSUPPORTED;
    }
    return pr_fail(peek->answer, "the message did not come: %s",
                   peek->answer_words.text);
}

static pr_status tell(void *argument)
{
    struct peek *peek = argument;
    pr_status status =
        peek->look->each(peek->look->user, peek->account, peek->message);
    if (status != PR_OK) {
        give_up(peek, status);
    }
    peek->is_telling = false;
    pr_event_wake_all(&peek->moves);
    return status;
}

/* ---- The feed ------------------------------------------------------------ */

static pr_status feed_next(struct pr_feed *feed, bool wait,
                           struct pr_request *ret)
{
    struct peek *peek = peek_of(feed);
    *ret = (struct pr_request){0};
    while (peek->failure == PR_OK) {
        if (!peek->has_begun) {
            peek->has_begun = true;
            *ret = (struct pr_request){.item = peek->item, .want = peek->first};
            return PR_OK;
        }
        if (peek->is_asked && !peek->is_handed) {
            peek->is_handed = true;
            *ret = peek->ask;
            return PR_OK;
        }
        if (peek->message != NULL && !peek->is_telling) {
            return PR_EOF;
        }
        if (!wait) {
            return PR_OK;
        }
        pr_status status = pr_event_wait(&peek->moves, PR_NEVER);
        if (status != PR_OK) {
            return status;
        }
    }
    return PR_EOF;
}

static pr_status feed_begin(struct pr_feed *feed, struct pr_item *item,
                            enum pr_want want, uint64_t octets,
                            struct pr_spool **ret)
{
    struct peek *peek = peek_of(feed);
    (void)item;
    (void)want;
    (void)octets;
    spool_free(peek->incoming);
    peek->incoming = NULL;
    pr_status status = spool_new(peek->config->state_dir, 0, &peek->incoming);
    *ret = peek->incoming;
    return status;
}

static pr_status feed_structure(struct pr_feed *feed, struct pr_item *item,
                                const struct pr_part *parts, size_t count,
                                uint64_t octets)
{
    struct peek *peek = peek_of(feed);
    struct tree tree = {.parts = {.cap = 0}};
    (void)item;
    pr_status status = message_read_structure(parts, count, &tree);
    if (status != PR_OK) {
        return status == PR_UNSUPPORTED ? PR_OK : status;
    }
    peek->message->cost.structure += octets;
    message_take_structure(peek->message, &tree);
    return PR_OK;
}

/* The first that comes: the rules run. */
static pr_status take_first(struct peek *peek)
{
    if (peek->incoming == NULL) {
        return pr_fail(PR_PROTOCOL, "the server sent no content");
    }
    pr_status status = pr_spool_seal(peek->incoming);
    if (status == PR_OK) {
        status = message_new(peek->account->name, peek->folder, peek->item,
                             &peek->message);
    }
    if (status != PR_OK) {
        return status;
    }
    struct message *message = peek->message;
    uint64_t octets = pr_spool_wire_size(peek->incoming);
    message->spool = peek->incoming;
    peek->incoming = NULL;
    message->is_header_only = peek->first != PR_WANT_ALL;
    *(message->is_header_only ? &message->cost.header : &message->cost.whole) =
        octets;
    message->wants = peek->wants;
    message->fetch = fetch_more;
    message->owner = peek;
    peek->is_telling = true;
    return pr_spawn(&peek->rules, peek->folder, PR_STACK_RULE, tell, peek);
}

static pr_status take_more(struct peek *peek)
{
    struct message *message = peek->message;
    struct pr_spool *spool = peek->incoming;
    if (peek->ask.want == PR_WANT_STRUCTURE) {
        return message->is_told ? PR_OK : PR_UNSUPPORTED;
    }
    if (spool == NULL) {
        return peek->ask.want == PR_WANT_ALL
                   ? pr_fail(PR_PROTOCOL, "the server sent no content")
                   : PR_UNSUPPORTED;
    }
    pr_status status = pr_spool_seal(spool);
    if (status != PR_OK) {
        return status;
    }
    uint64_t octets = pr_spool_wire_size(spool);
    peek->incoming = NULL;
    if (peek->ask.want == PR_WANT_ALL) {
        message->cost.whole += octets;
        message_take_whole(message, spool);
        return PR_OK;
    }
    message->cost.parts += octets;
    return message_take_part(message, peek->ask.part, peek->ask.most, spool);
}

static void feed_end(struct pr_feed *feed, struct pr_item *item,
                     pr_status result)
{
    struct peek *peek = peek_of(feed);
    (void)item;
    if (peek->message == NULL) {
        if (result == PR_OK) {
            result = take_first(peek);
        }
        if (result != PR_OK) {
            peek->is_telling = false;
            give_up(peek, result);
        }
    } else if (peek->is_asked) {
        peek->answer = result == PR_OK ? take_more(peek) : result;
        peek->answer_words = *pr_last_failure();
        peek->is_asked = false;
    }
    spool_free(peek->incoming);
    peek->incoming = NULL;
    pr_event_wake_all(&peek->moves);
}

static const struct pr_feed_ops feed_ops = {
    .size = sizeof(feed_ops),
    .next = feed_next,
    .begin = feed_begin,
    .end = feed_end,
    .structure = feed_structure,
};

/* ---- The whole ----------------------------------------------------------- */

pr_status peek(struct config *config, const struct look *look,
               const struct account *account, const char *folder,
               struct pr_source *source, bool has_headers, struct pr_item *item)
{
    const struct pr_source_ops *ops = source->class->source;
    struct peek peek = {.feed = {&feed_ops},
                        .config = config,
                        .look = look,
                        .account = account,
                        .folder = folder,
                        .item = item,
                        .wants = REGISTRY_COVERS(ops, wants) ? ops->wants : 0,
                        .first =
                            has_headers && item->size > account->whole_below
                                ? PR_WANT_HEADER
                                : PR_WANT_ALL};
    pr_scope_init(&peek.rules);
    pr_status status = ops->fetch(source, &peek.feed);
    struct pr_failure words = *pr_last_failure();
    peek.is_over = true;
    pr_event_wake_all(&peek.moves);
    (void)pr_scope_join(&peek.rules);
    bool is_there = peek.message != NULL;
    message_free(peek.message);
    spool_free(peek.incoming);
    if (status == PR_OK && peek.failure != PR_OK) {
        status = peek.failure;
        words = peek.words;
    }
    if (status == PR_OK) {
        return is_there ? PR_OK : pr_fail(PR_GONE, "the message is gone");
    }
    return pr_fail(status, "%s", words.text);
}
