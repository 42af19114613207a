/*
 * News of the machine's own addresses and routes (rtnetlink).
 */
#ifndef IO_NETWORK_H
#define IO_NETWORK_H

#include <postrider/fiber.h>

struct network;

enum network_news {
    NETWORK_LESS, /* an address or route is gone, none came */
    NETWORK_MORE  /* one came: what could not be reached now may be */
};

/* Begins to listen. PR_UNSUPPORTED where the system does not let us: a
 * container or a filter of system calls. */
PR_CHECKED pr_status network_open(struct network **ret);
void network_close(struct network *network); /* NULL is fine */

/* Waits for the next change, and until changes have stopped to come for a
 * moment: a cable that is plugged in makes a dozen. What does not matter is
 * passed over: leases renewed, link-local addresses, neighbours. */
PR_CHECKED pr_status network_wait(struct network *network, pr_time deadline,
                                  enum network_news *ret);

/* Does the machine have this local address, as of the last change? True also
 * where nobody can tell. `address`: a struct sockaddr_in or sockaddr_in6. */
bool network_has(const struct network *network, const void *address);

#endif
