/*
 * The file as it was read, with its keys folded where they stand, and a table
 * of where each key and value begins: a million lines take the room of the file
 * and 16 MiB.
 */
#include "config.h"

#include "mail/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"
#include "io/file.h"
#include "mail/casing.h"

#define FILE_MOST (256u * 1024 * 1024)
#define PATTERNS_MOST 100000
#define BLANK " \t\r"

struct place {
    uint32_t key;   /* offset into the text, 1-based; 0: free */
    uint32_t value; /* likewise; 0: none */
};

struct lookup {
    struct pr_buffer text; /* the file; keys that grew in folding after it */
    struct place *places;  /* by hash */
    size_t mask, count;
    struct place *patterns;
    size_t pattern_count, patterns_allocated;
};

void lookup_free(struct lookup *lookup)
{
    if (lookup == NULL)
        return;
    pr_buffer_done(&lookup->text);
    memory_free(lookup->places);
    memory_free(lookup->patterns);
    memory_free(lookup);
}

size_t lookup_count(const struct lookup *lookup)
{
    return lookup->count + lookup->pattern_count;
}

static const char *text_at(const struct lookup *lookup, uint32_t place)
{
    return place != 0 ? lookup->text.data + place - 1 : NULL;
}

/* ---- The table ----------------------------------------------------------- */

/* Where the key is, or would be. */
static struct place *find_place(const struct lookup *lookup, const char *key)
{
    uint64_t hash = 14695981039346656037u;
    size_t at;

    for (const char *c = key; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * 1099511628211u;
    at = (size_t)(hash ^ hash >> 32) & lookup->mask;
    while (lookup->places[at].key != 0 &&
           strcmp(text_at(lookup, lookup->places[at].key), key) != 0)
        at = (at + 1) & lookup->mask;
    return &lookup->places[at];
}

static pr_status make_table(struct lookup *lookup)
{
    const char *at = pr_buffer_text(&lookup->text);
    size_t lines = 1, size = 16;

    while ((at = strchr(at, '\n')) != NULL)
        at++, lines++;
    while (size < 2 * lines)
        size *= 2;
    lookup->mask = size - 1;
    lookup->places = memory_zeroed(size, sizeof *lookup->places);
    return lookup->places != NULL ? PR_OK : pr_fail(PR_NOMEM, "out of memory");
}

static pr_status add_pattern(struct lookup *lookup, struct place place)
{
    size_t wanted = lookup->patterns_allocated * 2 + 16;
    struct place *more;

    if (lookup->pattern_count >= PATTERNS_MOST)
        return pr_fail(PR_LIMIT, "more than %d lines with \"*\" or \"?\"",
                       PATTERNS_MOST);
    if (lookup->pattern_count == lookup->patterns_allocated) {
        more = memory_realloc(lookup->patterns, wanted * sizeof *more);
        if (more == NULL)
            return pr_fail(PR_NOMEM, "out of memory");
        lookup->patterns = more;
        lookup->patterns_allocated = wanted;
    }
    lookup->patterns[lookup->pattern_count++] = place;
    return PR_OK;
}

static pr_status add_entry(struct lookup *lookup, uint32_t key, uint32_t value)
{
    const char *text = text_at(lookup, key);
    struct place place = {key, value}, *found;

    if (strncmp(text, "*@", 2) == 0 &&
        strcspn(text + 1, "*?") == strlen(text) - 1)
        text = text_at(lookup, ++place.key); /* "@example.org" */
    if (strpbrk(text, "*?") != NULL)
        return add_pattern(lookup, place);
    found = find_place(lookup, text);
    lookup->count += found->key == 0;
    *found = place; /* the last of a key counts */
    return PR_OK;
}

/* ---- Lines --------------------------------------------------------------- */

/* Folds the key of `size` octets at `offset`; *ret is its place. */
static pr_status fold_key(struct lookup *lookup, size_t offset, size_t size,
                          uint32_t *ret)
{
    struct pr_buffer folded = {.cap = 1024 * 1024};
    struct pr_bytes key = {lookup->text.data + offset, size};
    pr_status status = casing_fold(key, &folded);

    *ret = (uint32_t)offset + 1;
    if (status == PR_OK && folded.size <= size) {
        memcpy(lookup->text.data + offset, pr_buffer_text(&folded),
               folded.size + 1);
    } else if (status == PR_OK) {
        *ret = (uint32_t)lookup->text.size + 1;
        status = pr_buffer_add(&lookup->text, folded.data, folded.size + 1);
    }
    pr_buffer_done(&folded);
    return status;
}

/* ASCII, which is nearly all, needs no memory to be folded. */
static bool fold_ascii(char *key, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)key[i] >= 0x80)
            return false;
    for (size_t i = 0; i < size; i++)
        if (key[i] >= 'A' && key[i] <= 'Z')
            key[i] = (char)(key[i] - 'A' + 'a');
    key[size] = '\0';
    return true;
}

