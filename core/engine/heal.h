/*
 * Hears what happens to the machine, and has connections healed.
 */
#ifndef ENGINE_HEAL_H
#define ENGINE_HEAL_H

#include "engine/daemon.h"

/* Until it is cancelled: at a change of addresses or routes, at resume and when
 * the time was set, cuts dead connections off, has attempts to connect begin
 * again and tells `tell(user, news, slept)` what happened,
 * DAEMON_NETWORK_CHANGED before DAEMON_NETWORK_UP. Where the system gives no
 * news that is logged once; other news still come. */
PR_CHECKED pr_status heal_run(void (*tell)(void *user, enum daemon_news news,
                                           uint64_t slept),
                              void *user);

#endif
