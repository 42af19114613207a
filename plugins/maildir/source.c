/*
 * The Maildir source: its options, its folders, and what is in one.
 *
 * No lock is needed: a file in new/ or cur/ is whole and is never changed, only
 * renamed or removed. Other programs do both at any time, so a file that is not
 * under its name is looked for before it is called gone.
 */
#include "config.h"

#include "source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 20

struct source_options {
    const char *path;
    unsigned layout; /* enum maildir_layout */
};

static const char *const layouts[] = {"fs", "maildir++", NULL};

static const struct pr_option options[] = {
    {.name = "path",
     .kind = PR_OPTION_PATH,
     .offset = offsetof(struct source_options, path),
     .help = "folder that holds the Maildirs; it is one itself (INBOX)",
     .required = true,
     .positional = true},
    {.name = "layout",
     .kind = PR_OPTION_CHOICE,
     .offset = offsetof(struct source_options, layout),
     .fallback = "fs",
     .choices = layouts,
     .help = "where \"lists/dev\" is: lists/dev (fs) or .lists.dev "
             "(maildir++)"},
    {0}};

static pr_status source_open(struct pr_source *source)
{
    const struct source_options *set = source->options;
    struct maildir_source *maildir = calloc(1, sizeof(*maildir));

    if (maildir == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    maildir->source = source;
    maildir->options.path = set->path;
    maildir->options.layout = set->layout;
    maildir->maildir.options = &maildir->options;
    maildir->folder = (struct folder){.tmp = -1, .new = -1, .cur = -1};
    source->state = maildir;
    return PR_OK;
}

static void source_close(struct pr_source *source)
{
    struct maildir_source *maildir = source->state;

    if (maildir == NULL)
        return;
    folder_close(&maildir->folder);
    entries_free(&maildir->entries);
    free(maildir);
    source->state = NULL;
}

/* ---- Selecting and listing ----------------------------------------------- */

pr_status source_directory(const struct maildir_source *maildir,
                           const char *name, char ret[NAME_SIZE])
{
    bool is_inbox = pr_bytes_equal_nocase(pr_bytes_of(name), PR_BYTES("INBOX"));

    return name_directory(maildir->options.layout, is_inbox ? "" : name, ret);
}

static pr_status read_job(void *argument)
{
    struct maildir_source *maildir = argument;
    pr_status status = folder_open(&maildir->folder, &maildir->maildir,
                                   maildir->directory, false);

    return status == PR_OK ? entries_read(&maildir->entries, &maildir->folder)
                           : status;
}

static pr_status source_select(struct pr_source *source, const char *name,
                               struct pr_mailbox *ret)
{
    struct maildir_source *maildir = source->state;

    folder_close(&maildir->folder);
    entries_free(&maildir->entries);
    pr_status status = source_directory(maildir, name, maildir->directory);
    if (status == PR_OK)
        status = pr_offload(read_job, maildir);
    if (status != PR_OK) {
        folder_close(&maildir->folder);
        return status;
    }
    *ret = (struct pr_mailbox){.exists =
                                   (uint32_t)entries_count(&maildir->entries),
                               .read_only = source->read_only};
    return PR_OK;
}

static pr_status source_list(struct pr_source *source,
                             const struct pr_range *ranges, size_t count,
                             pr_item_listed *listed, void *user)
{
    struct maildir_source *maildir = source->state;
    pr_status status = PR_OK;

    (void)ranges, (void)count;
    if (maildir->folder.cur < 0)
        return pr_fail(PR_BUG, "no folder is selected");
    const struct entry **sorted = entries_by_date(&maildir->entries);
    if (sorted == NULL)
        return PR_NOMEM;
    size_t messages = entries_count(&maildir->entries);
    for (size_t i = 0; status == PR_OK && i < messages; i++) {
        char uidl[UIDL_SIZE];
        entry_uidl(sorted[i], uidl);
        struct pr_item item = {.number = (uint32_t)i + 1,
                               .uidl = uidl,
                               .size = sorted[i]->size,
                               .received = sorted[i]->received,
                               .flags = {entry_flags(sorted[i]), NULL}};
        status = listed(user, &item);
    }
    return status;
}

pr_status source_locate(struct maildir_source *maildir,
                        const struct pr_item *item, bool has_moved,
                        struct entry **ret)
{
    pr_status status = PR_OK;

    *ret = has_moved ? NULL : entries_find(&maildir->entries, item->uidl);
    if (*ret == NULL) {
        status = entries_refresh(&maildir->entries, &maildir->folder);
        if (status == PR_OK)
            *ret = entries_find(&maildir->entries, item->uidl);
    }
    if (status != PR_OK)
        return status;
    return *ret != NULL ? PR_OK : pr_fail(PR_GONE, "the message is gone");
}

/* ---- Folders ------------------------------------------------------------- */

struct walk {
    const struct maildir_source *maildir;
    char path[4096];
    size_t base; /* where names begin in `path` */
    struct pr_folder_list found;
};

static bool has_directory(const char *path, const char *name)
{
    char below[4200];
    struct stat found;

    snprintf(below, sizeof(below), "%s/%s", path, name);
    return stat(below, &found) == 0 && S_ISDIR(found.st_mode);
}

static bool is_maildir(const char *path)
{
    return has_directory(path, "cur") && has_directory(path, "new");
}

/* Names that cannot be those of a folder are left out. */
static pr_status add_name(struct walk *walk, const char *name)
{
    char directory[NAME_SIZE];

    if (!is_maildir(walk->path) ||
        source_directory(walk->maildir, name, directory) != PR_OK)
        return PR_OK;
    return pr_folder_list_add(&walk->found, name);
}

/* ".lists.dev" is "lists/dev". */
static pr_status visit_flat(struct walk *walk, const char *entry)
{
    char name[NAME_MAX + 1];

    if (entry[0] != '.' || entry[1] == '\0' || entry[1] == '.')
        return PR_OK;
    snprintf(name, sizeof(name), "%s", entry + 1);
    for (char *c = name; *c != '\0'; c++) {
        if (*c == '/')
            return PR_OK;
        if (*c == '.')
            *c = '/';
    }
    return add_name(walk, name);
}

static pr_status walk_into(struct walk *walk, unsigned depth);

static pr_status visit_deep(struct walk *walk, const char *entry,
                            unsigned depth)
{
    struct stat found;

    if (entry[0] == '.' || strcmp(entry, "cur") == 0 ||
        strcmp(entry, "new") == 0 || strcmp(entry, "tmp") == 0 ||
        lstat(walk->path, &found) != 0 || !S_ISDIR(found.st_mode))
        return PR_OK;
    pr_status status = add_name(walk, walk->path + walk->base);
    return status == PR_OK && depth < DEPTH_MAX ? walk_into(walk, depth + 1)
                                                : status;
}

static pr_status walk_into(struct walk *walk, unsigned depth)
{
    bool is_flat = walk->maildir->options.layout == LAYOUT_MAILDIRPP;
    size_t size = strlen(walk->path);
    DIR *stream = opendir(walk->path);
    pr_status status = PR_OK;

    if (stream == NULL)
        return depth > 0 && errno == EACCES
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
        status = is_flat ? visit_flat(walk, entry->d_name)
                         : visit_deep(walk, entry->d_name, depth);
        walk->path[size] = '\0';
    }
    closedir(stream);
    return status;
}

