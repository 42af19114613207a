/*
 * Places for connections: how many may be open in all, and how many may be at
 * work with one host.
 */
#include "engine/places.h"

#include <string.h>

#include "base/memory.h"

struct place_host {
    struct place_host *next;
    unsigned at_work;
    size_t users; /* places that point here; without any it goes */
    char name[];
};

struct waiter {
    struct waiter *next;
    struct place *place;
    struct pr_event turn;
    bool is_served;
};

struct places {
    unsigned in_all, per_host;
    unsigned open, parked;
    struct place_host *hosts;
    struct waiter *waiters; /* in the order of their coming */
};

pr_status places_new(unsigned in_all, unsigned per_host, struct places **ret)
{
    struct places *places = memory_zeroed(1, sizeof(*places));
    if (places == NULL) {
        return pr_fail(PR_NOMEM, "out of memory");
    }
    places->in_all = in_all;
    places->per_host = per_host;
    *ret = places;
    return PR_OK;
}

void places_free(struct places *places)
{
    memory_free(places);
}

/* ---- Hosts --------------------------------------------------------------- */

static struct place_host *find_host(struct places *places, const char *name)
{
    for (struct place_host *host = places->hosts; host != NULL;
         host = host->next) {
        if (strcmp(host->name, name) == 0) {
            return host;
        }
    }
    size_t size = strlen(name) + 1;
    struct place_host *host = memory_zeroed(1, sizeof(*host) + size);
    if (host == NULL) {
        return NULL;
    }
    memcpy(host->name, name, size);
    host->next = places->hosts;
    places->hosts = host;
    return host;
}

static void leave_host(struct places *places, struct place_host *host)
{
    if (--host->users > 0) {
        return;
    }
    struct place_host **at = &places->hosts;
    while (*at != host) {
        at = &(*at)->next;
    }
    *at = host->next;
    memory_free(host);
}

/* ---- The row ------------------------------------------------------------- */

static bool may_have(const struct places *places, const struct place *place)
{
    bool fits_host =
        places->per_host == 0 || place->host->at_work < places->per_host;
    bool fits_all =
        place->is_open || places->in_all == 0 || places->open < places->in_all;
    return fits_host && fits_all;
}

/* Does `one`, who stands in front of `other`, go after it all the same? */
static bool goes_after(const struct waiter *one, const struct waiter *other)
{
    const struct claimant *a = one->place->claimant;
    const struct claimant *b = other->place->claimant;
    if (a->is_urgent != b->is_urgent) {
        return b->is_urgent;
    }
    return b->at_work < a->at_work;
}

static struct waiter **find_next(struct places *places)
{
    struct waiter **best = NULL;
    for (struct waiter **at = &places->waiters; *at != NULL;
         at = &(*at)->next) {
        if (may_have(places, (*at)->place) &&
            (best == NULL || goes_after(*best, *at))) {
            best = at;
        }
    }
    return best;
}

static void serve(struct places *places, struct place *place)
{
    if (place->is_open) {
        places->parked--;
    } else {
        places->open++;
    }
    place->is_open = place->is_at_work = true;
    place->host->at_work++;
    place->claimant->at_work++;
}

static void serve_all(struct places *places)
{
    struct waiter **at;
    while ((at = find_next(places)) != NULL) {
        struct waiter *waiter = *at;
        *at = waiter->next;
        serve(places, waiter->place);
        waiter->is_served = true;
        pr_event_wake_all(&waiter->turn);
    }
}

static void step_out(struct places *places, const struct waiter *waiter)
{
    struct waiter **at = &places->waiters;
    while (*at != waiter) {
        at = &(*at)->next;
    }
    *at = waiter->next;
}

static pr_status wait_for(struct places *places, struct place *place)
{
    struct waiter waiter = {.place = place};
    struct waiter **end = &places->waiters;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = &waiter;
    place->claimant->waiting++;
    serve_all(places);
    pr_status status = PR_OK;
    while (!waiter.is_served && status == PR_OK) {
        status = pr_event_wait(&waiter.turn, PR_NEVER);
    }
    place->claimant->waiting--;
    if (waiter.is_served) {
        return PR_OK;
    }
    step_out(places, &waiter);
    return status;
}

/* ---- Places --------------------------------------------------------------
 */

void places_limit(struct places *places, unsigned in_all, unsigned per_host)
{
    places->in_all = in_all;
    places->per_host = per_host;
    serve_all(places);
}

pr_status place_take(struct places *places, struct place *place,
                     const char *host, struct claimant *claimant)
{
    *place = (struct place){claimant, find_host(places, host), false, false};
    if (place->host == NULL) {
        return pr_fail(PR_NOMEM, "out of memory");
    }
    place->host->users++;
    pr_status status = wait_for(places, place);
    if (status != PR_OK) {
        leave_host(places, place->host);
        *place = (struct place){0};
    }
    return status;
}

static void stop_work(struct place *place)
{
    if (place->is_at_work) {
        place->is_at_work = false;
        place->host->at_work--;
        place->claimant->at_work--;
    }
}

bool place_park(struct places *places, struct place *place)
{
    unsigned most = places->in_all - (places->in_all + 7) / 8;
    if (places->in_all > 0 && places->parked >= most) {
        return false;
    }
    stop_work(place);
    places->parked++;
    serve_all(places);
    return true;
}

pr_status place_resume(struct places *places, struct place *place)
{
    return place->is_at_work ? PR_OK : wait_for(places, place);
}

void place_give(struct places *places, struct place *place)
{
    if (place->host == NULL) {
        return;
    }
    if (!place->is_at_work) {
        places->parked--;
    }
    stop_work(place);
    places->open--;
    leave_host(places, place->host);
    *place = (struct place){0};
    serve_all(places);
}
