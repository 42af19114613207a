/*
 * Watches folders of IMAP servers by the source alone, and says what it hears:
 * for tests of watching, and to measure what a parked connection costs.
 *
 *   watcher [option=value ...] CONNECTIONS FOLDER...
 *
 * Options: port, ca_file, user ("%" in it is the number of the connection),
 * password, disable (a capability; may be repeated), probe and renew (ms), and
 * trace=1 (the wire, on standard error). Each
 * connection lists the folders, then watches them (the first alone without
 * NOTIFY), and fetches the list of what is new after each news. Lines written:
 *
 *   watching N FOLDERS         connection N waits, for so many folders
 *   news N FOLDER messages
 *   item N FOLDER UID MS        it was listed, MS after the news came
 *   failed N WORDS
 *   memory KIB COUNT           at a line "memory" on standard input: PSS
 *
 * A line "probe" proves all connections, "stop" or the end of standard input
 * ends the watching in good order: "stopped N" for each whose source still
 * works.
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../plugins/imap/descriptor.h"
#include "auth/secret.h"
#include "base/log.h"
#include "fiber/loop.h"
#include "io/stream.h"

#define FOLDERS_MOST 64

static struct {
    unsigned long port, probe, renew;
    const char *ca_file, *user;
    struct pr_secret password;
    const char *disabled[17];
    size_t disabled_count;
    const char *folders[FOLDERS_MOST + 1];
    size_t count;
} setup;

struct watcher {
    unsigned number;
    char user[80];
    struct imap_options options;
    struct pr_log log;
    struct pr_source source;
    uint32_t next[FOLDERS_MOST];
    unsigned news[FOLDERS_MOST];
    pr_time heard;
};

static struct watcher *watchers;

static size_t index_of(const char *folder)
{
    size_t i = 0;

    while (i < setup.count && strcmp(setup.folders[i], folder) != 0)
        i++;
    return i;
}

static void told(void *user, const char *folder, unsigned what)
{
    static const char *const names[] = {"messages", "flags", "vanished",
                                        "folder"};
    struct watcher *watcher = user;
    size_t i = index_of(folder);

    printf("news %u %s", watcher->number, folder);
    for (unsigned bit = 0; bit < 4; bit++)
        if ((what & 1u << bit) != 0)
            printf(" %s", names[bit]);
    printf("\n");
    watcher->heard = pr_now();
    if (i < setup.count)
        watcher->news[i] |= what;
}

struct listing {
    struct watcher *watcher;
    size_t folder;
    bool is_quiet;
};

static pr_status listed(void *user, const struct pr_item *item)
{
    struct listing *listing = user;
    struct watcher *watcher = listing->watcher;

    if (item->uid >= watcher->next[listing->folder])
        watcher->next[listing->folder] = item->uid + 1;
    if (!listing->is_quiet)
        printf("item %u %s %u %llu\n", watcher->number,
               setup.folders[listing->folder], item->uid,
               (unsigned long long)(pr_now() - watcher->heard));
    return PR_OK;
}

static pr_status pass(struct watcher *watcher, size_t i, bool is_quiet)
{
    const struct pr_source_ops *ops = &imap_source_ops;
    struct listing listing = {watcher, i, is_quiet};
    struct pr_mailbox box;
    pr_status status = ops->select(&watcher->source, setup.folders[i], &box);
    struct pr_range rest = {watcher->next[i] > 0 ? watcher->next[i] : 1,
                            UINT32_MAX};

    return status != PR_OK
               ? status
               : ops->list(&watcher->source, &rest, 1, listed, &listing);
}

static pr_status follow(struct watcher *watcher)
{
    const struct pr_source_ops *ops = &imap_source_ops;
    const char *const first[] = {setup.folders[0], NULL};
    struct pr_watch watch = {.wanted = PR_NEWS_MESSAGES | PR_NEWS_FLAGS |
                                       PR_NEWS_VANISHED,
                             .deadline = PR_NEVER,
                             .renew_ms = setup.renew,
                             .probe_ms = setup.probe,
                             .news = told,
                             .user = watcher};
    pr_status status = PR_OK;

    for (size_t i = setup.count; i > 0 && status == PR_OK; i--)
        status = pass(watcher, i - 1, true);
    while (status == PR_OK) {
        bool all = ops->watches(&watcher->source, setup.folders) == setup.count;
        watch.folders = all ? setup.folders : first;
        printf("watching %u %zu\n", watcher->number, all ? setup.count : 1);
        status = ops->watch(&watcher->source, &watch);
        for (size_t i = 0; i < setup.count && status == PR_OK; i++)
            if ((watcher->news[i] & PR_NEWS_MESSAGES) != 0)
                status = pass(watcher, i, false);
        memset(watcher->news, 0, sizeof(watcher->news));
    }
    return status;
}

static pr_status run_one(void *argument)
{
    struct watcher *watcher = argument;
    struct pr_mailbox box;
    pr_status status = imap_source_ops.open(&watcher->source);

    if (status == PR_OK)
        status = follow(watcher);
    if (status != PR_CANCELLED)
        printf("failed %u %s: %s\n", watcher->number, pr_status_name(status),
               pr_last_failure()->text);
    pr_shield_begin();
    if (status == PR_CANCELLED &&
        imap_source_ops.select(&watcher->source, setup.folders[0], &box) ==
            PR_OK)
        printf("stopped %u\n", watcher->number);
    imap_source_ops.close(&watcher->source);
    pr_shield_end();
    return PR_OK;
}

static void prepare(struct watcher *watcher, unsigned number)
{
    const char *mark = strchr(setup.user, '%');
    int before = mark != NULL ? (int)(mark - setup.user) : 0;

    watcher->number = number;
    if (mark != NULL)
        snprintf(watcher->user, sizeof(watcher->user), "%.*s%u%s", before,
                 setup.user, number, mark + 1);
    else
        snprintf(watcher->user, sizeof(watcher->user), "%s", setup.user);
    watcher->options =
        (struct imap_options){.net = {.host = "localhost",
                                      .port = (int64_t)setup.port,
                                      .user = watcher->user,
                                      .password = &setup.password,
                                      .tls = PR_TLS_IMPLICIT,
                                      .ca_file = setup.ca_file,
                                      .disable = setup.disabled,
                                      .timeout = 60000},
                              .window = 300,
                              .window_octets = 1 << 20};
    watcher->log = (struct pr_log){NULL, watcher->user};
    watcher->source = (struct pr_source){.options = &watcher->options,
                                         .log = &watcher->log,
                                         .account = watcher->user,
                                         .read_only = true};
}

/* Of the whole process, in KiB. */
static unsigned long pss(void)
{
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    char line[200];
    unsigned long size = 0;

    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "Pss: %lu", &size) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return size;
}

