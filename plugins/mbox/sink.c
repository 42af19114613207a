/*
 * The mbox sink: its options and operations.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "batch.h"
#include "mbox.h"
#include "mend.h"
#include "place.h"

const char *const mbox_locks_choices[] = {"auto", "both", "fcntl", "dot", NULL};

static const struct pr_option options[] = {
    {.name = "path",
     .kind = PR_OPTION_PATH,
     .offset = offsetof(struct mbox_options, set.path),
     .help = "the mbox, or a folder (ended by \"/\" if it is not there yet) "
             "that holds one for each folder",
     .required = true,
     .positional = true},
    MBOX_SET_OPTIONS(struct mbox_options, set),
    {.name = "flags",
     .kind = PR_OPTION_BOOLEAN,
     .offset = offsetof(struct mbox_options, flags),
     .fallback = "true",
     .help = "keep the flags that the message had on the server, as Status "
             "headers"},
    {0}};

static pr_status sink_open(struct pr_sink *sink)
{
    const struct mbox_options *set = sink->options;
    struct mbox *mbox = calloc(1, sizeof(*mbox));

    if (mbox == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    mbox->options = set;
    mbox->owner = (struct mbox_owner){.set = &set->set, .log = sink->log};
    sink->state = mbox;
    return PR_OK;
}

static void sink_close(struct pr_sink *sink)
{
    struct mbox *mbox = sink->state;

    if (mbox == NULL)
        return;
    while (mbox->folders != NULL) {
        struct mbox_folder *folder = mbox->folders;
        mbox->folders = folder->next;
        free(folder);
    }
    free(mbox);
    sink->state = NULL;
}

static pr_status check_key(const char *key)
{
    size_t size = strspn(key, "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

    if (size < 1 || size > KEY_MAX || key[size] != '\0')
        return pr_fail(PR_BUG, "the delivery key \"%.70s\" is not one", key);
    return PR_OK;
}

static pr_status sink_stage(struct pr_sink *sink, struct pr_delivery *delivery)
{
    pr_status status = check_key(delivery->key);

    (void)sink;
    if (status == PR_OK)
        status = place_check(delivery->folder);
    if (status == PR_OK)
        snprintf(delivery->receipt, sizeof(delivery->receipt), RECEIPT "%s",
                 delivery->folder);
    return status;
}

/* Nothing is on the disk before commit, nor after one that failed. */
static void sink_abort(struct pr_sink *sink, struct pr_delivery *delivery)
{
    (void)sink, (void)delivery;
}

/* ---- After a crash ------------------------------------------------------- */

struct recovery {
    struct mbox *mbox;
    struct mbox_folder *folder;
    const char *key;
    struct mbox_file file;
    char path[MBOX_PATH_MAX];
};

static pr_status peek_job(void *argument)
{
    struct recovery *recovery = argument;
    struct mbox *mbox = recovery->mbox;
    pr_status status = place_file(mbox->options->set.path,
                                  recovery->folder->name, recovery->path);

    if (status != PR_OK)
        return status;
    return journal_peek(&mbox->owner, recovery->path, recovery->key);
}

static pr_status mend_job(void *argument)
{
    struct recovery *recovery = argument;
    struct journal journal;
    pr_status status = journal_open(&journal, &recovery->file, NULL);

    if (status == PR_OK)
        status = mend_pending(&recovery->file, &journal);
    journal_close(&journal);
    file_close(&recovery->file);
    return status;
}

/* Mends what was broken off, and takes away a lock that was left. */
static pr_status mend(struct recovery *recovery)
{
    pr_status status = file_open(&recovery->file, &recovery->mbox->owner,
                                 recovery->path, FILE_WRITE);

    return status == PR_OK ? pr_offload(mend_job, recovery) : status;
}

/* The journal alone knows of what was done; what was begun must be mended
 * first. */
static pr_status recover(struct recovery *recovery)
{
    pr_status mended = PR_OK;
    pr_status status = pr_offload(peek_job, recovery);

    if (!recovery->folder->is_tidy) {
        mended = mend(recovery);
        recovery->folder->is_tidy = mended == PR_OK;
        if (mended == PR_OK || mended == PR_GONE)
            status = pr_offload(peek_job, recovery);
    }
    if (status == PR_DOUBT && mended != PR_OK)
        return pr_context(mended, "%s is not mended yet", recovery->path);
    return status;
}

static pr_status sink_recover(struct pr_sink *sink, const char *key,
                              const char *receipt)
{
    size_t head = sizeof(RECEIPT) - 1;

    if (strncmp(receipt, RECEIPT, head) != 0 ||
        place_check(receipt + head) != PR_OK)
        return pr_fail(PR_BUG, "\"%.200s\" is no receipt of an mbox", receipt);
    struct recovery *recovery = calloc(1, sizeof(*recovery));
    if (recovery == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    recovery->mbox = sink->state;
    recovery->folder = batch_folder(sink->state, receipt + head);
    recovery->key = key;
    pr_status status = recovery->folder != NULL ? recover(recovery) : PR_NOMEM;
    free(recovery);
    return status;
}

/* ---- Checking ------------------------------------------------------------ */

/* The nearest thing above that is there decides. */
static pr_status check_job(void *argument)
{
    const struct mbox_options *set = argument;
    struct stat found;
    char path[MBOX_PATH_MAX];

    if (snprintf(path, sizeof(path), "%s", set->set.path) >= (int)sizeof(path))
        return pr_fail(PR_CONFIG, "the path %.60s... is too long",
                       set->set.path);
    bool is_it = true;
    while (lstat(path, &found) != 0) {
        char *slash = strrchr(path, '/');
        if (errno != ENOENT || slash == NULL)
            return pr_fail_errno(PR_IO, errno, "cannot look at %s", path);
        slash[slash == path ? 1 : 0] = '\0';
        is_it = false;
    }
    if (S_ISLNK(found.st_mode) && stat(path, &found) == 0 &&
        !S_ISDIR(found.st_mode))
        return pr_fail(PR_CONFIG,
                       "%s is a symbolic link, which is not followed: name the "
                       "file itself",
                       path);
    if (!S_ISDIR(found.st_mode) && !(is_it && S_ISREG(found.st_mode)))
        return pr_fail(PR_CONFIG,
                       is_it ? "%s is no plain file" : "%s is not a folder",
                       path);
    int mode = S_ISDIR(found.st_mode) ? R_OK | W_OK | X_OK : R_OK | W_OK;
    if (faccessat(AT_FDCWD, path, mode, AT_EACCESS) != 0)
        return pr_fail_errno(PR_IO, errno, "cannot write to %s", path);
    return PR_OK;
}

static pr_status sink_check(struct pr_sink *sink)
{
    return pr_offload(check_job, (void *)(uintptr_t)sink->options);
}

static void sink_describe(const void *set, char *name, size_t size)
{
    snprintf(name, size, "mbox:%s",
             ((const struct mbox_options *)set)->set.path);
}

static const struct pr_sink_ops ops = {
    .size = sizeof(ops),
    .open = sink_open,
    .stage = sink_stage,
    .commit = batch_commit,
    .abort = sink_abort,
    .recover = sink_recover,
    .check = sink_check,
    .close = sink_close,
    .describe = sink_describe,
};

const struct pr_class mbox_class = {
    .size = sizeof(mbox_class),
    .role = PR_ROLE_SINK,
    .name = "mbox",
    .summary = "deliver into mboxes on this machine",
    .options = options,
    .options_size = sizeof(struct mbox_options),
    .sink = &ops,
};
