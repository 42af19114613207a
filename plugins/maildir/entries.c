/*
 * The files of a Maildir folder, as they were last read.
 */
#include "config.h"

#include "entries.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <postrider/digest.h>

#include "name.h"

#define ENTRIES_MAX (10u * 1000 * 1000)

static const struct {
    unsigned flag;
    char letter;
} letters[] = {
    {PR_FLAG_DRAFT, 'D'}, {PR_FLAG_FLAGGED, 'F'}, {PR_FLAG_ANSWERED, 'R'},
    {PR_FLAG_SEEN, 'S'},  {PR_FLAG_DELETED, 'T'},
};

#define LETTERS (sizeof(letters) / sizeof(letters[0]))

/* ---- Names --------------------------------------------------------------- */

static bool is_plain(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return size > 0;
}

void entry_uidl(const struct entry *entry, char ret[UIDL_SIZE])
{
    const struct pr_bytes name = {entry->file, entry->unique};
    unsigned char digest[PR_DIGEST_SIZE] = {0};

    if (is_plain(name.data, name.size)) {
        snprintf(ret, UIDL_SIZE, "%.*s", (int)name.size, name.data);
        return;
    }
    if (pr_digest(name, digest) != PR_OK) {
        snprintf(ret, UIDL_SIZE, ":%08" PRIx32, name_hash(entry->file));
        return;
    }
    ret[0] = ':';
    for (size_t i = 0; i < 16; i++)
        snprintf(ret + 1 + 2 * i, 3, "%02x", digest[i]);
}

/* What stands behind ":2,"; empty if something else does. */
static const char *info_of(const struct entry *entry)
{
    const char *info = entry->file + entry->unique;

    return strncmp(info, ":2,", 3) == 0 ? info + 3 : "";
}

unsigned entry_flags(const struct entry *entry)
{
    const char *info = info_of(entry);
    unsigned flags = 0;

    for (size_t i = 0; i < LETTERS; i++)
        if (strchr(info, letters[i].letter) != NULL)
            flags |= letters[i].flag;
    return flags;
}

static bool is_set(unsigned char letter, const char *info, unsigned flags)
{
    for (size_t i = 0; i < LETTERS; i++)
        if (letter == (unsigned char)letters[i].letter)
            return (flags & letters[i].flag) != 0;
    return strchr(info, letter) != NULL;
}

/* Letters stand in ASCII order. A name that would be too long stays. */
void entry_rename(const struct entry *entry, unsigned flags,
                  char ret[NAME_MAX + 1])
{
    const char *info = info_of(entry);
    char set[130], *at = set;

    for (int letter = '!'; letter <= '~'; letter++)
        if (letter != '/' && is_set((unsigned char)letter, info, flags))
            *at++ = (char)letter;
    *at = '\0';
    int size = snprintf(ret, NAME_MAX + 1, "%.*s:2,%s", (int)entry->unique,
                        entry->file, set);
    if (size > NAME_MAX)
        snprintf(ret, NAME_MAX + 1, "%s", entry->file);
}

/* ---- Reading names ------------------------------------------------------- */

struct reading {
    struct entries *entries;
    bool in_cur;
};

static pr_status add_name(void *user, int fd, const char *name)
{
    struct reading *reading = user;
    struct entries *entries = reading->entries;
    struct entry entry = {.file = pr_arena_text(entries->arena, name),
                          .unique = strcspn(name, ":"),
                          .in_cur = reading->in_cur};

    (void)fd;
    if (name[0] == '.')
        return PR_OK;
    if (entry.file == NULL)
        return PR_NOMEM;
    pr_status status = pr_buffer_add(&entries->list, &entry, sizeof(entry));
    return status == PR_LIMIT
               ? pr_fail(PR_LIMIT, "a folder has over %u messages", ENTRIES_MAX)
               : status;
}

static pr_status note_changes(struct entries *entries,
                              const struct folder *folder, bool *ret_is_same)
{
    const int fds[2] = {folder->new, folder->cur};
    struct timespec now[2];

    for (int i = 0; i < 2; i++) {
        struct stat found;
        if (fstat(fds[i], &found) != 0)
            return folder_fail(folder, errno, "look at");
        now[i] = found.st_mtim;
    }
    /* Clocks of files tick slowly: one that has just changed may change again
     * without showing it. */
    time_t settled = time(NULL) - 2;
    *ret_is_same = memcmp(now, entries->changed, sizeof(now)) == 0 &&
                   now[0].tv_sec < settled && now[1].tv_sec < settled;
    memcpy(entries->changed, now, sizeof(now));
    return PR_OK;
}

static void begin(struct entries *entries)
{
    entries_free(entries);
    entries->arena = pr_arena_new();
    entries->list.cap = ENTRIES_MAX * sizeof(struct entry);
}

/* A file that is moved from new/ to cur/ meanwhile is seen, twice perhaps. */
static pr_status read_names(struct entries *entries,
                            const struct folder *folder)
{
    struct reading reading = {entries, false};
    pr_status status = folder_each(folder, folder->new, add_name, &reading);

    reading.in_cur = true;
    return status == PR_OK
               ? folder_each(folder, folder->cur, add_name, &reading)
               : status;
}

/* By unique name; one in cur/ first, where it was found in both. */
static int by_name(const void *a, const void *b)
{
    const struct entry *left = a, *right = b;
    size_t least = left->unique < right->unique ? left->unique : right->unique;
    int order = memcmp(left->file, right->file, least);

    if (order != 0)
        return order;
    if (left->unique != right->unique)
        return left->unique < right->unique ? -1 : 1;
    if (left->in_cur != right->in_cur)
        return left->in_cur ? -1 : 1;
    return strcmp(left->file, right->file);
}

