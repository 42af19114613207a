/*
 * Files and directories, with errors in words.
 *
 * These block: call them in offloaded jobs, or before the loop runs.
 */
#ifndef IO_FILE_H
#define IO_FILE_H

#include <sys/types.h>

#include <postrider/buffer.h>

/* Makes `path` and the missing directories above it, mode 0700. */
PR_CHECKED pr_status file_make_dirs(const char *path);
/* Reads a whole file of at most buffer->cap octets. */
PR_CHECKED pr_status file_read(const char *path, struct pr_buffer *buffer);
/* Writes all, through EINTR and short writes. `what` names it in errors. */
PR_CHECKED pr_status file_write_all(int fd, const void *data, size_t size,
                                    const char *what);
PR_CHECKED pr_status file_sync_dir(const char *path);
/* An unnamed file in `directory` (O_TMPFILE, or made and unlinked). Close it.
 */
PR_CHECKED pr_status file_open_unnamed(const char *directory, int *ret_fd);
/* "~/x" to an absolute path; a relative one from the working directory.
 * Into the arena. */
PR_CHECKED pr_status file_absolute(struct pr_arena *arena, const char *path,
                                   char **ret);
/* Is the file readable by others than its owner? */
bool file_is_open_to_others(const char *path);

/* An advisory lock on a file, made when missing, held by an open descriptor and
 * so gone with the process. PR_BUSY with the holder's process id in words. */
PR_CHECKED pr_status file_lock(const char *path, int *ret_fd);
void file_unlock(int fd);

#endif
