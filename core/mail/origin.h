/*
 * The file a message was found in, which may get one more name.
 */
#ifndef MAIL_ORIGIN_H
#define MAIL_ORIGIN_H

#include <stdint.h>
#include <sys/stat.h>

#include <postrider/status.h>

struct origin;

/* `path` is copied. NULL: there is no memory, or others might change the file;
 * nothing is lost without it. */
struct origin *origin_new(const char *path, const struct stat *found);
/* NULL is fine. */
void origin_free(struct origin *origin);

uint64_t origin_size(const struct origin *origin);

/* Gives the file the name `name` in `directory` too, if it is still the one of
 * that time, and its date is `date` (seconds since 1970). PR_BUSY: the name is
 * taken; PR_UNSUPPORTED: it cannot be. Blocks. */
PR_CHECKED pr_status origin_link(const struct origin *origin, int64_t date,
                                 int directory, const char *name);

#endif
