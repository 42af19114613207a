/*
 * Responses: from tokens to structs.
 */
#include "response.h"

#include <string.h>

#include "capability.h"
#include "uidset.h"

void imap_response_init(struct imap_response *response)
{
    *response = (struct imap_response){.kind = IMAP_OTHER};
    pr_buffer_init(&response->ranges, IMAP_RANGES_CAP);
    pr_buffer_init(&response->targets, IMAP_RANGES_CAP);
    pr_buffer_init(&response->octets, 2 * IMAP_RESPONSE_CAP);
    imap_structure_init(&response->structure);
}

void imap_response_done(struct imap_response *response)
{
    pr_buffer_done(&response->ranges);
    pr_buffer_done(&response->targets);
    pr_buffer_done(&response->octets);
    imap_structure_done(&response->structure);
}

static void forget(struct imap_response *response)
{
    struct pr_buffer ranges = response->ranges, octets = response->octets;
    struct pr_buffer targets = response->targets;
    struct imap_structure structure = response->structure;

    pr_buffer_clear(&ranges);
    pr_buffer_clear(&targets);
    pr_buffer_clear(&octets);
    imap_structure_clear(&structure);
    *response = (struct imap_response){.kind = IMAP_OTHER,
                                       .structure = structure,
                                       .ranges = ranges,
                                       .targets = targets,
                                       .octets = octets};
}

const char *imap_text(const struct imap_response *response,
                      struct imap_span span)
{
    return response->octets.data == NULL ? "" : response->octets.data + span.at;
}

pr_status imap_span_end(struct imap_response *response, size_t at,
                        struct imap_span *ret)
{
    *ret = (struct imap_span){at, response->octets.size - at};
    return pr_buffer_add(&response->octets, "", 1);
}

static pr_status read_span(struct imap_reader *reader,
                           struct imap_response *response,
                           struct imap_span *ret, bool *ret_is_nil)
{
    size_t at = response->octets.size;
    pr_status status = imap_read_string(reader, &response->octets, ret_is_nil);

    return status != PR_OK ? status : imap_span_end(response, at, ret);
}

/* The separator of a mailbox: NIL or one character. */
static pr_status read_separator(struct imap_reader *reader,
                                struct imap_response *ret)
{
    struct imap_span span = {0, 0};
    bool is_nil = false;
    pr_status status = read_span(reader, ret, &span, &is_nil);

    if (status != PR_OK)
        return status;
    if (!is_nil && span.size > 1)
        return pr_fail(PR_PROTOCOL, "the server's hierarchy separator is not "
                                    "one character");
    ret->mailbox.separator = is_nil ? '\0' : imap_text(ret, span)[0];
    return PR_OK;
}

/* RFC 3501, 7.2.2: attributes, separator, name; what RFC 5258 adds is dropped.
 */
static pr_status read_list(struct imap_reader *reader,
                           struct imap_response *ret)
{
    struct imap_token token;
    bool is_nil = false;
    pr_status status =
        imap_expect(reader, IMAP_OPEN, "the attributes of a folder", &token);

    ret->kind = IMAP_LIST;
    while (status == PR_OK) {
        status = imap_read(reader, &token);
        if (status != PR_OK || token.kind == IMAP_CLOSE)
            break;
        if (token.kind != IMAP_ATOM)
            return pr_fail(PR_PROTOCOL, "the server sent a folder's attribute "
                                        "that is none");
        if (pr_bytes_equal_nocase(token.text, PR_BYTES("\\Noselect")) ||
            pr_bytes_equal_nocase(token.text, PR_BYTES("\\NonExistent")))
            ret->mailbox.cannot_select = true;
    }
    if (status == PR_OK)
        status = read_separator(reader, ret);
    if (status == PR_OK) /* a folder may be called NIL */
        status = read_span(reader, ret, &ret->mailbox.name, &is_nil);
    if (status == PR_OK && is_nil) {
        ret->mailbox.name.at = ret->octets.size;
        status = pr_buffer_add(&ret->octets, "NIL", 3);
        if (status == PR_OK)
            status =
                imap_span_end(ret, ret->mailbox.name.at, &ret->mailbox.name);
    }
    return status;
}

