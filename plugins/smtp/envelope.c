/*
 * Who a message is from and for, by its header and the options.
 */
#include "config.h"

#include "envelope.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <postrider/header.h>

#include "address.h"

/* ---- The sender ---------------------------------------------------------- */

/* RFC 5321, 4.4: the server that delivered it last wrote the sender of its
 * envelope there. What is none is the null sender, so that no report of ours
 * goes astray. */
static pr_status find_sender(const struct smtp_options *set,
                             struct pr_bytes header, struct smtp_letter *letter)
{
    struct pr_bytes path;

    letter->from = letter->delivery->sender;
    if (letter->from != NULL)
        return PR_OK;
    letter->from = "";
    if (set->from != NULL) {
        letter->from = strcmp(set->from, "<>") == 0 ? "" : set->from;
        return PR_OK;
    }
    if (!pr_header_path(header, "Return-Path", &path) ||
        smtp_address_kind(path, false) == SMTP_ADDRESS_NONE)
        return PR_OK;
    letter->from = pr_arena_bytes(letter->arena, path);
    return letter->from != NULL ? PR_OK : PR_NOMEM;
}

/* ---- Recipients ---------------------------------------------------------- */

static bool is_listed(const char *const *list, struct pr_bytes name)
{
    for (; list != NULL && *list != NULL; list++)
        if (pr_bytes_equal_nocase(pr_bytes_of(*list), name))
            return true;
    return false;
}

static bool find_field(const struct smtp_options *set, struct pr_bytes header,
                       struct pr_field *ret)
{
    size_t offset = 0;

    while (pr_header_next(header, &offset, ret))
        if (is_listed(set->to_header, ret->name))
            return true;
    return false;
}

static bool is_ours(const struct smtp_options *set, struct pr_bytes address)
{
    return smtp_address_kind(address, false) != SMTP_ADDRESS_NONE &&
           (is_listed(set->domains, PR_BYTES("*")) ||
            is_listed(set->domains, smtp_address_domain(address)));
}

static bool has_recipient(const struct smtp_letter *letter,
                          struct pr_bytes address)
{
    for (size_t i = 0; i < letter->count; i++)
        if (smtp_address_equal(pr_bytes_of(letter->recipients[i].address),
                               address))
            return true;
    return false;
}

static pr_status add_recipient(struct smtp_letter *letter,
                               struct pr_bytes address)
{
    if (has_recipient(letter, address))
        return PR_OK;
    if (letter->count == SMTP_RECIPIENTS_MOST)
        return pr_fail(PR_REFUSED, "the message has more than %u recipients",
                       SMTP_RECIPIENTS_MOST);
    const char *text = pr_arena_bytes(letter->arena, address);
    if (text == NULL)
        return PR_NOMEM;
    letter->recipients[letter->count++] =
        (struct smtp_recipient){text, SMTP_PENDING};
    return PR_OK;
}

static pr_status add_from_header(const struct smtp_options *set,
                                 struct pr_bytes header,
                                 struct smtp_letter *letter)
{
    struct pr_bytes address;
    struct pr_field field;
    pr_status status = PR_OK;

    if (!find_field(set, header, &field))
        return PR_OK;
    while (status == PR_OK && smtp_address_next(&field.value, &address))
        if (is_ours(set, address))
            status = add_recipient(letter, address);
    return status;
}

static pr_status find_recipients(const struct smtp_options *set,
                                 struct pr_bytes header, const char *only,
                                 struct smtp_letter *letter)
{
    pr_status status = PR_OK;

    letter->recipients = pr_arena_array(letter->arena, SMTP_RECIPIENTS_MOST,
                                        sizeof(*letter->recipients));
    if (letter->recipients == NULL)
        return PR_NOMEM;
    if (only != NULL && *only != '\0')
        return add_recipient(letter, pr_bytes_of(only));
    if (!smtp_list_is_empty(set->to_header))
        status = add_from_header(set, header, letter);
    if (letter->count == 0)
        for (size_t i = 0;
             status == PR_OK && set->to != NULL && set->to[i] != NULL; i++)
            status = add_recipient(letter, pr_bytes_of(set->to[i]));
    if (status == PR_OK && letter->count == 0)
        return pr_fail(PR_REFUSED,
                       "no recipient: the message has no %s field with an "
                       "address in one of the domains, and there is no to",
                       set->to_header != NULL ? set->to_header[0] : "");
    return status;
}

/* ---- What a report is to call the recipient ------------------------------ */

static bool is_atom(struct pr_bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((text.data[i] < 'a' || text.data[i] > 'z') &&
            (text.data[i] < 'A' || text.data[i] > 'Z') &&
            (text.data[i] < '0' || text.data[i] > '9') && text.data[i] != '-')
            return false;
    return text.size > 0;
}

