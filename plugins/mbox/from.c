/*
 * From_ lines: what stands before each message of an mbox (RFC 4155).
 */
#include "config.h"

#include "from.h"

#include <string.h>
#include <time.h>

#define SENDER_MAX 320

static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed",
                                "Thu", "Fri", "Sat"};
static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/* ---- Writing ------------------------------------------------------------- */

static bool is_sender(struct pr_bytes sender)
{
    if (sender.size == 0 || sender.size > SENDER_MAX)
        return false;
    for (size_t i = 0; i < sender.size; i++)
        if ((unsigned char)sender.data[i] <= ' ' || sender.data[i] == 0x7f)
            return false;
    return true;
}

/* Years of four digits only: that is what readers know. */
static struct tm date_of(int64_t when)
{
    const int64_t last = INT64_C(253402300799);
    time_t seconds = (time_t)(when < 0 ? 0 : when > last ? last : when);
    struct tm date;

    gmtime_r(&seconds, &date);
    return date;
}

pr_status from_format(struct pr_bytes sender, int64_t when,
                      struct pr_buffer *ret)
{
    struct tm date = date_of(when);

    if (!is_sender(sender))
        sender = PR_BYTES("MAILER-DAEMON");
    return pr_buffer_printf(ret, "From %.*s %s %s %2d %02d:%02d:%02d %d\n",
                            (int)sender.size, sender.data, days[date.tm_wday],
                            months[date.tm_mon], date.tm_mday, date.tm_hour,
                            date.tm_min, date.tm_sec, 1900 + date.tm_year);
}

/* ---- Reading ------------------------------------------------------------- */

/* A line's words, from its end: senders may have blanks in them, dates are
 * known. */
struct word {
    const char *data;
    size_t size;
};

#define WORDS_MAX 16

/* The last words of the line, the very last first. */
static size_t split(struct pr_bytes line, struct word words[WORDS_MAX])
{
    size_t count = 0, end = line.size;

    while (count < WORDS_MAX) {
        while (end > 0 &&
               (line.data[end - 1] == ' ' || line.data[end - 1] == '\t' ||
                line.data[end - 1] == '\r'))
            end--;
        size_t begin = end;
        while (begin > 0 && line.data[begin - 1] != ' ' &&
               line.data[begin - 1] != '\t')
            begin--;
        if (begin == end)
            break;
        words[count++] = (struct word){line.data + begin, end - begin};
        end = begin;
    }
    return count;
}

/* A number of just so many digits; -1 if it is none. */
static int digits(const char *text, size_t count)
{
    int number = 0;

    for (size_t i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        number = number * 10 + (text[i] - '0');
    }
    return number;
}

static bool read_time(struct word word, struct tm *ret)
{
    if ((word.size != 5 && word.size != 8) || word.data[2] != ':' ||
        (word.size == 8 && word.data[5] != ':'))
        return false;
    ret->tm_hour = digits(word.data, 2);
    ret->tm_min = digits(word.data + 3, 2);
    ret->tm_sec = word.size == 8 ? digits(word.data + 6, 2) : 0;
    return ret->tm_hour >= 0 && ret->tm_min >= 0 && ret->tm_sec >= 0;
}

static bool read_month(struct word word, struct tm *ret)
{
    for (int i = 0; i < 12; i++)
        if (word.size == 3 && memcmp(word.data, months[i], 3) == 0) {
            ret->tm_mon = i;
            return true;
        }
    return false;
}

static bool read_offset(struct word word, int *ret_minutes)
{
    int hours, minutes;

    if (word.size != 5 || (word.data[0] != '+' && word.data[0] != '-'))
        return false;
    hours = digits(word.data + 1, 2);
    minutes = digits(word.data + 3, 2);
    if (hours < 0 || minutes < 0)
        return false;
    *ret_minutes = (hours * 60 + minutes) * (word.data[0] == '-' ? -1 : 1);
    return true;
}

struct parts {
    struct tm date;
    int offset; /* minutes east of UTC */
    bool has_month, has_time, has_year, has_day;
};

static void read_word(struct word word, struct parts *parts)
{
    struct tm *date = &parts->date;

    if (!parts->has_time && read_time(word, date)) {
        parts->has_time = true;
    } else if (!parts->has_month && read_month(word, date)) {
        parts->has_month = true;
    } else if (!parts->has_year && word.size == 4 &&
               digits(word.data, 4) >= 1970) {
        parts->has_year = true;
        date->tm_year = digits(word.data, 4) - 1900;
    } else if (!parts->has_day && word.size <= 2 &&
               digits(word.data, word.size) > 0) {
        parts->has_day = true;
        date->tm_mday = digits(word.data, word.size);
    } else {
        (void)read_offset(word, &parts->offset);
    }
}

static bool read_parts(struct pr_bytes line, struct parts *ret)
{
    struct word words[WORDS_MAX];

    *ret = (struct parts){.has_month = false};
    if (line.size < 5 || line.size >= FROM_MAX ||
        memcmp(line.data, "From ", 5) != 0)
        return false;
    size_t count =
        split((struct pr_bytes){line.data + 5, line.size - 5}, words);
    for (size_t i = 0; i < count; i++)
        read_word(words[i], ret);
    return ret->has_month && ret->has_time && ret->has_year;
}

bool from_is_line(struct pr_bytes line)
{
    struct parts parts;

    return read_parts(line, &parts);
}

int64_t from_date(struct pr_bytes line)
{
    struct parts parts;

    if (!read_parts(line, &parts) || !parts.has_day)
        return 0;
    return (int64_t)timegm(&parts.date) - (int64_t)parts.offset * 60;
}
