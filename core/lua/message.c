/*
 * A message as rules see it: `m` and its fields.
 *
 * A field is read from the message when a rule first asks for it and kept for
 * the others. Texts are never nil: a message without a subject has an empty
 * one, so that m.subject:has "x" is right for every message.
 */
#include <config.h>

#include <ctype.h>
#include <string.h>
#include <time.h>

#include "lua/script.h"
#include "mail/flags.h"

struct message *check_cell(lua_State *L, const struct cell *cell)
{
    if (cell->message == NULL)
        luaL_error(L, "the message has left the house: it can be used only by "
                      "the rules that run over it");
    if (cell->run != script_of(L)->running->root)
        luaL_error(L, "the message belongs to another run of the rules");
    return cell->message;
}

struct message *check_message(lua_State *L, int arg)
{
    const struct cell *cell = luaL_testudata(L, arg, TYPE_MESSAGE);

    if (cell == NULL)
        luaL_error(L,
                   "expects the message, got %s: methods are called with a "
                   "colon, as in m:stop()",
                   type_words(L, arg));
    return check_cell(L, cell);
}

struct cell *push_message(lua_State *L, struct run *run)
{
    struct cell *cell = lua_newuserdatauv(L, sizeof *cell, 1);

    *cell = (struct cell){.message = run->message, .run = run};
    luaL_setmetatable(L, TYPE_MESSAGE);
    lua_newtable(L);
    lua_setiuservalue(L, -2, 1);
    return cell;
}

struct view *check_view(lua_State *L, struct message *message)
{
    struct view *view = message->view;
    struct run *run;
    pr_status status;

    if (view != NULL)
        return view;
    run = script_pause(L);
    status = message_view(message, &view);
    script_resume(run);
    if (status != PR_OK)
        script_raise(L, status);
    return view;
}

struct fetch_wait fetch_wait_begin(lua_State *L, const struct message *message)
{
    return (struct fetch_wait){.run = script_pause(L),
                               .begin = pr_now(),
                               .may_wait = message->is_header_only};
}

void fetch_wait_end(const struct fetch_wait *fetching, size_t octets)
{
    struct run *run = fetching->run;

    script_resume_working(run, octets);
    if (fetching->may_wait && run->deadline != PR_NEVER)
        run->deadline += pr_now() - fetching->begin;
}

void need_whole(lua_State *L, struct message *message)
{
    trace_whole(message);
    if (!message->is_header_only)
        return;
    struct fetch_wait fetching = fetch_wait_begin(L, message);
    pr_status status = message_whole(message);

    fetch_wait_end(&fetching, 0);
    if (status != PR_OK)
        script_raise(L, status);
}

/* ---- Fields of cost "nothing" -------------------------------------------- */

/* m.account: text, the name of the account */
static void get_account(lua_State *L)
{
    lua_pushstring(L, check_message(L, 1)->account);
}

/* m.folder: text, the folder it was found in */
static void get_folder(lua_State *L)
{
    lua_pushstring(L, check_message(L, 1)->folder);
}

/* m.uid: number, its UID in the folder; a text for POP3 */
static void get_uid(lua_State *L)
{
    const struct pr_item *item = check_message(L, 1)->item;

    if (item->uidl != NULL)
        lua_pushstring(L, item->uidl);
    else
        lua_pushinteger(L, (lua_Integer)item->uid);
}

/* m.size: number of octets, as the server counts them */
static void get_size(lua_State *L)
{
    const struct message *message = check_message(L, 1);
    uint64_t size = message->item->size;

    if (size == 0 && message->spool != NULL)
        size = pr_spool_wire_size(message->spool);
    lua_pushinteger(L, (lua_Integer)size);
}

static lua_Integer received(const struct message *message)
{
    return message->item->received != 0 ? (lua_Integer)message->item->received
                                        : (lua_Integer)time(NULL);
}

/* m.received: seconds since 1970; now, if the server does not tell */
static void get_received(lua_State *L)
{
    lua_pushinteger(L, received(check_message(L, 1)));
}

/* m.age: seconds since it was received; compare with days(n), hours(n) */
static void get_age(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)time(NULL) - received(check_message(L, 1)));
}

static void add_word(lua_State *L, const char *word, size_t size)
{
    lua_pushlstring(L, word, size);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}

static void add_keywords(lua_State *L, const char *keywords)
{
    while (keywords != NULL && *keywords != '\0') {
        size_t size = strcspn(keywords, " ");

        if (size > 0)
            add_word(L, keywords, size);
        keywords += size + strspn(keywords + size, " ");
    }
}

