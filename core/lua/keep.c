/*
 * Entries in memory for the keys that rules have asked for lately, with the
 * steps that are pending for them.
 *
 * The database is asked only for an entry on which no step is pending, so what
 * it answers never has half of a step in it. An entry without pending steps is
 * good for a second, because another process may have changed it since.
 */
#include <config.h>

#include "lua/keep.h"

#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "mail/message.h"

#define BUCKETS 4096
#define GOOD_FOR 1000      /* ms, against other processes */
#define ENTRIES_MOST 20000 /* without pending steps, in memory */
#define OCTETS_MOST (16 * 1024 * 1024)

struct keep_step {
    struct kept_step step;
    struct message *message;
    struct keep_entry *entry;
    struct keep_step *next;         /* of the entry */
    struct keep_step *next_of_kind; /* of the message */
    int64_t taken;
};

struct keep_entry {
    enum kept_table table;
    char *key;
    size_t key_size;
    struct kept base; /* without what is pending */
    bool is_loaded;
    pr_time loaded;
    unsigned version; /* of base and steps */
    unsigned users;
    struct keep_step *first, **end;
    struct keep_entry *next; /* in the bucket */
};

struct keep {
    struct state *state;
    bool is_trial;
    size_t count, octets;
    struct keep_entry *buckets[BUCKETS];
};

/* What a message has pending; its `kept`. */
struct pending {
    struct keep *keep;
    struct keep_step *first, **end;
    struct keep_step *reply; /* of those, the one that its reply stands for */
};

int64_t keep_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

pr_status keep_new(struct keep **ret)
{
    *ret = memory_zeroed(1, sizeof **ret);
    return *ret != NULL ? PR_OK : pr_fail(PR_NOMEM, "out of memory");
}

void keep_attach(struct keep *keep, struct state *state, bool is_trial)
{
    keep->state = state;
    keep->is_trial = is_trial;
}

/* ---- Entries ------------------------------------------------------------- */

static size_t octets_of(const struct keep_entry *entry)
{
    return sizeof *entry + entry->key_size + entry->base.octets.allocated;
}

static void entry_free(struct keep_entry *entry)
{
    kept_done(&entry->base);
    memory_free(entry->key);
    memory_free(entry);
}

void keep_free(struct keep *keep)
{
    if (keep == NULL)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        while (keep->buckets[i] != NULL) {
            struct keep_entry *entry = keep->buckets[i];

            keep->buckets[i] = entry->next;
            entry_free(entry);
        }
    }
    memory_free(keep);
}

/* FNV-1a. Keys come from mail, but the chains stay short anyway: there are at
 * most ENTRIES_MOST, and those of one hash are as many as someone sends. */
static size_t bucket_of(enum kept_table table, struct pr_bytes key)
{
    uint64_t hash = 14695981039346656037u ^ (uint64_t)table;

    for (size_t i = 0; i < key.size; i++)
        hash = (hash ^ (unsigned char)key.data[i]) * 1099511628211u;
    return (size_t)((hash ^ hash >> 32) % BUCKETS);
}

/* Drops every entry that nobody needs. */
static void make_room(struct keep *keep)
{
    if (keep->is_trial ||
        (keep->count < ENTRIES_MOST && keep->octets < OCTETS_MOST))
        return;
    keep->count = keep->octets = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        struct keep_entry **at = &keep->buckets[i];

        while (*at != NULL) {
            struct keep_entry *entry = *at;

            if (entry->users > 0 || entry->first != NULL ||
                keep->state == NULL) {
                keep->count++;
                keep->octets += octets_of(entry);
                at = &entry->next;
            } else {
                *at = entry->next;
                entry_free(entry);
            }
        }
    }
}

static struct keep_entry *entry_new(struct keep *keep, enum kept_table table,
                                    struct pr_bytes key)
{
    struct keep_entry *entry = memory_zeroed(1, sizeof *entry);

    if (entry == NULL)
        return NULL;
    entry->key = memory_alloc(key.size + 1);
    if (entry->key == NULL) {
        memory_free(entry);
        return NULL;
    }
    memcpy(entry->key, key.data, key.size);
    entry->key_size = key.size;
    entry->table = table;
    entry->end = &entry->first;
    keep->count++;
    keep->octets += octets_of(entry);
    return entry;
}

