/*
 * What sinks that cannot be asked afterwards say of each delivery: begun, done.
 *
 * A file for each account, DIRECTORY/journal/ACCOUNT: a line for the boot it
 * was begun in, then one of fixed size for each word of a sink. Where the disk
 * had no room for a whole line, the next one stands right behind its piece: so
 * words are looked for from the ends of lines. It is written
 * without fsync, so it outlives the process but maybe not a power cut; the
 * first line tells the one from the other. After a power cut, a delivery
 * without a word is in doubt; else it was never begun.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <postrider/crash.h>

#include "base/memory.h"
#include "io/digest.h"
#include "io/file.h"
#include "state/private.h"

#define BOOT_SIZE 40 /* of the first line: a UUID, filled up with blanks */
#define LINE_SIZE (1 + 2 * DIGEST_SIZE + 1)
#define BEGUN 'b'
#define DONE 'd'
#define UNDONE 'u' /* it failed, and that is known */
#define JOURNAL_CAP ((size_t)256 * 1024 * 1024)

struct pr_journal {
    char *path;
    int fd;                /* -1: not open */
    struct pr_buffer past; /* the file as far as it was read */
    bool is_of_this_boot;
};

/* ---- Lines --------------------------------------------------------------- */

static pr_status write_line(char word, const char *sink, const char *folder,
                            const char *key, char line[LINE_SIZE + 1])
{
    unsigned char digest[DIGEST_SIZE];
    struct digest *making;
    pr_status status = digest_new(&making);

    if (status == PR_OK)
        status = digest_add(making, sink, strlen(sink) + 1);
    if (status == PR_OK)
        status = digest_add(making, folder, strlen(folder) + 1);
    if (status == PR_OK)
        status = digest_add(making, key, strlen(key) + 1);
    digest_end(making, status == PR_OK ? digest : NULL);
    if (status != PR_OK)
        return status;
    line[0] = word;
    for (size_t i = 0; i < DIGEST_SIZE; i++)
        (void)snprintf(line + 1 + 2 * i, 3, "%02x", digest[i]);
    line[LINE_SIZE - 1] = '\n';
    line[LINE_SIZE] = '\0';
    return PR_OK;
}

static void read_boot(char ret[BOOT_SIZE + 1])
{
    struct pr_buffer id = {.cap = BOOT_SIZE - 1};

    memset(ret, ' ', BOOT_SIZE);
    if (file_read("/proc/sys/kernel/random/boot_id", &id) == PR_OK)
        memcpy(ret, id.data, strcspn(pr_buffer_text(&id), "\n"));
    ret[BOOT_SIZE - 1] = '\n';
    ret[BOOT_SIZE] = '\0';
    pr_buffer_done(&id);
}

/* ---- Opening ------------------------------------------------------------- */

/* Empty but for its first line. */
static pr_status start_anew(struct pr_journal *journal)
{
    char boot[BOOT_SIZE + 1];

    pr_buffer_clear(&journal->past);
    read_boot(boot);
    if (ftruncate(journal->fd, 0) != 0)
        return pr_fail_errno(PR_IO, errno, "%s", journal->path);
    return file_write_all(journal->fd, boot, BOOT_SIZE, journal->path);
}

