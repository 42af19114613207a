/*
 * What is in the maildrop: STAT, LIST, UIDL, and LAST where there is no UIDL.
 *
 * Asked for once, at select: a maildrop does not change while a session lasts.
 * A number of 0, one beyond STAT's or one told twice is a breach of the
 * protocol. What one of LIST and UIDL lacks and the other has is there.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pop3.h"

/* Far more than in any maildrop. */
#define MESSAGES_MOST (16u * 1000 * 1000)
/* RFC 1939, 7: 70 octets. */
#define UIDL_MOST 1000u

static struct pop3_entry *entries_of(struct pop3_maildrop *maildrop,
                                     size_t *ret_count)
{
    *ret_count = maildrop->entries.size / sizeof(struct pop3_entry);
    return (struct pop3_entry *)(void *)maildrop->entries.data;
}

/* ---- What lines say ------------------------------------------------------ */

static pr_status read_stat(struct pop3 *pop3)
{
    struct pop3_reply reply;
    struct pr_bytes rest;
    uint64_t exists;
    pr_status status = pop3_await(pop3, &reply);

    if (status == PR_OK)
        status = pop3_verdict(&reply, "STAT", PR_REFUSED);
    if (status != PR_OK)
        return status;
    if (!pop3_entry_parse(reply.text, &exists, &rest))
        return pr_fail(PR_PROTOCOL, "STAT: the server gives no number");
    if (exists > MESSAGES_MOST)
        return pr_fail(PR_LIMIT,
                       "the server says that there are %" PRIu64 " messages",
                       exists);
    pop3->maildrop.exists = (uint32_t)exists;
    return PR_OK;
}

static pr_status check_number(const struct pop3 *pop3, uint64_t number,
                              const char *command)
{
    if (number >= 1 && number <= pop3->maildrop.exists)
        return PR_OK;
    return pr_fail(PR_PROTOCOL,
                   "%s: the server tells of message %" PRIu64
                   ", but STAT counts %" PRIu32,
                   command, number, pop3->maildrop.exists);
}

static pr_status told_twice(uint64_t number, const char *command)
{
    return pr_fail(PR_PROTOCOL,
                   "%s: the server tells of message %" PRIu64 " twice", command,
                   number);
}

typedef pr_status entry_fn(struct pop3 *pop3, uint32_t number,
                           struct pr_bytes rest);

/* The lines of LIST or UIDL. */
static pr_status read_entries(struct pop3 *pop3, const char *command,
                              entry_fn *take)
{
    const uint32_t exists = pop3->maildrop.exists;
    pr_status status = PR_OK;

    pop3_lines_begin(pop3);
    for (uint32_t lines = 0;; lines++) {
        struct pr_bytes line, rest;
        uint64_t number;
        bool is_end;
        status = pop3_line(pop3, &line, &is_end);
        if (status != PR_OK || is_end)
            return status;
        if (!pop3_entry_parse(line, &number, &rest))
            return pr_fail(PR_PROTOCOL, "%s: the server gives no number",
                           command);
        status = check_number(pop3, number, command);
        if (status == PR_OK && lines >= exists)
            status = told_twice(number, command);
        if (status == PR_OK)
            status = take(pop3, (uint32_t)number, rest);
        if (status != PR_OK)
            return status;
    }
}

static pr_status take_size(struct pop3 *pop3, uint32_t number,
                           struct pr_bytes rest)
{
    struct pop3_entry entry = {.number = number};

    if (!pop3_number(&rest, &entry.size))
        return pr_fail(PR_PROTOCOL,
                       "LIST: the server gives no size for message %" PRIu32,
                       number);
    return pr_buffer_add(&pop3->maildrop.entries, &entry, sizeof(entry));
}

static int compare_entries(const void *left, const void *right)
{
    const struct pop3_entry *a = left, *b = right;

    return a->number < b->number ? -1 : a->number > b->number;
}

/* What is no printable ASCII is written as %XX: the state and the log hold text
 * only. */
