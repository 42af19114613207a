/*
 * Unnamed files that spools have done with, kept for the next ones.
 *
 * Those of one directory are kept: the one that was last asked for.
 */
#include "config.h"

#include "mail/spare.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "io/file.h"

#define SPARE_MOST 64

static struct {
    pthread_mutex_t lock;
    char *directory; /* owned */
    int files[SPARE_MOST];
    size_t count;
} spare = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool is_kept_for(const char *directory)
{
    return spare.directory != NULL && strcmp(spare.directory, directory) == 0;
}

static void close_all(void)
{
    while (spare.count > 0)
        close(spare.files[--spare.count]);
    memory_free(spare.directory);
    spare.directory = NULL;
}

static int take_kept(const char *directory)
{
    int fd = -1;
    pthread_mutex_lock(&spare.lock);
    if (is_kept_for(directory) && spare.count > 0)
        fd = spare.files[--spare.count];
    pthread_mutex_unlock(&spare.lock);
    return fd;
}

pr_status spare_take(const char *directory, int *ret_fd)
{
    int fd = take_kept(directory);
    if (fd < 0)
        return file_open_unnamed(directory, ret_fd);
    *ret_fd = fd;
    return PR_OK;
}

/* Without memory for the directory's name nothing is kept. */
static bool keep(const char *directory, int fd)
{
    if (!is_kept_for(directory)) {
        close_all();
        spare.directory = memory_text(directory);
    }
    if (spare.directory == NULL || spare.count == SPARE_MOST)
        return false;
    spare.files[spare.count++] = fd;
    return true;
}

void spare_give(const char *directory, int fd)
{
    bool is_kept = false;
    if (ftruncate(fd, 0) == 0) {
        pthread_mutex_lock(&spare.lock);
        is_kept = keep(directory, fd);
        pthread_mutex_unlock(&spare.lock);
    }
    if (!is_kept)
        close(fd);
}

void spare_close_all(void)
{
    pthread_mutex_lock(&spare.lock);
    close_all();
    pthread_mutex_unlock(&spare.lock);
}
