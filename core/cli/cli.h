/*
 * The command line: `postrider [-c FILE] COMMAND [OPTION...] [ARGUMENT...]`.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>

#include <postrider/status.h>

/* Runs the command that argv names; returns the exit status (sysexits). */
PR_API int cli_main(int argc, char **argv);

/* ---- For the commands ------------------------------------------------------
 */

/* What every command is told. */
struct invocation {
    const char *config_file; /* -c; NULL: the usual place */
    int verbosity;           /* -v: 1, -vv: 2 */
    bool json;
    bool dry_run;
    bool offline;
    bool retry;
    bool sweep;
    bool follow;
    bool metrics;
    bool profile;
    const char *log_format;       /* NULL: auto */
    const char *lines;            /* of the log; NULL: the usual number */
    const char *account, *folder; /* --account, --folder; NULL: not given */
    const char *since, *rules;    /* --since, --rules; NULL: not given */
    const char *last;             /* --last; NULL: not given */
    char **arguments;             /* what is not an option; ended by NULL */
    int argument_count;
};

/* One command: its file has one of these. */
struct command {
    const char *name;
    const char *arguments; /* as help shows them */
    const char *summary;   /* one line, no full stop */
    const char *help;      /* more lines, each with its end; "" if none */
    const char *options;   /* of "fjlLmnoprv": those it takes besides -c, -h */
    int (*run)(const struct invocation *invocation);
};

extern const struct command command_fetch;
extern const struct command command_deliver;
extern const struct command command_check;
extern const struct command command_why;
extern const struct command command_plugins;
extern const struct command command_test;
extern const struct command command_daemon;
extern const struct command command_status;
extern const struct command command_poll;
extern const struct command command_pause;
extern const struct command command_resume;
extern const struct command command_reload;
extern const struct command command_log;
extern const struct command command_retry;
extern const struct command command_drop;
extern const struct command command_confirm;
extern const struct command command_refuse;
extern const struct command command_undo;
extern const struct command command_explain;
extern const struct command command_replay;

/* The exit status of sysexits.h for a failure. */
int exit_status_of(pr_status status);
/* Of two exit statuses, that of which a person should hear first. */
int graver_of(int one, int other);
/* Prints the words of the last failure and returns its exit status. */
int complain(pr_status status);

struct config;
/* Loads the plugins, then the configuration that the invocation names. Returns
 * 0, or the exit status after it has said what is wrong. */
int load_config(const struct invocation *invocation, struct config **ret);

#endif
