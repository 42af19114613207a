/*
 * A batch of deliveries, made durable together.
 */
#include "config.h"

#include "batch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <postrider/crash.h>

#include "known.h"
#include "letter.h"
#include "sync.h"

/* Jobs that write side by side. While one waits for the disk another copies,
 * and the waits of several share the file system's own commits: six take a
 * quarter to half of the time of one. */
#define JOBS 6
/* Letters that make a job of their own worth it. */
#define LETTERS_A_JOB 8
/* Files that a job has open at the same time: the limit of descriptors may be
 * 1,024, and several batches be under way. */
#define OPEN_FILES 40

struct batch {
    struct maildir *maildir;
    struct pr_arena *arena;
    struct letter *letters;
    size_t count;
    struct letter_folder *folders;
    enum maildir_sync sync; /* SYNC_FILES or SYNC_FILESYSTEM */
};

/* ---- Opening ------------------------------------------------------------- */

static pr_status find_folder(struct batch *batch, const char *directory,
                             struct letter_folder **ret)
{
    struct letter_folder *in = batch->folders;

    while (in != NULL && strcmp(in->folder.directory, directory) != 0)
        in = in->next;
    if (in == NULL) {
        in = pr_arena_alloc(batch->arena, sizeof(*in));
        if (in == NULL)
            return PR_NOMEM;
        if (folder_open(&in->folder, batch->maildir, directory, true) != PR_OK)
            in->failure = *pr_last_failure();
        in->next = batch->folders;
        batch->folders = in;
    }
    *ret = in;
    return PR_OK;
}

static pr_status meet(struct batch *batch, struct letter *letter)
{
    const struct folder *folder = &letter->in->folder;
    bool was_there;
    pr_status status =
        known_meet(batch->maildir, folder, letter->place.name, &was_there);

    if (status != PR_OK || !was_there)
        return status;
    status = folder_find(folder, &letter->place);
    if (status == PR_GONE)
        return PR_OK;
    if (status != PR_OK)
        return status;
    letter->is_there = true;
    /* Whoever put it there may not have synced. */
    letter->in->touched[0] = letter->in->touched[1] = true;
    return PR_OK;
}

static struct letter *find_same(struct batch *batch,
                                const struct letter *letter)
{
    for (struct letter *other = batch->letters; other < letter; other++)
        if (other->in == letter->in &&
            strcmp(other->place.name, letter->place.name) == 0)
            return other;
    return NULL;
}

static pr_status prepare_letter(struct batch *batch, struct letter *letter)
{
    pr_status status = name_parse(letter->delivery->receipt, &letter->place);

    if (status == PR_OK)
        status = find_folder(batch, letter->place.directory, &letter->in);
    if (status != PR_OK)
        return status;
    if (letter->in->failure.status != PR_OK) {
        letter->failure = letter->in->failure;
        return PR_OK;
    }
    letter->same = find_same(batch, letter);
    return letter->same != NULL ? PR_OK : meet(batch, letter);
}

static pr_status prepare(void *argument)
{
    struct batch *batch = argument;

    for (size_t i = 0; i < batch->count; i++)
        letter_fail(&batch->letters[i],
                    prepare_letter(batch, &batch->letters[i]));
    return PR_OK;
}

/* ---- Writing ------------------------------------------------------------- */

struct share {
    struct batch *batch;
    size_t first, end; /* of the letters */
};

static pr_status write_share(void *argument)
{
    const struct share *share = argument;
    struct letter *letters = share->batch->letters;
    bool sync = share->batch->sync == SYNC_FILES;

    for (size_t first = share->first; first < share->end;) {
        size_t end =
            share->end - first > OPEN_FILES ? first + OPEN_FILES : share->end;
        for (size_t i = first; i < end; i++) {
            letter_write(&letters[i]);
            if (!sync)
                letter_finish(&letters[i], false);
        }
        for (size_t i = first; sync && i < end; i++)
            letter_finish(&letters[i], true);
        first = end;
    }
    return PR_OK;
}

static pr_status run_share(void *argument)
{
    return pr_offload(write_share, argument);
}

static pr_status write_letters(struct batch *batch)
{
    struct share shares[JOBS];
    size_t jobs = 1 + batch->count / LETTERS_A_JOB;
    struct pr_scope scope;
    pr_status status = PR_OK;

    if (jobs > JOBS)
        jobs = JOBS;
    if (jobs == 1) {
        shares[0] = (struct share){batch, 0, batch->count};
        return pr_offload(write_share, &shares[0]);
    }
    pr_scope_init(&scope);
    for (size_t i = 0; status == PR_OK && i < jobs; i++) {
        shares[i] = (struct share){batch, batch->count * i / jobs,
                                   batch->count * (i + 1) / jobs};
        status = pr_spawn(&scope, "maildir", PR_STACK_SESSION, run_share,
                          &shares[i]);
    }
    pr_status joined = pr_scope_join(&scope);
    return status != PR_OK ? status : joined;
}

