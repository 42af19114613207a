/*
 * One message through the program.
 */
#ifndef PIPE_RUN_H
#define PIPE_RUN_H

#include "pipe.h"

/* Runs the program over the message and sets the delivery's result. Waits. */
void run_delivery(const struct pipe_sink *pipe, struct pr_delivery *delivery);

#endif
