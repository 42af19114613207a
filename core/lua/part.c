/*
 * The parts of a message: their types and names, and what is in them.
 */
#include <config.h>

#include <string.h>

#include "lua/script.h"

#define TEXT_MOST (64 * 1024)    /* octets of m.text and m.html */
#define PART_MOST (1024 * 1024u) /* octets of part:text() and part:bytes() */

struct part {
    struct cell *cell; /* of the message, kept by the uservalue */
    const struct view_part *part;
    size_t index; /* in the view */
};

static const struct part *check_part(lua_State *L, int arg)
{
    const struct part *part = luaL_testudata(L, arg, TYPE_PART);

    if (part == NULL)
        luaL_error(L,
                   "expects a part, got %s: methods are called with a "
                   "colon, as in part:text()",
                   type_words(L, arg));
    check_cell(L, part->cell);
    return part;
}

/* The parts of the message. Waits. */
static const struct view_part *
check_parts(lua_State *L, struct message *message, size_t *ret_count)
{
    need_whole(L, message);
    struct view *view = check_view(L, message);
    const struct view_part *parts = NULL;
    struct run *run = script_pause(L);
    pr_status status = view_parts(view, &parts, ret_count);

    script_resume(run);
    if (status != PR_OK)
        script_raise(L, status);
    return parts;
}

static void push_part(lua_State *L, int message, const struct view_part *parts,
                      size_t index)
{
    struct part *part = lua_newuserdatauv(L, sizeof *part, 1);

    *part = (struct part){.cell = lua_touserdata(L, message),
                          .part = &parts[index],
                          .index = index};
    luaL_setmetatable(L, TYPE_PART);
    lua_pushvalue(L, message);
    lua_setiuservalue(L, -2, 1);
}

static bool is_attachment(const struct view_part *part)
{
    return !part->is_multipart &&
           (strcmp(part->disposition, "attachment") == 0 ||
            part->filename[0] != '\0');
}

static void push_list(lua_State *L, int arg, bool attachments)
{
    size_t count;
    const struct view_part *parts =
        check_parts(L, check_message(L, arg), &count);
    lua_Integer listed = 0;

    lua_newtable(L);
    for (size_t i = 0; i < count; i++) {
        if (attachments && !is_attachment(&parts[i]))
            continue;
        push_part(L, arg, parts, i);
        lua_rawseti(L, -2, ++listed);
    }
}

void push_parts(lua_State *L, int arg)
{
    push_list(L, arg, false);
}

void push_attachments(lua_State *L, int arg)
{
    push_list(L, arg, true);
}

/* Pushes what is in a part: as UTF-8, or its octets. Waits. */
static void push_content(lua_State *L, struct message *message, size_t index,
                         size_t cap, bool as_text)
{
    struct view *view = check_view(L, message);
    struct pr_buffer *content = push_buffer(L, cap);
    struct run *run = script_pause(L);
    pr_status status = as_text ? view_part_text(view, index, content)
                               : view_part_octets(view, index, content);

    script_resume_working(run, content->size);
    if (status != PR_OK)
        script_raise(L, status);
    lua_pushlstring(L, pr_buffer_text(content), content->size);
    pr_buffer_done(content);
    lua_remove(L, -2);
}

void push_first_text(lua_State *L, int arg, const char *type)
{
    struct message *message = check_message(L, arg);
    size_t count;
    const struct view_part *parts = check_parts(L, message, &count);

    for (size_t i = 0; i < count; i++) {
        if (strcmp(parts[i].type, type) == 0 &&
            strcmp(parts[i].disposition, "attachment") != 0) {
            push_content(L, message, i, TEXT_MOST, true);
            return;
        }
    }
    lua_pushliteral(L, "");
}

/* ---- The type ------------------------------------------------------------ */

/* part:text(): its text as UTF-8, at most 1 MiB. Waits. */
static int text(lua_State *L)
{
    const struct part *part = check_part(L, 1);

    push_content(L, part->cell->message, part->index, PART_MOST, true);
    return 1;
}

/* part:bytes(): its octets, transfer encoding undone, at most 1 MiB. Waits. */
static int bytes(lua_State *L)
{
    const struct part *part = check_part(L, 1);

    push_content(L, part->cell->message, part->index, PART_MOST, false);
    return 1;
}

static int later(lua_State *L)
{
    return luaL_error(L, "part:%s is not in this version yet",
                      lua_tostring(L, lua_upvalueindex(1)));
}

/* .path .type .charset .filename .disposition .content_id: texts, "" for what
 * is not told; .size: octets as encoded; .depth: 0 for the message's own;
 * .is_multipart */
static bool push_field(lua_State *L, const struct view_part *part,
                       const char *name)
{
    if (strcmp(name, "path") == 0)
        lua_pushstring(L, part->path);
    else if (strcmp(name, "type") == 0)
        lua_pushstring(L, part->type);
    else if (strcmp(name, "charset") == 0)
        lua_pushstring(L, part->charset);
    else if (strcmp(name, "filename") == 0)
        lua_pushstring(L, part->filename);
    else if (strcmp(name, "disposition") == 0)
        lua_pushstring(L, part->disposition);
    else if (strcmp(name, "content_id") == 0)
        lua_pushstring(L, part->content_id);
    else if (strcmp(name, "size") == 0)
        lua_pushinteger(L, (lua_Integer)part->size);
    else if (strcmp(name, "depth") == 0)
        lua_pushinteger(L, (lua_Integer)part->depth);
    else if (strcmp(name, "is_multipart") == 0)
        lua_pushboolean(L, part->is_multipart);
    else
        return false;
    return true;
}

static int part_index(lua_State *L)
{
    static const char *const names[] = {
        "path",         "type",       "charset", "filename",
        "disposition",  "content_id", "size",    "depth",
        "is_multipart", "text",       "bytes",   NULL};
    const struct part *part = check_part(L, 1);
    const char *name = luaL_tolstring(L, 2, NULL);

    if (push_field(L, part->part, name))
        return 1;
    trace_read(part->cell->message, lua_pushfstring(L, "part:%s", name));
    if (strcmp(name, "text") == 0)
        lua_pushcfunction(L, text);
    else if (strcmp(name, "bytes") == 0)
        lua_pushcfunction(L, bytes);
    else if (strcmp(name, "save") == 0 || strcmp(name, "true_type") == 0)
        lua_pushcclosure(L, later, 1);
    else
        return raise_unknown(L, "a part has no", name, names);
    return 1;
}

static int part_tostring(lua_State *L)
{
    const struct view_part *part = check_part(L, 1)->part;

    lua_pushfstring(L, "part %s %s", part->path, part->type);
    return 1;
}

void open_parts(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"__index", part_index},
        {"__tostring", part_tostring},
        {NULL, NULL},
    };

    new_type(L, TYPE_PART, functions);
}