/* RFC 2342: the prefix and separator of the first personal namespace. */
static pr_status read_namespace(struct imap_reader *reader,
                                struct imap_response *ret)
{
    struct imap_token token;
    bool is_nil = false;
    pr_status status = imap_read(reader, &token);

    ret->kind = IMAP_NAMESPACE;
    if (status != PR_OK || token.kind != IMAP_OPEN)
        return status;
    status = imap_expect(reader, IMAP_OPEN, "a namespace", &token);
    if (status == PR_OK)
        status = read_span(reader, ret, &ret->mailbox.name, &is_nil);
    return status != PR_OK ? status : read_separator(reader, ret);
}

static pr_status read_capabilities(struct imap_reader *reader,
                                   enum imap_kind kind,
                                   struct imap_response *ret)
{
    struct pr_bytes text;
    pr_status status = imap_read_text(reader, &text);

    ret->kind = kind;
    if (status == PR_OK) {
        ret->capabilities = imap_capabilities(text);
        ret->append_limit = imap_append_limit(text);
    }
    return status;
}

static pr_status add_range(struct pr_buffer *ranges, uint32_t first,
                           uint32_t last)
{
    struct pr_range range = {first, last};

    if (ranges->size > 0) {
        struct pr_range before;
        char *at = ranges->data + ranges->size - sizeof(before);
        memcpy(&before, at, sizeof(before));
        if (before.last != UINT32_MAX && first == before.last + 1) {
            before.last = last;
            memcpy(at, &before, sizeof(before));
            return PR_OK;
        }
    }
    return pr_buffer_add(ranges, &range, sizeof(range));
}

pr_status imap_ranges_put(struct pr_buffer *ranges, struct pr_bytes set)
{
    while (set.size > 0) {
        uint32_t first, last;
        if (!imap_uidset_take(&set, &first, &last))
            return pr_fail(PR_PROTOCOL, "the server sent a wrong set of UIDs");
        pr_status status = add_range(ranges, first, last);
        if (status == PR_LIMIT)
            return pr_fail(PR_LIMIT,
                           "the server sent a set of UIDs in over %zu pieces",
                           ranges->cap / sizeof(struct pr_range));
        if (status != PR_OK)
            return status;
    }
    return PR_OK;
}

pr_status imap_ranges_add(struct imap_response *ret, struct pr_bytes set)
{
    return imap_ranges_put(&ret->ranges, set);
}

/* RFC 3501, 7.2.5; "(MODSEQ n)" may follow (RFC 7162, 3.1.5). */
static pr_status read_search(struct imap_reader *reader,
                             struct imap_response *ret)
{
    ret->kind = IMAP_SEARCH;
    for (;;) {
        struct imap_token token;
        pr_status status = imap_read(reader, &token);
        if (status != PR_OK)
            return status;
        imap_unread(reader, &token);
        if (token.kind == IMAP_END)
            return PR_OK;
        if (token.kind == IMAP_OPEN) {
            status = imap_skip_value(reader);
        } else {
            status = imap_expect(reader, IMAP_ATOM, "a UID", &token);
            if (status == PR_OK)
                status = imap_ranges_add(ret, token.text);
        }
        if (status != PR_OK)
            return status;
    }
}

/* A set of UIDs, which may be longer than any other token. */
static pr_status read_set(struct imap_reader *reader, struct imap_response *ret)
{
    bool is_cut = true;
    pr_status status = PR_OK;

    reader->lexer.in_set = true;
    while (status == PR_OK && is_cut) {
        struct imap_token token;
        status = imap_expect(reader, IMAP_ATOM, "a set of UIDs", &token);
        if (status != PR_OK)
            break;
        is_cut =
            token.text.size > 0 && token.text.data[token.text.size - 1] == ',';
        token.text.size -= is_cut;
        status = imap_ranges_add(ret, token.text);
    }
    reader->lexer.in_set = false;
    return status;
}

