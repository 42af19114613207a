/*
 * What `postrider confirm` and `postrider refuse` share.
 */
#ifndef CLI_HELD_H
#define CLI_HELD_H

#include "cli/cli.h"
#include "state/guard.h"

/* Answers what is held of each of the arguments, "ACCOUNT" or "ACCOUNT/FOLDER",
 * by the daemon if one runs, and says what came of it. Returns the exit status.
 */
int held_run(const struct invocation *invocation, enum held_answer answer);

#endif
