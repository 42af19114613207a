/*
 * BODYSTRUCTURE: from its nested lists to a flat row of parts.
 *
 * The open multiparts and messages are a stack. Functions that read a value get
 * it with its first token already in `token`, and leave its last one there. An
 * odd structure is PR_UNSUPPORTED in here.
 */
#include "structure.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_CAP 200u
#define WORD_CAP IMAP_TOKEN_CAP
#define TEXT_CAP (8u * 1024 * 1024)

struct imap_part {
    unsigned depth;
    bool is_multipart, is_blank;
    uint64_t size;
    size_t at, length; /* its fields, in the text */
};

/* A part whose list is open, with others in it. */
struct holder {
    size_t part;
    size_t children;
    bool is_message;
};

struct parser {
    struct imap_reader *reader;
    struct imap_structure *structure;
    struct imap_token token;
    struct pr_buffer word, other; /* strings */
    size_t spent;                 /* of the response, before the structure */
    struct holder open[DEPTH_CAP];
    size_t open_count;
};

static pr_status odd(void)
{
    return pr_fail(PR_UNSUPPORTED, "the server sent a structure that is none");
}

/* ---- Tokens and strings -------------------------------------------------- */

/* The structure has a cap of its own, and is no burden of the response. */
static pr_status next(struct parser *parser)
{
    struct imap_lexer *lexer = &parser->reader->lexer;
    pr_status status = imap_read(parser->reader, &parser->token);

    if (lexer->spent > parser->spent)
        parser->structure->octets += lexer->spent - parser->spent;
    lexer->spent = parser->spent;
    if (status == PR_OK && parser->structure->octets > IMAP_STRUCTURE_CAP)
        return pr_fail(PR_PROTOCOL,
                       "the server sent a structure of over %u MiB",
                       IMAP_STRUCTURE_CAP / 1024 / 1024);
    return status;
}

static bool is(const struct parser *parser, enum imap_token_kind kind)
{
    return parser->token.kind == kind;
}

static bool is_nil(const struct parser *parser)
{
    return is(parser, IMAP_ATOM) &&
           pr_bytes_equal_nocase(parser->token.text, PR_BYTES("NIL"));
}

static bool is_number(const struct parser *parser)
{
    uint64_t number;

    return is(parser, IMAP_ATOM) &&
           imap_number(parser->token.text, INT64_MAX, &number);
}

static pr_status take_literal(struct parser *parser, struct pr_buffer *to)
{
    uint64_t left = parser->token.size;

    if (left > WORD_CAP)
        return odd();
    while (left > 0) {
        pr_status status = next(parser);
        if (status == PR_OK)
            status = pr_buffer_add(to, parser->token.text.data,
                                   parser->token.text.size);
        if (status != PR_OK)
            return status;
        left -= parser->token.text.size;
    }
    return PR_OK;
}

/* A string; NIL is the empty one. */
static pr_status take_string(struct parser *parser, struct pr_buffer *to)
{
    pr_buffer_clear(to);
    if (is(parser, IMAP_LITERAL))
        return take_literal(parser, to);
    if (!is(parser, IMAP_QUOTED) && !is(parser, IMAP_ATOM))
        return odd();
    return is_nil(parser) ? PR_OK
                          : pr_buffer_add(to, parser->token.text.data,
                                          parser->token.text.size);
}

/* Passes over a value. */
static pr_status skip(struct parser *parser)
{
    unsigned depth = parser->reader->lexer.depth - is(parser, IMAP_OPEN);
    pr_status status = PR_OK;

    if (is(parser, IMAP_CLOSE))
        return odd();
    while (status == PR_OK && (parser->reader->lexer.depth > depth ||
                               parser->reader->lexer.literal_left > 0))
        status = next(parser);
    return status;
}

/* ---- Fields -------------------------------------------------------------- */

static struct pr_bytes bytes_of(const struct pr_buffer *buffer)
{
    return (struct pr_bytes){pr_buffer_text(buffer), buffer->size};
}

