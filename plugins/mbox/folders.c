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
#define NAMES_MAX 100000u

struct walk {
    const char *root;
    char path[MBOX_PATH_MAX];
    size_t base; /* where names begin in `path` */
    struct pr_arena *arena;
    struct pr_buffer names; /* of const char * */
};

/* ---- Walking: in a job --------------------------------------------------- */

static pr_status add_name(struct walk *walk, const char *name)
{
    const char *copy =
        pr_arena_text(walk->arena, strcmp(name, "inbox") == 0 ? "INBOX" : name);

    if (copy == NULL)
        return PR_NOMEM;
    pr_status status = pr_buffer_add(&walk->names, &copy, sizeof(copy));
    return status == PR_LIMIT
               ? pr_fail(PR_LIMIT, "there are over %u mboxes", NAMES_MAX)
               : status;
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

static int by_name(const void *a, const void *b)
{
    const char *left = *(const char *const *)a;
    const char *right = *(const char *const *)b;
    bool is_first = strcmp(left, "INBOX") == 0;

    if (is_first != (strcmp(right, "INBOX") == 0))
        return is_first ? -1 : 1;
    return strcmp(left, right);
}

pr_status source_folders(struct pr_source *source, const char *const *patterns,
                         pr_folder_found *found, void *user)
{
    const struct mbox_source *mbox = source->state;
    struct walk *walk = calloc(1, sizeof(*walk));
    pr_status status = PR_OK;

    if (walk == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    walk->root = mbox->options->set.path;
    walk->names.cap = NAMES_MAX * sizeof(const char *);
    walk->arena = pr_arena_new();
    status = walk->arena != NULL ? pr_offload(walk_job, walk) : PR_NOMEM;
    size_t count = walk->names.size / sizeof(const char *);
    const char **names = (const char **)(void *)walk->names.data;
    if (count > 0)
        qsort(names, count, sizeof(*names), by_name);
    for (size_t i = 0; status == PR_OK && i < count; i++)
        if (pr_folder_matches(patterns, names[i], '/'))
            status = found(user, names[i]);
    pr_buffer_done(&walk->names);
    pr_arena_free(walk->arena);
    free(walk);
    return status;
}
