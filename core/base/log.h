/*
 * Where log lines go, set up once by the command.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

#include <postrider/log.h>

/* A receiver of finished lines: `who` is "work/INBOX" or "", `text` is
 * printable UTF-8 without a line end. */
typedef void log_receiver(void *user, enum pr_level level, const char *who,
                          const char *text);

/* Lines above `level` are dropped. NULL receiver: standard error. */
void log_set(enum pr_level level, log_receiver *receiver, void *user);

/* "error", "warning", ... */
const char *log_level_name(enum pr_level level);

#endif
