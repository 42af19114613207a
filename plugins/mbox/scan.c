/*
 * The messages of an mbox, found by reading all of it.
 */
#include "config.h"

#include "scan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "octets.h"

#define MESSAGES_MAX (10u * 1000 * 1000)
#define KEYWORDS_MAX 4000

struct scanning {
    struct scan *scan;
    struct scan_message message;
    struct pr_buffer keywords;
    bool is_in_body;
    bool has_gap; /* the empty line behind the header came */
};

/* ---- What the splitter tells --------------------------------------------- */

static pr_status begin(void *user, uint64_t at, struct pr_bytes line)
{
    struct scanning *scanning = user;

    scanning->message = (struct scan_message){
        .at = at,
        .received = from_date(line),
        .digest = {DIGEST_EMPTY, UINT64_C(0x9e3779b97f4a7c15)}};
    scanning->is_in_body = scanning->has_gap = false;
    pr_buffer_clear(&scanning->keywords);
    return PR_OK;
}

static unsigned flag_of(char letter)
{
    switch (letter) {
    case 'R':
        return PR_FLAG_SEEN;
    case 'A':
        return PR_FLAG_ANSWERED;
    case 'F':
        return PR_FLAG_FLAGGED;
    case 'D':
        return PR_FLAG_DELETED;
    case 'T':
        return PR_FLAG_DRAFT;
    default:
        return 0;
    }
}

/* Words with one blank between them, none twice; those with other than
 * printable octets are left out. */
static pr_status add_keywords(struct scanning *scanning, struct pr_bytes value)
{
    struct pr_buffer *keywords = &scanning->keywords;
    pr_status status = PR_OK;

    for (size_t at = 0; status == PR_OK && at < value.size;) {
        size_t size = 0;
        while (at + size < value.size &&
               (unsigned char)value.data[at + size] > ' ' &&
               value.data[at + size] != 0x7f)
            size++;
        char word[100];
        if (size > 0 && size < sizeof(word) - 2 &&
            keywords->size + size + 1 < KEYWORDS_MAX) {
            snprintf(word, sizeof(word), "%.*s ", (int)size, value.data + at);
            if (strstr(pr_buffer_text(keywords), word) == NULL)
                status = pr_buffer_add_text(keywords, word);
        }
        at += size + 1;
    }
    return status;
}

static pr_status field(void *user, struct pr_bytes name, struct pr_bytes value)
{
    struct scanning *scanning = user;
    struct scan_message *message = &scanning->message;

    if (pr_bytes_equal_nocase(name, PR_BYTES("X-Keywords")))
        return add_keywords(scanning, value);
    if (pr_bytes_equal_nocase(name, PR_BYTES("X-IMAP")))
        message->is_internal = scan_count(scanning->scan) == 0;
    if (pr_bytes_equal_nocase(name, PR_BYTES("Status")) ||
        pr_bytes_equal_nocase(name, PR_BYTES("X-Status")))
        for (size_t i = 0; i < value.size; i++)
            message->flags |= flag_of(value.data[i]);
    return PR_OK;
}

static pr_status header(void *user)
{
    struct scanning *scanning = user;

    scanning->is_in_body = true;
    return PR_OK;
}

/* Two digests of different kinds, so that octets that are alike in the one are
 * not in the other. */
static void digest(uint64_t both[2], const char *data, size_t size)
{
    uint64_t second = both[1];

    both[0] = digest_add(both[0], data, size);
    for (size_t i = 0; i < size; i++)
        second = (second << 7 | second >> 57) +
                 (unsigned char)data[i] * UINT64_C(0xff51afd7ed558ccd);
    both[1] = second;
}

static pr_status octets(void *user, const char *data, size_t size)
{
    struct scanning *scanning = user;
    struct scan_message *message = &scanning->message;

    digest(message->digest, data, size);
    /* The empty line comes alone, right behind the header. */
    if (!scanning->has_gap)
        message->header += size;
    scanning->has_gap = scanning->is_in_body;
    message->size += size;
    return PR_OK;
}

static pr_status end(void *user, uint64_t at)
{
    struct scanning *scanning = user;
    struct scan *scan = scanning->scan;
    struct pr_buffer *keywords = &scanning->keywords;

    scanning->message.end = at;
    if (keywords->size > 0) {
        struct pr_bytes text = {keywords->data, keywords->size - 1};
        scanning->message.keywords = pr_arena_bytes(scan->arena, text);
        if (scanning->message.keywords == NULL)
            return PR_NOMEM;
    }
    return pr_buffer_add(&scan->messages, &scanning->message,
                         sizeof(scanning->message));
}

static const struct split_calls calls = {begin, field, header, octets, end};

/* ---- Copies -------------------------------------------------------------- */

static int by_digest(const void *a, const void *b)
{
    const struct scan_message *left = *(struct scan_message *const *)a;
    const struct scan_message *right = *(struct scan_message *const *)b;
    int order = memcmp(left->digest, right->digest, sizeof(left->digest));

    if (order != 0)
        return order;
    return left->at < right->at ? -1 : left->at > right->at;
}

