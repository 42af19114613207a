/*
 * Messages, and what rules decided, in words for people.
 */
#ifndef CLI_WORDS_H
#define CLI_WORDS_H

#include "lua/config.h"
#include "mail/message.h"

/* Adds `from a@example.org  "Subject"`, fit to be printed. */
PR_CHECKED pr_status message_words(struct message *message,
                                   struct pr_buffer *buffer);
/* Adds one entry, without who asked for it: `move to Junk`. */
PR_CHECKED pr_status plan_line(const struct plan_entry *entry,
                               struct pr_buffer *buffer);
/* Adds a line for each thing that comes of the plan, fit to be printed, with
 * the account's own delivery where that is what is left. Notes, tags and points
 * change nothing, and are left out. */
PR_CHECKED pr_status plan_effects(const struct plan *plan,
                                  const struct account *account,
                                  struct pr_buffer *buffer);

/* Prints each line of `text`, fit for a terminal: the first after `head`, the
 * others after `rest`. */
void print_lines(const char *head, const char *rest, const char *text);
/* "header 1.2 KB, structure 312 B, part 2.0 KB": what was fetched; "" if
 * nothing. */
PR_CHECKED pr_status cost_words(const struct message_cost *cost,
                                struct pr_buffer *buffer);
/* The same as a JSON object. */
PR_CHECKED pr_status cost_json(const struct message_cost *cost,
                               struct pr_buffer *buffer);
/* Does anything of it go to a sink, the account's own delivery included? */
bool plan_delivers(const struct plan *plan);

#endif
