/*
 * The parts of a message: their types and names, and what is in them.
 */
#include <config.h>

#include <string.h>

#include "base/text.h"
#include "io/file.h"
#include "lua/script.h"

#define TEXT_MOST (64 * 1024)     /* octets of m.text and m.html */
#define PART_MOST (1024 * 1024u)  /* octets of part:text() and part:bytes() */
#define TYPE_MOST 1000            /* octets of a type's name */
#define LOOKED_AT (64 * 1024)     /* octets: what telling a type costs */
#define TYPE_ENCODED (512 * 1024) /* octets, before they are decoded */
#define NAMES_MOST (4 * 1024 * 1024) /* octets of names in an archive */
#define COMPONENT_MOST 240           /* octets of one of a path */
#define NAME_MOST 150                /* octets of a file name from mail */

struct part {
    struct cell *cell; /* of the message, kept by the uservalue */
    const struct view_part *part;
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

/* The parts of the message, of which the structure alone need be here. Waits.
 */
static const struct view_part *
check_parts(lua_State *L, struct message *message, size_t *ret_count)
{
    struct view *view = NULL;
    const struct view_part *parts = NULL;
    struct fetch_wait fetching = fetch_wait_begin(L, message);
    pr_status status = message_parts(message, &view);

    if (status == PR_OK)
        status = view_parts(view, &parts, ret_count);
    fetch_wait_end(&fetching, 0);
    if (status != PR_OK)
        script_raise(L, status);
    return parts;
}

static void push_part(lua_State *L, int message, const struct view_part *parts,
                      size_t index)
{
    struct part *part = lua_newuserdatauv(L, sizeof *part, 1);

    *part = (struct part){.cell = lua_touserdata(L, message),
                          .part = &parts[index]};
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
static void push_content(lua_State *L, struct message *message,
                         const char *path, size_t cap, bool as_text)
{
    struct pr_buffer *content = push_buffer(L, cap);
    struct fetch_wait fetching = fetch_wait_begin(L, message);
    pr_status status = message_content(message, path, as_text, content);

    fetch_wait_end(&fetching, content->size);
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
            push_content(L, message, parts[i].path, TEXT_MOST, true);
            return;
        }
    }
    lua_pushliteral(L, "");
}

/* Has the whole message, which is here, no part such as the server told of? It
 * is taken for an empty one then. */
static bool is_told_alone(const struct message *message, pr_status status)
{
    return status == PR_GONE && !message->is_header_only;
}

/* ---- The type ------------------------------------------------------------ */

/* part:text(): its text as UTF-8, at most 1 MiB. Waits. */
static int text(lua_State *L)
{
    const struct part *part = check_part(L, 1);

    push_content(L, part->cell->message, part->part->path, PART_MOST, true);
    return 1;
}

/* part:bytes(): its octets, transfer encoding undone, at most 1 MiB. Waits. */
static int bytes(lua_State *L)
{
    const struct part *part = check_part(L, 1);

    push_content(L, part->cell->message, part->part->path, PART_MOST, false);
    return 1;
}

/* part:true_type(): its type by its octets, whatever it is declared to be, such
 * as "application/x-dosexec"; "application/octet-stream" if that cannot be
 * told. Waits. */
static int true_type(lua_State *L)
{
    const struct part *part = check_part(L, 1);
    struct message *message = part->cell->message;
    struct view *view = NULL;
    size_t index = 0;
    struct pr_buffer *type = push_buffer(L, TYPE_MOST);
    struct fetch_wait fetching = fetch_wait_begin(L, message);
    pr_status status =
        message_part(message, part->part->path, TYPE_ENCODED, &view, &index);

    if (status == PR_OK)
        status = view_part_true_type(view, index, type);
    fetch_wait_end(&fetching, LOOKED_AT);
    if (is_told_alone(message, status)) {
        lua_pushliteral(L, "application/octet-stream");
        return 1;
    }
    if (status != PR_OK)
        return script_raise(L, status);
    lua_pushstring(L, pr_buffer_text(type));
    return 1;
}

/* part:archive_names(): list of the names of the files in a zip archive, also
 * one with another declared type (many documents are such); nil if it is none.
 * Nothing is unpacked. Waits. */
static int archive_names(lua_State *L)
{
    const struct part *part = check_part(L, 1);
    struct message *message = part->cell->message;
    struct view *view = NULL;
    struct pr_buffer *names = push_buffer(L, NAMES_MOST);
    bool is_archive = false;
    struct fetch_wait fetching = fetch_wait_begin(L, message);
    size_t index = 0, at = 0;
    pr_status status =
        message_part(message, part->part->path, 0, &view, &index);

    if (status == PR_OK)
        status = view_part_archive(view, index, &is_archive, names);
    fetch_wait_end(&fetching, names->size);
    if (status != PR_OK && !is_told_alone(message, status))
        return script_raise(L, status);
    if (!is_archive) {
        luaL_pushfail(L);
        return 1;
    }
    lua_newtable(L);
    for (lua_Integer i = 1; at < names->size; i++) {
        const char *name = names->data + at;

        lua_pushstring(L, name);
        lua_rawseti(L, -2, i);
        at += strlen(name) + 1;
    }
    return 1;
}

/* ---- Saving -------------------------------------------------------------- */

/* Adds the part's file name with nothing in it that could lead elsewhere, hide
 * the file, or be taken for an option. */
