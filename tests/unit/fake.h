/*
 * A source and a sink in memory, for tests of what stands between them.
 */
#ifndef TESTS_UNIT_FAKE_H
#define TESTS_UNIT_FAKE_H

#include <postrider/plugin.h>

#define FAKE_MOST 1000

struct fake_message {
    uint32_t uid;
    char name[40]; /* its UIDL */
    char text[200];
    int64_t received;
    unsigned flags;
    bool is_gone;
    pr_status trouble; /* what fetching it ends with; PR_OK: it comes */
};

/* The server: one folder. */
struct fake_server {
    struct fake_message messages[FAKE_MOST];
    size_t count;
    uint32_t uidvalidity, uidnext;
    const char *poison;      /* the line breaks in this message; NULL: none */
    size_t lose_line_after;  /* bodies; 0: never */
    bool has_refused_folder; /* one before INBOX */
    bool settles_slowly;
    const char *refused_copy; /* nothing can be copied there */
    bool refuses_all;         /* of settle */
    size_t copies;
    int64_t due;         /* for the debts of a test */
    bool has_labels;     /* of its own */
    bool has_no_uids;    /* POP3 */
    bool has_no_names;   /* nor UIDL */
    bool has_no_headers; /* nor TOP */
    uint32_t last;       /* LAST */
    /* what was asked of it */
    size_t opens, lists, bodies, headers, settled, settles;
    size_t unsafe_deeds; /* for messages that were not in the mailbox yet */
    char asked[200]; /* of the last deed: "set X clear X label X unlabel X" */
};

/* The mailbox the sink delivers to. */
struct fake_delivery {
    char key[65];
    char folder[100];
    char text[200];
    unsigned flags;
    char keywords[100];
};

/* Where a sink hangs, until it is given up. */
enum fake_hang { FAKE_NO_HANG, FAKE_IN_STAGE, FAKE_BEFORE_ALL, FAKE_AFTER_ALL };

struct fake_mailbox {
    struct fake_delivery deliveries[FAKE_MOST];
    size_t count;
    size_t batches;
    size_t fail_next;       /* so many deliveries fail */
    pr_status failure;      /* with this */
    pr_status recover_says; /* PR_OK: look by key */
    enum fake_hang hang;
    size_t hanging; /* that do now */
};

extern struct fake_server fake_server;
extern struct fake_mailbox fake_mailbox, fake_other; /* of two sinks */

/* Called when a sink has committed, before the engine knows; NULL: no. */
extern void (*fake_on_commit)(void);

extern const struct pr_class fake_source_class, fake_sink_class;

/* Empties all of them. */
void fake_reset(void);
/* A message of its own content, with the next UID. */
void fake_add(const char *subject);
/* Numbers all messages anew. */
void fake_renumber(uint32_t uidvalidity, uint32_t first_uid);
size_t fake_count(const struct fake_mailbox *mailbox, const char *subject);

#endif
