/*
 * Octets of an mbox replaced through its journal, and what a crash has left of
 * that mended.
 *
 * After a crash the mbox holds, from the record's offset on, some of the
 * payload, and behind that what other programs have appended since: they were
 * not held up by a process that is no more. Where the one ends and the other
 * begins is found by comparing octets with the payload, and by the From_ line
 * of the other. An mbox that fits neither was rewritten by another program; it
 * is left as it is.
 */
#include "config.h"

#include "mend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postrider/crash.h>

#include "seam.h"

/* Octets between two looks at whether others must be told that the lock is in
 * use. */
#define COPY_AT_ONCE (UINT64_C(16) * 1024 * 1024)

/* ---- Writing ------------------------------------------------------------- */

static int copy_payload(struct mbox_file *file, const struct journal *journal)
{
    const struct journal_record *last = &journal->last;
    uint64_t done = 0;
    int error = 0;

    while (error == 0 && done < last->size) {
        uint64_t part = last->size - done;
        if (part > COPY_AT_ONCE)
            part = COPY_AT_ONCE;
        if (done > 0)
            dot_touch(&file->dot);
        error = octets_copy(journal->fd, last->payload + done, file->fd,
                            last->offset + done, part);
        done += part;
        pr_crash_point("mbox written in part");
    }
    return error;
}

static pr_status cut(struct mbox_file *file, uint64_t size)
{
    if (ftruncate(file->fd, (off_t)size) != 0)
        return file_fail(file, errno, "cut back");
    file->size = size;
    return PR_OK;
}

static pr_status sync_file(struct mbox_file *file)
{
    if (fsync(file->fd) != 0)
        return file_fail(file, errno, "sync");
    if (!file->was_made)
        return PR_OK;
    int error = octets_sync_directory(file->directory);
    if (error != 0)
        return file_fail(file, error, "sync the folder of");
    file->was_made = false;
    return PR_OK;
}

static pr_status undo(struct mbox_file *file, struct journal *journal)
{
    pr_status status = journal_void(journal);

    if (status == PR_OK)
        status = cut(file, journal->last.offset);
    if (status == PR_OK)
        status = sync_file(file);
    return status == PR_OK ? journal_finish(journal, 0) : status;
}

pr_status mend_append(struct mbox_file *file, struct journal *journal)
{
    const struct journal_record *last = &journal->last;
    pr_status status = PR_OK;
    int error = copy_payload(file, journal);

    if (error != 0)
        status = file_fail(file, error, "write to");
    pr_crash_point("mbox written");
    if (status == PR_OK)
        status = sync_file(file);
    pr_crash_point("mbox synced");
    if (status != PR_OK) {
        struct pr_failure why = *pr_last_failure();
        if (undo(file, journal) != PR_OK)
            return pr_fail(PR_DOUBT, "%s; it is mended at the next run",
                           why.text);
        return pr_fail(status, "%s", why.text);
    }
    file->size = last->offset + last->size;
    /* The mail is safe, whatever becomes of the mark. */
    if (journal_finish(journal, last->count) != PR_OK)
        pr_log(file->owner->log, PR_LOG_WARNING, "%s", pr_last_failure()->text);
    return PR_OK;
}

/* ---- Replacing ----------------------------------------------------------- */

/* The order matters: the old octets behind the new ones tell, until they are
 * cut off, that they are there. */
static pr_status put_new(struct mbox_file *file, struct journal *journal)
{
    const struct journal_record *last = &journal->last;
    int error = copy_payload(file, journal);

    if (error != 0)
        return file_fail(file, error, "write to");
    pr_crash_point("mbox rewritten");
    pr_status status = sync_file(file);
    if (status == PR_OK)
        status = cut(file, last->offset + last->size);
    pr_crash_point("mbox cut");
    if (status == PR_OK)
        status = sync_file(file);
    pr_crash_point("mbox cut and synced");
    return status == PR_OK ? journal_finish(journal, last->count) : status;
}

static pr_status note_old(struct mbox_file *file, struct journal *journal)
{
    uint64_t at = journal->last.offset + journal->written, size = 0;
    uint64_t digest = DIGEST_EMPTY;
    int error = 0;

    if (at < file->size) {
        size = file->size - at;
        error = octets_digest(file->fd, at, size, &digest);
    }
    if (error != 0)
        return file_fail(file, error, "read");
    return journal_note(journal, "+old", size, digest);
}

pr_status mend_replace(struct mbox_file *file, struct journal *journal)
{
    pr_status status = journal_add(journal, "+new");

    if (status == PR_OK)
        status = note_old(file, journal);
    if (status != PR_OK) {
        journal_drop(journal);
        return status;
    }
    status = journal_seal(journal);
    return status == PR_OK ? put_new(file, journal) : status;
}