static void sort(struct entries *entries,
                 int (*order)(const void *, const void *))
{
    if (entries->list.size > 0)
        qsort(entries->list.data, entries_count(entries), sizeof(struct entry),
              order);
}

/* ---- Reading all --------------------------------------------------------- */

static int by_inode(const void *a, const void *b)
{
    const struct entry *left = a, *right = b;

    if (left->inode != right->inode)
        return left->inode < right->inode ? -1 : 1;
    return by_name(left, right);
}

static int by_date(const void *a, const void *b)
{
    const struct entry *left = *(const struct entry *const *)a;
    const struct entry *right = *(const struct entry *const *)b;

    if (left->received != right->received)
        return left->received < right->received ? -1 : 1;
    return by_name(left, right);
}

/* Those that vanished, are no plain files, or are the same message once
 * more. */
static pr_status look_at_all(struct entries *entries,
                             const struct folder *folder)
{
    size_t count = entries_count(entries), kept = 0;

    for (size_t i = 0; i < count; i++) {
        struct entry *entry = entries_at(entries, i);
        struct stat found;
        if (fstatat(entry->in_cur ? folder->cur : folder->new, entry->file,
                    &found, AT_SYMLINK_NOFOLLOW) != 0) {
            if (errno != ENOENT)
                return folder_fail(folder, errno, "look at a message in");
            continue;
        }
        if (!S_ISREG(found.st_mode))
            continue;
        entry->size = (uint64_t)found.st_size;
        entry->received = found.st_mtime;
        entry->inode = found.st_ino;
        *entries_at(entries, kept++) = *entry;
    }
    entries->list.size = kept * sizeof(struct entry);
    return PR_OK;
}

static bool is_same(const struct entry *a, const struct entry *b)
{
    return a->inode == b->inode && a->unique == b->unique &&
           memcmp(a->file, b->file, a->unique) == 0;
}

/* Seen in new/ and, moved meanwhile, in cur/ as well: cur/ is where it is. */
static void drop_seen_twice(struct entries *entries)
{
    size_t count = entries_count(entries), kept = 0;

    sort(entries, by_inode);
    for (size_t i = 0; i < count; i++) {
        struct entry *entry = entries_at(entries, i);
        if (kept == 0 || !is_same(entries_at(entries, kept - 1), entry))
            *entries_at(entries, kept++) = *entry;
        else if (entry->in_cur)
            *entries_at(entries, kept - 1) = *entry;
    }
    entries->list.size = kept * sizeof(struct entry);
}

pr_status entries_read(struct entries *entries, const struct folder *folder)
{
    bool is_same_still;

    begin(entries);
    if (entries->arena == NULL)
        return PR_NOMEM;
    pr_status status = note_changes(entries, folder, &is_same_still);
    if (status == PR_OK)
        status = read_names(entries, folder);
    if (status == PR_OK)
        status = look_at_all(entries, folder);
    if (status != PR_OK)
        return status;
    drop_seen_twice(entries);
    sort(entries, by_name);
    return PR_OK;
}

pr_status entries_refresh(struct entries *entries, const struct folder *folder)
{
    struct timespec before[2];
    bool is_same_still = false;
    pr_status status = note_changes(entries, folder, &is_same_still);

    if (status != PR_OK || is_same_still)
        return status;
    memcpy(before, entries->changed, sizeof(before));
    begin(entries);
    memcpy(entries->changed, before, sizeof(before));
    if (entries->arena == NULL)
        return PR_NOMEM;
    status = read_names(entries, folder);
    sort(entries, by_name);
    return status;
}

void entries_free(struct entries *entries)
{
    pr_buffer_done(&entries->list);
    pr_arena_free(entries->arena);
    *entries = (struct entries){.arena = NULL};
}

/* ---- Looking up ---------------------------------------------------------- */

size_t entries_count(const struct entries *entries)
{
    return entries->list.size / sizeof(struct entry);
}

struct entry *entries_at(const struct entries *entries, size_t index)
{
    return (struct entry *)(void *)entries->list.data + index;
}

static int compare_key(const void *key, const void *member)
{
    const struct entry *sought = key, *entry = member;
    size_t least =
        sought->unique < entry->unique ? sought->unique : entry->unique;
    int order = memcmp(sought->file, entry->file, least);

    if (order != 0)
        return order;
    return sought->unique < entry->unique ? -1 : sought->unique > entry->unique;
}

static struct entry *find_digest(const struct entries *entries,
                                 const char *uidl)
{
    char name[UIDL_SIZE];

    for (size_t i = 0; i < entries_count(entries); i++) {
        entry_uidl(entries_at(entries, i), name);
        if (strcmp(name, uidl) == 0)
            return entries_at(entries, i);
    }
    return NULL;
}

struct entry *entries_find(const struct entries *entries, const char *uidl)
{
    const struct entry sought = {.file = uidl, .unique = strlen(uidl)};

    if (uidl[0] == ':')
        return find_digest(entries, uidl);
    if (entries_count(entries) == 0)
        return NULL;
    return bsearch(&sought, entries->list.data, entries_count(entries),
                   sizeof(struct entry), compare_key);
}

const struct entry **entries_by_date(const struct entries *entries)
{
    size_t count = entries_count(entries);
    const struct entry **sorted =
        pr_arena_array(entries->arena, count + 1, sizeof(*sorted));

    for (size_t i = 0; sorted != NULL && i < count; i++)
        sorted[i] = entries_at(entries, i);
    if (sorted != NULL)
        qsort(sorted, count, sizeof(*sorted), by_date);
    return sorted;
}
