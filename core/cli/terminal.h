/*
 * What a person sees: log lines on standard error, and below them one line of
 * progress when that is a terminal.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <postrider/log.h>
#include <postrider/status.h>

/* Takes over the log. */
void terminal_open(enum pr_level level);
void terminal_close(void);

/* Is standard error a terminal that can show progress? */
bool terminal_is_live(void);
/* Shows `text`, cut to the width, in place of the last progress line; "" clears
 * it. No effect if the terminal is not live. */
void terminal_progress(const char *text);
/* Whatever a command prints that it did not write itself goes through one of
 * these, which let nothing reach a terminal that does not show: texts come from
 * mail, servers and rules. Such characters, line ends too, are printed as \xNN;
 * a JSON line has none and is printed as it is. Standard output, with the
 * progress line out of the way. */
void terminal_print(const char *line); /* and a line end */
void terminal_line(const char *format, ...) PR_PRINTF(1, 2); /* the same */
void terminal_add(const char *format, ...) PR_PRINTF(1, 2);  /* no line end */
/* `postrider: ` and the line, on standard error, likewise. */
void terminal_complain(const char *format, ...) PR_PRINTF(1, 2);

#endif