/* The line without what is a comment. */
static size_t without_comment(const char *line, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (line[i] == '#' && (i == 0 || strchr(BLANK, line[i - 1]) != NULL))
            return i;
    return size;
}

/* Without the white space before and after it. */
static void trim(const char *text, size_t *begin, size_t *end)
{
    while (*begin < *end && strchr(BLANK, text[*begin]) != NULL)
        ++*begin;
    while (*end > *begin && strchr(BLANK, text[*end - 1]) != NULL)
        --*end;
}

/* Where the "=" is that white space stands around, `end` if there is none. */
static size_t find_sign(const char *text, size_t begin, size_t end)
{
    for (size_t i = begin + 1; i + 1 < end; i++)
        if (text[i] == '=' && strchr(BLANK, text[i - 1]) != NULL &&
            strchr(BLANK, text[i + 1]) != NULL)
            return i;
    return end;
}

/* Reads the line that begins at `begin`. What is behind it is a line end, so
 * there is room for a NUL. */
static pr_status read_line(struct lookup *lookup, size_t begin, size_t end)
{
    char *text = lookup->text.data;
    size_t sign, from;
    uint32_t key = 0, value = 0;
    pr_status status = PR_OK;

    end = begin + without_comment(text + begin, end - begin);
    trim(text, &begin, &end);
    if (begin == end)
        return PR_OK;
    sign = find_sign(text, begin, end);
    if (sign < end) {
        from = sign + 1;
        trim(text, &from, &end);
        text[end] = '\0';
        value = (uint32_t)from + 1;
        end = sign;
        trim(text, &begin, &end);
    }
    if (fold_ascii(text + begin, end - begin))
        key = (uint32_t)begin + 1;
    else
        status = fold_key(lookup, begin, end - begin, &key);
    return status == PR_OK ? add_entry(lookup, key, value) : status;
}

static pr_status read_lines(struct lookup *lookup)
{
    size_t size = lookup->text.size, at = 0;
    pr_status status = make_table(lookup);

    while (status == PR_OK && at < size) {
        const char *end = memchr(lookup->text.data + at, '\n', size - at);
        size_t next = end != NULL ? (size_t)(end - lookup->text.data) : size;

        status = read_line(lookup, at, next);
        at = next + 1;
    }
    return status;
}

/* ---- The file ------------------------------------------------------------ */

static pr_status look_at(const char *path, struct lookup_file *ret)
{
    struct stat about;

    if (stat(path, &about) != 0)
        return pr_fail_errno(PR_IO, errno, "%s", path);
    *ret = (struct lookup_file){.device = (uint64_t)about.st_dev,
                                .inode = (uint64_t)about.st_ino,
                                .size = (int64_t)about.st_size,
                                .changed = about.st_mtim};
    return PR_OK;
}

static bool is_same(const struct lookup_file *a, const struct lookup_file *b)
{
    return a->device == b->device && a->inode == b->inode &&
           a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
           a->changed.tv_nsec == b->changed.tv_nsec;
}

pr_status lookup_read(const char *path, const struct lookup_file *known,
                      struct lookup_file *ret_file, struct lookup **ret)
{
    struct lookup *lookup;
    pr_status status = look_at(path, ret_file);

    *ret = NULL;
    if (status != PR_OK || (known != NULL && is_same(known, ret_file)))
        return status;
    lookup = memory_zeroed(1, sizeof *lookup);
    if (lookup == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    pr_buffer_init(&lookup->text, FILE_MOST);
    status = file_read(path, &lookup->text);
    if (status == PR_OK) /* so that the last line has an end, too */
        status = pr_buffer_add(&lookup->text, "\n", 1);
    if (status == PR_OK)
        status = read_lines(lookup);
    if (status != PR_OK) {
        lookup_free(lookup);
        return pr_context(status, "%s", path);
    }
    *ret = lookup;
    return PR_OK;
}

/* ---- Looking up ---------------------------------------------------------- */

static bool take(const struct lookup *lookup, const struct place *place,
                 const char **ret_value)
{
    if (place->key == 0)
        return false;
    *ret_value = text_at(lookup, place->value);
    return true;
}

static bool find_pattern(const struct lookup *lookup, const char *text,
                         const char **ret_value)
{
    for (size_t i = 0; i < lookup->pattern_count; i++)
        if (text_matches(text_at(lookup, lookup->patterns[i].key), text))
            return take(lookup, &lookup->patterns[i], ret_value);
    return false;
}

bool lookup_text(const struct lookup *lookup, const char *folded,
                 const char **ret_value)
{
    return take(lookup, find_place(lookup, folded), ret_value) ||
           find_pattern(lookup, folded, ret_value);
}

bool lookup_address(const struct lookup *lookup, const char *folded,
                    const char **ret_value)
{
    const char *domain = strrchr(folded, '@');

    return take(lookup, find_place(lookup, folded), ret_value) ||
           (domain != NULL &&
            take(lookup, find_place(lookup, domain), ret_value)) ||
           find_pattern(lookup, folded, ret_value);
}