/* RFC 2045, 5.1: token. */
static bool is_token(struct pr_bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f ||
            strchr("()<>@,;:\\\"/[]?=", text.data[i]) != NULL)
            return false;
    return text.size > 0;
}

static pr_status put(struct parser *parser, const char *text)
{
    return pr_buffer_add_text(&parser->structure->text, text);
}

/* A text that can end no line. */
static pr_status put_line(struct parser *parser, struct pr_bytes text)
{
    struct pr_buffer *to = &parser->structure->text;
    size_t begin = to->size;
    pr_status status = pr_buffer_add(to, text.data, text.size);

    for (size_t i = begin; status == PR_OK && i < to->size; i++)
        if (to->data[i] == '\r' || to->data[i] == '\n' || to->data[i] == '\0')
            to->data[i] = ' ';
    return status;
}

static pr_status put_quoted(struct parser *parser, struct pr_bytes text)
{
    pr_status status = put(parser, "\"");

    while (status == PR_OK && text.size > 0) {
        const char *special = text.data;
        size_t plain = 0;
        while (plain < text.size && special[plain] != '"' &&
               special[plain] != '\\')
            plain++;
        status = put_line(parser, (struct pr_bytes){text.data, plain});
        if (status == PR_OK && plain < text.size) {
            const char escaped[] = {'\\', text.data[plain++], '\0'};
            status = put(parser, escaped);
        }
        text = (struct pr_bytes){text.data + plain, text.size - plain};
    }
    return status != PR_OK ? status : put(parser, "\"");
}

/* One parameter. Values of RFC 2231 are never quoted (its section 7). */
static pr_status put_parameter(struct parser *parser)
{
    struct pr_bytes name = bytes_of(&parser->word);
    struct pr_bytes value = bytes_of(&parser->other);

    if (!is_token(name))
        return PR_OK;
    bool is_extended = name.data[name.size - 1] == '*' && is_token(value);
    pr_status status = put(parser, "; ");
    if (status == PR_OK)
        status = put_line(parser, name);
    if (status == PR_OK)
        status = put(parser, "=");
    if (status != PR_OK)
        return status;
    return is_extended ? put_line(parser, value) : put_quoted(parser, value);
}

static pr_status read_parameters(struct parser *parser)
{
    if (is_nil(parser))
        return PR_OK;
    if (!is(parser, IMAP_OPEN))
        return odd();
    for (;;) {
        pr_status status = next(parser);
        if (status != PR_OK || is(parser, IMAP_CLOSE))
            return status;
        status = take_string(parser, &parser->word);
        if (status == PR_OK)
            status = next(parser);
        bool has_value = !is_nil(parser);
        if (status == PR_OK)
            status = take_string(parser, &parser->other);
        if (status == PR_OK && has_value)
            status = put_parameter(parser);
        if (status != PR_OK)
            return status;
    }
}

/* Begins the fields of a part: its type, as two words, and the parameters that
 * follow. */
static pr_status put_type(struct parser *parser, struct pr_bytes type,
                          struct pr_bytes subtype)
{
    pr_status status = put(parser, "Content-Type: ");

    if (!is_token(type) || !is_token(subtype))
        return odd();
    if (status == PR_OK)
        status = put_line(parser, type);
    if (status == PR_OK)
        status = put(parser, "/");
    return status != PR_OK ? status : put_line(parser, subtype);
}

/* A string that is a field's value; NIL or empty: no field. */
static pr_status read_field(struct parser *parser, const char *name)
{
    pr_status status = take_string(parser, &parser->word);

    if (status != PR_OK || parser->word.size == 0)
        return status;
    status = put(parser, name);
    if (status == PR_OK)
        status = put_line(parser, bytes_of(&parser->word));
    return status != PR_OK ? status : put(parser, "\n");
}

