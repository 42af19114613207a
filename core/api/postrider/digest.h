/*
 * SHA-256, to know octets again.
 */
#ifndef POSTRIDER_DIGEST_H
#define POSTRIDER_DIGEST_H

#include <postrider/buffer.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PR_DIGEST_SIZE 32 /* octets of SHA-256 (FIPS 180-4) */

/* Does not wait. PR_NOMEM. */
PR_API PR_CHECKED pr_status pr_digest(struct pr_bytes bytes,
                                      unsigned char ret[PR_DIGEST_SIZE]);

#ifdef __cplusplus
}
#endif
#endif
