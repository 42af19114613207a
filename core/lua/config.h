/*
 * The configuration: read from Lua, checked whole, then plain C.
 */
#ifndef LUA_CONFIG_H
#define LUA_CONFIG_H

#include <postrider/plugin.h>

#include "mail/message.h"

enum after {
    AFTER_KEEP,
    AFTER_SEEN,
    AFTER_DELETE,
    AFTER_DELETE_LATER, /* after_delay ms after delivery */
    AFTER_MOVE          /* after_folder */
};

enum start { START_ALL, START_NOW, START_RECENT /* start_age ms */ };

/* Of a folder, what rules may delete on the server in one run without being
 * asked. */
struct deletion_limit {
    int64_t messages; /* of all of the account's folders; 0: no limit */
    int64_t percent;  /* of the folder's messages; 0: no limit */
};

#define DELETIONS_DEFAULT ((struct deletion_limit){500, 30})
/* So few are never too many percent. */
#define DELETIONS_FEW 10

/* How often to look at the folders that match a glob. */
struct folder_every {
    const char *folder;
    uint64_t every; /* ms */
};

struct account {
    const char *name;
    int line; /* where it stands in the configuration */
    const struct pr_class *source;
    const void *source_options;
    const char *const *folders; /* patterns, ended by NULL; at least one */
    bool watch;
    uint64_t every; /* ms: folders that folder_every says nothing of */
    const struct folder_every *folder_every; /* the first that matches counts */
    size_t folder_every_count;
    uint64_t
        probe; /* ms: a silent line is proved to be alive so often; 0: no */
    enum after after;
    uint64_t after_delay;
    const char *after_folder;
    struct target *deliver; /* at least one */
    size_t deliver_count;
    enum start start;
    uint64_t start_age;
    uint64_t limit_size;     /* octets; 0: none */
    uint64_t limit_messages; /* in one run; 0: none */
    uint64_t whole_below;    /* octets: larger messages come in parts, as rules
                                ask for them */
    unsigned connections;    /* most at the same time */
    bool read_only;
    struct deletion_limit deletions;
};

struct config {
    struct pr_arena *arena;
    const char *file;              /* absolute */
    const char *state_dir;         /* absolute */
    unsigned connections_per_host; /* that are at work */
    unsigned connections;          /* in all; 0: no limit */
    uint64_t stall; /* ms without a step forward, after which a session ends */
    const char *metrics; /* address and port to show them at; NULL: none */
    bool metrics_remote; /* also at one that other machines reach */
    struct deletion_limit deletions; /* of accounts that say nothing of it */
    struct account *accounts;
    size_t account_count;
    struct pr_sink **sinks; /* every sink that is written anywhere in it */
    size_t sink_count;
    size_t rule_count;
    size_t hook_count;
    size_t sweep_count;    /* see lua/sweep.h */
    struct script *script; /* the Lua side */
};

/* Where the configuration is: `given`, else $POSTRIDER_CONFIG, else
 * $XDG_CONFIG_HOME/postrider/config.lua. Into the arena. */
PR_CHECKED pr_status config_find(const char *given, struct pr_arena *arena,
                                 const char **ret);

/* Loads and checks the configuration; plugins must be loaded. Runs Lua under
 * the sandbox. Every problem found is logged with file and line, the first is
 * in the failure's words. Rules may be called until config_free. Blocks.
 * PR_CONFIG, PR_IO, PR_NOMEM. */
PR_CHECKED pr_status config_load(const char *file, struct config **ret);
void config_free(struct config *config); /* NULL is fine */

const struct account *config_account(const struct config *config,
                                     const char *name); /* NULL: none */

/* What a rule has cost so far. */
struct rule_profile {
    const char *rule, *file; /* lent by the configuration */
    int line;
    uint64_t runs;      /* messages it ran over */
    uint64_t decisions; /* that it took a final action for */
    uint64_t failures;
    uint64_t time;   /* us of processor time */
    uint64_t waited; /* us for services, and for what it made be fetched */
    struct message_cost fetched; /* because it looked */
};

size_t config_rule_count(const struct config *config);
struct rule_profile config_rule_profile(const struct config *config,
                                        size_t index);
/* Rules of `config` go on counting where those of the same name of `before`
 * are; both may run. */
void config_share_profiles(struct config *config, const struct config *before);

