/*
 * The mbox source: its options, and what is in an mbox.
 *
 * An mbox numbers nothing. A message is known by a digest of its octets, and by
 * its place among those that are alike.
 */
#include "config.h"

#include "source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mend.h"
#include "place.h"

static const char *const formats[] = {"mboxrd", "mboxo", NULL};

static const struct pr_option options[] = {
    {.name = "path",
     .kind = PR_OPTION_PATH,
     .offset = offsetof(struct source_options, set.path),
     .help = "the mbox, or a folder of them",
     .required = true,
     .positional = true},
    {.name = "format",
     .kind = PR_OPTION_CHOICE,
     .offset = offsetof(struct source_options, format),
     .fallback = "mboxrd",
     .choices = formats,
     .help = "how lines that begin with \"From \" were quoted: mboxrd, or "
             "mboxo (only those without a \">\")"},
    MBOX_SET_OPTIONS(struct source_options, set),
    {0}};

static pr_status source_open(struct pr_source *source)
{
    const struct source_options *set = source->options;
    struct mbox_source *mbox = calloc(1, sizeof(*mbox));

    if (mbox == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    mbox->source = source;
    mbox->options = set;
    mbox->owner = (struct mbox_owner){.set = &set->set, .log = source->log};
    source->state = mbox;
    return PR_OK;
}

static void source_close(struct pr_source *source)
{
    struct mbox_source *mbox = source->state;

    if (mbox == NULL)
        return;
    scan_free(&mbox->scan);
    free(mbox);
    source->state = NULL;
}

/* ---- Selecting ----------------------------------------------------------- */

pr_status source_rescan(struct mbox_source *mbox, const struct mbox_file *file)
{
    if (scan_is_current(&mbox->scan, file))
        return PR_OK;
    scan_free(&mbox->scan);
    return scan_file(file, (enum unquote_format)mbox->options->format,
                     &mbox->scan);
}

struct selecting {
    struct mbox_source *mbox;
    const char *folder;
    bool is_broken_off; /* a write of the sink's was */
    struct mbox_file file;
};

static pr_status find_job(void *argument)
{
    struct selecting *selecting = argument;
    struct mbox_source *mbox = selecting->mbox;
    bool is_inbox = pr_bytes_equal_nocase(pr_bytes_of(selecting->folder),
                                          PR_BYTES("INBOX"));
    const char *folder = is_inbox ? "" : selecting->folder;
    pr_status status = place_check(folder);

    if (status == PR_OK)
        status = place_file(mbox->options->set.path, folder, mbox->path);
    if (status == PR_OK)
        status = journal_pending(&mbox->owner, mbox->path,
                                 &selecting->is_broken_off);
    return status;
}

static pr_status mend_job(void *argument)
{
    struct selecting *selecting = argument;
    struct journal journal;
    pr_status status = journal_open(&journal, &selecting->file, NULL);

    if (status == PR_OK)
        status = mend_pending(&selecting->file, &journal);
    journal_close(&journal);
    file_close(&selecting->file);
    return status;
}

/* Half a message must not be taken for one. */
static pr_status mend(struct selecting *selecting)
{
    struct mbox_source *mbox = selecting->mbox;

    if (!selecting->is_broken_off)
        return PR_OK;
    if (mbox->source->read_only)
        return pr_fail(PR_LATER,
                       "a write into %s was broken off and is not mended yet: "
                       "the next delivery there does that",
                       mbox->path);
    pr_status status =
        file_open(&selecting->file, &mbox->owner, mbox->path, FILE_WRITE);
    return status == PR_OK ? pr_offload(mend_job, selecting) : status;
}

static pr_status scan_job(void *argument)
{
    struct selecting *selecting = argument;
    pr_status status = source_rescan(selecting->mbox, &selecting->file);

    file_close(&selecting->file);
    return status;
}

static pr_status source_select(struct pr_source *source, const char *folder,
                               struct pr_mailbox *ret)
{
    struct mbox_source *mbox = source->state;
    struct selecting selecting = {.mbox = mbox, .folder = folder};

    scan_free(&mbox->scan);
    pr_status status = pr_offload(find_job, &selecting);
    if (status == PR_OK)
        status = mend(&selecting);
    if (status == PR_OK)
        status =
            file_open(&selecting.file, &mbox->owner, mbox->path, FILE_READ);
    if (status == PR_OK)
        status = pr_offload(scan_job, &selecting);
    if (status != PR_OK) {
        mbox->path[0] = '\0';
        return status;
    }
    *ret = (struct pr_mailbox){.exists = (uint32_t)scan_count(&mbox->scan),
                               .read_only = source->read_only};
    return PR_OK;
}

/* ---- Listing ------------------------------------------------------------- */

static pr_status source_list(struct pr_source *source,
                             const struct pr_range *ranges, size_t count,
                             pr_item_listed *listed, void *user)
{
    struct mbox_source *mbox = source->state;
    size_t messages = scan_count(&mbox->scan);
    pr_status status = PR_OK;

    (void)ranges, (void)count;
    if (mbox->path[0] == '\0')
        return pr_fail(PR_BUG, "no folder is selected");
    for (size_t i = 0; status == PR_OK && i < messages; i++) {
        const struct scan_message *message = scan_at(&mbox->scan, i);
        char name[SCAN_NAME];
        if (message->is_internal)
            continue;
        scan_name(message, name);
        struct pr_item item = {.number = (uint32_t)i + 1,
                               .uidl = name,
                               .size = message->size,
                               .received = message->received,
                               .flags = {message->flags, message->keywords}};
        status = listed(user, &item);
    }
    return status;
}

struct scan_message *source_find(const struct mbox_source *mbox,
                                 const struct pr_item *item)
{
    size_t hint = item->number > 0 ? item->number - 1 : 0;

    return item->uidl != NULL ? scan_find(&mbox->scan, item->uidl, hint) : NULL;
}

static const struct pr_source_ops ops = {
    .size = sizeof(ops),
    .open = source_open,
    .folders = source_folders,
    .select = source_select,
    .list = source_list,
    .fetch = source_fetch,
    .settle = source_settle,
    .close = source_close,
    .lacks = PR_LACKS_FOLDERS,
};

const struct pr_class mbox_source_class = {
    .size = sizeof(mbox_source_class),
    .role = PR_ROLE_SOURCE,
    .name = "mbox_source",
    .summary = "takes messages from mboxes on this machine",
    .options = options,
    .options_size = sizeof(struct source_options),
    .source = &ops,
};
