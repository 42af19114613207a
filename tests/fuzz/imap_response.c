/*
 * The IMAP response parser: whatever octets come, however they are cut.
 *
 * The first octet says how many come at a time. What is read in these cuts must
 * be what is read whole: as many responses, of the same kinds, with the same
 * bodies and the same end.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "../../plugins/imap/copyuid.h"
#include "../../plugins/imap/imap.h"
#include "../../plugins/imap/response.h"
#include "driver.h"
#include "octets.h"

/* Pairs of a COPYUID that are looked at; a set of ranges may name thousands of
 * millions. */
#define COPIES_MOST 100000u

/* Octets of a message's labels, shown or quoted; the parser has its own cap. */
#define LABELS_CAP (64u * 1024 * 1024)

/* What came of it, folded into a number. */
struct outcome {
    uint64_t sum;
    uint64_t body_left;
    bool in_body;
};

static void fold(struct outcome *outcome, uint64_t value)
{
    outcome->sum = (outcome->sum ^ value) * 1099511628211u;
}

static void fold_octets(struct outcome *outcome, const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        fold(outcome, (unsigned char)data[i]);
}

static pr_status begin_body(void *user, const struct imap_response *response,
                            uint64_t octets)
{
    struct outcome *outcome = user;

    (void)response;
    fold(outcome, octets);
    outcome->body_left = octets;
    outcome->in_body = true;
    return PR_OK;
}

static pr_status take_chunk(void *user, struct pr_bytes octets)
{
    struct outcome *outcome = user;

    if (!outcome->in_body || octets.size == 0 ||
        octets.size > outcome->body_left)
        abort();
    outcome->body_left -= octets.size;
    fold_octets(outcome, octets.data, octets.size);
    return PR_OK;
}

static void fold_span(struct outcome *outcome,
                      const struct imap_response *response,
                      struct imap_span span)
{
    const char *text = imap_text(response, span);

    if (span.size > 0 && (span.at + span.size >= response->octets.size ||
                          text[span.size] != '\0'))
        abort();
    fold_octets(outcome, text, span.size);
}

/* What searches find, and what else is told as sets, is from the first UID of a
 * range to its last. */
static void fold_ranges(struct outcome *outcome, struct pr_buffer ranges)
{
    if (ranges.size % sizeof(struct pr_range) != 0)
        abort();
    for (size_t at = 0; at < ranges.size; at += sizeof(struct pr_range)) {
        struct pr_range range;
        memcpy(&range, ranges.data + at, sizeof(range));
        if (range.first == 0 || range.first > range.last)
            abort();
        fold(outcome, range.first);
        fold(outcome, range.last);
    }
}

/* Labels are shown, and are sent back quoted: on one line, whatever they are.
 */
static void fold_labels(struct outcome *outcome,
                        const struct imap_response *told)
{
    static const struct imap imap;
    struct pr_buffer labels = {.cap = LABELS_CAP}, sent = {.cap = LABELS_CAP};
    const char *wire = imap_text(told, told->message.labels);

    if (!told->message.has_labels)
        return;
    fold_span(outcome, told, told->message.labels);
    if (strlen(wire) != told->message.labels.size ||
        imap_labels_decode(&imap, wire, &labels) != PR_OK)
        abort();
    fold_octets(outcome, labels.data, labels.size);
    pr_status status =
        imap_labels_format(&imap, pr_buffer_text(&labels), &sent);
    if (status == PR_OK && strpbrk(pr_buffer_text(&sent), "\r\n") != NULL)
        abort();
    pr_buffer_done(&labels);
    pr_buffer_done(&sent);
}

struct copies {
    struct outcome *outcome;
    uint64_t count;
};

static void fold_copy(void *user, uint32_t from, uint32_t to)
{
    struct copies *copies = user;

    if (from == 0 || to == 0)
        abort();
    fold(copies->outcome, from);
    fold(copies->outcome, to);
    copies->count++;
}

/* Both sides of a COPYUID have as many messages. */
static void fold_copies(struct outcome *outcome,
                        const struct imap_response *told)
{
    struct copies copies = {outcome, 0};

    if (told->code != IMAP_CODE_COPYUID ||
        imap_copyuid_count(told) > COPIES_MOST)
        return;
    imap_copyuid_pairs(told, fold_copy, &copies);
    if (copies.count != imap_copyuid_count(told) ||
        (copies.count == 0 && told->number != 0))
        abort();
}

static void fold_response(struct outcome *outcome,
                          const struct imap_response *told)
{
    if (outcome->in_body && outcome->body_left > 0)
        abort();
    outcome->in_body = false;
    fold(outcome, told->kind);
    fold(outcome, told->condition);
    fold(outcome, told->code);
    fold(outcome, told->number);
    fold(outcome, told->capabilities);
    fold_span(outcome, told, told->text);
    fold_span(outcome, told, told->argument);
    fold_span(outcome, told, told->mailbox.name);
    fold_span(outcome, told, told->message.keywords);
    fold(outcome, told->message.uid);
    fold(outcome, told->message.size);
    fold(outcome, (uint64_t)told->message.received);
    fold(outcome, told->message.system_flags);
    fold_ranges(outcome, told->ranges);
    fold_ranges(outcome, told->targets);
    fold_labels(outcome, told);
    fold_copies(outcome, told);
}

static uint64_t read_all(const uint8_t *data, size_t size, size_t step)
{
    struct octets octets = {.all = {(const char *)data, size}, .step = step};
    const struct imap_octets from = octets_source(&octets);
    struct outcome outcome = {.sum = 14695981039346656037u};
    const struct imap_receiver receiver = {begin_body, take_chunk, &outcome};
    struct imap_response response;
    struct imap_reader reader;
    pr_status status;

    imap_reader_init(&reader, &from, NULL);
    imap_response_init(&response);
    while ((status = imap_response_read(&reader, &receiver, &response)) ==
           PR_OK)
        fold_response(&outcome, &response);
    if (status != PR_EOF && status != PR_PROTOCOL && status != PR_LIMIT)
        abort();
    fold(&outcome, status);
    imap_response_done(&response);
    imap_reader_done(&reader);
    return outcome.sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    uint64_t whole = read_all(data + 1, size - 1, size);
    if (read_all(data + 1, size - 1, 1 + data[0] % 16) != whole)
        abort();
    return 0;
}
