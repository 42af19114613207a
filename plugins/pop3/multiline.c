/*
 * The octets of a multi-line response.
 */
#include "multiline.h"

#include <string.h>

/* The octets up to and with the next CRLF that has a dot behind it, or all. */
static size_t text_size(struct pop3_multiline *multiline, struct pr_bytes input)
{
    bool is_after_cr = multiline->place == POP3_AFTER_CR;
    const char *end = input.data + input.size;
    const char *at = input.data;

    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        bool ends_line = at > input.data ? at[-1] == '\r' : is_after_cr;
        at++;
        if (ends_line && (at == end || *at == '.')) {
            multiline->place = POP3_LINE_START;
            return (size_t)(at - input.data);
        }
        if (at == end)
            break;
    }
    multiline->place = end[-1] == '\r' ? POP3_AFTER_CR : POP3_IN_TEXT;
    return input.size;
}

size_t pop3_multiline_take(struct pop3_multiline *multiline,
                           struct pr_bytes input, struct pr_bytes *ret_text)
{
    *ret_text = (struct pr_bytes){input.data, 0};
    if (multiline->is_ended || input.size == 0)
        return 0;
    switch (multiline->place) {
    case POP3_LINE_START:
        if (*input.data != '.')
            break;
        multiline->place = POP3_AFTER_DOT;
        return 1;
    case POP3_AFTER_DOT:
        if (*input.data != '\r')
            break;
        multiline->place = POP3_AFTER_DOT_CR;
        return 1;
    case POP3_AFTER_DOT_CR:
        if (*input.data == '\n') {
            multiline->is_ended = true;
            return 1;
        }
        multiline->place = POP3_IN_TEXT;
        *ret_text = PR_BYTES("\r");
        return 0;
    default:
        break;
    }
    ret_text->size = text_size(multiline, input);
    return ret_text->size;
}

size_t pop3_header_take(struct pop3_header *header, struct pr_bytes text)
{
    const char *end = text.data + text.size;
    const char *at = text.data;

    while (at < end && !header->is_ended) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        const char *stop = line_end != NULL ? line_end : end;
        for (; at < stop && !header->is_in_line; at++)
            header->is_in_line = *at != '\r';
        if (line_end == NULL)
            return text.size;
        header->is_ended = !header->is_in_line;
        header->is_in_line = false;
        at = line_end + 1;
    }
    return (size_t)(at - text.data);
}
