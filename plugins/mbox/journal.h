/*
 * The journal of an mbox: what is about to be written into it, noted durably
 * before, and which deliveries have been.
 *
 * A record says what octets of the mbox become what others: an append replaces
 * none. It is written and synced before the mbox is touched, with the new
 * octets behind it (the payload); when the mbox is synced it is marked as done
 * and the payload cut off. So at most the last record is not done, and what a
 * crash has left of it can be told octet by octet (mend.c). The keys in the
 * records stay, and answer whether a delivery happened.
 *
 * All of it is done under the lock of the mbox, but for journal_peek. All calls
 * block and belong in jobs.
 */
#ifndef MBOX_JOURNAL_H
#define MBOX_JOURNAL_H

#include "file.h"
#include "octets.h"

#define KEY_MAX 64

enum journal_state {
    JOURNAL_BEGUN = 'b',
    JOURNAL_DONE = 'd',
    JOURNAL_VOID = 'v' /* given up in mid-write: to be cut back */
};

/* A part of the payload: a message with its delivery key; "+new" for all of it
 * where octets are replaced, "+old" for those behind it that are to go. */
struct journal_entry {
    char key[KEY_MAX + 1];
    uint64_t size;
    uint64_t digest;
};

struct journal_record {
    uint64_t at;      /* in the journal */
    uint64_t payload; /* in the journal; also where the next record begins
                         once this one is done */
    enum journal_state state;
    uint64_t offset;   /* in the mbox, of the first octet to be written */
    uint64_t old_size; /* of the mbox; `offset` for an append */
    uint64_t size;     /* of the payload */
    uint32_t count;    /* entries */
    uint32_t done;     /* of them, that are in the mbox */
};

/* Where the last call to journal_open of this mbox has left off, so that the
 * next need not read all of it. Zeroed: nowhere. */
struct journal_mark {
    dev_t device;
    ino_t inode;
    uint64_t end;
};

struct journal {
    const struct mbox_file *file;
    struct journal_mark *mark; /* lent; may be NULL */
    int directory;             /* it is in; lent by `file`, or its own */
    char name[300];
    int fd;
    bool was_made;
    bool is_renewed; /* `fd` is that of a file that is to replace it */
    uint64_t end;    /* of what is valid, payloads left out */
    bool is_pending; /* `last` is not done */
    struct journal_record last;
    /* the record being written */
    struct pr_buffer index;
    char *block;
    size_t filled;
    uint64_t written; /* octets of the payload, those in `block` too */
    uint32_t room;    /* for so many entries */
    struct journal_entry entry;
};

/* Opens the journal of a locked mbox; made when missing. To be closed in any
 * case. PR_IO, PR_FULL, PR_NOMEM. */
PR_CHECKED pr_status journal_open(struct journal *journal,
                                  const struct mbox_file *file,
                                  struct journal_mark *mark);
void journal_close(struct journal *journal);

/* ---- peek.c -------------------------------------------------------------- */

/* Opens the file only: beside the mbox or, where none can be there, apart. Made
 * when missing if `make`, else PR_GONE. */
PR_CHECKED pr_status journal_find(struct journal *journal, bool make);

/* What the journal says of the delivery `key`, without the lock of the mbox:
 * PR_OK: it is in the mbox; PR_GONE: it is not, and no write of it was begun;
 * PR_DOUBT: it is in the record that is not done. */
PR_CHECKED pr_status journal_peek(struct mbox_owner *owner, const char *path,
                                  const char *key);

/* Is a record not done? Without the lock, as well. */
PR_CHECKED pr_status journal_pending(struct mbox_owner *owner, const char *path,
                                     bool *ret);

/* ---- journal.c: writing a record ----------------------------------------- */

/* Begins a record with room for `count` entries, at the place in the mbox. */
PR_CHECKED pr_status journal_begin(struct journal *journal, uint32_t count,
                                   uint64_t offset, uint64_t old_size);
/* Adds octets to the payload, for the entry that is added next. */
PR_CHECKED pr_status journal_put(struct journal *journal, const char *data,
                                 size_t size);
/* Ends an entry: what was put since the last one. */
PR_CHECKED pr_status journal_add(struct journal *journal, const char *key);
/* Takes back what was put since the last entry. */
void journal_take_back(struct journal *journal);
/* An entry without octets of its own. */
PR_CHECKED pr_status journal_note(struct journal *journal, const char *key,
                                  uint64_t size, uint64_t digest);
/* Makes the record durable. From then on the mbox is mended by it. */
PR_CHECKED pr_status journal_seal(struct journal *journal);
/* Forgets a record that was begun and not sealed. */
void journal_drop(struct journal *journal);

/* ---- The last record ----------------------------------------------------- */

PR_CHECKED pr_status journal_entry_at(const struct journal *journal,
                                      uint32_t index,
                                      struct journal_entry *ret);
/* The write it stands for is to be undone. */
PR_CHECKED pr_status journal_void(struct journal *journal);
/* The first `done` of its entries are in the mbox, durably. */
PR_CHECKED pr_status journal_finish(struct journal *journal, uint32_t done);
/* Begins a new file, which replaces the journal when the record that is written
 * next is sealed, and in which the last record, if it was pending, is done so
 * far. */
PR_CHECKED pr_status journal_renew(struct journal *journal, uint32_t done);

pr_status journal_fail(const struct journal *journal, int error,
                       const char *what);

#endif
