/*
 * Multi-line responses of POP3: whatever octets come, however they are cut.
 *
 * The first octet says how many come at a time. End, text and header must be
 * those that a plain reading of RFC 1939, 3, gives: split at CRLF, up to the
 * line that is a dot, and without the first dot of those that begin with one.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "../../plugins/pop3/multiline.h"
#include "driver.h"

struct outcome {
    char *text;
    size_t size, used, header;
    bool is_ended;
};

static void read_plainly(struct pr_bytes wire, struct outcome *ret)
{
    size_t at = 0;

    while (at < wire.size && !ret->is_ended) {
        const char *line = wire.data + at;
        size_t left = wire.size - at;
        const char *end = memmem(line, left, "\r\n", 2);
        size_t size = end != NULL ? (size_t)(end - line) + 2 : left;
        size_t skip = *line == '.' ? 1 : 0;
        if (size == 3 && memcmp(line, ".\r\n", 3) == 0) {
            ret->is_ended = true;
        } else if (!(end == NULL && left == 2 && memcmp(line, ".\r", 2) == 0)) {
            memcpy(ret->text + ret->size, line + skip, size - skip);
            ret->size += size - skip;
        }
        at += size;
    }
    ret->used = at;
}

static void read_in_cuts(struct pr_bytes wire, size_t step, struct outcome *ret)
{
    struct pop3_multiline multiline = {.is_ended = false};
    struct pop3_header header = {.is_ended = false};
    size_t shown = 0;

    while (!multiline.is_ended) {
        struct pr_bytes part,
            input = {wire.data + ret->used, shown - ret->used};
        if (input.size == 0 && shown == wire.size)
            break;
        if (input.size == 0) {
            shown += step < wire.size - shown ? step : wire.size - shown;
            continue;
        }
        size_t used = pop3_multiline_take(&multiline, input, &part);
        if (used > input.size || (used == 0 && part.size == 0))
            abort();
        memcpy(ret->text + ret->size, part.data, part.size);
        ret->size += part.size;
        ret->used += used;
        size_t taken = pop3_header_take(&header, part);
        if (taken > part.size)
            abort();
        ret->header += taken;
    }
    ret->is_ended = multiline.is_ended;
}

/* The header of a whole text. */
static size_t header_size(const struct outcome *outcome)
{
    struct pop3_header header = {.is_ended = false};

    return pop3_header_take(&header,
                            (struct pr_bytes){outcome->text, outcome->size});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct pr_bytes wire = {(const char *)data + 1, size - 1};
    struct outcome plain = {.text = calloc(1, size)};
    struct outcome cut = {.text = calloc(1, size)};
    if (plain.text == NULL || cut.text == NULL)
        abort();
    read_plainly(wire, &plain);
    read_in_cuts(wire, 1 + data[0] % 16, &cut);
    if (plain.size != cut.size || plain.used != cut.used ||
        plain.is_ended != cut.is_ended ||
        memcmp(plain.text, cut.text, cut.size) != 0 ||
        cut.header != header_size(&cut))
        abort();
    free(plain.text);
    free(cut.text);
    return 0;
}
