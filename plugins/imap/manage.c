/*
 * Changing folders: CREATE, RENAME, DELETE, SUBSCRIBE, UNSUBSCRIBE (RFC
 * 3501, 6.3.3 to 6.3.7).
 */
#include "imap.h"

static const char *const verbs[] = {
    [PR_FOLDER_CREATE] = "CREATE",
    [PR_FOLDER_RENAME] = "RENAME",
    [PR_FOLDER_DELETE] = "DELETE",
    [PR_FOLDER_SUBSCRIBE] = "SUBSCRIBE",
    [PR_FOLDER_UNSUBSCRIBE] = "UNSUBSCRIBE",
};

static pr_status put_command(struct imap *imap, struct imap_command *command,
                             const char *verb, const char *folder,
                             const char *to)
{
    pr_status status = imap_begin(imap, command, verb);

    if (status == PR_OK)
        status = imap_put(imap, verb);
    if (status == PR_OK)
        status = imap_put(imap, " ");
    if (status == PR_OK)
        status = imap_put_name(imap, command, folder);
    if (status == PR_OK && to != NULL)
        status = imap_put(imap, " ");
    if (status == PR_OK && to != NULL)
        status = imap_put_name(imap, command, to);
    if (command->is_done) /* a literal was refused: that is the answer */
        return PR_OK;
    return status != PR_OK ? status : imap_end(imap);
}

static pr_status verdict(const struct imap_command *command,
                         enum pr_folder_change change)
{
    if (change == PR_FOLDER_CREATE && command->code == IMAP_CODE_ALREADYEXISTS)
        return PR_OK;
    return imap_verdict(command, PR_REFUSED);
}

pr_status imap_op_manage(struct pr_source *source, enum pr_folder_change change,
                         const char *folder, const char *to)
{
    struct imap *imap = source->state;
    struct imap_command command;
    pr_status status = imap_check(imap);

    if (change != PR_FOLDER_RENAME)
        to = NULL;
    if (status == PR_OK)
        status = imap_name_prepare(imap, folder);
    if (status == PR_OK && to != NULL)
        status = imap_name_prepare(imap, to);
    if (status != PR_OK)
        return status;
    imap_listen(imap, NULL, NULL, NULL);
    status = put_command(imap, &command, verbs[change], folder, to);
    if (status == PR_OK)
        status = imap_await(imap, &command);
    return status == PR_OK ? verdict(&command, change) : status;
}
