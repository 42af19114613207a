/*
 * The program: hands its arguments to the command line of the core.
 */
#include "cli/cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
