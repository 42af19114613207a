/*
 * The engine at work for a command, with an eye on signals.
 */
#ifndef CLI_PASS_H
#define CLI_PASS_H

#include "cli/cli.h"
#include "engine/engine.h"

/* Undoes what `order` says of the accounts of the arguments, without a daemon,
 * and tells the observer. `config` is freed. Returns the exit status. */
int pass_undo(const struct invocation *invocation, struct config *config,
              const struct undo_order *order,
              const struct engine_observer *observer);

#endif
