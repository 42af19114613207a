/*
 * A batch of deliveries, appended to its mboxes.
 */
#include "config.h"

#include "batch.h"

#include <stdlib.h>
#include <string.h>

#include <postrider/crash.h>

#include "letter.h"
#include "mend.h"
#include "place.h"

/* The deliveries of a batch that go to one folder. */
struct group {
    struct mbox *mbox;
    struct mbox_folder *folder;
    struct pr_delivery **deliveries;
    size_t count;
    struct mbox_file file;
    char path[MBOX_PATH_MAX];
};

static void set_result(struct pr_delivery *delivery,
                       const struct pr_failure *failure)
{
    delivery->result = failure->status;
    memcpy(delivery->failure, failure->text, sizeof(delivery->failure));
}

static void fail_open(struct group *group)
{
    const struct pr_failure *failure = pr_last_failure();

    for (size_t i = 0; i < group->count; i++)
        if (group->deliveries[i]->result == PR_DOUBT)
            set_result(group->deliveries[i], failure);
}

/* ---- Appending: in a job ------------------------------------------------- */

static pr_status put(void *user, const char *data, size_t size)
{
    return journal_put(user, data, size);
}

/* What must stand before a From_ line, as long as the mbox is not empty: the
 * end of a line, and an empty one. Other programs may have left less. */
static pr_status put_gap(const struct mbox_file *file, struct journal *journal)
{
    char last[2] = {'\n', '\n'};
    size_t size = file->size < 2 ? (size_t)file->size : 2;
    int error = octets_read(file->fd, file->size - size, last + 2 - size, size);

    if (error != 0)
        return file_fail(file, error, "read");
    if (last[1] != '\n')
        return journal_put(journal, "\n\n", 2);
    return last[0] != '\n' ? journal_put(journal, "\n", 1) : PR_OK;
}

static struct pr_delivery *find_same(const struct group *group, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(group->deliveries[i]->key, group->deliveries[index]->key) ==
            0)
            return group->deliveries[i];
    return NULL;
}

/* One that cannot be written leaves nothing and does not touch the others. */
static void write_letter(struct group *group, struct journal *journal,
                         struct pr_delivery *delivery)
{
    pr_status status = PR_OK;

    if (journal->last.count == 0)
        status = put_gap(&group->file, journal);
    if (status == PR_OK)
        status =
            letter_write(delivery, group->mbox->options->flags, put, journal);
    if (status == PR_OK)
        status = journal_add(journal, delivery->key);
    if (status == PR_OK)
        return;
    set_result(delivery, pr_last_failure());
    journal_take_back(journal);
}

static void write_letters(struct group *group, struct journal *journal)
{
    for (size_t i = 0; i < group->count; i++)
        if (find_same(group, i) == NULL)
            write_letter(group, journal, group->deliveries[i]);
}

static pr_status append_letters(struct group *group, struct journal *journal)
{
    struct mbox_file *file = &group->file;
    pr_status status = mend_pending(file, journal);

    if (status == PR_OK)
        status = journal_begin(journal, (uint32_t)group->count, file->size,
                               file->size);
    if (status != PR_OK)
        return status;
    write_letters(group, journal);
    if (journal->last.count == 0) {
        journal_drop(journal);
        return PR_OK;
    }
    status = journal_seal(journal);
    return status == PR_OK ? mend_append(file, journal) : status;
}

static void note_results(struct group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        struct pr_delivery *delivery = group->deliveries[i];
        const struct pr_delivery *same = find_same(group, i);
        if (delivery->result != PR_DOUBT)
            continue;
        delivery->result = same != NULL ? same->result : PR_OK;
        if (same != NULL)
            memcpy(delivery->failure, same->failure, sizeof(delivery->failure));
    }
}

