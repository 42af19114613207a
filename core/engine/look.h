/*
 * Messages as they are on the server, looked at and left alone.
 *
 * Nothing is delivered, noted or changed, and no lock is taken: for what wants
 * to know what rules would do with mail that was dealt with long ago.
 */
#ifndef ENGINE_LOOK_H
#define ENGINE_LOOK_H

#include "lua/config.h"

struct look {
    const char *account; /* NULL: every account */
    const char *folder;  /* NULL: those that the account has */
    uint32_t uid;        /* as a pass tells it; 0: every message */
    bool is_lazy;        /* the one message comes as a pass would fetch it: of a
                            large one the header alone, and the rest when
                            `each` asks for it; else it is whole */
    int64_t since;       /* received since: seconds since 1970; 0: ever */
    /* A message, sealed, lent for the call, which may wait and is in
     * a fiber with PR_STACK_RULE. Not PR_OK: no more are wanted. */
    pr_status (*each)(void *user, const struct account *account,
                      struct message *message);
    void *user;
};

/* Tells of the messages, one at a time, account by account. Waits. PR_CONFIG:
 * there is no such account. PR_UNSUPPORTED: messages do not stay
 * there. PR_GONE: the folder or the one message is not there. Else what the
 * source or `each` failed with. */
PR_CHECKED pr_status engine_look(struct config *config,
                                 const struct look *look);

#endif