static pr_status number_copies(struct scan *scan)
{
    size_t count = scan_count(scan);
    struct scan_message **sorted =
        pr_arena_array(scan->arena, count + 1, sizeof(*sorted));

    if (sorted == NULL)
        return PR_NOMEM;
    for (size_t i = 0; i < count; i++)
        sorted[i] = scan_at(scan, i);
    qsort(sorted, count, sizeof(*sorted), by_digest);
    for (size_t i = 0; i < count; i++) {
        bool is_copy = i > 0 && memcmp(sorted[i]->digest, sorted[i - 1]->digest,
                                       sizeof(sorted[i]->digest)) == 0;
        sorted[i]->copy = is_copy ? sorted[i - 1]->copy + 1 : 1;
    }
    return PR_OK;
}

/* ---- The whole ----------------------------------------------------------- */

static pr_status read_all(const struct mbox_file *file, struct split *split)
{
    char *block = malloc(4 * OCTETS_BLOCK);
    uint64_t at = 0;
    pr_status status =
        block != NULL ? PR_OK : pr_fail(PR_NOMEM, "out of memory");

    while (status == PR_OK && at < file->size) {
        uint64_t rest = file->size - at;
        size_t part = rest < 4 * OCTETS_BLOCK ? (size_t)rest : 4 * OCTETS_BLOCK;
        int error = octets_read(file->fd, at, block, part);
        status = error == 0 ? split_add(split, block, part)
                            : file_fail(file, error, "read");
        at += part;
    }
    free(block);
    return status == PR_OK ? split_end(split) : status;
}

static pr_status note_state(const struct mbox_file *file, struct scan *scan)
{
    struct stat found;

    if (fstat(file->fd, &found) != 0)
        return file_fail(file, errno, "look at");
    scan->device = found.st_dev;
    scan->inode = found.st_ino;
    scan->size = (uint64_t)found.st_size;
    scan->changed = found.st_mtim;
    return PR_OK;
}

pr_status scan_file(const struct mbox_file *file, enum unquote_format format,
                    struct scan *ret)
{
    struct scanning scanning = {.scan = ret, .keywords = {.cap = KEYWORDS_MAX}};
    struct split *split = calloc(1, sizeof(*split));

    *ret = (struct scan){
        .messages = {.cap = MESSAGES_MAX * sizeof(struct scan_message)}};
    ret->arena = pr_arena_new();
    pr_status status = note_state(file, ret);
    if (ret->arena == NULL || split == NULL)
        status = pr_fail(PR_NOMEM, "out of memory");
    if (status == PR_OK) {
        split_init(split, &calls, &scanning, SPLIT_MESSAGE, format, 0);
        status = read_all(file, split);
    }
    if (status == PR_LIMIT)
        status = pr_fail(PR_LIMIT, "%s has over %u messages", file->path,
                         MESSAGES_MAX);
    if (status == PR_OK && split->has_garbage)
        status = pr_fail(PR_PROTOCOL,
                         "%s is no mbox: it does not begin with \"From \"",
                         file->path);
    if (status == PR_OK)
        status = number_copies(ret);
    pr_buffer_done(&scanning.keywords);
    free(split);
    return status;
}

void scan_free(struct scan *scan)
{
    pr_buffer_done(&scan->messages);
    pr_arena_free(scan->arena);
    *scan = (struct scan){.arena = NULL};
}

bool scan_is_current(const struct scan *scan, const struct mbox_file *file)
{
    struct stat found;

    return scan->arena != NULL && fstat(file->fd, &found) == 0 &&
           scan->device == found.st_dev && scan->inode == found.st_ino &&
           scan->size == (uint64_t)found.st_size &&
           scan->changed.tv_sec == found.st_mtim.tv_sec &&
           scan->changed.tv_nsec == found.st_mtim.tv_nsec;
}

/* ---- Looking up ---------------------------------------------------------- */

size_t scan_count(const struct scan *scan)
{
    return scan->messages.size / sizeof(struct scan_message);
}

struct scan_message *scan_at(const struct scan *scan, size_t index)
{
    return (struct scan_message *)(void *)scan->messages.data + index;
}

void scan_name(const struct scan_message *message, char ret[SCAN_NAME])
{
    int size = snprintf(ret, SCAN_NAME, "%016" PRIx64 "%08" PRIx64,
                        message->digest[0], message->digest[1] >> 32);

    if (message->copy > 1)
        snprintf(ret + size, (size_t)(SCAN_NAME - size), ".%" PRIu32,
                 message->copy);
}

struct scan_message *scan_find(const struct scan *scan, const char *name,
                               size_t hint)
{
    size_t count = scan_count(scan);

    for (size_t i = 0; i < count; i++) {
        struct scan_message *message = scan_at(scan, (hint + i) % count);
        char other[SCAN_NAME];
        scan_name(message, other);
        if (strcmp(other, name) == 0)
            return message;
    }
    return NULL;
}
