/*
 * Unnamed files that spools have done with, kept for the next ones.
 *
 * A file system takes long to find an inode while many were freed a moment ago
 * (ext4 passes over each of them), and delivering is making files: so the
 * spools' own come and go as seldom as may be. From any thread.
 */
#ifndef MAIL_SPARE_H
#define MAIL_SPARE_H

#include <postrider/status.h>

/* An empty unnamed file in `directory`: a spare one, or a new one. Blocks. The
 * caller owns it. PR_IO, PR_FULL. */
PR_CHECKED pr_status spare_take(const char *directory, int *ret_fd);
/* Takes a file back that spare_take gave for `directory`. */
void spare_give(const char *directory, int fd);
/* Closes those that are kept. */
void spare_close_all(void);

#endif
