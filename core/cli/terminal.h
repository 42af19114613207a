/*
 * What a person sees: log lines on standard error, and below them one line of
 * progress when that is a terminal.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <postrider/log.h>

/* Takes over the log. */
void terminal_open(enum pr_level level);
void terminal_close(void);

/* Is standard error a terminal that can show progress? */
bool terminal_is_live(void);
/* Shows `text`, cut to the width, in place of the last progress line; "" clears
 * it. No effect if the terminal is not live. */
void terminal_progress(const char *text);
/* Prints a line to standard output, with the progress line out of the way. */
void terminal_print(const char *line);

#endif
