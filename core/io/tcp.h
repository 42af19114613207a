/*
 * Connecting to one of several addresses: the part below tcp_connect.
 */
#ifndef IO_TCP_H
#define IO_TCP_H

#include "io/resolver.h"
#include "io/stream.h"

/* Tries the addresses in their order; `host` and `port` are for the words. Ends
 * with PR_NETWORK at the end of the era of attempts (io/attempt.h). */
PR_CHECKED pr_status tcp_race(const char *host, uint16_t port,
                              const struct addresses *addresses,
                              pr_time deadline, const struct pr_log *log,
                              struct transport **ret);

#endif
