/*
 * Where folders stand, without selecting them: LIST-STATUS (RFC 5819) in one
 * round trip, else a STATUS for each (RFC 3501, 6.3.10), many in one flight.
 *
 * STATUS is not for the selected folder: of that one NOOP tells all there is.
 */
#include <stdlib.h>
#include <string.h>

#include "imap.h"

#define PATTERNS_CAP 4000u /* octets of names in one LIST */
#define FLIGHT 50u         /* commands on their way at a time */

struct answer {
    const char *folder; /* lent by the core */
    size_t known;
    struct imap_status status;
    bool is_there, is_named; /* LIST, STATUS told of it */
};

struct look {
    struct imap *imap;
    struct answer *answers;
    size_t count;
    struct imap_command *commands; /* FLIGHT of them */
};

/* ---- Answers ------------------------------------------------------------- */

static struct answer *answer_by_wire(struct look *look, struct pr_bytes wire)
{
    size_t known = imap_known_by_wire(look->imap, wire);

    for (size_t i = 0; i < look->count && known != IMAP_NONE; i++)
        if (look->answers[i].known == known)
            return &look->answers[i];
    return NULL;
}

static pr_status take(void *user, const struct imap_response *told)
{
    struct look *look = user;

    if (told->kind != IMAP_STATUS && told->kind != IMAP_LIST)
        return PR_OK;
    struct pr_bytes wire = {imap_text(told, told->mailbox.name),
                            told->mailbox.name.size};
    struct answer *answer = answer_by_wire(look, wire);
    if (answer == NULL)
        return PR_OK;
    if (told->kind == IMAP_LIST) {
        answer->is_named |= !told->mailbox.cannot_select;
    } else {
        answer->is_there = true;
        answer->status = told->status;
    }
    return PR_OK;
}

/* ---- Questions ----------------------------------------------------------- */

static const char *items(const struct imap *imap)
{
    return imap_can(imap, IMAP_CAN_CONDSTORE)
               ? "(MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)"
               : "(MESSAGES UIDNEXT UIDVALIDITY)";
}

static bool is_pattern(const char *name)
{
    return strpbrk(name, "*%") != NULL;
}

pr_status imap_send_status(struct imap *imap, struct imap_command *command,
                           const char *name)
{
    pr_status status = imap_begin(imap, command, "STATUS");

    if (status == PR_OK)
        status = imap_put(imap, "STATUS ");
    if (status == PR_OK)
        status = imap_put_name(imap, command, name);
    if (status == PR_OK)
        status = imap_put(imap, " ");
    if (status == PR_OK)
        status = imap_put(imap, items(imap));
    return status != PR_OK ? status : imap_end(imap);
}

/* A flight of STATUS; that a folder is not there is of that one alone. */
static pr_status ask_flight(struct look *look, const size_t *wanted,
                            size_t count)
{
    struct imap_command *commands = look->commands;
    struct imap *imap = look->imap;
    size_t sent = 0;
    pr_status status = PR_OK;

    for (; sent < count && status == PR_OK; sent++) {
        status = imap_send_status(imap, &commands[sent],
                                  look->answers[wanted[sent]].folder);
        if (status == PR_REFUSED && commands[sent].is_done)
            status = PR_OK; /* a literal it will not have */
    }
    for (size_t i = 0; i < sent && status == PR_OK; i++) {
        status = imap_await(imap, &commands[i]);
        if (status == PR_OK)
            status = imap_verdict(&commands[i], PR_GONE);
        if (status == PR_GONE || status == PR_REFUSED)
            status = PR_OK;
    }
    return status;
}

static pr_status ask_each(struct look *look, bool only_missing)
{
    size_t wanted[FLIGHT], count = 0;
    pr_status status = PR_OK;

    for (size_t i = 0; i < look->count && status == PR_OK; i++) {
        const struct answer *answer = &look->answers[i];
        if (answer->known == look->imap->watching.selected ||
            (only_missing && (answer->is_there || !answer->is_named)))
            continue;
        wanted[count++] = i;
        if (count == FLIGHT) {
            status = ask_flight(look, wanted, count);
            count = 0;
        }
    }
    return status == PR_OK && count > 0 ? ask_flight(look, wanted, count)
                                        : status;
}

static bool is_listed(const struct look *look, size_t i)
{
    return look->answers[i].known != look->imap->watching.selected &&
           !is_pattern(look->answers[i].folder);
}

