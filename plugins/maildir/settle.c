/*
 * What is to happen in a Maildir with messages that are safe elsewhere.
 *
 * Everything is a rename, a link or an unlink, so nothing is ever half done;
 * and each can be done again: what is in the target under its name was copied
 * or moved before. The directories are synced once, at the end, before any
 * result is given.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postrider/crash.h>

#include "source.h"

/* A folder that messages are copied or moved to. */
struct target {
    struct target *next;
    struct folder folder;
    char directory[NAME_SIZE];
};

struct settling {
    struct maildir_source *maildir;
    struct pr_deed *deeds;
    size_t count;
    struct target *targets;
    bool drops_keywords;
};

static int directory_of(const struct folder *folder, bool in_cur)
{
    return in_cur ? folder->cur : folder->new;
}

static pr_status find_target(struct settling *settling, const char *name,
                             struct folder **ret)
{
    char directory[NAME_SIZE];
    struct target *target = settling->targets;
    pr_status status = source_directory(settling->maildir, name, directory);

    if (status != PR_OK)
        return status;
    while (target != NULL && strcmp(target->directory, directory) != 0)
        target = target->next;
    if (target == NULL) {
        target = calloc(1, sizeof(*target));
        if (target == NULL)
            return pr_fail(PR_NOMEM, "out of memory");
        memcpy(target->directory, directory, sizeof(directory));
        status = folder_open(&target->folder, &settling->maildir->maildir,
                             target->directory, true);
        if (status != PR_OK) {
            folder_close(&target->folder);
            free(target);
            return status;
        }
        target->next = settling->targets;
        settling->targets = target;
    }
    *ret = &target->folder;
    return PR_OK;
}

/* ---- Flags --------------------------------------------------------------- */

static bool has_flags(const struct pr_flags *flags)
{
    return (flags->system & ~(unsigned)PR_FLAG_RECENT) != 0;
}

static bool has_keywords(const struct pr_flags *flags)
{
    return flags->keywords != NULL && flags->keywords[0] != '\0';
}

static pr_status set_flags(struct settling *settling,
                           const struct pr_deed *deed, struct entry *entry)
{
    struct maildir_source *maildir = settling->maildir;
    const struct folder *folder = &maildir->folder;
    unsigned before = entry_flags(entry);
    unsigned flags = (before | deed->set.system) & ~deed->clear.system;
    char file[NAME_MAX + 1];

    flags &= ~(unsigned)PR_FLAG_RECENT;
    if (flags == before)
        return PR_OK;
    entry_rename(entry, flags, file);
    if (renameat2(directory_of(folder, entry->in_cur), entry->file, folder->cur,
                  file, RENAME_NOREPLACE) != 0)
        return errno == ENOENT
                   ? pr_fail(PR_GONE, "the message is gone")
                   : folder_fail(folder, errno, "flag a message in");
    pr_crash_point("maildir message flagged");
    const char *copy = pr_arena_text(maildir->entries.arena, file);
    if (copy == NULL)
        return PR_NOMEM;
    entry->file = copy;
    entry->in_cur = true;
    return PR_OK;
}

/* ---- Copying and moving -------------------------------------------------- */

static int copy_octets(int from, int to)
{
    char block[16 * 1024];
    ssize_t got;

    while ((got = read(from, block, sizeof(block))) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        for (ssize_t done = 0; done < got;) {
            ssize_t put = write(to, block + done, (size_t)(got - done));
            if (put < 0 && errno == EINTR)
                continue;
            if (put <= 0)
                return put < 0 ? errno : EIO;
            done += put;
        }
    }
    return 0;
}

static int copy_contents(int from, int to)
{
    struct stat found;
    int error = fstat(from, &found) == 0 ? copy_octets(from, to) : errno;
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, found.st_mtim};

    if (error == 0 && futimens(to, times) != 0)
        error = errno;
    if (error == 0 && fsync(to) != 0)
        error = errno;
    return error;
}