/* NIL, or the disposition and its parameters. */
static pr_status read_disposition(struct parser *parser)
{
    if (is_nil(parser))
        return PR_OK;
    if (!is(parser, IMAP_OPEN))
        return odd();
    pr_status status = next(parser);
    if (status == PR_OK)
        status = take_string(parser, &parser->word);
    if (status == PR_OK && !is_token(bytes_of(&parser->word)))
        return odd();
    if (status == PR_OK)
        status = put(parser, "Content-Disposition: ");
    if (status == PR_OK)
        status = put_line(parser, bytes_of(&parser->word));
    if (status == PR_OK)
        status = next(parser);
    if (status == PR_OK && !is(parser, IMAP_CLOSE)) {
        status = read_parameters(parser);
        if (status == PR_OK)
            status = next(parser);
    }
    if (status == PR_OK && !is(parser, IMAP_CLOSE))
        return odd();
    return status != PR_OK ? status : put(parser, "\n");
}

/* The disposition and what may come after it, up to the end of the part. */
static pr_status read_rest(struct parser *parser)
{
    pr_status status = read_disposition(parser);

    while (status == PR_OK) {
        status = next(parser);
        if (status != PR_OK || is(parser, IMAP_CLOSE))
            return status;
        status = skip(parser);
    }
    return status;
}

/* ---- Parts --------------------------------------------------------------- */

static struct imap_part *part_at(const struct parser *parser, size_t index)
{
    struct imap_part *parts = (void *)parser->structure->parts.data;

    return &parts[index];
}

static size_t part_count(const struct imap_structure *structure)
{
    return structure->parts.size / sizeof(struct imap_part);
}

static pr_status add_part(struct parser *parser, bool is_multipart,
                          size_t *ret_index)
{
    const struct imap_part part = {.depth = (unsigned)parser->open_count,
                                   .is_multipart = is_multipart};

    *ret_index = part_count(parser->structure);
    if (*ret_index == IMAP_PARTS_CAP)
        return odd();
    if (parser->open_count > 0)
        parser->open[parser->open_count - 1].children++;
    return pr_buffer_add(&parser->structure->parts, &part, sizeof(part));
}

static pr_status open_part(struct parser *parser, size_t index, bool is_message)
{
    if (parser->open_count == DEPTH_CAP)
        return odd();
    parser->open[parser->open_count++] =
        (struct holder){.part = index, .is_message = is_message};
    return PR_OK;
}

static void note_fields(struct parser *parser, size_t index, size_t at)
{
    struct imap_part *part = part_at(parser, index);

    part->at = at;
    part->length = parser->structure->text.size - at;
}

/* What Dovecot says for the content of a multipart without parts, and what an
 * empty part is told as: the message must be looked at. */
static bool is_blank(const struct parser *parser, const struct imap_part *part)
{
    const struct pr_bytes fields = {parser->structure->text.data + part->at,
                                    part->length};

    return part->size == 0 &&
           pr_bytes_equal_nocase(fields,
                                 PR_BYTES("Content-Type: text/plain; "
                                          "charset=\"us-ascii\"\n"
                                          "Content-Transfer-Encoding: 7bit\n"));
}

/* After size, or the body of a message: perhaps lines, then what all parts may
 * have (RFC 3501, 9: body-ext-1part). */
static pr_status finish_leaf(struct parser *parser, size_t index, size_t at)
{
    pr_status status = PR_OK;

    if (is_number(parser))
        status = next(parser);
    if (status == PR_OK && !is(parser, IMAP_CLOSE)) {
        status = take_string(parser, &parser->word); /* MD5 */
        if (status == PR_OK)
            status = next(parser);
        if (status == PR_OK && !is(parser, IMAP_CLOSE))
            status = read_rest(parser);
    }
    if (status != PR_OK)
        return status;
    note_fields(parser, index, at);
    part_at(parser, index)->is_blank = is_blank(parser, part_at(parser, index));
    return PR_OK;
}

/* The type's words, parameters, id, description, encoding, size.
 * *ret_is_message: it may be opened. */