static pr_status walk_job(void *argument)
{
    struct walk *walk = argument;
    const char *root = walk->maildir->options.path;
    size_t size = strlen(root);

    while (size > 1 && root[size - 1] == '/')
        size--;
    if (size >= sizeof(walk->path))
        return pr_fail(PR_CONFIG, "the path %.60s... is too long", root);
    snprintf(walk->path, sizeof(walk->path), "%.*s", (int)size, root);
    walk->base = size + 1;
    pr_status status = add_name(walk, "INBOX");
    return status == PR_OK ? walk_into(walk, 0) : status;
}

pr_status source_folders(struct pr_source *source, const char *const *patterns,
                         pr_folder_found *found, void *user)
{
    struct walk *walk = calloc(1, sizeof(*walk));

    if (walk == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    walk->maildir = source->state;
    walk->found.arena = pr_arena_new();
    pr_status status =
        walk->found.arena != NULL ? pr_offload(walk_job, walk) : PR_NOMEM;
    if (status == PR_OK)
        status = pr_folder_list_tell(&walk->found, patterns, found, user);
    pr_folder_list_done(&walk->found);
    pr_arena_free(walk->found.arena);
    free(walk);
    return status;
}

static const struct pr_source_ops ops = {
    .size = sizeof(ops),
    .open = source_open,
    .folders = source_folders,
    .select = source_select,
    .list = source_list,
    .fetch = source_fetch,
    .settle = source_settle,
    .close = source_close,
};

const struct pr_class maildir_source_class = {
    .size = sizeof(maildir_source_class),
    .role = PR_ROLE_SOURCE,
    .name = "maildir_source",
    .summary = "takes messages from Maildirs on this machine",
    .options = options,
    .options_size = sizeof(struct source_options),
    .source = &ops,
};
