/*
 * A file of entries, one a line, to look texts and addresses up in.
 *
 * A line is an entry, or `key = value` with white space around the sign; "#" at
 * the beginning or after white space starts a comment. Case does not count. "*"
 * and "?" in an entry stand for anything; "@example.org" is every address
 * there, as is "*@example.org".
 */
#ifndef MAIL_LOOKUP_H
#define MAIL_LOOKUP_H

#include <time.h>

#include <postrider/buffer.h>

struct lookup;

/* What tells if a file has changed. */
struct lookup_file {
    uint64_t device, inode;
    int64_t size;
    struct timespec changed;
};

/* Reads the file, but not if it is as `known` (NULL: nothing is) says: PR_OK
 * and *ret is NULL then. *ret_file is what it is now. Blocks: call it in the
 * pool. PR_IO, PR_LIMIT over 256 MiB, PR_NOMEM. */
PR_CHECKED pr_status lookup_read(const char *path,
                                 const struct lookup_file *known,
                                 struct lookup_file *ret_file,
                                 struct lookup **ret);
void lookup_free(struct lookup *lookup); /* NULL is fine */
size_t lookup_count(const struct lookup *lookup);

/* Does the text, folded (mail/casing.h), stand there? *ret_value is what stands
 * beside it, lent; NULL if nothing does. */
bool lookup_text(const struct lookup *lookup, const char *folded,
                 const char **ret_value);
/* The same for an address, whose domain may stand there alone. */
bool lookup_address(const struct lookup *lookup, const char *folded,
                    const char **ret_value);

#endif
