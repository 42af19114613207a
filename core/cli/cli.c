/*
 * Finds the command that the arguments name and runs it.
 */
#include "config.h"

#include "cli/cli.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/log.h"
#include "base/text.h"
#include "cli/terminal.h"
#include "lua/config.h"
#include "mail/spare.h"
#include "mail/view.h"
#include "plugin/registry.h"

static const struct command *const commands[] = {
    &command_daemon, &command_status,  &command_fetch,
    &command_poll,   &command_pause,   &command_resume,
    &command_reload, &command_log,     &command_retry,
    &command_drop,   &command_confirm, &command_refuse,
    &command_undo,   &command_deliver, &command_check,
    &command_why,    &command_plugins, &command_explain,
    &command_test,   &command_replay,  NULL,
};

int exit_status_of(pr_status status)
{
    switch (status) {
    case PR_OK:
        return EX_OK;
    case PR_AUTH:
        return EX_NOPERM;
    case PR_CONFIG:
    case PR_SCRIPT:
        return EX_CONFIG;
    case PR_PROTOCOL:
        return EX_PROTOCOL;
    case PR_TLS:
    case PR_REFUSED:
    case PR_GONE:
    case PR_UNSUPPORTED:
        return EX_UNAVAILABLE;
    case PR_IO:
        return EX_IOERR;
    case PR_NOMEM:
        return EX_OSERR;
    case PR_BUG:
        return EX_SOFTWARE;
    default:
        return EX_TEMPFAIL;
    }
}

/* The lower, the sooner a person should hear of it. */
static int rank(int exit_status)
{
    static const int order[] = {EX_SOFTWARE, EX_OSERR,    EX_CONFIG,
                                EX_NOPERM,   EX_PROTOCOL, EX_UNAVAILABLE,
                                EX_IOERR,    EX_TEMPFAIL, EX_OK};
    int place = 0;
    while (order[place] != exit_status && order[place] != EX_OK) {
        place++;
    }
    return place;
}

int graver_of(int one, int other)
{
    return rank(other) < rank(one) ? other : one;
}

int complain(pr_status status)
{
    terminal_complain("%s", pr_last_failure()->text);
    return exit_status_of(status);
}

/* config_load logs all that is wrong by itself. */
static int load_file(const char *file, struct config **ret)
{
    pr_status status = config_load(file, ret);
    if (status == PR_IO) {
        fputs("postrider: `man postrider-config` shows how to write one; -c "
              "FILE names another\n",
              stderr);
    }
    return status == PR_IO ? EX_CONFIG : exit_status_of(status);
}

int load_config(const struct invocation *invocation, struct config **ret)
{
    const char *file;
    struct pr_arena *arena = pr_arena_new();
    static bool has_plugins; /* they stay for the process */
    pr_status status = arena == NULL ? PR_NOMEM
                       : has_plugins ? PR_OK
                                     : registry_load();
    has_plugins = has_plugins || status == PR_OK;
    if (status == PR_OK) {
        status = config_find(invocation->config_file, arena, &file);
    }
    int result = status == PR_OK ? load_file(file, ret) : complain(status);
    pr_arena_free(arena);
    return result;
}

/* ---- Help -------------------------------------------------------------------
 */

static void print_usage(FILE *to)
{
    fputs("Usage: postrider [-c FILE] COMMAND [OPTION...] [ARGUMENT...]\n\n"
          "Fetches mail, runs it through your rules, and delivers it.\n\n"
          "Commands:\n",
          to);
    for (const struct command *const *at = commands; *at != NULL; at++) {
        fprintf(to, "  %-10s %s\n", (*at)->name, (*at)->summary);
    }
    fputs("\nOptions:\n"
          "  -c, --config FILE  another configuration than "
          "~/.config/postrider/config.lua\n"
          "  -h, --help         this text; after a command, its own\n"
          "  -V, --version      the version\n\n"
          "More: postrider COMMAND --help, and the manual: man postrider\n",
          to);
}

static void print_command_help(const struct command *command)
{
    printf("Usage: postrider %s [OPTION...]%s%s\n\n%s.\n%s\nOptions:\n",
           command->name, command->arguments[0] != '\0' ? " " : "",
           command->arguments, command->summary, command->help);
    if (strchr(command->options, 'n') != NULL) {
        puts("  -n, --dry-run      show what would be done, change nothing");
    }
    if (strchr(command->options, 'o') != NULL) {
        puts("  -o, --offline      look at the configuration, try nothing");
    }
    if (strchr(command->options, 'r') != NULL) {
        puts(strcmp(command->name, "refuse") == 0
                 ? "  -r, --retry        let the rules run over them again"
                 : "  -r, --retry        try now what was put aside");
    }
    if (strchr(command->options, 's') != NULL) {
        puts("      --sweep        run the sweeps now, due or not");
    }
    if (strchr(command->options, 'f') != NULL) {
        puts("  -f, --follow       go on until interrupted");
    }
    if (strchr(command->options, 'm') != NULL) {
        puts("      --metrics      the numbers, as OpenMetrics text");
    }
    if (strchr(command->options, 'p') != NULL) {
        puts("      --profile      what each rule has cost, too");
    }
    if (strchr(command->options, 'L') != NULL) {
        puts("      --lines N      begin with the last N lines (20)");
    }
    if (strchr(command->options, 'l') != NULL) {
        puts("      --log-format FORMAT\n"
             "                     text, json, journal; auto (default): the "
             "journal under\n"
             "                     systemd, text on a terminal, else json");
    }
    if (strchr(command->options, 'a') != NULL) {
        puts("      --account NAME which account's mail it is\n"
             "      --folder NAME  and of which folder");
    }
    if (strchr(command->options, 'S') != NULL) {
        puts(
            strchr(command->options, 't') != NULL
                ? "      --last TIME    what was done in the last 10m, 2h, 1d\n"
                  "      --since TIME   or since \"2026-01-31 10:00\""
                : "      --since TIME   how old the mail may be (30d)");
    }
    if (strchr(command->options, 'R') != NULL) {
        puts("      --rules FILE   the other rules");
    }
    if (strchr(command->options, 'j') != NULL) {
        puts("      --json         one JSON object a line");
    }
    if (strchr(command->options, 'v') != NULL) {
        puts("  -v, --verbose      say more; twice: the wire as well");
    }
    puts("  -c, --config FILE  another configuration\n"
         "  -h, --help         this text");
}

