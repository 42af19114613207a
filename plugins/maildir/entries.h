/*
 * The files of a Maildir folder, as they were last read.
 *
 * A message is known by its file's name up to the ":", which stays when a
 * reader changes flags or moves it from new/ to cur/.
 */
#ifndef MAILDIR_ENTRIES_H
#define MAILDIR_ENTRIES_H

#include <limits.h>
#include <sys/types.h>
#include <time.h>

#include "folder.h"

#define UIDL_SIZE 256

struct entry {
    const char *file; /* lent until they are read again */
    size_t unique;    /* octets of its name before the ":" */
    bool in_cur;
    uint64_t size;
    int64_t received;
    ino_t inode;
};

struct entries {
    struct pr_arena *arena;
    struct pr_buffer list; /* of struct entry, in order of name */
    struct timespec changed[2];
};

/* Reads names, sizes and dates of new/ and cur/. tmp/ is not looked at. Blocks.
 * Free *entries in any case. */
PR_CHECKED pr_status entries_read(struct entries *entries,
                                  const struct folder *folder);
/* Reads the names anew, if a directory has changed since; sizes and dates are
 * then not known. Blocks. */
PR_CHECKED pr_status entries_refresh(struct entries *entries,
                                     const struct folder *folder);
void entries_free(struct entries *entries); /* zeroed ones too */

size_t entries_count(const struct entries *entries);
struct entry *entries_at(const struct entries *entries, size_t index);
/* The message of that name; NULL: there is none. */
struct entry *entries_find(const struct entries *entries, const char *uidl);
/* All of them, in order of date; lent until they are read again. NULL:
 * PR_NOMEM was said. */
const struct entry **entries_by_date(const struct entries *entries);

/* What a message is known by: its unique name or, where that is no plain text,
 * a digest of it. */
void entry_uidl(const struct entry *entry, char ret[UIDL_SIZE]);
unsigned entry_flags(const struct entry *entry); /* of enum pr_flag */
/* The name of the file with other flags, and in cur/; letters that are nobody's
 * business here stay. */
void entry_rename(const struct entry *entry, unsigned flags,
                  char ret[NAME_MAX + 1]);

#endif
