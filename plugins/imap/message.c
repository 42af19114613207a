/*
 * What FETCH answers about one message (RFC 3501, 7.4.2).
 *
 * Items that were not asked for are read and dropped: servers add what they
 * like.
 */
#include <string.h>

#include "flags.h"
#include "response.h"

static pr_status read_number(struct imap_reader *reader, uint64_t most,
                             uint64_t *ret)
{
    struct imap_token token;
    pr_status status = imap_expect(reader, IMAP_ATOM, "a number", &token);

    if (status == PR_OK && !imap_number(token.text, most, ret))
        return pr_fail(PR_PROTOCOL, "the server sent a wrong number");
    return status;
}

static pr_status read_uid(struct imap_reader *reader, struct imap_message *ret)
{
    uint64_t uid = 0;
    pr_status status = read_number(reader, UINT32_MAX, &uid);

    if (status == PR_OK && (uid == 0 || (ret->uid != 0 && ret->uid != uid)))
        return pr_fail(PR_PROTOCOL, "the server sent a wrong UID");
    if (status == PR_OK)
        ret->uid = (uint32_t)uid;
    return status;
}

static pr_status add_flag(struct imap_response *ret, struct pr_bytes name)
{
    unsigned bit = imap_flag(name);
    pr_status status = PR_OK;

    ret->message.system_flags |= bit;
    if (bit != 0 || !imap_is_keyword(name))
        return PR_OK; /* a system flag nobody knows here is dropped as well */
    if (ret->octets.size > ret->message.keywords.at)
        status = pr_buffer_add(&ret->octets, " ", 1);
    return status != PR_OK ? status
                           : pr_buffer_add(&ret->octets, name.data, name.size);
}

static pr_status read_flags(struct imap_reader *reader,
                            struct imap_response *ret)
{
    struct imap_token token;
    pr_status status =
        imap_expect(reader, IMAP_OPEN, "the list of flags", &token);

    ret->message.has_flags = true;
    ret->message.system_flags = 0;
    ret->message.keywords.at = ret->octets.size;
    while (status == PR_OK) {
        status = imap_read(reader, &token);
        if (status != PR_OK || token.kind == IMAP_CLOSE)
            break;
        if (token.kind != IMAP_ATOM)
            return pr_fail(PR_PROTOCOL, "the server sent flags that are none");
        status = add_flag(ret, token.text);
    }
    if (status != PR_OK)
        return status;
    return imap_span_end(ret, ret->message.keywords.at, &ret->message.keywords);
}

/* X-GM-LABELS: a list of strings. One with a line end in it is dropped. */
static pr_status read_labels(struct imap_reader *reader,
                             struct imap_response *ret)
{
    struct imap_token token;
    size_t at = ret->octets.size;
    pr_status status =
        imap_expect(reader, IMAP_OPEN, "the list of labels", &token);

    while (status == PR_OK) {
        status = imap_read(reader, &token);
        if (status != PR_OK || token.kind == IMAP_CLOSE)
            break;
        imap_unread(reader, &token);
        if (token.kind == IMAP_OPEN) { /* no label: of no interest */
            status = imap_skip_value(reader);
            continue;
        }
        size_t begin = ret->octets.size;
        bool is_nil = false;
        if (begin > at)
            status = pr_buffer_add(&ret->octets, "\n", 1);
        size_t first = ret->octets.size;
        if (status == PR_OK)
            status = imap_read_string(reader, &ret->octets, &is_nil);
        if (status == PR_OK && is_nil) /* a label may be called NIL */
            status = pr_buffer_add(&ret->octets, "NIL", 3);
        if (status == PR_OK && (ret->octets.size == first ||
                                memchr(ret->octets.data + first, '\n',
                                       ret->octets.size - first) != NULL ||
                                memchr(ret->octets.data + first, '\0',
                                       ret->octets.size - first) != NULL))
            ret->octets.size = begin;
    }
    if (status != PR_OK)
        return status;
    ret->message.has_labels = true;
    return imap_span_end(ret, at, &ret->message.labels);
}

static pr_status read_date(struct imap_reader *reader,
                           struct imap_response *ret)
{
    struct imap_token token;
    pr_status status = imap_read(reader, &token);

    if (status != PR_OK)
        return status;
    if (token.kind != IMAP_QUOTED) { /* NIL, or a literal: not told */
        imap_unread(reader, &token);
        return imap_skip_value(reader);
    }
    ret->message.received = imap_date_parse(token.text);
    ret->message.has_date = true;
    return PR_OK;
}

static pr_status pass_literal(struct imap_reader *reader,
                              const struct imap_receiver *receiver,
                              struct imap_response *ret, uint64_t left)
{
    if (receiver == NULL)
        return imap_skip_literal(reader, left);
    reader->lexer.is_streamed = true;
    pr_status status = receiver->begin(receiver->user, ret, left);
    while (status == PR_OK && left > 0) {
        struct imap_token token;
        status = imap_read(reader, &token);
        if (status != PR_OK)
            break;
        left -= token.text.size;
        status = receiver->chunk(receiver->user, token.text);
    }
    return status;
}

static pr_status pass_quoted(const struct imap_receiver *receiver,
                             struct imap_response *ret, struct pr_bytes text)
{
    if (receiver == NULL)
        return PR_OK;
    pr_status status = receiver->begin(receiver->user, ret, text.size);
    if (status == PR_OK && text.size > 0)
        status = receiver->chunk(receiver->user, text);
    return status;
}

