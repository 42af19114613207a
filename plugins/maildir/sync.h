/*
 * Which way of making a batch durable costs less on this disk: an fsync for
 * each file, or a syncfs for all.
 *
 * One is cheap when little else is written, the other when much is, and which
 * of the two it is changes with the hour. So both are measured, on large
 * batches, and the dearer one is tried again from time to time.
 */
#ifndef MAILDIR_SYNC_H
#define MAILDIR_SYNC_H

#include <stddef.h>
#include <stdint.h>

#include "maildir.h"

/* Messages from which on syncfs may be worth it. */
#define SYNC_LARGE_BATCH 32

/* Looks whether this kernel's syncfs can be trusted (Linux 5.8 and later report
 * failed writes). */
void sync_init(struct maildir *maildir);
/* SYNC_FILES or SYNC_FILESYSTEM for a batch of `count` messages. Any thread. */
enum maildir_sync sync_choose(struct maildir *maildir, size_t count);
/* Tells what a batch took. Any thread. */
void sync_learn(struct maildir *maildir, enum maildir_sync way, size_t count,
                uint64_t octets, double seconds);

#endif
