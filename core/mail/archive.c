/*
 * Finds the headers of a zip archive by their signatures (APPNOTE 4.3.7 and
 * 4.3.12).
 */
#include "config.h"

#include "mail/archive.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "mail/view.h"

#define LOCAL_SIZE 30   /* octets of a file's header before its name */
#define CENTRAL_SIZE 46 /* of an entry of the directory */
#define END_SIZE 22     /* of the end of the directory */
#define NAME_MOST 1024  /* octets of a name that are shown */
#define HEADERS_MOST 100000
#define PENDING_MOST (512 * 1024)
#define PLACES 32768 /* over VIEW_NAMES_MAX, a power of two */
#define FLAG_UTF8 0x800
#define UNICODE_PATH 0x7075 /* an extra field: the name in UTF-8 */

/* IBM code page 437, from 128 on: what names are in unless they say. */
static const uint16_t cp437[128] = {
    0xc7,   0xfc,   0xe9,   0xe2,   0xe4,   0xe0,   0xe5,   0xe7,   0xea,
    0xeb,   0xe8,   0xef,   0xee,   0xec,   0xc4,   0xc5,   0xc9,   0xe6,
    0xc6,   0xf4,   0xf6,   0xf2,   0xfb,   0xf9,   0xff,   0xd6,   0xdc,
    0xa2,   0xa3,   0xa5,   0x20a7, 0x192,  0xe1,   0xed,   0xf3,   0xfa,
    0xf1,   0xd1,   0xaa,   0xba,   0xbf,   0x2310, 0xac,   0xbd,   0xbc,
    0xa1,   0xab,   0xbb,   0x2591, 0x2592, 0x2593, 0x2502, 0x2524, 0x2561,
    0x2562, 0x2556, 0x2555, 0x2563, 0x2551, 0x2557, 0x255d, 0x255c, 0x255b,
    0x2510, 0x2514, 0x2534, 0x252c, 0x251c, 0x2500, 0x253c, 0x255e, 0x255f,
    0x255a, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550, 0x256c, 0x2567, 0x2568,
    0x2564, 0x2565, 0x2559, 0x2558, 0x2552, 0x2553, 0x256b, 0x256a, 0x2518,
    0x250c, 0x2588, 0x2584, 0x258c, 0x2590, 0x2580, 0x3b1,  0xdf,   0x393,
    0x3c0,  0x3a3,  0x3c3,  0xb5,   0x3c4,  0x3a6,  0x398,  0x3a9,  0x3b4,
    0x221e, 0x3c6,  0x3b5,  0x2229, 0x2261, 0xb1,   0x2265, 0x2264, 0x2320,
    0x2321, 0xf7,   0x2248, 0xb0,   0x2219, 0xb7,   0x221a, 0x207f, 0xb2,
    0x25a0, 0xa0,
};

void archive_init(struct archive *archive, struct pr_buffer *names)
{
    *archive = (struct archive){.names = names};
    pr_buffer_init(&archive->pending, PENDING_MOST);
}

void archive_done(struct archive *archive)
{
    pr_buffer_done(&archive->pending);
    memory_free(archive->places);
}

/* ---- Names --------------------------------------------------------------- */

static unsigned two(const char *at)
{
    return (unsigned)(unsigned char)at[0] | (unsigned)(unsigned char)at[1] << 8;
}

static void put_character(char *to, size_t *size, unsigned character)
{
    if (character < 0x80) {
        to[(*size)++] = (char)character;
        return;
    }
    if (character < 0x800) {
        to[(*size)++] = (char)(0xc0 | character >> 6);
    } else {
        to[(*size)++] = (char)(0xe0 | character >> 12);
        to[(*size)++] = (char)(0x80 | (character >> 6 & 0x3f));
    }
    to[(*size)++] = (char)(0x80 | (character & 0x3f));
}

/* The name as UTF-8 without control characters. `to` has room for three times
 * its octets. */
static size_t decode(struct pr_bytes name, char *to)
{
    bool is_utf8 = text_is_utf8(name);
    size_t size = 0;

    for (size_t i = 0; i < name.size; i++) {
        unsigned char octet = (unsigned char)name.data[i];

        if (octet < 0x20 || octet == 0x7f)
            put_character(to, &size, 0xfffd);
        else if (is_utf8 || octet < 0x80)
            to[size++] = (char)octet;
        else
            put_character(to, &size, cp437[octet - 128]);
    }
    return size;
}

