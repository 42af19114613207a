/*
 * Names: which directory a folder is, what a message's file is called.
 *
 * Names of folders come from rules, and so from mail: what could lead out of
 * the root, hide itself or collide with a Maildir's own directories is refused.
 * A file's name is made from the delivery key and nothing that changes between
 * two tries, so that a repeated delivery makes the same name.
 */
#ifndef MAILDIR_NAME_H
#define MAILDIR_NAME_H

#include "maildir.h"

#define NAME_SIZE 300 /* octets of a receipt, and so of all in it */

/* Stands in every file name of ours, and in no others'. */
#define NAME_MARK ".postrider,"

/* The directory of `folder` below the root, "" for the root itself.
 * PR_REFUSED with words. */
PR_CHECKED pr_status name_directory(unsigned layout, const char *folder,
                                    char ret[NAME_SIZE]);

/* The receipt of a delivery: where its file will be, below the root:
 * "lists/dev/new/1700000000.KEY.postrider,S=123" or "cur/...:2,FS".
 * PR_REFUSED with words. */
PR_CHECKED pr_status name_receipt(const struct maildir_options *options,
                                  const struct pr_delivery *delivery,
                                  char ret[NAME_SIZE]);

/* A receipt taken apart. */
struct place {
    char directory[NAME_SIZE]; /* of the Maildir; "" is the root */
    bool in_cur;
    char file[NAME_SIZE]; /* with its flags */
    char name[NAME_SIZE]; /* without: what stays when a reader changes flags */
};

PR_CHECKED pr_status name_parse(const char *receipt, struct place *ret);

/* Is `file`, found in new/ or cur/, the message called `name`, whatever its
 * flags? */
bool name_is_of(const char *file, const char *name);

/* A hash of a file's name without its flags. */
uint32_t name_hash(const char *file);

#endif