static pr_status copy_uidl(struct pop3 *pop3, struct pr_bytes uidl,
                           const char **ret)
{
    static const char hex[] = "0123456789ABCDEF";

    while (uidl.size > 0 && uidl.data[uidl.size - 1] == ' ')
        uidl.size--;
    *ret = NULL;
    if (uidl.size == 0)
        return PR_OK;
    if (uidl.size > UIDL_MOST)
        return pr_fail(PR_PROTOCOL, "UIDL: the server gives one of %zu octets",
                       uidl.size);
    char *copy = pr_arena_alloc(pop3->maildrop.arena, 3 * uidl.size + 1);
    if (copy == NULL)
        return PR_NOMEM;
    char *to = copy;
    for (size_t i = 0; i < uidl.size; i++) {
        unsigned char octet = (unsigned char)uidl.data[i];
        if (octet >= ' ' && octet < 127) {
            *to++ = (char)octet;
            continue;
        }
        *to++ = '%';
        *to++ = hex[octet >> 4];
        *to++ = hex[octet & 15];
    }
    *ret = copy;
    return PR_OK;
}

/* UIDL comes in LIST's order from nearly every server; those that LIST lacks
 * are added. */
static pr_status take_uidl(struct pop3 *pop3, uint32_t number,
                           struct pr_bytes rest)
{
    struct pop3_maildrop *maildrop = &pop3->maildrop;
    struct pop3_entry wanted = {.number = number}, *entry;
    pr_status status = copy_uidl(pop3, rest, &wanted.uidl);
    size_t count;

    if (status != PR_OK)
        return status;
    struct pop3_entry *entries = entries_of(maildrop, &count);
    if (number <= maildrop->listed && entries[number - 1].number == number)
        entry = &entries[number - 1];
    else
        entry = maildrop->listed == 0
                    ? NULL
                    : bsearch(&wanted, entries, maildrop->listed,
                              sizeof(wanted), compare_entries);
    if (entry == NULL)
        return pr_buffer_add(&maildrop->entries, &wanted, sizeof(wanted));
    if (entry->uidl != NULL)
        return told_twice(number, "UIDL");
    entry->uidl = wanted.uidl;
    return PR_OK;
}

/* In order of number, each once. */
static pr_status sort(struct pop3 *pop3, const char *command)
{
    size_t count;
    struct pop3_entry *entries = entries_of(&pop3->maildrop, &count);
    bool is_sorted = true;

    for (size_t i = 1; i < count && is_sorted; i++)
        is_sorted = entries[i - 1].number < entries[i].number;
    if (is_sorted)
        return PR_OK;
    qsort(entries, count, sizeof(*entries), compare_entries);
    for (size_t i = 1; i < count; i++)
        if (entries[i - 1].number == entries[i].number)
            return told_twice(entries[i].number, command);
    return PR_OK;
}

/* ---- Commands ------------------------------------------------------------ */

static pr_status read_list(struct pop3 *pop3)
{
    struct pop3_reply reply;
    pr_status status = pop3_await(pop3, &reply);

    if (status == PR_OK && reply.indicator != POP3_OK)
        return pop3->maildrop.exists == 0
                   ? PR_OK
                   : pop3_verdict(&reply, "LIST", PR_REFUSED);
    if (status == PR_OK)
        status = read_entries(pop3, "LIST", take_size);
    if (status == PR_OK)
        status = sort(pop3, "LIST");
    if (status == PR_OK)
        (void)entries_of(&pop3->maildrop, &pop3->maildrop.listed);
    return status;
}

/* A server that has UIDL and refuses it this once is not to be taken for one
 * without: all its messages would look new. */
static pr_status uidl_refused(const struct pop3 *pop3,
                              const struct pop3_reply *reply)
{
    if (pop3->maildrop.exists == 0 ||
        (!pop3_can(pop3, POP3_CAN_UIDL) && reply->code == POP3_CODE_NONE))
        return PR_OK;
    return pop3_verdict(reply, "UIDL", PR_LATER);
}

static pr_status read_uidl(struct pop3 *pop3)
{
    struct pop3_reply reply;
    pr_status status = pop3_await(pop3, &reply);

    if (status == PR_OK && reply.indicator != POP3_OK)
        return uidl_refused(pop3, &reply);
    pop3->maildrop.has_uidl = true;
    if (status == PR_OK)
        status = read_entries(pop3, "UIDL", take_uidl);
    return status != PR_OK ? status : sort(pop3, "UIDL");
}

