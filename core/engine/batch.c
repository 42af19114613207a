/*
 * Decided messages on their way to sinks and state, many at a time.
 *
 * The order is the promise of the program, and this is the one place that has
 * it:
 *
 *   1. stage       each sink says where each message will be (its receipt)
 *   2. intent      the state notes that; durable
 *   3. commit      each sink makes its messages durable
 *   4. safe        the state notes that; durable
 *   5. owed        the server's part is queued for session_settle
 *
 * A crash between any two steps is mended by recover.c. Once begun, a batch is
 * not ended by cancellation. If it is given up, what a sink had in hand stays
 * an intent, as after a crash.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "engine/parts.h"

struct batch {
    struct session *session;
    struct letter *first, **last;
    size_t count;
    uint64_t octets;
    bool has_place; /* among the batches at work */
};

static struct batch *batch_new(struct session *session)
{
    struct batch *batch = memory_alloc(sizeof(*batch));
    if (batch != NULL) {
        *batch = (struct batch){.session = session};
        batch->last = &batch->first;
    }
    return batch;
}

/* ---- 1: stage ------------------------------------------------------------ */

/* The reason is for the person who reads the status; the first stays. */
static void put_off(struct letter *letter, pr_status status, const char *why)
{
    if (letter->trouble == NULL) {
        letter->trouble = pr_arena_text(letter->message->arena, why);
    }
    if (letter->trouble == NULL) {
        letter->trouble = "out of memory";
    }
    letter->is_trouble_final |= status == PR_REFUSED;
}

/* The deliveries of an earlier try. */
struct tried {
    struct state_delivery *deliveries;
    size_t count;
};

static const struct state_delivery *find_tried(const struct tried *tried,
                                               const struct target *target)
{
    for (size_t i = 0; i < tried->count; i++) {
        const struct state_delivery *delivery = &tried->deliveries[i];
        if (strcmp(delivery->sink, target->sink->name) == 0 &&
            strcmp(delivery->folder, target->folder) == 0) {
            return delivery;
        }
    }
    return NULL;
}

/* The message, or the rule's own answer to it, for one place. */
static struct pr_delivery delivery_for(const struct letter *letter,
                                       const struct target *target)
{
    const struct session *session = letter->session;
    const struct pr_item *item = &letter->entry->item;
    struct pr_delivery delivery = {
        .spool =
            letter->edited != NULL ? letter->edited : letter->message->spool,
        .folder = target->folder,
        .place = target->folder,
        .key = letter->key,
        .received = item->received,
        .flags = letter->flags,
        .account = session->account->name,
        .source_folder = session->folder,
        .uid = item->uid,
        .sink = target->sink->name,
        .journal = session->run->journal,
    };
    if (letter_is_reply(letter, target)) {
        delivery.spool = letter->reply_spool;
        delivery.folder = letter->reply->to;
        delivery.sender = ""; /* RFC 3834, 3.3: nothing is to come back */
    }
    return delivery;
}

/* Who refuses an answer for good refuses that alone: the message has arrived.
 */
static void give_up_reply(const struct letter *letter, const char *why)
{
    rules_reply_is_lost(letter->message);
    pr_log(&letter->session->log, PR_LOG_WARNING,
           "message %u: the reply to it is given up: %s",
           letter->entry->item.uid, why);
}

static pr_status stage_one(struct letter *letter, size_t which,
                           const struct state_delivery *tried)
{
    const struct target *target = &letter->targets[which];
    struct target_try *one = &letter->target_tries[which];
    struct pr_delivery *delivery = &letter->deliveries[letter->delivery_count];
    *delivery = delivery_for(letter, target);
    if (tried != NULL && tried->receipt != NULL) {
        snprintf(delivery->receipt, sizeof(delivery->receipt), "%s",
                 tried->receipt);
    }
    one->result = target->sink->class->sink->stage(target->sink, delivery);
    if (one->result == PR_OK) {
        one->delivery = delivery;
        letter->sinks[letter->delivery_count++] = target->sink;
    } else {
        one->words =
            pr_arena_text(letter->message->arena, pr_last_failure()->text);
    }
    return one->result;
}

