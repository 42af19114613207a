/*
 * Rows of a query, read into an array that grows, then moved into an arena.
 */
#include "config.h"

#include <string.h>

#include "base/memory.h"
#include "state/private.h"

static pr_status make_room(struct list *list, size_t size)
{
    if (list->count < list->room)
        return PR_OK;
    size_t room = list->room == 0 ? 32 : list->room * 2;
    void *items = room <= SIZE_MAX / size
                      ? memory_realloc(list->items, room * size)
                      : NULL;
    if (items == NULL)
        return pr_fail(PR_NOMEM, "no memory for %zu rows of the state", room);
    list->items = items;
    list->room = room;
    return PR_OK;
}

static pr_status read_item(struct list *list, const struct statement *statement,
                           size_t size, list_reader *read)
{
    pr_status status = make_room(list, size);

    if (status != PR_OK)
        return status;
    void *item = list->items + list->count * size;
    memset(item, 0, size);
    status = read(statement, list->arena, item);
    if (status == PR_OK)
        list->count++;
    return status;
}

pr_status list_read(struct list *list, struct statement *statement, size_t size,
                    list_reader *read)
{
    pr_status status;

    list->size = size;
    while ((status = statement_step(statement)) == PR_OK) {
        status = read_item(list, statement, size, read);
        if (status != PR_OK) {
            statement_end(statement);
            return status;
        }
    }
    return status == PR_EOF ? PR_OK : status;
}

pr_status list_end(struct list *list, pr_status status, void **ret,
                   size_t *ret_count)
{
    void *items = NULL;

    if (status == PR_OK && list->count > 0) {
        items = pr_arena_array(list->arena, list->count, list->size);
        if (items == NULL)
            status = PR_NOMEM;
        else
            memcpy(items, list->items, list->count * list->size);
    }
    memory_free(list->items);
    if (status == PR_OK) {
        *ret = items;
        *ret_count = list->count;
    }
    return status;
}
