/*
 * A message that lies in a file of its own, as one reads it into a spool.
 */
#include "io/file.h"
#include "mail/spool.h"

pr_status spool_fill(struct pr_spool *spool, const char *path, size_t most)
{
    struct pr_buffer octets;
    pr_status status;

    pr_buffer_init(&octets, most);
    status = file_read(path, &octets);
    if (status == PR_OK && octets.size > 0)
        status = pr_spool_append(spool, octets.data, octets.size);
    pr_buffer_done(&octets);
    return status == PR_OK ? pr_spool_seal(spool) : status;
}
