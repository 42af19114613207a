/*
 * A table of chains, and a list of its entries by their last use.
 */
#include "config.h"

#include "base/cache.h"

#include <string.h>

#include "base/memory.h"

#define CHAINS 1024 /* a power of two */

struct entry {
    struct entry *next;          /* in its chain */
    struct entry *newer, *older; /* by last use */
    uint64_t hash, until;
    size_t key_size, value_size;
    char octets[]; /* the key, then the value */
};

struct cache {
    size_t octets, octets_most;
    struct entry *newest, *oldest;
    struct entry *chains[CHAINS];
};

pr_status cache_new(size_t octets_most, struct cache **ret)
{
    struct cache *cache = memory_zeroed(1, sizeof(*cache));
    if (cache == NULL) {
        return pr_fail(PR_NOMEM, "out of memory");
    }
    cache->octets_most = octets_most;
    *ret = cache;
    return PR_OK;
}

/* FNV-1a: keys are of the user's rules and of digests, and each chain is as
 * bounded as the whole. */
static uint64_t hash_of(struct pr_bytes key)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < key.size; i++) {
        hash = (hash ^ (unsigned char)key.data[i]) * 1099511628211u;
    }
    return hash;
}

static size_t cost(const struct entry *entry)
{
    return sizeof(*entry) + entry->key_size + entry->value_size;
}

static struct entry **place_of(struct cache *cache, struct pr_bytes key,
                               uint64_t hash)
{
    struct entry **at = &cache->chains[hash & (CHAINS - 1)];
    while (*at != NULL && ((*at)->hash != hash || (*at)->key_size != key.size ||
                           memcmp((*at)->octets, key.data, key.size) != 0)) {
        at = &(*at)->next;
    }
    return at;
}

static void unlink_use(struct cache *cache, struct entry *entry)
{
    *(entry->newer != NULL ? &entry->newer->older : &cache->newest) =
        entry->older;
    *(entry->older != NULL ? &entry->older->newer : &cache->oldest) =
        entry->newer;
}

static void link_newest(struct cache *cache, struct entry *entry)
{
    entry->newer = NULL;
    entry->older = cache->newest;
    *(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = entry;
    cache->newest = entry;
}

/* Drops the entry that `place` leads to. */
static void drop(struct cache *cache, struct entry **place)
{
    struct entry *entry = *place;
    if (entry == NULL) {
        return;
    }
    *place = entry->next;
    unlink_use(cache, entry);
    cache->octets -= cost(entry);
    memory_free(entry);
}

static void drop_oldest(struct cache *cache)
{
    struct entry *oldest = cache->oldest;
    struct pr_bytes key = {oldest->octets, oldest->key_size};
    drop(cache, place_of(cache, key, oldest->hash));
}

bool cache_get(struct cache *cache, struct pr_bytes key, uint64_t now,
               struct pr_bytes *ret)
{
    struct entry **place = place_of(cache, key, hash_of(key));
    struct entry *entry = *place;
    if (entry == NULL) {
        return false;
    }
    if (entry->until <= now) {
        drop(cache, place);
        return false;
    }
    unlink_use(cache, entry);
    link_newest(cache, entry);
    *ret =
        (struct pr_bytes){entry->octets + entry->key_size, entry->value_size};
    return true;
}

void cache_put(struct cache *cache, struct pr_bytes key, struct pr_bytes value,
               uint64_t until)
{
    uint64_t hash = hash_of(key);
    struct entry **place = place_of(cache, key, hash);
    if (*place != NULL) {
        drop(cache, place);
    }
    /* One that takes more than a quarter would drive out all that is useful. */
    if (key.size > cache->octets_most / 8 ||
        value.size > cache->octets_most / 8) {
        return;
    }
    struct entry *entry = memory_alloc(sizeof(*entry) + key.size + value.size);
    if (entry == NULL) {
        return;
    }
    *entry = (struct entry){
        .hash = hash,
        .until = until,
        .key_size = key.size,
        .value_size = value.size,
    };
    memcpy(entry->octets, key.data, key.size);
    if (value.size > 0) {
        memcpy(entry->octets + key.size, value.data, value.size);
    }
    cache->octets += cost(entry);
    link_newest(cache, entry);
    while (cache->octets > cache->octets_most && cache->oldest != entry) {
        drop_oldest(cache);
    }
    place = &cache->chains[hash & (CHAINS - 1)];
    entry->next = *place;
    *place = entry;
}

void cache_free(struct cache *cache)
{
    if (cache == NULL) {
        return;
    }
    while (cache->oldest != NULL) {
        drop_oldest(cache);
    }
    memory_free(cache);
}
