/*
 * What plugins share whose service is asked over a connection.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>

#include <postrider/plugin.h>
#include <postrider/service.h>

pr_status pr_service_check_size(const struct pr_service *service,
                                const struct pr_question *question,
                                uint64_t limit)
{
    return pr_spool_size(question->message) <= limit
               ? PR_OK
               : pr_fail(PR_LIMIT,
                         "%s: the message is larger than %" PRIu64
                         " octets (`limit`)",
                         service->class->name, limit);
}

pr_status pr_service_connect(const struct pr_service *service, const char *host,
                             int64_t port, pr_time deadline,
                             struct pr_net_options *net, struct pr_stream **ret)
{
    pr_time now = pr_now();

    *net = (struct pr_net_options){
        .host = host,
        .port = port,
        .tls = PR_TLS_NONE,
        .timeout = deadline > now ? deadline - now : 1,
    };
    pr_status status =
        pr_stream_connect(net, (uint16_t)port, service->log, ret);
    if (status == PR_OK)
        pr_stream_set_deadline(*ret, deadline);
    return status;
}

void pr_service_describe(const char *class, const char *host, int64_t port,
                         char *name, size_t size)
{
    if (host[0] == '/')
        snprintf(name, size, "%s %s", class, host);
    else
        snprintf(name, size, "%s %s:%" PRId64, class, host, port);
}