/* flags["\\Seen"]: true or false; case does not count. */
static int flag_is_set(lua_State *L)
{
    bool found = false;

    if (lua_type(L, 2) != LUA_TSTRING)
        return 0;
    for (lua_Integer i = 1; !found && lua_rawgeti(L, 1, i) == LUA_TSTRING;
         i++) {
        found = pr_bytes_equal_nocase(pr_bytes_of(lua_tostring(L, -1)),
                                      pr_bytes_of(lua_tostring(L, 2)));
        lua_pop(L, 1);
    }
    lua_pushboolean(L, found);
    return 1;
}

static void push_word_list(lua_State *L)
{
    lua_newtable(L);
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, flag_is_set);
    lua_setfield(L, -2, "__index");
    lock_metatable(L, -1);
    lua_setmetatable(L, -2);
}

/* m.flags: list of its flags and keywords; m.flags["\\Seen"] is true or false
 */
static void get_flags(lua_State *L)
{
    push_flags(L, check_message(L, 1)->item->flags);
}

void push_flags(lua_State *L, struct pr_flags flags)
{
    push_word_list(L);
    for (const struct flag_name *one = flag_names; one->name != NULL; one++)
        if ((flags.system & one->flag) != 0)
            add_word(L, one->name, strlen(one->name));
    add_keywords(L, flags.keywords);
}

/* m.labels: list of its labels where the server has such (Gmail), else of its
 * keywords; m.labels.work is true or false */
static void get_labels(lua_State *L)
{
    const struct message *message = check_message(L, 1);
    const char *labels = message->item->labels;

    push_word_list(L);
    if (!message->has_labels) {
        add_keywords(L, message->item->flags.keywords);
        return;
    }
    while (labels != NULL && *labels != '\0') {
        size_t size = strcspn(labels, "\n");

        add_word(L, labels, size);
        labels += size + (labels[size] == '\n');
    }
}

/* ---- Fields of cost "envelope" and "headers" ------------------------------
 */

/* The value of the first field of that name; NULL if there is none. */
static const char *first_value(lua_State *L, const char *name)
{
    struct view *view = check_view(L, check_message(L, 1));
    struct view_field field;
    size_t index = 0;

    return view_find_field(view, name, &index, &field) ? field.value : NULL;
}

/* m.from, m.sender, m.to, m.cc, m.bcc, m.reply_to: addresses, of the header
 * field of that name */
#define ADDRESS_FIELD(name, ...)                                        \
    static void get_##name(lua_State *L)                                \
    {                                                                   \
        push_addresses(L, 1, (const char *const[]){__VA_ARGS__, NULL}); \
    }

ADDRESS_FIELD(from, "From")
ADDRESS_FIELD(sender, "Sender")
ADDRESS_FIELD(to, "To")
ADDRESS_FIELD(cc, "Cc")
ADDRESS_FIELD(bcc, "Bcc")
ADDRESS_FIELD(reply_to, "Reply-To")
/* m.delivered_to: addresses that servers on its way delivered it to */
ADDRESS_FIELD(delivered_to, "Delivered-To")
/* m.envelope_to: addresses of the envelope, where a server notes them */
ADDRESS_FIELD(envelope_to, "Envelope-To", "X-Envelope-To", "X-Original-To")

/* m.subject: text, decoded; "" if there is none */
static void get_subject(lua_State *L)
{
    const char *value = first_value(L, "Subject");

    lua_pushstring(L, value != NULL ? value : "");
}

/* m.date: seconds since 1970, as its sender says; nil if missing or no date */
static void get_date(lua_State *L)
{
    int64_t seconds;

    if (view_date(check_view(L, check_message(L, 1)), &seconds))
        lua_pushinteger(L, (lua_Integer)seconds);
    else
        lua_pushnil(L);
}

/* m.message_id: text without angle brackets; "" if there is none */
static void get_message_id(lua_State *L)
{
    lua_pushstring(L, view_message_id(check_view(L, check_message(L, 1))));
}

/* Pushes the list of what stands in angle brackets (RFC 5322, 3.6.4). */
static void push_bracketed(lua_State *L, const char *text)
{
    lua_newtable(L);
    while (text != NULL && (text = strchr(text, '<')) != NULL) {
        size_t size = strcspn(++text, "<>");

        if (text[size] == '>' && size > 0)
            add_word(L, text, size);
        text += size;
    }
}

/* m.references: list of message ids, the oldest first */
static void get_references(lua_State *L)
{
    push_bracketed(L, first_value(L, "References"));
}

/* m.in_reply_to: text, the message id it answers; "" if there is none */
static void get_in_reply_to(lua_State *L)
{
    push_bracketed(L, first_value(L, "In-Reply-To"));
    if (lua_rawgeti(L, -1, 1) != LUA_TSTRING)
        lua_pushliteral(L, "");
    else
        return;
    lua_replace(L, -2);
}

