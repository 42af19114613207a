/*
 * NOTIFY (RFC 5465): all folders of an account by one connection.
 *
 * It stays set while the connection does other things, and what it tells
 * meanwhile is noted. The selected folder is told of by EXISTS, and IDLE is
 * used for it; the others by STATUS. When none is selected, no command is in
 * flight while it waits.
 */
#include <string.h>

#include "imap.h"

#define NAMES_CAP 6000u /* octets of names in one command; else "personal" */
#define OVERFLOWS 2u    /* after which polling is better */

/* Dovecot 2.3 takes and sends names as UTF-8, whatever was agreed: a name that
 * is not ASCII is given in both ways then. */
enum spelling { BY_NAME, BY_BOTH_NAMES, PERSONAL };

static pr_status refuse(struct imap *imap, const char *why, const char *words)
{
    imap->watching.refuses_notify = true;
    return pr_fail(PR_UNSUPPORTED, "NOTIFY: %s%s", why, words);
}

/* ---- Setting it ---------------------------------------------------------- */

static pr_status put_events(struct imap *imap, unsigned events,
                            bool of_selected)
{
    pr_status status = imap_put(imap, " (MessageNew MessageExpunge");

    if (status == PR_OK && (events & PR_NEWS_FLAGS) != 0)
        status = imap_put(imap, " FlagChange");
    if (status == PR_OK && (events & PR_NEWS_FOLDER) != 0 && !of_selected)
        status = imap_put(imap, " MailboxName");
    return status != PR_OK ? status : imap_put(imap, ")");
}

static pr_status put_names(struct imap *imap, struct imap_command *command,
                           const char *const *folders, bool both)
{
    pr_status status = PR_OK;

    for (size_t i = 0; folders[i] != NULL && status == PR_OK; i++) {
        if (i > 0)
            status = imap_put(imap, " ");
        if (status == PR_OK)
            status = imap_put_name(imap, command, folders[i]);
        if (status != PR_OK || !both || imap_name_is_plain(folders[i]))
            continue;
        status = imap_put(imap, " ");
        if (status == PR_OK)
            status =
                imap_put_string(imap, command, pr_bytes_of(folders[i]), false);
    }
    return status;
}

static pr_status send_set(struct imap *imap, struct imap_command *command,
                          const char *const *folders, unsigned events,
                          enum spelling spelling)
{
    pr_status status = imap_begin(imap, command, "NOTIFY");

    if (status == PR_OK)
        status = imap_put(imap, "NOTIFY SET STATUS (selected");
    if (status == PR_OK)
        status = put_events(imap, events, true);
    if (status == PR_OK)
        status = imap_put(imap, spelling == PERSONAL ? ") (personal"
                                                     : ") (mailboxes (");
    if (status == PR_OK && spelling != PERSONAL)
        status = put_names(imap, command, folders, spelling == BY_BOTH_NAMES);
    if (status == PR_OK && spelling != PERSONAL)
        status = imap_put(imap, ")");
    if (status == PR_OK)
        status = put_events(imap, events, false);
    if (status == PR_OK)
        status = imap_put(imap, ")");
    return status != PR_OK ? status : imap_end(imap);
}

/* NOOP goes along: what the selected folder had pending comes by it. NONE goes
 * before: Dovecot 2.3 hears nothing for 30 s at a time after a second SET. */
static pr_status set(struct imap *imap, const char *const *folders,
                     unsigned events, enum spelling spelling,
                     struct imap_command *command)
{
    struct imap_command noop = {.name = NULL}, none = {.is_done = true};
    pr_status status = PR_OK;

    *command = (struct imap_command){.name = NULL};
    if (imap->watching.was_set)
        status = imap_send(imap, &none, "NOTIFY", "NOTIFY NONE");
    imap->watching.is_notifying = true; /* its STATUS come before its OK */
    imap->watching.was_set = true;
    if (status == PR_OK)
        status = send_set(imap, command, folders, events, spelling);
    if (status == PR_REFUSED && command->is_done)
        return PR_OK;
    if (status == PR_OK)
        status = imap_send(imap, &noop, "NOOP", "NOOP");
    if (status == PR_OK)
        status = imap_await(imap, command);
    if (status == PR_OK)
        status = imap_await(imap, &none);
    return status != PR_OK ? status : imap_await(imap, &noop);
}