static pr_status append_job(void *argument)
{
    struct group *group = argument;
    struct journal journal;
    pr_status status =
        journal_open(&journal, &group->file, &group->folder->mark);

    if (status == PR_OK)
        status = append_letters(group, &journal);
    if (status == PR_OK)
        note_results(group);
    else
        fail_open(group);
    journal_close(&journal);
    file_close(&group->file);
    pr_crash_point("mbox unlocked");
    return PR_OK;
}

static pr_status find_path(void *argument)
{
    struct group *group = argument;

    return place_file(group->mbox->options->set.path, group->folder->name,
                      group->path);
}

/* ---- Groups -------------------------------------------------------------- */

struct mbox_folder *batch_folder(struct mbox *mbox, const char *name)
{
    struct mbox_folder *folder = mbox->folders;
    size_t size = strlen(name) + 1;

    while (folder != NULL && strcmp(folder->name, name) != 0)
        folder = folder->next;
    if (folder != NULL)
        return folder;
    folder = calloc(1, sizeof(*folder) + size);
    if (folder == NULL) {
        (void)pr_fail(PR_NOMEM, "out of memory");
        return NULL;
    }
    memcpy(folder->name, name, size);
    folder->turn.free = 1;
    folder->next = mbox->folders;
    mbox->folders = folder;
    return folder;
}

static pr_status run_in_turn(struct group *group)
{
    pr_status status = pr_offload(find_path, group);

    if (status == PR_OK)
        status = file_open(&group->file, &group->mbox->owner, group->path,
                           FILE_MAKE);
    return status == PR_OK ? pr_offload(append_job, group) : status;
}

static void run_group(struct group *group)
{
    pr_status status = pr_semaphore_take(&group->folder->turn, 1, PR_NEVER);

    if (status != PR_OK) {
        (void)pr_fail(status, "stopped while another batch was written to %s",
                      group->mbox->options->set.path);
        fail_open(group);
        return;
    }
    if (run_in_turn(group) != PR_OK)
        fail_open(group);
    pr_semaphore_give(&group->folder->turn, 1);
}

static const char *folder_in(const struct pr_delivery *delivery)
{
    return delivery->receipt + sizeof(RECEIPT) - 1;
}

/* Takes from `from` those that go where the first one goes; how many. */
static size_t gather(struct pr_delivery *const *from, size_t count,
                     struct group *group)
{
    const char *folder = folder_in(from[0]);

    group->count = 0;
    for (size_t i = 0; i < count; i++)
        if (from[i]->result == PR_BUG &&
            strcmp(folder_in(from[i]), folder) == 0) {
            from[i]->result = PR_DOUBT;
            group->deliveries[group->count++] = from[i];
        }
    return group->count;
}

static pr_status run_groups(struct mbox *mbox, struct group *group,
                            struct pr_delivery *const *deliveries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (deliveries[i]->result != PR_BUG)
            continue;
        group->folder = batch_folder(mbox, folder_in(deliveries[i]));
        if (group->folder == NULL)
            return PR_NOMEM;
        gather(deliveries + i, count - i, group);
        run_group(group);
    }
    return PR_OK;
}

pr_status batch_commit(struct pr_sink *sink,
                       struct pr_delivery *const *deliveries, size_t count)
{
    struct mbox *mbox = sink->state;
    struct group *group = calloc(1, sizeof(*group));
    pr_status status = PR_OK;

    for (size_t i = 0; i < count; i++)
        deliveries[i]->result = PR_BUG; /* not dealt with */
    if (group != NULL)
        group->deliveries = calloc(count + 1, sizeof(struct pr_delivery *));
    if (group == NULL || group->deliveries == NULL) {
        status = pr_fail(PR_NOMEM, "out of memory");
    } else {
        group->mbox = mbox;
        status = run_groups(mbox, group, deliveries, count);
    }
    if (group != NULL)
        free(group->deliveries);
    free(group);
    for (size_t i = 0; status != PR_OK && i < count; i++)
        if (deliveries[i]->result == PR_BUG)
            set_result(deliveries[i], pr_last_failure());
    return PR_OK;
}