static void add_safe_name(luaL_Buffer *path, const struct view_part *part)
{
    const char *name = part->filename;
    size_t size = strlen(name);

    while (*name == '.' || *name == '-' || *name == ' ')
        name++, size--;
    while (size > 0 && (name[size - 1] == '.' || name[size - 1] == ' '))
        size--;
    if (size == 0) {
        luaL_addstring(path, "part");
        if (strlen(part->path) < NAME_MOST / 2) {
            luaL_addchar(path, '-');
            luaL_addstring(path, part->path);
        }
        return;
    }
    if (size > NAME_MOST) { /* the end tells more than the beginning */
        name += size - NAME_MOST;
        size = NAME_MOST;
        while (size > 0 && text_goes_on(*name))
            name++, size--;
    }
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)name[i];

        luaL_addchar(path, c < 0x20 || c == 0x7f || c == '/' || c == '\\'
                               ? '_'
                               : (char)c);
    }
}

/* Is there a part of the path that cannot be the name of a file? */
static bool is_too_long(const char *path)
{
    for (size_t size; *path != '\0'; path += size + (path[size] == '/')) {
        size = strcspn(path, "/");
        if (size > COMPONENT_MOST)
            return true;
    }
    return false;
}

/* The folder that is open to rules and that `path` lies in, and what follows
 * it; NULL with words, pushed: it cannot be written there. The path may come
 * from mail, that a folder is open cannot. */
static const char *folder_of(lua_State *L, const char *path,
                             const char **ret_rest)
{
    const char *const *folders = script_of(L)->save_below;

    if (folders == NULL || *folders == NULL)
        luaL_error(L,
                   "part:save: %s is below no folder that is open to rules: "
                   "options { save = { \"~/Attachments\" } } opens one",
                   path);
    for (; *folders != NULL; folders++) {
        size_t size = strlen(*folders);

        while (size > 1 && (*folders)[size - 1] == '/')
            size--;
        if (strncmp(*folders, path, size) != 0 || path[size] != '/')
            continue;
        *ret_rest = path + size + 1;
        if (view_path_is_inside(*ret_rest) && !is_too_long(*ret_rest))
            return *folders;
        lua_pushfstring(L, "part:save: \"%s\" is no path below %s", *ret_rest,
                        *folders);
        return NULL;
    }
    lua_pushfstring(L, "part:save: %s is below no folder that is open to rules",
                    path);
    return NULL;
}

/* Nil and the words on top of the stack, which `why` tells as well. */
static int cannot_save(lua_State *L, struct message *message)
{
    note_entry(L, message,
               (struct plan_entry){.action = PLAN_NOTE,
                                   .text = check_line(L, lua_gettop(L))});
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
}

/* A relative path lies beside the configuration. */
static const char *beside(lua_State *L, struct pr_arena *arena,
                          const char *path)
{
    const char *joined;

    if (path[0] == '/' || path[0] == '~')
        return path;
    joined = pr_arena_printf(arena, "%s/%s", script_of(L)->directory, path);
    if (joined == NULL)
        script_raise(L, PR_NOMEM);
    return joined;
}

/* part:save(path): its octets are written to this file, below a folder that
 * options { save = { ... } } names, when the message is dealt with; a path that
 * ends with "/" gets the part's own file name, made safe. A file that is there
 * already is not replaced: the new one gets a number. Returns the path; nil and
 * a text, which is noted, too, if that is no path below such a folder. */
static int save(lua_State *L)
{
    const struct part *part = check_part(L, 1);
    struct message *message = part->cell->message;
    const char *given, *folder, *rest = NULL;
    luaL_Buffer path;
    char *absolute;

    luaL_argcheck(L, luaL_checkstring(L, 2)[0] != '\0', 2, "the path is empty");
    given = check_folder(L, 2);
    luaL_argcheck(L, !part->part->is_multipart, 1,
                  "a multipart has no octets of its own");
    luaL_buffinit(L, &path);
    luaL_addstring(&path, given);
    if (given[strlen(given) - 1] == '/')
        add_safe_name(&path, part->part);
    luaL_pushresult(&path);
    given = beside(L, message->arena, lua_tostring(L, -1));
    if (file_absolute(message->arena, given, &absolute) != PR_OK)
        return script_raise(L, PR_IO);
    folder = folder_of(L, absolute, &rest);
    if (folder == NULL)
        return cannot_save(L, message);
    note_save(L, message, folder, rest, part->part->path);
    lua_pushstring(L, absolute);
    return 1;
}

/* part.path, part.type, part.filename, part.disposition, part.content_id: text,
 * "" if it is not told; part.charset: text, "us-ascii" for text that names
 * none, else "" if it is not told; part.size: octets as encoded, 0 for a
 * multipart; part.depth: number, 0 for the message's own; part.is_multipart:
 * true if other parts are in it */
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

static const luaL_Reg methods[] = {
    {"text", text},           {"bytes", bytes},
    {"true_type", true_type}, {"archive_names", archive_names},
    {"save", save},           {NULL, NULL},
};

static int part_index(lua_State *L)
{
    static const char *const names[] = {
        "path",          "type",       "charset", "filename",
        "disposition",   "content_id", "size",    "depth",
        "is_multipart",  "text",       "bytes",   "true_type",
        "archive_names", "save",       NULL};
    const struct part *part = check_part(L, 1);
    const char *name = luaL_tolstring(L, 2, NULL);

    if (push_field(L, part->part, name))
        return 1;
    trace_read(part->cell->message, lua_pushfstring(L, "part:%s", name));
    for (size_t i = 0; methods[i].name != NULL; i++) {
        if (strcmp(name, methods[i].name) == 0) {
            lua_pushcfunction(L, methods[i].func);
            return 1;
        }
    }
    return raise_unknown(L, "a part has no", name, names);
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
