/*
 * The daemon's log: formats, the ring, and those who follow it.
 *
 * One lock guards all of it; it is held for a line's formatting and one write.
 * The eventfd brings the news from any thread to the loop.
 */
#include "config.h"

#include "control/logs.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "control/line.h"
#include "control/repeats.h"
#include "io/file.h"
#include "io/stream.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

enum {
    RING_LINES = 2000,
    LINE_CAP = 16384,
    LEVELS = PR_LOG_TRACE + 1,
    TICK = 5000 /* ms between looks at what repeated itself */
};

struct kept {
    struct line line; /* its texts point into `texts` */
    char *texts;
};

static struct {
    pthread_mutex_t lock;
    enum log_format format;
    enum pr_level level; /* of what is written */
    bool is_colored;
    int journal;       /* socket; -1: none */
    int bell;          /* eventfd; -1: none */
    char **accounts;   /* ended by NULL */
    struct kept *ring; /* RING_LINES; NULL: not open */
    uint64_t next;     /* number of the next line */
    unsigned followers[LEVELS];
    struct repeats repeats;
    struct pr_event news;
} logs = {.lock = PTHREAD_MUTEX_INITIALIZER, .journal = -1, .bell = -1};

static _Thread_local struct pr_buffer *captured;

bool log_format_of_name(const char *name, enum log_format *ret)
{
    static const char *const names[] = {"auto", "text", "json", "journal"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret = (enum log_format)i;
            return true;
        }
    }
    return false;
}

/* ---- Writing ------------------------------------------------------------- */

static void write_line(const struct line *line)
{
    struct pr_buffer out;
    pr_buffer_init(&out, LINE_CAP);
    if (logs.format == LOG_JOURNAL) {
        if (line_add_journal(line, &out) == PR_OK) {
            (void)!send(logs.journal, out.data, out.size,
                        MSG_NOSIGNAL | MSG_DONTWAIT);
        }
    } else {
        pr_status status = logs.format == LOG_JSON
                               ? line_add_json(line, &out)
                               : line_add_text(line, logs.is_colored, &out);
        if (status == PR_OK && logs.format == LOG_JSON) {
            status = pr_buffer_add_text(&out, "\n");
        }
        if (status == PR_OK) {
            (void)!file_write_all(STDERR_FILENO, out.data, out.size,
                                  "standard error");
        }
    }
    pr_buffer_done(&out);
}

/* A copy of the line in the place of the oldest; none if memory is short. */
static void keep(const struct line *line)
{
    size_t who = strlen(line->who) + 1, account = strlen(line->account) + 1,
           text = strlen(line->text) + 1;
    char *texts = memory_alloc(who + account + text);
    if (texts == NULL) {
        return;
    }
    struct kept *kept = &logs.ring[logs.next % RING_LINES];
    memory_free(kept->texts);
    memcpy(texts, line->who, who);
    memcpy(texts + who, line->account, account);
    memcpy(texts + who + account, line->text, text);
    *kept = (struct kept){*line, texts};
    kept->line.who = texts;
    kept->line.account = texts + who;
    kept->line.text = texts + who + account;
    if (line->folder[0] != '\0') {
        kept->line.folder = texts + (line->folder - line->who);
    }
    logs.next++;
    if (logs.bell >= 0) {
        (void)!write(logs.bell, &(uint64_t){1}, sizeof(uint64_t));
    }
}

static void put(enum pr_level level, const char *who, const char *text)
{
    char room[256];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct line line = {
        .time = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000,
        .level = level,
        .who = who,
        .text = text,
    };
    line_place(&line, (const char *const *)logs.accounts, room, sizeof(room));
    if (level <= logs.level) {
        write_line(&line);
    }
    keep(&line);
}

