/*
 * What the function of a sweep asks: searches, messages, folders.
 *
 * Messages of a set are listed and their headers fetched in growing pieces: a
 * loop that looks at a few costs little, one that looks at all costs few
 * commands.
 */
#include <string.h>

#include "engine/events.h"
#include "engine/sweeps.h"
#include "mail/ranges.h"
#include "mail/spool.h"

#define PIECE_FIRST 16
#define PIECE_MOST 256

/* A message of the piece. */
struct sight {
    struct pr_item item;
    struct pr_spool *header; /* owned; NULL: not fetched, or handed on */
    bool is_asked;
    pr_status trouble;
    char words[PR_FAILURE_MAX];
};

struct sweep_reader {
    struct sweep_reader *next;
    struct visit *visit;
    const struct pr_range *uids; /* tidy, in the visit's arena */
    size_t count;
    size_t range;           /* where the next piece begins, */
    uint32_t first;         /* and its first UID; 0: that of the range */
    struct pr_arena *arena; /* of the piece; owned */
    struct sight *sights;
    size_t sight_count, sight_next;
    size_t piece;            /* how many are listed next */
    size_t header_piece;     /* and headers fetched */
    struct message *message; /* owned: the one that was handed out */
    size_t message_index;
};

static struct visit *visit_of(struct sweep_box *box)
{
    return (struct visit *)box;
}

static bool is_of_the_line(pr_status status)
{
    switch (status) {
    case PR_OK:
    case PR_GONE:
    case PR_REFUSED:
    case PR_UNSUPPORTED:
    case PR_LIMIT:
    case PR_LATER:
    case PR_CONFIG:
    case PR_SCRIPT:
        return false;
    default:
        return true;
    }
}

pr_status visit_note(struct visit *visit, pr_status status)
{
    session_step(&visit->session);
    if (is_of_the_line(status) && visit->broken.status == PR_OK) {
        visit->broken = *pr_last_failure();
        visit->broken.status = status;
    }
    return status;
}

static pr_status take_turn(struct visit *visit)
{
    pr_status status = pr_semaphore_take(&visit->turns, 1, PR_NEVER);
    if (status == PR_OK && visit->broken.status != PR_OK) {
        pr_semaphore_give(&visit->turns, 1);
        return pr_fail(visit->broken.status, "%s", visit->broken.text);
    }
    if (status == PR_OK) {
        visit->session.line->thinks = false;
    }
    return status;
}

static pr_status give_turn(struct visit *visit, pr_status status)
{
    visit->session.line->thinks = true;
    pr_semaphore_give(&visit->turns, 1);
    return visit_note(visit, status);
}

/* ---- Searching ----------------------------------------------------------- */

static pr_status note_found(void *user, struct pr_range uids)
{
    return pr_buffer_add(user, &uids, sizeof(uids));
}

static pr_status search(struct sweep_box *box, const struct pr_search_key *keys,
                        size_t count, struct pr_buffer *found)
{
    struct visit *visit = visit_of(box);
    pr_status status = take_turn(visit);
    return status == PR_OK ? give_turn(visit, visit_source(visit)->search(
                                                  visit->session.source, keys,
                                                  count, note_found, found))
                           : status;
}

static pr_status folders(struct sweep_box *box, const char *const *patterns,
                         pr_folder_found *found, void *user)
{
    struct visit *visit = visit_of(box);
    pr_status status = take_turn(visit);
    return status == PR_OK
               ? give_turn(visit,
                           visit_source(visit)->folders(visit->session.source,
                                                        patterns, found, user))
               : status;
}

/* ---- Headers ------------------------------------------------------------- */

struct header_feed {
    struct pr_feed feed; /* first: found again with a cast */
    struct sweep_reader *reader;
    size_t next, end;
};

static pr_status next_header(struct pr_feed *base, bool wait,
                             struct pr_request *ret)
{
    (void)wait;
    struct header_feed *feed = (struct header_feed *)base;
    *ret = (struct pr_request){0};
    while (feed->next < feed->end) {
        struct sight *sight = &feed->reader->sights[feed->next++];
        if (!sight->is_asked) {
            sight->is_asked = true;
            sight->item.user = sight;
            *ret = (struct pr_request){.item = &sight->item,
                                       .want = PR_WANT_HEADER};
            return PR_OK;
        }
    }
    return PR_EOF;
}

