/*
 * The command line: `postrider COMMAND [OPTION...] [ARGUMENT...]`.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <postrider/status.h>

/* Runs the command that argv names; returns the exit status (sysexits). */
PR_API int cli_main(int argc, char **argv);

#endif
