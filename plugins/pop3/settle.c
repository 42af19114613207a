/*
 * Deleting what is safe here, and the end of the session that makes it so.
 *
 * DELE only marks: the server deletes when it answers QUIT with +OK (RFC 1939,
 * 6). Until then no result is PR_OK. A line that breaks before has deleted
 * nothing, and of a QUIT answered -ERR, or not at all, nobody knows what it
 * did: all deeds stay owed, and the next session sees what is left.
 */
#include <inttypes.h>

#include "pop3.h"

/* Deleting thousands of files takes a server its time. */
#define QUIT_TIMEOUT_MS (5u * 60 * 1000)

bool pop3_quit_loses(const struct pop3 *pop3)
{
    const struct pop3_maildrop *maildrop = &pop3->maildrop;

    if (!pop3_can(pop3, POP3_CAN_EXPIRE_0) || maildrop->fetched == NULL)
        return false;
    for (uint32_t i = 0; i <= maildrop->exists / 8; i++)
        if (maildrop->fetched[i] != 0)
            return true;
    return false;
}

void pop3_note_fetched(struct pop3 *pop3, uint32_t number, bool is_fetched)
{
    unsigned char *octet;
    unsigned char bit = (unsigned char)(1u << number % 8);

    if (pop3->maildrop.fetched == NULL || number > pop3->maildrop.exists)
        return;
    octet = &pop3->maildrop.fetched[number / 8];
    *octet = (unsigned char)(is_fetched ? *octet | bit : *octet & ~bit);
}

/* ---- Which deeds can be done at all ------------------------------------- */

static bool has_flags(const struct pr_flags *flags)
{
    return (flags->system & ~(unsigned)PR_FLAG_RECENT) != 0 ||
           (flags->keywords != NULL && *flags->keywords != '\0');
}

/* POP3 has no flags: those that rules set are on the delivered copy, and there
 * is nothing to do here, now or later. */
static pr_status result_at_first(const struct pr_source *source,
                                 const struct pr_deed *deed)
{
    if (deed->copy_to != NULL || deed->move_to != NULL)
        return PR_UNSUPPORTED;
    if (deed->remove)
        return source->read_only ? PR_REFUSED : PR_DOUBT;
    return PR_OK;
}

static size_t open_deeds(struct pop3 *pop3, struct pr_deed *deeds, size_t count)
{
    size_t open = 0, unsupported = 0, flagged = 0;

    for (size_t i = 0; i < count; i++) {
        deeds[i].result = result_at_first(pop3->source, &deeds[i]);
        open += deeds[i].result == PR_DOUBT;
        unsupported += deeds[i].result == PR_UNSUPPORTED;
        flagged += deeds[i].result == PR_OK &&
                   (has_flags(&deeds[i].set) || has_flags(&deeds[i].clear));
    }
    if (flagged > 0)
        pr_log(pop3->log, PR_LOG_INFO,
               "%zu messages are flagged on the delivered copies only: POP3 "
               "has no flags",
               flagged);
    if (unsupported > 0)
        pr_log(pop3->log, PR_LOG_WARNING,
               "%zu messages were to be copied or moved on the server, but "
               "POP3 has no folders: use after = keep or delete",
               unsupported);
    return open;
}

static void close_deeds(struct pr_deed *deeds, size_t count, pr_status status)
{
    for (size_t i = 0; i < count; i++)
        if (deeds[i].result == PR_DOUBT)
            deeds[i].result = status;
}

/* ---- DELE --------------------------------------------------------------- */

static pr_status send_next(struct pop3 *pop3, const struct pr_deed *deeds,
                           size_t count, size_t *sent)
{
    while (*sent < count && deeds[*sent].result != PR_DOUBT)
        ++*sent;
    if (*sent == count)
        return PR_OK;
    return pop3_send_number(pop3, "DELE", deeds[(*sent)++].item->number, "");
}

static pr_status take_answer(struct pop3 *pop3, struct pr_deed *deed)
{
    struct pop3_reply reply;
    pr_status status = pop3_await(pop3, &reply);

    if (status != PR_OK)
        return status;
    if (reply.indicator == POP3_OK) {
        pop3_note_fetched(pop3, deed->item->number, false);
        return PR_OK;
    }
    deed->result = pop3_verdict(&reply, "DELE", PR_REFUSED);
    pr_log(pop3->log, PR_LOG_WARNING, "message %" PRIu32 ": %s",
           deed->item->number, pr_last_failure()->text);
    return PR_OK;
}

/* In groups, as requests are (fetch.c). */
static pr_status top_up(struct pop3 *pop3, const struct pr_deed *deeds,
                        size_t count, size_t *sent)
{
    size_t window = pop3_window(pop3);
    pr_status status = PR_OK;

    if (pop3->awaited > window - window / 4)
        return PR_OK;
    while (status == PR_OK && *sent < count && pop3->awaited < window)
        status = send_next(pop3, deeds, count, sent);
    return status;
}

static pr_status mark(struct pop3 *pop3, struct pr_deed *deeds, size_t count)
{
    size_t sent = 0, answered = 0;

    for (;;) {
        pr_status status = top_up(pop3, deeds, count, &sent);
        while (answered < sent && deeds[answered].result != PR_DOUBT)
            answered++;
        if (status != PR_OK || answered == sent)
            return status;
        status = take_answer(pop3, &deeds[answered++]);
        if (status != PR_OK)
            return status;
    }
}

/* ---- QUIT --------------------------------------------------------------- */

/* Breaks the session off. RSET first, for servers that delete what is marked
 * however a session ends. */
static pr_status end_without_quit(struct pop3 *pop3)
{
    struct pop3_reply reply;
    pr_status status = pop3_ask(pop3, "RSET", &reply);

    if (status != PR_OK)
        return status;
    return pop3_break(
        pop3, pr_fail(PR_LATER,
                      "the server deletes all that was fetched (EXPIRE 0), and "
                      "not all of that may go yet: the session is broken off, "
                      "which deletes nothing"));
}

static pr_status quit(struct pop3 *pop3)
{
    struct pop3_reply reply;
    uint64_t timeout = pop3->options->net.timeout;

    if (pop3_quit_loses(pop3))
        return end_without_quit(pop3);
    if (timeout != 0 && timeout < QUIT_TIMEOUT_MS)
        pr_stream_set_timeout(pop3->stream, QUIT_TIMEOUT_MS);
    pr_status status = pop3_ask(pop3, "QUIT", &reply);
    if (status != PR_OK)
        return pr_context(status, "QUIT");
    pop3->has_ended = true;
    return pop3_verdict(&reply, "QUIT", PR_LATER);
}

pr_status pop3_op_settle(struct pr_source *source, struct pr_deed *deeds,
                         size_t count)
{
    struct pop3 *pop3 = source->state;

    if (open_deeds(pop3, deeds, count) == 0)
        return PR_OK;
    pr_status status = pop3_check(pop3);
    if (status == PR_OK && pop3->maildrop.arena == NULL)
        status = pr_fail(PR_BUG, "no folder is selected");
    if (status == PR_OK)
        status = mark(pop3, deeds, count);
    if (status == PR_OK)
        status = quit(pop3);
    close_deeds(deeds, count, status);
    return status;
}