static pr_status read_basics(struct parser *parser, size_t index,
                             bool *ret_is_message)
{
    struct pr_buffer *subtype = &parser->other;
    pr_status status = take_string(parser, &parser->word);

    if (status == PR_OK)
        status = next(parser);
    if (status == PR_OK)
        status = take_string(parser, subtype);
    if (status == PR_OK)
        status = put_type(parser, bytes_of(&parser->word), bytes_of(subtype));
    *ret_is_message =
        pr_bytes_equal_nocase(bytes_of(&parser->word), PR_BYTES("message"));
    if (status == PR_OK)
        status = next(parser);
    if (status == PR_OK)
        status = read_parameters(parser);
    if (status == PR_OK)
        status = put(parser, "\n");
    if (status == PR_OK)
        status = next(parser);
    if (status == PR_OK)
        status = read_field(parser, "Content-ID: ");
    if (status == PR_OK)
        status = next(parser);
    if (status == PR_OK)
        status = take_string(parser, &parser->word); /* description */
    if (status == PR_OK)
        status = next(parser);
    if (status == PR_OK)
        status = read_field(parser, "Content-Transfer-Encoding: ");
    if (status == PR_OK)
        status = next(parser);
    if (status == PR_OK &&
        (!is(parser, IMAP_ATOM) || !imap_number(parser->token.text, INT64_MAX,
                                                &part_at(parser, index)->size)))
        return odd();
    return status != PR_OK ? status : next(parser);
}

/* A part that is no multipart. After a message's envelope its body is to come,
 * and the rest of the part after that. */
static pr_status read_leaf(struct parser *parser)
{
    size_t index = 0, at = parser->structure->text.size;
    bool is_message = false;
    pr_status status = add_part(parser, false, &index);

    if (status == PR_OK)
        status = read_basics(parser, index, &is_message);
    if (status != PR_OK)
        return status;
    if (!is_message || !is(parser, IMAP_OPEN))
        return finish_leaf(parser, index, at);
    note_fields(parser, index, at);
    status = skip(parser);
    if (status == PR_OK)
        status = next(parser);
    if (status == PR_OK && !is(parser, IMAP_OPEN))
        return odd();
    return status != PR_OK ? status : open_part(parser, index, true);
}

/* The fields of a message stand before those of its body; what comes after the
 * body belongs to them. */
static pr_status finish_message(struct parser *parser, size_t index)
{
    const struct imap_part *part = part_at(parser, index);
    struct pr_buffer *text = &parser->structure->text;
    size_t at = text->size, from = part->at, length = part->length;

    if (pr_buffer_reserve(text, length) == NULL)
        return odd();
    pr_status status = pr_buffer_add(text, text->data + from, length);
    return status != PR_OK ? status : finish_leaf(parser, index, at);
}

/* After the last part of a multipart: its subtype, parameters and the rest. */
static pr_status finish_multipart(struct parser *parser,
                                  const struct holder *holder)
{
    size_t at = parser->structure->text.size;
    pr_status status = take_string(parser, &parser->word);

    if (holder->children == 1 && part_at(parser, holder->part + 1)->is_blank)
        return odd();
    if (status == PR_OK)
        status =
            put_type(parser, PR_BYTES("multipart"), bytes_of(&parser->word));
    if (status == PR_OK)
        status = next(parser);
    bool has_parameters = status == PR_OK && !is(parser, IMAP_CLOSE);
    if (has_parameters)
        status = read_parameters(parser);
    if (status == PR_OK)
        status = put(parser, "\n");
    if (status == PR_OK && has_parameters) {
        status = next(parser);
        if (status == PR_OK && !is(parser, IMAP_CLOSE))
            status = read_rest(parser);
    }
    if (status == PR_OK)
        note_fields(parser, holder->part, at);
    return status;
}

