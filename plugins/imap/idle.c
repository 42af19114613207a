/*
 * IDLE (RFC 2177): one folder, watched by a command that stays open.
 *
 * What the server says at any time counts, before its "+" and after our DONE
 * too, so nothing falls between. When there is news, DONE is sent and its
 * answer not waited for: the next command travels right behind it.
 */
#include "imap.h"

#define LEAVE_MS 2000u     /* the same when we are to stop */
#define SHORTEST_MS 10000u /* an IDLE that the server ends sooner is none */
#define DEAF_TIMES 2u /* news not told in IDLE after which it is given up */

struct idling {
    struct imap *imap;
    const struct pr_watch *watch;
    struct imap_times times;
    pr_time begun;
    bool has_news; /* that was told */
    bool is_over;
};

static pr_status refuse(struct imap *imap, const char *why, const char *words)
{
    imap->watching.refuses_idle = true;
    return pr_fail(PR_UNSUPPORTED, "IDLE: %s%s", why, words);
}

/* ---- Beginning and ending ------------------------------------------------ */

/* DONE, once the server has asked for it. Its answer is still to come. */
static pr_status send_done(struct imap *imap, pr_time until)
{
    struct imap_command *idle = &imap->idle;
    pr_status status =
        imap_await_either(imap, &imap->was_continued, &idle->is_done, until);

    if (status != PR_OK || idle->is_done || imap->watching.is_done_sent)
        return status;
    imap->watching.is_done_sent = true;
    status = imap_put(imap, "DONE");
    if (status == PR_OK)
        status = imap_end(imap);
    return status != PR_OK ? status : imap_flush(imap);
}

/* In good order although the fiber is to stop. */
static void leave(struct imap *imap)
{
    pr_time until = pr_in(LEAVE_MS);

    pr_shield_begin();
    pr_status status = send_done(imap, until);
    if (status == PR_OK)
        status = imap_await_either(imap, &imap->idle.is_done,
                                   &imap->idle.is_done, until);
    if (status == PR_OK && imap->noop.name != NULL)
        status = imap_await_either(imap, &imap->noop.is_done,
                                   &imap->noop.is_done, until);
    pr_shield_end();
    (void)status; /* the session is broken, or it is not */
}

static pr_status cancelled(struct imap *imap)
{
    if (imap->broken.status == PR_OK && imap->idle.name != NULL)
        leave(imap);
    return pr_fail(PR_CANCELLED, "asked to stop");
}

/* The server has ended it: refused, or of its own accord. */
static pr_status take_end(struct idling *idling)
{
    struct imap *imap = idling->imap;

    if (imap->idle.condition != IMAP_OK)
        return refuse(imap, "the server says: ", imap->idle.text);
    if (pr_now() - idling->begun < SHORTEST_MS)
        return refuse(imap, "the server ends it at once", "");
    return PR_OK;
}

/* ---- Listening ----------------------------------------------------------- */

/* Reads what is there and tells what is news. */
static pr_status hear(struct idling *idling)
{
    struct imap *imap = idling->imap;
    pr_status status = PR_OK;
    bool told = false;

    while (status == PR_OK && imap_has_octets(imap) && !imap->idle.is_done)
        status = imap_step(imap);
    imap_times_heard(&idling->times);
    if (status == PR_OK)
        status = imap_tell_news(imap, idling->watch, &told);
    idling->has_news |= told;
    imap->watching.is_idle_proved |= told;
    return status;
}

/* Between our DONE and its answer, and with NOOP, there should be no news: else
 * the server listens to IDLE and does not speak. */
static pr_status judge(struct idling *idling)
{
    struct imap *imap = idling->imap;
    bool told = false;
    pr_status status = imap_tell_news(imap, idling->watch, &told);

    if (status != PR_OK || !told)
        return status;
    idling->has_news = true;
    if (imap->watching.is_idle_proved || ++imap->watching.deaf < DEAF_TIMES)
        return PR_OK;
    return refuse(imap, "the server accepts it but tells no news in it", "");
}

/* DONE and NOOP: proves the line, starts the server's own clock anew, and gets
 * what a server says only when it is asked. */
