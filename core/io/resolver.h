/*
 * Host names to addresses.
 */
#ifndef IO_RESOLVER_H
#define IO_RESOLVER_H

#include <sys/socket.h>

#include <postrider/fiber.h>

struct address {
    struct sockaddr_storage where;
    socklen_t size;
};

/* More than these are of no use to try. */
#define ADDRESSES_MAX 16

struct addresses {
    struct address all[ADDRESSES_MAX];
    size_t count; /* never 0 after success */
};

/* The addresses of `host` in the order to try them: as the resolver sorted them
 * (RFC 6724), families taking turns (RFC 8305, 4). Waits. PR_NETWORK if there
 * are none, or the era of attempts (io/attempt.h) ends before the answer is
 * there, PR_CONFIG for what can be no host name, PR_TIMEOUT. */
PR_CHECKED pr_status resolve(const char *host, uint16_t port, pr_time deadline,
                             struct addresses *ret);

/* Is it an IPv4 or IPv6 address in text? */
bool host_is_address(const char *host);

/* "192.0.2.1", "2001:db8::1"; into out, returned. */
const char *address_text(const struct address *address, char *out, size_t size);

#endif
