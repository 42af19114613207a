/*
 * Octets of files: written, copied, compared, digested.
 *
 * All of these block and belong in jobs. They return 0 or an errno value;
 * EBADMSG means that a file ends too early.
 */
#ifndef MBOX_OCTETS_H
#define MBOX_OCTETS_H

#include <stddef.h>
#include <stdint.h>

/* Octets moved at a time. */
#define OCTETS_BLOCK ((size_t)64 * 1024)

#define DIGEST_EMPTY UINT64_C(14695981039346656037)

/* FNV-1a, to tell what a crash has spoilt; no guard against a forger. */
uint64_t digest_add(uint64_t digest, const void *data, size_t size);

int octets_write(int fd, uint64_t at, const void *data, size_t size);
/* Reads just that much. */
int octets_read(int fd, uint64_t at, void *data, size_t size);
int octets_copy(int from, uint64_t from_at, int to, uint64_t to_at,
                uint64_t size);
/* Appends to *digest. */
int octets_digest(int fd, uint64_t at, uint64_t size, uint64_t *digest);
/* How many octets from here on are the same, `most` at the most. The end of
 * either file ends them. */
int octets_same(int a, uint64_t a_at, int b, uint64_t b_at, uint64_t most,
                uint64_t *ret);
int octets_sync_directory(int fd);

#endif