static pr_status begin_header(struct pr_feed *base, struct pr_item *item,
                              enum pr_want want, uint64_t octets,
                              struct pr_spool **ret)
{
    (void)want;
    (void)octets;
    struct header_feed *feed = (struct header_feed *)base;
    struct sight *sight = item->user;
    if (sight->header != NULL) {
        return pr_fail(PR_PROTOCOL, "the server sent message %u twice",
                       item->uid);
    }
    pr_status status =
        spool_new(feed->reader->visit->session.engine->config->state_dir, 0,
                  &sight->header);
    *ret = sight->header;
    return status;
}

static void end_header(struct pr_feed *base, struct pr_item *item,
                       pr_status result)
{
    struct header_feed *feed = (struct header_feed *)base;
    struct sight *sight = item->user;
    session_step(&feed->reader->visit->session);
    if (result == PR_OK && sight->header == NULL) {
        result = pr_fail(PR_PROTOCOL, "the server sent no content");
    }
    if (result == PR_OK) {
        result = pr_spool_seal(sight->header);
    }
    sight->trouble = result;
    if (result != PR_OK) {
        memcpy(sight->words, pr_last_failure()->text, sizeof(sight->words));
        spool_free(sight->header);
        sight->header = NULL;
    }
}

static const struct pr_feed_ops header_feed = {
    .size = sizeof(header_feed),
    .next = next_header,
    .begin = begin_header,
    .end = end_header,
};

static pr_status fetch_headers(struct sweep_reader *reader, size_t first)
{
    struct visit *visit = reader->visit;
    size_t end = first + reader->header_piece;
    struct header_feed feed = {
        .feed = {&header_feed},
        .reader = reader,
        .next = first,
        .end = end < reader->sight_count ? end : reader->sight_count};
    pr_status status = take_turn(visit);
    if (reader->header_piece < PIECE_MOST) {
        reader->header_piece *= 4;
    }
    return status == PR_OK
               ? give_turn(visit, visit_source(visit)->fetch(
                                      visit->session.source, &feed.feed))
               : status;
}

static pr_status fetch_header(struct message *message)
{
    struct sweep_reader *reader = message->owner;
    struct sight *sight = &reader->sights[reader->message_index];
    pr_status status = PR_OK;
    if (!sight->is_asked) {
        status = fetch_headers(reader, reader->message_index);
    }
    if (status == PR_OK && sight->trouble != PR_OK) {
        status = pr_fail(sight->trouble, "%s", sight->words);
    }
    if (status == PR_OK) {
        message->spool = sight->header;
        sight->header = NULL;
    }
    return status;
}

/* What is beyond the header comes with the whole message. */
static pr_status fetch_more(struct message *message, enum pr_want want,
                            const char *part, uint64_t most)
{
    struct sweep_reader *reader = message->owner;
    struct visit *visit = reader->visit;
    struct pr_spool *spool = NULL;
    (void)part;
    (void)most;
    if (want != PR_WANT_ALL) {
        return PR_UNSUPPORTED;
    }
    pr_status status = take_turn(visit);
    if (status != PR_OK) {
        return status;
    }
    status = give_turn(visit,
                       fetch_one(&visit->session, message->item, want, &spool));
    if (status == PR_OK) {
        message_take_whole(message, spool);
    }
    return status;
}

/* ---- One message after the other ----------------------------------------- */

static void drop_piece(struct sweep_reader *reader)
{
    message_free(reader->message);
    reader->message = NULL;
    for (size_t i = 0; i < reader->sight_count; i++) {
        spool_free(reader->sights[i].header);
    }
    reader->sight_count = reader->sight_next = 0;
    pr_arena_free(reader->arena);
    reader->arena = NULL;
}

static pr_status note_sight(void *user, const struct pr_item *item)
{
    struct sweep_reader *reader = user;
    if (reader->sight_count == reader->piece) {
        return PR_OK;
    }
    struct sight *sight = &reader->sights[reader->sight_count++];
    *sight = (struct sight){.item = *item};
    if (item->flags.keywords != NULL) {
        sight->item.flags.keywords =
            pr_arena_text(reader->arena, item->flags.keywords);
    }
    if (item->labels != NULL) {
        sight->item.labels = pr_arena_text(reader->arena, item->labels);
    }
    return PR_OK;
}