/* LIST "" (names) RETURN (STATUS (...)), of answers from *next on. */
static pr_status ask_some(struct look *look, size_t *next)
{
    while (*next < look->count && !is_listed(look, *next))
        look->answers[(*next)++].is_named = true; /* STATUS is left for it */
    if (*next == look->count)
        return PR_OK;
    struct imap *imap = look->imap;
    struct imap_command command;
    size_t size = 0, put = 0;
    pr_status status = imap_begin(imap, &command, "LIST");

    if (status == PR_OK)
        status = imap_put(imap, "LIST \"\" (");
    for (; *next < look->count && status == PR_OK && size < PATTERNS_CAP;
         ++*next) {
        struct answer *answer = &look->answers[*next];
        if (!is_listed(look, *next)) {
            answer->is_named = true;
            continue;
        }
        if (put++ > 0)
            status = imap_put(imap, " ");
        if (status == PR_OK)
            status = imap_put_name(imap, &command, answer->folder);
        size += strlen(answer->folder);
    }
    if (status == PR_OK)
        status = imap_put(imap, ") RETURN (STATUS ");
    if (status == PR_OK)
        status = imap_put(imap, items(imap));
    if (status == PR_OK)
        status = imap_put(imap, ")");
    if (status == PR_OK)
        status = imap_end(imap);
    if (status == PR_OK)
        status = imap_await(imap, &command);
    return status != PR_OK ? status : imap_verdict(&command, PR_UNSUPPORTED);
}

/* The selected folder is asked by NOOP, which goes first: no answer to it is
 * waited for but with those that follow. */
static pr_status ask_all(struct look *look)
{
    struct imap *imap = look->imap;
    struct imap_command noop = {.is_done = true};
    bool by_list = imap_can(imap, IMAP_CAN_LIST_STATUS);
    size_t next = 0;
    pr_status status = PR_OK;

    for (size_t i = 0; i < look->count && status == PR_OK; i++)
        if (look->answers[i].known == imap->watching.selected)
            status = imap_send(imap, &noop, "NOOP", "NOOP");
    while (status == PR_OK && by_list && next < look->count)
        status = ask_some(look, &next);
    if (by_list && imap->broken.status == PR_OK && status != PR_OK) {
        imap->capabilities &= ~(unsigned)IMAP_CAN_LIST_STATUS;
        by_list = false;
        status = PR_OK;
    }
    if (status == PR_OK)
        status = ask_each(look, by_list);
    return status != PR_OK ? status : imap_await(imap, &noop);
}

/* ---- The operation ------------------------------------------------------- */

static pr_status prepare(struct look *look, const char *const *folders)
{
    for (size_t i = 0; i < look->count; i++) {
        struct answer *answer = &look->answers[i];
        answer->folder = folders[i];
        pr_status status = imap_name_prepare(look->imap, folders[i]);
        if (status == PR_OK)
            status = imap_known(look->imap, folders[i], &answer->known);
        if (status != PR_OK)
            return status;
    }
    return PR_OK;
}

static pr_status tell(const struct look *look, pr_glanced *glanced, void *user)
{
    struct imap *imap = look->imap;
    pr_status status = PR_OK;

    for (size_t i = 0; i < look->count && status == PR_OK; i++) {
        const struct answer *answer = &look->answers[i];
        struct imap_known *known = &imap->watching.all[answer->known];
        bool is_selected = answer->known == imap->watching.selected;
        struct pr_glance glance = {.folder = answer->folder,
                                   .is_there = answer->is_there,
                                   .uidvalidity = answer->status.uidvalidity,
                                   .uidnext = answer->status.uidnext,
                                   .exists = answer->status.exists,
                                   .modseq = answer->status.modseq};
        if (is_selected) {
            glance.is_there = true;
            glance.uidvalidity = imap->folder.uidvalidity;
            glance.uidnext = imap->folder.uidnext;
            glance.exists = imap->folder.exists;
        }
        imap_known_tell(known, &glance);
        status = glanced(user, &glance);
    }
    return status;
}

pr_status imap_glance(struct imap *imap, const char *const *folders,
                      pr_glanced *glanced, void *user)
{
    struct look look = {.imap = imap};

    while (folders[look.count] != NULL)
        look.count++;
    if (look.count == 0)
        return PR_OK;
    look.answers = calloc(look.count, sizeof(*look.answers));
    look.commands = calloc(FLIGHT, sizeof(*look.commands));
    pr_status status = look.answers == NULL || look.commands == NULL
                           ? pr_fail(PR_NOMEM, "out of memory")
                           : prepare(&look, folders);
    if (status == PR_OK) {
        imap_listen(imap, take, NULL, &look);
        status = ask_all(&look);
        imap_listen(imap, NULL, NULL, NULL);
    }
    if (status == PR_OK)
        status = tell(&look, glanced, user);
    else if (imap->broken.status == PR_OK && imap->in_flight != NULL)
        imap_break(imap, status); /* answers on their way find nobody */
    free(look.answers);
    free(look.commands);
    return status;
}

pr_status imap_op_glance(struct pr_source *source, const char *const *folders,
                         pr_glanced *glanced, void *user)
{
    struct imap *imap = source->state;
    pr_status status = imap_check(imap);

    return status != PR_OK ? status : imap_glance(imap, folders, glanced, user);
}
