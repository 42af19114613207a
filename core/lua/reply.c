/*
 * m:reply { ... }: a message of the rule's own, noted in the plan and sent with
 * it.
 *
 * What answers a stranger's mail by itself must not be led into a loop, nor
 * write to people who never wrote (RFC 3834, 2): mail without a sender and
 * automatic mail get no answer, whatever the rule says.
 */
#include <config.h>

#include "mail/reply.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "lua/script.h"

#define SUBJECT_MOST 500 /* octets */
#define REFERENCES_MOST 20
#define ADDRESS_MOST 500 /* octets: RFC 5321, 4.5.3.1.3 has 256 */
#define HANDLE_MOST 300  /* octets */

/* The value of the first field of that name, NULL if there is none. */
static const char *field_value(struct view *view, const char *name)
{
    struct view_field field;
    size_t index = 0;

    return view_find_field(view, name, &index, &field) ? field.value : NULL;
}

/* What stands between the angle brackets, or the whole text. */
static const char *push_path(lua_State *L, const char *text)
{
    size_t size;

    text += strspn(text, " \t");
    if (*text == '<')
        text++;
    size = strcspn(text, "> \t");
    return lua_pushlstring(L, text, size);
}

/* Who is answered if the rule does not say: the sender of the envelope (RFC
 * 5321, 4.4), else the author. Pushes it; "" if that is nobody. */
static const char *push_sender(lua_State *L, struct view *view)
{
    const char *path = field_value(view, "Return-Path");
    const struct view_address *from;
    size_t count;

    if (path != NULL)
        return push_path(L, path);
    from = view_addresses(view, "From", &count);
    return lua_pushstring(L, count > 0 ? from[0].address : "");
}

/* Why the message gets no answer; NULL: it may have one. */
static const char *refusal(lua_State *L, struct view *view)
{
    const char *automatic = field_value(view, "Auto-Submitted");
    const char *path = field_value(view, "Return-Path");
    size_t size = automatic != NULL ? strcspn(automatic, " \t;(") : 0;

    if (automatic != NULL &&
        !(size == 2 && strncasecmp(automatic, "no", 2) == 0))
        return "it is automatic mail";
    if (path != NULL && *push_path(L, path) == '\0')
        return "it has no sender who could be answered";
    return NULL;
}

/* One line, not too long: whatever a stranger wrote into his subject, the rule
 * that answers it is not to fail by it. */
static const char *push_subject(lua_State *L, const char *text)
{
    luaL_Buffer line;
    size_t size = text_cut(text, strlen(text), SUBJECT_MOST);

    luaL_buffinit(L, &line);
    for (size_t i = 0; i < size; i++) {
        bool is_control = (unsigned char)text[i] < ' ' || text[i] == 0x7f;

        luaL_addchar(&line, is_control ? ' ' : text[i]);
    }
    luaL_pushresult(&line);
    return lua_tostring(L, -1);
}

/* RFC 5322, 3.6.4: what the message refers to, and the message: of many the
 * first and the last. */
static const char *push_references(lua_State *L, struct view *view)
{
    const char *text = field_value(view, "References"), *id;
    const char *all[REFERENCES_MOST];
    size_t sizes[REFERENCES_MOST], count = 0;
    luaL_Buffer out;

    if (text == NULL)
        text = field_value(view, "In-Reply-To");
    while (text != NULL && (text = strchr(text, '<')) != NULL) {
        size_t size = strcspn(text + 1, "<> \t");

        if (text[1 + size] == '>' && size > 0 && size < SUBJECT_MOST) {
            if (count == REFERENCES_MOST) {
                count--;
                memmove(&all[1], &all[2], (count - 1) * sizeof *all);
                memmove(&sizes[1], &sizes[2], (count - 1) * sizeof *sizes);
            }
            all[count] = text;
            sizes[count++] = size + 2;
        }
        text += 1 + size;
    }
    id = view_message_id(view);
    luaL_buffinit(L, &out);
    for (size_t i = 0; i < count; i++) {
        luaL_addlstring(&out, all[i], sizes[i]);
        luaL_addchar(&out, ' ');
    }
    if (id[0] != '\0' && strlen(id) < SUBJECT_MOST)
        lua_pushfstring(L, "<%s>", id);
    else
        lua_pushliteral(L, "");
    luaL_addvalue(&out);
    luaL_pushresult(&out);
    return lua_tostring(L, -1);
}

/* Pushes the field of the table at 2, a text; NULL if it is not there. */
static const char *push_option(lua_State *L, const char *name)
{
    if (lua_getfield(L, 2, name) == LUA_TNIL)
        return NULL;
    if (lua_type(L, -1) != LUA_TSTRING)
        luaL_error(L, "m:reply: %s: expects a text, got %s", name,
                   type_words(L, -1));
    return check_utf8(L, lua_gettop(L)).data;
}

static void check_names(lua_State *L)
{
    static const char *const names[] = {"text", "mime",    "from",   "to",
                                        "once", "subject", "handle", NULL};

    if (!lua_istable(L, 2))
        luaL_error(L,
                   "m:reply expects a table { from = \"...\", text = "
                   "\"...\" }, got %s",
                   type_words(L, 2));
    for (lua_pushnil(L); lua_next(L, 2) != 0; lua_pop(L, 1)) {
        bool is_known = false;

        for (size_t i = 0; lua_type(L, -2) == LUA_TSTRING && names[i] != NULL;
             i++)
            is_known |= strcmp(names[i], lua_tostring(L, -2)) == 0;
        if (is_known)
            continue;
        lua_pushvalue(L, -2);
        raise_unknown(L, "m:reply has no", luaL_tolstring(L, -1, NULL), names);
    }
}

