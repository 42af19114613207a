/*
 * The journal of an mbox: records, in text of fixed width.
 */
#include "config.h"

#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postrider/crash.h>

#include "records.h"

/* Above this, the older half of it is left out when it is next written to:
 * keys of 80,000 messages stay. */
#define JOURNAL_MAX (UINT64_C(16) * 1024 * 1024)

pr_status journal_fail(const struct journal *journal, int error,
                       const char *what)
{
    return pr_fail_errno(PR_IO, error, "cannot %s the journal %s of %s", what,
                         journal->name, journal->file->path);
}

/* ---- Reading it ---------------------------------------------------------- */

static bool is_marked(const struct journal *journal, const struct stat *found)
{
    const struct journal_mark *mark = journal->mark;

    return mark != NULL && mark->end > 0 && mark->device == found->st_dev &&
           mark->inode == found->st_ino &&
           mark->end == (uint64_t)found->st_size;
}

static pr_status read_all(struct journal *journal)
{
    struct stat found;

    if (fstat(journal->fd, &found) != 0)
        return journal_fail(journal, errno, "look at");
    if (is_marked(journal, &found)) {
        journal->end = journal->mark->end;
        return PR_OK;
    }
    struct records_end end;
    pr_status status = records_read(journal->fd, NULL, NULL, &end);
    if (status != PR_OK)
        return status;
    journal->end = end.at;
    journal->last = end.last;
    journal->is_pending = end.count > 0 && end.last.state != JOURNAL_DONE;
    return PR_OK;
}

static pr_status write_head(struct journal *journal)
{
    int error =
        octets_write(journal->fd, 0, RECORDS_HEAD, sizeof(RECORDS_HEAD) - 1);

    if (error != 0)
        return journal_fail(journal, error, "write");
    journal->end = sizeof(RECORDS_HEAD) - 1;
    return PR_OK;
}

pr_status journal_open(struct journal *journal, const struct mbox_file *file,
                       struct journal_mark *mark)
{
    *journal = (struct journal){.file = file,
                                .mark = mark,
                                .directory = file->directory,
                                .fd = -1,
                                .index = {.cap = SIZE_MAX / 2}};
    pr_status status = journal_find(journal, true);
    if (status == PR_OK)
        status = read_all(journal);
    if (status == PR_OK && journal->end == 0)
        status = write_head(journal);
    return status;
}

static void set_mark(const struct journal *journal)
{
    struct stat found;

    if (journal->mark == NULL)
        return;
    *journal->mark = (struct journal_mark){.end = 0};
    if (journal->fd < 0 || journal->is_pending || journal->is_renewed ||
        fstat(journal->fd, &found) != 0)
        return;
    *journal->mark = (struct journal_mark){
        .device = found.st_dev, .inode = found.st_ino, .end = journal->end};
}

void journal_close(struct journal *journal)
{
    char name[sizeof(journal->name) + 4];

    if (journal->file == NULL)
        return;
    set_mark(journal);
    if (journal->is_renewed) {
        snprintf(name, sizeof(name), "%s.new", journal->name);
        (void)unlinkat(journal->directory, name, 0);
    }
    if (journal->fd >= 0)
        close(journal->fd);
    if (journal->directory != journal->file->directory)
        close(journal->directory);
    pr_buffer_done(&journal->index);
    free(journal->block);
    journal->fd = -1;
    journal->block = NULL;
}

/* ---- Writing a record ---------------------------------------------------- */

static pr_status shorten(struct journal *journal);

