/*
 * The file a message was found in, which may get one more name.
 *
 * A copy that is the same file must stay what it was when it was read. So the
 * file is one that only its owner, who is the user we run as, can write to, and
 * it is looked at once more under its new name: whoever put another file in its
 * place meanwhile does not have that delivered.
 */
#include "config.h"

#include "mail/origin.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

struct origin {
    struct stat found;
    char path[];
};

static bool is_private(const struct stat *found)
{
    return S_ISREG(found->st_mode) && (found->st_mode & 07777) == 0600 &&
           found->st_uid == geteuid();
}

struct origin *origin_new(const char *path, const struct stat *found)
{
    size_t size = strlen(path) + 1;

    if (!is_private(found))
        return NULL;
    struct origin *origin = memory_alloc(sizeof(*origin) + size);
    if (origin == NULL)
        return NULL;
    origin->found = *found;
    memcpy(origin->path, path, size);
    return origin;
}

void origin_free(struct origin *origin)
{
    memory_free(origin);
}

uint64_t origin_size(const struct origin *origin)
{
    return (uint64_t)origin->found.st_size;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
           a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

pr_status origin_link(const struct origin *origin, int64_t date, int directory,
                      const char *name)
{
    struct stat now;

    if (origin->found.st_mtim.tv_sec != (time_t)date)
        return pr_fail(PR_UNSUPPORTED, "the message is to have another date");
    if (linkat(AT_FDCWD, origin->path, directory, name, 0) != 0)
        return errno == EEXIST ? pr_fail(PR_BUSY, "the name %s is taken", name)
                               : pr_fail_errno(PR_UNSUPPORTED, errno,
                                               "cannot link a message");
    if (fstatat(directory, name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
        is_private(&now) && is_same(&origin->found, &now))
        return PR_OK;
    (void)unlinkat(directory, name, 0);
    return pr_fail(PR_UNSUPPORTED, "the message has changed since it was read");
}
