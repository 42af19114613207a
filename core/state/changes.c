/*
 * Changes in the making: recorded in memory, applied in a transaction.
 *
 * Each kind of change is a record that begins with struct change, the call that
 * fills it in, and the function that applies it.
 */
#include "config.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "state/private.h"

/* A reason is for people: so much of it is enough. */
#define REASON_CAP 500

pr_status state_begin(struct state *state, struct state_changes **ret)
{
    struct pr_arena *arena = pr_arena_new();

    if (arena == NULL)
        return PR_NOMEM;
    struct state_changes *changes = pr_arena_alloc(arena, sizeof(*changes));
    if (changes == NULL) {
        pr_arena_free(arena);
        return PR_NOMEM;
    }
    changes->state = state;
    changes->arena = arena;
    changes->end = &changes->first;
    *ret = changes;
    return PR_OK;
}

void state_drop(struct state_changes *changes)
{
    if (changes != NULL)
        pr_arena_free(changes->arena);
}

static void fail(struct state_changes *changes)
{
    if (changes->failure.status == PR_OK)
        changes->failure = *pr_last_failure();
}

void *change_add(struct state_changes *changes, size_t size, int64_t folder,
                 uint32_t uid,
                 pr_status (*apply)(struct state *, const struct change *))
{
    struct change *change = changes->failure.status == PR_OK
                                ? pr_arena_alloc(changes->arena, size)
                                : NULL;

    if (change == NULL) {
        fail(changes);
        return NULL;
    }
    *change = (struct change){.apply = apply, .folder = folder, .uid = uid};
    *changes->end = change;
    changes->end = &change->next;
    return change;
}

const char *change_bytes(struct state_changes *changes, struct pr_bytes bytes)
{
    const char *copy = pr_arena_bytes(changes->arena, bytes);

    if (copy == NULL)
        fail(changes);
    return copy;
}

const char *change_text(struct state_changes *changes, const char *text,
                        size_t cap)
{
    if (text == NULL)
        return NULL;
    size_t size = text_cut(text, strnlen(text, cap + 1), cap);
    return change_bytes(changes, (struct pr_bytes){text, size});
}

static const char *keep(struct state_changes *changes, const char *text)
{
    return change_text(changes, text, TEXT_CAP);
}

/* ---- Rows ---------------------------------------------------------------- */

struct row_change {
    struct change change;
    bool drops_deliveries;
    struct state_row row;
    struct state_delivery *deliveries; /* of an intent */
    size_t count;
};

static pr_status with_key(struct state *state, enum statement_id id,
                          const struct change *change)
{
    struct statement statement = statement_for(state, id);

    bind_int(&statement, change->folder);
    bind_int(&statement, change->uid);
    return statement_run(&statement);
}

/* What is zero takes less room as NULL, and reads back as zero. */
static void bind_some(struct statement *statement, int64_t value)
{
    if (value != 0)
        bind_int(statement, value);
    else
        bind_text(statement, NULL);
}

static void bind_debt(struct statement *statement,
                      const struct state_debt *debt)
{
    bind_some(statement, debt->set.system);
    bind_text(statement, debt->set.keywords);
    bind_some(statement, debt->clear.system);
    bind_text(statement, debt->clear.keywords);
    bind_text(statement, debt->copy_to);
    bind_text(statement, debt->move_to);
    bind_some(statement, debt->remove);
    bind_some(statement, debt->due);
}

static bool print_is_known(const struct state_row *row)
{
    static const unsigned char zero[STATE_PRINT_SIZE];
    return memcmp(row->print, zero, sizeof(zero)) != 0;
}

static pr_status put_row(struct state *state, const struct change *change,
                         const struct state_row *row)
{
    struct statement statement = statement_for(state, SQL_MESSAGE_PUT);

    bind_int(&statement, change->folder);
    bind_int(&statement, row->uid);
    bind_int(&statement, row->stage);
    bind_int(&statement, (int64_t)row->size);
    bind_int(&statement, row->received);
    if (print_is_known(row))
        bind_octets(&statement, row->print, sizeof(row->print));
    else
        bind_text(&statement, NULL);
    bind_text(&statement, row->uidl);
    bind_some(&statement, row->tries);
    bind_some(&statement, row->due);
    bind_text(&statement, row->reason);
    bind_debt(&statement, &row->debt);
    bind_some(&statement, row->debt.guard);
    bind_text(&statement, row->debt.rule);
    bind_text(&statement, row->debt.file);
    bind_some(&statement, row->debt.line);
    bind_some(&statement, row->rule_tries);
    bind_text(&statement, row->debt.label);
    bind_text(&statement, row->debt.unlabel);
    return statement_run(&statement);
}

static pr_status apply_row(struct state *state, const struct change *change)
{
    const struct row_change *it = (const struct row_change *)change;
    pr_status status = put_row(state, change, &it->row);

    if (status == PR_OK && it->drops_deliveries)
        status = with_key(state, SQL_DELIVERIES_DELETE, change);
    return status;
}

