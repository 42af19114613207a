/*
 * The header side of a view: fields, Message-ID, date.
 *
 * The fields are read when the view is made; everything else when it is first
 * asked for, and kept.
 */
#include "config.h"

#include "mail/view.h"

#include <string.h>

#include <postrider/fiber.h>

#include "mail/decode.h"
#include "mail/magic.h"
#include "mail/spool.h"
#include "mail/view_private.h"

/* A longer header is read in the pool. */
#define SHORT_HEADER (32 * 1024)

/* Offloaded if the header is long. */
static pr_status read_header(void *argument)
{
    struct view *view = argument;
    struct pr_buffer header = {.cap = VIEW_HEADER_MAX};
    pr_status status = spool_read_header(view->spool, VIEW_HEADER_MAX, &header);
    if (status == PR_OK)
        status =
            fields_read((struct pr_bytes){pr_buffer_text(&header), header.size},
                        VIEW_FIELDS_MAX, &view->fields);
    pr_buffer_done(&header);
    return status;
}

pr_status view_new(const struct pr_spool *spool, struct view **ret)
{
    struct pr_arena *arena = pr_arena_new();
    struct view *view =
        arena != NULL ? pr_arena_alloc(arena, sizeof *view) : NULL;
    pr_status status = PR_NOMEM;

    if (view == NULL)
        goto out;
    view->spool = spool;
    view->arena = arena;
    if (spool_header_size(spool) <= SHORT_HEADER) {
        status = read_header(view);
    } else {
        decode_ready();
        status = pr_offload(read_header, view);
    }
    if (status == PR_OK)
        *ret = view;
out:
    if (status != PR_OK)
        pr_arena_free(arena);
    return status;
}

void view_free(struct view *view)
{
    if (view == NULL)
        return;
    fields_done(&view->fields);
    tree_done(&view->tree);
    contents_done(view->contents);
    pr_arena_free(view->arena);
}

void view_shutdown(void)
{
    decode_shutdown();
    magic_shutdown();
}

size_t view_field_count(const struct view *view)
{
    return fields_count(&view->fields);
}

struct view_field view_field(const struct view *view, size_t index)
{
    struct field field = fields_get(&view->fields, index);
    return (struct view_field){field.name, field.raw, field.value};
}

bool view_find_field(const struct view *view, const char *name, size_t *index,
                     struct view_field *ret)
{
    struct pr_bytes wanted = pr_bytes_of(name);
    while (*index < view_field_count(view)) {
        *ret = view_field(view, (*index)++);
        if (pr_bytes_equal_nocase(ret->name, wanted))
            return true;
    }
    return false;
}

/* ---- Message-ID -------------------------------------------------------- */

/* Copies what is between the brackets, or all of it if there are none, without
 * white space: a folded or damaged identifier still names its message. */
static void copy_message_id(const char *value, char *to)
{
    const char *begin = strchr(value, '<');
    const char *end = begin != NULL ? strchr(begin, '>') : NULL;
    begin = begin != NULL ? begin + 1 : value;
    if (end == NULL)
        end = begin + strlen(begin);
    for (; begin < end; begin++)
        if (!strchr(" \t\r\n", *begin))
            *to++ = *begin;
    *to = '\0';
}

const char *view_message_id(struct view *view)
{
    struct view_field field;
    size_t index = 0;

    if (view->message_id != NULL)
        return view->message_id;
    if (!view_find_field(view, "Message-ID", &index, &field))
        return view->message_id = "";
    char *id = pr_arena_alloc(view->arena, strlen(field.value) + 1);
    if (id == NULL)
        return "";
    copy_message_id(field.value, id);
    return view->message_id = id;
}

/* ---- Date -------------------------------------------------------------- */

bool view_date(struct view *view, int64_t *ret_seconds)
{
    struct view_field field;
    size_t index = 0;

    if (!view_find_field(view, "Date", &index, &field) ||
        strlen(field.value) > 1000)
        return false;
    decode_ready();
    GDateTime *date = g_mime_utils_header_decode_date(field.value);
    if (date == NULL)
        return false;
    *ret_seconds = g_date_time_to_unix(date);
    g_date_time_unref(date);
    return true;
}
