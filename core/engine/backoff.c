/*
 * How long to leave a server alone after a failure, by the kind of failure.
 */
#include "engine/backoff.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SECOND ((uint64_t)1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

enum trouble backoff_kind(pr_status status)
{
    switch (status) {
    case PR_OK:
    case PR_CANCELLED:
        return TROUBLE_NONE;
    case PR_NETWORK:
    case PR_TIMEOUT:
    case PR_EOF:
        return TROUBLE_NETWORK;
    case PR_LATER:
        return TROUBLE_BUSY;
    case PR_BUSY:
    case PR_IO:
    case PR_FULL:
    case PR_NOMEM:
    case PR_SCRIPT:
    case PR_DOUBT:
        return TROUBLE_LOCAL;
    case PR_AUTH:
    case PR_TLS:
    case PR_CONFIG:
        return TROUBLE_PERSON;
    default:
        return TROUBLE_PROTOCOL;
    }
}

struct rule {
    uint64_t first, most;
};

/* A login that was refused is not tried often: servers lock accounts, and count
 * addresses as attackers. */
static const struct rule rules[] = {
    [TROUBLE_NONE] = {0, 0},
    [TROUBLE_NETWORK] = {2 * SECOND, 5 * MINUTE},
    [TROUBLE_BUSY] = {2 * MINUTE, HOUR},
    [TROUBLE_LOCAL] = {30 * SECOND, 15 * MINUTE},
    [TROUBLE_PROTOCOL] = {MINUTE, HOUR},
    [TROUBLE_PERSON] = {HOUR, DAY},
};

uint64_t backoff_wait(enum trouble kind, unsigned failures, uint64_t told,
                      uint32_t random)
{
    uint64_t wait = rules[kind].first, most = rules[kind].most;
    for (unsigned i = 1; i < failures && wait < most; i++) {
        wait *= 2;
    }
    if (wait > most) {
        wait = most;
    }
    uint64_t chance = ((wait / 5) * random) >> 32;
    if (told > 0) {
        return told + chance;
    }
    return wait - chance;
}

/* ---- What a server says ---------------------------------------------------
 */

/* Of the word that begins here, "seconds" say; 0: it is no unit of time. */
static uint64_t unit_of(const char *word)
{
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = {
        {"ms", 1},       {"msec", 1},        {"millisecond", 1},
        {"s", SECOND},   {"sec", SECOND},    {"second", SECOND},
        {"min", MINUTE}, {"minute", MINUTE}, {"hour", HOUR},
    };

    size_t length = 0;
    while (isalpha((unsigned char)word[length])) {
        length++;
    }
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        size_t size = strlen(units[i].name);
        bool is_plural = length == size + 1 && word[size] == 's';
        if ((length == size || is_plural) &&
            strncasecmp(word, units[i].name, size) == 0) {
            return units[i].ms;
        }
    }
    return 0;
}

uint64_t backoff_told(const char *words)
{
    const char *at = words;
    while ((at = strpbrk(at, "0123456789")) != NULL) {
        bool is_part = at > words && (at[-1] == '.' || at[-1] == '-' ||
                                      at[-1] == '#' || at[-1] == ':');
        char *end;
        unsigned long long number = strtoull(at, &end, 10);
        const char *word = end + strspn(end, " ");
        uint64_t unit = is_part ? 0 : unit_of(word);
        if (unit > 0 && number > 0) {
            return number > DAY / unit ? DAY : number * unit;
        }
        at = end;
    }
    return 0;
}
