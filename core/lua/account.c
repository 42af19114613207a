/*
 * account "name" { ... }: one mailbox to fetch, and where its mail goes.
 */
#include <config.h>

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "lua/script.h"
#include "plugin/registry.h"

#define TYPE_ACCOUNT "postrider.account" /* named, its table still to come */
#define PENDING "postrider.pending"      /* those, in the registry */
#define NAME_MOST 100

/* What the tables of options store; what is not here is taken by hand. */
struct account_options {
    bool watch, read_only;
    uint64_t probe;
    int64_t connections;
    uint64_t limit_size;
    int64_t limit_messages;
    uint64_t whole_below;
};

#define OPTION(field, option_kind, ...)                                \
    {                                                                  \
        .name = #field, .kind = PR_OPTION_##option_kind,               \
        .offset = offsetof(struct account_options, field), __VA_ARGS__ \
    }

static const struct pr_option account_table[] = {
    OPTION(watch, BOOLEAN, .fallback = "false",
           .help = "stay online and hear of new mail at once"),
    OPTION(probe, DURATION, .fallback = "5m",
           .help = "prove a silent line to be alive so often; 0: never"),
    OPTION(connections, NUMBER, .fallback = "3", .least = 1, .most = 100,
           .help = "connections at the same time"),
    OPTION(read_only, BOOLEAN, .fallback = "false",
           .help = "change nothing on the server"),
    OPTION(whole_below, SIZE, .fallback = "256K",
           .help =
               "fetch smaller messages whole at once; of others the header, "
               "and then what rules look at"),
    {.name = NULL},
};

static const struct pr_option limit_table[] = {
    {.name = "size",
     .kind = PR_OPTION_SIZE,
     .offset = offsetof(struct account_options, limit_size),
     .help = "leave larger messages on the server"},
    {.name = "messages",
     .kind = PR_OPTION_NUMBER,
     .offset = offsetof(struct account_options, limit_messages),
     .least = 1,
     .most = 1000000000,
     .help = "messages taken in one run"},
    {.name = NULL},
};

static const struct pr_class account_class = {
    .size = sizeof(struct pr_class),
    .name = "account",
    .options = account_table,
    .options_size = sizeof(struct account_options),
};

static const struct pr_class limit_class = {
    .size = sizeof(struct pr_class),
    .name = "limit",
    .options = limit_table,
    .options_size = sizeof(struct account_options),
};

static const char *const by_hand[] = {
    "source", "folders", "every",    "after",           "deliver",
    "start",  "limit",   "on_error", "limit_deletions", NULL,
};

static void wrong_type(lua_State *L, const struct reader *reader,
                       const char *name, const char *expects,
                       struct place place)
{
    problem_add(L, place, "%s: %s: expects %s, got %s", reader->what, name,
                expects, type_words(L, -1));
}

/* ---- Fields that are taken by hand --------------------------------------- */

static void take_source(lua_State *L, struct reader *reader, const char *name,
                        struct place place)
{
    struct account *account = reader->user;
    const struct source_value *value = luaL_testudata(L, -1, TYPE_SOURCE);

    if (value == NULL) {
        wrong_type(L, reader, name, "a source such as imap { host = \"...\" }",
                   place);
        return;
    }
    account->source = value->class;
    account->source_options = value->options;
}

static void take_folders(lua_State *L, struct reader *reader, const char *name,
                         struct place place)
{
    struct account *account = reader->user;
    int top = lua_gettop(L);
    const char *const *folders = read_texts(L, -1, script_of(L)->arena);
    bool takes_any = false;

    lua_settop(L, top);
    if (folders == NULL) {
        wrong_type(L, reader, name,
                   "a list of patterns such as { \"INBOX\", \"Lists/*\" }",
                   place);
        return;
    }
    for (size_t i = 0; folders[i] != NULL; i++) {
        const char *pattern = folders[i] + (folders[i][0] == '!' ? 1 : 0);

        if (pattern[0] == '\0')
            problem_add(L, place, "%s: folders: an empty name", reader->what);
        takes_any = takes_any || folders[i][0] != '!';
    }
    if (!takes_any)
        problem_add(L, place, "%s: folders: names none to take", reader->what);
    account->folders = folders;
}

