/*
 * APPEND commands: made of parcels, sent many at a time, judged.
 *
 * With MULTIAPPEND (RFC 3502) several messages are one command, which the
 * server takes or refuses as a whole; those of a refused one are then sent each
 * on its own. Where literals need not be agreed to (RFC 7888) nothing waits for
 * an answer but the end of the window.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <postrider/crash.h>

#include "append.h"

#define WINDOW 32u              /* commands in flight */
#define GROUP_MESSAGES 50u      /* of one command */
#define GROUP_OCTETS (4u << 20) /* beyond that no further message joins */
/* After so many refusals in a row the rest is not sent: it is not this message
 * that the server dislikes. */
#define REFUSALS_CAP 3u
#define PIECE 4096u

struct order {
    struct imap_command command;
    struct append_folder *folder;
    bool follows_making; /* of the folder */
    struct parcel *parcels[GROUP_MESSAGES];
    size_t count;
};

/* Commands in flight, oldest first. */
struct window {
    struct order orders[WINDOW];
    size_t first, count;
};

/* ---- One message --------------------------------------------------------- */

/* Line ends are LF in the spool and CRLF on the wire; all else is sent as it
 * is. */
static pr_status put_piece(struct imap *imap, struct pr_bytes piece)
{
    char wire[2 * PIECE];
    size_t size = 0;

    for (size_t i = 0; i < piece.size; i++) {
        if (piece.data[i] == '\n')
            wire[size++] = '\r';
        wire[size++] = piece.data[i];
    }
    return imap_put_octets(imap, (struct pr_bytes){wire, size});
}

/* Half a literal cannot be taken back: whatever goes wrong breaks the session,
 * and a message that cannot be read is to blame itself. */
static pr_status put_message(struct imap *imap, struct parcel *parcel)
{
    const struct pr_spool *spool = parcel->delivery->spool;
    uint64_t at = 0, size = pr_spool_size(spool);
    char piece[PIECE];

    while (at < size) {
        size_t got = 0;
        pr_status status = pr_spool_read(spool, at, piece, sizeof(piece), &got);
        if (status == PR_OK && got == 0)
            status = pr_fail(PR_IO, "the message ends before its end");
        if (status != PR_OK) {
            parcel_conclude(parcel, status);
            return imap_break(imap, status);
        }
        status = put_piece(imap, (struct pr_bytes){piece, got});
        if (status != PR_OK)
            return status;
        at += got;
    }
    return PR_OK;
}

/* RFC 6855, 4: once UTF8=ACCEPT is on, what has UTF-8 in its header is
 * "UTF8 (~{n}...)". */
static pr_status put_parcel(struct imap *imap, struct imap_command *command,
                            struct parcel *parcel)
{
    bool is_utf8 = imap->utf8 && parcel->has_8bit_header;
    pr_status status = imap_put(imap, " ");

    if (status == PR_OK)
        status = imap_put(imap, parcel->attributes);
    if (status == PR_OK && is_utf8)
        status = imap_put(imap, "UTF8 (");
    if (status == PR_OK)
        status = imap_put_literal(imap, command, parcel->trace.size,
                                  parcel->holds_nul || is_utf8);
    if (status != PR_OK)
        return status;
    parcel->stand = PARCEL_IN_DOUBT;
    status = put_message(imap, parcel);
    if (status == PR_OK && is_utf8)
        status = imap_put(imap, ")");
    return status;
}

/* ---- One command --------------------------------------------------------- */

static bool may_join(const struct run *run, const struct order *order,
                     const struct parcel *parcel, uint64_t octets)
{
    if (parcel->stand != PARCEL_WAITS || parcel->folder != order->folder)
        return false;
    if (order->count == 0)
        return true;
    return !run->singly && !parcel->goes_alone &&
           !order->parcels[0]->goes_alone && order->count < GROUP_MESSAGES &&
           octets + parcel->trace.size <= GROUP_OCTETS &&
           imap_can(run->append->imap, IMAP_CAN_MULTIAPPEND);
}

