/*
 * The tokenizer of IMAP responses.
 */
#include "parse.h"

#include <string.h>

#define SET_PIECE 4096u      /* octets of a set that are an atom of their own */
#define LITERAL_HEAD_CAP 32u /* "~{18446744073709551615}" CRLF */

void imap_lexer_done(struct imap_lexer *lexer)
{
    pr_buffer_done(&lexer->unquoted);
}

bool imap_number(struct pr_bytes text, uint64_t most, uint64_t *ret)
{
    uint64_t value = 0;

    if (text.size == 0)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        unsigned digit = (unsigned)(text.data[i] - '0');
        if (value > (most - digit) / 10 || digit > most)
            return false;
        value = value * 10 + digit;
    }
    *ret = value;
    return true;
}

/* Waits for more of the token that starts the input. */
static pr_status lex_more(struct imap_lexer *lexer, struct pr_bytes input,
                          struct imap_token *ret)
{
    if (input.size > IMAP_TOKEN_CAP)
        return pr_fail(PR_PROTOCOL, "the server sent a line of over %u KiB",
                       IMAP_TOKEN_CAP / 1024);
    lexer->scanned = input.size;
    *ret = (struct imap_token){.kind = IMAP_MORE};
    return PR_OK;
}

static pr_status lex_token(struct imap_lexer *lexer, enum imap_token_kind kind,
                           struct pr_bytes text, size_t used,
                           struct imap_token *ret)
{
    if (used > IMAP_TOKEN_CAP)
        return pr_fail(PR_PROTOCOL, "the server sent a line of over %u KiB",
                       IMAP_TOKEN_CAP / 1024);
    if (!lexer->in_set || kind != IMAP_ATOM) {
        if (used > IMAP_RESPONSE_CAP - lexer->spent)
            return pr_fail(PR_PROTOCOL,
                           "the server sent a response of over %u KiB",
                           IMAP_RESPONSE_CAP / 1024);
        lexer->spent += used;
    }
    lexer->scanned = 0;
    lexer->in_section = false;
    *ret = (struct imap_token){.kind = kind, .text = text, .used = used};
    return PR_OK;
}

static pr_status lex_chunk(struct imap_lexer *lexer, struct pr_bytes input,
                           struct imap_token *ret)
{
    if (input.size == 0) {
        *ret = (struct imap_token){.kind = IMAP_MORE};
        return PR_OK;
    }
    if (input.size > lexer->literal_left)
        input.size = (size_t)lexer->literal_left;
    if (!lexer->is_streamed) {
        if (input.size > IMAP_RESPONSE_CAP - lexer->spent)
            return pr_fail(PR_PROTOCOL,
                           "the server sent a response of over %u KiB",
                           IMAP_RESPONSE_CAP / 1024);
        lexer->spent += input.size;
    }
    lexer->literal_left -= input.size;
    *ret = (struct imap_token){
        .kind = IMAP_CHUNK, .text = input, .used = input.size};
    return PR_OK;
}

/* A CRLF at `at`; a bare LF passes too, as some servers' do. */
static pr_status lex_end(struct imap_lexer *lexer, struct pr_bytes input,
                         size_t at, struct imap_token *ret)
{
    size_t end = at;

    if (input.data[end] == '\r') {
        if (++end == input.size)
            return lex_more(lexer, input, ret);
        if (input.data[end] != '\n')
            return pr_fail(PR_PROTOCOL, "the server sent a bare CR");
    }
    if (lexer->depth > 0)
        return pr_fail(PR_PROTOCOL,
                       "the server ended a line in the middle of a list");
    pr_status status =
        lex_token(lexer, IMAP_END, (struct pr_bytes){0}, end + 1, ret);
    lexer->spent = 0;
    return status;
}

static pr_status lex_parenthesis(struct imap_lexer *lexer,
                                 struct pr_bytes input, size_t at,
                                 struct imap_token *ret)
{
    bool opens = input.data[at] == '(';

