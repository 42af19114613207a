/*
 * Which file a folder is.
 */
#include "config.h"

#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "octets.h"

/* Leaves room for what is put around a file's name: ".NAME.postrider.new". */
#define COMPONENT_MAX 200
#define FOLDER_MAX 280 /* a receipt has 300 octets */

static bool ends_with(const char *name, size_t size, const char *end)
{
    size_t length = strlen(end);

    return size >= length && memcmp(name + size - length, end, length) == 0;
}

pr_status place_check(const char *folder)
{
    if (folder[0] == '\0')
        return PR_OK;
    if (strlen(folder) > FOLDER_MAX)
        return pr_fail(PR_REFUSED, "the folder name \"%.60s...\" is too long",
                       folder);
    pr_status status = pr_folder_check(folder, COMPONENT_MAX);
    for (const char *part = folder; status == PR_OK; part++) {
        size_t size = strcspn(part, "/");
        if (ends_with(part, size, ".lock"))
            return pr_fail(PR_REFUSED,
                           "no part of the folder name \"%s\" may end with "
                           "\".lock\": locks are called so",
                           folder);
        part += size;
        if (*part == '\0')
            break;
    }
    return status;
}

/* A root that is not there yet is a directory if a folder in it is asked
 * for. */
static bool is_directory(const char *root, const char *folder)
{
    struct stat found;

    if (ends_with(root, strlen(root), "/"))
        return true;
    if (stat(root, &found) != 0)
        return folder[0] != '\0';
    return S_ISDIR(found.st_mode);
}

pr_status place_file(const char *root, const char *folder,
                     char ret[MBOX_PATH_MAX])
{
    size_t size = strlen(root);
    int length;

    if (!is_directory(root, folder)) {
        if (folder[0] != '\0')
            return pr_fail(PR_REFUSED,
                           "%s is a file, so there can be no folder \"%s\" in "
                           "it",
                           root, folder);
        length = snprintf(ret, MBOX_PATH_MAX, "%s", root);
    } else {
        while (size > 1 && root[size - 1] == '/')
            size--;
        length = snprintf(ret, MBOX_PATH_MAX, "%.*s/%s", (int)size, root,
                          folder[0] != '\0' ? folder : "inbox");
    }
    if (length >= MBOX_PATH_MAX)
        return pr_fail(PR_REFUSED,
                       "the path of the folder \"%.60s\" is too "
                       "long",
                       folder);
    return PR_OK;
}

/* ---- Making -------------------------------------------------------------- */

static int sync_parent(char *path)
{
    char *slash = strrchr(path, '/');
    int fd;

    *slash = '\0';
    fd = open(slash == path ? "/" : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *slash = '/';
    if (fd < 0)
        return errno;
    int error = octets_sync_directory(fd);
    close(fd);
    return error;
}

static bool is_there(const char *path)
{
    struct stat found;

    return stat(path, &found) == 0 && S_ISDIR(found.st_mode);
}

/* mkdir -p, each new name durable: a message cannot be more durable than the
 * way to it. */
static int make(char *path)
{
    for (char *c = path + 1;; c++) {
        if (*c != '/' && *c != '\0')
            continue;
        char kept = *c;
        *c = '\0';
        int error = 0;
        if (mkdir(path, 0700) == 0)
            error = sync_parent(path);
        else if (errno != EEXIST || !is_there(path))
            error = errno;
        *c = kept;
        if (error != 0 || kept == '\0')
            return error;
    }
}

pr_status place_make(const char *file)
{
    char path[MBOX_PATH_MAX];
    const char *slash = strrchr(file, '/');

    if (slash == NULL || slash == file)
        return PR_OK;
    snprintf(path, sizeof(path), "%.*s", (int)(slash - file), file);
    if (is_there(path))
        return PR_OK;
    int error = make(path);
    return error == 0
               ? PR_OK
               : pr_fail_errno(PR_IO, error, "cannot make the folder %s", path);
}