/* Is the name new? Its place is then noted. */
static bool is_new(struct archive *archive, struct pr_bytes name)
{
    uint64_t hash = 14695981039346656037u;
    size_t place;

    for (size_t i = 0; i < name.size; i++)
        hash = (hash ^ (unsigned char)name.data[i]) * 1099511628211u;
    place = (size_t)(hash ^ hash >> 32) & (PLACES - 1);
    while (archive->places[place] != 0) {
        const char *other = archive->names->data + archive->places[place] - 1;

        if (strlen(other) == name.size &&
            memcmp(other, name.data, name.size) == 0)
            return false;
        place = (place + 1) & (PLACES - 1);
    }
    archive->places[place] = (uint32_t)archive->names->size + 1;
    return true;
}

static pr_status add_name(struct archive *archive, struct pr_bytes name)
{
    char decoded[3 * NAME_MOST + 1];
    size_t size;

    archive->is_archive = true;
    if (name.size == 0 || archive->count >= VIEW_NAMES_MAX ||
        ++archive->headers > HEADERS_MOST)
        return PR_OK;
    name.size = text_cut(name.data, name.size, NAME_MOST);
    if (archive->places == NULL)
        archive->places = memory_zeroed(PLACES, sizeof *archive->places);
    if (archive->places == NULL)
        return pr_fail(PR_NOMEM, "out of memory for the names in an archive");
    size = decode(name, decoded);
    decoded[size] = '\0';
    if (archive->names->size + size + 1 > archive->names->cap ||
        !is_new(archive, (struct pr_bytes){decoded, size}))
        return PR_OK;
    archive->count++;
    return pr_buffer_add(archive->names, decoded, size + 1);
}

/* The name in UTF-8 that an extra field gives beside the one in the header. */
static pr_status add_extra(struct archive *archive, struct pr_bytes extra)
{
    pr_status status = PR_OK;

    while (status == PR_OK && extra.size >= 4) {
        size_t size = two(extra.data + 2);

        if (size > extra.size - 4)
            break;
        if (two(extra.data) == UNICODE_PATH && size > 5)
            status =
                add_name(archive, (struct pr_bytes){extra.data + 9, size - 5});
        extra.data += 4 + size;
        extra.size -= 4 + size;
    }
    return status;
}

/* ---- Headers ------------------------------------------------------------- */

/* Reads the header of `size` octets before its name, whose length stands at
 * `length`. PR_BUSY: more octets are needed. */
static pr_status read_header(struct archive *archive, struct pr_bytes octets,
                             size_t size, size_t length, bool is_last)
{
    struct pr_bytes name, extra;
    pr_status status;

    if (octets.size < size)
        return is_last ? PR_OK : PR_BUSY;
    name = (struct pr_bytes){octets.data + size, two(octets.data + length)};
    extra =
        (struct pr_bytes){name.data + name.size, two(octets.data + length + 2)};
    if (octets.size - size < name.size + extra.size) {
        if (!is_last)
            return PR_BUSY;
        if (octets.size - size < name.size)
            name.size = octets.size - size;
        extra.size = 0;
    }
    status = add_name(archive, name);
    return status == PR_OK ? add_extra(archive, extra) : status;
}

/* What begins with "PK" here. */
static pr_status read_signature(struct archive *archive, struct pr_bytes octets,
                                bool is_last)
{
    if (octets.size < 4)
        return is_last ? PR_OK : PR_BUSY;
    if (memcmp(octets.data, "PK\3\4", 4) == 0)
        return read_header(archive, octets, LOCAL_SIZE, 26, is_last);
    if (memcmp(octets.data, "PK\1\2", 4) == 0)
        return read_header(archive, octets, CENTRAL_SIZE, 28, is_last);
    if (memcmp(octets.data, "PK\5\6", 4) == 0 && octets.size >= END_SIZE)
        archive->is_archive = true;
    return PR_OK;
}

/* Looks through what is pending; what needs more octets stays. */
static pr_status look(struct archive *archive, bool is_last)
{
    const char *data = pr_buffer_text(&archive->pending);
    size_t size = archive->pending.size, at = 0;
    pr_status status = PR_OK;

    while (status == PR_OK && at < size) {
        const char *found = memchr(data + at, 'P', size - at);

        at = found != NULL ? (size_t)(found - data) : size;
        if (at + 1 < size && data[at + 1] != 'K') {
            at++;
            continue;
        }
        if (at < size)
            status = read_signature(
                archive, (struct pr_bytes){data + at, size - at}, is_last);
        if (status == PR_OK && at < size)
            at++;
    }
    pr_buffer_consume(&archive->pending, at);
    return status == PR_BUSY ? PR_OK : status;
}

pr_status archive_add(struct archive *archive, struct pr_bytes octets)
{
    pr_status status =
        pr_buffer_add(&archive->pending, octets.data, octets.size);

    return status == PR_OK ? look(archive, false) : status;
}

pr_status archive_end(struct archive *archive)
{
    return look(archive, true);
}