static pr_status make_tries(struct letter *letter)
{
    struct pr_arena *arena = letter->message->arena;
    size_t count = letter->target_count + 1;
    letter->target_tries =
        pr_arena_array(arena, count, sizeof(*letter->target_tries));
    letter->deliveries =
        pr_arena_array(arena, count, sizeof(*letter->deliveries));
    letter->sinks = pr_arena_array(arena, count, sizeof(*letter->sinks));
    return letter->target_tries == NULL || letter->deliveries == NULL ||
                   letter->sinks == NULL
               ? PR_NOMEM
               : PR_OK;
}

static pr_status stage_letter(struct letter *letter)
{
    struct pr_arena *arena = letter->message->arena;
    struct session *session = letter->session;
    struct tried before = {0};
    size_t count = letter->target_count;
    if (make_tries(letter) != PR_OK) {
        return PR_NOMEM;
    }
    if (letter->entry->has_row && count > 0) {
        pr_status status = state_deliveries(
            session->engine->state, session->record.id, letter->row.uid, arena,
            &before.deliveries, &before.count);
        if (status != PR_OK) {
            return status;
        }
    }
    pr_status first = PR_OK;
    for (size_t i = 0; i < count; i++) {
        const struct state_delivery *tried =
            find_tried(&before, &letter->targets[i]);
        if (tried != NULL && tried->is_done) {
            letter->target_tries[i].was_there = true;
            continue;
        }
        pr_status status = stage_one(letter, i, tried);
        if (status == PR_REFUSED &&
            letter_is_reply(letter, &letter->targets[i])) {
            give_up_reply(letter, pr_last_failure()->text);
        } else if (status != PR_OK) {
            put_off(letter, status, pr_last_failure()->text);
            first = first == PR_OK ? status : first;
        }
    }
    return first;
}

static void stage_all(struct batch *batch)
{
    for (struct letter *letter = batch->first; letter != NULL;
         letter = letter->next) {
        if (letter->trouble == NULL) {
            pr_status status = stage_letter(letter);
            if (status != PR_OK) {
                put_off(letter, status, pr_last_failure()->text);
            }
        }
    }
}

/* ---- 2: intent ----------------------------------------------------------- */

/* One that was not staged has no key: recovery is to know that it is lacking.
 */
static struct state_delivery intent_for(const struct letter *letter,
                                        size_t which)
{
    const struct target *target = &letter->targets[which];
    const struct pr_delivery *delivery = letter->target_tries[which].delivery;
    return (struct state_delivery){
        .sink = target->sink->name,
        .folder = target->folder,
        .key = delivery != NULL ? letter->key : "",
        .receipt = delivery != NULL ? delivery->receipt : ""};
}

/* All targets are noted: a message is safe when it is in all of them. Those
 * that an earlier try reached are known to be done, and stay so. */
static pr_status intend_letter(struct state_changes *changes,
                               struct letter *letter)
{
    struct state_delivery *intents = pr_arena_array(
        letter->message->arena, letter->target_count, sizeof(*intents));
    if (intents == NULL) {
        return PR_NOMEM;
    }
    for (size_t i = 0; i < letter->target_count; i++) {
        intents[i] = intent_for(letter, i);
    }
    letter->row.stage = STAGE_INTENT;
    state_intend(changes, letter->session->record.id, &letter->row, intents,
                 letter->target_count);
    return PR_OK;
}

static pr_status note_intents(struct batch *batch)
{
    struct state_changes *changes = NULL;
    for (struct letter *letter = batch->first; letter != NULL;
         letter = letter->next) {
        if (letter->delivery_count == 0) {
            continue;
        }
        pr_status status = PR_OK;
        if (changes == NULL) {
            status = state_begin(batch->session->engine->state, &changes);
        }
        if (status == PR_OK) {
            status = intend_letter(changes, letter);
        }
        if (status != PR_OK) {
            state_drop(changes);
            return status;
        }
    }
    return changes == NULL ? PR_OK : state_commit(changes);
}

/* ---- 3: commit ----------------------------------------------------------- */

/* The part of a batch that goes to one sink. */
struct consignment {
    struct pr_sink *sink;
    struct pr_delivery **deliveries;
    size_t count;
};

static pr_status commit_consignment(void *argument)
{
    struct consignment *part = argument;
    const struct pr_sink_ops *ops = part->sink->class->sink;
    pr_status status = ops->commit(part->sink, part->deliveries, part->count);
    for (size_t i = 0; status != PR_OK && i < part->count; i++) {
        struct pr_delivery *delivery = part->deliveries[i];
        delivery->result = status;
        if (delivery->failure[0] == '\0') {
            memcpy(delivery->failure, pr_last_failure()->text,
                   sizeof(delivery->failure));
        }
    }
    return PR_OK;
}

