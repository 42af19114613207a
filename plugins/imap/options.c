/*
 * The options of imap {...}, as a table.
 */
#include "capability.h"
#include "descriptor.h"
#include "quote.h"

const struct pr_option imap_option_table[] = {
    PR_NET_OPTIONS(struct imap_options, net, "implicit"),
    {.name = "id",
     .kind = PR_OPTION_BOOLEAN,
     .offset = offsetof(struct imap_options, id),
     .fallback = "true",
     .help = "tell the server this program's name and version"},
    {.name = "window",
     .kind = PR_OPTION_NUMBER,
     .offset = offsetof(struct imap_options, window),
     .fallback = "300",
     .least = 1,
     .most = 500,
     .help = "messages to ask for in one command"},
    {.name = "window_octets",
     .kind = PR_OPTION_SIZE,
     .offset = offsetof(struct imap_options, window_octets),
     .fallback = "8M",
     .help = "octets to ask for in one command"},
    {.name = "idle_renew",
     .kind = PR_OPTION_DURATION,
     .offset = offsetof(struct imap_options, idle_renew),
     .fallback = "29m",
     .help = "begin IDLE anew after so long, before the server ends it"},
    {.name = "final_timeout",
     .kind = PR_OPTION_DURATION,
     .offset = offsetof(struct imap_options, final_timeout),
     .fallback = "10m",
     .help = "how long to wait for the answer while the server copies, moves "
             "or deletes"},
    {.name = NULL},
};

static const char *const mechanisms[] = {"PLAIN", "LOGIN", NULL};

pr_status imap_net_check(const char *class, const struct pr_net_options *net)
{
    bool has_tunnel = net->tunnel != NULL && *net->tunnel != NULL;

    if (!has_tunnel && (net->host == NULL || *net->host == '\0'))
        return pr_fail(PR_CONFIG, "%s needs a host", class);
    if (!has_tunnel && net->user == NULL)
        return pr_fail(PR_CONFIG, "%s needs a user", class);
    if (imap_form_of(pr_bytes_of(net->user), true) == IMAP_FORM_NONE)
        return pr_fail(PR_CONFIG, "a line end in the user's name");
    pr_status status = pr_words_check("auth", net->auth, mechanisms);
    return status == PR_OK ? imap_capabilities_check(net->disable) : status;
}

pr_status imap_options_check(const void *options)
{
    return imap_net_check("imap", &((const struct imap_options *)options)->net);
}