static const struct command *find_command(const char *name)
{
    const char *names[sizeof(commands) / sizeof(*commands)] = {NULL};
    for (size_t i = 0; commands[i] != NULL; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
        names[i] = commands[i]->name;
    }
    const char *nearest = text_nearest(name, names);
    if (nearest != NULL) {
        terminal_complain("no command \"%s\"; did you mean \"%s\"?", name,
                          nearest);
    } else {
        terminal_complain("no command \"%s\"", name);
    }
    fputs("See: postrider --help\n", stderr);
    return NULL;
}

/* ---- Arguments
 * ---------------------------------------------------------------- */

static const struct option long_options[] = {
    {"config", required_argument, NULL, 'c'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {"verbose", no_argument, NULL, 'v'},
    {"dry-run", no_argument, NULL, 'n'},
    {"offline", no_argument, NULL, 'o'},
    {"retry", no_argument, NULL, 'r'},
    {"sweep", no_argument, NULL, 's'},
    {"json", no_argument, NULL, 'j'},
    {"follow", no_argument, NULL, 'f'},
    {"metrics", no_argument, NULL, 'm'},
    {"profile", no_argument, NULL, 'p'},
    {"log-format", required_argument, NULL, 'l'},
    {"lines", required_argument, NULL, 'L'},
    {"account", required_argument, NULL, 'a'},
    {"folder", required_argument, NULL, 'F'},
    {"since", required_argument, NULL, 'S'},
    {"rules", required_argument, NULL, 'R'},
    {"last", required_argument, NULL, 't'},
    {0},
};

static bool is_taken(const struct command *command, int option)
{
    return strchr(command->options, option) != NULL;
}

static int usage_error(const struct command *command)
{
    fprintf(stderr, "See: postrider %s --help\n", command->name);
    return EX_USAGE;
}

/* The options behind the command. Returns -1 to go on, else the exit status. */
static int read_options(const struct command *command, int argc, char **argv,
                        struct invocation *invocation)
{
    int option;
    optind = 0;
    while ((option = getopt_long(argc, argv, "c:fhvnor", long_options, NULL)) !=
           -1) {
        if (option == 'c') {
            invocation->config_file = optarg;
        } else if (option == 'h') {
            print_command_help(command);
            return EX_OK;
        } else if (option == '?' || !is_taken(command, option)) {
            if (option != '?') {
                terminal_complain("`%s` has no such option: %s", command->name,
                                  argv[optind - 1]);
            }
            return usage_error(command);
        } else if (option == 'v') {
            invocation->verbosity++;
        } else if (option == 'n') {
            invocation->dry_run = true;
        } else if (option == 'o') {
            invocation->offline = true;
        } else if (option == 'r') {
            invocation->retry = true;
        } else if (option == 's') {
            invocation->sweep = true;
        } else if (option == 'f') {
            invocation->follow = true;
        } else if (option == 'm') {
            invocation->metrics = true;
        } else if (option == 'p') {
            invocation->profile = true;
        } else if (option == 'l') {
            invocation->log_format = optarg;
        } else if (option == 'L') {
            invocation->lines = optarg;
        } else if (option == 'a') {
            invocation->account = optarg;
        } else if (option == 'F') {
            invocation->folder = optarg;
        } else if (option == 'S') {
            invocation->since = optarg;
        } else if (option == 'R') {
            invocation->rules = optarg;
        } else if (option == 't') {
            invocation->last = optarg;
        } else {
            invocation->json = true;
        }
    }
    invocation->arguments = argv + optind;
    invocation->argument_count = argc - optind;
    return -1;
}

static enum pr_level level_of(const struct invocation *invocation)
{
    switch (invocation->verbosity) {
    case 0:
        return PR_LOG_WARNING;
    case 1:
        return PR_LOG_DEBUG;
    default:
        return PR_LOG_TRACE;
    }
}

static int run_command(int argc, char **argv, struct invocation *invocation)
{
    const struct command *command = find_command(argv[0]);
    if (command == NULL) {
        return EX_USAGE;
    }
    int status = read_options(command, argc, argv, invocation);
    if (status >= 0) {
        return status;
    }
    terminal_open(level_of(invocation));
    status = command->run(invocation);
    view_shutdown();
    spare_close_all();
    terminal_close();
    return status;
}

int cli_main(int argc, char **argv)
{
    struct invocation invocation = {0};
    int option;
    /* "+": stop at the command. */
    while ((option = getopt_long(argc, argv, "+c:hV", long_options, NULL)) !=
           -1) {
        switch (option) {
        case 'c':
            invocation.config_file = optarg;
            break;
        case 'h':
            print_usage(stdout);
            return EX_OK;
        case 'V':
            puts("postrider " PACKAGE_VERSION);
            return EX_OK;
        default:
            print_usage(stderr);
            return EX_USAGE;
        }
    }
    if (optind >= argc) {
        print_usage(stderr);
        return EX_USAGE;
    }
    return run_command(argc - optind, argv + optind, &invocation);
}
