/*
 * mboxrd quoting and the way back, streaming.
 */
#include "config.h"

#include "quote.h"

#include <string.h>

static const char from[] = "From ";
#define FROM_SIZE 5u

/* Passes on the rest of a line, with its end; how much that was. */
static size_t rest_of_line(const char *data, size_t size, bool *is_in_line)
{
    const char *end = memchr(data, '\n', size);

    *is_in_line = end == NULL;
    return end != NULL ? (size_t)(end - data) + 1 : size;
}

/* ---- Quoting ------------------------------------------------------------- */

void quote_init(struct quote *quote, quote_put *put, void *user,
                struct pr_bytes fields)
{
    *quote = (struct quote){.put = put, .user = user, .fields = fields};
}

static pr_status put_fields(struct quote *quote)
{
    struct pr_bytes fields = quote->fields;

    quote->fields.size = 0;
    return fields.size > 0 ? quote->put(quote->user, fields.data, fields.size)
                           : PR_OK;
}

/* Leaves the beginning of the line, with or without a match. */
static pr_status leave_beginning(struct quote *quote, bool is_match)
{
    unsigned held = quote->matched;
    pr_status status = PR_OK;

    quote->matched = 0;
    quote->is_in_line = true;
    if (is_match)
        status = quote->put(quote->user, ">", 1);
    return status == PR_OK && held > 0 ? quote->put(quote->user, from, held)
                                       : status;
}

/* One octet at the beginning of a line. It is taken if *ret_taken. */
static pr_status step(struct quote *quote, char octet, bool *ret_taken)
{
    *ret_taken = true;
    if (quote->matched == 0 && octet == '>') {
        quote->has_angle = true;
        return quote->put(quote->user, ">", 1);
    }
    if (octet == from[quote->matched]) {
        if (++quote->matched == FROM_SIZE)
            return leave_beginning(quote, true);
        return PR_OK;
    }
    *ret_taken = false;
    if (octet == '\n' && quote->matched == 0 && !quote->has_angle) {
        pr_status status = put_fields(quote);
        if (status != PR_OK)
            return status;
    }
    return leave_beginning(quote, false);
}

pr_status quote_add(struct quote *quote, const char *data, size_t size)
{
    pr_status status = PR_OK;

    if (size > 0)
        quote->lacks_end = data[size - 1] != '\n';
    while (status == PR_OK && size > 0) {
        bool is_taken = false;
        if (!quote->is_in_line) {
            status = step(quote, *data, &is_taken);
            data += is_taken;
            size -= is_taken;
            continue;
        }
        size_t part = rest_of_line(data, size, &quote->is_in_line);
        status = quote->put(quote->user, data, part);
        quote->has_angle = false;
        data += part;
        size -= part;
    }
    return status;
}

pr_status quote_end(struct quote *quote)
{
    pr_status status = PR_OK;

    if (quote->matched > 0)
        status = leave_beginning(quote, false);
    if (status == PR_OK && quote->lacks_end)
        status = quote->put(quote->user, "\n", 1);
    if (status == PR_OK)
        status = put_fields(quote);
    return status == PR_OK ? quote->put(quote->user, "\n", 1) : status;
}

/* ---- The way back -------------------------------------------------------- */

void unquote_init(struct unquote *unquote, enum unquote_format format,
                  quote_put *put, void *user)
{
    *unquote = (struct unquote){.put = put, .user = user, .format = format};
}

static pr_status release(struct unquote *unquote, bool is_match)
{
    bool drops =
        is_match && (unquote->format == UNQUOTE_MBOXRD || !unquote->has_more);
    bool holds = unquote->holds_angle;
    unsigned held = unquote->matched;
    pr_status status = PR_OK;

    unquote->holds_angle = unquote->has_more = false;
    unquote->matched = 0;
    unquote->is_in_line = true;
    if (holds && !drops)
        status = unquote->put(unquote->user, ">", 1);
    return status == PR_OK && held > 0 ? unquote->put(unquote->user, from, held)
                                       : status;
}

static pr_status step_back(struct unquote *unquote, char octet, bool *ret_taken)
{
    *ret_taken = true;
    if (unquote->matched == 0 && octet == '>') {
        if (unquote->holds_angle) {
            unquote->has_more = true;
            return unquote->put(unquote->user, ">", 1);
        }
        unquote->holds_angle = true;
        return PR_OK;
    }
    if (unquote->holds_angle && octet == from[unquote->matched]) {
        if (++unquote->matched == FROM_SIZE)
            return release(unquote, true);
        return PR_OK;
    }
    *ret_taken = false;
    return release(unquote, false);
}

pr_status unquote_add(struct unquote *unquote, const char *data, size_t size)
{
    pr_status status = PR_OK;

    while (status == PR_OK && size > 0) {
        bool is_taken = false;
        if (!unquote->is_in_line) {
            status = step_back(unquote, *data, &is_taken);
            data += is_taken;
            size -= is_taken;
            continue;
        }
        size_t part = rest_of_line(data, size, &unquote->is_in_line);
        status = unquote->put(unquote->user, data, part);
        data += part;
        size -= part;
    }
    return status;
}

pr_status unquote_end(struct unquote *unquote)
{
    return unquote->holds_angle || unquote->matched > 0
               ? release(unquote, false)
               : PR_OK;
}
