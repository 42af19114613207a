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

#include "place.h"
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

/* ---- Where it is --------------------------------------------------------- */

static void name_beside(const char *mbox, char ret[300])
{
    snprintf(ret, 300, ".%.200s.postrider", mbox);
}

/* In a folder of journals, of mboxes from anywhere. */
static void name_apart(const char *path, const char *mbox, char ret[300])
{
    snprintf(ret, 300, "%.200s.%016" PRIx64, mbox,
             digest_add(DIGEST_EMPTY, path, strlen(path)));
}

/* Where journals go that cannot be beside their mbox; false: nowhere. */
static bool find_apart(const struct mbox_set *set, char ret[MBOX_PATH_MAX])
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    int size = 0;

    if (set->journal != NULL)
        size = snprintf(ret, MBOX_PATH_MAX, "%s/", set->journal);
    else if (state != NULL && state[0] == '/')
        size = snprintf(ret, MBOX_PATH_MAX, "%s/postrider/mbox/", state);
    else if (home != NULL && home[0] == '/')
        size = snprintf(ret, MBOX_PATH_MAX, "%s/.local/state/postrider/mbox/",
                        home);
    return size > 0 && size < MBOX_PATH_MAX;
}

static int open_at(struct journal *journal, int directory, bool make)
{
    int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    int fd = openat(directory, journal->name, flags);

    if (fd >= 0 || errno != ENOENT || !make)
        return fd;
    fd = openat(directory, journal->name, flags | O_CREAT | O_EXCL, 0600);
    journal->was_made = fd >= 0;
    return fd;
}

static int open_apart(struct journal *journal, bool make)
{
    const struct mbox_file *file = journal->file;
    char path[MBOX_PATH_MAX];

    if (!find_apart(file->owner->set, path)) {
        errno = EACCES;
        return -1;
    }
    if (make && place_make(path) != PR_OK) {
        errno = EACCES;
        return -1;
    }
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return -1;
    name_apart(file->path, file->name, journal->name);
    int fd = open_at(journal, directory, make);
    int error = errno;
    if (fd >= 0)
        journal->directory = directory;
    else
        close(directory);
    errno = error;
    return fd;
}

/* The same answer each time, as long as no journal is removed: the first that
 * is there, else the first that can be made. */
static int open_somewhere(struct journal *journal, bool make)
{
    const struct mbox_file *file = journal->file;
    bool is_beside = file->owner->set->journal == NULL;

    for (int makes = 0; makes <= (int)make; makes++) {
        int fd = -1;
        if (is_beside) {
            name_beside(file->name, journal->name);
            fd = open_at(journal, file->directory, makes != 0);
        }
        if (fd >= 0)
            return fd;
        if (is_beside && errno != ENOENT && errno != EACCES && errno != EPERM &&
            errno != EROFS)
            return -1;
        fd = open_apart(journal, makes != 0);
        if (fd >= 0 || (errno != ENOENT && errno != ENOTDIR))
            return fd;
    }
    errno = ENOENT;
    return -1;
}

static bool is_plain(int fd)
{
    struct stat found;

    return fstat(fd, &found) == 0 && S_ISREG(found.st_mode) &&
           found.st_nlink == 1;
}

static pr_status open_file(struct journal *journal, bool make)
{
    journal->fd = open_somewhere(journal, make);
    if (journal->fd < 0 && errno == ENOENT)
        return pr_fail(PR_GONE, "%s has no journal", journal->file->path);
    if (journal->fd < 0)
        return journal_fail(journal, errno, make ? "make" : "open");
    if (!is_plain(journal->fd))
        return pr_fail(PR_REFUSED, "the journal %s of %s is no plain file",
                       journal->name, journal->file->path);
    return PR_OK;
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
    pr_status status = open_file(journal, true);
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

/* ---- Asking it ----------------------------------------------------------- */

struct search {
    const char *key;
    uint32_t index;
    uint64_t record; /* it was last found in */
    bool is_found;
};

static void compare(void *user, const struct journal_record *record,
                    uint32_t index, const struct journal_entry *entry)
{
    struct search *search = user;

    if (strcmp(entry->key, search->key) != 0)
        return;
    search->is_found = true;
    search->index = index;
    search->record = record->at;
}

static pr_status answer(int fd, const struct search *search,
                        const struct records_end *end)
{
    struct journal_record record;

    if (!search->is_found || search->record >= end->at)
        return pr_fail(PR_GONE, "the journal does not have it");
    if (!records_parse(fd, search->record, &record))
        return pr_fail(PR_DOUBT, "the journal changed while it was read");
    if (record.state != JOURNAL_DONE)
        return pr_fail(PR_DOUBT, "its write was begun");
    return search->index < record.done
               ? PR_OK
               : pr_fail(PR_GONE, "its write was undone");
}

/* Opens the journal of an mbox that is not locked. Both are to be closed. */
static pr_status open_unlocked(struct mbox_file *file, struct journal *journal,
                               struct mbox_owner *owner, const char *path)
{
    const char *slash = strrchr(path, '/');
    char above[MBOX_PATH_MAX];

    *file = (struct mbox_file){.owner = owner,
                               .path = path,
                               .name = slash != NULL ? slash + 1 : path,
                               .directory = -1,
                               .fd = -1};
    *journal = (struct journal){.file = file, .directory = -1, .fd = -1};
    snprintf(above, sizeof(above), "%.*s", (int)(file->name - path), path);
    file->directory = open(above[0] != '\0' ? above : ".",
                           O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file->directory < 0)
        return errno == ENOENT || errno == ENOTDIR
                   ? pr_fail(PR_GONE, "there is no %s", above)
                   : pr_fail_errno(PR_IO, errno, "cannot open %s", above);
    journal->directory = file->directory;
    return open_file(journal, false);
}

pr_status journal_peek(struct mbox_owner *owner, const char *path,
                       const char *key)
{
    struct mbox_file file;
    struct journal journal;
    struct search search = {.key = key};
    struct records_end end;
    pr_status status = open_unlocked(&file, &journal, owner, path);

    if (status == PR_OK)
        status = records_read(journal.fd, compare, &search, &end);
    if (status == PR_OK)
        status = answer(journal.fd, &search, &end);
    journal_close(&journal);
    file_close(&file);
    return status;
}

pr_status journal_pending(struct mbox_owner *owner, const char *path, bool *ret)
{
    struct mbox_file file;
    struct journal journal;
    struct records_end end;
    pr_status status = open_unlocked(&file, &journal, owner, path);

    *ret = false;
    if (status == PR_OK)
        status = records_read(journal.fd, NULL, NULL, &end);
    if (status == PR_OK)
        *ret = end.count > 0 && end.last.state != JOURNAL_DONE;
    journal_close(&journal);
    file_close(&file);
    return status == PR_GONE ? PR_OK : status;
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
