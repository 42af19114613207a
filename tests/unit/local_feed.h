/*
 * The core's side of a source without UIDs, for tests: what is listed, fetched
 * and done to it.
 */
#ifndef TESTS_UNIT_LOCAL_FEED_H
#define TESTS_UNIT_LOCAL_FEED_H

#include <postrider/plugin.h>

#define LOCAL_MOST 200

struct local_message {
    struct pr_item item;
    char uidl[300];
    char keywords[200];
    char *text; /* of the last fetch; NULL: none */
    uint64_t announced;
    pr_status result;
};

/* A session with a source. */
struct local {
    struct pr_source source;
    struct local_message messages[LOCAL_MOST];
    size_t count;
    char folders[LOCAL_MOST][200];
    size_t folder_count;
    struct pr_mailbox mailbox;
    /* Called before the octets of a message begin; NULL: no. */
    void (*on_begin)(void);
};

/* Opens, selects "INBOX" and lists. The caller has zeroed *local. */
pr_status local_start(struct local *local, const struct pr_class *class,
                      const void *options);
pr_status local_select(struct local *local, const char *folder);
/* Fetches all that is listed. */
pr_status local_fetch(struct local *local, enum pr_want want);
/* Carries out one deed on the message at `index`; its result. */
pr_status local_settle(struct local *local, size_t index, struct pr_deed deed);
pr_status local_folders(struct local *local, const char *const *patterns);
void local_end(struct local *local);

#endif