/* m.list_id: text in lower case (RFC 2919), without angle brackets; nil if
 * there is none */
static void get_list_id(lua_State *L)
{
    const char *value = first_value(L, "List-Id");
    const char *open = value != NULL ? strrchr(value, '<') : NULL;
    size_t size;
    luaL_Buffer lower;

    if (value == NULL) {
        lua_pushnil(L);
        return;
    }
    if (open != NULL)
        value = open + 1;
    else
        value += strspn(value, " \t");
    size = strcspn(value, "> \t");
    luaL_buffinit(L, &lower);
    for (size_t i = 0; i < size; i++)
        luaL_addchar(&lower, (char)tolower((unsigned char)value[i]));
    luaL_pushresult(&lower);
}

/* m.auth: table such as { spf = "pass", dkim = "fail" }, what servers that
 * options { trust_auth } names found out; nil if none says. In it, results is
 * the list of all of them, each with method, result, reason and properties such
 * as ["smtp.mailfrom"] */
static void get_auth(lua_State *L)
{
    push_auth(L, 1);
}

/* ---- Fields that need the body ------------------------------------------- */

/* m.parts: list of parts, those in a multipart after it */
static void get_parts(lua_State *L)
{
    push_parts(L, 1);
}

/* m.attachments: list of the parts that have a file name or say they are one */
static void get_attachments(lua_State *L)
{
    push_attachments(L, 1);
}

/* m.text: text of the first text/plain part as UTF-8, at most 64 KiB; "" if
 * there is none */
static void get_text(lua_State *L)
{
    push_first_text(L, 1, "text/plain");
}

/* m.html: text of the first text/html part as UTF-8, at most 64 KiB; "" if
 * there is none */
static void get_html(lua_State *L)
{
    push_first_text(L, 1, "text/html");
}

/* ---- What rules noted ---------------------------------------------------- */

/* m.tags: table of the tags that rules set */
static void get_tags(lua_State *L)
{
    const struct plan *plan = &check_message(L, 1)->plan;

    lua_newtable(L);
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->entries[i].action != PLAN_TAG)
            continue;
        lua_pushstring(L, plan->entries[i].value);
        lua_setfield(L, -2, plan->entries[i].text);
    }
}

/* m.points: number, the sum of the scores that rules gave */
static void get_points(lua_State *L)
{
    const struct plan *plan = &check_message(L, 1)->plan;
    lua_Number sum = 0;

    for (size_t i = 0; i < plan->count; i++)
        if (plan->entries[i].action == PLAN_SCORE)
            sum += plan->entries[i].score;
    lua_pushnumber(L, sum);
}

/* ---- Methods that read --------------------------------------------------- */

/* m:header(name): text of the first field of that name, decoded; nil if none */
static int header(lua_State *L)
{
    check_message(L, 1);
    lua_pushstring(L, first_value(L, check_text(L, 2)));
    return 1;
}

/* m:raw_header(name): text of the first field of that name as it was sent,
 * octet for octet; nil if none */
static int raw_header(lua_State *L)
{
    struct view *view = check_view(L, check_message(L, 1));
    struct view_field field;
    size_t index = 0;

    if (!view_find_field(view, check_text(L, 2), &index, &field))
        return 0;
    lua_pushlstring(L, field.raw.data, field.raw.size);
    return 1;
}

/* m:headers(name): list of the texts of all fields of that name */
static int headers(lua_State *L)
{
    struct view *view = check_view(L, check_message(L, 1));
    const char *name = check_text(L, 2);
    struct view_field field;
    size_t index = 0;

    lua_newtable(L);
    while (view_find_field(view, name, &index, &field))
        add_word(L, field.value, strlen(field.value));
    return 1;
}

/* ---- The type ------------------------------------------------------------ */

static const struct field {
    const char *name;
    void (*get)(lua_State *L);
    bool changes; /* is read anew each time */
} fields[] = {
    {"account", get_account, false},
    {"folder", get_folder, false},
    {"uid", get_uid, false},
    {"size", get_size, false},
    {"received", get_received, false},
    {"flags", get_flags, false},
    {"labels", get_labels, false},
    {"age", get_age, true},
    {"from", get_from, false},
    {"sender", get_sender, false},
    {"to", get_to, false},
    {"cc", get_cc, false},
    {"bcc", get_bcc, false},
    {"reply_to", get_reply_to, false},
    {"subject", get_subject, false},
    {"date", get_date, false},
    {"message_id", get_message_id, false},
    {"in_reply_to", get_in_reply_to, false},
    {"references", get_references, false},
    {"list_id", get_list_id, false},
    {"auth", get_auth, false},
    {"delivered_to", get_delivered_to, false},
    {"envelope_to", get_envelope_to, false},
    {"parts", get_parts, false},
    {"attachments", get_attachments, false},
    {"text", get_text, false},
    {"html", get_html, false},
    {"tags", get_tags, true},
    {"points", get_points, true},
};