static size_t count_deliveries(const struct batch *batch)
{
    size_t count = 0;
    for (struct letter *letter = batch->first; letter != NULL;
         letter = letter->next) {
        count += letter->delivery_count;
    }
    return count;
}

static struct consignment *part_for(struct consignment *parts, size_t *count,
                                    struct pr_sink *sink,
                                    struct pr_arena *arena, size_t most)
{
    for (size_t i = 0; i < *count; i++) {
        if (parts[i].sink == sink) {
            return &parts[i];
        }
    }
    struct consignment *part = &parts[*count];
    part->sink = sink;
    part->deliveries = pr_arena_array(arena, most, sizeof(*part->deliveries));
    if (part->deliveries == NULL) {
        return NULL;
    }
    (*count)++;
    return part;
}

static pr_status sort_by_sink(const struct batch *batch, struct pr_arena *arena,
                              struct consignment **ret, size_t *ret_count)
{
    size_t most = count_deliveries(batch);
    struct consignment *parts = pr_arena_array(
        arena, batch->session->engine->open_count + 1, sizeof(*parts));
    if (parts == NULL) {
        return PR_NOMEM;
    }
    *ret_count = 0;
    for (struct letter *letter = batch->first; letter != NULL;
         letter = letter->next) {
        for (size_t i = 0; i < letter->delivery_count; i++) {
            struct consignment *part =
                part_for(parts, ret_count, letter->sinks[i], arena, most);
            if (part == NULL) {
                return PR_NOMEM;
            }
            part->deliveries[part->count++] = &letter->deliveries[i];
        }
    }
    *ret = parts;
    return PR_OK;
}

/* Each sink's part, side by side. */
static pr_status commit_all(const struct batch *batch, struct pr_arena *arena)
{
    struct consignment *parts;
    size_t count;
    pr_status status = sort_by_sink(batch, arena, &parts, &count);
    if (status != PR_OK) {
        return status;
    }
    if (count == 1) {
        return commit_consignment(&parts[0]);
    }
    struct pr_scope scope;
    pr_scope_init(&scope);
    for (size_t i = 0; i < count; i++) {
        if (pr_spawn(&scope, parts[i].sink->name, PR_STACK_SESSION,
                     commit_consignment, &parts[i]) != PR_OK) {
            (void)commit_consignment(&parts[i]);
        }
    }
    return pr_scope_join(&scope);
}

static void abort_all(const struct batch *batch)
{
    for (struct letter *letter = batch->first; letter != NULL;
         letter = letter->next) {
        for (size_t i = 0; i < letter->delivery_count; i++) {
            const struct pr_sink_ops *ops = letter->sinks[i]->class->sink;
            if (ops->abort != NULL) {
                ops->abort(letter->sinks[i], &letter->deliveries[i]);
            }
        }
    }
}

/* ---- 4: safe ------------------------------------------------------------- */

/* Its sink was given up while it had the message. In a batch, thus in a shield;
 * no sink is cancelled there otherwise. */
static bool was_given_up(const struct pr_delivery *delivery)
{
    return delivery->result == PR_CANCELLED ||
           (delivery->result == PR_DOUBT && pr_is_cancelled());
}

static const char *words_of(const struct letter *letter,
                            const struct pr_delivery *delivery)
{
    const char *words = NULL;
    if (was_given_up(delivery)) {
        words = pr_arena_printf(letter->message->arena,
                                "given up on its way to %s: %s", delivery->sink,
                                delivery->failure);
    }
    return words != NULL ? words : delivery->failure;
}

static void look_at_result(struct letter *letter, struct target_try *one)
{
    const struct pr_delivery *delivery = one->delivery;
    one->result = delivery->result;
    if (one->result == PR_OK) {
        return;
    }
    one->words = words_of(letter, delivery);
    if (one->result == PR_REFUSED && delivery->sender != NULL) {
        give_up_reply(letter, one->words);
    } else {
        put_off(letter, one->result, one->words);
    }
}

static void look_at_results(struct letter *letter)
{
    for (size_t i = 0; letter->target_tries != NULL && i < letter->target_count;
         i++) {
        if (letter->target_tries[i].delivery != NULL) {
            look_at_result(letter, &letter->target_tries[i]);
        }
    }
}

/* A message that a sink refuses for good is tried less and less often: the sink
 * may be mended. In seconds. */
