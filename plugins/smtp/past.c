/*
 * Who has a message already that another has yet to get.
 */
#include "config.h"

#include "past.h"

#include <stdlib.h>
#include <string.h>

#include "address.h"

#define KEPT_MOST 10000u

struct smtp_had {
    struct smtp_had *next;
    char key[65];
    char address[SMTP_ADDRESS_MOST + 1];
};

static bool is_same(const struct smtp_had *had,
                    const struct smtp_letter *letter, const char *address)
{
    return strcmp(had->key, letter->delivery->key) == 0 &&
           strcmp(had->address, address) == 0;
}

void smtp_past_recall(const struct smtp_past *past, struct smtp_letter *letter)
{
    for (const struct smtp_had *had = past->first; had != NULL; had = had->next)
        for (size_t i = 0; i < letter->count; i++)
            if (is_same(had, letter, letter->recipients[i].address))
                letter->recipients[i].fate = SMTP_DONE;
}

static void forget(struct smtp_past *past, const char *key)
{
    for (struct smtp_had **at = &past->first; *at != NULL;) {
        struct smtp_had *had = *at;
        if (strcmp(had->key, key) != 0) {
            at = &had->next;
            continue;
        }
        *at = had->next;
        past->count--;
        free(had);
    }
}

static void keep(struct smtp_past *past, const char *key, const char *address)
{
    struct smtp_had *had =
        past->count < KEPT_MOST ? calloc(1, sizeof(*had)) : NULL;

    if (had == NULL)
        return; /* it may be doubled, but is not lost */
    strncpy(had->key, key, sizeof(had->key) - 1);
    strncpy(had->address, address, sizeof(had->address) - 1);
    had->next = past->first;
    past->first = had;
    past->count++;
}

void smtp_past_note(struct smtp_past *past, const struct smtp_letter *letter)
{
    size_t done = 0;

    for (size_t i = 0; i < letter->count; i++)
        done += letter->recipients[i].fate == SMTP_DONE;
    if (past->first == NULL && (done == 0 || done == letter->count))
        return;
    forget(past, letter->delivery->key);
    for (size_t i = 0; done < letter->count && i < letter->count; i++)
        if (letter->recipients[i].fate == SMTP_DONE)
            keep(past, letter->delivery->key, letter->recipients[i].address);
}

void smtp_past_done(struct smtp_past *past)
{
    while (past->first != NULL) {
        struct smtp_had *had = past->first;
        past->first = had->next;
        free(had);
    }
    past->count = 0;
}
