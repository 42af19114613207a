/*
 * The messages of ours that a folder held when it was first used, and those
 * delivered since.
 */
#include "config.h"

#include "known.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "name.h"

/* What lies in tmp/ for longer belongs to nobody any more. */
#define LEFTOVER_SECONDS ((time_t)36 * 60 * 60)

/* A hash table with open addressing; 0 is an empty place. */
struct known {
    struct known *next;
    uint32_t *hashes;
    size_t count, room; /* room: a power of two, or 0 */
    char directory[];
};

static uint32_t hash_of(const char *name)
{
    uint32_t hash = name_hash(name);
    return hash != 0 ? hash : 1;
}

/* The place of `hash`, or the empty one where it would go. */
static uint32_t *place_of(const struct known *known, uint32_t hash)
{
    size_t mask = known->room - 1, at = hash & mask;

    while (known->hashes[at] != 0 && known->hashes[at] != hash)
        at = (at + 1) & mask;
    return &known->hashes[at];
}

static pr_status grow(struct known *known)
{
    struct known old = {.hashes = known->hashes, .room = known->room};
    size_t room = old.room == 0 ? 256 : old.room * 2;
    uint32_t *hashes = calloc(room, sizeof(*hashes));

    if (hashes == NULL)
        return pr_fail(PR_NOMEM, "no memory for the names of a folder");
    known->hashes = hashes;
    known->room = room;
    for (size_t i = 0; i < old.room; i++)
        if (old.hashes[i] != 0)
            *place_of(known, old.hashes[i]) = old.hashes[i];
    free(old.hashes);
    return PR_OK;
}

static pr_status add(struct known *known, const char *name, bool *ret_was_there)
{
    if (known->count + 1 > known->room / 4 * 3) {
        pr_status status = grow(known);
        if (status != PR_OK)
            return status;
    }
    uint32_t hash = hash_of(name), *place = place_of(known, hash);
    *ret_was_there = *place != 0;
    if (*place == 0)
        known->count++;
    *place = hash;
    return PR_OK;
}

/* ---- The first use of a folder ------------------------------------------- */

static pr_status add_entry(void *user, int fd, const char *name)
{
    bool was_there;

    (void)fd;
    if (strstr(name, NAME_MARK) == NULL)
        return PR_OK;
    return add(user, name, &was_there);
}

static pr_status remove_leftover(void *user, int fd, const char *name)
{
    struct stat found;

    (void)user;
    /* By ctime: the mtime is the message's date. */
    if (strstr(name, NAME_MARK) != NULL &&
        fstatat(fd, name, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISREG(found.st_mode) &&
        found.st_ctime < time(NULL) - LEFTOVER_SECONDS)
        (void)unlinkat(fd, name, 0);
    return PR_OK;
}

static pr_status read_folder(const struct folder *folder, struct known *known)
{
    pr_status status = folder_each(folder, folder->new, add_entry, known);

    if (status == PR_OK)
        status = folder_each(folder, folder->cur, add_entry, known);
    if (status == PR_OK)
        status = folder_each(folder, folder->tmp, remove_leftover, NULL);
    return status;
}

static void known_free(struct known *known)
{
    free(known->hashes);
    free(known);
}

static pr_status known_new(const struct folder *folder, struct known **ret)
{
    size_t size = strlen(folder->directory) + 1;
    struct known *known = calloc(1, sizeof(*known) + size);

    if (known == NULL)
        return pr_fail(PR_NOMEM, "no memory for the names of a folder");
    memcpy(known->directory, folder->directory, size);
    pr_status status = read_folder(folder, known);
    if (status == PR_OK)
        *ret = known;
    else
        known_free(known);
    return status;
}

static pr_status known_of(struct maildir *maildir, const struct folder *folder,
                          struct known **ret)
{
    struct known *known = maildir->known;

    while (known != NULL && strcmp(known->directory, folder->directory) != 0)
        known = known->next;
    if (known == NULL) {
        pr_status status = known_new(folder, &known);
        if (status != PR_OK)
            return status;
        known->next = maildir->known;
        maildir->known = known;
    }
    *ret = known;
    return PR_OK;
}

pr_status known_meet(struct maildir *maildir, const struct folder *folder,
                     const char *name, bool *ret_was_there)
{
    struct known *known;

    pthread_mutex_lock(&maildir->mutex);
    pr_status status = known_of(maildir, folder, &known);
    if (status == PR_OK)
        status = add(known, name, ret_was_there);
    pthread_mutex_unlock(&maildir->mutex);
    return status;
}

void known_free_all(struct maildir *maildir)
{
    while (maildir->known != NULL) {
        struct known *known = maildir->known;
        maildir->known = known->next;
        known_free(known);
    }
}
