/*
 * The IMAP sink: its options and operations.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "append.h"
#include "descriptor.h"

const struct pr_option append_option_table[] = {
    PR_NET_OPTIONS(struct append_options, net, "implicit"),
    {.name = "folder",
     .kind = PR_OPTION_TEXT,
     .offset = offsetof(struct append_options, folder),
     .fallback = "INBOX",
     .help = "folder to deliver to, as the server calls it; other folders are "
             "below it (\"/\": INBOX, with others beside it)"},
    {.name = "create",
     .kind = PR_OPTION_BOOLEAN,
     .offset = offsetof(struct append_options, create),
     .fallback = "true",
     .help = "make folders that are not there"},
    {.name = "flags",
     .kind = PR_OPTION_BOOLEAN,
     .offset = offsetof(struct append_options, flags),
     .fallback = "true",
     .help = "keep the flags that the message had on its server"},
    {.name = "grace",
     .kind = PR_OPTION_DURATION,
     .offset = offsetof(struct append_options, grace),
     .fallback = "3s",
     .help = "how long the server may still be at work on what a lost "
             "connection sent it"},
    {.name = "final_timeout",
     .kind = PR_OPTION_DURATION,
     .offset = offsetof(struct append_options, final_timeout),
     .fallback = "10m",
     .help = "how long to wait for the answer to a message"},
    {.name = "id",
     .kind = PR_OPTION_BOOLEAN,
     .offset = offsetof(struct append_options, id),
     .fallback = "true",
     .help = "tell the server this program's name and version"},
    {.name = NULL},
};

pr_status append_options_check(const void *options)
{
    const struct append_options *set = options;

    return imap_net_check("append", &set->net);
}

/* ---- Its life ------------------------------------------------------------ */

static pr_status sink_open(struct pr_sink *sink)
{
    struct append *append = calloc(1, sizeof(*append));

    if (append == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    append->options = sink->options;
    append->log = sink->log;
    append->line.free = 1;
    append->alone_since = pr_now();
    append_forget_listing(append);
    sink->state = append;
    return PR_OK;
}

static void sink_close(struct pr_sink *sink)
{
    struct append *append = sink->state;

    if (append == NULL)
        return;
    append_hang_up(append);
    append_forget_listing(append);
    while (append->parcels != NULL)
        parcel_free(append, append->parcels);
    append_folders_free(append);
    free(append);
    sink->state = NULL;
}

/* ---- Deliveries ---------------------------------------------------------- */

static pr_status sink_stage(struct pr_sink *sink, struct pr_delivery *delivery)
{
    struct parcel *parcel = NULL;
    pr_status status = parcel_new(sink->state, delivery, &parcel);

    delivery->ticket = parcel;
    return status;
}

static void sink_abort(struct pr_sink *sink, struct pr_delivery *delivery)
{
    if (delivery->ticket != NULL)
        parcel_free(sink->state, delivery->ticket);
    delivery->ticket = NULL;
}

/* ---- After a crash ------------------------------------------------------- */

static struct parcel *find_doubt(const struct append *append, const char *key,
                                 const struct append_folder *folder)
{
    struct parcel *parcel = append->parcels;

    while (parcel != NULL &&
           (parcel->delivery != NULL || parcel->folder != folder ||
            strcmp(parcel->key, key) != 0))
        parcel = parcel->next;
    return parcel;
}

/* As long as it is not known whether it arrived, none like it may follow. */
static pr_status note_doubt(struct append *append, const char *key,
                            struct append_folder *folder,
                            const struct receipt *receipt)
{
    struct parcel *parcel = calloc(1, sizeof(*parcel) + 1);

    if (parcel == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    parcel->folder = folder;
    parcel->trace = receipt->trace;
    parcel->stand = PARCEL_IN_DOUBT;
    snprintf(parcel->key, sizeof(parcel->key), "%s", key);
    parcel->next = append->parcels;
    append->parcels = parcel;
    return PR_OK;
}

static pr_status look_for(struct append *append, const char *key,
                          struct append_folder *folder,
                          const struct receipt *receipt)
{
    struct parcel *doubt = find_doubt(append, key, folder);
    pr_status status = append_connect(append);

    if (status == PR_OK)
        status = append_look(append, folder, receipt);
    folder->is_known = false;
    (void)append_was_lost(append);
    if (status == PR_OK || status == PR_GONE) {
        if (doubt != NULL)
            parcel_free(append, doubt);
        return status;
    }
    const struct pr_failure failure = *pr_last_failure();
    if (status == PR_REFUSED) /* nobody but its owner may look */
        status = PR_DOUBT;
    if (doubt == NULL && note_doubt(append, key, folder, receipt) != PR_OK)
        return PR_NOMEM;
    return pr_fail(status, "%s", failure.text);
}

static pr_status sink_recover(struct pr_sink *sink, const char *key,
                              const char *text)
{
    struct append *append = sink->state;
    struct append_folder *folder;
    struct receipt receipt;
    pr_status status = receipt_parse(text, &receipt);

    if (status != PR_OK)
        return pr_fail(PR_DOUBT, "%s", pr_last_failure()->text);
    status = append_folder_named(append, receipt.folder, &folder);
    if (status == PR_OK)
        status = pr_semaphore_take(&append->line, 1, PR_NEVER);
    if (status != PR_OK)
        return status;
    status = look_for(append, key, folder, &receipt);
    pr_semaphore_give(&append->line, 1);
    return status;
}

/* ---- Checking ------------------------------------------------------------ */

static pr_status check_folder(struct append *append)
{
    struct append_folder *folder;
    pr_status status = append_target(append, "", &folder);

    if (status != PR_OK || !folder->is_missing)
        return status;
    if (!append->options->create)
        return pr_fail(PR_GONE,
                       "there is no folder \"%s\" on the server; make it, or "
                       "set create = true",
                       folder->name);
    pr_log(append->log, PR_LOG_INFO,
           "there is no folder \"%s\" on the server; it will be made",
           folder->name);
    return PR_OK;
}

static pr_status sink_check(struct pr_sink *sink)
{
    bool was_open = sink->state != NULL;
    pr_status status = was_open ? PR_OK : sink_open(sink);

    if (status == PR_OK)
        status = check_folder(sink->state);
    if (!was_open)
        sink_close(sink);
    return status;
}

/* "imap:alice@imap.example.org/INBOX"; the port only if it is given. */
static void sink_describe(const void *options, char *name, size_t size)
{
    const struct append_options *set = options;
    const struct pr_net_options *net = &set->net;
    bool has_tunnel = net->tunnel != NULL && *net->tunnel != NULL;
    const char *host = has_tunnel ? net->tunnel[0] : net->host;
    char port[16] = "";

    if (net->port != 0 && !has_tunnel)
        snprintf(port, sizeof(port), ":%u", (unsigned)net->port);
    snprintf(name, size, "imap:%s@%s%s/%s", net->user != NULL ? net->user : "",
             host != NULL ? host : "", port,
             strcmp(set->folder, "/") == 0 ? "" : set->folder);
}

const struct pr_sink_ops append_sink_ops = {
    .size = sizeof(struct pr_sink_ops),
    .open = sink_open,
    .stage = sink_stage,
    .commit = append_commit,
    .abort = sink_abort,
    .recover = sink_recover,
    .check = sink_check,
    .close = sink_close,
    .describe = sink_describe,
};