/* ---- Looking ------------------------------------------------------------- */

static bool is_digest(int fd, uint64_t at, uint64_t size, uint64_t digest,
                      int *ret_error)
{
    uint64_t found = DIGEST_EMPTY;
    int error = octets_digest(fd, at, size, &found);

    *ret_error = error == EBADMSG ? 0 : error;
    return error == 0 && found == digest;
}

/* How many entries, from the first on, are in the mbox whole; *ret_end is where
 * they end. */
static pr_status count_whole(struct mbox_file *file,
                             const struct journal *journal, uint32_t *ret,
                             uint64_t *ret_end)
{
    *ret_end = journal->last.offset;
    for (*ret = 0; *ret < journal->last.count; ++*ret) {
        struct journal_entry entry;
        int error;
        pr_status status = journal_entry_at(journal, *ret, &entry);
        if (status != PR_OK)
            return status;
        bool is_there =
            is_digest(file->fd, *ret_end, entry.size, entry.digest, &error);
        if (error != 0)
            return file_fail(file, error, "read");
        if (!is_there)
            break;
        *ret_end += entry.size;
    }
    return PR_OK;
}

/* Is all of the payload there, as it was sealed? If not, the mbox was never
 * touched, or all was done. */
static pr_status check_payload(const struct journal *journal, bool *ret)
{
    uint64_t at = journal->last.payload;

    *ret = true;
    for (uint32_t i = 0; *ret && i < journal->last.count; i++) {
        struct journal_entry entry;
        int error = 0;
        pr_status status = journal_entry_at(journal, i, &entry);
        if (status != PR_OK)
            return status;
        if (strcmp(entry.key, "+old") != 0)
            *ret = is_digest(journal->fd, at, entry.size, entry.digest, &error);
        if (error != 0)
            return journal_fail(journal, error, "read");
        at += entry.size;
    }
    return PR_OK;
}

static void say_rewritten(const struct mbox_file *file, uint64_t at)
{
    pr_log(file->owner->log, PR_LOG_WARNING,
           "%s: a write that was broken off cannot be mended, for another "
           "program has rewritten the file since; part of a message may stand "
           "at octet %llu of it",
           file->path, (unsigned long long)at);
}

/* ---- Mending ------------------------------------------------------------- */

/* Removes octets from `from` up to `to`, behind which others' messages are. */
static pr_status excise(struct mbox_file *file, struct journal *journal,
                        uint32_t whole, uint64_t from, uint64_t to)
{
    char *block = malloc(OCTETS_BLOCK);
    pr_status status = block != NULL ? journal_renew(journal, whole)
                                     : pr_fail(PR_NOMEM, "out of memory");

    if (status == PR_OK)
        status = journal_begin(journal, 2, from, file->size);
    while (status == PR_OK && to < file->size) {
        uint64_t rest = file->size - to;
        size_t part = rest < OCTETS_BLOCK ? (size_t)rest : OCTETS_BLOCK;
        int error = octets_read(file->fd, to, block, part);
        status = error == 0 ? journal_put(journal, block, part)
                            : file_fail(file, error, "read");
        to += part;
    }
    free(block);
    return status == PR_OK ? mend_replace(file, journal) : status;
}

static pr_status end_append(struct mbox_file *file, struct journal *journal,
                            uint32_t whole)
{
    pr_status status = sync_file(file);

    pr_crash_point("mbox mended");
    return status == PR_OK ? journal_finish(journal, whole) : status;
}

static pr_status mend_cut(struct mbox_file *file, struct journal *journal,
                          uint32_t whole, uint64_t from)
{
    const struct journal_record *last = &journal->last;
    uint64_t skip = from - last->offset, same = 0;
    bool has_seam;
    int error = octets_same(file->fd, from, journal->fd, last->payload + skip,
                            last->size - skip, &same);

    if (error != 0)
        return file_fail(file, error, "read");
    uint64_t seam = from + same;
    pr_status status = seam_is_zeros(file, seam, &has_seam);
    if (status == PR_OK && has_seam)
        seam = file->size;
    else if (status == PR_OK)
        status = seam_find(file, from, &seam, &has_seam);
    if (status != PR_OK)
        return status;
    if (!has_seam) {
        say_rewritten(file, from);
        return end_append(file, journal, whole);
    }
    if (seam < file->size && seam > from)
        return excise(file, journal, whole, from, seam);
    if (seam > from)
        status = cut(file, from);
    return status == PR_OK ? end_append(file, journal, whole) : status;
}

