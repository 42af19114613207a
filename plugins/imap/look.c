/*
 * Looking whether a message that was on its way has arrived.
 *
 * All that came into the folder since is listed once, with sizes and first
 * octets, for all the messages that are looked for. That nothing is found means
 * something only when the server is done with what older connections sent it:
 * it may still be at work on it after they are gone.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "append.h"

#define FOUND_CAP (16u * 1024 * 1024)

void append_forget_listing(struct append *append)
{
    pr_buffer_done(&append->listing.found);
    append->listing = (struct listing){.found = {.cap = FOUND_CAP}};
}

/* ---- Listing ------------------------------------------------------------- */

struct looking {
    struct listing *listing;
    struct pr_buffer octets; /* of the message that is being read */
    bool has_octets;
};

static pr_status begin_message(void *user, const struct imap_response *told,
                               uint64_t octets)
{
    struct looking *looking = user;

    (void)octets;
    pr_buffer_clear(&looking->octets);
    looking->has_octets = told->message.section == IMAP_SECTION_BEGINNING;
    return PR_OK;
}

static pr_status take_octets(void *user, struct pr_bytes octets)
{
    struct looking *looking = user;
    size_t room = PRINT_OCTETS - looking->octets.size;

    return pr_buffer_add(&looking->octets, octets.data,
                         octets.size < room ? octets.size : room);
}

static pr_status take_message(void *user, const struct imap_response *told)
{
    struct looking *looking = user;
    const struct imap_message *message = &told->message;
    struct found found = {.uid = message->uid,
                          .trace = {.size = message->size}};
    struct pr_bytes octets = {pr_buffer_text(&looking->octets),
                              looking->octets.size};
    bool is_whole = looking->has_octets && message->has_size &&
                    message->uid >= looking->listing->from;

    if (told->kind != IMAP_FETCH)
        return PR_OK;
    looking->has_octets = false;
    if (!is_whole)
        return PR_OK;
    pr_status status = trace_print(&found.trace, octets);
    if (status == PR_OK)
        status = pr_buffer_add(&looking->listing->found, &found, sizeof(found));
    return status == PR_LIMIT ? pr_fail(PR_LIMIT, "too many new messages to "
                                                  "look through")
                              : status;
}

static pr_status fetch_listing(struct imap *imap, struct listing *listing)
{
    struct looking looking = {.listing = listing,
                              .octets = {.cap = PRINT_OCTETS}};
    const struct imap_receiver receiver = {begin_message, take_octets,
                                           &looking};
    struct imap_command command;
    char text[100];

    snprintf(text, sizeof(text),
             "UID FETCH %" PRIu32 ":* (UID RFC822.SIZE BODY.PEEK[]<0.%zu>)",
             listing->from, PRINT_OCTETS);
    imap_listen(imap, take_message, &receiver, &looking);
    pr_status status = imap_send(imap, &command, "FETCH", text);
    if (status == PR_OK)
        status = imap_await(imap, &command);
    imap_listen(imap, NULL, NULL, NULL);
    pr_buffer_done(&looking.octets);
    return status != PR_OK ? status : imap_verdict(&command, PR_LATER);
}

/* RFC 3501, 6.4.2: nothing is expunged in a folder that was examined. */
static pr_status leave_folder(struct imap *imap)
{
    struct imap_command command;
    pr_status status = imap_send(imap, &command, "CLOSE", "CLOSE");

    if (status == PR_OK)
        status = imap_await(imap, &command);
    imap_unselect(imap);
    return status;
}

/* The UIDs of the receipt count only if the folder still is the one it was. */
static pr_status list(struct append *append, const struct append_folder *folder,
                      const struct receipt *receipt)
{
    struct listing *listing = &append->listing;
    struct pr_mailbox box;

    append_forget_listing(append);
    pr_status status = imap_select(append->imap, folder->name, &box);
    append->used = listing->made = pr_now();
    if (status == PR_GONE) {
        listing->folder = folder;
        return PR_OK; /* there is nothing in it */
    }
    if (status != PR_OK)
        return status;
    listing->uidvalidity = box.uidvalidity;
    listing->from =
        receipt->uidvalidity == box.uidvalidity ? receipt->uidnext : 1;
    if (listing->from == 0)
        listing->from = 1;
    if (box.exists > 0 && (box.uidnext == 0 || box.uidnext > listing->from))
        status = fetch_listing(append->imap, listing);
    if (status == PR_OK)
        status = leave_folder(append->imap);
    if (status == PR_OK)
        listing->folder = folder;
    return status;
}

/* ---- Finding ------------------------------------------------------------- */

static uint32_t first_uid(const struct listing *listing,
                          const struct receipt *receipt)
{
    return listing->uidvalidity == receipt->uidvalidity ? receipt->uidnext : 1;
}

static bool covers(const struct listing *listing,
                   const struct append_folder *folder,
                   const struct receipt *receipt)
{
    return listing->folder == folder &&
           (listing->uidvalidity == 0 || /* it was not there */
            first_uid(listing, receipt) >= listing->from);
}

static bool is_found(const struct listing *listing,
                     const struct receipt *receipt)
{
    const struct found *found =
        (const struct found *)(const void *)listing->found.data;
    size_t count = listing->found.size / sizeof(*found), alike = 0;

    for (size_t i = 0; i < count; i++)
        alike +=
            found[i].uid >= first_uid(listing, receipt) &&
            found[i].trace.size == receipt->trace.size &&
            memcmp(found[i].trace.print, receipt->trace.print, PRINT_SIZE) == 0;
    return alike >= receipt->rank;
}

/* From then on the server is done with older connections. */
static pr_time quiet_from(const struct append *append)
{
    return append->alone_since + append->options->grace;
}

pr_status append_look(struct append *append, const struct append_folder *folder,
                      const struct receipt *receipt)
{
    struct listing *listing = &append->listing;
    pr_status status = PR_OK;

    if (!covers(listing, folder, receipt))
        status = list(append, folder, receipt);
    if (status != PR_OK || is_found(listing, receipt))
        return status;
    if (listing->made < quiet_from(append)) {
        pr_time now = pr_now();
        if (now < quiet_from(append))
            status = pr_sleep(quiet_from(append) - now);
        if (status == PR_OK)
            status = append_connect(append);
        if (status == PR_OK)
            status = list(append, folder, receipt);
        if (status != PR_OK || is_found(listing, receipt))
            return status;
    }
    return pr_fail(PR_GONE, "the message is not in \"%s\"", folder->name);
}
