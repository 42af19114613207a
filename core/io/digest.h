/*
 * Digests, from OpenSSL. None of these waits.
 */
#ifndef IO_DIGEST_H
#define IO_DIGEST_H

#include <postrider/digest.h>

#define DIGEST_SIZE PR_DIGEST_SIZE

struct digest; /* SHA-256 in the making */
PR_CHECKED pr_status digest_new(struct digest **ret);
PR_CHECKED pr_status digest_add(struct digest *digest, const void *data,
                                size_t size);
/* Writes the digest and frees `digest` (NULL is fine with ret NULL: free only).
 */
void digest_end(struct digest *digest, unsigned char ret[DIGEST_SIZE]);

#endif