/* RFC 4731, 3.1: "* ESEARCH (TAG "A1") UID ALL 1:3,5". */
static pr_status read_esearch(struct imap_reader *reader,
                              struct imap_response *ret)
{
    ret->kind = IMAP_SEARCH;
    for (;;) {
        struct imap_token token;
        pr_status status = imap_read(reader, &token);
        if (status != PR_OK)
            return status;
        bool is_atom = token.kind == IMAP_ATOM;
        bool is_all =
            is_atom && pr_bytes_equal_nocase(token.text, PR_BYTES("ALL"));
        bool stands_alone =
            is_atom && pr_bytes_equal_nocase(token.text, PR_BYTES("UID"));
        if (token.kind == IMAP_END || !is_atom)
            imap_unread(reader, &token);
        if (token.kind == IMAP_END)
            return PR_OK;
        if (is_all) {
            status = read_set(reader, ret);
        } else if (!stands_alone) {
            status = imap_skip_value(reader);
        }
        if (status != PR_OK)
            return status;
    }
}

static uint32_t number32(uint64_t value)
{
    return value <= UINT32_MAX ? (uint32_t)value : 0;
}

/* A number of a STATUS; what is none (RFC 7889, 3: NIL) is 0. */
static pr_status read_status_item(struct imap_reader *reader,
                                  struct pr_bytes name, struct imap_status *ret)
{
    static const char *const names[] = {"UIDVALIDITY", "UIDNEXT", "MESSAGES",
                                        "APPENDLIMIT", "HIGHESTMODSEQ"};
    size_t count = sizeof(names) / sizeof(*names), i = 0;
    struct imap_token token;
    uint64_t value = 0;

    while (i < count && !pr_bytes_equal_nocase(name, pr_bytes_of(names[i])))
        i++;
    if (i == count)
        return imap_skip_value(reader);
    pr_status status = imap_expect(reader, IMAP_ATOM, "a number", &token);
    if (status != PR_OK || !imap_number(token.text, UINT64_MAX, &value))
        return status;
    switch (i) {
    case 0:
        ret->uidvalidity = number32(value);
        break;
    case 1:
        ret->uidnext = number32(value);
        break;
    case 2:
        ret->exists = number32(value);
        ret->has_exists = true;
        break;
    case 3:
        ret->append_limit = value;
        break;
    default:
        ret->modseq = value;
        break;
    }
    return PR_OK;
}

/* RFC 3501, 7.2.4: the folder's name and a list of names and numbers. */
static pr_status read_status(struct imap_reader *reader,
                             struct imap_response *ret)
{
    struct imap_token token;
    bool is_nil = false;
    pr_status status = read_span(reader, ret, &ret->mailbox.name, &is_nil);

    ret->kind = IMAP_STATUS;
    if (status == PR_OK)
        status = imap_expect(reader, IMAP_OPEN, "the list of a STATUS", &token);
    while (status == PR_OK) {
        status = imap_read(reader, &token);
        if (status != PR_OK || token.kind == IMAP_CLOSE)
            break;
        if (token.kind != IMAP_ATOM)
            return pr_fail(PR_PROTOCOL, "the server's STATUS lacks a name");
        status = read_status_item(reader, token.text, &ret->status);
    }
    return status;
}

/* RFC 7162, 3.2.10: "* VANISHED (EARLIER) 41,43:116". */
static pr_status read_vanished(struct imap_reader *reader,
                               struct imap_response *ret)
{
    struct imap_token token;

    ret->kind = IMAP_VANISHED;
    reader->lexer.in_set = true; /* the first token may be the set */
    pr_status status = imap_read(reader, &token);
    if (status != PR_OK)
        return status;
    imap_unread(reader, &token);
    if (token.kind == IMAP_OPEN) { /* (EARLIER) */
        ret->is_earlier = true;
        reader->lexer.in_set = false;
        status = imap_skip_value(reader);
    }
    return status != PR_OK ? status : read_set(reader, ret);
}