static pr_status mend_append_record(struct mbox_file *file,
                                    struct journal *journal)
{
    uint64_t from = journal->last.offset;
    uint32_t whole = 0;
    bool has_payload = false;
    pr_status status = PR_OK;

    if (journal->last.state != JOURNAL_VOID)
        status = count_whole(file, journal, &whole, &from);
    if (status == PR_OK && whole < journal->last.count)
        status = check_payload(journal, &has_payload);
    if (status != PR_OK)
        return status;
    if (has_payload && from < file->size)
        return mend_cut(file, journal, whole, from);
    return end_append(file, journal, whole);
}

/* What has become of a replacement. */
struct state {
    bool is_done;
    bool can_be_done;
    uint64_t others; /* where messages of others begin */
};

static pr_status look_at_replacement(struct mbox_file *file,
                                     const struct journal *journal,
                                     struct state *ret)
{
    const struct journal_record *last = &journal->last;
    uint64_t new_end = last->offset + last->size, same;
    struct journal_entry old;
    int error;
    pr_status status = journal_entry_at(journal, 1, &old);

    if (status != PR_OK)
        return status;
    bool has_old = old.size > 0 &&
                   is_digest(file->fd, new_end, old.size, old.digest, &error);
    error = octets_same(file->fd, last->offset, journal->fd, last->payload,
                        last->size, &same);
    if (error != 0)
        return file_fail(file, error, "read");
    *ret = (struct state){.is_done = same == last->size && !has_old};
    if (ret->is_done)
        return PR_OK;
    /* Where the new is longer, the file may have ended while it was written. */
    ret->others = last->old_size;
    ret->can_be_done = has_old;
    if (old.size == 0) {
        if (last->offset + same > ret->others)
            ret->others = last->offset + same;
        status = seam_find(file, last->offset, &ret->others, &ret->can_be_done);
    }
    return status;
}

/* The same once more, with what others have appended behind the new. */
static pr_status replace_again(struct mbox_file *file, struct journal *journal,
                               uint64_t others)
{
    const struct journal_record before = journal->last;
    char *block = malloc(OCTETS_BLOCK);
    int old_fd = dup(journal->fd);
    pr_status status = block != NULL && old_fd >= 0
                           ? journal_renew(journal, 0)
                           : pr_fail(PR_NOMEM, "out of memory");

    const struct {
        int fd;
        uint64_t at, end;
    } parts[2] = {{old_fd, before.payload, before.payload + before.size},
                  {file->fd, others, file->size}};

    if (status == PR_OK)
        status = journal_begin(journal, 2, before.offset, file->size);
    for (int i = 0; i < 2; i++)
        for (uint64_t at = parts[i].at; status == PR_OK && at < parts[i].end;) {
            uint64_t rest = parts[i].end - at;
            size_t part = rest < OCTETS_BLOCK ? (size_t)rest : OCTETS_BLOCK;
            int error = octets_read(parts[i].fd, at, block, part);
            status = error == 0 ? journal_put(journal, block, part)
                                : file_fail(file, error, "read");
            at += part;
        }
    if (old_fd >= 0)
        close(old_fd);
    free(block);
    return status == PR_OK ? mend_replace(file, journal) : status;
}

static pr_status mend_replace_record(struct mbox_file *file,
                                     struct journal *journal)
{
    const struct journal_record *last = &journal->last;
    bool has_payload;
    struct state state = {0};
    pr_status status = check_payload(journal, &has_payload);

    if (status == PR_OK && !has_payload)
        return journal_finish(journal, 0);
    if (status == PR_OK)
        status = look_at_replacement(file, journal, &state);
    if (status != PR_OK)
        return status;
    if (state.is_done) {
        status = sync_file(file);
        return status == PR_OK ? journal_finish(journal, last->count) : status;
    }
    if (!state.can_be_done) {
        say_rewritten(file, last->offset);
        return journal_finish(journal, 0);
    }
    return state.others < file->size
               ? replace_again(file, journal, state.others)
               : put_new(file, journal);
}

pr_status mend_pending(struct mbox_file *file, struct journal *journal)
{
    struct journal_entry first;

    if (!journal->is_pending)
        return PR_OK;
    if (journal->last.count == 0)
        return journal_finish(journal, 0);
    pr_status status = journal_entry_at(journal, 0, &first);
    if (status != PR_OK)
        return status;
    pr_log(file->owner->log, PR_LOG_INFO,
           "%s: mending a write that was broken off", file->path);
    return strcmp(first.key, "+new") == 0 ? mend_replace_record(file, journal)
                                          : mend_append_record(file, journal);
}
