/*
 * An example of a sink: adds a line to a file for each message it is handed.
 *
 * A line is the delivery key, the size, and where the message came from. It is
 * durable when commit has said so, and never there twice or by half.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postrider/plugin.h>

/* ---- Options ------------------------------------------------------------- */

struct options {
    const char *path;
};

static const struct pr_option options[] = {
    {.name = "path",
     .kind = PR_OPTION_PATH,
     .offset = offsetof(struct options, path),
     .help = "file that a line is added to for each message",
     .required = true,
     .positional = true},
    {0},
};

static const char *path_of(const struct pr_sink *sink)
{
    return ((const struct options *)sink->options)->path;
}

/* ---- Opening ------------------------------------------------------------- */

/* Runs in the thread pool: a new file is durable when its folder is, too. */
static pr_status create_file(void *argument)
{
    const struct pr_sink *sink = argument;
    char folder[4096];
    snprintf(folder, sizeof(folder), "%s", path_of(sink));
    int fd = open(path_of(sink), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return pr_fail_errno(PR_IO, errno, "%s", path_of(sink));
    close(fd);
    fd = open(dirname(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = fd < 0 || fsync(fd) != 0 ? errno : 0;
    if (fd >= 0)
        close(fd);
    return error == 0 ? PR_OK : pr_fail_errno(PR_IO, error, "%s", folder);
}

static pr_status journal_open(struct pr_sink *sink)
{
    return pr_offload(create_file, sink);
}

/* ---- Delivering ---------------------------------------------------------- */

static pr_status journal_stage(struct pr_sink *sink,
                               struct pr_delivery *delivery)
{
    if (delivery->folder[0] != '\0')
        return pr_fail(PR_CONFIG, "a journal has no folders");
    int length = snprintf(delivery->receipt, sizeof(delivery->receipt), "%s",
                          path_of(sink));
    if (length < 0 || (size_t)length >= sizeof(delivery->receipt))
        return pr_fail(PR_CONFIG, "%s: the name is too long", path_of(sink));
    return PR_OK;
}

struct append {
    const char *path;
    struct pr_buffer lines;
};

/* All lines or none: what a full disk cut off is taken back. */
static pr_status write_lines(int fd, const struct append *append)
{
    struct stat before;
    if (flock(fd, LOCK_EX) != 0 || fstat(fd, &before) != 0)
        return pr_fail_errno(PR_IO, errno, "%s", append->path);
    ssize_t written = write(fd, append->lines.data, append->lines.size);
    if (written == (ssize_t)append->lines.size && fsync(fd) == 0)
        return PR_OK;
    pr_status status =
        pr_fail_errno(PR_IO, written < 0 ? errno : ENOSPC, "%s", append->path);
    if (ftruncate(fd, before.st_size) != 0)
        status = pr_fail_errno(PR_IO, errno, "%s is damaged", append->path);
    return status;
}

/* Runs in the thread pool. */
static pr_status append_lines(void *argument)
{
    const struct append *append = argument;
    int fd = open(append->path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0)
        return pr_fail_errno(PR_IO, errno, "%s", append->path);
    pr_status status = write_lines(fd, append);
    close(fd);
    return status;
}

static pr_status journal_commit(struct pr_sink *sink,
                                struct pr_delivery *const *batch, size_t count)
{
    struct append append = {path_of(sink), {.cap = 1024 * 1024}};
    pr_status status = PR_OK;
    for (size_t i = 0; i < count && status == PR_OK; i++)
        status =
            pr_buffer_printf(&append.lines, "%s %llu %s/%s\n", batch[i]->key,
                             (unsigned long long)pr_spool_size(batch[i]->spool),
                             batch[i]->account, batch[i]->source_folder);
    if (status == PR_OK)
        status = pr_offload(append_lines, &append);
    for (size_t i = 0; i < count; i++)
        batch[i]->result = status;
    pr_buffer_done(&append.lines);
    return status;
}

static void journal_abort(struct pr_sink *sink, struct pr_delivery *delivery)
{
    (void)sink;
    (void)delivery;
}

/* ---- After a crash ------------------------------------------------------- */

struct search {
    const char *path, *key;
};

/* Runs in the thread pool. PR_GONE: no line begins with the key. */
static pr_status find_key(void *argument)
{
    const struct search *search = argument;
    FILE *file = fopen(search->path, "re");
    if (file == NULL)
        return pr_fail_errno(errno == ENOENT ? PR_GONE : PR_IO, errno, "%s",
                             search->path);
    size_t size = strlen(search->key), room = 0;
    char *line = NULL;
    pr_status status = PR_GONE;
    while (status == PR_GONE && getline(&line, &room, file) > 0)
        if (strncmp(line, search->key, size) == 0 && line[size] == ' ')
            status = PR_OK;
    free(line);
    fclose(file);
    return status == PR_OK
               ? PR_OK
               : pr_fail(PR_GONE, "%s has no such line", search->path);
}

static pr_status journal_recover(struct pr_sink *sink, const char *key,
                                 const char *receipt)
{
    (void)sink;
    struct search search = {receipt, key};
    return pr_offload(find_key, &search);
}

/* ---- The descriptor ------------------------------------------------------ */

static void journal_describe(const void *given, char *name, size_t size)
{
    const struct options *own = given;
    snprintf(name, size, "journal:%s", own->path);
}

static const struct pr_sink_ops sink_ops = {
    .size = sizeof(sink_ops),
    .open = journal_open,
    .stage = journal_stage,
    .commit = journal_commit,
    .abort = journal_abort,
    .recover = journal_recover,
    .describe = journal_describe,
};

static const struct pr_class journal_class = {
    .size = sizeof(journal_class),
    .role = PR_ROLE_SINK,
    .name = "journal",
    .summary = "adds a line to a file for each message",
    .options = options,
    .options_size = sizeof(struct options),
    .sink = &sink_ops,
};

static const struct pr_class *const classes[] = {&journal_class, NULL};

PR_PLUGIN(journal) = {
    .abi = PR_ABI,
    .size = sizeof(struct pr_plugin),
    .name = "journal",
    .version = "1",
    .license = "MIT",
    .summary = "An example of a sink",
    .classes = classes,
};
