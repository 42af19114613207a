/*
 * Numbers with units: as people write them, and for people to read.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

struct unit {
    const char *name;
    uint64_t factor;
};

/* Decimal digits at the start of `text`, with no sign and no space before them.
 * NULL if there are none or the number is too large; else what follows them. */
static const char *parse_digits(const char *text, uint64_t *ret_number)
{
    uint64_t number = 0;
    const char *at = text;

    for (; *at >= '0' && *at <= '9'; at++) {
        unsigned digit = (unsigned)(*at - '0');

        if (number > (UINT64_MAX - digit) / 10)
            return NULL;
        number = number * 10 + digit;
    }
    if (at == text)
        return NULL;
    *ret_number = number;
    return at;
}

static bool parse(const char *text, const struct unit *units,
                  uint64_t *ret_number)
{
    uint64_t number;
    const char *rest = parse_digits(text, &number);

    if (rest == NULL)
        return false;
    for (; units->name != NULL; units++) {
        if (strcmp(units->name, rest) != 0)
            continue;
        if (number > UINT64_MAX / units->factor)
            return false;
        *ret_number = number * units->factor;
        return true;
    }
    return false;
}

pr_status text_to_size(const char *text, uint64_t *ret_octets)
{
    static const struct unit units[] = {
        {"", 1},           {"K", 1ull << 10}, {"k", 1ull << 10},
        {"M", 1ull << 20}, {"G", 1ull << 30}, {"T", 1ull << 40},
        {NULL, 0},
    };

    if (parse(text, units, ret_octets))
        return PR_OK;
    return pr_fail(PR_CONFIG,
                   "\"%.40s\" is not a size such as 4096, 50K, 50M or 2G",
                   text);
}

pr_status text_to_duration(const char *text, uint64_t *ret_ms)
{
    static const struct unit units[] = {
        {"", 1000},     {"ms", 1},       {"s", 1000},         {"m", 60000},
        {"h", 3600000}, {"d", 86400000}, {"w", 604800000ull}, {NULL, 0},
    };

    if (parse(text, units, ret_ms))
        return PR_OK;
    return pr_fail(PR_CONFIG,
                   "\"%.40s\" is not a time such as 500ms, 30s, 10m, 2h or 30d",
                   text);
}

char *text_octets(uint64_t octets, char *out, size_t size)
{
    static const char *const names[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
    uint64_t unit = 1000, whole, tenths;
    size_t i = 0;

    if (octets < 1000) {
        snprintf(out, size, "%u B", (unsigned)octets);
        return out;
    }
    /* 999.95 and more of a unit is 1.0 of the next. */
    while (i + 1 < sizeof names / sizeof *names &&
           octets >= unit * 1000 - unit / 20) {
        unit *= 1000;
        i++;
    }
    whole = octets / unit;
    tenths = (octets % unit + unit / 20) / (unit / 10);
    if (tenths == 10) {
        whole++;
        tenths = 0;
    }
    snprintf(out, size, "%u.%u %s", (unsigned)whole, (unsigned)tenths,
             names[i]);
    return out;
}
