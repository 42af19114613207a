/*
 * Making a folder: CREATE (RFC 3501, 6.3.3).
 */
#include "imap.h"

pr_status imap_create(struct imap *imap, const char *name)
{
    struct imap_command command;
    pr_status status = imap_name_prepare(imap, name);

    if (status == PR_OK)
        status = imap_begin(imap, &command, "CREATE");
    if (status == PR_OK)
        status = imap_put(imap, "CREATE ");
    if (status == PR_OK)
        status = imap_put_name(imap, &command, name);
    if (status == PR_OK)
        status = imap_end(imap);
    if (status == PR_OK)
        status = imap_await(imap, &command);
    if (status != PR_OK)
        return status;
    if (command.condition == IMAP_OK)
        pr_log(imap->log, PR_LOG_INFO, "made the folder \"%s\" on the server",
               name);
    else
        pr_log(imap->log, PR_LOG_WARNING,
               "the server does not make the folder \"%s\": %s", name,
               command.text);
    return PR_OK;
}
