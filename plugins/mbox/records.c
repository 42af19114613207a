/*
 * How the records of a journal are written and read.
 */
#include "config.h"

#include "records.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- Lines --------------------------------------------------------------- */

void records_format_state(const struct journal_record *record,
                          char ret[RECORDS_STATE + 1])
{
    snprintf(ret, RECORDS_STATE + 1, "%c %08" PRIx32, (char)record->state,
             record->done);
}

#define RECORDS_REST (RECORDS_LINE - RECORDS_STATE_AT - RECORDS_STATE)

static uint64_t digest_of(const char *rest, const char *entries, size_t size)
{
    /* Up to its own place, which is at the end. */
    uint64_t digest = digest_add(DIGEST_EMPTY, rest, RECORDS_REST - 17);

    return digest_add(digest, entries, size);
}

void records_format(const struct journal_record *record,
                    const struct pr_buffer *entries, char ret[RECORDS_LINE + 1])
{
    char state[RECORDS_STATE + 1], rest[RECORDS_REST + 1];

    records_format_state(record, state);
    snprintf(rest, sizeof(rest),
             " %016" PRIx64 " %016" PRIx64 " %016" PRIx64 " %08" PRIx32 " ",
             record->offset, record->old_size, record->size, record->count);
    snprintf(rest + RECORDS_REST - 17, 18, "%016" PRIx64 "\n",
             digest_of(rest, pr_buffer_text(entries), entries->size));
    snprintf(ret, RECORDS_LINE + 1, "batch %s%s", state, rest);
}

pr_status records_format_entry(const struct journal_entry *entry,
                               struct pr_buffer *ret)
{
    return pr_buffer_printf(ret, "%-64s %016" PRIx64 " %016" PRIx64 "\n",
                            entry->key, entry->size, entry->digest);
}

/* `digits` octets in hexadecimal, then `end`; moves on. */
static bool take_number(const char **at, int digits, char end, uint64_t *ret)
{
    static const char hex[] = "0123456789abcdef";

    *ret = 0;
    for (int i = 0; i < digits; i++, (*at)++) {
        const char *digit = **at != '\0' ? strchr(hex, **at) : NULL;
        if (digit == NULL)
            return false;
        *ret = *ret << 4 | (uint64_t)(digit - hex);
    }
    return *(*at)++ == end;
}

bool records_parse_entry(const char line[RECORDS_ENTRY],
                         struct journal_entry *ret)
{
    const char *at = line + KEY_MAX;
    size_t size = KEY_MAX;

    while (size > 0 && line[size - 1] == ' ')
        size--;
    memcpy(ret->key, line, size);
    ret->key[size] = '\0';
    return *at++ == ' ' && take_number(&at, 16, ' ', &ret->size) &&
           take_number(&at, 16, '\n', &ret->digest);
}

static bool parse_line(const char line[RECORDS_LINE], uint64_t at,
                       struct journal_record *ret, uint64_t *ret_digest)
{
    const char *c = line + RECORDS_STATE_AT + 2;
    char state = line[RECORDS_STATE_AT];
    uint64_t done, count;

    if (memcmp(line, "batch ", 6) != 0 ||
        (state != JOURNAL_BEGUN && state != JOURNAL_DONE &&
         state != JOURNAL_VOID) ||
        line[RECORDS_STATE_AT + 1] != ' ')
        return false;
    *ret =
        (struct journal_record){.at = at, .state = (enum journal_state)state};
    if (!take_number(&c, 8, ' ', &done) ||
        !take_number(&c, 16, ' ', &ret->offset) ||
        !take_number(&c, 16, ' ', &ret->old_size) ||
        !take_number(&c, 16, ' ', &ret->size) ||
        !take_number(&c, 8, ' ', &count) ||
        !take_number(&c, 16, '\n', ret_digest))
        return false;
    ret->done = (uint32_t)done;
    ret->count = (uint32_t)count;
    ret->payload = at + RECORDS_LINE + count * RECORDS_ENTRY;
    return true;
}

bool records_parse(int fd, uint64_t at, struct journal_record *ret)
{
    char line[RECORDS_LINE];
    uint64_t digest;

    return octets_read(fd, at, line, sizeof(line)) == 0 &&
           parse_line(line, at, ret, &digest);
}

