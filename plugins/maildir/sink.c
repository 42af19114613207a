/*
 * The Maildir sink: its options and operations.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "batch.h"
#include "known.h"
#include "maildir.h"
#include "name.h"
#include "sync.h"

static const char *const layouts[] = {"fs", "maildir++", NULL};
static const char *const syncs[] = {"files", "filesystem", "auto", NULL};

static const struct pr_option options[] = {
    {.name = "path",
     .kind = PR_OPTION_PATH,
     .offset = offsetof(struct maildir_options, path),
     .help = "folder that holds the Maildirs; it is one itself",
     .required = true,
     .positional = true},
    {.name = "layout",
     .kind = PR_OPTION_CHOICE,
     .offset = offsetof(struct maildir_options, layout),
     .fallback = "fs",
     .choices = layouts,
     .help = "where \"lists/dev\" is: lists/dev (fs) or .lists.dev "
             "(maildir++)"},
    {.name = "sync",
     .kind = PR_OPTION_CHOICE,
     .offset = offsetof(struct maildir_options, sync),
     .fallback = "auto",
     .choices = syncs,
     .help = "make each file durable (files), or the whole file system at once "
             "for each batch (filesystem); auto: whichever costs less"},
    {.name = "flags",
     .kind = PR_OPTION_BOOLEAN,
     .offset = offsetof(struct maildir_options, flags),
     .fallback = "true",
     .help = "keep the flags that the message had on the server"},
    {.name = "link",
     .kind = PR_OPTION_BOOLEAN,
     .offset = offsetof(struct maildir_options, link),
     .fallback = "true",
     .help = "a message that comes unchanged from a Maildir on the same file "
             "system is not copied: its file gets one more name (a hard link)"},
    {0}};

static pr_status sink_open(struct pr_sink *sink)
{
    struct maildir *maildir = calloc(1, sizeof(*maildir));

    if (maildir == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    maildir->options = sink->options;
    pthread_mutex_init(&maildir->mutex, NULL);
    sync_init(maildir);
    sink->state = maildir;
    return PR_OK;
}

static void sink_close(struct pr_sink *sink)
{
    struct maildir *maildir = sink->state;

    if (maildir == NULL)
        return;
    known_free_all(maildir);
    pthread_mutex_destroy(&maildir->mutex);
    free(maildir);
    sink->state = NULL;
}

static pr_status sink_stage(struct pr_sink *sink, struct pr_delivery *delivery)
{
    _Static_assert(sizeof(delivery->receipt) >= NAME_SIZE, "receipts fit");
    return name_receipt(sink->options, delivery, delivery->receipt);
}

/* Nothing is on the disk before commit, nor after one that failed. */
static void sink_abort(struct pr_sink *sink, struct pr_delivery *delivery)
{
    (void)sink, (void)delivery;
}

/* ---- After a crash ------------------------------------------------------- */

struct recovery {
    struct maildir *maildir;
    struct place place;
};

static pr_status find_and_sync(const struct folder *folder,
                               const struct place *place)
{
    pr_status status = folder_find(folder, place);

    if (status == PR_GONE)
        (void)unlinkat(folder->tmp, place->name, 0);
    if (status == PR_OK)
        status = folder_sync(folder, false);
    return status == PR_OK ? folder_sync(folder, true) : status;
}

static pr_status recover_job(void *argument)
{
    const struct recovery *recovery = argument;
    struct folder folder;
    pr_status status = folder_open(&folder, recovery->maildir,
                                   recovery->place.directory, false);

    if (status == PR_OK)
        status = find_and_sync(&folder, &recovery->place);
    folder_close(&folder);
    return status;
}

static pr_status sink_recover(struct pr_sink *sink, const char *key,
                              const char *receipt)
{
    struct recovery recovery = {.maildir = sink->state};
    pr_status status = name_parse(receipt, &recovery.place);

    if (status != PR_OK)
        return status;
    if (strstr(recovery.place.name, key) == NULL)
        return pr_fail(PR_BUG, "the receipt \"%.200s\" is not of %.64s",
                       receipt, key);
    return pr_offload(recover_job, &recovery);
}

/* ---- Checking ------------------------------------------------------------ */

#define ROOM_LEAST (1024 * 1024) /* octets */
#define FILES_LEAST 10

/* As much as a message or two need. */
static pr_status check_room(const char *path)
{
    struct statvfs found;

    if (statvfs(path, &found) != 0)
        return pr_fail_errno(PR_IO, errno, "cannot look at the room in %s",
                             path);
    if ((found.f_flag & ST_RDONLY) != 0)
        return pr_fail(PR_IO, "%s is mounted read-only", path);
    if (found.f_bavail < (ROOM_LEAST + found.f_frsize - 1) / found.f_frsize)
        return pr_fail(PR_FULL, "there is no room left in %s", path);
    if (found.f_files > 0 && found.f_favail < FILES_LEAST)
        return pr_fail(PR_FULL, "no more files can be made in %s", path);
    return PR_OK;
}

/* The nearest folder above that is there decides. */
static pr_status check_job(void *argument)
{
    const struct maildir_options *set = argument;
    struct stat found;
    char path[4096];

    if (snprintf(path, sizeof(path), "%s", set->path) >= (int)sizeof(path))
        return pr_fail(PR_CONFIG, "the path %.60s... is too long", set->path);
    while (stat(path, &found) != 0) {
        char *slash = strrchr(path, '/');
        if (errno != ENOENT || slash == NULL)
            return pr_fail_errno(PR_IO, errno, "cannot look at %s", path);
        slash[slash == path ? 1 : 0] = '\0';
    }
    if (!S_ISDIR(found.st_mode))
        return pr_fail(PR_CONFIG, "%s is not a folder", path);
    if (faccessat(AT_FDCWD, path, R_OK | W_OK | X_OK, AT_EACCESS) != 0)
        return pr_fail_errno(PR_IO, errno, "cannot write to the folder %s",
                             path);
    return check_room(path);
}

static pr_status sink_check(struct pr_sink *sink)
{
    return pr_offload(check_job, (void *)(uintptr_t)sink->options);
}

static void sink_describe(const void *set, char *name, size_t size)
{
    snprintf(name, size, "maildir:%s",
             ((const struct maildir_options *)set)->path);
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

const struct pr_class maildir_class = {
    .size = sizeof(maildir_class),
    .role = PR_ROLE_SINK,
    .name = "maildir",
    .summary = "deliver into Maildirs on this machine",
    .options = options,
    .options_size = sizeof(struct maildir_options),
    .sink = &ops,
};
