/*
 * Fingerprints and delivery keys: SHA-256, cut short.
 *
 * Both are kept in the state and in file names. What goes into them, and in
 * what order, can never change without delivering mail a second time.
 */
#include "config.h"

#include "mail/print.h"

#include <string.h>

#include "io/digest.h"
#include "mail/spool.h"

#define PIECE 4096
#define KEY_OCTETS 20

/* ---- Fingerprint --------------------------------------------------------- */

/* Fields that servers which keep mail in mbox files write into a message after
 * it came: what they hand out a second time is not what they handed out first.
 */
static const char *const servers_own[] = {
    "Status", "X-Status",   "X-Keywords", "X-UID",
    "X-UIDL", "X-IMAPbase", "X-IMAP",     "Content-Length"};

#define NAME_MOST 16 /* longer than each of them */

/* A header on its way into a digest, in pieces. */
struct header_print {
    struct digest *digest;
    char name[NAME_MOST]; /* the line so far, while it may be one of those */
    size_t name_size;
    bool is_in_name, is_dropped;
    char last; /* that was digested */
};

static pr_status print_add(struct header_print *print, const char *data,
                           size_t size)
{
    if (size == 0 || print->is_dropped)
        return PR_OK;
    print->last = data[size - 1];
    return digest_add(print->digest, data, size);
}

static bool is_servers_own(struct pr_bytes name)
{
    for (size_t i = 0; i < sizeof servers_own / sizeof *servers_own; i++)
        if (pr_bytes_equal_nocase(name, pr_bytes_of(servers_own[i])))
            return true;
    return false;
}

/* Takes one octet more of a name; at its end it is known whether the field
 * counts. A line that is folded goes with the one before it. */
static pr_status print_name(struct header_print *print, char octet)
{
    bool is_folded = print->name_size == 0 && (octet == ' ' || octet == '\t');

    print->name[print->name_size++] = octet;
    if (octet != ':' && octet != '\n' && !is_folded &&
        print->name_size < NAME_MOST)
        return PR_OK;
    print->is_in_name = octet == '\n';
    if (!is_folded)
        print->is_dropped =
            octet == ':' && is_servers_own((struct pr_bytes){
                                print->name, print->name_size - 1});
    size_t size = print->name_size;
    print->name_size = 0;
    return print_add(print, print->name, size);
}

static pr_status print_piece(struct header_print *print, const char *data,
                             size_t size)
{
    const char *end = data + size;
    pr_status status = PR_OK;

    while (status == PR_OK && data < end) {
        if (print->is_in_name) {
            status = print_name(print, *data++);
            continue;
        }
        const char *stop = memchr(data, '\n', (size_t)(end - data));
        print->is_in_name = stop != NULL;
        stop = stop != NULL ? stop + 1 : end;
        status = print_add(print, data, (size_t)(stop - data));
        data = stop;
    }
    return status;
}

static pr_status add_header(const struct pr_spool *spool, struct digest *digest,
                            char *ret_last)
{
    struct header_print print = {
        .digest = digest, .is_in_name = true, .last = '\n'};
    uint64_t at = 0, end = spool_header_size(spool);
    char piece[PIECE];
    pr_status status = PR_OK;

    while (status == PR_OK && at < end) {
        size_t size = end - at < PIECE ? (size_t)(end - at) : PIECE, got = 0;
        status = pr_spool_read(spool, at, piece, size, &got);
        if (status == PR_OK)
            status = print_piece(&print, piece, got);
        at += got;
    }
    if (status == PR_OK && print.name_size > 0) {
        print.is_dropped = false;
        status = print_add(&print, print.name, print.name_size);
    }
    *ret_last = print.last;
    return status;
}

/* A header without the empty line gets it here: some servers send it with the
 * header of such a message, some do not. */
static pr_status end_header(const struct pr_spool *spool, char last,
                            struct digest *digest)
{
    if (spool_header_is_ended(spool))
        return PR_OK;
    return last == '\n' ? digest_add(digest, "\n", 1)
                        : digest_add(digest, "\n\n", 2);
}

pr_status mail_fingerprint(const struct pr_spool *spool,
                           unsigned char ret[FINGERPRINT_SIZE])
{
    static const unsigned char zero[FINGERPRINT_SIZE];
    unsigned char whole[DIGEST_SIZE];
    struct digest *digest;
    char last;

    pr_status status = digest_new(&digest);
    if (status != PR_OK)
        return status;
    status = add_header(spool, digest, &last);
    if (status == PR_OK)
        status = end_header(spool, last, digest);
    digest_end(digest, whole);
    if (status != PR_OK)
        return status;
    memcpy(ret, whole, FINGERPRINT_SIZE);
    if (memcmp(ret, zero, FINGERPRINT_SIZE) == 0)
        ret[FINGERPRINT_SIZE - 1] = 1; /* zero stands for "not known" */
    return PR_OK;
}

/* ---- Delivery key -------------------------------------------------------- */

static pr_status add_number(struct digest *digest, uint64_t number)
{
    unsigned char octets[8];
    for (size_t i = 0; i < sizeof octets; i++)
        octets[i] = (unsigned char)(number >> (8 * (sizeof octets - 1 - i)));
    return digest_add(digest, octets, sizeof octets);
}

/* Its length before it, so that no two lists of texts give the same octets. */
static pr_status add_text(struct digest *digest, const char *text)
{
    size_t size = strlen(text);
    pr_status status = add_number(digest, size);
    return status != PR_OK ? status : digest_add(digest, text, size);
}

static pr_status add_identity(struct digest *digest, const char *account,
                              const char *folder, uint32_t uidvalidity,
                              uint32_t uid, const char *uidl)
{
    pr_status status = add_text(digest, account);
    if (status == PR_OK)
        status = add_text(digest, folder);
    if (status == PR_OK)
        status = add_number(digest, uidvalidity);
    if (status == PR_OK)
        status = add_number(digest, uid);
    if (status == PR_OK && uidl != NULL)
        status = add_text(digest, uidl);
    return status;
}

/* RFC 4648, 6, in lower case; five octets give eight letters. */
static void write_base32(const unsigned char octets[KEY_OCTETS], char *to)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    for (size_t i = 0; i < KEY_OCTETS; i += 5) {
        uint64_t bits = 0;
        for (size_t j = 0; j < 5; j++)
            bits = bits << 8 | octets[i + j];
        for (int shift = 35; shift >= 0; shift -= 5)
            *to++ = letters[bits >> shift & 31];
    }
    *to = '\0';
}

pr_status mail_delivery_key(const char *account, const char *folder,
                            uint32_t uidvalidity, uint32_t uid,
                            const char *uidl, char ret[DELIVERY_KEY_SIZE])
{
    unsigned char whole[DIGEST_SIZE];
    struct digest *digest;

    pr_status status = digest_new(&digest);
    if (status != PR_OK)
        return status;
    status = add_identity(digest, account, folder, uidvalidity, uid, uidl);
    digest_end(digest, whole);
    if (status == PR_OK)
        write_base32(whole, ret);
    return status;
}