pr_status journal_begin(struct journal *journal, uint32_t count,
                        uint64_t offset, uint64_t old_size)
{
    pr_status status = PR_OK;

    if (journal->end > JOURNAL_MAX && !journal->is_renewed)
        status = shorten(journal);
    if (status != PR_OK)
        return status;
    if (journal->block == NULL)
        journal->block = malloc(OCTETS_BLOCK);
    if (journal->block == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    journal->last = (struct journal_record){
        .at = journal->end,
        .payload =
            journal->end + RECORDS_LINE + (uint64_t)count * RECORDS_ENTRY,
        .state = JOURNAL_BEGUN,
        .offset = offset,
        .old_size = old_size,
        .count = 0,
    };
    pr_buffer_clear(&journal->index);
    journal->filled = 0;
    journal->written = 0;
    journal->room = count;
    journal->entry = (struct journal_entry){.digest = DIGEST_EMPTY};
    /* What a crash has left there might else be taken for the payload. */
    if (ftruncate(journal->fd, (off_t)journal->end) != 0)
        return journal_fail(journal, errno, "shorten");
    return PR_OK;
}

static pr_status flush(struct journal *journal)
{
    uint64_t at = journal->last.payload + journal->written - journal->filled;
    int error = octets_write(journal->fd, at, journal->block, journal->filled);

    /* Else the octets stay, for some may be of entries before this one. */
    if (error == 0)
        journal->filled = 0;
    return error == 0 ? PR_OK : journal_fail(journal, error, "write");
}

pr_status journal_put(struct journal *journal, const char *data, size_t size)
{
    journal->entry.digest = digest_add(journal->entry.digest, data, size);
    while (size > 0) {
        size_t room = OCTETS_BLOCK - journal->filled;
        size_t part = size < room ? size : room;
        memcpy(journal->block + journal->filled, data, part);
        journal->filled += part;
        journal->written += part;
        journal->entry.size += part;
        data += part;
        size -= part;
        if (journal->filled == OCTETS_BLOCK) {
            pr_status status = flush(journal);
            if (status != PR_OK)
                return status;
        }
    }
    return PR_OK;
}

pr_status journal_note(struct journal *journal, const char *key, uint64_t size,
                       uint64_t digest)
{
    struct journal_entry entry = {.size = size, .digest = digest};

    snprintf(entry.key, sizeof(entry.key), "%s", key);
    pr_status status = records_format_entry(&entry, &journal->index);
    if (status == PR_OK)
        journal->last.count++;
    return status;
}

pr_status journal_add(struct journal *journal, const char *key)
{
    struct journal_entry *entry = &journal->entry;
    pr_status status = journal_note(journal, key, entry->size, entry->digest);

    if (status == PR_OK)
        *entry = (struct journal_entry){.digest = DIGEST_EMPTY};
    return status;
}

void journal_take_back(struct journal *journal)
{
    uint64_t size = journal->entry.size;

    journal->written -= size;
    journal->filled =
        size < journal->filled ? journal->filled - (size_t)size : 0;
    /* What was written of it already takes room that others may need. */
    (void)ftruncate(journal->fd, (off_t)(journal->last.payload +
                                         journal->written - journal->filled));
    journal->entry = (struct journal_entry){.digest = DIGEST_EMPTY};
}

/* Makes the renewed file the journal. */
static pr_status replace(struct journal *journal)
{
    char name[sizeof(journal->name) + 4];

    snprintf(name, sizeof(name), "%s.new", journal->name);
    if (renameat(journal->directory, name, journal->directory, journal->name) !=
        0)
        return journal_fail(journal, errno, "replace");
    journal->is_renewed = false;
    pr_crash_point("mbox journal replaced");
    return PR_OK;
}

static pr_status seal(struct journal *journal)
{
    struct journal_record *last = &journal->last;
    char line[RECORDS_LINE + 1];
    pr_status status = flush(journal);

    /* The room is where the payload begins: it is filled up. */
    while (status == PR_OK && last->count < journal->room)
        status = journal_note(journal, "+", 0, DIGEST_EMPTY);

    if (status != PR_OK)
        return status;
    last->size = journal->written;
    last->done = last->count;
    records_format(last, &journal->index, line);
    int error = octets_write(journal->fd, last->at, line, RECORDS_LINE);
    if (error == 0)
        error = octets_write(journal->fd, last->at + RECORDS_LINE,
                             journal->index.data, journal->index.size);
    if (error == 0 &&
        ftruncate(journal->fd, (off_t)(last->payload + last->size)) != 0)
        error = errno;
    pr_crash_point("mbox journal written");
    if (error == 0 && fsync(journal->fd) != 0)
        error = errno;
    return error == 0 ? PR_OK : journal_fail(journal, error, "write");
}

pr_status journal_seal(struct journal *journal)
{
    bool is_new = journal->was_made || journal->is_renewed;
    pr_status status = seal(journal);

    if (status == PR_OK && journal->is_renewed)
        status = replace(journal);
    if (status == PR_OK && is_new) {
        int error = octets_sync_directory(journal->directory);
        if (error != 0)
            status = journal_fail(journal, error, "sync the folder of");
    }
    if (status != PR_OK) {
        journal_drop(journal);
        return status;
    }
    pr_crash_point("mbox journal synced");
    journal->was_made = false;
    journal->is_pending = true;
    journal->end = journal->last.payload;
    return PR_OK;
}

void journal_drop(struct journal *journal)
{
    journal->end = journal->last.at;
    journal->is_pending = false;
    journal->filled = 0;
    (void)ftruncate(journal->fd, (off_t)journal->end);
}

/* ---- The last record ----------------------------------------------------- */

pr_status journal_entry_at(const struct journal *journal, uint32_t index,
                           struct journal_entry *ret)
{
    const struct journal_record *last = &journal->last;
    char line[RECORDS_ENTRY];
    int error = octets_read(
        journal->fd, last->at + RECORDS_LINE + (uint64_t)index * RECORDS_ENTRY,
        line, sizeof(line));

    if (error == 0 && !records_parse_entry(line, ret))
        error = EBADMSG;
    return error == 0 ? PR_OK : journal_fail(journal, error, "read");
}

static pr_status write_state(struct journal *journal)
{
    char line[RECORDS_STATE + 1];

    records_format_state(&journal->last, line);
    int error = octets_write(journal->fd, journal->last.at + RECORDS_STATE_AT,
                             line, RECORDS_STATE);
    return error == 0 ? PR_OK : journal_fail(journal, error, "write");
}

pr_status journal_void(struct journal *journal)
{
    journal->last.state = JOURNAL_VOID;
    return write_state(journal);
}

pr_status journal_finish(struct journal *journal, uint32_t done)
{
    bool is_whole = done == journal->last.count;

    journal->last.state = JOURNAL_DONE;
    journal->last.done = done;
    pr_status status = write_state(journal);
    if (status != PR_OK)
        return status;
    journal->is_pending = false;
    pr_crash_point("mbox journal done");
    /* A mark that a power cut takes back is found again in the mbox, unless
     * less is there than the record says. */
    if (ftruncate(journal->fd, (off_t)journal->end) != 0 ||
        (!is_whole && fsync(journal->fd) != 0))
        return journal_fail(journal, errno, "shorten");
    return PR_OK;
}

/* ---- Another file -------------------------------------------------------- */

/* Copies what is valid of the journal, from `from` on, into a new file. */
static pr_status copy_to_new(struct journal *journal, uint64_t from)
{
    char name[sizeof(journal->name) + 4];
    uint64_t size = journal->end - from, head = sizeof(RECORDS_HEAD) - 1;

    snprintf(name, sizeof(name), "%s.new", journal->name);
    (void)unlinkat(journal->directory, name, 0);
    int fd = openat(journal->directory, name,
                    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return journal_fail(journal, errno, "renew");
    int error = octets_write(fd, 0, RECORDS_HEAD, (size_t)head);
    if (error == 0)
        error = octets_copy(journal->fd, from, fd, head, size);
    close(journal->fd);
    journal->fd = fd;
    journal->is_renewed = true;
    journal->end = head + size;
    return error == 0 ? PR_OK : journal_fail(journal, error, "renew");
}

pr_status journal_renew(struct journal *journal, uint32_t done)
{
    pr_status status = copy_to_new(journal, sizeof(RECORDS_HEAD) - 1);

    if (status != PR_OK || !journal->is_pending)
        return status;
    journal->last.state = JOURNAL_DONE;
    journal->last.done = done;
    journal->is_pending = false;
    return write_state(journal);
}

/* Leaves out the older half. */
static pr_status shorten(struct journal *journal)
{
    struct records_half half = {.least = journal->end / 2};
    struct records_end end;
    pr_status status =
        records_read(journal->fd, records_find_half, &half, &end);

    if (status != PR_OK)
        return status;
    return copy_to_new(journal, half.at != 0 ? half.at : journal->end);
}