/* How a service, a server or a program does that rules ask. */
struct service_health {
    const char *name; /* lent: until the rules run again */
    uint64_t asked;   /* questions so far */
    uint64_t failed;  /* of these, by the service's fault */
    bool is_left_alone;
    unsigned failures; /* in a row */
    pr_time since;     /* while it is left alone: since when, */
    pr_time until;     /* when one may ask for trial */
    const char *why;   /* and the last failure's words */
};

/* Tells of each that the configuration has, and of what was asked by its name
 * lately. */
void config_services(const struct config *config,
                     void (*each)(void *user,
                                  const struct service_health *health),
                     void *user);
/* The services of plugins that the configuration has, or that its rules name,
 * in the order they were written; NULL beyond the last. Lent. */
struct pr_service *config_service(const struct config *config, size_t index);

struct state;
struct state_changes;

/* Lends the rules the state, for the configuration's life: what they keep from
 * one message to the next lies there. In a trial it is only read. Without it
 * all is in memory. */
void rules_attach(struct config *config, struct state *state, bool is_trial);
/* The message is dealt with: what its rules keep goes into the changes that
 * note it. rules_noted when these are durable; a message that is freed without
 * it leaves nothing behind. */
void rules_note(struct message *message, struct state_changes *changes);
void rules_noted(struct message *message);
/* The reply that rules want to the message will not go out: whom it was for has
 * not been answered. */
void rules_reply_is_lost(struct message *message);

/* Does any rule take messages of this folder? */
bool rules_take(const struct config *config, const char *account,
                const char *folder);
/* Runs the rules over a message, in file order, until one is final; the default
 * delivery is not added. Called in a fiber with PR_STACK_RULE; waits when a
 * rule does. PR_SCRIPT: a rule failed or went over a limit; the plan is then of
 * no use, the words hold file, line and rule. PR_CANCELLED. */
PR_CHECKED pr_status rules_run(struct config *config, struct message *message);

/* ---- Hooks --------------------------------------------------------------- */

/* What on(...) can hear of; bits of a set. */
enum hook_kind {
    HOOK_FLAGS = 1,    /* a known message's flags have changed */
    HOOK_VANISHED = 2, /* a known message is gone */
    HOOK_MOVED_IN = 4, /* one known from another folder has come */
    HOOK_DEPARTURE = 8 /* what leaves the folder may be asked about elsewhere */
};

/* As on() has it; "" for what is none of its events. */
const char *hook_kind_name(enum hook_kind kind);

/* One event, for the hooks. All lent. */
struct hook_event {
    enum hook_kind kind;
    struct pr_flags flags, old, added, removed;
    const char *from;           /* HOOK_MOVED_IN: where it was known */
    const unsigned char *print; /* FINGERPRINT_SIZE octets; NULL: not known */
    bool is_fetched; /* the folder is one of the account's `folders` */
};

/* A hook that took an event. */
struct hook_place {
    const char *name, *file; /* NULL: none did */
    int line;
};

/* The kinds of events that hooks want of a folder; 0: none. `is_fetched`: it is
 * one of the account's `folders`, which is what a hook without `folder` means.
 */
unsigned hooks_of_folder(const struct config *config, const char *account,
                         const char *folder, bool is_fetched);
/* The patterns of folders, as pr_source_ops.folders has them, that hooks of the
 * account want beside its `folders`, ended by NULL; *ret NULL: none. What the
 * source finds is then to be asked of hooks_of_folder. PR_NOMEM. */
PR_CHECKED pr_status hooks_patterns(const struct config *config,
                                    const char *account, struct pr_arena *arena,
                                    const char *const **ret);
/* The kinds of events that hooks want of any folder of the account. */
unsigned hooks_of_account(const struct config *config, const char *account);
/* The first hook that takes the event. */
struct hook_place hooks_find(const struct config *config,
                             const struct message *message,
                             const struct hook_event *event);
/* Runs the hooks that take the event, in file order, until one has moved or
 * deleted the message; what they ask for is in its plan. Called in a fiber with
 * PR_STACK_RULE; waits when a hook does. *ret is the last that ran. PR_SCRIPT:
 * one failed or went over a limit; PR_CANCELLED. */
PR_CHECKED pr_status hooks_run(struct config *config, struct message *message,
                               const struct hook_event *event,
                               struct hook_place *ret);

#endif