/* The ranges of the next piece; 0: there is none. */
static size_t take_ranges(struct sweep_reader *reader, struct pr_range *ranges)
{
    size_t left = reader->piece, count = 0;
    while (left > 0 && reader->range < reader->count) {
        struct pr_range range = reader->uids[reader->range];
        if (reader->first > range.first) {
            range.first = reader->first;
        }
        uint32_t size = range.last - range.first;
        if (size >= left) {
            range.last = range.first + (uint32_t)left - 1;
            reader->first = range.last + 1;
            left = 0;
        } else {
            left -= size + 1;
            reader->range++;
            reader->first = 0;
        }
        ranges[count++] = range;
    }
    return count;
}

static pr_status next_piece(struct sweep_reader *reader)
{
    struct visit *visit = reader->visit;
    drop_piece(reader);
    reader->arena = pr_arena_new();
    if (reader->arena == NULL) {
        return PR_NOMEM;
    }
    reader->sights =
        pr_arena_array(reader->arena, reader->piece, sizeof(*reader->sights));
    struct pr_range *ranges =
        pr_arena_array(reader->arena, reader->piece, sizeof(*ranges));
    if (reader->sights == NULL || ranges == NULL) {
        return PR_NOMEM;
    }
    size_t count = take_ranges(reader, ranges);
    if (count == 0) {
        return PR_EOF;
    }
    pr_status status = take_turn(visit);
    if (status == PR_OK) {
        status = give_turn(
            visit, visit_source(visit)->list(visit->session.source, ranges,
                                             count, note_sight, reader));
    }
    if (reader->piece < PIECE_MOST) {
        reader->piece *= 4;
    }
    return status;
}

static pr_status make_message(struct sweep_reader *reader)
{
    struct visit *visit = reader->visit;
    struct message *message;
    reader->message_index = reader->sight_next++;
    pr_status status =
        message_new(visit->box.account, visit->box.folder,
                    &reader->sights[reader->message_index].item, &message);
    if (status != PR_OK) {
        return status;
    }
    message->is_header_only = true;
    message->has_labels = visit->box.has_labels;
    message->fetch_header = fetch_header;
    message->fetch = fetch_more;
    message->owner = reader;
    reader->message = message;
    return PR_OK;
}

static pr_status next(struct sweep_reader *reader, struct message **ret)
{
    pr_status status = PR_OK;
    message_free(reader->message);
    reader->message = NULL;
    while (status == PR_OK && reader->sight_next == reader->sight_count) {
        status = next_piece(reader);
    }
    if (status == PR_OK) {
        status = make_message(reader);
    }
    if (status == PR_OK) {
        *ret = reader->message;
    }
    return status;
}

static pr_status read_set(struct sweep_box *box, const struct pr_range *uids,
                          size_t count, struct sweep_reader **ret)
{
    struct visit *visit = visit_of(box);
    struct sweep_reader *reader = pr_arena_alloc(visit->arena, sizeof(*reader));
    struct pr_range *copy =
        pr_arena_array(visit->arena, count + 1, sizeof(*copy));
    if (reader == NULL || copy == NULL) {
        return PR_NOMEM;
    }
    if (count > 0) {
        memcpy(copy, uids, count * sizeof(*copy));
    }
    *reader = (struct sweep_reader){.next = visit->readers,
                                    .visit = visit,
                                    .uids = copy,
                                    .count = count,
                                    .piece = PIECE_FIRST,
                                    .header_piece = PIECE_FIRST};
    visit->readers = reader;
    *ret = reader;
    return PR_OK;
}

void visit_end_readers(struct visit *visit)
{
    for (struct sweep_reader *reader = visit->readers; reader != NULL;
         reader = reader->next) {
        drop_piece(reader);
    }
    visit->readers = NULL;
}

const struct sweep_box_ops visit_ops = {
    .search = search,
    .read = read_set,
    .next = next,
    .folders = folders,
};