/* What was written since it was last read. */
static pr_status read_on(struct pr_journal *journal)
{
    struct pr_buffer *past = &journal->past;
    struct stat found;

    if (fstat(journal->fd, &found) != 0)
        return pr_fail_errno(PR_IO, errno, "%s", journal->path);
    size_t size = (size_t)found.st_size;
    while (past->size < size) {
        size_t left = size - past->size;
        char *room = pr_buffer_reserve(past, left);
        if (room == NULL)
            return pr_last_failure()->status;
        ssize_t got = pread(journal->fd, room, left, (off_t)past->size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return pr_fail_errno(PR_IO, got < 0 ? errno : EIO, "cannot read %s",
                                 journal->path);
        pr_buffer_grew(past, (size_t)got);
    }
    return PR_OK;
}

/* Where the last line ends that does so before `size`, or at it. */
static size_t end_of_lines(const struct pr_journal *journal, size_t size)
{
    const char *words = journal->past.data + BOOT_SIZE;
    const char *end = memrchr(words, '\n', size - BOOT_SIZE);

    return end == NULL ? BOOT_SIZE : BOOT_SIZE + (size_t)(end + 1 - words);
}

/* What was left by earlier runs. A line that was cut off counts for nothing:
 * what it was to say goes before the step it speaks of. */
static pr_status read_past(struct pr_journal *journal)
{
    char boot[BOOT_SIZE + 1];

    pr_buffer_init(&journal->past, JOURNAL_CAP);
    pr_status status = read_on(journal);
    if (status != PR_OK)
        return status;
    read_boot(boot);
    journal->is_of_this_boot = journal->past.size >= BOOT_SIZE &&
                               boot[0] != ' ' &&
                               memcmp(journal->past.data, boot, BOOT_SIZE) == 0;
    if (journal->past.size < BOOT_SIZE)
        return start_anew(journal);
    size_t whole = end_of_lines(journal, journal->past.size);
    if (whole == journal->past.size)
        return PR_OK;
    if (ftruncate(journal->fd, (off_t)whole) != 0)
        return pr_fail_errno(PR_IO, errno, "%s", journal->path);
    pr_buffer_clear(&journal->past);
    return read_on(journal);
}

pr_status state_journal_open(struct state *state, const char *account,
                             struct pr_journal **ret)
{
    struct pr_journal *journal = memory_zeroed(1, sizeof(*journal));
    if (journal == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    journal->fd = -1;
    pr_status status =
        state_account_path(state, "journal", account, &journal->path);
    if (status == PR_OK) {
        journal->fd =
            open(journal->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (journal->fd < 0)
            status = pr_fail_errno(PR_IO, errno, "%s", journal->path);
    }
    if (status == PR_OK)
        status = read_past(journal);
    if (status != PR_OK) {
        state_journal_close(journal);
        return status;
    }
    *ret = journal;
    return PR_OK;
}

void state_journal_close(struct pr_journal *journal)
{
    if (journal == NULL)
        return;
    if (journal->fd >= 0)
        (void)close(journal->fd);
    pr_buffer_done(&journal->past);
    free(journal->path);
    memory_free(journal);
}

bool state_journal_is_empty(const struct pr_journal *journal)
{
    struct stat found;

    return journal->is_of_this_boot && fstat(journal->fd, &found) == 0 &&
           found.st_size == BOOT_SIZE;
}

pr_status state_journal_clear(struct pr_journal *journal)
{
    return start_anew(journal);
}

/* ---- Asking -------------------------------------------------------------- */

/* The last line of the same delivery; NULL: there is none. */
static const char *find_word(const struct pr_journal *journal,
                             const char line[LINE_SIZE + 1])
{
    size_t end = end_of_lines(journal, journal->past.size);

    while (end >= BOOT_SIZE + LINE_SIZE) {
        const char *at = journal->past.data + end - LINE_SIZE;
        if (memcmp(at + 1, line + 1, LINE_SIZE - 1) == 0)
            return at;
        end = end_of_lines(journal, end - 1);
    }
    return NULL;
}

enum state_word state_journal_ask(struct pr_journal *journal, const char *sink,
                                  const char *folder, const char *key)
{
    char line[LINE_SIZE + 1];

    if (write_line(BEGUN, sink, folder, key, line) != PR_OK ||
        read_on(journal) != PR_OK || journal->past.size < BOOT_SIZE)
        return WORD_UNKNOWN;
    const char *word = find_word(journal, line);
    if (word == NULL)
        return journal->is_of_this_boot ? WORD_NONE : WORD_UNKNOWN;
    return *word == DONE ? WORD_DONE : *word == UNDONE ? WORD_NONE : WORD_BEGUN;
}

/* ---- Telling ------------------------------------------------------------- */

static pr_status tell(const struct pr_delivery *delivery, char word)
{
    char line[LINE_SIZE + 1];
    const struct pr_journal *journal = delivery->journal;

    if (journal == NULL)
        return PR_OK;
    pr_status status =
        write_line(word, delivery->sink,
                   delivery->place != NULL ? delivery->place : delivery->folder,
                   delivery->key, line);
    if (status != PR_OK)
        return status;
    return file_write_all(journal->fd, line, LINE_SIZE, journal->path);
}

pr_status pr_delivery_begin(struct pr_delivery *delivery)
{
    pr_crash_point("delivery not begun");
    pr_status status = tell(delivery, BEGUN);

    pr_crash_point("delivery begun");
    return status;
}

void pr_delivery_end(struct pr_delivery *delivery, pr_status result)
{
    delivery->result = result;
    if (result != PR_OK)
        memcpy(delivery->failure, pr_last_failure()->text,
               sizeof(delivery->failure));
    pr_crash_point("delivery in doubt");
    /* Without that word the delivery stays in doubt, which loses nothing. */
    if (result != PR_DOUBT)
        (void)!tell(delivery, result == PR_OK ? DONE : UNDONE);
    pr_crash_point("delivery ended");
}