/* RFC 3461, 4: xtext. False: there is no room, or nothing to write. */
static bool write_xtext(struct pr_bytes text, char *out, size_t size)
{
    static const char hex[] = "0123456789ABCDEF";

    if (text.size == 0 || text.size >= size / 3)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        unsigned char octet = (unsigned char)text.data[i];
        if (octet > ' ' && octet <= '~' && octet != '+' && octet != '=') {
            *out++ = (char)octet;
            continue;
        }
        *out++ = '+';
        *out++ = hex[octet >> 4];
        *out++ = hex[octet & 15];
    }
    *out = '\0';
    return true;
}

/* RFC 3798, 2.3: Original-Recipient has what ORCPT said when the message came.
 */
static pr_status find_original(struct pr_bytes header,
                               struct smtp_letter *letter)
{
    struct pr_field field;
    char name[500]; /* RFC 3461, 4.2: an ORCPT may have 500 octets */

    if (letter->count != 1 ||
        !pr_header_find(header, "Original-Recipient", &field))
        return PR_OK;
    const char *end = memchr(field.value.data, ';', field.value.size);
    if (end == NULL)
        return PR_OK;
    struct pr_bytes kind = {field.value.data, (size_t)(end - field.value.data)};
    struct pr_bytes text = {end + 1, field.value.size - kind.size - 1};
    while (text.size > 0 && text.data[0] == ' ')
        text = (struct pr_bytes){text.data + 1, text.size - 1};
    if (!is_atom(kind) || kind.size > 32 ||
        !write_xtext(text, name, sizeof(name)))
        return PR_OK;
    letter->original = pr_arena_printf(letter->arena, "%.*s;%s", (int)kind.size,
                                       kind.data, name);
    return letter->original != NULL ? PR_OK : PR_NOMEM;
}

pr_status smtp_envelope_find(const struct smtp_options *set,
                             struct pr_bytes header, struct smtp_letter *letter)
{
    pr_status status = find_sender(set, header, letter);

    if (status == PR_OK)
        status = find_recipients(set, header, letter->delivery->folder, letter);
    return status == PR_OK ? find_original(header, letter) : status;
}

/* ---- Loops --------------------------------------------------------------- */

void smtp_envelope_mark(const char *sink, const char *host,
                        char ret[SMTP_MARK_SIZE])
{
    const char *parts[] = {sink, host};
    uint64_t sum = 14695981039346656037u; /* FNV-1a */

    for (size_t i = 0; i < 2; i++)
        for (const char *at = parts[i];; at++) {
            sum = (sum ^ (unsigned char)*at) * 1099511628211u;
            if (*at == '\0')
                break;
        }
    snprintf(ret, SMTP_MARK_SIZE, "mark %016" PRIx64, sum);
}

static bool contains(struct pr_bytes text, const char *part)
{
    size_t size = strlen(part);

    for (size_t i = 0; size <= text.size && i <= text.size - size; i++)
        if (memcmp(text.data + i, part, size) == 0)
            return true;
    return false;
}

pr_status smtp_envelope_check_loop(const struct smtp_options *set,
                                   struct pr_bytes header, const char *mark)
{
    struct pr_field field;
    size_t offset = 0;
    int64_t hops = 0;

    while (pr_header_next(header, &offset, &field)) {
        if (!pr_bytes_equal_nocase(field.name, PR_BYTES("Received")))
            continue;
        if (++hops > set->hops)
            return pr_fail(PR_REFUSED,
                           "more than %" PRId64 " Received fields: the message "
                           "goes round in a loop",
                           set->hops);
        if (set->trace && contains(field.value, mark))
            return pr_fail(PR_REFUSED, "the message went to this place before "
                                       "and came back: a loop");
    }
    return PR_OK;
}

char *smtp_envelope_trace(struct pr_arena *arena, const char *host,
                          const char *mark, const char *key, int64_t now)
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed",
                                    "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr",
                                       "May", "Jun", "Jul", "Aug",
                                       "Sep", "Oct", "Nov", "Dec"};
    time_t when = (time_t)now;
    struct tm tm = {.tm_mday = 1};

    (void)gmtime_r(&when, &tm);
    return pr_arena_printf(arena,
                           "Received: by %s (postrider; %s) id %s;\n"
                           "\t%s, %d %s %d %02d:%02d:%02d +0000\n",
                           host, mark, key, days[tm.tm_wday], tm.tm_mday,
                           months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour,
                           tm.tm_min, tm.tm_sec);
}
