/*
 * Octets: lent ones (pr_bytes), growing ones with a hard cap (pr_buffer), and
 * memory that goes all at once (pr_arena).
 *
 * None of these waits or does I/O. Failed calls leave their object as it was.
 */
#ifndef POSTRIDER_BUFFER_H
#define POSTRIDER_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <postrider/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A lent run of octets; not NUL-terminated. */
struct pr_bytes {
    const char *data;
    size_t size;
};

#define PR_BYTES(literal) ((struct pr_bytes){(literal), sizeof(literal) - 1})
PR_API struct pr_bytes pr_bytes_of(const char *text); /* NULL is empty */
PR_API bool pr_bytes_equal(struct pr_bytes a, struct pr_bytes b);
/* ASCII letters compare without case. */
PR_API bool pr_bytes_equal_nocase(struct pr_bytes a, struct pr_bytes b);

/* A growing run of octets, always followed by a NUL that does not count.
 * {.cap = n} is a valid empty buffer; `cap` is the largest size it may have. */
struct pr_buffer {
    char *data; /* NULL until something was added */
    size_t size;
    size_t allocated;
    size_t cap;
};

PR_API void pr_buffer_init(struct pr_buffer *buffer, size_t cap);
PR_API void pr_buffer_done(struct pr_buffer *buffer);  /* zeroed buffers too */
PR_API void pr_buffer_clear(struct pr_buffer *buffer); /* keeps the memory */
/* PR_LIMIT beyond the cap, PR_NOMEM. */
PR_API PR_CHECKED pr_status pr_buffer_add(struct pr_buffer *buffer,
                                          const void *data, size_t size);
PR_API PR_CHECKED pr_status pr_buffer_add_text(struct pr_buffer *buffer,
                                               const char *text);
PR_API PR_CHECKED pr_status pr_buffer_printf(struct pr_buffer *buffer,
                                             const char *format, ...)
    PR_PRINTF(2, 3);
/* Makes room for `size` more octets and returns where they go, NULL on
 * failure; pr_buffer_grew() then says how many were written there. */
PR_API char *pr_buffer_reserve(struct pr_buffer *buffer, size_t size);
PR_API void pr_buffer_grew(struct pr_buffer *buffer, size_t size);
/* Drops the first `size` octets. */
PR_API void pr_buffer_consume(struct pr_buffer *buffer, size_t size);
/* "" when empty, never NULL. */
PR_API const char *pr_buffer_text(const struct pr_buffer *buffer);

/* Memory freed all at once. Allocations are aligned for any type. NULL means
 * out of memory, with pr_fail(PR_NOMEM) already said. */
struct pr_arena;
PR_API struct pr_arena *pr_arena_new(void);
PR_API void pr_arena_free(struct pr_arena *arena);
PR_API void *pr_arena_alloc(struct pr_arena *arena, size_t size); /* zeroed */
PR_API void *pr_arena_array(struct pr_arena *arena, size_t count, size_t size);
/* Room for one more behind the `count` items of `size` octets in an array with
 * room for *room: the array itself, or a copy with twice the room. NULL:
 * PR_NOMEM, and nothing has changed. */
PR_API void *pr_arena_grow(struct pr_arena *arena, void *items, size_t count,
                           size_t *room, size_t size);
PR_API char *pr_arena_text(struct pr_arena *arena, const char *text);
PR_API char *pr_arena_bytes(struct pr_arena *arena, struct pr_bytes bytes);
PR_API char *pr_arena_printf(struct pr_arena *arena, const char *format, ...)
    PR_PRINTF(2, 3);

#ifdef __cplusplus
}
#endif
#endif
