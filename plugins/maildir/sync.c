/*
 * Which way of making a batch durable costs less.
 */
#include "config.h"

#include "sync.h"

#include <stdlib.h>
#include <sys/utsname.h>

/* Octets that cost about as much as the making of one more file. */
#define OCTETS_A_FILE 16384.0
/* How much a new measurement counts. */
#define WEIGHT 0.3
/* Large batches after which the dearer way is tried again; the dearer it was,
 * the later. */
#define TRY_AGAIN 24

void sync_init(struct maildir *maildir)
{
    struct utsname name;
    unsigned long major = 0, minor = 0;
    char *end;

    if (uname(&name) == 0) {
        major = strtoul(name.release, &end, 10);
        if (*end == '.')
            minor = strtoul(end + 1, NULL, 10);
    }
    maildir->measured.may_sync_all = major > 5 || (major == 5 && minor >= 8);
}

static enum maildir_sync choose(struct sync_measured *measured)
{
    const double *cost = measured->cost;

    for (enum maildir_sync way = SYNC_FILES; way <= SYNC_FILESYSTEM; way++)
        if (measured->tries[way] == 0)
            return way;
    bool is_files = cost[SYNC_FILES] <= cost[SYNC_FILESYSTEM];
    enum maildir_sync best = is_files ? SYNC_FILES : SYNC_FILESYSTEM;
    enum maildir_sync other = is_files ? SYNC_FILESYSTEM : SYNC_FILES;
    double patience = TRY_AGAIN * cost[other] / cost[best];
    return measured->since_other++ < patience ? best : other;
}

enum maildir_sync sync_choose(struct maildir *maildir, size_t count)
{
    struct sync_measured *measured = &maildir->measured;

    if (maildir->options->sync != SYNC_AUTO)
        return maildir->options->sync;
    if (count < SYNC_LARGE_BATCH || !measured->may_sync_all)
        return SYNC_FILES;
    pthread_mutex_lock(&maildir->mutex);
    enum maildir_sync way = choose(measured);
    measured->tries[way]++;
    pthread_mutex_unlock(&maildir->mutex);
    return way;
}

void sync_learn(struct maildir *maildir, enum maildir_sync way, size_t count,
                uint64_t octets, double seconds)
{
    struct sync_measured *measured = &maildir->measured;
    double cost = seconds / ((double)count + (double)octets / OCTETS_A_FILE);

    if (maildir->options->sync != SYNC_AUTO || count < SYNC_LARGE_BATCH)
        return;
    pthread_mutex_lock(&maildir->mutex);
    double *known = &measured->cost[way];
    bool is_best = measured->cost[!way] == 0 || *known <= measured->cost[!way];
    *known = *known == 0 ? cost : *known + WEIGHT * (cost - *known);
    if (!is_best)
        measured->since_other = 0;
    pthread_mutex_unlock(&maildir->mutex);
}
