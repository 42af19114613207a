/*
 * Sweeps: their functions run over folders on the server, and what they decided
 * carried out.
 *
 *   sweeps.c       which are due, and what came of them
 *   sweep_box.c    what the function of one asks while it runs
 *   sweep_steps.c  its steps, in order:
 *   sweep_messages.c, sweep_folders.c
 *
 * A line does nothing else meanwhile, and no other line of the account works:
 * so what is known of the folder stays true until the last step.
 */
#ifndef ENGINE_SWEEPS_H
#define ENGINE_SWEEPS_H

#include "engine/parts.h"
#include "lua/sweep.h"
#include "state/guard.h"

/* A sweep over one folder. The session is not run: it is what the folder is
 * selected and settled with. */
struct visit {
    struct sweep_box box; /* first: found again with a cast */
    struct session session;
    const struct sweep *sweep;
    struct pr_arena *arena;       /* lent: the session's */
    struct pr_semaphore turns;    /* of the box's calls */
    struct sweep_reader *readers; /* list */
    struct pr_failure broken;     /* what spoilt the line; PR_OK: it stands */
    bool is_fetched; /* the account fetches the folder, and knows what it did */
    /* What became of the steps. */
    struct pr_range *gone; /* moved or deleted, tidy */
    size_t gone_count;
    struct pr_range *failed; /* tidy: nothing more is done with these */
    size_t failed_count;
    uint64_t messages; /* acted on */
    pr_status result;  /* the first step that failed */
    char words[PR_FAILURE_MAX];
};

/* Runs what is due on the line, when no other line of the run works any more.
 * What is wrong with a sweep is noted and logged; a failure is the line's. */
PR_CHECKED pr_status sweeps_work(struct account_run *run, struct line *line);
/* When the next sweep of the account is due, for the daemon; PR_NEVER. Waits.
 */
pr_time sweeps_due(const struct config *config, struct state *state,
                   const struct account *account);

extern const struct sweep_box_ops visit_ops;
/* Frees what the box's calls left. */
void visit_end_readers(struct visit *visit);
/* Notes that a source's operation failed; a failure of the line is kept. */
pr_status visit_note(struct visit *visit, pr_status status);

const struct pr_source_ops *visit_source(const struct visit *visit);
/* Tells the observer what became of a step over `messages`, or of one over a
 * folder (`count` 0). */
void visit_report(struct visit *visit, const struct sweep_step *step,
                  const struct pr_range *uids, size_t count, uint64_t messages,
                  const char *outcome, const char *error);
/* Logs that a step failed with pr_last_failure(), keeps the first for the
 * sweep's record, and tells of it. */
void visit_fail_step(struct visit *visit, const struct sweep_step *step,
                     const struct pr_range *uids, size_t count,
                     pr_status status);
extern const char visit_held_words[];

/* Carries one step out; in a dry run, tells what it would do. A failure is the
 * line's. */
PR_CHECKED pr_status visit_act_on_messages(struct visit *visit,
                                           const struct sweep_step *step);
PR_CHECKED pr_status visit_act_on_folder(struct visit *visit,
                                         const struct sweep_step *step);
/* Deletes a folder whose deletion was confirmed. */
PR_CHECKED pr_status visit_pay_folder(struct visit *visit,
                                      const struct state_held_folder *held);

/* Carries the box's plan out; in a dry run, tells what it would do. A failure
 * is the line's; what single steps failed with is in visit->result. */
PR_CHECKED pr_status visit_carry_out(struct visit *visit);
/* Pays what is owed of deletions that were confirmed. */
PR_CHECKED pr_status visit_pay(struct visit *visit);

#endif