static void take_after(lua_State *L, struct reader *reader, const char *name,
                       struct place place)
{
    struct account *account = reader->user;
    const struct after_value *value = luaL_testudata(L, -1, TYPE_AFTER);

    if (value == NULL) {
        wrong_type(L, reader, name,
                   "keep, seen, delete, delete_after \"30d\" or move_to "
                   "\"Archive\"",
                   place);
        return;
    }
    account->after = value->after;
    account->after_delay = value->delay;
    account->after_folder = value->folder;
}

/* Adds the sink on top of the stack. */
static bool add_target(lua_State *L, struct account *account, size_t *allocated)
{
    struct script *script = script_of(L);
    struct target target;

    if (!to_target(L, -1, &target))
        return false;
    target.folder = script_copy(L, script->arena, target.folder);
    if (target_check(&target) != PR_OK)
        problem_add(L, script_place(L, 1), "account \"%s\": deliver: %s",
                    account->name, pr_last_failure()->text);
    account->deliver = script_grow(L, account->deliver, account->deliver_count,
                                   allocated, sizeof *account->deliver);
    account->deliver[account->deliver_count++] = target;
    return true;
}

static void take_deliver(lua_State *L, struct reader *reader, const char *name,
                         struct place place)
{
    struct account *account = reader->user;
    size_t allocated = 0;
    lua_Integer count;

    if (!lua_istable(L, -1)) {
        if (!add_target(L, account, &allocated))
            wrong_type(L, reader, name,
                       "a sink such as maildir \"~/Mail\", or a list of them",
                       place);
        return;
    }
    count = (lua_Integer)lua_rawlen(L, -1);
    if (count == 0)
        problem_add(L, place, "%s: deliver: the list is empty", reader->what);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, -1, i);
        if (!add_target(L, account, &allocated))
            wrong_type(L, reader, name, "sinks in the list", place);
        lua_pop(L, 1);
    }
}

static void take_start(lua_State *L, struct reader *reader, const char *name,
                       struct place place)
{
    struct account *account = reader->user;
    const char *text =
        lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";

    if (strcmp(text, "all") == 0)
        account->start = START_ALL;
    else if (strcmp(text, "now") == 0)
        account->start = START_NOW;
    else if (text_to_duration(text, &account->start_age) == PR_OK)
        account->start = START_RECENT;
    else
        problem_add(L, place,
                    "%s: %s: expects \"all\", \"now\" or a time such as "
                    "\"30d\", got %s%s%s",
                    reader->what, name, text[0] != '\0' ? "\"" : "",
                    text[0] != '\0' ? text : type_words(L, -1),
                    text[0] != '\0' ? "\"" : "");
}

static void take_later(lua_State *L, struct reader *reader, const char *name,
                       struct place place)
{
    problem_add(L, place, "%s: \"%s\" is not in this version yet", reader->what,
                name);
}

static void take_limit(lua_State *L, struct reader *reader, const char *name,
                       struct place place)
{
    static const char *const names[] = {"octets_per_day", NULL};
    struct reader limit = {
        .what = lua_pushfstring(L, "%s: limit", reader->what),
        .opener = "limit",
        .class = &limit_class,
        .others = names,
        .take = take_later,
        .options = reader->options,
        .place = place,
    };

    (void)name;
    reader_read(L, &limit, -2);
    lua_pop(L, 1);
}

static void take_deletions(lua_State *L, struct reader *reader,
                           const char *name, struct place place)
{
    struct account *account = reader->user;

    (void)name;
    take_deletion_limit(L, reader->what, place, &account->deletions);
}

static void take(lua_State *L, struct reader *reader, const char *name,
                 struct place place)
{
    static const struct {
        const char *name;
        void (*take)(lua_State *L, struct reader *reader, const char *name,
                     struct place place);
    } takers[] = {
        {"source", take_source},
        {"folders", take_folders},
        {"every", take_every},
        {"after", take_after},
        {"deliver", take_deliver},
        {"start", take_start},
        {"limit", take_limit},
        {"on_error", take_later},
        {"limit_deletions", take_deletions},
    };

