/*
 * Which folders there are: LIST (RFC 3501, 6.3.8).
 *
 * Names without wildcards are taken at their word, so that the common case
 * costs no round trip: SELECT tells whether they are there. Else each pattern
 * is one LIST, all in one flight, and what comes back is sorted, INBOX first.
 */
#include <stdlib.h>
#include <string.h>

#include "imap.h"

#define FOLDERS_CAP 100000u

struct found {
    struct imap *imap;
    const char *const *patterns;
    struct pr_buffer names; /* of const char * */
};

static bool is_exclusion(const char *pattern)
{
    return pattern[0] == '!';
}

/* Can the patterns be judged without the server's separator and names? */
static bool need_list(const char *const *patterns)
{
    for (; *patterns != NULL; patterns++) {
        bool excludes = is_exclusion(*patterns);
        if (strchr(*patterns, '%') != NULL ||
            (!excludes && strchr(*patterns, '*') != NULL))
            return true;
    }
    return false;
}

static bool is_left_out(const char *const *patterns, const char *name,
                        char separator)
{
    for (; *patterns != NULL; patterns++)
        if (is_exclusion(*patterns) &&
            imap_name_matches(*patterns + 1, name, separator))
            return true;
    return false;
}

/* ---- Without the server ------------------------------------------------- */

static bool is_repeated(const char *const *patterns, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(patterns[i], patterns[index]) == 0 ||
            (imap_is_inbox(patterns[i]) && imap_is_inbox(patterns[index])))
            return true;
    return false;
}

static pr_status tell_literal(const char *const *patterns,
                              pr_folder_found *found, void *user)
{
    pr_status status = PR_OK;

    for (size_t i = 0; patterns[i] != NULL && status == PR_OK; i++) {
        if (is_exclusion(patterns[i]) || is_repeated(patterns, i) ||
            is_left_out(patterns, patterns[i], '\0'))
            continue;
        status =
            found(user, imap_is_inbox(patterns[i]) ? "INBOX" : patterns[i]);
    }
    return status;
}

/* ---- With it ------------------------------------------------------------ */

static pr_status note_folder(void *user, const struct imap_response *told)
{
    struct found *found = user;
    const char *name = NULL;

    if (told->kind != IMAP_LIST || told->mailbox.cannot_select)
        return PR_OK;
    struct pr_bytes wire = {imap_text(told, told->mailbox.name),
                            told->mailbox.name.size};
    pr_status status = imap_name_read(found->imap, wire, &name);
    if (status != PR_OK || name == NULL)
        return status;
    if (imap_is_inbox(name))
        name = "INBOX";
    if (is_left_out(found->patterns, name, told->mailbox.separator))
        return PR_OK;
    status = pr_buffer_add(&found->names, &name, sizeof(name));
    return status == PR_LIMIT
               ? pr_fail(PR_LIMIT, "there are over %u folders", FOLDERS_CAP)
               : status;
}

static pr_status send_list(struct imap *imap, struct imap_command *command,
                           const char *pattern)
{
    pr_status status = imap_name_prepare(imap, pattern);

    if (status == PR_OK)
        status = imap_begin(imap, command, "LIST");
    if (status == PR_OK)
        status = imap_put(imap, "LIST \"\" ");
    if (status == PR_OK)
        status = imap_put_name(imap, command, pattern);
    return status != PR_OK ? status : imap_end(imap);
}

static pr_status await_all(struct imap *imap,
                           const struct imap_command *commands, size_t count)
{
    pr_status refused = PR_OK;

    for (size_t i = 0; i < count; i++) {
        pr_status status = imap_await(imap, &commands[i]);
        if (status != PR_OK)
            return status;
        status = imap_verdict(&commands[i], PR_REFUSED);
        if (refused == PR_OK)
            refused = status;
    }
    return refused;
}

static pr_status list_all(struct imap *imap, const char *const *patterns)
{
    struct imap_command *commands;
    size_t count = 0, sent = 0;
    pr_status status = PR_OK;

    while (patterns[count] != NULL)
        count++;
    commands = calloc(count + 1, sizeof(*commands));
    if (commands == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    for (size_t i = 0; i < count && status == PR_OK; i++) {
        if (is_exclusion(patterns[i]))
            continue;
        status = send_list(imap, &commands[sent], patterns[i]);
        sent += commands[sent].name != NULL; /* begun, so to be answered */
    }
    pr_status answered = await_all(imap, commands, sent);
    free(commands);
    return status != PR_OK ? status : answered;
}

static int compare_names(const void *a, const void *b)
{
    const char *left = *(const char *const *)a;
    const char *right = *(const char *const *)b;
    bool left_first = imap_is_inbox(left), right_first = imap_is_inbox(right);

    if (left_first != right_first)
        return left_first ? -1 : 1;
    return strcmp(left, right);
}

static pr_status tell_found(struct pr_buffer *buffer, pr_folder_found *found,
                            void *user)
{
    size_t count = buffer->size / sizeof(const char *);
    const char **names = (const char **)(void *)buffer->data;
    pr_status status = PR_OK;

    if (count == 0)
        return PR_OK;
    qsort(names, count, sizeof(*names), compare_names);
    for (size_t i = 0; i < count && status == PR_OK; i++)
        if (i == 0 || strcmp(names[i - 1], names[i]) != 0)
            status = found(user, names[i]);
    return status;
}

pr_status imap_op_folders(struct pr_source *source, const char *const *patterns,
                          pr_folder_found *tell, void *user)
{
    static const char *const inbox[] = {"INBOX", NULL};
    struct imap *imap = source->state;
    pr_status status = imap_check(imap);

    if (status != PR_OK)
        return status;
    if (patterns == NULL || *patterns == NULL)
        patterns = inbox;
    if (!need_list(patterns))
        return tell_literal(patterns, tell, user);
    struct found found = {.imap = imap, .patterns = patterns};
    pr_buffer_init(&found.names, FOLDERS_CAP * sizeof(const char *));
    imap_listen(imap, note_folder, NULL, &found);
    status = list_all(imap, patterns);
    imap_listen(imap, NULL, NULL, NULL);
    if (status == PR_OK)
        status = tell_found(&found.names, tell, user);
    pr_buffer_done(&found.names);
    return status;
}