/* For a folder on another file system, or one that knows no links. */
static int copy_file(int from_directory, const char *file,
                     const struct folder *to, int to_directory)
{
    int from = openat(from_directory, file,
                      O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (from < 0)
        return errno;
    (void)unlinkat(to->tmp, file, 0);
    int fd = openat(to->tmp, file,
                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int error = fd >= 0 ? copy_contents(from, fd) : errno;
    close(from);
    if (fd >= 0 && close(fd) != 0 && error == 0)
        error = errno;
    if (error == 0 && renameat(to->tmp, file, to_directory, file) != 0)
        error = errno;
    if (error != 0)
        (void)unlinkat(to->tmp, file, 0);
    return error;
}

/* Its size is in its name, or it is the same file even. */
static pr_status accept_earlier(const struct folder *to, int from, int target,
                                const char *file)
{
    struct stat ours, theirs;

    if (fstatat(from, file, &ours, AT_SYMLINK_NOFOLLOW) != 0)
        return pr_fail(PR_GONE, "the message is gone");
    if (fstatat(target, file, &theirs, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISREG(theirs.st_mode) && theirs.st_size == ours.st_size &&
        theirs.st_mtim.tv_sec == ours.st_mtim.tv_sec)
        return PR_OK;
    return folder_fail(to, EEXIST,
                       "copy, under the message's name is another in");
}

/* The same file, under its name in another folder too: files of a Maildir never
 * change. One that is there already was copied before. */
static pr_status copy_to(const struct settling *settling,
                         const struct entry *entry, const struct folder *to)
{
    const struct folder *folder = &settling->maildir->folder;
    int from = directory_of(folder, entry->in_cur);
    int target = directory_of(to, entry->in_cur);
    int error = 0;

    if (linkat(from, entry->file, target, entry->file, 0) != 0)
        error = errno;
    if (error == EXDEV || error == EPERM || error == EMLINK ||
        error == EOPNOTSUPP || error == ENOSYS)
        error = copy_file(from, entry->file, to, target);
    pr_crash_point("maildir message copied");
    if (error == ENOENT)
        return pr_fail(PR_GONE, "the message is gone");
    if (error == EEXIST)
        return accept_earlier(to, from, target, entry->file);
    return error == 0 ? PR_OK : folder_fail(to, error, "copy a message to");
}

static pr_status remove_entry(const struct settling *settling,
                              const struct entry *entry)
{
    const struct folder *folder = &settling->maildir->folder;

    if (unlinkat(directory_of(folder, entry->in_cur), entry->file, 0) != 0)
        return errno == ENOENT
                   ? pr_fail(PR_GONE, "the message is gone")
                   : folder_fail(folder, errno, "remove a message from");
    pr_crash_point("maildir message removed");
    return PR_OK;
}

/* What is removed here must be durable there before. */
static pr_status move_to(const struct settling *settling,
                         const struct entry *entry, const struct folder *to)
{
    pr_status status = copy_to(settling, entry, to);

    if (status == PR_OK)
        status = folder_sync(to, entry->in_cur);
    if (status != PR_OK)
        return status;
    status = remove_entry(settling, entry);
    return status == PR_GONE ? PR_OK : status;
}

/* Was it moved there before, by a run that could not note it? */
static bool is_moved(struct settling *settling, const struct pr_deed *deed)
{
    struct folder *to;
    struct entries there = {.arena = NULL};
    bool is_there = false;

    if (deed->move_to == NULL ||
        find_target(settling, deed->move_to, &to) != PR_OK)
        return false;
    is_there = entries_refresh(&there, to) == PR_OK &&
               entries_find(&there, deed->item->uidl) != NULL;
    entries_free(&there);
    return is_there;
}

/* Under whatever name. */
static bool is_here(const struct settling *settling, const struct folder *to)
{
    struct stat here, there;

    return fstat(settling->maildir->folder.cur, &here) == 0 &&
           fstat(to->cur, &there) == 0 && here.st_dev == there.st_dev &&
           here.st_ino == there.st_ino;
}

/* ---- Deeds --------------------------------------------------------------- */

static pr_status carry_out(struct settling *settling, struct pr_deed *deed,
                           struct entry *entry)
{
    struct folder *to;
    pr_status status = PR_OK;

    if (has_flags(&deed->set) || has_flags(&deed->clear))
        status = set_flags(settling, deed, entry);
    if (status == PR_OK && deed->copy_to != NULL) {
        status = find_target(settling, deed->copy_to, &to);
        if (status == PR_OK && !is_here(settling, to))
            status = copy_to(settling, entry, to);
    }
    if (status == PR_OK && deed->move_to != NULL) {
        status = find_target(settling, deed->move_to, &to);
        if (status == PR_OK && !is_here(settling, to))
            status = move_to(settling, entry, to);
    } else if (status == PR_OK && deed->remove) {
        status = remove_entry(settling, entry);
    }
    return status;
}

/* A reader may rename it between the look and the deed. */
static pr_status settle_one(struct settling *settling, struct pr_deed *deed)
{
    struct entry *entry;
    pr_status status = PR_GONE;

    for (int tries = 0; tries < 3 && status == PR_GONE; tries++) {
        status =
            source_locate(settling->maildir, deed->item, tries > 0, &entry);
        if (status == PR_GONE)
            break;
        if (status == PR_OK)
            status = carry_out(settling, deed, entry);
    }
    if (status == PR_GONE && (deed->remove || is_moved(settling, deed)))
        return PR_OK;
    return status;
}

static pr_status sync_both(const struct folder *folder)
{
    pr_status status = folder_sync(folder, true);

    return status == PR_OK ? folder_sync(folder, false) : status;
}

/* Copies first: a message must not be gone here and not yet be there. */
static pr_status sync_all(const struct settling *settling)
{
    pr_status status = PR_OK;

    for (const struct target *target = settling->targets;
         status == PR_OK && target != NULL; target = target->next)
        status = sync_both(&target->folder);
    if (status == PR_OK)
        status = sync_both(&settling->maildir->folder);
    pr_crash_point("maildir folders settled");
    return status;
}

static pr_status settle_job(void *argument)
{
    struct settling *settling = argument;

    for (size_t i = 0; i < settling->count; i++) {
        struct pr_deed *deed = &settling->deeds[i];
        if (deed->result == PR_DOUBT)
            deed->result = settle_one(settling, deed);
    }
    pr_status status = sync_all(settling);
    for (size_t i = 0; status != PR_OK && i < settling->count; i++)
        settling->deeds[i].result = status;
    while (settling->targets != NULL) {
        struct target *target = settling->targets;
        settling->targets = target->next;
        folder_close(&target->folder);
        free(target);
    }
    return status;
}

/* ---- The operation ------------------------------------------------------- */

static size_t open_deeds(const struct pr_source *source,
                         struct settling *settling)
{
    size_t open = 0;

    for (size_t i = 0; i < settling->count; i++) {
        struct pr_deed *deed = &settling->deeds[i];
        bool asks = has_flags(&deed->set) || has_flags(&deed->clear) ||
                    deed->copy_to != NULL || deed->move_to != NULL ||
                    deed->remove;
        deed->result = asks ? PR_DOUBT : PR_OK;
        if (asks && source->read_only)
            deed->result = pr_fail(PR_REFUSED, "the account is read-only");
        open += deed->result == PR_DOUBT;
        settling->drops_keywords |=
            has_keywords(&deed->set) || has_keywords(&deed->clear);
    }
    return open;
}

pr_status source_settle(struct pr_source *source, struct pr_deed *deeds,
                        size_t count)
{
    struct settling settling = {
        .maildir = source->state, .deeds = deeds, .count = count};

    size_t open = open_deeds(source, &settling);
    if (settling.drops_keywords)
        pr_log(source->log, PR_LOG_WARNING,
               "a Maildir has no place for keywords: they are not set");
    if (open == 0)
        return PR_OK;
    if (settling.maildir->folder.cur < 0)
        return pr_fail(PR_BUG, "no folder is selected");
    return pr_offload(settle_job, &settling);
}
