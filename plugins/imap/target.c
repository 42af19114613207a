/*
 * Folders of the server that a sink appends to.
 */
#include <stdlib.h>
#include <string.h>

#include "append.h"

/* Of a name: a receipt has room for it. */
#define NAME_CAP 200u

/* ---- Names -------------------------------------------------------------- */

/* What other folders are below: "" if they are at the top. */
static const char *root_of(const struct append *append)
{
    const char *folder = append->options->folder;

    return strcmp(folder, "/") == 0 ? "" : folder;
}

static bool needs_separator(const struct append *append, const char *below)
{
    return below[0] != '\0' &&
           (root_of(append)[0] != '\0' || strchr(below, '/') != NULL);
}

/* "lists/dev" below "INBOX" is "INBOX.lists.dev" where "." separates. */
static pr_status write_name(const struct append *append, const char *below,
                            char ret[NAME_CAP + 1])
{
    const char *root = root_of(append);
    size_t root_size = strlen(root), below_size = strlen(below);

    if (below_size == 0 && root_size == 0)
        root_size = strlen(root = "INBOX");
    if (needs_separator(append, below) && append->separator == '\0')
        return pr_fail(PR_REFUSED, "the server has no folders in folders");
    if (root_size + 1 + below_size > NAME_CAP)
        return pr_fail(PR_REFUSED, "the folder name \"%.60s...\" is too long",
                       below_size > 0 ? below : root);
    memcpy(ret, root, root_size + 1);
    if (below_size == 0)
        return PR_OK;
    if (root_size > 0)
        ret[root_size++] = append->separator;
    for (size_t i = 0; i <= below_size; i++)
        ret[root_size + i] = below[i] == '/' ? append->separator : below[i];
    return PR_OK;
}

static pr_status note_separator(void *user, const struct imap_response *told)
{
    struct append *append = user;

    if (told->kind != IMAP_LIST)
        return PR_OK;
    append->separator = told->mailbox.separator;
    append->knows_separator = true;
    return PR_OK;
}

/* RFC 3501, 6.3.8: an empty name asks for the separator alone. */
static pr_status learn_separator(struct append *append)
{
    struct imap_command command;

    imap_listen(append->imap, note_separator, NULL, append);
    pr_status status =
        imap_send(append->imap, &command, "LIST", "LIST \"\" \"\"");
    if (status == PR_OK)
        status = imap_await(append->imap, &command);
    imap_listen(append->imap, NULL, NULL, NULL);
    if (status == PR_OK)
        status = imap_verdict(&command, PR_REFUSED);
    if (status == PR_OK && !append->knows_separator)
        status = pr_fail(PR_PROTOCOL,
                         "the server does not tell what separates the names of "
                         "folders");
    return status;
}

/* ---- What is known ------------------------------------------------------- */

static struct append_folder *find(const struct append *append, const char *name)
{
    struct append_folder *folder = append->folders;

    while (folder != NULL && strcmp(folder->name, name) != 0)
        folder = folder->next;
    return folder;
}

pr_status append_folder_named(struct append *append, const char *name,
                              struct append_folder **ret)
{
    struct append_folder *folder = find(append, name);

    if (folder == NULL) {
        size_t size = strlen(name) + 1;
        folder = calloc(1, sizeof(*folder) + size);
        if (folder == NULL)
            return pr_fail(PR_NOMEM, "out of memory");
        memcpy(folder->name, name, size);
        folder->next = append->folders;
        append->folders = folder;
    }
    *ret = folder;
    return PR_OK;
}

void append_folders_free(struct append *append)
{
    while (append->folders != NULL) {
        struct append_folder *folder = append->folders;
        append->folders = folder->next;
        free(folder);
    }
}

/* ---- STATUS (RFC 3501, 6.3.10) ------------------------------------------- */

static pr_status note_status(void *user, const struct imap_response *told)
{
    if (told->kind == IMAP_STATUS)
        *(struct imap_status *)user = told->status;
    return PR_OK;
}

static pr_status send_status(struct imap *imap, struct imap_command *command,
                             const char *name)
{
    bool has_own_limit =
        imap_can(imap, IMAP_CAN_APPENDLIMIT) && imap->append_limit == 0;
    pr_status status = imap_name_prepare(imap, name);

    *command = (struct imap_command){.name = NULL};
    if (status == PR_OK)
        status = imap_begin(imap, command, "STATUS");
    if (status == PR_OK)
        status = imap_put(imap, "STATUS ");
    if (status == PR_OK)
        status = imap_put_name(imap, command, name);
    if (status == PR_OK)
        status =
            imap_put(imap, has_own_limit ? " (UIDNEXT UIDVALIDITY APPENDLIMIT)"
                                         : " (UIDNEXT UIDVALIDITY)");
    return status != PR_OK ? status : imap_end(imap);
}

static pr_status ask(struct append *append, struct append_folder *folder)
{
    struct imap *imap = append->imap;
    struct imap_status told = {.uidnext = 0};
    struct imap_command command;

    imap_listen(imap, note_status, NULL, &told);
    pr_status status = send_status(imap, &command, folder->name);
    if (status == PR_OK)
        status = imap_await(imap, &command);
    imap_listen(imap, NULL, NULL, NULL);
    if (status != PR_OK && !command.is_done)
        return status;
    status = imap_verdict(&command, PR_GONE);
    if (status != PR_OK && status != PR_GONE)
        return pr_context(status, "\"%s\"", folder->name);
    folder->is_missing = status == PR_GONE;
    folder->is_known = true;
    folder->uidvalidity = told.uidvalidity;
    folder->uidnext = told.uidnext;
    folder->limit =
        imap->append_limit > 0 ? imap->append_limit : told.append_limit;
    append->used = pr_now();
    return PR_OK;
}

/* ---- The whole ----------------------------------------------------------- */

static pr_status find_below(struct append *append, const char *below,
                            struct append_folder **ret)
{
    char name[NAME_CAP + 1];
    pr_status status = write_name(append, below, name);

    return status != PR_OK ? status : append_folder_named(append, name, ret);
}

/* Without the server, as far as that goes. *ret NULL: it must be asked. */
static pr_status recall(struct append *append, const char *below,
                        struct append_folder **ret)
{
    *ret = NULL;
    if (needs_separator(append, below) && !append->knows_separator)
        return PR_OK;
    return find_below(append, below, ret);
}

static pr_status learn(struct append *append, const char *below,
                       struct append_folder **ret)
{
    pr_status status = append_connect(append);

    if (status == PR_OK && needs_separator(append, below) &&
        !append->knows_separator)
        status = learn_separator(append);
    if (status == PR_OK)
        status = find_below(append, below, ret);
    if (status != PR_OK || (*ret)->is_known)
        return status;
    return ask(append, *ret);
}

pr_status append_target(struct append *append, const char *below,
                        struct append_folder **ret)
{
    pr_status status = recall(append, below, ret);

    if (status != PR_OK || (*ret != NULL && (*ret)->is_known))
        return status;
    status = pr_semaphore_take(&append->line, 1, PR_NEVER);
    if (status != PR_OK)
        return status;
    status = learn(append, below, ret);
    if (append_was_lost(append)) /* nothing is spoilt by asking again */
        status = learn(append, below, ret);
    (void)append_was_lost(append);
    pr_semaphore_give(&append->line, 1);
    return status;
}