static uint64_t monotonic(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void tell_repeats(bool all)
{
    struct repeat repeat;
    while (repeats_take(&logs.repeats, monotonic(), all, &repeat)) {
        char text[REPEATS_TEXT + 40];
        snprintf(text, sizeof(text), "%s (repeated %u time%s)", repeat.text,
                 repeat.held, repeat.held == 1 ? "" : "s");
        put(repeat.level, repeat.who, text);
    }
}

static void capture(enum pr_level level, const char *who, const char *text)
{
    if (captured != NULL && level <= PR_LOG_WARNING) {
        (void)!pr_buffer_printf(captured, "%s%s%s\n", who,
                                who[0] != '\0' ? ": " : "", text);
    }
}

static void receive(void *user, enum pr_level level, const char *who,
                    const char *text)
{
    (void)user;
    capture(level, who, text);
    pthread_mutex_lock(&logs.lock);
    if (logs.ring != NULL) {
        tell_repeats(false);
        if (level >= PR_LOG_DEBUG ||
            repeats_pass(&logs.repeats, level, who, text, monotonic())) {
            put(level, who, text);
        }
    }
    pthread_mutex_unlock(&logs.lock);
}

void logs_capture(struct pr_buffer *lines)
{
    captured = lines;
}

/* ---- Opening ------------------------------------------------------------- */

/* Does systemd connect standard error to the journal (systemd.exec(5))? */
static bool stderr_is_journal(void)
{
    const char *text = getenv("JOURNAL_STREAM");
    struct stat info;
    char *end;
    if (text == NULL || fstat(STDERR_FILENO, &info) != 0) {
        return false;
    }
    unsigned long long device = strtoull(text, &end, 10);
    return *end == ':' && info.st_dev == device &&
           info.st_ino == strtoull(end + 1, NULL, 10);
}

static int open_journal(void)
{
    const char *path = getenv("POSTRIDER_JOURNAL_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s",
             path != NULL ? path : JOURNAL_SOCKET);
    if (fd >= 0 &&
        connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static pr_status choose(enum log_format format)
{
    bool is_terminal = isatty(STDERR_FILENO) == 1;
    if (format == LOG_JOURNAL || (format == LOG_AUTO && stderr_is_journal())) {
        logs.journal = open_journal();
        if (logs.journal < 0 && format == LOG_JOURNAL) {
            return pr_fail_errno(PR_IO, errno,
                                 "cannot reach the journal's socket "
                                 "(" JOURNAL_SOCKET "); choose another "
                                 "--log-format");
        }
    }
    if (logs.journal >= 0) {
        logs.format = LOG_JOURNAL;
    } else if (format == LOG_AUTO) {
        logs.format = is_terminal ? LOG_TEXT : LOG_JSON;
    } else {
        logs.format = format;
    }
    const char *no_color = getenv("NO_COLOR");
    logs.is_colored = is_terminal && (no_color == NULL || no_color[0] == '\0');
    return PR_OK;
}

pr_status logs_open(enum log_format format, enum pr_level level)
{
    pr_status status = choose(format);
    if (status != PR_OK) {
        return status;
    }
    struct kept *ring = memory_zeroed(RING_LINES, sizeof(*ring));
    logs.bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (ring == NULL || logs.bell < 0) {
        memory_free(ring);
        return pr_fail(PR_NOMEM, "no memory for the log");
    }
    logs.level = level;
    logs.next = 0;
    logs.ring = ring;
    log_set(level, receive, NULL);
    return PR_OK;
}

void logs_close(void)
{
    pthread_mutex_lock(&logs.lock);
    if (logs.ring != NULL) {
        tell_repeats(true);
    }
    for (int i = 0; logs.ring != NULL && i < RING_LINES; i++) {
        memory_free(logs.ring[i].texts);
    }
    memory_free(logs.ring);
    logs.ring = NULL;
    if (logs.journal >= 0) {
        close(logs.journal);
    }
    if (logs.bell >= 0) {
        close(logs.bell);
    }
    logs.journal = logs.bell = -1;
    pthread_mutex_unlock(&logs.lock);
    log_set(PR_LOG_WARNING, NULL, NULL);
    logs_set_accounts(NULL);
}

static void free_names(char **names)
{
    for (char **name = names; name != NULL && *name != NULL; name++) {
        memory_free(*name);
    }
    memory_free(names);
}

void logs_set_accounts(const char *const *names)
{
    size_t count = 0;
    while (names != NULL && names[count] != NULL) {
        count++;
    }
    char **copy = count > 0 ? memory_zeroed(count + 1, sizeof(*copy)) : NULL;
    for (size_t i = 0; copy != NULL && names != NULL && i < count; i++) {
        copy[i] = memory_text(names[i]);
    }
    pthread_mutex_lock(&logs.lock);
    char **old = logs.accounts;
    logs.accounts = copy;
    pthread_mutex_unlock(&logs.lock);
    free_names(old);
}

/* ---- Following ----------------------------------------------------------- */

static void tick(void)
{
    pthread_mutex_lock(&logs.lock);
    tell_repeats(false);
    pthread_mutex_unlock(&logs.lock);
}

pr_status logs_run(void *unused)
{
    struct poller *poller;
    uint64_t rings;
    (void)unused;
    pr_status status = poller_new(logs.bell, &poller);
    if (status != PR_OK) {
        return status;
    }
    while (status == PR_OK || status == PR_TIMEOUT) {
        if (read(logs.bell, &rings, sizeof(rings)) > 0) {
            pr_event_wake_all(&logs.news);
        }
        tick();
        status = poller_wait(poller, false, pr_in(TICK));
    }
    poller_free(poller);
    return status;
}

struct pr_event *logs_news(void)
{
    return &logs.news;
}

/* Lines are made for the most curious. */
static void set_level(void)
{
    enum pr_level most = logs.level;
    for (int level = most; level < LEVELS; level++) {
        if (logs.followers[level] > 0) {
            most = (enum pr_level)level;
        }
    }
    log_set(most, receive, NULL);
}

struct logs_cursor logs_follow(enum pr_level level, unsigned lines)
{
    struct logs_cursor cursor = {0, level};
    pthread_mutex_lock(&logs.lock);
    uint64_t first = logs.next > RING_LINES ? logs.next - RING_LINES : 0;
    cursor.next = logs.next;
    while (lines > 0 && cursor.next > first) {
        cursor.next--;
        lines -= logs.ring[cursor.next % RING_LINES].line.level <= level;
    }
    logs.followers[level]++;
    set_level();
    pthread_mutex_unlock(&logs.lock);
    return cursor;
}

void logs_unfollow(const struct logs_cursor *cursor)
{
    pthread_mutex_lock(&logs.lock);
    logs.followers[cursor->level]--;
    set_level();
    pthread_mutex_unlock(&logs.lock);
}

static pr_status next_line(struct logs_cursor *cursor, struct pr_buffer *out)
{
    while (cursor->next < logs.next) {
        const struct line *line = &logs.ring[cursor->next++ % RING_LINES].line;
        if (line->level <= cursor->level) {
            return line_add_json(line, out);
        }
    }
    return PR_EOF;
}

pr_status logs_next(struct logs_cursor *cursor, struct pr_buffer *out,
                    uint64_t *ret_missed)
{
    pr_status status = PR_EOF;
    *ret_missed = 0;
    pthread_mutex_lock(&logs.lock);
    if (logs.ring != NULL) {
        uint64_t first = logs.next > RING_LINES ? logs.next - RING_LINES : 0;
        if (cursor->next < first) {
            *ret_missed = first - cursor->next;
            cursor->next = first;
        }
        status = next_line(cursor, out);
    }
    pthread_mutex_unlock(&logs.lock);
    return status;
}
