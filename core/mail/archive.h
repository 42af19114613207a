/*
 * The names of the files in a zip archive, found while its octets go by.
 *
 * Names stand in the archive twice: before each file, and in the directory at
 * the end. Both are read, because an archive that hides something tells one
 * reader one thing and another reader another; and no size in it is believed,
 * so that none can lead past what is to be found.
 */
#ifndef MAIL_ARCHIVE_H
#define MAIL_ARCHIVE_H

#include <postrider/buffer.h>

struct archive {
    struct pr_buffer *names;  /* lent: each ended by NUL */
    struct pr_buffer pending; /* octets that are not looked at yet */
    uint32_t *places;         /* in `names`, by hash; 0: free */
    size_t count;             /* of names */
    size_t headers;           /* that were looked at */
    bool is_archive;
};

void archive_init(struct archive *archive, struct pr_buffer *names);
PR_CHECKED pr_status archive_add(struct archive *archive,
                                 struct pr_bytes octets);
/* All octets have gone by. */
PR_CHECKED pr_status archive_end(struct archive *archive);
void archive_done(struct archive *archive);

#endif
