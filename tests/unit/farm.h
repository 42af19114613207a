/*
 * Servers with accounts, folders and connections in memory, for tests of the
 * daemon.
 */
#ifndef TESTS_UNIT_FARM_H
#define TESTS_UNIT_FARM_H

#include <postrider/plugin.h>

#define FARM_ACCOUNTS 40
#define FARM_FOLDERS 5

struct farm_folder {
    const char *name;
    uint32_t uidvalidity, uidnext;
    size_t selects, watches;
};

struct farm_account {
    const char *name;
    const char *host;
    struct farm_folder folders[FARM_FOLDERS]; /* the first is INBOX */
    size_t folder_count;
    size_t reach;      /* what watches() says */
    pr_status refusal; /* of open; PR_OK: none */
    const char *words; /* of the refusal */
    size_t patience;   /* so many opens are refused; 0: all */
    size_t most;       /* connections at a time; 0: any number */
    bool hangs;        /* in open, until `moves` */
    bool hangs_fetch;  /* likewise, in fetch */
    bool hangs_settle; /* likewise, in settle */
    bool is_chatty;    /* says something while it hangs, to no end */
    bool is_dead;      /* connections break, and say nothing of it */
    bool knows_no_idle;
    unsigned epoch; /* connections of an earlier one are broken */
    struct pr_event moves;
    size_t opens, lists, glances, open_now, probes, quiet_closes;
    size_t settling, settled; /* deeds that were asked for, and done */
    size_t order;             /* when it was opened last, among all */
};

extern struct farm_account farm[FARM_ACCOUNTS];
extern size_t farm_opens; /* of all */
extern size_t farm_at_work_most, farm_at_work;
extern const struct pr_class farm_class;

/* The options of the class. */
struct farm_options {
    int64_t number;
    const struct pr_secret *secret; /* read by open, if there is one */
};

void farm_reset(size_t accounts);
struct farm_account *farm_account(const char *name);
/* A message comes into the folder. */
void farm_add(struct farm_account *account, size_t folder);
/* All of its connections break, and notice. */
void farm_break(struct farm_account *account);

#endif