static pr_status prove(struct idling *idling)
{
    struct imap *imap = idling->imap;
    uint64_t ms = imap->watching.probe_ms;
    pr_time until = pr_in(ms != 0 ? ms : IMAP_PROVE_MS);

    imap->watching.probe_ms = 0;
    pr_status status = send_done(imap, until);
    if (status == PR_OK)
        status = imap_prove(imap, until);
    if (status == PR_OK)
        status = imap_await_either(imap, &imap->idle.is_done,
                                   &imap->idle.is_done, until);
    return status != PR_OK ? status : judge(idling);
}

/* One IDLE, until there is news, or it is to be begun anew. */
static pr_status listen(struct idling *idling)
{
    struct imap *imap = idling->imap;
    pr_status status = imap_send(imap, &imap->idle, "IDLE", "IDLE");

    idling->begun = pr_now();
    imap->was_continued = false;
    imap->may_continue = true;
    imap->watching.is_done_sent = false;
    imap_times_begin(&idling->times, imap, idling->watch);
    while (status == PR_OK && !idling->has_news && !imap->idle.is_done) {
        pr_time until = imap_times_next(&idling->times, idling->watch);
        if (imap->watching.probe_ms != 0)
            return prove(idling);
        status = imap_wait(imap, until);
        if (status == PR_OK) {
            status = hear(idling);
        } else if (status == PR_TIMEOUT && until < idling->watch->deadline) {
            return prove(idling);
        } else if (status == PR_TIMEOUT) {
            idling->is_over = true;
            return send_done(imap, pr_in(IMAP_PROVE_MS));
        }
    }
    if (status != PR_OK)
        return status;
    return imap->idle.is_done ? take_end(idling)
                              : send_done(imap, pr_in(IMAP_PROVE_MS));
}

/* ---- The operation ------------------------------------------------------- */

/* What came between the last list and now was noted; of a folder that was never
 * listed here, nobody knows what the core has seen. */
static pr_status prepare(struct imap *imap, const char *folder)
{
    struct pr_mailbox box;

    if (imap_is_selected(imap, folder))
        return PR_OK;
    size_t index;
    pr_status status = imap_known(imap, folder, &index);
    if (status != PR_OK)
        return status;
    bool was_seen = imap->watching.all[index].is_seen;
    struct imap_known before = imap->watching.all[index];
    status = imap_select_folder(imap, folder, &box);
    if (status != PR_OK)
        return status;
    struct imap_known *known = imap_known_selected(imap);
    if (was_seen ? before.uidvalidity != box.uidvalidity ||
                       before.uidnext == 0 || before.uidnext != box.uidnext
                 : box.exists > 0)
        known->news |= PR_NEWS_MESSAGES;
    if (was_seen && before.modseq != box.modseq)
        known->news |= PR_NEWS_FLAGS | PR_NEWS_VANISHED;
    known->news |= before.news;
    return PR_OK;
}

pr_status imap_idle_settle(struct imap *imap)
{
    struct imap_command *idle = &imap->idle;

    if (idle->name == NULL || idle->is_done)
        return PR_OK;
    return imap_await_either(imap, &idle->is_done, &idle->is_done,
                             pr_in(IMAP_PROVE_MS));
}

pr_status imap_idle_selected(struct imap *imap, const struct pr_watch *watch,
                             bool *ret_is_over)
{
    struct idling idling = {.imap = imap, .watch = watch};
    pr_status status = imap_idle_settle(imap);

    if (status == PR_OK)
        status = imap_tell_news(imap, watch, &idling.has_news);
    if (status == PR_OK && !idling.has_news)
        status = listen(&idling);
    if (status == PR_CANCELLED)
        status = cancelled(imap);
    imap->may_continue = false;
    *ret_is_over = idling.has_news || idling.is_over;
    return status;
}

pr_status imap_idle(struct imap *imap, const struct pr_watch *watch)
{
    pr_status status = prepare(imap, watch->folders[0]);
    bool is_over = false;

    while (status == PR_OK && !is_over)
        status = imap_idle_selected(imap, watch, &is_over);
    return status;
}
