/*
 * Where what we wrote into an mbox ends, and what others have appended begins.
 */
#include "config.h"

#include "seam.h"

#include <string.h>

#include "from.h"
#include "octets.h"

/* Does a message of another program begin here, or behind the line ends that
 * some put before it? */
static pr_status begins_message(struct mbox_file *file, uint64_t at, bool *ret)
{
    char text[FROM_MAX + 2];
    uint64_t rest = file->size - at;
    size_t size = rest < sizeof(text) ? (size_t)rest : sizeof(text), skip = 0;
    int error = octets_read(file->fd, at, text, size);

    *ret = false;
    if (error != 0)
        return file_fail(file, error, "read");
    while (skip < 2 && skip < size && text[skip] == '\n')
        skip++;
    const char *end = memchr(text + skip, '\n', size - skip);
    if (end != NULL)
        *ret = from_is_line(
            (struct pr_bytes){text + skip, (size_t)(end - text) - skip});
    return PR_OK;
}

pr_status seam_is_zeros(struct mbox_file *file, uint64_t at, bool *ret)
{
    char text[512];

    *ret = true;
    while (*ret && at < file->size) {
        uint64_t rest = file->size - at;
        size_t size = rest < sizeof(text) ? (size_t)rest : sizeof(text);
        int error = octets_read(file->fd, at, text, size);
        if (error != 0)
            return file_fail(file, error, "read");
        for (size_t i = 0; i < size; i++)
            *ret &= text[i] == '\0';
        at += size;
    }
    return PR_OK;
}

/* What follows may go on as ours would have for a while, so the last place is
 * sought at which a message begins. */
pr_status seam_find(struct mbox_file *file, uint64_t least, uint64_t *at,
                    bool *ret)
{
    /* As far as two From_ lines can be alike. */
    uint64_t first = *at - least > FROM_MAX ? *at - FROM_MAX : least;

    *ret = *at >= file->size;
    for (uint64_t seam = *at; !*ret; seam--) {
        pr_status status = begins_message(file, seam, ret);
        if (status != PR_OK)
            return status;
        if (*ret)
            *at = seam;
        if (seam == first)
            break;
    }
    return PR_OK;
}