#define FIELDS (sizeof fields / sizeof *fields)

static const luaL_Reg readers[] = {
    {"header", header},   {"raw_header", raw_header}, {"headers", headers},
    {"raw", message_raw}, {"sha256", message_sha256}, {NULL, NULL},
};

static int unknown_field(lua_State *L, const char *name)
{
    const char *names[FIELDS + 64];
    size_t count = 0;

    for (size_t i = 0; i < FIELDS; i++)
        names[count++] = fields[i].name;
    for (size_t i = 0; readers[i].name != NULL; i++)
        names[count++] = readers[i].name;
    for (size_t i = 0; message_actions[i].name != NULL; i++)
        names[count++] = message_actions[i].name;
    names[count] = NULL;
    return raise_unknown(L, "a message has no", name, names);
}

/* Pushes the field and keeps it. The cache is at 3. */
static int get_field(lua_State *L, const struct field *field)
{
    field->get(L);
    if (!field->changes && !lua_isnil(L, -1)) {
        lua_pushvalue(L, -1);
        lua_setfield(L, 3, field->name);
    }
    return 1;
}

static bool is_action(const char *name)
{
    for (size_t i = 0; message_actions[i].name != NULL; i++)
        if (strcmp(message_actions[i].name, name) == 0)
            return true;
    return false;
}

/* Of a message that is gone only that is known which was noted of it. */
static void check_gone(lua_State *L, const char *name)
{
    static const char *const known[] = {
        "account", "folder", "uid",     "size",       "received", "age",
        "flags",   "labels", "subject", "message_id", "from",     NULL};

    for (size_t i = 0; known[i] != NULL; i++)
        if (strcmp(known[i], name) == 0)
            return;
    if (!is_action(name))
        luaL_error(L,
                   "m.%s: the message is gone: known of it are account, "
                   "folder, uid, size, received, age, flags, labels, subject, "
                   "message_id and from",
                   name);
}

static int message_index(lua_State *L)
{
    const struct message *message = check_message(L, 1);
    const char *name = luaL_tolstring(L, 2, NULL);

    lua_replace(L, 2);
    if (message->trace != NULL && !is_action(name))
        trace_read(message, name);
    if (script_of(L)->running->hook == HOOK_VANISHED)
        check_gone(L, name);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return 1; /* a method */
    lua_pop(L, 1);
    lua_getiuservalue(L, 1, 1);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, 3) != LUA_TNIL)
        return 1;
    lua_pop(L, 1);
    for (size_t i = 0; i < FIELDS; i++)
        if (strcmp(fields[i].name, name) == 0)
            return get_field(L, &fields[i]);
    return unknown_field(L, name);
}

/* Assigning says what would do it. */
static int message_newindex(lua_State *L)
{
    static const struct {
        const char *field, *instead;
    } hints[] = {
        {"flags", "m:flag(name) and m:unflag(name)"},
        {"labels", "m:label(name)"},
        {"folder", "m:move(folder)"},
        {"tags", "m:tag(key, value)"},
        {"points", "m:score(n, why)"},
    };

    const char *name = luaL_tolstring(L, 2, NULL);

    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
        if (strcmp(hints[i].field, name) == 0)
            return luaL_error(L, "m.%s cannot be assigned: use %s", name,
                              hints[i].instead);
    return luaL_error(L,
                      "m.%s cannot be assigned: use m:set_header(name, "
                      "value) for a header of the delivered copy, m:tag(key, "
                      "value) for a value of your own",
                      name);
}

static int message_tostring(lua_State *L)
{
    const struct cell *cell = luaL_checkudata(L, 1, TYPE_MESSAGE);

    if (cell->message == NULL)
        lua_pushliteral(L, "message that has left");
    else
        lua_pushfstring(L, "message %s/%s/%I", cell->message->account,
                        cell->message->folder,
                        (lua_Integer)cell->message->item->uid);
    return 1;
}

void open_message(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"__newindex", message_newindex},
        {"__tostring", message_tostring},
        {NULL, NULL},
    };

    new_type(L, TYPE_MESSAGE, functions);
    luaL_getmetatable(L, TYPE_MESSAGE);
    lua_newtable(L);
    luaL_setfuncs(L, readers, 0);
    luaL_setfuncs(L, message_actions, 0);
    lua_pushcclosure(L, message_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