    if (opens && lexer->depth == IMAP_NESTING_CAP)
        return pr_fail(PR_PROTOCOL,
                       "the server nested lists over %u levels deep",
                       IMAP_NESTING_CAP);
    if (!opens && lexer->depth == 0)
        return pr_fail(PR_PROTOCOL, "the server closed a list that was not "
                                    "open");
    lexer->depth += opens ? 1u : -1u;
    return lex_token(lexer, opens ? IMAP_OPEN : IMAP_CLOSE,
                     (struct pr_bytes){0}, at + 1, ret);
}

/* Takes out the backslashes before quotes and backslashes; any other one is a
 * server's mistake and most probably meant as it stands. */
static pr_status unquote(struct imap_lexer *lexer, struct pr_bytes *text)
{
    struct pr_buffer *out = &lexer->unquoted;

    out->cap = IMAP_TOKEN_CAP + 1;
    pr_buffer_clear(out);
    char *to = pr_buffer_reserve(out, text->size);
    if (to == NULL)
        return PR_NOMEM;
    size_t size = 0;
    for (size_t i = 0; i < text->size; i++) {
        if (text->data[i] == '\\' && i + 1 < text->size &&
            (text->data[i + 1] == '"' || text->data[i + 1] == '\\'))
            i++;
        to[size++] = text->data[i];
    }
    pr_buffer_grew(out, size);
    *text = (struct pr_bytes){out->data, size};
    return PR_OK;
}

static pr_status lex_quoted(struct imap_lexer *lexer, struct pr_bytes input,
                            size_t at, struct imap_token *ret)
{
    bool has_escape = false;
    size_t end = at + 1;

    for (; end < input.size && input.data[end] != '"'; end++) {
        char c = input.data[end];
        if (c == '\0' || c == '\r' || c == '\n')
            return pr_fail(PR_PROTOCOL,
                           "the server sent %s inside a quoted string",
                           c == '\0' ? "a NUL" : "a line end");
        if (c == '\\') {
            has_escape = true;
            end++;
        }
    }
    if (end >= input.size)
        return lex_more(lexer, input, ret);
    struct pr_bytes text = {input.data + at + 1, end - at - 1};
    if (text.size > IMAP_TOKEN_CAP)
        return lex_more(lexer, input, ret);
    if (has_escape) {
        pr_status status = unquote(lexer, &text);
        if (status != PR_OK)
            return status;
    }
    return lex_token(lexer, IMAP_QUOTED, text, end + 1, ret);
}

/* "{" digits "}" CRLF, also with the "~" of a literal8 (RFC 3516) before. */
static pr_status lex_literal(struct imap_lexer *lexer, struct pr_bytes input,
                             size_t at, struct imap_token *ret)
{
    size_t first = at + (input.data[at] == '~' ? 2 : 1);
    size_t seen = input.size - at;
    size_t most = seen < LITERAL_HEAD_CAP ? seen : LITERAL_HEAD_CAP;
    const char *line_end = memchr(input.data + at, '\n', most);

    if (line_end == NULL && seen < LITERAL_HEAD_CAP)
        return lex_more(lexer, input, ret);
    if (line_end == NULL)
        line_end = input.data + at + most;
    size_t end = (size_t)(line_end - input.data);
    struct pr_bytes digits = {input.data + first, end - first};
    if (digits.size > 0 && digits.data[digits.size - 1] == '\r')
        digits.size--;
    uint64_t size = 0;
    if (digits.size == 0 || digits.data[digits.size - 1] != '}' ||
        !imap_number((struct pr_bytes){digits.data, digits.size - 1}, INT64_MAX,
                     &size))
        return pr_fail(PR_PROTOCOL,
                       "the server announced a literal of no valid size");
    pr_status status =
        lex_token(lexer, IMAP_LITERAL, (struct pr_bytes){0}, end + 1, ret);
    ret->size = size;
    lexer->literal_left = size;
    lexer->is_streamed = false;
    return status;
}

