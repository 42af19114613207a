/*
 * The words of failures: where they are kept and how they are made.
 *
 * Words are formatted beside the slot and then copied, because the arguments of
 * a pr_fail() may come out of the slot itself.
 */
#include "config.h"

#include "base/failure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static _Thread_local struct pr_failure own_slot;
static _Thread_local struct pr_failure *slot;

struct pr_failure *failure_slot(void)
{
    return slot != NULL ? slot : &own_slot;
}

struct pr_failure *failure_use_slot(struct pr_failure *new_slot)
{
    struct pr_failure *old = failure_slot();

    slot = new_slot;
    return old;
}

/* Octets 0 to size - 1; a NUL follows them. */
static void make_one_line(char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        unsigned char next = (unsigned char)text[i + 1];

        if (c < 0x20 || c == 0x7f)
            text[i] = '?';
        else if (c == 0xc2 && next >= 0x80 && next <= 0x9f)
            text[i] = text[i + 1] = '?'; /* U+0080 to U+009F */
    }
}

/* The size without a last UTF-8 character that was cut. */
static size_t without_broken_end(const char *text, size_t size)
{
    size_t start = size;
    unsigned char c;

    while (start > 0 && size - start < 3 && text_goes_on(text[start - 1]))
        start--;
    if (start == 0)
        return size;
    c = (unsigned char)text[start - 1];
    if ((c >= 0xf0 && size - start < 3) || (c >= 0xe0 && size - start < 2) ||
        (c >= 0xc0 && size - start < 1))
        return start - 1;
    return size;
}

/* Both append to `text`, an array of PR_FAILURE_MAX that holds `size` octets,
 * and return how many it holds then. */
static size_t append(char *text, size_t size, const char *format, ...)
    PR_PRINTF(3, 4);
static size_t append_list(char *text, size_t size, const char *format,
                          va_list list) PR_PRINTF(3, 0);

static size_t append_list(char *text, size_t size, const char *format,
                          va_list list)
{
    int wanted = vsnprintf(text + size, PR_FAILURE_MAX - size, format, list);

    if (wanted < 0) {
        text[size] = '\0';
        return size;
    }
    if ((size_t)wanted < PR_FAILURE_MAX - size)
        return size + (size_t)wanted;
    size = without_broken_end(text, PR_FAILURE_MAX - 1);
    text[size] = '\0';
    return size;
}

static size_t append(char *text, size_t size, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    size = append_list(text, size, format, list);
    va_end(list);
    return size;
}

static pr_status keep(pr_status status, char *text, size_t size)
{
    struct pr_failure *failure = failure_slot();

    make_one_line(text, size);
    memcpy(failure->text, text, size);
    failure->text[size] = '\0';
    failure->status = status;
    return status;
}

pr_status pr_fail(pr_status status, const char *format, ...)
{
    char text[PR_FAILURE_MAX];
    va_list list;
    size_t size;

    va_start(list, format);
    size = append_list(text, 0, format, list);
    va_end(list);
    return keep(status, text, size);
}

static pr_status sharpen(pr_status status, int error)
{
    if (status != PR_IO)
        return status;
    if (error == ENOSPC || error == EDQUOT)
        return PR_FULL;
    return error == ENOMEM ? PR_NOMEM : status;
}

pr_status pr_fail_errno(pr_status status, int error, const char *format, ...)
{
    char text[PR_FAILURE_MAX];
    va_list list;
    size_t size;

    va_start(list, format);
    size = append_list(text, 0, format, list);
    va_end(list);
    errno = error;
    size = append(text, size, ": %m"); /* unlike strerror, for all threads */
    return keep(sharpen(status, error), text, size);
}

pr_status pr_context(pr_status status, const char *format, ...)
{
    const struct pr_failure *failure = failure_slot();
    char text[PR_FAILURE_MAX];
    va_list list;
    size_t size;

    va_start(list, format);
    size = append_list(text, 0, format, list);
    va_end(list);
    /* Words of another failure than the one passed on would mislead. */
    size = append(text, size, ": %s",
                  failure->status == status ? failure->text
                                            : pr_status_name(status));
    return keep(status, text, size);
}

const struct pr_failure *pr_last_failure(void)
{
    return failure_slot();
}

pr_status failure_raise(const struct pr_failure *failure)
{
    struct pr_failure *here = failure_slot();

    if (here != failure) {
        here->status = failure->status;
        memcpy(here->text, failure->text, strlen(failure->text) + 1);
    }
    return here->status;
}

const char *pr_status_name(pr_status status)
{
    static const char *const names[] = {
        [PR_OK] = "ok",
        [PR_CANCELLED] = "cancelled",
        [PR_TIMEOUT] = "timeout",
        [PR_EOF] = "eof",
        [PR_NOMEM] = "nomem",
        [PR_NETWORK] = "network",
        [PR_TLS] = "tls",
        [PR_AUTH] = "auth",
        [PR_PROTOCOL] = "protocol",
        [PR_REFUSED] = "refused",
        [PR_LATER] = "later",
        [PR_LIMIT] = "limit",
        [PR_CONFIG] = "config",
        [PR_IO] = "io",
        [PR_FULL] = "full",
        [PR_BUSY] = "busy",
        [PR_GONE] = "gone",
        [PR_SCRIPT] = "script",
        [PR_DOUBT] = "doubt",
        [PR_UNSUPPORTED] = "unsupported",
        [PR_BUG] = "bug",
    };

    if ((size_t)status >= sizeof names / sizeof *names)
        return "unknown";
    return names[status];
}
