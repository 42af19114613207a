/*
 * A message on its way: its envelope, and what became of each recipient.
 */
#include "config.h"

#include "letter.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <postrider/header.h>

#include "address.h"
#include "envelope.h"

#define HEADER_CAP ((size_t)1024 * 1024)
#define BLOCK ((size_t)32 * 1024)

/* ---- Its octets ---------------------------------------------------------- */

static pr_status write_file(const struct pr_spool *spool,
                            struct smtp_content *content, char *block)
{
    uint64_t offset = 0;
    size_t size = 0;
    pr_status status;

    do {
        status = pr_spool_read(spool, offset, block, BLOCK, &size);
        if (status == PR_OK)
            status = smtp_content_add(content, block, size);
        offset += size;
    } while (status == PR_OK && size > 0);
    return status;
}

static pr_status write_spool(const struct pr_spool *spool,
                             struct smtp_content *content)
{
    struct pr_bytes memory = pr_spool_memory(spool);

    if (memory.data != NULL)
        return smtp_content_add(content, memory.data, memory.size);
    char *block = malloc(BLOCK);
    if (block == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    pr_status status = write_file(spool, content, block);
    free(block);
    return status;
}

pr_status smtp_letter_write(const struct smtp_letter *letter,
                            struct smtp_content *content)
{
    pr_status status =
        smtp_content_add(content, letter->trace, strlen(letter->trace));

    if (status == PR_OK)
        status = write_spool(letter->delivery->spool, content);
    return status == PR_OK ? smtp_content_end(content) : status;
}

static pr_status learn_facts(void *argument)
{
    struct smtp_letter *letter = argument;
    struct smtp_content content;

    smtp_content_init(&content, false, smtp_facts_take, &letter->facts);
    return smtp_letter_write(letter, &content);
}

/* ---- Making one ---------------------------------------------------------- */

/* Any address beyond ASCII, be it the sender's. */
static bool needs_utf8(const struct smtp_letter *letter)
{
    if (smtp_address_kind(pr_bytes_of(letter->from), true) == SMTP_ADDRESS_UTF8)
        return true;
    for (size_t i = 0; i < letter->count; i++)
        if (smtp_address_kind(pr_bytes_of(letter->recipients[i].address),
                              true) == SMTP_ADDRESS_UTF8)
            return true;
    return false;
}

static pr_status read_header(const struct pr_sink *sink, const char *name,
                             struct smtp_letter *letter)
{
    const struct smtp_options *set = sink->options;
    struct pr_buffer octets;
    char mark[SMTP_MARK_SIZE];
    pr_status status =
        pr_header_read(letter->delivery->spool, HEADER_CAP, &octets);
    struct pr_bytes header = {pr_buffer_text(&octets), octets.size};

    smtp_envelope_mark(sink->name, name, mark);
    if (status == PR_OK)
        status = smtp_envelope_check_loop(set, header, mark);
    if (status == PR_OK)
        status = smtp_envelope_find(set, header, letter);
    letter->has_utf8_header = smtp_text_is_utf8(header);
    pr_buffer_done(&octets);
    if (status != PR_OK)
        return status;
    letter->needs_utf8 = needs_utf8(letter);
    letter->trace = set->trace
                        ? smtp_envelope_trace(letter->arena, name, mark,
                                              letter->delivery->key, time(NULL))
                        : "";
    return letter->trace != NULL ? PR_OK : PR_NOMEM;
}

static pr_status fill(const struct pr_sink *sink, const char *name,
                      struct smtp_letter *letter)
{
    const struct pr_spool *spool = letter->delivery->spool;
    pr_status status = read_header(sink, name, letter);

    if (status != PR_OK)
        return status;
    return pr_spool_memory(spool).data != NULL
               ? learn_facts(letter)
               : pr_offload(learn_facts, letter);
}

pr_status smtp_letter_new(const struct pr_sink *sink, const char *name,
                          struct pr_delivery *delivery,
                          struct smtp_letter **ret)
{
    struct pr_arena *arena = pr_arena_new();
    if (arena == NULL)
        return PR_NOMEM;
    struct smtp_letter *letter = pr_arena_alloc(arena, sizeof(*letter));
    pr_status status = PR_NOMEM;
    if (letter != NULL) {
        letter->arena = arena;
        letter->delivery = delivery;
        status = fill(sink, name, letter);
    }
    if (status != PR_OK) {
        pr_arena_free(arena);
        return status;
    }
    *ret = letter;
    return PR_OK;
}

void smtp_letter_free(struct smtp_letter *letter)
{
    if (letter != NULL)
        pr_arena_free(letter->arena);
}

/* ---- Its fate ------------------------------------------------------------ */

size_t smtp_letter_pending(const struct smtp_letter *letter)
{
    size_t count = 0;

    for (size_t i = 0; i < letter->count; i++)
        count += letter->recipients[i].fate == SMTP_PENDING;
    return count;
}

void smtp_letter_move(struct smtp_letter *letter, enum smtp_fate from,
                      enum smtp_fate to)
{
    for (size_t i = 0; i < letter->count; i++)
        if (letter->recipients[i].fate == from)
            letter->recipients[i].fate = to;
}

/* What nobody can tell outweighs what is refused for good, and that outweighs
 * what another try may mend. */
static int weight(pr_status status)
{
    return status == PR_OK        ? 0
           : status == PR_DOUBT   ? 3
           : status == PR_REFUSED ? 2
                                  : 1;
}

void smtp_letter_fail(struct smtp_letter *letter, pr_status status)
{
    if (weight(status) <= weight(letter->fail.status))
        return;
    letter->fail = *pr_last_failure();
    letter->fail.status = status;
}