static pr_status read_body(struct imap_reader *reader,
                           const struct imap_receiver *receiver,
                           unsigned section, struct imap_response *ret)
{
    struct imap_token token;
    pr_status status = imap_read(reader, &token);

    if (status != PR_OK)
        return status;
    if (ret->message.body == IMAP_BODY_GIVEN)
        return pr_fail(PR_PROTOCOL, "the server sent a message twice in one "
                                    "answer");
    ret->message.section = section;
    ret->message.octets = 0;
    ret->message.body = IMAP_BODY_GIVEN;
    switch (token.kind) {
    case IMAP_LITERAL:
        ret->message.octets = token.size;
        return pass_literal(reader, receiver, ret, token.size);
    case IMAP_QUOTED:
        ret->message.octets = token.text.size;
        return pass_quoted(receiver, ret, token.text);
    case IMAP_ATOM:
        if (pr_bytes_equal_nocase(token.text, PR_BYTES("NIL"))) {
            ret->message.body = IMAP_BODY_NIL;
            return PR_OK;
        }
        break;
    default:
        break;
    }
    return pr_fail(PR_PROTOCOL, "the server sent a message that is no string");
}

/* "(624140003)" (RFC 7162, 7: fetch-mod-resp). */
static pr_status read_modseq(struct imap_reader *reader,
                             struct imap_message *ret)
{
    struct imap_token token;
    pr_status status = imap_expect(reader, IMAP_OPEN, "a MODSEQ", &token);

    if (status == PR_OK)
        status = read_number(reader, INT64_MAX, &ret->modseq);
    return status != PR_OK
               ? status
               : imap_expect(reader, IMAP_CLOSE, "the end of a MODSEQ", &token);
}

/* "BODY[1.2]<0>": the number of a part, from its beginning. */
static bool is_part(struct pr_bytes name, struct pr_bytes *ret)
{
    const struct pr_bytes prefix = PR_BYTES("BODY["), origin = PR_BYTES("<0>");
    struct pr_bytes part = name;

    if (part.size > origin.size &&
        pr_bytes_equal(
            (struct pr_bytes){part.data + part.size - origin.size, origin.size},
            origin))
        part.size -= origin.size;
    if (part.size < prefix.size + 2 || part.data[part.size - 1] != ']' ||
        !pr_bytes_equal_nocase((struct pr_bytes){part.data, prefix.size},
                               prefix))
        return false;
    part.data += prefix.size;
    part.size -= prefix.size + 1;
    *ret = part;
    return (part.data[0] >= '1' && part.data[0] <= '9') ||
           pr_bytes_equal_nocase(part, PR_BYTES("TEXT"));
}

static pr_status read_part(struct imap_reader *reader,
                           const struct imap_receiver *receiver,
                           struct pr_bytes part, struct imap_response *ret)
{
    size_t at = ret->octets.size;
    pr_status status = pr_buffer_add(&ret->octets, part.data, part.size);

    if (status == PR_OK)
        status = imap_span_end(ret, at, &ret->message.part);
    return status != PR_OK ? status
                           : read_body(reader, receiver, PR_WANT_PART, ret);
}

static pr_status read_item(struct imap_reader *reader,
                           const struct imap_receiver *receiver,
                           struct pr_bytes name, struct imap_response *ret)
{
    struct imap_message *message = &ret->message;
    struct pr_bytes part;

    if (pr_bytes_equal_nocase(name, PR_BYTES("UID")))
        return read_uid(reader, message);
    if (pr_bytes_equal_nocase(name, PR_BYTES("FLAGS")))
        return read_flags(reader, ret);
    if (pr_bytes_equal_nocase(name, PR_BYTES("X-GM-LABELS")))
        return read_labels(reader, ret);
    if (pr_bytes_equal_nocase(name, PR_BYTES("INTERNALDATE")))
        return read_date(reader, ret);
    if (pr_bytes_equal_nocase(name, PR_BYTES("RFC822.SIZE"))) {
        message->has_size = true;
        return read_number(reader, INT64_MAX, &message->size);
    }
    if (pr_bytes_equal_nocase(name, PR_BYTES("MODSEQ")))
        return read_modseq(reader, message);
    if (pr_bytes_equal_nocase(name, PR_BYTES("BODY[]")))
        return read_body(reader, receiver, PR_WANT_ALL, ret);
    if (pr_bytes_equal_nocase(name, PR_BYTES("BODY[HEADER]")))
        return read_body(reader, receiver, PR_WANT_HEADER, ret);
    if (pr_bytes_equal_nocase(name, PR_BYTES("BODY[]<0>")))
        return read_body(reader, receiver, IMAP_SECTION_BEGINNING, ret);
    if (pr_bytes_equal_nocase(name, PR_BYTES("BODYSTRUCTURE")))
        return imap_structure_read(reader, &ret->structure);
    if (is_part(name, &part))
        return read_part(reader, receiver, part, ret);
    return imap_skip_value(reader);
}

pr_status imap_message_read(struct imap_reader *reader,
                            const struct imap_receiver *receiver,
                            struct imap_response *ret)
{
    struct imap_token token;
    pr_status status =
        imap_expect(reader, IMAP_OPEN, "the list of a FETCH", &token);

    while (status == PR_OK) {
        status = imap_read(reader, &token);
        if (status != PR_OK || token.kind == IMAP_CLOSE)
            return status;
        if (token.kind != IMAP_ATOM)
            return pr_fail(PR_PROTOCOL, "the server's FETCH lacks a name");
        status = read_item(reader, receiver, token.text, ret);
    }
    return status;
}
