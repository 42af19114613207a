/*
 * What the daemon answers to each request.
 */
#ifndef CONTROL_ANSWER_H
#define CONTROL_ANSWER_H

#include "control/client.h"
#include "control/request.h"

/* Does what is asked, telling the client of it on the way, and returns the last
 * line of the answer (NULL: memory is short). Waits; for a fiber with
 * PR_STACK_RULE. */
json_t *answer(struct control *control, const struct request *request,
               struct client *client);

#endif
