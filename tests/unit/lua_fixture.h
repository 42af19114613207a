/*
 * What the tests of the Lua side share: classes to name, a folder for
 * configurations, messages made from text.
 */
#ifndef UNIT_LUA_FIXTURE_H
#define UNIT_LUA_FIXTURE_H

#include "lua/config.h"

/* A private folder, an absolute path; and its end with all in it. */
const char *fixture_begin(void);
void fixture_end(void);
/* Writes a file below the folder, mode 0600. Returns its path, lent until the
 * next call. */
const char *fixture_write(const char *name, const char *text);

/* Loads `text` as config.lua. */
pr_status fixture_load(const char *text, struct config **ret);
/* The lines logged at error level since the last fixture_load, each with a line
 * end. */
const char *fixture_errors(void);
/* All lines logged. */
const char *fixture_log(void);

/* A message with these octets (LF line ends become CRLF on the wire). */
struct message *fixture_message(struct config *config, const char *from,
                                const char *octets);
void fixture_message_free(struct message *message);

/* Loads an account "work" and these rules, which begin at line 2; runs them
 * over the message in a fiber of a loop of its own. Returns a line for each
 * entry of the plan, lent until the next call; the words if that failed. */
const char *fixture_plan(const char *rules, const char *from,
                         const char *octets);
/* The same with a whole configuration. */
const char *fixture_plan_of(const char *file, const char *from,
                            const char *octets);
pr_status fixture_status(void); /* of the last run */
/* Does each instruction take many times as long (valgrind)? */
bool fixture_is_slow(void);
/* What begins a configuration whose rules are to end by themselves: more time
 * than rules have else, on a busy machine and under valgrind. */
const char *fixture_patience(void);

/* What the options of the class "imap" of the fixture become. */
struct fixture_imap {
    struct pr_net_options net;
};

struct fixture_maildir {
    const char *path;
    unsigned layout; /* 0 fs, 1 maildir++ */
    const char *note;
    int64_t level;
    bool fast;
    uint64_t size, delay;
    const char *const *words;
};

#endif