static struct pr_sink *check_way_out(lua_State *L)
{
    struct pr_sink *sink = script_of(L)->redirect;

    if (sink == NULL)
        luaL_error(L, "m:reply needs to know by whom mail is sent: options { "
                      "redirect = smtp { host = \"localhost\", port = 25 } }");
    return sink;
}

/* The address that is answered, which is to be one that the sink can take: what
 * a stranger wrote may be none, what the rule says must be. NULL: it is none,
 * and the words are the last failure's. */
static const char *push_recipient(lua_State *L, struct pr_sink *sink,
                                  struct view *view)
{
    const char *to = push_option(L, "to");
    bool is_given = to != NULL;
    struct target target = {.sink = sink};
    pr_status status;

    if (!is_given)
        to = push_sender(L, view);
    target.folder = to;
    status = strlen(to) <= ADDRESS_MOST
                 ? reply_check_address("to", to)
                 : pr_fail(PR_CONFIG, "to: the address is too long");
    if (status == PR_OK)
        status = target_check(&target);
    if (status == PR_OK)
        return to;
    if (is_given)
        luaL_error(L, "m:reply: %s", pr_last_failure()->text);
    return NULL;
}

static void read_once(lua_State *L, struct reply *reply)
{
    reply->handle = push_option(L, "handle");
    if (lua_getfield(L, 2, "once") == LUA_TNIL)
        return;
    reply->once = check_duration(L, lua_gettop(L));
    if (reply->once == 0)
        luaL_error(L, "m:reply: once: expects a time such as \"7d\"");
    if (reply->handle != NULL && strlen(reply->handle) > HANDLE_MOST)
        luaL_error(L, "m:reply: handle: has more than %d octets", HANDLE_MOST);
}

/* RFC 5230, 4.2: who got a reply of that handle within the time gets no other.
 */
static bool is_due(lua_State *L, struct message *message,
                   const struct reply *reply)
{
    const char *handle = reply->handle != NULL ? reply->handle : "";
    luaL_Buffer key;

    if (reply->once == 0)
        return true;
    luaL_buffinit(L, &key);
    lua_pushfstring(L, "reply %s ", handle);
    luaL_addvalue(&key);
    for (const char *at = reply->to; *at != '\0'; at++)
        luaL_addchar(&key, (char)tolower((unsigned char)*at));
    luaL_pushresult(&key);
    return reply_is_due(L, message, lua_tostring(L, -1), reply->once);
}

/* m:reply { from = address, text = text, subject = text, to = address, mime =
 * text, once = time, handle = text }: a message of the rule's own, to the
 * sender of the envelope (Return-Path, else the author), by the sink that
 * options { redirect = smtp { ... } } names. It is marked as an automatic
 * answer (RFC 3834) and has no sender that could be answered; its text is
 * UTF-8. By default the subject is that of the message after "Auto:"; mime has
 * Content- fields, an empty line and a body, in place of text; once is a time
 * in which who got an answer gets no other of the same handle. True, or false
 * and why not: automatic mail, mail without a sender, and who was answered
 * within that time get none. That is noted when the answer is accepted. A
 * message has one answer; one that is refused for good is given up, and the log
 * tells. Waits. */
int message_reply(lua_State *L)
{
    struct message *message = check_message(L, 1);
    struct view *view = check_view(L, message);
    struct reply reply = {.in_reply_to = ""};
    struct plan_entry entry = {.action = PLAN_REPLY, .reply = &reply};
    const char *why;

    check_names(L);
    entry.target.sink = check_way_out(L);
    why = refusal(L, view);
    if (why == NULL) {
        reply.to = push_recipient(L, entry.target.sink, view);
        why = reply.to == NULL ? pr_last_failure()->text : NULL;
    }
    reply.from = push_option(L, "from");
    if (reply.from == NULL)
        return luaL_error(L, "m:reply expects from = \"you@example.org\"");
    reply.subject = push_option(L, "subject");
    if (reply.subject == NULL) {
        const char *subject = field_value(view, "Subject");

        reply.subject =
            lua_pushfstring(L, "Auto: %s", subject != NULL ? subject : "");
    }
    reply.subject = push_subject(L, reply.subject);
    reply.text = push_option(L, "text");
    reply.mime = push_option(L, "mime");
    read_once(L, &reply);
    if (why != NULL) {
        lua_pushboolean(L, false);
        lua_pushstring(L, why);
        return 2;
    }
    if (strlen(view_message_id(view)) < SUBJECT_MOST)
        reply.in_reply_to = view_message_id(view);
    reply.references = push_references(L, view);
    if (reply_check(&reply) != PR_OK)
        return luaL_error(L, "m:reply: %s", pr_last_failure()->text);
    if (plan_find(&message->plan, PLAN_REPLY) == NULL &&
        !is_due(L, message, &reply)) {
        lua_pushboolean(L, false);
        lua_pushliteral(L, "the sender knows");
        return 2;
    }
    entry.target.folder = lua_pushfstring(L, "reply to %s", reply.to);
    note_entry(L, message, entry);
    lua_pushboolean(L, true);
    return 1;
}