#define REFUSED_FIRST ((int64_t)60 * 60)
#define REFUSED_MOST ((int64_t)24 * 60 * 60)

static int64_t wait_for_refused(unsigned tries)
{
    int64_t wait = REFUSED_FIRST;
    while (tries-- > 1 && wait < REFUSED_MOST) {
        wait *= 2;
    }
    return wait < REFUSED_MOST ? wait : REFUSED_MOST;
}

/* Then it stays an intent: the next run asks the sink, or its journal. */
static bool stays_open(const struct letter *letter)
{
    for (size_t i = 0; i < letter->delivery_count; i++) {
        const struct pr_delivery *delivery = &letter->deliveries[i];
        if (was_given_up(delivery) ||
            (delivery->result == PR_DOUBT &&
             letter->sinks[i]->class->sink->recover != NULL)) {
            return true;
        }
    }
    return false;
}

static void note_delivery(struct state_changes *changes,
                          const struct letter *letter, size_t which)
{
    const struct pr_delivery *delivery = &letter->deliveries[which];
    int64_t folder = letter->session->record.id;
    const char *sink = letter->sinks[which]->name;
    if (delivery->result == PR_OK) {
        state_delivered(changes, folder, &letter->row, sink, delivery->place);
        return;
    }
    const struct state_delivery tried = {
        .sink = sink, .folder = delivery->place, .receipt = delivery->receipt};
    state_receipt(changes, folder, letter->row.uid, &tried);
}

static void note_put_off(struct state_changes *changes, struct letter *letter)
{
    struct session *session = letter->session;
    for (size_t i = 0; i < letter->delivery_count; i++) {
        note_delivery(changes, letter, i);
    }
    letter->row.stage = STAGE_DEFERRED;
    letter->row.tries = letter->entry->tries + (letter->is_put_off ? 0 : 1);
    letter->row.rule_tries =
        letter->entry->rule_tries + (letter->is_rule_failure ? 1 : 0);
    letter->row.reason = letter->trouble;
    if (letter->is_trouble_final) {
        letter->row.due = time(NULL) + wait_for_refused(letter->row.tries);
    }
    if (!stays_open(letter)) {
        state_deferred(changes, session->record.id, &letter->row);
    }
    session->run->report.put_off += !letter->is_put_off;
    report_letter(letter, changes,
                  letter->is_trouble_final ? "failed" : "later");
}

static void note_letter(struct state_changes *changes, struct letter *letter)
{
    look_at_results(letter);
    if (letter->trouble != NULL) {
        note_put_off(changes, letter);
        return;
    }
    letter->row.stage =
        is_owing(&letter->row.debt) ? STAGE_OWED : STAGE_SETTLED;
    state_safe(changes, letter->session->record.id, &letter->row);
    rules_note(letter->message, changes);
    report_letter(letter, changes, "done");
}

/* One line for all that fared alike, as on a full disk. */
static void log_put_off(const struct batch *batch)
{
    const char *why = NULL;
    size_t count = 0;
    uint32_t uid = 0;
    for (const struct letter *letter = batch->first; letter != NULL;
         letter = letter->next) {
        if (letter->trouble == NULL || letter->is_put_off ||
            letter->is_rule_failure) {
            continue;
        }
        if (count++ == 0) {
            why = letter->trouble;
            uid = letter->row.uid;
        }
    }
    if (count == 1) {
        pr_log(&batch->session->log, PR_LOG_ERROR, "message %u: %s", uid, why);
    } else if (count > 1) {
        pr_log(&batch->session->log, PR_LOG_ERROR,
               "message %u and %zu more were not delivered: %s", uid, count - 1,
               why);
    }
}

static pr_status note_results(struct batch *batch)
{
    struct session *session = batch->session;
    struct state_changes *changes;
    pr_status status = state_begin(session->engine->state, &changes);
    if (status != PR_OK) {
        return status;
    }
    for (struct letter *letter = batch->first; letter != NULL;
         letter = letter->next) {
        note_letter(changes, letter);
    }
    log_put_off(batch);
    state_watermark(changes, session->record.id,
                    ledger_watermark(&session->ledger));
    return state_commit(changes);
}

/* ---- 5: owed ------------------------------------------------------------- */

