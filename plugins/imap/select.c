/*
 * Selecting a folder: SELECT, or EXAMINE if nothing may change (RFC
 * 3501, 6.3.1).
 */
#include "imap.h"

static pr_status note_code(void *user, const struct imap_response *told)
{
    struct imap_folder *folder = &((struct imap *)user)->folder;

    if (told->kind != IMAP_CONDITION)
        return PR_OK;
    if (told->code == IMAP_CODE_CLOSED) { /* all before was of another folder */
        struct pr_arena *arena = folder->arena;
        *folder = (struct imap_folder){.arena = arena};
    }
    if (told->code == IMAP_CODE_UIDVALIDITY && told->number <= UINT32_MAX)
        folder->uidvalidity = (uint32_t)told->number;
    else if (told->code == IMAP_CODE_UIDNEXT && told->number <= UINT32_MAX)
        folder->uidnext = (uint32_t)told->number;
    else if (told->code == IMAP_CODE_HIGHESTMODSEQ)
        folder->modseq = told->number;
    return PR_OK;
}

static pr_status send_select(struct imap *imap, struct imap_command *command,
                             const char *folder)
{
    bool examines = imap->setup.read_only;
    pr_status status = imap_name_prepare(imap, folder);

    if (status == PR_OK)
        status = imap_begin(imap, command, examines ? "EXAMINE" : "SELECT");
    if (status == PR_OK)
        status = imap_put(imap, examines ? "EXAMINE " : "SELECT ");
    if (status == PR_OK)
        status = imap_put_name(imap, command, folder);
    return status != PR_OK ? status : imap_end(imap);
}

static pr_status select_folder(struct imap *imap, const char *name)
{
    struct imap_command command;
    pr_status status = send_select(imap, &command, name);

    if (status == PR_OK)
        status = imap_await(imap, &command);
    if (status == PR_OK)
        status = imap_verdict(&command, PR_GONE);
    if (status != PR_OK)
        return status;
    if (imap->folder.uidvalidity == 0)
        return pr_fail(PR_UNSUPPORTED, "the server gives no UIDVALIDITY, so "
                                       "messages cannot be told apart");
    imap->folder.read_only =
        imap->setup.read_only || command.code == IMAP_CODE_READ_ONLY;
    return PR_OK;
}

pr_status imap_select(struct imap *imap, const char *name,
                      struct pr_mailbox *ret)
{
    struct imap_folder *folder = &imap->folder;

    imap_unselect(imap);
    folder->arena = pr_arena_new();
    if (folder->arena == NULL)
        return PR_NOMEM;
    imap_listen(imap, note_code, NULL, imap);
    pr_status status = select_folder(imap, name);
    imap_listen(imap, NULL, NULL, NULL);
    if (status != PR_OK) {
        imap_unselect(imap);
        return status;
    }
    *ret = (struct pr_mailbox){.uidvalidity = folder->uidvalidity,
                               .uidnext = folder->uidnext,
                               .modseq = folder->modseq,
                               .exists = folder->exists,
                               .read_only = folder->read_only};
    return PR_OK;
}

pr_status imap_op_select(struct pr_source *source, const char *name,
                         struct pr_mailbox *ret)
{
    return imap_select(source->state, name, ret);
}
