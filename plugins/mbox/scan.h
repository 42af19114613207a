/*
 * The messages of an mbox, found by reading all of it.
 */
#ifndef MBOX_SCAN_H
#define MBOX_SCAN_H

#include <sys/types.h>

#include "file.h"
#include "split.h"

#define SCAN_NAME 40 /* octets of a message's name, with its NUL */

struct scan_message {
    uint64_t at, end;   /* in the file, From_ line and gap with it */
    uint64_t size;      /* octets of the message itself */
    uint64_t header;    /* of its header, with the empty line */
    uint64_t digest[2]; /* of the message itself */
    uint32_t copy;      /* 1 for the first one of that digest, 2, ... */
    unsigned flags;     /* of enum pr_flag */
    const char *keywords;
    int64_t received;
    bool is_internal; /* what UW-IMAP keeps for itself, as a message */
};

struct scan {
    struct pr_arena *arena;
    struct pr_buffer messages; /* of struct scan_message */
    /* What the file was like. */
    dev_t device;
    ino_t inode;
    uint64_t size;
    struct timespec changed;
};

/* Reads a locked file. PR_PROTOCOL if it is no mbox. Blocks. Free *ret in any
 * case. */
PR_CHECKED pr_status scan_file(const struct mbox_file *file,
                               enum unquote_format format, struct scan *ret);
void scan_free(struct scan *scan); /* zeroed ones too */
/* Is the file as it was? Blocks briefly. */
bool scan_is_current(const struct scan *scan, const struct mbox_file *file);

size_t scan_count(const struct scan *scan);
struct scan_message *scan_at(const struct scan *scan, size_t index);
/* By what a message is known in every session. */
void scan_name(const struct scan_message *message, char ret[SCAN_NAME]);
/* The message of that name; looked for at `hint` first. NULL: there is none. */
struct scan_message *scan_find(const struct scan *scan, const char *name,
                               size_t hint);

#endif