/* "* 5 EXISTS" and its like. */
static pr_status read_numbered(struct imap_reader *reader,
                               const struct imap_receiver *receiver,
                               uint64_t number, struct imap_response *ret)
{
    struct imap_token token;
    pr_status status =
        imap_expect(reader, IMAP_ATOM, "the name of a response", &token);

    ret->number = number;
    if (status != PR_OK)
        return status;
    if (pr_bytes_equal_nocase(token.text, PR_BYTES("FETCH"))) {
        ret->kind = IMAP_FETCH;
        return imap_message_read(reader, receiver, ret);
    }
    if (pr_bytes_equal_nocase(token.text, PR_BYTES("EXISTS")))
        ret->kind = IMAP_EXISTS;
    else if (pr_bytes_equal_nocase(token.text, PR_BYTES("EXPUNGE")))
        ret->kind = IMAP_EXPUNGE;
    return PR_OK;
}

static pr_status read_untagged(struct imap_reader *reader,
                               const struct imap_receiver *receiver,
                               struct imap_response *ret)
{
    struct imap_token token;
    pr_status status =
        imap_expect(reader, IMAP_ATOM, "the name of a response", &token);
    struct pr_bytes name = token.text;
    enum imap_condition condition;
    uint64_t number;

    if (status != PR_OK)
        return status;
    if (imap_number(name, UINT32_MAX, &number))
        return read_numbered(reader, receiver, number, ret);
    if (imap_condition_named(name, &condition)) {
        ret->kind = IMAP_CONDITION;
        return imap_condition_read(reader, condition, ret);
    }
    if (pr_bytes_equal_nocase(name, PR_BYTES("CAPABILITY")))
        return read_capabilities(reader, IMAP_CAPABILITY, ret);
    if (pr_bytes_equal_nocase(name, PR_BYTES("ENABLED")))
        return read_capabilities(reader, IMAP_ENABLED, ret);
    if (pr_bytes_equal_nocase(name, PR_BYTES("LIST")))
        return read_list(reader, ret);
    if (pr_bytes_equal_nocase(name, PR_BYTES("SEARCH")))
        return read_search(reader, ret);
    if (pr_bytes_equal_nocase(name, PR_BYTES("ESEARCH")))
        return read_esearch(reader, ret);
    if (pr_bytes_equal_nocase(name, PR_BYTES("STATUS")))
        return read_status(reader, ret);
    if (pr_bytes_equal_nocase(name, PR_BYTES("VANISHED")))
        return read_vanished(reader, ret);
    if (pr_bytes_equal_nocase(name, PR_BYTES("NAMESPACE")))
        return read_namespace(reader, ret);
    return PR_OK;
}

static pr_status read_tagged(struct imap_reader *reader, struct pr_bytes tag,
                             struct imap_response *ret)
{
    struct imap_token token;
    enum imap_condition condition;

    ret->kind = IMAP_TAGGED;
    if (tag.size >= sizeof(ret->tag))
        return pr_fail(PR_PROTOCOL, "the server sent a line that is not IMAP");
    memcpy(ret->tag, tag.data, tag.size);
    pr_status status = imap_read(reader, &token);
    if (status != PR_OK)
        return status;
    if (token.kind != IMAP_ATOM ||
        !imap_condition_named(token.text, &condition) || condition > IMAP_BAD)
        return pr_fail(PR_PROTOCOL, "the server sent a line that is not IMAP");
    return imap_condition_read(reader, condition, ret);
}

pr_status imap_response_read(struct imap_reader *reader,
                             const struct imap_receiver *receiver,
                             struct imap_response *ret)
{
    struct imap_token token;
    pr_status status = imap_read(reader, &token);

    forget(ret);
    if (status == PR_OK && token.kind != IMAP_ATOM)
        return pr_fail(PR_PROTOCOL, "the server sent a line that is not IMAP");
    if (status != PR_OK)
        return status;
    if (pr_bytes_equal(token.text, PR_BYTES("*"))) {
        status = read_untagged(reader, receiver, ret);
    } else if (pr_bytes_equal(token.text, PR_BYTES("+"))) {
        struct pr_bytes text;
        ret->kind = IMAP_CONTINUE;
        status = imap_read_text(reader, &text);
    } else {
        status = read_tagged(reader, token.text, ret);
    }
    return status != PR_OK ? status : imap_skip_line(reader);
}
