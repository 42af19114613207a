/*
 * Names: which directory a folder is, what a message's file is called.
 */
#include "config.h"

#include "name.h"

#include <stdio.h>
#include <string.h>

/* Longest name of a file or directory on Linux, in octets. */
#define COMPONENT_MAX 255

/* ---- Folders ------------------------------------------------------------- */

static bool is_reserved(const char *name, size_t size)
{
    return size == 3 &&
           (memcmp(name, "cur", 3) == 0 || memcmp(name, "new", 3) == 0 ||
            memcmp(name, "tmp", 3) == 0);
}

static pr_status check_part(unsigned layout, const char *folder,
                            const char *part, size_t size)
{
    if (is_reserved(part, size))
        return pr_fail(PR_REFUSED,
                       "the folder name \"%s\": cur, new and tmp are a "
                       "Maildir's own directories",
                       folder);
    if (layout == LAYOUT_MAILDIRPP && memchr(part, '.', size) != NULL)
        return pr_fail(PR_REFUSED,
                       "the folder name \"%s\": in layout maildir++ a \".\" "
                       "separates folders and may not be in a name",
                       folder);
    return PR_OK;
}

static pr_status check_folder(unsigned layout, const char *folder)
{
    pr_status status = pr_folder_check(folder, COMPONENT_MAX);

    for (const char *part = folder; status == PR_OK; part++) {
        size_t size = strcspn(part, "/");
        status = check_part(layout, folder, part, size);
        part += size;
        if (*part == '\0')
            break;
    }
    return status;
}

pr_status name_directory(unsigned layout, const char *folder,
                         char ret[NAME_SIZE])
{
    pr_status status = PR_OK;

    ret[0] = '\0';
    if (folder[0] == '\0')
        return PR_OK;
    status = check_folder(layout, folder);
    if (status != PR_OK)
        return status;
    int size = snprintf(ret, NAME_SIZE, "%s%s",
                        layout == LAYOUT_MAILDIRPP ? "." : "", folder);
    if (size >= NAME_SIZE ||
        (layout == LAYOUT_MAILDIRPP && size > COMPONENT_MAX))
        return pr_fail(PR_REFUSED, "the folder name \"%.60s...\" is too long",
                       folder);
    if (layout == LAYOUT_MAILDIRPP)
        for (char *c = ret; *c != '\0'; c++)
            if (*c == '/')
                *c = '.';
    return PR_OK;
}

/* ---- Files --------------------------------------------------------------- */

/* The flags of a Maildir, in ASCII order. */
static void flags_to_info(unsigned system, char info[8])
{
    static const struct {
        unsigned flag;
        char letter;
    } letters[] = {
        {PR_FLAG_DRAFT, 'D'}, {PR_FLAG_FLAGGED, 'F'}, {PR_FLAG_ANSWERED, 'R'},
        {PR_FLAG_SEEN, 'S'},  {PR_FLAG_DELETED, 'T'},
    };

    for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
        if ((system & letters[i].flag) != 0)
            *info++ = letters[i].letter;
    *info = '\0';
}

static pr_status check_key(const char *key)
{
    size_t size = strspn(key, "abcdefghijklmnopqrstuvwxyz"
                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

    if (size < 1 || size > 64 || key[size] != '\0')
        return pr_fail(PR_BUG, "the delivery key \"%.70s\" is not one", key);
    return PR_OK;
}

pr_status name_receipt(const struct maildir_options *options,
                       const struct pr_delivery *delivery, char ret[NAME_SIZE])
{
    char directory[NAME_SIZE], info[8] = "";
    pr_status status = check_key(delivery->key);

    if (status == PR_OK)
        status = name_directory(options->layout, delivery->folder, directory);
    if (status != PR_OK)
        return status;
    if (options->flags)
        flags_to_info(delivery->flags.system, info);
    int size = snprintf(
        ret, NAME_SIZE, "%s%s%s/%lld.%s" NAME_MARK "S=%llu%s%s", directory,
        directory[0] != '\0' ? "/" : "", info[0] != '\0' ? "cur" : "new",
        (long long)(delivery->received > 0 ? delivery->received : 0),
        delivery->key, (unsigned long long)pr_spool_size(delivery->spool),
        info[0] != '\0' ? ":2," : "", info);
    if (size >= NAME_SIZE)
        return pr_fail(PR_REFUSED, "the folder name \"%.60s...\" is too long",
                       delivery->folder);
    return PR_OK;
}

/* Copies `size` octets that are known to fit, with a NUL. */
static void copy(char to[NAME_SIZE], const char *from, size_t size)
{
    memcpy(to, from, size);
    to[size] = '\0';
}

pr_status name_parse(const char *receipt, struct place *ret)
{
    const char *slash = strrchr(receipt, '/');
    size_t head = slash != NULL ? (size_t)(slash - receipt) : 0;

    if (strlen(receipt) >= NAME_SIZE || head < 3 ||
        !is_reserved(slash - 3, 3) || (head > 3 && slash[-4] != '/') ||
        strstr(slash, NAME_MARK) == NULL)
        return pr_fail(PR_BUG, "\"%.200s\" is no receipt of a Maildir",
                       receipt);
    copy(ret->directory, receipt, head > 3 ? head - 4 : 0);
    ret->in_cur = memcmp(slash - 3, "cur", 3) == 0;
    copy(ret->file, slash + 1, strlen(slash + 1));
    copy(ret->name, slash + 1, strcspn(slash + 1, ":"));
    return PR_OK;
}

bool name_is_of(const char *file, const char *name)
{
    size_t size = strlen(name);

    return strncmp(file, name, size) == 0 &&
           (file[size] == '\0' || file[size] == ':');
}

/* FNV-1a. */
uint32_t name_hash(const char *file)
{
    uint32_t hash = 2166136261u;

    for (; *file != '\0' && *file != ':'; file++)
        hash = (hash ^ (unsigned char)*file) * 16777619u;
    return hash;
}
