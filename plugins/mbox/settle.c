/*
 * What is to happen in an mbox with messages that are safe elsewhere: removed,
 * flagged.
 *
 * The mbox is rewritten in its place, from the first message on that changes,
 * through the journal: a new file under its name would lose what a program is
 * about to append that has the old one open, and with it owner and mode.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "letter.h"
#include "mend.h"
#include "octets.h"
#include "source.h"

struct change {
    struct scan_message *message;
    struct pr_deed *deed;
};

struct settling {
    struct mbox_source *mbox;
    struct pr_deed *deeds;
    size_t count;
    struct mbox_file file;
    struct journal journal;
    struct change *changes; /* in order of place */
    size_t changed;
    struct pr_buffer fields; /* the flags of the message being written */
    bool is_out;             /* they are written */
    char last[2];            /* octets put of it */
};

/* ---- Flags --------------------------------------------------------------- */

static bool has_word(const char *words, const char *word, size_t size)
{
    const char *at = words;

    while (at != NULL && (at = strstr(at, word)) != NULL) {
        bool begins = at == words || at[-1] == ' ';
        if (begins && (at[size] == ' ' || at[size] == '\0'))
            return true;
        at += size;
    }
    return false;
}

/* Adds the words of `from` that are not in `without`, nor there already. */
static pr_status add_words(struct pr_buffer *to, const char *from,
                           const char *without)
{
    pr_status status = PR_OK;

    while (status == PR_OK && from != NULL && *from != '\0') {
        size_t size = strcspn(from, " ");
        char word[200];
        if (size > 0 && size < sizeof(word)) {
            memcpy(word, from, size);
            word[size] = '\0';
            if ((without == NULL || !has_word(without, word, size)) &&
                !has_word(pr_buffer_text(to), word, size))
                status =
                    pr_buffer_printf(to, "%s%s", to->size > 0 ? " " : "", word);
        }
        from += size + (from[size] == ' ');
    }
    return status;
}

static pr_status make_fields(const struct change *change, struct pr_buffer *ret)
{
    const struct scan_message *message = change->message;
    const struct pr_deed *deed = change->deed;
    struct pr_buffer keywords = {.cap = 4000};
    pr_status status =
        add_words(&keywords, message->keywords, deed->clear.keywords);

    if (status == PR_OK)
        status = add_words(&keywords, deed->set.keywords, NULL);
    struct pr_flags flags = {(message->flags | deed->set.system) &
                                 ~deed->clear.system,
                             pr_buffer_text(&keywords)};
    pr_buffer_clear(ret);
    if (status == PR_OK)
        status = letter_flags(&flags, ret);
    pr_buffer_done(&keywords);
    return status;
}

/* ---- One message with other flags ---------------------------------------- */

static pr_status put(struct settling *settling, const char *data, size_t size)
{
    for (size_t i = size > 2 ? size - 2 : 0; i < size; i++) {
        settling->last[0] = settling->last[1];
        settling->last[1] = data[i];
    }
    return journal_put(&settling->journal, data, size);
}

static pr_status put_from(void *user, uint64_t at, struct pr_bytes line)
{
    pr_status status = put(user, line.data, line.size);

    (void)at;
    return status == PR_OK ? put(user, "\n", 1) : status;
}

static pr_status leave_out(void *user, struct pr_bytes name,
                           struct pr_bytes value)
{
    (void)user, (void)name, (void)value;
    return PR_OK;
}

static pr_status put_fields(void *user)
{
    struct settling *settling = user;

    if (settling->last[1] != '\n') {
        pr_status status = put(settling, "\n", 1);
        if (status != PR_OK)
            return status;
    }
    return put(settling, settling->fields.data, settling->fields.size);
}

static pr_status put_octets(void *user, const char *data, size_t size)
{
    return put(user, data, size);
}

static pr_status put_end(void *user, uint64_t at)
{
    struct settling *settling = user;
    pr_status status = PR_OK;

    (void)at;
    if (settling->last[1] != '\n')
        status = put(settling, "\n", 1);
    return status == PR_OK ? put(settling, "\n", 1) : status;
}

static const struct split_calls calls = {put_from, leave_out, put_fields,
                                         put_octets, put_end};

/* ---- Rewriting: in a job ------------------------------------------------- */

typedef pr_status take_block(void *user, const char *data, size_t size);

static pr_status read_part(const struct settling *settling, uint64_t at,
                           uint64_t end, take_block *take, void *user)
{
    char *block = malloc(OCTETS_BLOCK);
    pr_status status =
        block != NULL ? PR_OK : pr_fail(PR_NOMEM, "out of memory");

    while (status == PR_OK && at < end) {
        uint64_t rest = end - at;
        size_t part = rest < OCTETS_BLOCK ? (size_t)rest : OCTETS_BLOCK;
        int error = octets_read(settling->file.fd, at, block, part);
        status = error == 0 ? take(user, block, part)
                            : file_fail(&settling->file, error, "read");
        at += part;
    }
    free(block);
    return status;
}

static pr_status take_raw(void *user, const char *data, size_t size)
{
    return journal_put(&((struct settling *)user)->journal, data, size);
}

