/*
 * IDLE (RFC 2177): one folder, watched by a command that stays open.
 *
 * What the server says at any time counts, before its "+" and after our DONE
 * too, so nothing falls between. When there is news, DONE is sent and its
 * answer not waited for: the next command travels right behind it.
 */
#include "imap.h"

#define PROVE_MS 10000u    /* for DONE and NOOP to be answered */
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
static pr_status send_done(struct imap *imap)
{
    struct imap_command *idle = &imap->idle;
    pr_status status = PR_OK;

    if (!idle->is_done && !imap->was_continued)
        status = imap_await_continue(imap, idle);
    if (status != PR_OK || idle->is_done)
        return status;
    status = imap_put(imap, "DONE");
    if (status == PR_OK)
        status = imap_end(imap);
    return status != PR_OK ? status : imap_flush(imap);
}

/* In good order although the fiber is to stop. */
static void leave(struct imap *imap)
{
    pr_shield_begin();
    imap_limit(imap, LEAVE_MS);
    pr_status status = send_done(imap);
    if (status == PR_OK)
        status = imap_await(imap, &imap->idle);
    imap_unlimit(imap);
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

    imap_limit(imap, ms != 0 ? ms : PROVE_MS);
    pr_status status = send_done(imap);
    if (status == PR_OK)
        status = imap_prove(imap);
    if (status == PR_OK)
        status = imap_await(imap, &imap->idle);
    imap_unlimit(imap);
    imap->watching.probe_ms = 0;
    if (status == PR_TIMEOUT)
        status = imap_dead(imap);
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
            return send_done(imap);
        }
    }
    if (status != PR_OK)
        return status;
    return imap->idle.is_done ? take_end(idling) : send_done(imap);
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
    known->news |= before.news;
    return PR_OK;
}

pr_status imap_idle(struct imap *imap, const struct pr_watch *watch)
{
    struct idling idling = {.imap = imap, .watch = watch};
    pr_status status = prepare(imap, watch->folders[0]);

    if (status == PR_OK && imap->idle.name != NULL) /* of the watch before */
        status = imap_await(imap, &imap->idle);
    if (status == PR_OK)
        status = imap_tell_news(imap, watch, &idling.has_news);
    while (status == PR_OK && !idling.has_news && !idling.is_over)
        status = listen(&idling);
    imap->may_continue = false;
    return status == PR_CANCELLED ? cancelled(imap) : status;
}
