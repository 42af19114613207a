/*
 * Where the journal of an mbox is, and what it says to who does not hold the
 * lock.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal.h"
#include "place.h"
#include "records.h"

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

pr_status journal_find(struct journal *journal, bool make)
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
    return journal_find(journal, false);
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
