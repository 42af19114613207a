/*
 * Lent octets and growing octets.
 *
 * While `data` is not NULL, size <= cap, size < allocated and data[size] is
 * NUL.
 */
#include "config.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <postrider/buffer.h>

#include "base/memory.h"

enum { SMALLEST = 64 };

struct pr_bytes pr_bytes_of(const char *text)
{
    return (struct pr_bytes){text, text != NULL ? strlen(text) : 0};
}

bool pr_bytes_equal(struct pr_bytes a, struct pr_bytes b)
{
    return a.size == b.size &&
           (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static unsigned char lower(char octet)
{
    unsigned char c = (unsigned char)octet;

    return c >= 'A' && c <= 'Z' ? (unsigned char)(c + ('a' - 'A')) : c;
}

bool pr_bytes_equal_nocase(struct pr_bytes a, struct pr_bytes b)
{
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++)
        if (lower(a.data[i]) != lower(b.data[i]))
            return false;
    return true;
}

void pr_buffer_init(struct pr_buffer *buffer, size_t cap)
{
    *buffer = (struct pr_buffer){.cap = cap};
}

void pr_buffer_done(struct pr_buffer *buffer)
{
    memory_free(buffer->data);
    *buffer = (struct pr_buffer){.cap = buffer->cap};
}

void pr_buffer_clear(struct pr_buffer *buffer)
{
    buffer->size = 0;
    if (buffer->data != NULL)
        buffer->data[0] = '\0';
}

/* Octets to allocate for `needed` (NUL included): twice what there is, but no
 * more than the cap can ever use. */
static size_t next_allocation(const struct pr_buffer *buffer, size_t needed)
{
    size_t most = buffer->cap < SIZE_MAX ? buffer->cap + 1 : SIZE_MAX;
    size_t wanted =
        buffer->allocated <= most / 2 ? buffer->allocated * 2 : most;

    if (wanted < SMALLEST)
        wanted = SMALLEST < most ? SMALLEST : most;
    return wanted > needed ? wanted : needed;
}

static pr_status make_room(struct pr_buffer *buffer, size_t size)
{
    size_t needed, allocation;
    char *data;

    if (size > buffer->cap - buffer->size || buffer->size + size == SIZE_MAX)
        return pr_fail(PR_LIMIT, "more than the %zu octets allowed here",
                       buffer->cap);
    needed = buffer->size + size + 1;
    if (needed <= buffer->allocated)
        return PR_OK;
    allocation = next_allocation(buffer, needed);
    data = memory_realloc(buffer->data, allocation);
    if (data == NULL)
        return pr_fail(PR_NOMEM, "no memory for %zu octets", allocation);
    data[buffer->size] = '\0';
    buffer->data = data;
    buffer->allocated = allocation;
    return PR_OK;
}

char *pr_buffer_reserve(struct pr_buffer *buffer, size_t size)
{
    if (make_room(buffer, size) != PR_OK)
        return NULL;
    return buffer->data + buffer->size;
}

void pr_buffer_grew(struct pr_buffer *buffer, size_t size)
{
    if (size == 0)
        return;
    assert(size < buffer->allocated - buffer->size);
    buffer->size += size;
    buffer->data[buffer->size] = '\0';
}

pr_status pr_buffer_add(struct pr_buffer *buffer, const void *data, size_t size)
{
    pr_status status;

    if (size == 0)
        return PR_OK;
    status = make_room(buffer, size);
    if (status != PR_OK)
        return status;
    memcpy(buffer->data + buffer->size, data, size);
    pr_buffer_grew(buffer, size);
    return PR_OK;
}

pr_status pr_buffer_add_text(struct pr_buffer *buffer, const char *text)
{
    return pr_buffer_add(buffer, text, strlen(text));
}

static pr_status add_format(struct pr_buffer *buffer, size_t size,
                            const char *format, va_list list) PR_PRINTF(3, 0);

static pr_status add_format(struct pr_buffer *buffer, size_t size,
                            const char *format, va_list list)
{
    pr_status status = make_room(buffer, size);

    if (status != PR_OK)
        return status;
    vsnprintf(buffer->data + buffer->size, size + 1, format, list);
    pr_buffer_grew(buffer, size);
    return PR_OK;
}

pr_status pr_buffer_printf(struct pr_buffer *buffer, const char *format, ...)
{
    va_list list, again;
    pr_status status;
    int size;

    va_start(list, format);
    va_copy(again, list);
    size = vsnprintf(NULL, 0, format, list);
    if (size >= 0)
        status = add_format(buffer, (size_t)size, format, again);
    else
        status = pr_fail(PR_BUG, "a format that cannot be printed");
    va_end(again);
    va_end(list);
    return status;
}

void pr_buffer_consume(struct pr_buffer *buffer, size_t size)
{
    assert(size <= buffer->size);
    if (size == 0)
        return;
    memmove(buffer->data, buffer->data + size, buffer->size - size + 1);
    buffer->size -= size;
}

const char *pr_buffer_text(const struct pr_buffer *buffer)
{
    return buffer->data != NULL ? buffer->data : "";
}
