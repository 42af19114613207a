/*
 * Octets kept under a key until a time, within a bound: what was used least
 * recently goes first.
 */
#ifndef BASE_CACHE_H
#define BASE_CACHE_H

#include <postrider/buffer.h>

struct cache;

/* `octets_most`: of keys and values together, with what it costs to keep them.
 */
PR_CHECKED pr_status cache_new(size_t octets_most, struct cache **ret);
void cache_free(struct cache *cache); /* NULL is fine */

/* The value, lent until the next cache_put; false if there is none, or its time
 * is over at `now`. Times are of any one clock. */
bool cache_get(struct cache *cache, struct pr_bytes key, uint64_t now,
               struct pr_bytes *ret);
/* Keeps a copy until `until`, in place of what was there. What is too large, or
 * for which there is no memory, is not kept. */
void cache_put(struct cache *cache, struct pr_bytes key, struct pr_bytes value,
               uint64_t until);

#endif
