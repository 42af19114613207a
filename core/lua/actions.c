/*
 * What a rule can decide about its message: each method notes an entry in the
 * plan, with the rule and the line that asked for it. Nothing here acts.
 */
#include <config.h>

#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "lua/box.h"
#include "mail/flags.h"

#define VALUE_MOST ((size_t)100 * 1000) /* of a header field, octets */
#define POINTS_MOST 1e9

/* What a message of a sweep's set is to have done to it: a step of the sweep.
 */
static int note_in_sweep(lua_State *L, const struct message *message,
                         const struct plan_entry *entry)
{
    static const struct {
        enum plan_action action;
        enum sweep_action step;
    } steps[] = {
        {PLAN_FLAG, SWEEP_FLAG},   {PLAN_UNFLAG, SWEEP_UNFLAG},
        {PLAN_LABEL, SWEEP_LABEL}, {PLAN_UNLABEL, SWEEP_UNLABEL},
        {PLAN_MOVE, SWEEP_MOVE},   {PLAN_DELETE, SWEEP_DELETE},
        {PLAN_NOTE, SWEEP_NOTE},   {PLAN_COPY_TO, SWEEP_COPY_TO},
    };
    struct sweep_box *box = check_open(L, script_of(L)->running->root->box);
    struct pr_range uid = {message->item->uid, message->item->uid};

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (steps[i].action != entry->action)
            continue;
        if (entry->action != PLAN_NOTE)
            check_changes(L, box);
        add_step(L, box,
                 (struct sweep_step){.action = steps[i].step,
                                     .text = entry->text,
                                     .uids = &uid,
                                     .uid_count = 1});
        return 0;
    }
    return luaL_error(L,
                      "m:%s is for rules: in a sweep there are m:flag, "
                      "m:unflag, m:label, m:unlabel, m:copy_to, m:move, "
                      "m:delete and m:note",
                      plan_action_name(entry->action));
}

int note_entry(lua_State *L, struct message *message, struct plan_entry entry)
{
    struct place place = script_outer_place(L);
    pr_status status;

    if (script_of(L)->running->root->box != NULL)
        return note_in_sweep(L, message, &entry);
    if (script_of(L)->running->hook != 0)
        check_in_hook(L, entry.action);
    entry.rule = script_of(L)->running->rule->name;
    entry.file = place.file;
    entry.line = place.line;
    status = plan_add(&message->plan, &entry);
    if (status == PR_LIMIT && entry.action == PLAN_NOTE)
        return 0; /* who notes so much has said enough */
    return status == PR_OK ? 0 : script_raise(L, status);
}

static int note(lua_State *L, struct plan_entry entry)
{
    return note_entry(L, check_message(L, 1), entry);
}

void note_save(lua_State *L, struct message *message, const char *folder,
               const char *path, const char *part)
{
    note_entry(L, message,
               (struct plan_entry){.action = PLAN_SAVE,
                                   .text = path,
                                   .value = part,
                                   .folder = folder});
}

/* ---- Final ones ---------------------------------------------------------- */

static void note_target(lua_State *L, enum plan_action action, int index)
{
    struct plan_entry entry = {.action = action};

    if (!to_target(L, index, &entry.target) || entry.target.sink == NULL)
        luaL_error(L, "m:%s expects sinks such as mail / \"folder\", got %s",
                   plan_action_name(action), type_words(L, index));
    if (target_check(&entry.target) != PR_OK)
        luaL_error(L, "m:%s: %s", plan_action_name(action),
                   pr_last_failure()->text);
    note(L, entry);
}

/* One entry for each sink among the arguments, and in lists among them. */
static int note_targets(lua_State *L, enum plan_action action)
{
    int count = lua_gettop(L);

    check_message(L, 1);
    if (count < 2)
        return luaL_error(L, "m:%s expects where to", plan_action_name(action));
    for (int i = 2; i <= count; i++) {
        lua_Integer length;

        if (!lua_istable(L, i)) {
            note_target(L, action, i);
            continue;
        }
        length = (lua_Integer)lua_rawlen(L, i);
        for (lua_Integer j = 1; j <= length; j++) {
            lua_rawgeti(L, i, j);
            note_target(L, action, lua_gettop(L));
            lua_pop(L, 1);
        }
    }
    return 0;
}

/* m:deliver(sink, ...): into all of these; what becomes of it on the server,
 * the account's `after` says; final */
static int deliver(lua_State *L)
{
    return note_targets(L, PLAN_DELIVER);
}