    for (size_t i = 0; i < sizeof takers / sizeof *takers; i++)
        if (strcmp(takers[i].name, name) == 0)
            takers[i].take(L, reader, name, place);
}

/* ---- The account --------------------------------------------------------- */

const char *name_problem(const char *name)
{
    char shown[4 * NAME_MOST + 1];

    if (name[0] == '\0')
        return "has no name";
    if (strlen(name) > NAME_MOST)
        return "has too long a name";
    if (strchr(name, '/') != NULL)
        return "has a \"/\" in its name";
    text_printable(pr_bytes_of(name), shown, sizeof shown);
    return strcmp(shown, name) != 0 ? "has a control character in its name"
                                    : NULL;
}

static struct account *add_account(lua_State *L, const char *name)
{
    static const char *const inbox[] = {"INBOX", NULL};
    struct script *script = script_of(L);
    struct config *config = script->config;
    struct account *account;

    config->accounts =
        script_grow(L, config->accounts, config->account_count,
                    &script->accounts_allocated, sizeof *config->accounts);
    account = &config->accounts[config->account_count++];
    *account = (struct account){
        .name = script_copy(L, script->arena, name),
        .line = script_place(L, 1).line,
        .folders = inbox,
        .every = EVERY_DEFAULT,
        .after = AFTER_KEEP,
        .start = START_ALL,
        .deletions = {-1, -1},
    };
    return account;
}

static void fill(struct account *account, const struct account_options *options)
{
    account->watch = options->watch;
    account->probe = options->probe;
    account->connections = (unsigned)options->connections;
    account->read_only = options->read_only;
    account->limit_size = options->limit_size;
    account->limit_messages = (uint64_t)options->limit_messages;
    account->whole_below = options->whole_below;
}

/* Can the source do that? Says what it lacks, NULL if nothing. */
static const char *lack_for(const struct account *account)
{
    unsigned lacks = account->source != NULL && account->source->source != NULL
                         ? account->source->source->lacks
                         : 0;

    if (account->after == AFTER_SEEN && (lacks & PR_LACKS_FLAGS) != 0)
        return "flags";
    if (account->after == AFTER_MOVE && (lacks & PR_LACKS_FOLDERS) != 0)
        return "folders to move to";
    return NULL;
}

/* A folder that a source with one folder cannot have; NULL: none. */
static const char *stray_folder(const struct account *account)
{
    if (account->source == NULL || account->source->source == NULL ||
        account->source->source->folders != NULL)
        return NULL;
    for (const char *const *at = account->folders; *at != NULL; at++)
        if (strpbrk(*at, "*%!") == NULL &&
            !pr_bytes_equal_nocase(pr_bytes_of(*at), PR_BYTES("INBOX")))
            return *at;
    return NULL;
}

/* What goes wrong only as a whole. */
static void check_account(lua_State *L, const struct reader *reader,
                          int source_type, int deliver_type)
{
    const struct account *account = reader->user;

    if (source_type == LUA_TNIL)
        problem_add(L, reader->place,
                    "%s: source is missing (where the mail is)", reader->what);
    if (deliver_type == LUA_TNIL)
        problem_add(L, reader->place,
                    "%s: deliver is missing (where the mail goes)",
                    reader->what);
    if (account->read_only && account->after != AFTER_KEEP)
        problem_add(
            L,
            source_field(script_of(L), reader->place, reader->opener, "after"),
            "%s: after: read_only allows keep only", reader->what);
    const char *stray = stray_folder(account);
    if (stray != NULL)
        problem_add(L,
                    source_field(script_of(L), reader->place, reader->opener,
                                 "folders"),
                    "%s: folders: a %s source has one folder, INBOX, and no "
                    "\"%s\": leave `folders` out",
                    reader->what, account->source->name, stray);
    const char *lack = lack_for(account);
    if (lack != NULL)
        problem_add(
            L,
            source_field(script_of(L), reader->place, reader->opener, "after"),
            "%s: after: a %s source has no %s; keep, delete and delete_after "
            "\"30d\" can be had",
            reader->what, account->source->name, lack);
}