/* RFC 1460, 5; RFC 1725 took it away again. */
static pr_status ask_last(struct pop3 *pop3)
{
    struct pop3_reply reply;
    struct pr_bytes rest;
    uint64_t last;

    if ((pop3->disabled & POP3_CAN_LAST) != 0)
        return PR_OK;
    pr_status status = pop3_ask(pop3, "LAST", &reply);
    if (status != PR_OK || reply.indicator != POP3_OK)
        return status;
    if (!pop3_entry_parse(reply.text, &last, &rest))
        return pr_fail(PR_PROTOCOL, "LAST: the server gives no number");
    if (last > 0)
        status = check_number(pop3, last, "LAST");
    if (status == PR_OK)
        pop3->maildrop.last = (uint32_t)last;
    return status;
}

typedef pr_status step_fn(struct pop3 *pop3);

/* All three travel together if the server can take that. */
static pr_status ask_all(struct pop3 *pop3)
{
    static const struct {
        const char *command;
        step_fn *read;
    } steps[] = {{"STAT", read_stat}, {"LIST", read_list}, {"UIDL", read_uidl}};

    size_t count = (pop3->disabled & POP3_CAN_UIDL) != 0 ? 2 : 3;
    bool together = pop3_can(pop3, POP3_CAN_PIPELINE);
    pr_status status = PR_OK;

    for (size_t i = 0; together && i < count && status == PR_OK; i++)
        status = pop3_send(pop3, steps[i].command);
    for (size_t i = 0; i < count && status == PR_OK; i++) {
        if (!together && i > 0 && pop3->maildrop.exists == 0)
            break;
        if (!together)
            status = pop3_send(pop3, steps[i].command);
        if (status == PR_OK)
            status = steps[i].read(pop3);
    }
    if (status == PR_OK && pop3->maildrop.exists > 0 &&
        !pop3->maildrop.has_uidl)
        status = ask_last(pop3);
    return status;
}

static pr_status learn(struct pop3 *pop3)
{
    struct pop3_maildrop *maildrop = &pop3->maildrop;
    size_t count;

    maildrop->arena = pr_arena_new();
    if (maildrop->arena == NULL)
        return PR_NOMEM;
    pr_buffer_init(&maildrop->entries,
                   MESSAGES_MOST * sizeof(struct pop3_entry));
    pr_status status = ask_all(pop3);
    if (status != PR_OK)
        return pop3_break(pop3, status);
    maildrop->fetched =
        pr_arena_alloc(maildrop->arena, maildrop->exists / 8 + 1);
    if (maildrop->fetched == NULL)
        return PR_NOMEM;
    (void)entries_of(maildrop, &count);
    if (count < maildrop->exists)
        pr_log(pop3->log, PR_LOG_WARNING,
               "the server counts %" PRIu32 " messages, but lists %zu",
               maildrop->exists, count);
    return PR_OK;
}

/* ---- The operations ----------------------------------------------------- */

pr_status pop3_op_select(struct pr_source *source, const char *name,
                         struct pr_mailbox *ret)
{
    struct pop3 *pop3 = source->state;
    pr_status status = pop3_check(pop3);

    if (status != PR_OK)
        return status;
    if (!pr_bytes_equal_nocase(pr_bytes_of(name), PR_BYTES("INBOX")))
        return pr_fail(PR_GONE,
                       "there is no folder \"%s\": POP3 has one only, "
                       "INBOX",
                       name);
    pop3_unselect(pop3);
    status = learn(pop3);
    if (status != PR_OK) {
        pop3_unselect(pop3);
        return status;
    }
    *ret = (struct pr_mailbox){.exists = pop3->maildrop.exists,
                               .read_only = source->read_only,
                               .has_no_headers = pop3->knows_capabilities &&
                                                 !pop3_can(pop3, POP3_CAN_TOP)};
    return PR_OK;
}

pr_status pop3_op_list(struct pr_source *source, const struct pr_range *ranges,
                       size_t count, pr_item_listed *listed, void *user)
{
    struct pop3 *pop3 = source->state;
    struct pop3_maildrop *maildrop = &pop3->maildrop;
    pr_status status = pop3_check(pop3);

    (void)ranges, (void)count;
    if (status == PR_OK && maildrop->arena == NULL)
        status = pr_fail(PR_BUG, "no folder is selected");
    if (status != PR_OK)
        return status;
    const struct pop3_entry *entries = entries_of(maildrop, &count);
    for (size_t i = 0; i < count && status == PR_OK; i++) {
        struct pr_item item = {.number = entries[i].number,
                               .uidl = entries[i].uidl,
                               .size = entries[i].size};
        if (item.number <= maildrop->last)
            item.flags.system = PR_FLAG_SEEN;
        status = listed(user, &item);
    }
    return status;
}
