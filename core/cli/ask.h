/*
 * What the commands share that ask the daemon for something.
 */
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include <jansson.h>

#include "cli/cli.h"
#include "control/call.h"
#include "lua/config.h"

/* Seconds in which an answer must come that needs no server. */
#define ASK_SOON 60u

/* Finds the daemon that the invocation means. Returns 0 with *ret_call, or
 * with *ret_call NULL and *ret_config set (to be freed) if none runs; else the
 * exit status after it has said what is wrong. *ret_config may be NULL when a
 * daemon was found without it. */
int ask_reach(const struct invocation *invocation, struct call **ret_call,
              struct config **ret_config);

/* As ask_reach, for commands that need a daemon: says so if none runs. */
int ask_open(const struct invocation *invocation, struct call **ret);

/* The request of that name; `accounts`: with the invocation's arguments. A new
 * reference, NULL if memory is short. */
json_t *ask_request(const char *name, const struct invocation *invocation,
                    bool accounts);

/* Asks and waits for the end of the answer, without limit if `timeout` is 0.
 * `each` (NULL: nobody) sees every line, the last too. Takes the reference.
 * Returns the exit status after it has said what is wrong. */
int ask(struct call *call, json_t *request, unsigned timeout,
        void (*each)(void *user, const json_t *line), void *user);

/* A whole command: finds the daemon, asks, prints `done` if all went well. */
int ask_once(const struct invocation *invocation, json_t *request,
             unsigned timeout, const char *done);

/* A whole command about messages that were put aside: `each(call, config, id)`
 * for each argument until one fails; call is NULL, and config set, if no daemon
 * runs. Returns the exit status. */
int ask_each(const struct invocation *invocation,
             int (*each)(struct call *call, const struct config *config,
                         char *id));

/* The state of a configuration, for a command that does without a daemon: runs
 * `work(user, state)` in a fiber. Returns the exit status. */
struct state;
int ask_state(const struct config *config,
              pr_status (*work)(void *user, struct state *state), void *user);

/* Lets the daemon poll the accounts of the arguments and reports it as `fetch`
 * does; `is_poll`: with a line for each account in any case. Returns the exit
 * status. */
int poll_by_daemon(struct call *call, const struct invocation *invocation,
                   bool is_poll);

#endif