/* ---- Publishing ---------------------------------------------------------- */

/* All of a file system, in one go; a folder may be a link to another one. Since
 * Linux 5.8 it tells of failed writes too, from the opening of the descriptor
 * on. */
static pr_status sync_filesystem(struct batch *batch)
{
    dev_t last = 0;
    bool is_first = true;

    for (struct letter_folder *in = batch->folders; in != NULL; in = in->next) {
        struct stat found;
        if (in->folder.tmp < 0)
            continue;
        if (fstat(in->folder.tmp, &found) != 0)
            return folder_fail(&in->folder, errno, "look at");
        if (!is_first && found.st_dev == last)
            continue;
        if (syncfs(in->folder.tmp) != 0)
            return folder_fail(&in->folder, errno, "sync the file system of");
        is_first = false;
        last = found.st_dev;
    }
    pr_crash_point("maildir file system synced");
    return PR_OK;
}

static void sync_folder(struct letter_folder *in)
{
    for (int is_cur = 0; is_cur < 2; is_cur++)
        if (in->touched[is_cur] &&
            folder_sync(&in->folder, is_cur != 0) != PR_OK)
            in->failure = *pr_last_failure();
}

static pr_status publish(void *argument)
{
    struct batch *batch = argument;
    pr_status status = PR_OK;

    if (batch->sync == SYNC_FILESYSTEM)
        status = sync_filesystem(batch);
    for (size_t i = 0; i < batch->count; i++) {
        letter_fail(&batch->letters[i], status);
        letter_publish(&batch->letters[i]);
    }
    for (struct letter_folder *in = batch->folders; in != NULL; in = in->next)
        sync_folder(in);
    pr_crash_point("maildir folders synced");
    return PR_OK;
}

/* ---- The whole ----------------------------------------------------------- */

static void set_result(const struct letter *letter)
{
    const struct pr_failure *failure = &letter->failure;
    struct pr_delivery *delivery = letter->delivery;

    if (failure->status == PR_OK && letter->same != NULL)
        failure = &letter->same->failure;
    if (failure->status == PR_OK && letter->in != NULL)
        failure = &letter->in->failure;
    delivery->result = failure->status;
    memcpy(delivery->failure, failure->text, sizeof(delivery->failure));
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static pr_status deliver(struct batch *batch)
{
    double begin = seconds();
    uint64_t octets = 0;

    batch->sync = sync_choose(batch->maildir, batch->count);
    pr_status status = pr_offload(prepare, batch);

    if (status == PR_OK)
        status = write_letters(batch);
    for (size_t i = 0; i < batch->count; i++)
        if (!batch->letters[i].is_linked)
            octets += pr_spool_size(batch->letters[i].delivery->spool);
    if (status == PR_OK)
        status = pr_offload(publish, batch);
    if (status == PR_OK)
        sync_learn(batch->maildir, batch->sync, batch->count, octets,
                   seconds() - begin);
    return status;
}

static pr_status batch_new(struct maildir *maildir,
                           struct pr_delivery *const *deliveries, size_t count,
                           struct batch *ret)
{
    *ret = (struct batch){.maildir = maildir, .count = count};
    ret->arena = pr_arena_new();
    if (ret->arena == NULL)
        return PR_NOMEM;
    ret->letters = pr_arena_array(ret->arena, count, sizeof(*ret->letters));
    if (ret->letters == NULL) {
        pr_arena_free(ret->arena);
        return PR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        ret->letters[i].delivery = deliveries[i];
        ret->letters[i].fd = -1;
    }
    return PR_OK;
}

static void fail_all(struct pr_delivery *const *deliveries, size_t count)
{
    const struct pr_failure *failure = pr_last_failure();

    for (size_t i = 0; i < count; i++) {
        deliveries[i]->result = failure->status;
        memcpy(deliveries[i]->failure, failure->text,
               sizeof(deliveries[i]->failure));
    }
}

pr_status batch_commit(struct pr_sink *sink,
                       struct pr_delivery *const *deliveries, size_t count)
{
    struct batch batch;
    pr_status status = batch_new(sink->state, deliveries, count, &batch);

    if (status != PR_OK) {
        fail_all(deliveries, count);
        return status;
    }
    status = deliver(&batch);
    if (status != PR_OK)
        fail_all(deliveries, count);
    for (size_t i = 0; status == PR_OK && i < count; i++)
        set_result(&batch.letters[i]);
    for (struct letter_folder *in = batch.folders; in != NULL; in = in->next)
        folder_close(&in->folder);
    pr_arena_free(batch.arena);
    return status;
}
