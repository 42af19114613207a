/*
 * One message on its way from its spool to its name in a folder.
 *
 * The steps block and belong in jobs. A step that fails notes why and removes
 * what was begun; those after it do nothing then.
 */
#ifndef MAILDIR_LETTER_H
#define MAILDIR_LETTER_H

#include "folder.h"
#include "name.h"

struct letter {
    struct pr_delivery *delivery;
    struct place place;
    struct letter_folder *in;
    struct letter *same; /* an earlier one of the batch, for the same file */
    int fd;              /* of the file in tmp/, -1 */
    bool is_there;       /* delivered before, or under its name now */
    bool is_linked;      /* the file in tmp/ is one of a source, too */
    struct pr_failure failure;
};

/* A folder of a batch. */
struct letter_folder {
    struct letter_folder *next;
    struct folder folder;
    bool touched[2]; /* new/, cur/: got a file, or holds one that was sought */
    struct pr_failure failure; /* to be opened, or synced */
};

/* Notes the last failure for the letter, if it has none yet. */
void letter_fail(struct letter *letter, pr_status status);
/* Writes tmp/NAME with the message's octets and date. */
void letter_write(struct letter *letter);
/* Makes its octets durable, unless something else does that for the batch;
 * closes it. */
void letter_finish(struct letter *letter, bool sync);
/* Gives it its name in new/ or cur/. One of that name and size is this message,
 * delivered before. */
void letter_publish(struct letter *letter);

#endif
