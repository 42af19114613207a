/*
 * Reports of messages and accounts as lines of the socket, and back.
 */
#ifndef CONTROL_EVENT_H
#define CONTROL_EVENT_H

#include <jansson.h>

#include "engine/engine.h"

/* A string of one printable line of UTF-8, whatever `text` holds; null for
 * NULL.
 */
json_t *event_text(const char *text);

/* A new reference; NULL if memory is short. */
json_t *event_of_message(const struct message_report *report);
json_t *event_of_hook(const struct event_report *report);
json_t *event_of_undo(const struct undo_report *report);
json_t *event_of_sweep(const struct sweep_report *report);
json_t *event_of_account(const struct account_report *report);

/* Tells the observer of the report in a line. The texts are lent from `event`;
 * a field that is missing is empty. Lines that are no report are ignored. */
void event_tell(const json_t *event, const struct engine_observer *observer);

/* The status of that name (pr_status_name); PR_BUG if there is none. */
pr_status status_of_name(const char *name);

#endif