/* With less of what is not for all servers: the second spelling, and events
 * that one does not know (RFC 5465, 5). */
static pr_status set_what_it_can(struct imap *imap, const char *const *folders,
                                 unsigned events, enum spelling spelling)
{
    struct imap_command command;

    for (;;) {
        pr_status status = set(imap, folders, events, spelling, &command);
        if (status != PR_OK)
            return status;
        if (command.condition == IMAP_OK)
            return PR_OK;
        imap->watching.is_notifying = imap->watching.was_set = false;
        if (spelling == BY_BOTH_NAMES)
            spelling = BY_NAME;
        else if ((events & PR_NEWS_FOLDER) != 0)
            events &= ~(unsigned)PR_NEWS_FOLDER;
        else if ((events & PR_NEWS_FLAGS) != 0)
            events &= ~(unsigned)PR_NEWS_FLAGS;
        else
            return refuse(imap, "the server says: ", command.text);
    }
}

/* ---- Is all of it watched? ----------------------------------------------- */

static size_t names_size(const char *const *folders)
{
    size_t size = 0;

    for (; *folders != NULL; folders++)
        size += 3 * strlen(*folders);
    return size;
}

/* Marks the folders' entries; forgets what was answered before. */
static pr_status mark(struct imap *imap, const char *const *folders)
{
    struct imap_watching *watching = &imap->watching;

    for (size_t i = 0; i < watching->count; i++)
        watching->all[i].is_watched = watching->all[i].is_answered = false;
    for (; *folders != NULL; folders++) {
        size_t index;
        pr_status status = imap_known(imap, *folders, &index);
        if (status == PR_OK)
            status = imap_name_prepare(imap, *folders);
        if (status != PR_OK)
            return status;
        watching->all[index].is_watched = true;
    }
    return PR_OK;
}

static bool is_silent(const struct imap *imap, size_t index)
{
    const struct imap_known *known = &imap->watching.all[index];

    return known->is_watched && !known->is_answered &&
           index != imap->watching.selected;
}

static pr_status is_it_there(void *user, const struct pr_glance *glance)
{
    *(bool *)user = glance->is_there;
    return PR_OK;
}

/* A folder that NOTIFY told nothing of is not there, or the server did not
 * understand its name: then it would never be heard of. */
static pr_status account_for_silent(struct imap *imap)
{
    for (size_t i = 0; i < imap->watching.count; i++) {
        bool is_there = false;
        if (!is_silent(imap, i))
            continue;
        const char *const folder[] = {imap->watching.all[i].name, NULL};
        pr_status status = imap_glance(imap, folder, is_it_there, &is_there);
        if (status != PR_OK)
            return status;
        if (is_there)
            return refuse(imap, "the server does not watch folder ", folder[0]);
        imap->watching.all[i].is_answered = true;
    }
    return PR_OK;
}

static enum spelling spelling_for(const struct imap *imap,
                                  const char *const *folders)
{
    enum spelling spelling = BY_NAME;

    if (names_size(folders) > NAMES_CAP)
        return PERSONAL;
    for (; *folders != NULL && !imap->utf8; folders++)
        if (!imap_name_is_plain(*folders))
            spelling = BY_BOTH_NAMES;
    return spelling;
}

static pr_status set_for_all(struct imap *imap, const char *const *folders,
                             unsigned wanted)
{
    pr_status status = mark(imap, folders);

    if (status == PR_OK)
        status =
            set_what_it_can(imap, folders, wanted, spelling_for(imap, folders));
    imap->watching.events = wanted;
    return status != PR_OK ? status : account_for_silent(imap);
}

static void give_up(struct imap *imap)
{
    struct imap_command command;

    imap->watching.is_notifying = imap->watching.was_set = false;
    if (imap->broken.status != PR_OK)
        return;
    pr_status status = imap_send(imap, &command, "NOTIFY", "NOTIFY NONE");
    if (status == PR_OK)
        status = imap_await(imap, &command);
    (void)status; /* broken, or it listens no more */
}

