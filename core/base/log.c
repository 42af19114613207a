/*
 * Log lines: made printable here, then handed to one receiver.
 *
 * A line takes no memory but the stack, so that one can be written when there
 * is none left. Any thread may log; a receiver is called on that thread.
 */
#include "config.h"

#include "base/log.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/text.h"

enum { LINE_MAX_OCTETS = 2048, WHO_MAX_OCTETS = 256 };

static atomic_int wanted_level = PR_LOG_INFO;
static log_receiver *receive; /* NULL: standard error */
static void *receive_user;

void log_set(enum pr_level level, log_receiver *receiver, void *user)
{
    receive = receiver;
    receive_user = user;
    atomic_store(&wanted_level, (int)level);
}

const char *log_level_name(enum pr_level level)
{
    static const char *const names[] = {
        [PR_LOG_ERROR] = "error", [PR_LOG_WARNING] = "warning",
        [PR_LOG_INFO] = "info",   [PR_LOG_DEBUG] = "debug",
        [PR_LOG_TRACE] = "trace",
    };

    if ((size_t)level >= sizeof names / sizeof *names)
        return "unknown";
    return names[level];
}

bool pr_log_wants(enum pr_level level)
{
    return (int)level <=
           atomic_load_explicit(&wanted_level, memory_order_relaxed);
}

/* "work/INBOX" into out[size], which holds a text already; the root first. */
static void add_names(const struct pr_log *log, char *out, size_t size)
{
    size_t length;

    if (log == NULL)
        return;
    add_names(log->parent, out, size);
    if (log->name == NULL || log->name[0] == '\0')
        return;
    length = strlen(out);
    snprintf(out + length, size - length, "%s%s", length != 0 ? "/" : "",
             log->name);
}

static struct iovec piece(const char *text)
{
    return (struct iovec){(void *)(uintptr_t)text, strlen(text)};
}

static void write_to_stderr(enum pr_level level, const char *who,
                            const char *text)
{
    bool plain = level == PR_LOG_INFO;
    struct iovec line[] = {
        piece(plain ? "" : log_level_name(level)),
        piece(plain ? "" : ": "),
        piece(who),
        piece(who[0] != '\0' ? ": " : ""),
        piece(text),
        piece("\n"),
    };
    /* One write, so that lines of several threads do not mix. */
    ssize_t written = writev(STDERR_FILENO, line, sizeof line / sizeof *line);

    (void)written;
}

void pr_log(const struct pr_log *log, enum pr_level level, const char *format,
            ...)
{
    char raw[LINE_MAX_OCTETS + 1], text[LINE_MAX_OCTETS];
    char raw_who[WHO_MAX_OCTETS] = "", who[WHO_MAX_OCTETS];
    va_list list;
    int size;

    if (!pr_log_wants(level))
        return;
    va_start(list, format);
    size = vsnprintf(raw, sizeof raw, format, list);
    va_end(list);
    if (size < 0)
        return;
    /* `raw` is the larger, so what had no room in it is cut and marked here. */
    text_printable(pr_bytes_of(raw), text, sizeof text);
    add_names(log, raw_who, sizeof raw_who);
    text_printable(pr_bytes_of(raw_who), who, sizeof who);
    if (receive != NULL)
        receive(receive_user, level, who, text);
    else
        write_to_stderr(level, who, text);
}
