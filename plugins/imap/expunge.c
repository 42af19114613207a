/*
 * Deleting for good where there is no UID EXPUNGE.
 *
 * Plain EXPUNGE takes everything that is \Deleted, also what the user or
 * another program flagged and may want back. It is used only when the server
 * says that nothing but our own messages is.
 */
#include <stdlib.h>
#include <string.h>

#include "settle.h"

struct deleted {
    struct pr_buffer ranges; /* of struct pr_range */
    bool is_told;
};

static pr_status note_deleted(void *user, const struct imap_response *told)
{
    struct deleted *deleted = user;

    if (told->kind != IMAP_SEARCH)
        return PR_OK;
    deleted->is_told = true;
    return pr_buffer_add(&deleted->ranges, told->ranges.data,
                         told->ranges.size);
}

static pr_status search_deleted(struct imap *imap, struct deleted *deleted)
{
    struct imap_command command;
    const char *text = imap_can(imap, IMAP_CAN_ESEARCH)
                           ? "UID SEARCH RETURN (ALL) DELETED"
                           : "UID SEARCH DELETED";

    imap_listen(imap, note_deleted, NULL, deleted);
    pr_status status = imap_send(imap, &command, "SEARCH", text);
    if (status == PR_OK)
        status = imap_await(imap, &command);
    imap_listen(imap, NULL, NULL, NULL);
    if (status == PR_OK && command.condition != IMAP_OK)
        deleted->is_told = false;
    return status;
}

static int compare_uids(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return left < right ? -1 : left > right;
}

static bool are_ours(struct pr_range range, const uint32_t *uids, size_t count)
{
    if (range.last - range.first >= count)
        return false;
    for (uint64_t uid = range.first; uid <= range.last; uid++) {
        uint32_t key = (uint32_t)uid;
        if (bsearch(&key, uids, count, sizeof(key), compare_uids) == NULL)
            return false;
    }
    return true;
}

/* `uids`: room for `count`. */
static bool is_nothing_but(const struct deleted *deleted,
                           const struct task *tasks, size_t count,
                           uint32_t *uids)
{
    size_t ours = 0;

    for (size_t i = 0; i < count; i++)
        if (tasks[i].result == PR_OK)
            uids[ours++] = tasks[i].deed->item->uid;
    qsort(uids, ours, sizeof(*uids), compare_uids);
    for (size_t at = 0; at < deleted->ranges.size;
         at += sizeof(struct pr_range)) {
        struct pr_range range;
        memcpy(&range, deleted->ranges.data + at, sizeof(range));
        if (!are_ours(range, uids, ours))
            return false;
    }
    return deleted->is_told;
}

static pr_status expunge(struct imap *imap)
{
    struct imap_command command;
    pr_status status = imap_send(imap, &command, "EXPUNGE", "EXPUNGE");

    if (status == PR_OK)
        status = imap_await(imap, &command);
    if (status == PR_OK && imap_verdict(&command, PR_REFUSED) != PR_OK)
        pr_log(imap->log, PR_LOG_WARNING, "%s", pr_last_failure()->text);
    return status;
}

pr_status imap_expunge_ours(struct imap *imap, const struct task *tasks,
                            size_t count)
{
    struct deleted deleted = {.is_told = false};
    uint32_t *uids = calloc(count, sizeof(*uids));

    if (uids == NULL)
        return imap_break(imap, pr_fail(PR_NOMEM, "out of memory"));
    pr_buffer_init(&deleted.ranges, IMAP_RANGES_CAP);
    pr_status status = search_deleted(imap, &deleted);
    if (status == PR_OK && is_nothing_but(&deleted, tasks, count, uids)) {
        status = expunge(imap);
    } else if (status == PR_OK && !imap->warned_of_deleted) {
        pr_log(imap->log, PR_LOG_WARNING,
               "messages are flagged \\Deleted but not expunged: others in the "
               "folder are flagged too, and this server cannot tell them apart "
               "(UIDPLUS)");
        imap->warned_of_deleted = true;
    }
    pr_buffer_done(&deleted.ranges);
    free(uids);
    return status;
}
