/*
 * A replay of a transcript: what it has reported so far. One side of it, a
 * source's (operations.c) or a sink's (deliveries.c), runs the operations.
 */
#ifndef WIRE_REPLAY_H
#define WIRE_REPLAY_H

#include "auth/secret.h"
#include "transcript.h"

#define REPLAY_WORDS 64 /* of an operation */

struct replay {
    const struct transcript *transcript;
    size_t doing;
    struct pr_net_options *net; /* the options, which begin with them */
    struct pr_secret password;
    const char *disabled[9], *mechanisms[9], *tunnel[2];
    char wrong[1200];
    char broken_promise[200]; /* what may not be even when memory runs out */
};

/* Says what came of an operation: the transcript must expect it next. */
void replay_report(struct replay *replay, const char *format, ...)
    PR_PRINTF(2, 3);
/* The same, "what ok", with the words of the last failure. */
void replay_status(struct replay *replay, const char *what, pr_status status);
/* The value of "name=value"; false if the word is something else. */
bool replay_value(const char *word, const char *name, const char **ret);

/* The test's own memory until the next replay, which no sweep makes fail. */
void *scratch_zeroed(size_t size);
char *scratch_text(const char *text);

/* ---- The side that is tested -------------------------------------------- */

/* Before the options are set, in replay->net. */
void side_begin(struct replay *replay);
/* One that is not of the plugin; false if it is not known. */
bool side_option(const char *option);
/* False: there is no such operation. */
bool side_run(struct replay *replay, const char *const *words);
void side_end(void);

#endif
