/*
 * One client of the socket: lines in, lines out, one request at a time.
 *
 * A fiber reads and watches for the end of the line, one answers, one writes.
 * What is to be written waits in memory up to a cap: who reads too slowly is
 * told so and dropped, and holds up nobody.
 */
#ifndef CONTROL_CLIENT_H
#define CONTROL_CLIENT_H

#include <jansson.h>

#include "control/control.h"

struct client;

/* A descriptor's client, which takes `fd` also on failure. */
PR_CHECKED pr_status client_new(struct control *control, int fd,
                                struct client **ret);
/* Serves it to its end, then frees it. For a fiber of its own. */
pr_status client_run(void *argument);

/* For those who answer: adds a line; takes the reference (NULL: memory is
 * short, which ends the client). Does not wait. */
void client_send(struct client *client, json_t *object);
/* Nothing that is sent arrives any more: stop telling. */
bool client_is_gone(const struct client *client);

#endif