static struct keep_entry *find_entry(struct keep *keep, enum kept_table table,
                                     struct pr_bytes key)
{
    struct keep_entry **bucket, *entry;

    make_room(keep);
    bucket = &keep->buckets[bucket_of(table, key)];
    for (entry = *bucket; entry != NULL; entry = entry->next)
        if (entry->table == table &&
            pr_bytes_equal((struct pr_bytes){entry->key, entry->key_size}, key))
            return entry;
    entry = entry_new(keep, table, key);
    if (entry == NULL)
        return NULL;
    entry->next = *bucket;
    return *bucket = entry;
}

/* ---- Asking -------------------------------------------------------------- */

static bool is_good(const struct keep *keep, const struct keep_entry *entry)
{
    return entry->first != NULL || keep->state == NULL ||
           (entry->is_loaded &&
            (keep->is_trial || pr_now() - entry->loaded < GOOD_FOR));
}

/* Waits. What was changed meanwhile is newer than the answer. */
static pr_status load(struct keep *keep, struct keep_entry *entry)
{
    unsigned version = entry->version;
    struct kept kept = {0};
    pr_status status =
        state_kept(keep->state, entry->table,
                   (struct pr_bytes){entry->key, entry->key_size}, &kept);

    if (status == PR_OK && entry->version == version) {
        kept_done(&entry->base);
        entry->base = kept;
        entry->is_loaded = true;
        entry->loaded = pr_now();
        keep->octets += kept.octets.allocated;
    } else {
        kept_done(&kept);
    }
    return status;
}

/* The base with all that is pending. */
static pr_status whole(const struct keep_entry *entry, struct kept *ret)
{
    pr_status status = kept_copy(ret, &entry->base);

    for (struct keep_step *step = entry->first; status == PR_OK && step != NULL;
         step = step->next) {
        kept_expire(ret, step->taken);
        status = kept_take(ret, &step->step);
    }
    if (status != PR_OK)
        kept_done(ret);
    else
        kept_expire(ret, keep_now());
    return status;
}

pr_status keep_ask(struct keep *keep, enum kept_table table,
                   struct pr_bytes key, struct keep_entry **ret_entry,
                   struct kept *ret)
{
    struct keep_entry *entry = find_entry(keep, table, key);
    pr_status status = PR_OK;

    if (entry == NULL)
        return pr_fail(PR_NOMEM, "out of memory for what rules keep");
    entry->users++;
    *ret = (struct kept){0};
    if (!is_good(keep, entry))
        status = load(keep, entry);
    if (status == PR_OK)
        status = whole(entry, ret);
    if (status == PR_OK)
        *ret_entry = entry;
    else
        entry->users--;
    return status;
}

void keep_leave(struct keep *keep, struct keep_entry *entry)
{
    (void)keep;
    entry->users--;
}

/* ---- Steps --------------------------------------------------------------- */

static pr_status step_new(struct keep_entry *entry, struct message *message,
                          const struct kept_step *like, struct keep_step **ret)
{
    struct keep_step *step = memory_zeroed(1, sizeof *step);
    pr_status status;

    if (step == NULL)
        return pr_fail(PR_NOMEM, "out of memory for what rules keep");
    step->step = *like;
    step->step.value.octets = (struct pr_buffer){0};
    status = kept_copy(&step->step.value, &like->value);
    if (status != PR_OK) {
        memory_free(step);
        return status;
    }
    step->entry = entry;
    step->message = message;
    step->taken = keep_now();
    *ret = step;
    return PR_OK;
}

static void step_free(struct keep_step *step)
{
    kept_done(&step->step.value);
    memory_free(step);
}

/* The step becomes part of the base. Out of memory, the database is asked again
 * when it is needed. */
static void settle(struct keep *keep, struct keep_entry *entry,
                   const struct keep_step *step)
{
    size_t before = octets_of(entry);

    entry->version++;
    kept_expire(&entry->base, step->taken);
    if (kept_take(&entry->base, &step->step) != PR_OK)
        entry->is_loaded = false;
    keep->octets += octets_of(entry) - before;
}