static pr_status take_split(void *user, const char *data, size_t size)
{
    return split_add(user, data, size);
}

static pr_status put_changed(struct settling *settling,
                             const struct change *change)
{
    const struct scan_message *message = change->message;
    struct split *split;
    pr_status status = PR_OK;

    if (change->deed->remove)
        return PR_OK;
    split = malloc(sizeof(*split));
    if (split == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    split_init(split, &calls, settling, SPLIT_RAW, UNQUOTE_MBOXRD, message->at);
    status = make_fields(change, &settling->fields);
    if (status == PR_OK)
        status =
            read_part(settling, message->at, message->end, take_split, split);
    if (status == PR_OK)
        status = split_end(split);
    free(split);
    return status;
}

static pr_status write_new(struct settling *settling)
{
    uint64_t at = settling->changes[0].message->at;
    pr_status status =
        journal_begin(&settling->journal, 2, at, settling->file.size);

    for (size_t i = 0; status == PR_OK && i < settling->changed; i++) {
        const struct change *change = &settling->changes[i];
        status =
            read_part(settling, at, change->message->at, take_raw, settling);
        if (status == PR_OK)
            status = put_changed(settling, change);
        at = change->message->end;
    }
    if (status == PR_OK)
        status =
            read_part(settling, at, settling->file.size, take_raw, settling);
    if (status != PR_OK) {
        journal_drop(&settling->journal);
        return status;
    }
    return mend_replace(&settling->file, &settling->journal);
}

/* ---- What is to change --------------------------------------------------- */

static bool has_flags(const struct pr_flags *flags)
{
    return (flags->system & ~(unsigned)PR_FLAG_RECENT) != 0 ||
           (flags->keywords != NULL && *flags->keywords != '\0');
}

static int by_place(const void *a, const void *b)
{
    const struct change *left = a, *right = b;

    return left->message->at < right->message->at
               ? -1
               : left->message->at > right->message->at;
}

/* One that is gone is removed; its flags are not set. */
static void collect(struct settling *settling)
{
    for (size_t i = 0; i < settling->count; i++) {
        struct pr_deed *deed = &settling->deeds[i];
        if (deed->result != PR_DOUBT)
            continue;
        struct scan_message *message = source_find(settling->mbox, deed->item);
        if (message != NULL)
            settling->changes[settling->changed++] =
                (struct change){message, deed};
        else
            deed->result = deed->remove ? PR_OK : PR_GONE;
    }
    qsort(settling->changes, settling->changed, sizeof(struct change),
          by_place);
}

static pr_status rewrite(struct settling *settling)
{
    pr_status status = journal_open(&settling->journal, &settling->file, NULL);

    if (status == PR_OK)
        status = mend_pending(&settling->file, &settling->journal);
    if (status == PR_OK)
        status = source_rescan(settling->mbox, &settling->file);
    if (status == PR_OK)
        collect(settling);
    if (status == PR_OK && settling->changed > 0)
        status = write_new(settling);
    journal_close(&settling->journal);
    return status;
}

static pr_status rewrite_job(void *argument)
{
    struct settling *settling = argument;
    pr_status status = PR_OK;

    settling->changes = calloc(settling->count, sizeof(*settling->changes));
    if (settling->changes == NULL)
        status = pr_fail(PR_NOMEM, "out of memory");
    if (status == PR_OK)
        status = rewrite(settling);
    free(settling->changes);
    pr_buffer_done(&settling->fields);
    file_close(&settling->file);
    return status;
}

/* ---- The operation ------------------------------------------------------- */

static size_t open_deeds(const struct pr_source *source, struct pr_deed *deeds,
                         size_t count)
{
    size_t open = 0;

    for (size_t i = 0; i < count; i++) {
        struct pr_deed *deed = &deeds[i];
        bool asks =
            deed->remove || has_flags(&deed->set) || has_flags(&deed->clear);
        if (deed->copy_to != NULL || deed->move_to != NULL)
            deed->result =
                pr_fail(PR_UNSUPPORTED, "an mbox cannot copy or move messages");
        else if (asks && source->read_only)
            deed->result = pr_fail(PR_REFUSED, "the account is read-only");
        else
            deed->result = asks ? PR_DOUBT : PR_OK;
        open += deed->result == PR_DOUBT;
    }
    return open;
}

pr_status source_settle(struct pr_source *source, struct pr_deed *deeds,
                        size_t count)
{
    struct mbox_source *mbox = source->state;
    struct settling *settling;
    pr_status status = PR_OK;

    if (open_deeds(source, deeds, count) == 0)
        return PR_OK;
    settling = calloc(1, sizeof(*settling));
    if (settling == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    settling->mbox = mbox;
    settling->deeds = deeds;
    settling->count = count;
    settling->fields.cap = 8192;
    status = file_open(&settling->file, &mbox->owner, mbox->path, FILE_WRITE);
    if (status == PR_OK)
        status = pr_offload(rewrite_job, settling);
    free(settling);
    for (size_t i = 0; i < count; i++)
        if (deeds[i].result == PR_DOUBT)
            deeds[i].result = status;
    return status;
}