static pr_status put_delivery(struct state *state, const struct change *change,
                              const struct state_delivery *delivery)
{
    struct statement statement = statement_for(state, SQL_DELIVERY_PUT);

    bind_int(&statement, change->folder);
    bind_int(&statement, change->uid);
    bind_text(&statement, delivery->sink);
    bind_text(&statement, delivery->folder);
    bind_text(&statement, delivery->key);
    bind_text(&statement, delivery->receipt);
    bind_int(&statement, delivery->is_done);
    return statement_run(&statement);
}

static pr_status apply_intent(struct state *state, const struct change *change)
{
    const struct row_change *it = (const struct row_change *)change;
    pr_status status = put_row(state, change, &it->row);

    if (status == PR_OK)
        status = with_key(state, SQL_DELIVERIES_DELETE_UNDONE, change);
    for (size_t i = 0; status == PR_OK && i < it->count; i++)
        status = put_delivery(state, change, &it->deliveries[i]);
    return status;
}

static void copy_debt(struct state_changes *changes, struct state_debt *debt)
{
    debt->set.keywords = keep(changes, debt->set.keywords);
    debt->clear.keywords = keep(changes, debt->clear.keywords);
    debt->copy_to = keep(changes, debt->copy_to);
    debt->move_to = keep(changes, debt->move_to);
    debt->label = keep(changes, debt->label);
    debt->unlabel = keep(changes, debt->unlabel);
    debt->rule = keep(changes, debt->rule);
    debt->file = keep(changes, debt->file);
}

static struct row_change *
add_row(struct state_changes *changes, int64_t folder,
        const struct state_row *row, enum state_stage stage,
        pr_status (*apply)(struct state *, const struct change *))
{
    struct row_change *it =
        change_add(changes, sizeof(*it), folder, row->uid, apply);

    if (it == NULL)
        return NULL;
    it->row = *row;
    it->row.stage = stage;
    it->row.uidl = keep(changes, row->uidl);
    it->row.reason = change_text(changes, row->reason, REASON_CAP);
    copy_debt(changes, &it->row.debt);
    return it;
}

void state_intend(struct state_changes *changes, int64_t folder,
                  const struct state_row *row,
                  const struct state_delivery *deliveries, size_t count)
{
    struct row_change *it =
        add_row(changes, folder, row, STAGE_INTENT, apply_intent);

    if (it == NULL || count == 0)
        return;
    it->deliveries =
        pr_arena_array(changes->arena, count, sizeof(*it->deliveries));
    if (it->deliveries == NULL) {
        fail(changes);
        return;
    }
    it->count = count;
    for (size_t i = 0; i < count; i++)
        it->deliveries[i] = (struct state_delivery){
            .sink = keep(changes, deliveries[i].sink),
            .folder = keep(changes, deliveries[i].folder),
            .key = keep(changes, deliveries[i].key),
            .receipt = keep(changes, deliveries[i].receipt),
            .is_done = deliveries[i].is_done,
        };
}

void state_safe(struct state_changes *changes, int64_t folder,
                const struct state_row *row)
{
    struct row_change *it =
        add_row(changes, folder, row, row->stage, apply_row);

    if (it == NULL)
        return;
    it->drops_deliveries = true;
    /* What was put aside is so no longer. */
    it->row.tries = it->row.rule_tries = 0;
    it->row.due = 0;
    it->row.reason = NULL;
}

void state_deferred(struct state_changes *changes, int64_t folder,
                    const struct state_row *row)
{
    (void)add_row(changes, folder, row, STAGE_DEFERRED, apply_row);
}

/* ---- What needs no more than a key --------------------------------------- */

struct delivered_change {
    struct change change;
    const char *sink, *sink_folder;
    const char *receipt; /* of one that is not done */
};

static pr_status apply_delivered(struct state *state,
                                 const struct change *change)
{
    const struct delivered_change *it = (const struct delivered_change *)change;
    struct statement statement = statement_for(state, SQL_DELIVERY_DONE);

    bind_int(&statement, change->folder);
    bind_int(&statement, change->uid);
    bind_text(&statement, it->sink);
    bind_text(&statement, it->sink_folder);
    return statement_run(&statement);
}

void state_delivered(struct state_changes *changes, int64_t folder,
                     const struct state_row *row, const char *sink,
                     const char *sink_folder)
{
    struct delivered_change *it =
        change_add(changes, sizeof(*it), folder, row->uid, apply_delivered);

    if (it == NULL)
        return;
    it->sink = keep(changes, sink);
    it->sink_folder = keep(changes, sink_folder);
}

static pr_status apply_receipt(struct state *state, const struct change *change)
{
    const struct delivered_change *it = (const struct delivered_change *)change;
    struct statement statement = statement_for(state, SQL_DELIVERY_RECEIPT);

    bind_text(&statement, it->receipt);
    bind_int(&statement, change->folder);
    bind_int(&statement, change->uid);
    bind_text(&statement, it->sink);
    bind_text(&statement, it->sink_folder);
    return statement_run(&statement);
}