/* False: it is time to go. */
static bool obey(const char *orders, unsigned count)
{
    if (strstr(orders, "memory") != NULL)
        printf("memory %lu %u\n", pss(), count);
    if (strstr(orders, "probe") != NULL)
        for (unsigned i = 0; i < count; i++)
            imap_source_ops.probe(&watchers[i].source, 1000);
    return strstr(orders, "stop") == NULL;
}

static pr_status run_all(void *argument)
{
    unsigned count = *(unsigned *)argument;
    struct poller *poller;
    struct pr_scope scope;
    char orders[100];
    ssize_t got;

    fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK);
    pr_status status = poller_new(0, &poller);
    pr_scope_init(&scope);
    for (unsigned i = 0; i < count && status == PR_OK; i++) {
        prepare(&watchers[i], i);
        status = pr_spawn(&scope, watchers[i].user, PR_STACK_SESSION, run_one,
                          &watchers[i]);
        if (i % 20 == 19 && status == PR_OK) /* servers have a backlog */
            status = pr_sleep(200);
    }
    while (status == PR_OK) {
        got = read(0, orders, sizeof(orders) - 1);
        if (got > 0)
            orders[got] = '\0';
        if (got == 0 || (got > 0 && !obey(orders, count)))
            break;
        if (got < 0)
            status = poller_wait(poller, false, PR_NEVER);
    }
    poller_free(poller);
    pr_scope_cancel(&scope);
    pr_status ended = pr_scope_join(&scope);
    return status != PR_OK ? status : ended;
}

static void set(const char *name, const char *value)
{
    if (strcmp(name, "port") == 0)
        setup.port = strtoul(value, NULL, 10);
    else if (strcmp(name, "probe") == 0)
        setup.probe = strtoul(value, NULL, 10);
    else if (strcmp(name, "renew") == 0)
        setup.renew = strtoul(value, NULL, 10);
    else if (strcmp(name, "ca_file") == 0)
        setup.ca_file = value;
    else if (strcmp(name, "user") == 0)
        setup.user = value;
    else if (strcmp(name, "password") == 0)
        setup.password = (struct pr_secret){.kind = SECRET_TEXT, .text = value};
    else if (strcmp(name, "disable") == 0 && setup.disabled_count < 16)
        setup.disabled[setup.disabled_count++] = value;
    else if (strcmp(name, "trace") == 0)
        log_set(PR_LOG_TRACE, NULL, NULL);
}

int main(int argc, char **argv)
{
    int at = 1;
    char *equals;

    setvbuf(stdout, NULL, _IOLBF, 0);
    setup.user = "alice";
    for (; at < argc && (equals = strchr(argv[at], '=')) != NULL; at++) {
        *equals = '\0';
        set(argv[at], equals + 1);
    }
    if (argc - at < 2 || argc - at - 1 > FOLDERS_MOST)
        return 2;
    unsigned count = (unsigned)strtoul(argv[at], NULL, 10);
    for (at++; at < argc; at++)
        setup.folders[setup.count++] = argv[at];
    watchers = calloc(count, sizeof(*watchers));
    if (watchers == NULL)
        return 1;
    pr_status status = loop_run(2, run_all, &count);
    free(watchers);
    return status == PR_OK ? 0 : 1;
}
