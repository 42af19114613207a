/*
 * Which mboxes there are below a folder.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "place.h"
#include "source.h"

#define DEPTH_MAX 20

struct walk {
    const char *root;
    char path[MBOX_PATH_MAX];
    size_t base; /* where names begin in `path` */
    struct pr_folder_list found;
};

/* ---- Walking: in a job --------------------------------------------------- */

static pr_status add_name(struct walk *walk, const char *name)
{
    return pr_folder_list_add(&walk->found,
                              strcmp(name, "inbox") == 0 ? "INBOX" : name);
}

static pr_status walk_into(struct walk *walk, unsigned depth);

/* Names that no folder may have are those of locks, journals, hidden files. */
static pr_status visit(struct walk *walk, unsigned depth)
{
    const char *name = walk->path + walk->base;
    struct stat found;

    if (place_check(name) != PR_OK || lstat(walk->path, &found) != 0)
        return PR_OK;
    if (S_ISDIR(found.st_mode))
        return depth < DEPTH_MAX ? walk_into(walk, depth + 1) : PR_OK;
    return S_ISREG(found.st_mode) ? add_name(walk, name) : PR_OK;
}

static pr_status walk_into(struct walk *walk, unsigned depth)
{
    size_t size = strlen(walk->path);
    DIR *stream = opendir(walk->path);
    pr_status status = PR_OK;

    if (stream == NULL)
        return depth > 0 && errno != EMFILE && errno != ENFILE
                   ? PR_OK
                   : pr_fail_errno(errno == ENOENT ? PR_GONE : PR_IO, errno,
                                   "cannot read the folder %s", walk->path);
    while (status == PR_OK) {
        const struct dirent *entry = readdir(stream);
        if (entry == NULL)
            break;
        if (size + 1 + strlen(entry->d_name) >= sizeof(walk->path))
            continue;
        snprintf(walk->path + size, sizeof(walk->path) - size, "/%s",
                 entry->d_name);
        status = visit(walk, depth);
        walk->path[size] = '\0';
    }
    closedir(stream);
    return status;
}

static pr_status walk_job(void *argument)
{
    struct walk *walk = argument;
    size_t size = strlen(walk->root);
    struct stat found;

    if (stat(walk->root, &found) != 0)
        return pr_fail_errno(errno == ENOENT ? PR_GONE : PR_IO, errno,
                             "cannot look at %s", walk->root);
    if (!S_ISDIR(found.st_mode))
        return add_name(walk, "inbox");
    while (size > 1 && walk->root[size - 1] == '/')
        size--;
    snprintf(walk->path, sizeof(walk->path), "%.*s", (int)size, walk->root);
    walk->base = size + 1;
    return walk_into(walk, 0);
}

/* ---- Telling ------------------------------------------------------------- */

pr_status source_folders(struct pr_source *source, const char *const *patterns,
                         pr_folder_found *found, void *user)
{
    const struct mbox_source *mbox = source->state;
    struct walk *walk = calloc(1, sizeof(*walk));
    pr_status status = PR_OK;

    if (walk == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    walk->root = mbox->options->set.path;
    walk->found.arena = pr_arena_new();
    status = walk->found.arena != NULL ? pr_offload(walk_job, walk) : PR_NOMEM;
    if (status == PR_OK)
        status = pr_folder_list_tell(&walk->found, patterns, found, user);
    pr_folder_list_done(&walk->found);
    pr_arena_free(walk->found.arena);
    free(walk);
    return status;
}