/* Is what is set what is wanted? */
static bool is_set_for(struct imap *imap, const struct pr_watch *watch)
{
    const struct imap_watching *watching = &imap->watching;
    size_t count = 0;

    if (!watching->is_notifying || watching->events != watch->wanted)
        return false;
    for (const char *const *name = watch->folders; *name != NULL; name++) {
        size_t index;
        if (imap_known(imap, *name, &index) != PR_OK ||
            !watching->all[index].is_watched)
            return false;
        count++;
    }
    for (size_t i = 0; i < watching->count; i++)
        count -= watching->all[i].is_watched;
    return count == 0;
}

static pr_status set_anew(struct imap *imap, const struct pr_watch *watch)
{
    if (imap->watching.overflows >= OVERFLOWS)
        return refuse(imap, "the server has too much to tell", "");
    imap->watching.has_overflowed = false;
    pr_status status = set_for_all(imap, watch->folders, watch->wanted);
    if (status == PR_UNSUPPORTED) {
        struct pr_failure words = *pr_last_failure();
        give_up(imap);
        return pr_fail(PR_UNSUPPORTED, "%s", words.text);
    }
    return status;
}

/* ---- Listening ----------------------------------------------------------- */

static pr_status prove(struct imap *imap)
{
    uint64_t ms = imap->watching.probe_ms;

    imap->watching.probe_ms = 0;
    return imap_prove(imap, pr_in(ms != 0 ? ms : IMAP_PROVE_MS));
}

static pr_status hear(struct imap *imap)
{
    pr_status status = PR_OK;

    while (status == PR_OK && imap_has_octets(imap))
        status = imap_step(imap);
    return status;
}

/* What is due: the line is proved, or all is asked for again, which also tells
 * what the server forgot to. */
static pr_status do_due(struct imap *imap, const struct pr_watch *watch,
                        struct imap_times *times)
{
    pr_status status;

    if (imap->watching.probe_ms == 0 && times->renew <= times->probe) {
        status = set_anew(imap, watch);
        imap_times_begin(times, imap, watch);
        return status == PR_TIMEOUT ? imap_dead(imap) : status;
    }
    status = prove(imap);
    imap_times_heard(times);
    return status;
}

/* Without a command, what is heard is told by the caller. *ret: the time of the
 * watch is up. */
static pr_status wait(struct imap *imap, const struct pr_watch *watch,
                      struct imap_times *times, bool *ret)
{
    pr_time until = imap_times_next(times, watch);
    pr_status status = PR_OK;

    if (imap->watching.probe_ms == 0)
        status = imap_wait(imap, until);
    if (status == PR_TIMEOUT && until == watch->deadline) {
        *ret = true;
        return PR_OK;
    }
    if (status == PR_TIMEOUT ||
        (status == PR_OK && imap->watching.probe_ms != 0))
        return do_due(imap, watch, times);
    if (status != PR_OK)
        return status;
    imap_times_heard(times);
    return hear(imap);
}

/* Dovecot 2.3 tells news of the selected folder in IDLE only; all others may be
 * told there as well (RFC 5465, 3.1). */
static pr_status listen(struct imap *imap, const struct pr_watch *watch,
                        struct imap_times *times, bool *ret)
{
    if (imap_known_selected(imap) == NULL || !imap_can_idle(imap))
        return wait(imap, watch, times, ret);
    pr_status status = imap_idle_selected(imap, watch, ret);
    if (status == PR_UNSUPPORTED) /* IDLE is: without it then */
        return PR_OK;
    if (status == PR_OK && !*ret && pr_now() >= times->renew) {
        times->probe = PR_NEVER;
        status = do_due(imap, watch, times);
    }
    return status;
}

pr_status imap_notify(struct imap *imap, const struct pr_watch *watch)
{
    struct imap_times times;
    bool is_over = false;
    pr_status status = imap_idle_settle(imap);

    imap_times_begin(&times, imap, watch);
    if (status == PR_OK && !is_set_for(imap, watch))
        status = set_anew(imap, watch);
    while (status == PR_OK) {
        status = imap_tell_news(imap, watch, &is_over);
        if (status != PR_OK || is_over)
            return status;
        if (!imap->watching.is_notifying)
            status = set_anew(imap, watch);
        else
            status = listen(imap, watch, &times, &is_over);
        if (is_over)
            return status;
    }
    return status;
}