static void read_account(lua_State *L, const char *name, int table)
{
    struct account *account = add_account(L, name);
    struct reader reader = {
        .what = lua_pushfstring(L, "account \"%s\"", name),
        .opener = "account",
        .class = &account_class,
        .others = by_hand,
        .take = take,
        .user = account,
        .place = script_place(L, 1),
    };

    if (options_new(&account_class, script_of(L)->arena, &reader.options) !=
        PR_OK)
        script_raise(L, PR_NOMEM);
    reader_read(L, &reader, table);
    fill(account, reader.options);
    if (lua_istable(L, table))
        check_account(L, &reader, lua_getfield(L, table, "source"),
                      lua_getfield(L, table, "deliver"));
}

static void check_name(lua_State *L, const char *name)
{
    const struct account *other = config_account(script_of(L)->config, name);
    const char *problem = name_problem(name);

    if (problem != NULL)
        problem_add(L, script_place(L, 1), "account \"%s\" %s", name, problem);
    if (other != NULL)
        problem_add(L, script_place(L, 1),
                    "account \"%s\" stands at line %d already", name,
                    other->line);
}

/* The second half of `account "name" { ... }`. */
static int call_account(lua_State *L)
{
    luaL_checkudata(L, 1, TYPE_ACCOUNT);
    lua_settop(L, 2);
    lua_getiuservalue(L, 1, 1);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, PENDING);
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    lua_rawset(L, -3);
    check_name(L, lua_tostring(L, 3));
    read_account(L, lua_tostring(L, 3), 2);
    return 0;
}

/* account "name" { source = ..., deliver = ..., ... }: mail that is fetched,
 * and where it goes */
static int account(lua_State *L)
{
    if (script_of(L)->running->who != NULL)
        return luaL_error(L, "account: not in a rule");
    if (lua_type(L, 1) != LUA_TSTRING)
        return luaL_error(L,
                          "expects account \"name\" { ... }, got %s for the "
                          "name",
                          type_words(L, 1));
    check_text(L, 1);
    if (!lua_isnoneornil(L, 2)) {
        check_name(L, lua_tostring(L, 1));
        read_account(L, lua_tostring(L, 1), 2);
        return 0;
    }
    lua_newuserdatauv(L, 0, 2);
    luaL_setmetatable(L, TYPE_ACCOUNT);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    lua_pushstring(L, script_place(L, 1).file);
    lua_setiuservalue(L, -2, 2);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, PENDING);
    lua_pushvalue(L, -2);
    lua_pushinteger(L, script_place(L, 1).line);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    return 1;
}

void finish_accounts(lua_State *L)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, PENDING);
    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 3)) {
        struct place place = {.line = (int)lua_tointeger(L, -1)};

        lua_getiuservalue(L, -2, 1);
        lua_getiuservalue(L, -3, 2);
        place.file = lua_tostring(L, -1);
        problem_add(L, place,
                    "account \"%s\": its options are missing: account \"%s\" "
                    "{ ... }",
                    lua_tostring(L, -2), lua_tostring(L, -2));
    }
    lua_pop(L, 1);
    struct config *config = script_of(L)->config;
    for (size_t i = 0; i < config->account_count; i++) {
        struct deletion_limit *limit = &config->accounts[i].deletions;

        if (limit->messages < 0)
            limit->messages = config->deletions.messages;
        if (limit->percent < 0)
            limit->percent = config->deletions.percent;
    }
}

void open_accounts(lua_State *L)
{
    static const luaL_Reg functions[] = {{"__call", call_account},
                                         {NULL, NULL}};

    new_type(L, TYPE_ACCOUNT, functions);
    lua_pushcfunction(L, account);
    lua_setglobal(L, "account");
}
