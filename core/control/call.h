/*
 * The caller's side of the socket, for commands. Blocks; needs no loop.
 */
#ifndef CONTROL_CALL_H
#define CONTROL_CALL_H

#include <jansson.h>
#include <stdbool.h>

#include <postrider/status.h>

struct call;

/* Calls the daemon of that state directory, or (NULL) of that configuration.
 * PR_GONE, without words: none runs. PR_IO, PR_REFUSED. */
PR_CHECKED pr_status call_open(const char *state_dir, const char *config,
                               struct call **ret);
void call_close(struct call *call); /* NULL is fine */

/* Sends one request; takes the reference. */
PR_CHECKED pr_status call_ask(struct call *call, json_t *request);
/* The next line of the answer, a new reference. `timeout`: seconds, 0: none.
 * PR_EOF: the daemon has gone, PR_TIMEOUT: it does not answer. */
PR_CHECKED pr_status call_next(struct call *call, unsigned timeout,
                               json_t **ret);

/* Is it the last line of an answer? Then *ret is what it says: PR_OK, or a
 * failure with its words. */
bool call_is_last(const json_t *line, pr_status *ret);

#endif
