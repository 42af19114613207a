/*
 * Reading secrets where they live.
 *
 * Every buffer a secret passes through is made whole at once, since one that
 * grows leaves copies behind, and is overwritten before it is freed.
 */
#include "config.h"

#include "auth/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "auth/cache.h"
#include "base/memory.h"
#include "io/file.h"
#include "io/program.h"

#define SECRET_SIZE_MAX (64 * 1024)

static pr_status make_whole(struct pr_buffer *buffer)
{
    pr_buffer_init(buffer, SECRET_SIZE_MAX);
    if (pr_buffer_reserve(buffer, SECRET_SIZE_MAX) == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    return PR_OK;
}

void pr_secret_wipe(struct pr_buffer *buffer)
{
    if (buffer->data != NULL)
        explicit_bzero(buffer->data, buffer->allocated);
    pr_buffer_done(buffer);
}

/* Leaves the first line, without its end. */
static void cut_first_line(struct pr_buffer *buffer)
{
    const char *end = memchr(pr_buffer_text(buffer), '\n', buffer->size);

    if (end == NULL)
        return;
    size_t size = (size_t)(end - buffer->data);
    if (size > 0 && buffer->data[size - 1] == '\r')
        size--;
    explicit_bzero(buffer->data + size, buffer->size - size);
    buffer->size = size;
}

static pr_status last_line(const struct pr_buffer *complaint, const char **ret,
                           size_t *ret_size)
{
    const char *text = pr_buffer_text(complaint);
    size_t end = complaint->size, start;

    while (end > 0 && (text[end - 1] == '\n' || text[end - 1] == '\r'))
        end--;
    for (start = end; start > 0 && text[start - 1] != '\n'; start--)
        continue;
    *ret = text + start;
    *ret_size = end - start;
    return end > start ? PR_OK : PR_EOF;
}

static pr_status program_failed(const struct program_run *run)
{
    const char *line;
    size_t size;

    if (last_line(&run->complaint, &line, &size) != PR_OK)
        return pr_fail(PR_IO, "%s ended with status %d", run->argv[0],
                       run->exit_status);
    return pr_fail(PR_IO, "%s ended with status %d: %.*s", run->argv[0],
                   run->exit_status, (int)size, line);
}

static pr_status read_program(const struct pr_secret *secret,
                              struct pr_buffer *ret)
{
    struct program_run run = {
        .argv = secret->argv,
        .input_file = -1,
        .output_cap = SECRET_SIZE_MAX,
        .deadline =
            pr_in(secret->timeout != 0 ? secret->timeout : SECRET_TIMEOUT),
        .output = *ret,
    };

    pr_status status = program_run(&run);
    *ret = run.output;
    if (status == PR_OK && run.exit_status != 0)
        status = program_failed(&run);
    pr_secret_wipe(&run.complaint);
    return status;
}

struct file_job {
    const char *path;
    struct pr_buffer *into;
};

static pr_status read_file(void *argument)
{
    const struct file_job *job = argument;

    if (file_is_open_to_others(job->path))
        return pr_fail(PR_CONFIG,
                       "%s holds a secret and others can read it; run: "
                       "chmod 600 %s",
                       job->path, job->path);
    return file_read(job->path, job->into);
}

static pr_status read_variable(const char *name, struct pr_buffer *ret)
{
    const char *value = getenv(name);

    if (value == NULL)
        return pr_fail(PR_CONFIG, "the environment variable %s is not set",
                       name);
    return pr_buffer_add_text(ret, value);
}

static pr_status read_raw(const struct pr_secret *secret, struct pr_buffer *ret)
{
    pr_status status = PR_OK;

    switch (secret->kind) {
    case SECRET_TEXT:
        return pr_buffer_add_text(ret, secret->text);
    case SECRET_ENV:
        return read_variable(secret->text, ret);
    case SECRET_EXEC:
        status = read_program(secret, ret);
        break;
    case SECRET_FILE:
        status = pr_offload(read_file, &(struct file_job){secret->text, ret});
        break;
    }
    if (status == PR_OK)
        cut_first_line(ret);
    return status;
}

/* The name of a secret's place, never the secret. */
static const char *place_of(const struct pr_secret *secret)
{
    switch (secret->kind) {
    case SECRET_EXEC:
        return secret->argv[0];
    case SECRET_FILE:
    case SECRET_ENV:
        return secret->text;
    default:
        return "the configuration";
    }
}

static pr_status check(const struct pr_secret *secret,
                       const struct pr_buffer *buffer)
{
    const char *text = pr_buffer_text(buffer);

    if (buffer->size == 0)
        return pr_fail(PR_CONFIG, "the secret from %s is empty",
                       place_of(secret));
    if (memchr(text, '\0', buffer->size) != NULL ||
        memchr(text, '\r', buffer->size) != NULL ||
        memchr(text, '\n', buffer->size) != NULL)
        return pr_fail(PR_CONFIG,
                       "the secret from %s has a NUL, CR or LF in it, which no "
                       "protocol can carry",
                       place_of(secret));
    return PR_OK;
}

pr_status secret_read_anew(const struct pr_secret *secret,
                           struct pr_buffer *ret)
{
    pr_status status = make_whole(ret);

    if (status == PR_OK)
        status = read_raw(secret, ret);
    if (status == PR_OK)
        status = check(secret, ret);
    if (status != PR_OK)
        pr_secret_wipe(ret);
    return status;
}

static pr_status read_kept(const struct pr_secret *secret,
                           struct pr_buffer *ret)
{
    pr_status status = make_whole(ret);

    if (status == PR_OK)
        status = secret_from_cache(secret, ret);
    if (status != PR_OK)
        pr_secret_wipe(ret);
    return status;
}

pr_status pr_secret_read(const struct pr_secret *secret, struct pr_buffer *ret)
{
    bool is_program = secret->kind == SECRET_EXEC;

    if (is_program && (secret->argv == NULL || secret->argv[0] == NULL))
        return pr_fail(PR_CONFIG, "no program is named for a secret");
    return is_program && secrets_are_kept() ? read_kept(secret, ret)
                                            : secret_read_anew(secret, ret);
}

bool secret_equals(const struct pr_secret *a, const struct pr_secret *b)
{
    size_t i = 0;

    if (a == NULL || b == NULL)
        return a == b;
    if (a->kind != b->kind || a->timeout != b->timeout)
        return false;
    if (a->kind != SECRET_EXEC)
        return strcmp(a->text, b->text) == 0;
    while (a->argv[i] != NULL && b->argv[i] != NULL &&
           strcmp(a->argv[i], b->argv[i]) == 0)
        i++;
    return a->argv[i] == NULL && b->argv[i] == NULL;
}