/* The messages of the next command; none if nothing waits. */
static void gather(const struct run *run, struct order *ret)
{
    uint64_t octets = 0;

    *ret = (struct order){.count = 0};
    for (size_t i = 0; i < run->count; i++) {
        struct parcel *parcel = run->parcels[i];
        if (ret->folder == NULL && parcel->stand == PARCEL_WAITS)
            ret->folder = parcel->folder;
        if (!may_join(run, ret, parcel, octets))
            continue;
        ret->parcels[ret->count++] = parcel;
        octets += parcel->trace.size;
    }
}

static pr_status put_order(struct imap *imap, struct order *order)
{
    struct imap_command *command = &order->command;
    pr_status status = imap_begin(imap, command, "APPEND");

    if (status == PR_OK)
        status = imap_put(imap, "APPEND ");
    if (status == PR_OK)
        status = imap_put_name(imap, command, order->folder->name);
    for (size_t i = 0; i < order->count && status == PR_OK; i++)
        status = put_parcel(imap, command, order->parcels[i]);
    if (command->is_done) /* refused halfway: judged with the others */
        return imap_check(imap);
    return status != PR_OK ? status : imap_end(imap);
}

static void conclude_all(struct order *order, pr_status result)
{
    const struct pr_failure failure = *pr_last_failure();

    for (size_t i = 0; i < order->count; i++)
        parcel_conclude(order->parcels[i],
                        result == PR_OK ? PR_OK
                                        : pr_fail(result, "%s", failure.text));
}

/* What makes it needless to send the order; its messages then have their
 * results. */
static pr_status prepare(struct run *run, struct order *order, bool *ret_sends)
{
    struct append_folder *folder = order->folder;
    struct imap *imap = run->append->imap;
    pr_status status = imap_name_prepare(imap, folder->name);

    *ret_sends = false;
    if (status != PR_OK) {
        conclude_all(order, status);
        return imap_check(imap);
    }
    if (folder->refusals >= REFUSALS_CAP) {
        conclude_all(
            order, pr_fail(folder->refusal.status, "%s", folder->refusal.text));
        return PR_OK;
    }
    if (folder->is_missing && !run->append->options->create) {
        conclude_all(order,
                     pr_fail(PR_GONE,
                             "there is no folder \"%s\" on the server; make "
                             "it, or set create = true",
                             folder->name));
        return PR_OK;
    }
    if (folder->is_missing) {
        folder->was_made = true;
        status = imap_create(imap, folder->name);
        folder->is_missing = false;
    }
    order->follows_making = folder->was_made;
    *ret_sends = true;
    return status;
}

/* ---- Answers ------------------------------------------------------------- */

static void note_uids(const struct order *order)
{
    const struct imap_command *command = &order->command;
    const struct pr_range *uids = &command->uids;
    struct append_folder *folder = order->folder;
    bool are_all = uids->first > 0 && uids->last < UINT32_MAX &&
                   uids->last - uids->first + 1 == order->count;

    /* What came in since is not to be taken for what comes. */
    if (!are_all || command->uidvalidity != folder->uidvalidity) {
        folder->is_known = false;
        return;
    }
    if (folder->uidnext <= uids->last)
        folder->uidnext = uids->last + 1;
    for (size_t i = 0; i < order->count; i++) {
        struct pr_delivery *delivery = order->parcels[i]->delivery;
        snprintf(delivery->note, sizeof(delivery->note), "UID %" PRIu32,
                 uids->first + (uint32_t)i);
    }
}

static void send_again(struct order *order, bool alone)
{
    for (size_t i = 0; i < order->count; i++) {
        order->parcels[i]->stand = PARCEL_WAITS;
        order->parcels[i]->goes_alone |= alone;
    }
}

/* Also if it has been made since. */
static bool lacked_folder(const struct order *order)
{
    return order->command.condition == IMAP_NO && !order->follows_making &&
           (order->command.code == IMAP_CODE_TRYCREATE ||
            order->command.code == IMAP_CODE_NONEXISTENT);
}

