/*
 * News of the machine's clocks: that it slept, that somebody set the time.
 */
#ifndef IO_CLOCK_H
#define IO_CLOCK_H

#include <postrider/fiber.h>

struct clock_watch;

struct clock_news {
    uint64_t slept;  /* ms that the machine was suspended; 0: it was not */
    int64_t stepped; /* ms that the time of day moved more than time passed */
};

/* Begins to watch. Nothing wakes the process while nothing happens.
 * PR_UNSUPPORTED where the system has no means. */
PR_CHECKED pr_status clock_watch_new(struct clock_watch **ret);
void clock_watch_free(struct clock_watch *watch); /* NULL is fine */

/* Waits until the machine was suspended and has resumed, or the time of day was
 * set by more than a second. Small corrections are passed over. */
PR_CHECKED pr_status clock_wait(struct clock_watch *watch, pr_time deadline,
                                struct clock_news *ret);

#endif
