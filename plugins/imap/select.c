/*
 * Selecting a folder: SELECT, or EXAMINE if nothing may change (RFC
 * 3501, 6.3.1).
 */
#include <string.h>

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

/* ---- The source's selected folder ---------------------------------------- */

bool imap_is_selected(struct imap *imap, const char *name)
{
    const struct imap_known *known = imap_known_selected(imap);

    return known != NULL && imap->folder.arena != NULL &&
           (strcmp(known->name, name) == 0 ||
            (imap_is_inbox(known->name) && imap_is_inbox(name)));
}

/* NOTIFY tells by EXISTS of the selected folder and by STATUS of the others
 * (RFC 5465, 5): of what came just before a folder was left, by neither. The
 * answer is not waited for; it is heard as NOTIFY's own is. */
static pr_status ask_after(struct imap *imap, size_t left)
{
    struct imap_command *command = &imap->left;
    const struct imap_watching *watching = &imap->watching;
    pr_status status = PR_OK;

    if (left == IMAP_NONE || left == watching->selected ||
        !watching->is_notifying || !watching->all[left].is_watched)
        return PR_OK;
    if (command->name != NULL)
        status = imap_await(imap, command);
    if (status == PR_OK)
        status = imap_send_status(imap, command, watching->all[left].name);
    return status == PR_REFUSED && command->is_done ? PR_OK : status;
}

pr_status imap_select_folder(struct imap *imap, const char *name,
                             struct pr_mailbox *ret)
{
    size_t index, left = imap->watching.selected;
    pr_status status = imap_known(imap, name, &index);

    if (status == PR_OK)
        status = imap_select(imap, name, ret);
    if (status != PR_OK)
        return status;
    const struct pr_glance glance = {.uidvalidity = ret->uidvalidity,
                                     .uidnext = ret->uidnext,
                                     .exists = ret->exists,
                                     .modseq = ret->modseq};
    imap_known_tell(&imap->watching.all[index], &glance);
    imap->watching.selected = index;
    imap->watching.has_changed = false;
    return ask_after(imap, left);
}

/* The folder is selected: what the server had to say of it was said, or comes
 * with a NOOP. Not where something happened and changes are asked for, for
 * SELECT alone tells the folder's HIGHESTMODSEQ. */
static pr_status select_again(struct imap *imap, struct pr_mailbox *ret,
                              bool *ret_done)
{
    const struct imap_folder *folder = &imap->folder;
    struct imap_command noop = {.condition = IMAP_OK};
    pr_status status = PR_OK;

    if (pr_now() > imap->watching.fresh_until) {
        status = imap_send(imap, &noop, "NOOP", "NOOP");
        if (status == PR_OK)
            status = imap_await(imap, &noop);
    }
    *ret_done = status == PR_OK && noop.condition == IMAP_OK &&
                !(imap->setup.qresync && imap->watching.has_changed);
    if (!*ret_done)
        return status;
    struct pr_arena *arena = pr_arena_new();
    if (arena == NULL)
        return PR_NOMEM;
    pr_arena_free(folder->arena);
    imap->folder.arena = arena;
    *ret = (struct pr_mailbox){.uidvalidity = folder->uidvalidity,
                               .uidnext = folder->uidnext,
                               .modseq = folder->modseq,
                               .exists = folder->exists,
                               .read_only = folder->read_only};
    const struct pr_glance glance = {.uidvalidity = folder->uidvalidity,
                                     .uidnext = folder->uidnext,
                                     .exists = folder->exists,
                                     .modseq = folder->modseq};
    imap_known_tell(imap_known_selected(imap), &glance);
    return PR_OK;
}

pr_status imap_op_select(struct pr_source *source, const char *name,
                         struct pr_mailbox *ret)
{
    struct imap *imap = source->state;
    pr_status status = imap_check(imap);
    bool is_done = false;

    if (status == PR_OK && imap_is_selected(imap, name))
        status = select_again(imap, ret, &is_done);
    imap->watching.fresh_until = 0;
    return status != PR_OK || is_done ? status
                                      : imap_select_folder(imap, name, ret);
}
