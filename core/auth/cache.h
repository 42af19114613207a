/*
 * Secrets kept in memory for as long as a daemon lives.
 */
#ifndef AUTH_CACHE_H
#define AUTH_CACHE_H

#include <stdbool.h>

#include <postrider/option.h>

/* From now on what programs tell is kept; with false, all that was kept is
 * overwritten and freed (no fiber may wait for a secret then). */
void secrets_keep(bool wanted);
/* The server refuses it, or nobody needs it any more: the next who reads it
 * asks anew. True if one was kept. */
bool secret_drop(const struct pr_secret *secret);

/* ---- For secret.c -------------------------------------------------------- */

bool secrets_are_kept(void);
/* Of a program, from memory or asked for; `ret` is made. Waits. */
PR_CHECKED pr_status secret_from_cache(const struct pr_secret *secret,
                                       struct pr_buffer *ret);

#endif
