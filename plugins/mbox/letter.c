/*
 * One message as it will stand in an mbox.
 */
#include "config.h"

#include "letter.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <postrider/header.h>

#include "from.h"
#include "octets.h"

/* Return-Path is among the first fields; behind so much it is not looked
 * for. */
#define HEADER_MAX ((size_t)64 * 1024)
#define KEYWORDS_MAX 900

/* ---- Flags --------------------------------------------------------------- */

/* Keywords come from a server: no white space but blanks may get into a
 * field. */
static bool are_plain(const char *keywords)
{
    for (const char *c = keywords; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return false;
    return strlen(keywords) <= KEYWORDS_MAX;
}

pr_status letter_flags(const struct pr_flags *flags, struct pr_buffer *ret)
{
    static const struct {
        unsigned flag;
        char letter;
    } letters[] = {{PR_FLAG_ANSWERED, 'A'},
                   {PR_FLAG_FLAGGED, 'F'},
                   {PR_FLAG_DRAFT, 'T'},
                   {PR_FLAG_DELETED, 'D'}};

    char text[8] = "", *at = text;
    pr_status status = PR_OK;

    for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
        if ((flags->system & letters[i].flag) != 0)
            *at++ = letters[i].letter;
    *at = '\0';
    if ((flags->system & PR_FLAG_SEEN) != 0)
        status = pr_buffer_add_text(ret, "Status: RO\n");
    if (status == PR_OK && text[0] != '\0')
        status = pr_buffer_printf(ret, "X-Status: %s\n", text);
    if (status == PR_OK && flags->keywords != NULL &&
        flags->keywords[0] != '\0' && are_plain(flags->keywords))
        status = pr_buffer_printf(ret, "X-Keywords: %s\n", flags->keywords);
    return status;
}

/* ---- The message --------------------------------------------------------- */

static pr_status write_from(const struct pr_delivery *delivery, quote_put *put,
                            void *user)
{
    struct pr_buffer header, line = {.cap = FROM_MAX};
    struct pr_bytes sender = {NULL, 0};
    int64_t when =
        delivery->received > 0 ? delivery->received : (int64_t)time(NULL);
    pr_status status = pr_header_read(delivery->spool, HEADER_MAX, &header);

    if (status == PR_OK) {
        struct pr_bytes octets = {header.data, header.size};
        if (!pr_header_path(octets, "Return-Path", &sender))
            sender.size = 0;
        status = from_format(sender, when, &line);
    }
    if (status == PR_OK)
        status = put(user, line.data, line.size);
    pr_buffer_done(&line);
    pr_buffer_done(&header);
    return status;
}

static pr_status write_octets(const struct pr_spool *spool, struct quote *quote)
{
    struct pr_bytes memory = pr_spool_memory(spool);
    pr_status status = PR_OK;
    uint64_t offset = 0;
    size_t got = 1;

    if (memory.data != NULL)
        return quote_add(quote, memory.data, memory.size);
    char *block = malloc(OCTETS_BLOCK);
    if (block == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    while (status == PR_OK && got > 0) {
        status = pr_spool_read(spool, offset, block, OCTETS_BLOCK, &got);
        if (status == PR_OK)
            status = quote_add(quote, block, got);
        offset += got;
    }
    free(block);
    return status;
}

pr_status letter_write(const struct pr_delivery *delivery, bool flags,
                       quote_put *put, void *user)
{
    struct pr_buffer fields = {.cap = 2048};
    struct quote quote;
    pr_status status = PR_OK;

    if (flags)
        status = letter_flags(&delivery->flags, &fields);
    if (status == PR_OK)
        status = write_from(delivery, put, user);
    quote_init(&quote, put, user, (struct pr_bytes){fields.data, fields.size});
    if (status == PR_OK)
        status = write_octets(delivery->spool, &quote);
    if (status == PR_OK)
        status = quote_end(&quote);
    pr_buffer_done(&fields);
    return status;
}