/* m:move(folder): moved on the server, not delivered here; final */
static int move(lua_State *L)
{
    return note(L, (struct plan_entry){.action = PLAN_MOVE,
                                       .text = check_folder(L, 2)});
}

/* m:delete(): deleted on the server, not delivered here; final */
static int delete (lua_State *L)
{
    return note(L, (struct plan_entry){.action = PLAN_DELETE});
}

/* m:leave(): left as it is, neither fetched nor asked about again; final */
static int leave(lua_State *L)
{
    return note(L, (struct plan_entry){.action = PLAN_LEAVE});
}

/* m:discard(reason): dropped on purpose; on the server as if it had been
 * delivered; final */
static int discard(lua_State *L)
{
    return note(L, (struct plan_entry){.action = PLAN_DISCARD,
                                       .text = check_line(L, 2)});
}

/* m:defer(time): asked again after so long; final */
static int defer(lua_State *L)
{
    return note(L, (struct plan_entry){.action = PLAN_DEFER,
                                       .delay = check_duration(L, 2)});
}

/* m:stop(): no further rules; the account's `deliver` takes it; final */
static int stop(lua_State *L)
{
    return note(L, (struct plan_entry){.action = PLAN_STOP});
}

/* ---- The others ---------------------------------------------------------- */

/* m:copy(sink, ...): an extra copy */
static int copy(lua_State *L)
{
    return note_targets(L, PLAN_COPY);
}

/* m:copy_to(folder): a copy on the server */
static int copy_to(lua_State *L)
{
    return note(L, (struct plan_entry){.action = PLAN_COPY_TO,
                                       .text = check_folder(L, 2)});
}

/* The system flag of that name, with or without the backslash, as RFC 3501,
 * 2.3.2 writes it; or the keyword. */
const char *check_flag(lua_State *L, int arg)
{
    static const char *const names[] = {"\\Seen",    "\\Answered", "\\Flagged",
                                        "\\Deleted", "\\Draft",    NULL};
    const char *text = check_line(L, arg);
    char near[100];

    for (size_t i = 0; names[i] != NULL; i++)
        if (strcasecmp(names[i], text) == 0)
            return names[i];
    if (text[0] == '\\')
        luaL_error(L, "there is no flag \"%s\"%s", text,
                   near_text(text, names, near, sizeof near));
    return check_keyword(L, arg);
}

/* m:flag(name): a flag such as "\\Flagged" or a keyword is set, on the server
 * and on the delivered copy */
static int flag(lua_State *L)
{
    return note(
        L, (struct plan_entry){.action = PLAN_FLAG, .text = check_flag(L, 2)});
}

/* m:unflag(name): a flag or a keyword is taken away, on the server and on the
 * delivered copy */
static int unflag(lua_State *L)
{
    return note(L, (struct plan_entry){.action = PLAN_UNFLAG,
                                       .text = check_flag(L, 2)});
}

const char *check_label(lua_State *L, int arg, bool has_labels)
{
    return has_labels ? check_title(L, arg) : check_keyword(L, arg);
}

/* Where no server is there to ask, what cannot be a keyword is taken for a
 * label. */
static int note_label(lua_State *L, enum plan_action label,
                      enum plan_action flag)
{
    const struct message *message = check_message(L, 1);
    bool is_guess = !message->has_labels && message->may_have_labels &&
                    !is_keyword(check_line(L, 2));
    bool has_labels = message->has_labels || is_guess;
    const char *text = check_label(L, 2, has_labels);

    return note(L,
                (struct plan_entry){
                    .action = has_labels ? label : flag,
                    .text = text,
                    .value = is_guess ? "where the server has labels" : NULL});
}

/* m:label(name): a label of the server's own, where it has such (Gmail), else a
 * keyword, is set; the delivered copy has it as a keyword. In tests, and where
 * `postrider explain` is given a file, no server is there to ask: what cannot
 * be a keyword is then taken for a label.
 */
static int label(lua_State *L)
{
    return note_label(L, PLAN_LABEL, PLAN_FLAG);
}

/* m:unlabel(name): a label, or that keyword, is taken away, on the server and
 * on the delivered copy */
static int unlabel(lua_State *L)
{
    return note_label(L, PLAN_UNLABEL, PLAN_UNFLAG);
}

/* The name of a header field (RFC 5322, 2.2). */
static const char *check_field_name(lua_State *L, int arg)
{
    const char *name = check_text(L, arg);

    for (const char *at = name; *at != '\0'; at++)
        luaL_argcheck(L, *at > ' ' && *at < 0x7f && *at != ':', arg,
                      "this cannot be the name of a header field");
    luaL_argcheck(L, name[0] != '\0', arg, "the header field has no name");
    return name;
}

