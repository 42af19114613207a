/*
 * Opening and closing the state, the locks of accounts, and whose turn it is.
 *
 * The files: DIRECTORY/state.db with its -wal and -shm, DIRECTORY/lock/,
 * DIRECTORY/journal/.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "io/file.h"
#include "state/private.h"

/* How long one process waits for the commit of another. */
#define BUSY_MS 20000
/* Times 10 ms: how long for another that makes the database right now. */
#define WAL_TRIES 500

static char *join(const char *directory, const char *name)
{
    char *path = NULL;

    if (asprintf(&path, "%s/%s", directory, name) < 0) {
        pr_fail(PR_NOMEM, "out of memory");
        return NULL;
    }
    return path;
}

/* SQLite would make the file with the umask's mode; its -wal and -shm take the
 * mode of the file. */
static pr_status make_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return pr_fail_errno(PR_IO, errno, "cannot open the state %s", path);
    close(fd);
    return PR_OK;
}

/* A new file's name, and its folder's, survive a power cut. */
static pr_status make_place(const char *directory, const char *path)
{
    struct stat found;

    if (stat(path, &found) == 0 && found.st_size > 0)
        return PR_OK;
    pr_status status = file_make_dirs(directory);
    if (status == PR_OK)
        status = make_file(path);
    if (status == PR_OK)
        status = file_sync_dir(directory);
    char *above = status == PR_OK ? join(directory, "..") : NULL;
    if (status == PR_OK)
        status = above != NULL ? file_sync_dir(above) : PR_NOMEM;
    free(above);
    return status;
}

/* The pragmas of this connection. A commit is one fsync of the -wal file, which
 * is copied into the database every 8 MB or so: seldom enough not to be felt,
 * often enough that the file stays small. */
static const char settings[] = "PRAGMA synchronous = FULL;"
                               "PRAGMA cache_size = -2000;"
                               "PRAGMA temp_store = MEMORY;"
                               "PRAGMA wal_autocheckpoint = 2000;"
                               "PRAGMA journal_size_limit = 16777216;"
                               "PRAGMA trusted_schema = OFF;";

/* Changing to WAL does not wait for others that do so at this moment. */
static int set_wal(sqlite3 *db)
{
    int error = SQLITE_BUSY;

    for (int tries = 0; error == SQLITE_BUSY && tries < WAL_TRIES; tries++) {
        if (tries > 0)
            usleep(10000);
        error = sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
    }
    return error;
}

static pr_status connect(struct state *state)
{
    int error = sqlite3_open_v2(state->path, &state->db,
                                SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                                    SQLITE_OPEN_EXRESCODE,
                                NULL);

    if (state->db == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    if (error == SQLITE_OK)
        error = sqlite3_busy_timeout(state->db, BUSY_MS);
    if (error == SQLITE_OK)
        error = sqlite3_exec(state->db, settings, NULL, NULL, NULL);
    return error == SQLITE_OK ? PR_OK : state_fail(state, error);
}

static pr_status open_database(struct state *state)
{
    int version = 0;
    pr_status status = connect(state);

    /* Before anything is written to it. */
    if (status == PR_OK)
        status = schema_check(state, schema_version, &version);
    if (status != PR_OK)
        return status;
    int error = set_wal(state->db);
    if (error != SQLITE_OK)
        return state_fail(state, error);
    return schema_migrate(state, schema_steps, schema_version);
}

bool state_is_there(const char *directory)
{
    char *path = join(directory, "state.db");
    bool is_there = path != NULL && access(path, F_OK) == 0;

    free(path);
    return is_there;
}

pr_status state_open(const char *directory, struct state **ret)
{
    struct state *state = memory_zeroed(1, sizeof(*state));

    if (state == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    state->queue_end = &state->queue;
    state->directory = memory_text(directory);
    state->path = join(directory, "state.db");
    pr_status status = state->directory != NULL && state->path != NULL
                           ? make_place(directory, state->path)
                           : pr_fail(PR_NOMEM, "out of memory");
    if (status == PR_OK)
        status = open_database(state);
    if (status == PR_OK)
        *ret = state;
    else
        state_close(state);
    return status;
}

void state_close(struct state *state)
{
    if (state == NULL)
        return;
    statements_done(state);
    sqlite3_close(state->db);
    memory_free(state->directory);
    free(state->path);
    memory_free(state);
}

/* ---- The lock of an account ---------------------------------------------- */

struct state_lock {
    int fd;
};

/* A file name for any account: letters, digits, "-" and "_" stay, any other
 * octet becomes %XX. */
static pr_status escape(const char *account, char *name, size_t size)
{
    size_t used = 0;

    for (const char *c = account; *c != '\0'; c++) {
        bool is_plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                        (*c >= '0' && *c <= '9') || *c == '-' || *c == '_';
        if (used + 4 > size)
            return pr_fail(PR_CONFIG, "the account name %.40s... is too long",
                           account);
        if (is_plain)
            name[used++] = *c;
        else
            used += (size_t)snprintf(name + used, 4, "%%%02X",
                                     (unsigned)(unsigned char)*c);
    }
    name[used] = '\0';
    return PR_OK;
}

pr_status state_account_path(struct state *state, const char *kind,
                             const char *account, char **ret)
{
    char name[200];
    pr_status status = escape(account, name, sizeof(name));
    char *directory = NULL, *path = NULL;

    if (status == PR_OK) {
        directory = join(state->directory, kind);
        status = directory != NULL ? file_make_dirs(directory) : PR_NOMEM;
    }
    if (status == PR_OK &&
        asprintf(&path, "%s/%s.%s", directory, name, kind) < 0)
        status = pr_fail(PR_NOMEM, "out of memory");
    free(directory);
    if (status == PR_OK)
        *ret = path;
    return status;
}

pr_status state_lock_account(struct state *state, const char *account,
                             struct state_lock **ret)
{
    char *path = NULL;
    struct state_lock *lock = memory_zeroed(1, sizeof(*lock));
    pr_status status = lock != NULL
                           ? state_account_path(state, "lock", account, &path)
                           : pr_fail(PR_NOMEM, "out of memory");

    if (status == PR_OK)
        status = file_lock(path, &lock->fd);
    free(path);
    if (status == PR_OK)
        *ret = lock;
    else
        memory_free(lock);
    if (status == PR_BUSY)
        return pr_context(status, "another postrider is at work on %s",
                          account);
    return status;
}

void state_unlock_account(struct state_lock *lock)
{
    if (lock == NULL)
        return;
    file_unlock(lock->fd);
    memory_free(lock);
}