static pr_status take_at_once(struct keep *keep, struct keep_entry *entry,
                              const struct keep_step *step)
{
    struct state_changes *changes;
    pr_status status = PR_OK;

    if (keep->state != NULL && !keep->is_trial) {
        status = state_begin(keep->state, &changes);
        if (status != PR_OK)
            return status;
        state_keep(changes, entry->table,
                   (struct pr_bytes){entry->key, entry->key_size}, &step->step,
                   step->taken);
        status = state_commit(changes);
    }
    if (status == PR_OK)
        settle(keep, entry, step);
    return status;
}

static void drop_pending(struct message *message)
{
    keep_forget(message);
}

static struct pending *pending_of(struct keep *keep, struct message *message)
{
    struct pending *pending = message->kept;

    if (pending != NULL)
        return pending;
    pending = pr_arena_alloc(message->arena, sizeof *pending);
    if (pending == NULL)
        return NULL;
    pending->keep = keep;
    pending->end = &pending->first;
    message->kept = pending;
    message->drop_kept = drop_pending;
    return pending;
}

pr_status keep_step(struct keep *keep, struct keep_entry *entry,
                    struct message *message, const struct kept_step *like)
{
    struct pending *pending = NULL;
    struct keep_step *step = NULL;
    pr_status status;

    if (message != NULL && (pending = pending_of(keep, message)) == NULL)
        return PR_NOMEM;
    status = step_new(entry, message, like, &step);
    if (status != PR_OK)
        return status;
    if (pending == NULL) {
        status = take_at_once(keep, entry, step);
        step_free(step);
        return status;
    }
    *entry->end = step;
    entry->end = &step->next;
    entry->version++;
    *pending->end = step;
    pending->end = &step->next_of_kind;
    return PR_OK;
}

pr_status keep_step_of_reply(struct keep *keep, struct keep_entry *entry,
                             struct message *message,
                             const struct kept_step *like)
{
    pr_status status = keep_step(keep, entry, message, like);
    struct keep_step *step = entry->first;

    if (status != PR_OK)
        return status;
    while (step->next != NULL)
        step = step->next;
    ((struct pending *)message->kept)->reply = step;
    return PR_OK;
}

bool keep_has_step(const struct keep_entry *entry,
                   const struct message *message)
{
    for (const struct keep_step *step = entry->first; step != NULL;
         step = step->next)
        if (step->message == message)
            return true;
    return false;
}

/* ---- What becomes of them ------------------------------------------------ */

void keep_note(struct message *message, struct state_changes *changes)
{
    struct pending *pending = message->kept;

    for (struct keep_step *step = pending != NULL ? pending->first : NULL;
         step != NULL; step = step->next_of_kind)
        state_keep(changes, step->entry->table,
                   (struct pr_bytes){step->entry->key, step->entry->key_size},
                   &step->step, step->taken);
}

static void unlink_step(struct keep_step *step)
{
    struct keep_entry *entry = step->entry;
    struct keep_step **at = &entry->first;

    while (*at != step)
        at = &(*at)->next;
    *at = step->next;
    if (step->next == NULL)
        entry->end = at;
    entry->version++;
}

void keep_drop_reply(struct message *message)
{
    struct pending *pending = message->kept;
    struct keep_step **at;

    if (pending == NULL || pending->reply == NULL)
        return;
    for (at = &pending->first; *at != pending->reply;)
        at = &(*at)->next_of_kind;
    *at = pending->reply->next_of_kind;
    if (*at == NULL)
        pending->end = at;
    unlink_step(pending->reply);
    step_free(pending->reply);
    pending->reply = NULL;
}

static void end_pending(struct message *message, bool is_noted)
{
    struct pending *pending = message->kept;
    struct keep_step *step = pending != NULL ? pending->first : NULL;

    message->kept = NULL;
    while (step != NULL) {
        struct keep_step *next = step->next_of_kind;

        unlink_step(step);
        if (is_noted)
            settle(pending->keep, step->entry, step);
        step_free(step);
        step = next;
    }
}

void keep_noted(struct message *message)
{
    end_pending(message, true);
}

void keep_forget(struct message *message)
{
    end_pending(message, false);
}