/* A line of mail may be longer than any field should be. */
static const char *check_value(lua_State *L, int arg)
{
    const char *value = check_line(L, arg);

    lua_pushlstring(L, value, text_cut(value, strlen(value), VALUE_MOST));
    lua_replace(L, arg);
    return lua_tostring(L, arg);
}

/* m:set_header(name, value): on delivered copies, in place of all fields of
 * that name; of a value of more than 100,000 octets the beginning */
static int set_header(lua_State *L)
{
    return note(L, (struct plan_entry){.action = PLAN_SET_HEADER,
                                       .text = check_field_name(L, 2),
                                       .value = check_value(L, 3)});
}

/* m:add_header(name, value): on delivered copies, one more field */
static int add_header(lua_State *L)
{
    return note(L, (struct plan_entry){.action = PLAN_ADD_HEADER,
                                       .text = check_field_name(L, 2),
                                       .value = check_value(L, 3)});
}

/* m:remove_header(name): from delivered copies, all fields of that name */
static int remove_header(lua_State *L)
{
    return note(L, (struct plan_entry){.action = PLAN_REMOVE_HEADER,
                                       .text = check_field_name(L, 2)});
}

/* m:tag(key, value): for later rules, as m.tags.key, and for `postrider why` */
static int tag(lua_State *L)
{
    const char *key = check_title(L, 2);

    luaL_checkany(L, 3);
    luaL_tolstring(L, 3, NULL);
    return note(L, (struct plan_entry){.action = PLAN_TAG,
                                       .text = key,
                                       .value = check_line(L, lua_gettop(L))});
}

/* The number at `arg`. One that a filter before this one wrote into the header
 * may be anything: what is none counts nothing. */
static lua_Number check_points(lua_State *L, int arg)
{
    int is_number = 0;
    lua_Number points = lua_tonumberx(L, arg, &is_number);

    if (!is_number && !lua_isnil(L, arg) && lua_type(L, arg) != LUA_TSTRING)
        points = luaL_checknumber(L, arg);
    if (points != points)
        return 0;
    return points > POINTS_MOST    ? POINTS_MOST
           : points < -POINTS_MOST ? -POINTS_MOST
                                   : points;
}

/* m:score(n, why): points, which later rules find summed up in m.points */
static int score(lua_State *L)
{
    return note(L, (struct plan_entry){
                       .action = PLAN_SCORE,
                       .score = check_points(L, 2),
                       .text = lua_isnoneornil(L, 3) ? "" : check_line(L, 3)});
}

/* m:note(text): for the log, for `postrider why` and for --dry-run */
static int note_text(lua_State *L)
{
    return note(
        L, (struct plan_entry){.action = PLAN_NOTE, .text = check_line(L, 2)});
}

/* m:redirect(address, ...): an extra copy to each of these addresses, by the
 * sink that options { redirect = smtp { ... } } names */
static int redirect(lua_State *L)
{
    struct target target = {script_of(L)->redirect, NULL};
    int count = lua_gettop(L);

    check_message(L, 1);
    if (target.sink == NULL)
        return luaL_error(L, "m:redirect needs to know by whom mail is sent: "
                             "options { redirect = smtp { host = "
                             "\"localhost\", port = 25 } }");
    if (count < 2)
        return luaL_error(L, "m:redirect expects an address");
    for (int i = 2; i <= count; i++) {
        target.folder = check_line(L, i);
        luaL_argcheck(L, target.folder[0] != '\0', i, "the address is empty");
        if (target_check(&target) != PR_OK)
            return luaL_error(L, "m:redirect: %s", pr_last_failure()->text);
        note(L, (struct plan_entry){.action = PLAN_REDIRECT, .target = target});
    }
    return 0;
}

const luaL_Reg message_actions[] = {
    {"deliver", deliver},
    {"move", move},
    {"delete", delete},
    {"leave", leave},
    {"discard", discard},
    {"defer", defer},
    {"stop", stop},
    {"copy", copy},
    {"copy_to", copy_to},
    {"redirect", redirect},
    {"reply", message_reply},
    {"flag", flag},
    {"unflag", unflag},
    {"label", label},
    {"unlabel", unlabel},
    {"set_header", set_header},
    {"add_header", add_header},
    {"remove_header", remove_header},
    {"tag", tag},
    {"score", score},
    {"note", note_text},
    {NULL, NULL},
};