/* The list of a part was opened; what is next says which. */
static pr_status begin_part(struct parser *parser)
{
    size_t index = 0;
    pr_status status = next(parser);

    while (status == PR_OK && is(parser, IMAP_OPEN)) {
        status = add_part(parser, true, &index);
        if (status == PR_OK)
            status = open_part(parser, index, false);
        if (status == PR_OK)
            status = next(parser);
    }
    return status != PR_OK ? status : read_leaf(parser);
}

/* In the list of an open part, at what follows one that is in it. */
static pr_status go_on(struct parser *parser)
{
    struct holder *holder = &parser->open[parser->open_count - 1];

    if (is(parser, IMAP_OPEN) && !holder->is_message)
        return begin_part(parser);
    parser->open_count--;
    return holder->is_message ? finish_message(parser, holder->part)
                              : finish_multipart(parser, holder);
}

static pr_status read_all(struct parser *parser)
{
    pr_status status = next(parser);

    if (status == PR_OK && !is(parser, IMAP_OPEN))
        return odd();
    if (status == PR_OK)
        status = begin_part(parser);
    while (status == PR_OK && parser->open_count > 0) {
        struct holder *holder = &parser->open[parser->open_count - 1];
        bool has_begun = !holder->is_message || holder->children > 0;
        if (has_begun)
            status = next(parser);
        if (status == PR_OK)
            status = has_begun ? go_on(parser) : begin_part(parser);
    }
    return status;
}

/* ---- For others ---------------------------------------------------------- */

void imap_structure_init(struct imap_structure *structure)
{
    *structure = (struct imap_structure){.is_told = false};
    pr_buffer_init(&structure->parts,
                   IMAP_PARTS_CAP * sizeof(struct imap_part));
    pr_buffer_init(&structure->text, TEXT_CAP);
}

void imap_structure_done(struct imap_structure *structure)
{
    pr_buffer_done(&structure->parts);
    pr_buffer_done(&structure->text);
}

void imap_structure_clear(struct imap_structure *structure)
{
    structure->is_told = structure->is_odd = false;
    structure->octets = 0;
    pr_buffer_clear(&structure->parts);
    pr_buffer_clear(&structure->text);
}

/* Up to the end of the structure's list. */
static pr_status drain(struct parser *parser, unsigned depth)
{
    const struct imap_lexer *lexer = &parser->reader->lexer;
    pr_status status = PR_OK;

    while (status == PR_OK && (lexer->depth > depth || lexer->literal_left > 0))
        status = next(parser);
    return status;
}

pr_status imap_structure_read(struct imap_reader *reader,
                              struct imap_structure *ret)
{
    unsigned depth = reader->lexer.depth;
    struct parser *parser = calloc(1, sizeof(*parser));

    imap_structure_clear(ret);
    if (parser == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    parser->reader = reader;
    parser->structure = ret;
    parser->spent = reader->lexer.spent;
    pr_buffer_init(&parser->word, WORD_CAP + 1);
    pr_buffer_init(&parser->other, WORD_CAP + 1);
    pr_status status = read_all(parser);
    if (status == PR_UNSUPPORTED || status == PR_LIMIT) {
        ret->is_odd = true;
        pr_buffer_clear(&ret->parts);
        status = drain(parser, depth);
    }
    ret->is_told = status == PR_OK;
    pr_buffer_done(&parser->word);
    pr_buffer_done(&parser->other);
    free(parser);
    return status;
}

pr_status imap_structure_parts(const struct imap_structure *structure,
                               struct pr_part **ret_parts, size_t *ret_count)
{
    size_t count = part_count(structure);
    const struct imap_part *from = (const void *)structure->parts.data;
    struct pr_part *parts = calloc(count + 1, sizeof(*parts));

    if (parts == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    for (size_t i = 0; i < count; i++)
        parts[i] = (struct pr_part){
            .depth = from[i].depth,
            .is_multipart = from[i].is_multipart,
            .size = from[i].size,
            .fields = {structure->text.data + from[i].at, from[i].length},
        };
    *ret_parts = parts;
    *ret_count = count;
    return PR_OK;
}
