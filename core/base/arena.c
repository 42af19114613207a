/*
 * Memory that is given piece by piece and freed all at once.
 *
 * A list of blocks; pieces come from the first one. A piece too large for that
 * gets a block of its own behind the first, which so keeps its free room. Under
 * AddressSanitizer what was not given is poisoned.
 */
#include "config.h"

#include <stdalign.h>
#include <stdio.h>
#include <string.h>

#include <postrider/buffer.h>

#include "base/memory.h"

#if defined __SANITIZE_ADDRESS__
#define ARENA_ASAN 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(start, size) ((void)(start), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(start, size) ((void)(start), (void)(size))
#endif

enum {
    ALIGNMENT = alignof(max_align_t),
    FIRST_BLOCK = 1024,
    LARGEST_BLOCK = 32 * 1024
};

struct block {
    struct block *next;
    size_t size, used;
    alignas(max_align_t) char octets[];
};

struct pr_arena {
    struct block *first;
    size_t next_size;
};

static struct block *block_new(size_t size)
{
    struct block *block = NULL;

    if (size <= SIZE_MAX - sizeof *block)
        block = memory_alloc(sizeof *block + size);
    if (block == NULL) {
        pr_fail(PR_NOMEM, "no memory for %zu octets", size);
        return NULL;
    }
    block->next = NULL;
    block->size = size;
    block->used = 0;
    ASAN_POISON_MEMORY_REGION(block->octets, size);
    return block;
}

static void block_free(struct block *block)
{
    ASAN_UNPOISON_MEMORY_REGION(block->octets, block->size);
    memory_free(block);
}

struct pr_arena *pr_arena_new(void)
{
    struct pr_arena *arena = memory_alloc(sizeof *arena);

    if (arena == NULL) {
        pr_fail(PR_NOMEM, "no memory for an arena");
        return NULL;
    }
    *arena = (struct pr_arena){.next_size = FIRST_BLOCK};
    return arena;
}

void pr_arena_free(struct pr_arena *arena)
{
    struct block *block, *next;

    if (arena == NULL)
        return;
    for (block = arena->first; block != NULL; block = next) {
        next = block->next;
        block_free(block);
    }
    memory_free(arena);
}

/* A block with room for `size`, already in the list. */
static struct block *block_for(struct pr_arena *arena, size_t size)
{
    struct block *block = arena->first;

    if (block != NULL && size <= block->size - block->used)
        return block;
    if (size > arena->next_size / 4) {
        block = block_new(size);
        if (block != NULL && arena->first != NULL) {
            block->next = arena->first->next;
            arena->first->next = block;
        } else if (block != NULL) {
            arena->first = block;
        }
        return block;
    }
    block = block_new(arena->next_size);
    if (block == NULL)
        return NULL;
    if (arena->next_size < LARGEST_BLOCK)
        arena->next_size *= 2;
    block->next = arena->first;
    arena->first = block;
    return block;
}

void *pr_arena_alloc(struct pr_arena *arena, size_t size)
{
    size_t taken;
    struct block *block;
    char *memory;

    if (size > SIZE_MAX - ALIGNMENT) {
        pr_fail(PR_NOMEM, "no memory for %zu octets", size);
        return NULL;
    }
    taken = (size / ALIGNMENT + (size % ALIGNMENT != 0)) * ALIGNMENT;
    if (taken == 0)
        taken = ALIGNMENT;
    block = block_for(arena, taken);
    if (block == NULL)
        return NULL;
    memory = block->octets + block->used;
    block->used += taken;
    ASAN_UNPOISON_MEMORY_REGION(memory, size);
    return memset(memory, 0, size);
}

void *pr_arena_array(struct pr_arena *arena, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size) {
        pr_fail(PR_NOMEM, "no memory for %zu times %zu octets", count, size);
        return NULL;
    }
    return pr_arena_alloc(arena, count * size);
}

void *pr_arena_grow(struct pr_arena *arena, void *items, size_t count,
                    size_t *room, size_t size)
{
    if (count < *room)
        return items;
    size_t more = count > 0 ? count * 2 : 16;
    void *copy = pr_arena_array(arena, more, size);
    if (copy == NULL)
        return NULL;
    if (count > 0)
        memcpy(copy, items, count * size);
    *room = more;
    return copy;
}

char *pr_arena_bytes(struct pr_arena *arena, struct pr_bytes bytes)
{
    char *copy;

    if (bytes.size == SIZE_MAX) {
        pr_fail(PR_NOMEM, "no memory for %zu octets", bytes.size);
        return NULL;
    }
    copy = pr_arena_alloc(arena, bytes.size + 1);
    if (copy != NULL && bytes.size != 0)
        memcpy(copy, bytes.data, bytes.size);
    return copy;
}

char *pr_arena_text(struct pr_arena *arena, const char *text)
{
    return pr_arena_bytes(arena, pr_bytes_of(text));
}

char *pr_arena_printf(struct pr_arena *arena, const char *format, ...)
{
    va_list list, again;
    char *text = NULL;
    int size;

    va_start(list, format);
    va_copy(again, list);
    size = vsnprintf(NULL, 0, format, list);
    if (size >= 0)
        text = pr_arena_alloc(arena, (size_t)size + 1);
    else
        pr_fail(PR_BUG, "a format that cannot be printed");
    if (text != NULL)
        vsnprintf(text, (size_t)size + 1, format, again);
    va_end(again);
    va_end(list);
    return text;
}
