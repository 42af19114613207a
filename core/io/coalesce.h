/*
 * Questions under way, so that who asks the same meanwhile waits for the answer
 * that is coming.
 *
 * One asks (the first), the others wait. What it comes to is told to all; if
 * the first had to give up for reasons of its own, one that waits asks instead.
 */
#ifndef IO_COALESCE_H
#define IO_COALESCE_H

#include <postrider/buffer.h>
#include <postrider/fiber.h>

/* One that is asked. */
struct question {
    struct question *next;
    size_t users; /* who asks, and those that wait: the last one frees it */
    bool has_ended;
    pr_status status;       /* PR_CANCELLED: who asked gave up, ask again */
    struct pr_bytes answer; /* owned; PR_OK */
    char *words;            /* owned; else. NULL: memory was short */
    struct pr_event end;
    size_t key_size;
    char key[];
};

/* Those under way; a list. {0} is empty. */
struct questions {
    struct question *first;
    uint64_t shared; /* so often somebody waited instead of asking, ever */
};

/* Asks for a key that nobody asks for: the caller is to ask, and to call
 * question_end whatever comes of it. NULL: out of memory; ask alone. */
struct question *question_begin(struct questions *questions,
                                struct pr_bytes key);
/* It is under way no more; tells those that wait. `status`: what asking came
 * to, with pr_last_failure's words; PR_CANCELLED: the caller gave up. `answer`
 * is copied if somebody waits. Releases the caller's use; NULL is fine. */
void question_end(struct questions *questions, struct question *question,
                  pr_status status, struct pr_bytes answer);

/* The one that is under way for the key, held for the caller; NULL: none. */
struct question *question_join(struct questions *questions,
                               struct pr_bytes key);
/* Waits until it has ended; what it came to is in it then. PR_TIMEOUT at
 * `deadline`, PR_CANCELLED. */
PR_CHECKED pr_status question_wait(struct question *question, pr_time deadline);
void question_release(struct question *question); /* NULL is fine */

#endif
