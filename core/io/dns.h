/*
 * Questions to the domain name system, by c-ares.
 *
 * Answers are written as lists: of texts for A, AAAA, PTR and TXT, of
 * { preference = n, host = text } for MX, by preference. A name that is not
 * there, or has nothing of that type, is an empty list and no failure.
 */
#ifndef IO_DNS_H
#define IO_DNS_H

#include <postrider/service.h>

/* RFC 1035, 3.2.2; RFC 3596, 2.1. */
enum dns_type {
    DNS_A = 1,
    DNS_PTR = 12,
    DNS_MX = 15,
    DNS_TXT = 16,
    DNS_AAAA = 28
};

struct dns;

/* `servers`: "192.0.2.1,[2001:db8::1]:5353"; NULL: those of the system. Lent.
 */
PR_CHECKED pr_status dns_new(const char *servers, struct dns **ret);
void dns_free(struct dns *dns); /* NULL is fine */
/* Asks for all records of one type. *ret_ttl: seconds for which the answer,
 * also an empty one, holds (RFC 2308, 5). Waits. PR_NETWORK, PR_REFUSED when
 * the servers cannot tell, PR_TIMEOUT, PR_PROTOCOL, PR_CONFIG for a name that
 * can be none, PR_CANCELLED. */
PR_CHECKED pr_status dns_ask(struct dns *dns, const char *name,
                             enum dns_type type, pr_time deadline,
                             struct pr_reply *reply, uint32_t *ret_ttl);

/* The octets of a whole answer (RFC 1035, 4.1) as a list. PR_PROTOCOL. */
PR_CHECKED pr_status dns_read_answer(const unsigned char *octets, size_t size,
                                     enum dns_type type, struct pr_reply *reply,
                                     uint32_t *ret_ttl);

/* The name to ask for about an address or a name in a zone: the address turned
 * round, "2.0.0.127.zone", or by nibbles for IPv6 (RFC 5782, 2.1 and 2.4; RFC
 * 3596, 2.5). False: too long, or an address that is none. */
bool dns_reverse(const char *address, const char *zone, char *out, size_t size);

#endif