void state_receipt(struct state_changes *changes, int64_t folder, uint32_t uid,
                   const struct state_delivery *delivery)
{
    struct delivered_change *it =
        change_add(changes, sizeof(*it), folder, uid, apply_receipt);

    if (it == NULL)
        return;
    it->sink = keep(changes, delivery->sink);
    it->sink_folder = keep(changes, delivery->folder);
    it->receipt = keep(changes, delivery->receipt);
}

struct debt_change {
    struct change change;
    struct state_debt debt;
};

static pr_status apply_owe(struct state *state, const struct change *change)
{
    const struct debt_change *it = (const struct debt_change *)change;
    struct statement statement = statement_for(state, SQL_MESSAGE_OWE);

    bind_debt(&statement, &it->debt);
    bind_text(&statement, it->debt.label);
    bind_text(&statement, it->debt.unlabel);
    bind_int(&statement, change->folder);
    bind_int(&statement, change->uid);
    return statement_run(&statement);
}

void state_owe(struct state_changes *changes, int64_t folder, uint32_t uid,
               const struct state_debt *debt)
{
    struct debt_change *it =
        change_add(changes, sizeof(*it), folder, uid, apply_owe);

    if (it == NULL)
        return;
    it->debt = *debt;
    copy_debt(changes, &it->debt);
}

static pr_status apply_settled(struct state *state, const struct change *change)
{
    return with_key(state, SQL_MESSAGE_SETTLE, change);
}

static pr_status apply_forget(struct state *state, const struct change *change)
{
    pr_status status = with_key(state, SQL_MESSAGE_DELETE, change);

    if (status == PR_OK)
        status = with_key(state, SQL_DELIVERIES_DELETE, change);
    return status;
}

void state_settled(struct state_changes *changes, int64_t folder, uint32_t uid,
                   bool forget)
{
    (void)change_add(changes, sizeof(struct change), folder, uid,
                     forget ? apply_forget : apply_settled);
}

struct known_change {
    struct change change;
    const char *uidl;
    uint64_t size;
    int64_t due;
};

static pr_status apply_known(struct state *state, const struct change *change)
{
    const struct known_change *it = (const struct known_change *)change;
    struct statement statement = statement_for(state, SQL_MESSAGE_KNOWN);

    bind_text(&statement, it->uidl);
    bind_int(&statement, (int64_t)it->size);
    bind_some(&statement, it->due);
    bind_int(&statement, change->folder);
    bind_int(&statement, change->uid);
    return statement_run(&statement);
}

void state_known(struct state_changes *changes, int64_t folder,
                 const struct state_row *row)
{
    struct known_change *it =
        change_add(changes, sizeof(*it), folder, row->uid, apply_known);

    if (it == NULL)
        return;
    it->uidl = keep(changes, row->uidl);
    it->size = row->size;
    it->due = row->due;
}

void state_forget(struct state_changes *changes, int64_t folder, uint32_t uid)
{
    (void)change_add(changes, sizeof(struct change), folder, uid, apply_forget);
}

/* ---- Folders ------------------------------------------------------------- */

struct folder_change {
    struct change change;
    uint32_t value;
};

static pr_status set_folder(struct state *state, enum statement_id id,
                            const struct change *change)
{
    struct statement statement = statement_for(state, id);

    bind_int(&statement, ((const struct folder_change *)change)->value);
    bind_int(&statement, change->folder);
    return statement_run(&statement);
}

static pr_status apply_watermark(struct state *state,
                                 const struct change *change)
{
    return set_folder(state, SQL_FOLDER_WATERMARK, change);
}

static pr_status of_folder(struct state *state, enum statement_id id,
                           const struct change *change)
{
    struct statement statement = statement_for(state, id);

    bind_int(&statement, change->folder);
    return statement_run(&statement);
}

static pr_status apply_validity(struct state *state,
                                const struct change *change)
{
    pr_status status = of_folder(state, SQL_MESSAGES_DELETE, change);

    if (status == PR_OK)
        status = of_folder(state, SQL_DELIVERIES_DELETE_ALL, change);
    if (status == PR_OK)
        status = set_folder(state, SQL_FOLDER_VALIDITY, change);
    return status;
}

static void
add_folder(struct state_changes *changes, int64_t folder, uint32_t value,
           pr_status (*apply)(struct state *, const struct change *))
{
    struct folder_change *it =
        change_add(changes, sizeof(*it), folder, 0, apply);

    if (it != NULL)
        it->value = value;
}

void state_watermark(struct state_changes *changes, int64_t folder,
                     uint32_t watermark)
{
    add_folder(changes, folder, watermark, apply_watermark);
}

void state_new_validity(struct state_changes *changes, int64_t folder,
                        uint32_t uidvalidity)
{
    add_folder(changes, folder, uidvalidity, apply_validity);
}