static void refuse(struct order *order)
{
    struct append_folder *folder = order->folder;
    pr_status status = imap_verdict(&order->command, PR_REFUSED);

    folder->refusals++;
    folder->refusal = *pr_last_failure();
    folder->refusal.status = status;
    conclude_all(order, status);
}

static pr_status judge(struct run *run, struct order *order)
{
    struct append_folder *folder = order->folder;
    const struct imap_command *command = &order->command;

    run->append->used = pr_now();
    if (command->condition == IMAP_OK) {
        note_uids(order);
        folder->refusals = 0;
        conclude_all(order, PR_OK);
    } else if (lacked_folder(order)) {
        folder->is_missing = !folder->was_made;
        send_again(order, false);
    } else if (order->count > 1) {
        send_again(order, true);
    } else {
        refuse(order);
    }
    pr_crash_point("append answered");
    if (command->condition != IMAP_BAD)
        return PR_OK;
    /* The server may take what follows for commands. */
    return imap_break(run->append->imap, imap_verdict(command, PR_PROTOCOL));
}

/* ---- The window ---------------------------------------------------------- */

static struct order *order_at(struct window *window, size_t index)
{
    return &window->orders[(window->first + index) % WINDOW];
}

static void take_up(struct window *window, struct order *order)
{
    for (size_t i = 0; i < order->count; i++)
        order->parcels[i]->stand = PARCEL_UNDER_WAY;
    window->count++;
}

/* Sends while there is room and something to send. */
static pr_status fill_window(struct run *run, struct window *window)
{
    size_t room = run->singly ? 1 : WINDOW;
    pr_status status = PR_OK;

    while (status == PR_OK && window->count < room) {
        struct order *order = order_at(window, window->count);
        bool sends = false;
        gather(run, order);
        if (order->folder == NULL)
            break;
        status = prepare(run, order, &sends);
        if (status != PR_OK || !sends)
            continue;
        pr_crash_point("append before sending");
        take_up(window, order);
        status = put_order(run->append->imap, order);
    }
    if (status == PR_OK)
        status = imap_flush(run->append->imap);
    pr_crash_point("append sent");
    return status;
}

static pr_status send_and_judge(struct run *run, struct window *window)
{
    for (;;) {
        pr_status status = fill_window(run, window);
        if (status != PR_OK || window->count == 0)
            return status;
        struct order *oldest = order_at(window, 0);
        status = imap_await(run->append->imap, &oldest->command);
        if (status != PR_OK)
            return status;
        window->first = (window->first + 1) % WINDOW;
        window->count--;
        status = judge(run, oldest);
        if (status != PR_OK)
            return status;
    }
}

static void put_back(struct order *order)
{
    for (size_t i = 0; i < order->count; i++)
        if (order->parcels[i]->stand == PARCEL_UNDER_WAY)
            order->parcels[i]->stand = PARCEL_WAITS;
}

/* The line is lost. What was answered before counts. */
static void close_window(struct run *run, struct window *window)
{
    const struct pr_failure failure = *pr_last_failure();

    for (size_t i = 0; i < window->count; i++) {
        struct order *order = order_at(window, i);
        if (order->command.is_done) {
            (void)!judge(run, order);
        } else {
            order->parcels[0]->lost_the_line |= run->singly;
            put_back(order);
        }
    }
    (void)pr_fail(failure.status, "%s", failure.text);
}

pr_status append_send(struct run *run)
{
    struct window *window = calloc(1, sizeof(*window));

    if (window == NULL)
        return imap_break(run->append->imap,
                          pr_fail(PR_NOMEM, "out of memory"));
    append_forget_listing(run->append);
    imap_listen(run->append->imap, NULL, NULL, NULL);
    imap_be_patient(run->append->imap, true);
    pr_status status = send_and_judge(run, window);
    imap_be_patient(run->append->imap, false);
    if (status != PR_OK)
        close_window(run, window);
    free(window);
    return status;
}