/* ---- All of them --------------------------------------------------------- */

struct reader {
    int fd;
    uint64_t size; /* of the file */
    char *block;
    uint64_t at; /* of the block, in the file */
    size_t held;
};

/* `size` octets at `at`, at most a block of them; *ret NULL: they are not
 * there. */
static int look(struct reader *reader, uint64_t at, size_t size,
                const char **ret)
{
    *ret = NULL;
    if (at > reader->size || reader->size - at < size)
        return 0;
    if (at < reader->at || at + size > reader->at + reader->held) {
        uint64_t rest = reader->size - at;
        reader->held = rest < OCTETS_BLOCK ? (size_t)rest : OCTETS_BLOCK;
        reader->at = at;
        int error = octets_read(reader->fd, at, reader->block, reader->held);
        if (error != 0)
            return error;
    }
    *ret = reader->block + (at - reader->at);
    return 0;
}

static int read_entries(struct reader *reader,
                        const struct journal_record *record, uint64_t *digest,
                        records_visitor *visit, void *user, bool *ret_is_valid)
{
    uint64_t at = record->at + RECORDS_LINE;

    for (uint32_t i = 0; i < record->count; i++, at += RECORDS_ENTRY) {
        struct journal_entry entry;
        const char *line;
        int error = look(reader, at, RECORDS_ENTRY, &line);
        if (error != 0)
            return error;
        *ret_is_valid = line != NULL && records_parse_entry(line, &entry);
        if (!*ret_is_valid)
            return 0;
        *digest = digest_add(*digest, line, RECORDS_ENTRY);
        if (visit != NULL)
            visit(user, record, i, &entry);
    }
    return 0;
}

static int read_record(struct reader *reader, uint64_t at,
                       struct journal_record *ret, records_visitor *visit,
                       void *user, bool *ret_is_valid)
{
    const char *line;
    uint64_t noted;
    int error = look(reader, at, RECORDS_LINE, &line);

    *ret_is_valid =
        error == 0 && line != NULL && parse_line(line, at, ret, &noted);
    if (!*ret_is_valid)
        return error;
    uint64_t digest =
        digest_add(DIGEST_EMPTY, line + RECORDS_STATE_AT + RECORDS_STATE,
                   RECORDS_REST - 17);
    error = read_entries(reader, ret, &digest, visit, user, ret_is_valid);
    *ret_is_valid = *ret_is_valid && digest == noted;
    return error;
}

static int read_all(struct reader *reader, records_visitor *visit, void *user,
                    struct records_end *ret)
{
    const size_t head = sizeof(RECORDS_HEAD) - 1;
    struct journal_record record;
    bool is_valid;
    const char *line;
    int error = look(reader, 0, head, &line);

    if (error != 0 || line == NULL || memcmp(line, RECORDS_HEAD, head) != 0)
        return error;
    ret->at = head;
    for (;;) {
        error = read_record(reader, ret->at, &record, visit, user, &is_valid);
        if (error != 0 || !is_valid)
            return error;
        ret->last = record;
        ret->count++;
        ret->at = record.payload;
        if (record.state != JOURNAL_DONE)
            return 0;
    }
}

pr_status records_read(int fd, records_visitor *visit, void *user,
                       struct records_end *ret)
{
    struct stat found;
    struct reader reader = {.fd = fd, .block = malloc(OCTETS_BLOCK)};
    int error = 0;

    *ret = (struct records_end){.at = 0};
    if (reader.block == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    if (fstat(fd, &found) != 0)
        error = errno;
    else
        reader.size = (uint64_t)found.st_size;
    if (error == 0)
        error = read_all(&reader, visit, user, ret);
    free(reader.block);
    if (error == EBADMSG)
        return pr_fail(PR_IO, "a journal became shorter while it was read");
    return error == 0 ? PR_OK
                      : pr_fail_errno(PR_IO, error, "cannot read a journal");
}

void records_find_half(void *user, const struct journal_record *record,
                       uint32_t index, const struct journal_entry *entry)
{
    struct records_half *half = user;

    (void)index, (void)entry;
    if (half->at == 0 && record->at >= half->least)
        half->at = record->at;
}
