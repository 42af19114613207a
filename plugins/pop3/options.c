/*
 * The options of pop3 {...}, as a table.
 */
#include <string.h>

#include "descriptor.h"

const struct pr_option pop3_option_table[] = {
    PR_NET_OPTIONS(struct pop3_options, net, "implicit"),
    {.name = "window",
     .kind = PR_OPTION_NUMBER,
     .offset = offsetof(struct pop3_options, window),
     .fallback = "500",
     .least = 1,
     .most = 1000,
     .help = "messages to ask for ahead, where the server can pipeline"},
    {.name = "window_octets",
     .kind = PR_OPTION_SIZE,
     .offset = offsetof(struct pop3_options, window_octets),
     .fallback = "8M",
     .help = "octets to ask for ahead"},
    {.name = NULL},
};

static const char *const mechanisms[] = {"PLAIN", "LOGIN", "USER", "APOP",
                                         NULL};

pr_status pop3_options_check(const void *options)
{
    const struct pr_net_options *net =
        &((const struct pop3_options *)options)->net;
    bool has_tunnel = net->tunnel != NULL && *net->tunnel != NULL;

    if (!has_tunnel && (net->host == NULL || *net->host == '\0'))
        return pr_fail(PR_CONFIG, "pop3 needs a host");
    if (net->user == NULL)
        return pr_fail(PR_CONFIG, "pop3 needs a user");
    if (strpbrk(net->user, "\r\n") != NULL)
        return pr_fail(PR_CONFIG, "a line end in the user's name");
    pr_status status = pr_words_check("auth", net->auth, mechanisms);
    return status == PR_OK ? pop3_capabilities_check(net->disable) : status;
}
