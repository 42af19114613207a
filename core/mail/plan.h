/*
 * What the rules decided about one message; nothing here acts.
 *
 * Each entry tells which rule asked for it, and at which line of which file, so
 * that dry runs, logs and `postrider why` can say so. At most one entry is
 * final.
 */
#ifndef MAIL_PLAN_H
#define MAIL_PLAN_H

#include <postrider/buffer.h>

struct pr_sink;

enum plan_action {
    /* final */
    PLAN_DELIVER, /* one entry for each place; they are one decision */
    PLAN_MOVE,    /* text: folder on the server */
    PLAN_DELETE,
    PLAN_LEAVE,
    PLAN_DISCARD, /* text: why */
    PLAN_DEFER,   /* delay */
    PLAN_STOP,    /* default delivery */
    /* not final */
    PLAN_COPY,
    PLAN_REDIRECT, /* target: its folder is the address */
    PLAN_COPY_TO,  /* text: folder on the server */
    PLAN_FLAG,     /* text: a system flag or keyword */
    PLAN_UNFLAG,
    PLAN_LABEL, /* text: a label of the server's own; value: on what condition,
                   in words for people; NULL: none */
    PLAN_UNLABEL,
    PLAN_SET_HEADER, /* text: name, value: content */
    PLAN_ADD_HEADER,
    PLAN_REMOVE_HEADER,
    PLAN_TAG,   /* text: key, value */
    PLAN_SCORE, /* score, text: why */
    PLAN_NOTE,  /* text */
    PLAN_SAVE,  /* text: file, value: the part's path, folder: below which */
    PLAN_REPLY  /* target: by which it goes, its folder is its own; reply */
};

/* A place to deliver to. */
struct target {
    struct pr_sink *sink; /* lent: lives as long as the configuration */
    const char *folder;   /* "" is the sink's root */
};

/* A message of a rule's own, in answer to the one it runs over. No text has a
 * control character in it but `text` and `mime`. */
struct reply {
    const char *to;          /* one address */
    const char *from;        /* one address, perhaps with a name */
    const char *subject;     /* UTF-8 */
    const char *in_reply_to; /* a message id without brackets; "": none */
    const char *references;  /* message ids in brackets; "": none */
    const char *text;        /* UTF-8: what it says; NULL: */
    const char *mime;        /* its Content- fields, an empty line, its body */
    const char *handle;      /* what tells it from other replies; NULL: none */
    uint64_t once;           /* ms in which `to` gets no other; 0: any time */
};

struct plan_entry {
    enum plan_action action;
    const char *rule; /* its name; "default" for the account's own delivery */
    const char *file;
    int line;
    struct target target;      /* PLAN_DELIVER, PLAN_COPY, PLAN_REDIRECT */
    const struct reply *reply; /* PLAN_REPLY */
    const char *text;
    const char *value;
    const char *folder; /* PLAN_SAVE: a folder that the user opened to rules */
    uint64_t delay;     /* ms */
    double score;
};

struct plan {
    struct pr_arena *arena; /* lent; entries and their texts lie in it */
    struct plan_entry *entries;
    size_t count, allocated;
    bool is_final; /* a final entry is in it */
};

void plan_init(struct plan *plan, struct pr_arena *arena);
/* Copies `entry` with its texts. PR_SCRIPT for a second final action
 * (PLAN_DELIVER entries are added with one plan_add each, the first final,
 * those that follow from the same line and rule with it), and for a second
 * reply. PR_NOMEM; PR_LIMIT over 1,000, for a note over 500, never for a final
 * one: what a rule notes for each word of a message cannot keep it from being
 * decided. */
PR_CHECKED pr_status plan_add(struct plan *plan,
                              const struct plan_entry *entry);
bool plan_action_is_final(enum plan_action action);
/* "deliver", "move", ... */
const char *plan_action_name(enum plan_action action);
/* The entry of that action that was added first, NULL if there is none. */
const struct plan_entry *plan_find(const struct plan *plan,
                                   enum plan_action action);
/* The final entry, NULL if there is none. */
const struct plan_entry *plan_final(const struct plan *plan);
/* A line for people: `deliver to maildir:~/Mail/lists/dev (rule "lists",
 * config.lua:12)`. Appends. */
PR_CHECKED pr_status plan_describe(const struct plan_entry *entry,
                                   struct pr_buffer *buffer);

#endif