static void mark_dealt(struct letter *letter)
{
    struct session *session = letter->session;
    letter->entry->fate = FATE_DEALT;
    if (letter->trouble == NULL) {
        rules_noted(letter->message);
    }
    session->run->report.messages++;
    session->line->messages++;
    session->run->report.octets += pr_spool_wire_size(letter->message->spool);
    session_progress(session, 1, 0);
    if (letter->row.stage == STAGE_OWED &&
        is_owing_at(&letter->row.debt, time(NULL))) {
        pr_status status =
            session_owe(session, &letter->entry->item, &letter->row.debt);
        session_fail(session, status);
    }
}

/* ---- The way through ------------------------------------------------------
 */

/* In a dry run there are no debts. */
static bool would_delete(const struct letter *letter)
{
    const struct account *account = letter->session->account;
    if (letter->final == NULL || account->read_only) {
        return false;
    }
    return letter->final->action == PLAN_DELETE ||
           (letter->final->action == PLAN_DISCARD &&
            (account->after == AFTER_DELETE ||
             account->after == AFTER_DELETE_LATER));
}

static void report_plans(struct batch *batch)
{
    for (struct letter *letter = batch->first; letter != NULL;
         letter = letter->next) {
        batch->session->deletions += would_delete(letter);
        report_letter(letter, NULL,
                      letter->trouble != NULL ? "later" : "planned");
        mark_dealt(letter);
    }
}

/* Nothing is noted yet, and nothing to be seen. */
static pr_status give_up(const struct batch *batch)
{
    pr_log(&batch->session->log, PR_LOG_WARNING,
           "message %u%s: given up before delivery began; the next run "
           "fetches again",
           batch->first->row.uid, batch->count > 1 ? " and others" : "");
    return pr_fail(PR_CANCELLED, "asked to stop");
}

static pr_status carry_out(struct batch *batch, struct pr_arena *arena)
{
    if (!pr_is_cancelled()) {
        stage_all(batch);
    }
    pr_status status = pr_is_cancelled() ? give_up(batch) : note_intents(batch);
    if (status != PR_OK) {
        abort_all(batch);
        return status;
    }
    status = commit_all(batch, arena);
    if (status != PR_OK) {
        abort_all(batch); /* nothing was handed to any sink */
        return status;
    }
    status = note_results(batch);
    for (struct letter *letter = batch->first;
         status == PR_OK && letter != NULL; letter = letter->next) {
        mark_dealt(letter);
    }
    return status;
}

static void batch_free(struct batch *batch)
{
    while (batch->first != NULL) {
        struct letter *letter = batch->first;
        batch->first = letter->next;
        letter_free(letter);
    }
    memory_free(batch);
}

static pr_status run_batch(void *argument)
{
    struct batch *batch = argument;
    struct session *session = batch->session;
    bool has_place = batch->has_place;
    pr_shield_begin();
    if (session->engine->dry_run) {
        report_plans(batch);
    } else {
        struct pr_arena *arena = pr_arena_new();
        pr_status status = arena == NULL ? PR_NOMEM : carry_out(batch, arena);
        session_fail(session, status);
        pr_arena_free(arena);
    }
    batch_free(batch);
    session->batches_running--;
    if (has_place) {
        pr_semaphore_give(&session->batch_places, 1);
    }
    pr_event_wake_all(&session->engine->house_has_room);
    pr_shield_end();
    return PR_OK;
}

void batch_flush(struct session *session)
{
    struct batch *batch = session->batch;
    if (batch == NULL) {
        return;
    }
    session->batch = NULL;
    session->batches_running++;
    pr_shield_begin();
    batch->has_place =
        pr_semaphore_take(&session->batch_places, 1, PR_NEVER) == PR_OK;
    pr_shield_end();
    if (pr_spawn(&session->batches, "batch", PR_STACK_SESSION, run_batch,
                 batch) != PR_OK) {
        (void)run_batch(batch);
    }
}

void batch_take(struct session *session, struct letter *letter)
{
    if (session->batch == NULL) {
        session->batch = batch_new(session);
    }
    struct batch *batch = session->batch;
    if (batch == NULL) {
        session_fail(session, pr_fail(PR_NOMEM, "out of memory"));
        letter->entry->fate = FATE_DROPPED;
        letter_free(letter);
        return;
    }
    *batch->last = letter;
    batch->last = &letter->next;
    batch->count++;
    batch->octets += pr_spool_size(letter->message->spool);
    if (batch->count >= BATCH_MESSAGES || batch->octets >= BATCH_OCTETS) {
        batch_flush(session);
    }
}
