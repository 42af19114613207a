/*
 * The daemon's socket: who comes is let in, if he may, and served.
 */
#ifndef CONTROL_SERVER_H
#define CONTROL_SERVER_H

#include <postrider/status.h>

/* More clients are told to come again. */
#define CLIENTS_MOST 32

/* Serves a struct control's socket until cancelled. For a fiber of its own. */
pr_status server_run(void *argument);

#endif