static bool ends_atom(char c)
{
    return c == ' ' || c == '(' || c == ')' || c == '"' || c == '{' ||
           c == '\r' || c == '\n';
}

/* Is it what a section in brackets follows (RFC 3501, 9: section; RFC 3516)? In
 * any other atom a bracket is an octet like others. */
static bool has_section(struct pr_bytes atom)
{
    static const char *const names[] = {"BODY", "BODY.PEEK", "BINARY",
                                        "BINARY.PEEK", "BINARY.SIZE"};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (pr_bytes_equal_nocase(atom, pr_bytes_of(names[i])))
            return true;
    return false;
}

/* Liberal in what an atom may hold, so that flags, numbers, sections in
 * brackets and what servers add all come as one. */
static pr_status lex_atom(struct imap_lexer *lexer, struct pr_bytes input,
                          size_t at, struct imap_token *ret)
{
    size_t end = lexer->scanned > at ? lexer->scanned : at;
    bool in_section = lexer->in_section;

    for (; end < input.size; end++) {
        char c = input.data[end];
        if (in_section ? c == '\r' || c == '\n' : ends_atom(c))
            break;
        if ((unsigned char)c < ' ' || c == 0x7f)
            return pr_fail(PR_PROTOCOL,
                           "the server sent a control character (0x%02x)",
                           (unsigned)(unsigned char)c);
        if (c == ',' && lexer->in_set && end - at >= SET_PIECE)
            return lex_token(lexer, IMAP_ATOM,
                             (struct pr_bytes){input.data + at, end + 1 - at},
                             end + 1, ret);
        if (c == '[' && !in_section)
            in_section =
                has_section((struct pr_bytes){input.data + at, end - at});
        else if (c == ']')
            in_section = false;
    }
    lexer->in_section = in_section;
    if (end == input.size)
        return lex_more(lexer, input, ret);
    return lex_token(lexer, IMAP_ATOM,
                     (struct pr_bytes){input.data + at, end - at}, end, ret);
}

pr_status imap_lex(struct imap_lexer *lexer, struct pr_bytes input,
                   struct imap_token *ret)
{
    size_t at = 0;

    if (lexer->literal_left > 0)
        return lex_chunk(lexer, input, ret);
    while (at < input.size && input.data[at] == ' ')
        at++;
    if (at == input.size)
        return lex_more(lexer, input, ret);
    switch (input.data[at]) {
    case '\r':
    case '\n':
        return lex_end(lexer, input, at, ret);
    case '(':
    case ')':
        return lex_parenthesis(lexer, input, at, ret);
    case '"':
        return lex_quoted(lexer, input, at, ret);
    case '{':
        return lex_literal(lexer, input, at, ret);
    case '~':
        if (at + 1 == input.size)
            return lex_more(lexer, input, ret);
        if (input.data[at + 1] == '{')
            return lex_literal(lexer, input, at, ret);
        break;
    default:
        break;
    }
    return lex_atom(lexer, input, at, ret);
}

pr_status imap_lex_text(struct imap_lexer *lexer, struct pr_bytes input,
                        struct imap_token *ret)
{
    const char *line_end = NULL;

    if (input.size > lexer->scanned)
        line_end = memchr(input.data + lexer->scanned, '\n',
                          input.size - lexer->scanned);
    if (line_end == NULL)
        return lex_more(lexer, input, ret);
    size_t end = (size_t)(line_end - input.data);
    if (end > 0 && input.data[end - 1] == '\r')
        end--;
    size_t at = 0;
    while (at < end && input.data[at] == ' ')
        at++;
    if (memchr(input.data + at, '\0', end - at) != NULL)
        return pr_fail(PR_PROTOCOL, "the server sent a NUL");
    return lex_token(lexer, IMAP_TEXT,
                     (struct pr_bytes){input.data + at, end - at}, end, ret);
}
