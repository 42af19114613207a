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

static pr_status add_header(const struct pr_spool *spool, struct digest *digest,
                            char *ret_last)
{
    char piece[PIECE];
    uint64_t at = 0, end = spool_header_size(spool);

    *ret_last = '\n';
    while (at < end) {
        size_t size = end - at < PIECE ? (size_t)(end - at) : PIECE, got = 0;
        pr_status status = pr_spool_read(spool, at, piece, size, &got);
        if (status == PR_OK)
            status = digest_add(digest, piece, got);
        if (status != PR_OK)
            return status;
        at += got;
        *ret_last = piece[got - 1];
    }
    return PR_OK;
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
