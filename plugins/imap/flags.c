/*
 * Flags as IMAP writes them, and dates.
 */
#include "flags.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "parse.h"

static const struct {
    const char *name;
    unsigned bit;
} system_flags[] = {
    {"\\Seen", PR_FLAG_SEEN},       {"\\Answered", PR_FLAG_ANSWERED},
    {"\\Flagged", PR_FLAG_FLAGGED}, {"\\Deleted", PR_FLAG_DELETED},
    {"\\Draft", PR_FLAG_DRAFT},     {"\\Recent", PR_FLAG_RECENT},
};

#define SYSTEM_FLAGS (sizeof(system_flags) / sizeof(*system_flags))

unsigned imap_flag(struct pr_bytes name)
{
    for (size_t i = 0; i < SYSTEM_FLAGS; i++)
        if (pr_bytes_equal_nocase(name, pr_bytes_of(system_flags[i].name)))
            return system_flags[i].bit;
    return 0;
}

bool imap_is_keyword(struct pr_bytes name)
{
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] <= ' ' || name.data[i] > '~' ||
            strchr("(){%*\"\\]", name.data[i]) != NULL)
            return false;
    return name.size > 0;
}

static pr_status add_word(struct pr_buffer *ret, struct pr_bytes word,
                          bool *is_first)
{
    pr_status status = *is_first ? PR_OK : pr_buffer_add(ret, " ", 1);

    *is_first = false;
    return status != PR_OK ? status : pr_buffer_add(ret, word.data, word.size);
}

/* Takes the first of words with single spaces between. */
static struct pr_bytes take_word(struct pr_bytes *words)
{
    const char *space = memchr(words->data, ' ', words->size);
    struct pr_bytes word = *words;

    if (space != NULL)
        word.size = (size_t)(space - words->data);
    size_t used = word.size + (space != NULL);
    words->data += used;
    words->size -= used;
    return word;
}

pr_status imap_flags_format(const struct pr_flags *flags, struct pr_buffer *ret)
{
    struct pr_bytes rest = pr_bytes_of(flags->keywords);
    pr_status status = PR_OK;
    bool is_first = true;

    for (size_t i = 0; i < SYSTEM_FLAGS && status == PR_OK; i++)
        if ((flags->system & system_flags[i].bit & ~(unsigned)PR_FLAG_RECENT))
            status =
                add_word(ret, pr_bytes_of(system_flags[i].name), &is_first);
    while (rest.size > 0 && status == PR_OK) {
        struct pr_bytes word = take_word(&rest);
        if (!imap_is_keyword(word))
            return pr_fail(PR_CONFIG, "\"%.*s\" cannot be a flag in IMAP",
                           (int)(word.size < 100 ? word.size : 100), word.data);
        status = add_word(ret, word, &is_first);
    }
    return status;
}

pr_status imap_keywords_keep(const char *keywords, struct pr_buffer *ret,
                             unsigned *ret_dropped)
{
    struct pr_bytes rest = pr_bytes_of(keywords);
    pr_status status = PR_OK;
    bool is_first = ret->size == 0;

    *ret_dropped = 0;
    while (rest.size > 0 && status == PR_OK) {
        struct pr_bytes word = take_word(&rest);
        if (imap_is_keyword(word))
            status = add_word(ret, word, &is_first);
        else
            ++*ret_dropped;
    }
    return status;
}

/* ---- Dates -------------------------------------------------------------- */

static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

bool imap_date_format(int64_t time, char ret[IMAP_DATE_SIZE])
{
    time_t seconds = (time_t)time;
    struct tm told;

    if (gmtime_r(&seconds, &told) == NULL || told.tm_year < 1 - 1900 ||
        told.tm_year > 9999 - 1900)
        return false;
    snprintf(ret, IMAP_DATE_SIZE, "\"%2d-%.3s-%04d %02d:%02d:%02d +0000\"",
             told.tm_mday, months + 3 * told.tm_mon, told.tm_year + 1900,
             told.tm_hour, told.tm_min, told.tm_sec);
    return true;
}

/* Days from 1970-01-01 in the proleptic Gregorian calendar. */
static int64_t days_since_1970(int64_t year, unsigned month, unsigned day)
{
    int64_t y = year - (month <= 2);
    int64_t era_days = y * 365 + y / 4 - y / 100 + y / 400;
    unsigned shifted = month > 2 ? month - 3 : month + 9; /* March is 0 */

    return era_days + (153 * shifted + 2) / 5 + day - 1 - 719468;
}

/* `size` digits at `at`; the first may be a space. -1 if there are none. */
static int digits(struct pr_bytes text, size_t at, size_t size)
{
    struct pr_bytes part = {text.data + at, size};
    uint64_t value;

    if (part.data[0] == ' ') {
        part.data++;
        part.size--;
    }
    return imap_number(part, 9999, &value) ? (int)value : -1;
}

int64_t imap_date_parse(struct pr_bytes text)
{
    unsigned month = 0;

    if (text.size == 25) { /* a one-digit day without its space */
        char padded[27] = " ";
        memcpy(padded + 1, text.data, 25);
        if (padded[1] == ' ')
            return 0;
        return imap_date_parse((struct pr_bytes){padded, 26});
    }
    if (text.size != 26 || text.data[2] != '-' || text.data[6] != '-')
        return 0;
    while (month < 12 &&
           !pr_bytes_equal_nocase((struct pr_bytes){text.data + 3, 3},
                                  (struct pr_bytes){months + 3 * month, 3}))
        month++;
    int day = digits(text, 0, 2), year = digits(text, 7, 4);
    int hour = digits(text, 12, 2), minute = digits(text, 15, 2);
    int second = digits(text, 18, 2);
    int zone_hour = digits(text, 22, 2), zone_minute = digits(text, 24, 2);
    if (month == 12 || day < 1 || day > 31 || year < 1 || hour < 0 ||
        hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 ||
        zone_hour < 0 || zone_minute < 0)
        return 0;
    int64_t zone = (zone_hour * 60 + zone_minute) * 60;
    return days_since_1970(year, month + 1, (unsigned)day) * 86400 +
           hour * 3600 + minute * 60 + second +
           (text.data[21] == '-' ? zone : -zone);
}
