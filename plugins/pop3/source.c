/*
 * The operations of the POP3 source. There is one folder, INBOX, and no news
 * but at login: so no `folders`.
 */
#include <stdio.h>

#include "descriptor.h"

/* Lent until the next call. */
static const char *host(const struct pr_source *source)
{
    static char name[320];
    const struct pop3_options *options = source->options;
    int64_t port = options->net.port;

    if (options->net.host == NULL ||
        (options->net.tunnel != NULL && *options->net.tunnel != NULL))
        return NULL;
    if (port == 0)
        port = options->net.tls == PR_TLS_IMPLICIT ? POP3_PORT_TLS : POP3_PORT;
    snprintf(name, sizeof(name), "%s:%u", options->net.host, (unsigned)port);
    return name;
}

const struct pr_source_ops pop3_source_ops = {
    .size = sizeof(struct pr_source_ops),
    .open = pop3_op_open,
    .select = pop3_op_select,
    .list = pop3_op_list,
    .fetch = pop3_op_fetch,
    .settle = pop3_op_settle,
    .close = pop3_op_close,
    .host = host,
    .keep = pop3_op_keep,
    .lacks = PR_LACKS_FLAGS | PR_LACKS_FOLDERS,
};
