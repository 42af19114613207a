/*
 * The operations of the IMAP source.
 */
#include <stdio.h>

#include "descriptor.h"

/* Lent until the next call. */
static const char *host(const struct pr_source *source)
{
    static char name[320];
    const struct imap_options *options = source->options;
    int64_t port = options->net.port;

    if (options->net.host == NULL ||
        (options->net.tunnel != NULL && *options->net.tunnel != NULL))
        return NULL;
    if (port == 0)
        port = options->net.tls == PR_TLS_IMPLICIT ? 993 : 143;
    snprintf(name, sizeof(name), "%s:%u", options->net.host, (unsigned)port);
    return name;
}

const struct pr_source_ops imap_source_ops = {
    .size = sizeof(struct pr_source_ops),
    .open = imap_op_open,
    .folders = imap_op_folders,
    .select = imap_op_select,
    .list = imap_op_list,
    .fetch = imap_op_fetch,
    .settle = imap_op_settle,
    .close = imap_op_close,
    .host = host,
    .watches = imap_op_watches,
    .watch = imap_op_watch,
    .probe = imap_op_probe,
    .glance = imap_op_glance,
    .changes = imap_op_changes,
    .wants = PR_WANT_STRUCTURE | PR_WANT_PART,
    .search = imap_op_search,
    .manage = imap_op_manage,
    .has_labels = imap_op_has_labels,
};
