/*
 * Who has a message already that another has yet to get.
 */
#include "config.h"

#include "past.h"

#include <stdint.h>
#include <string.h>

/* In front of the digests, each of so many characters. */
#define HEAD "has "
#define HEAD_SIZE (sizeof(HEAD) - 1)
#define WIDTH 5u

/* 30 bits of FNV-1a, in characters that need no quoting. */
static void digest(const char *address, char out[WIDTH])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789-_";
    uint64_t hash = 0xcbf29ce484222325u;

    for (; *address != '\0'; address++)
        hash = (hash ^ (unsigned char)*address) * 0x100000001b3u;
    hash ^= hash >> 32;
    for (unsigned i = 0; i < WIDTH; i++, hash >>= 6)
        out[i] = digits[hash & 63];
}

static bool is_among(const char *list, const char mark[WIDTH])
{
    size_t size = strlen(list);

    for (size_t at = 0; at + WIDTH <= size; at += WIDTH)
        if (memcmp(list + at, mark, WIDTH) == 0)
            return true;
    return false;
}

/* Two that look alike: better twice than never. */
static bool is_alone(const struct smtp_letter *letter, size_t which,
                     const char mark[WIDTH])
{
    char other[WIDTH];

    for (size_t i = 0; i < letter->count; i++) {
        digest(letter->recipients[i].address, other);
        if (i != which && memcmp(other, mark, WIDTH) == 0)
            return false;
    }
    return true;
}

void smtp_past_recall(struct smtp_letter *letter)
{
    const char *receipt = letter->delivery->receipt;
    char mark[WIDTH];

    if (strncmp(receipt, HEAD, HEAD_SIZE) != 0)
        return;
    for (size_t i = 0; i < letter->count; i++) {
        digest(letter->recipients[i].address, mark);
        if (is_among(receipt + HEAD_SIZE, mark) && is_alone(letter, i, mark))
            letter->recipients[i].fate = SMTP_DONE;
    }
}

void smtp_past_note(const struct smtp_letter *letter)
{
    char *receipt = letter->delivery->receipt;
    size_t size = HEAD_SIZE;

    _Static_assert(HEAD_SIZE + SMTP_RECIPIENTS_MOST * WIDTH <
                       sizeof(letter->delivery->receipt),
                   "nobody is left out");
    memcpy(receipt, HEAD, HEAD_SIZE);
    for (size_t i = 0; i < letter->count; i++)
        if (letter->recipients[i].fate == SMTP_DONE) {
            digest(letter->recipients[i].address, receipt + size);
            size += WIDTH;
        }
    receipt[size] = '\0';
}
