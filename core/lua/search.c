/*
 * box:search { ... }: from the table to the keys of the source's search.
 *
 * Every key must hold. A list of texts is one key that holds for one of them.
 */
#include <config.h>

#include <math.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "lua/box.h"
#include "mail/flags.h"
#include "mail/ranges.h"

#define KEYS_MOST 1000
#define TEXT_MOST 1000 /* octets of what is searched for */

enum value_kind {
    A_TEXT,
    A_WORD,
    A_TIME,
    A_SIZE,
    A_FLAG,
    A_HEADER,
    A_SET,
    A_RAW
};

static const struct {
    const char *name;
    enum pr_search_by by;
    enum value_kind kind;
    unsigned flag;
} search_keys[] = {
    {"before", PR_SEARCH_BEFORE, A_TIME, 0},
    {"since", PR_SEARCH_SINCE, A_TIME, 0},
    {"sent_before", PR_SEARCH_SENT_BEFORE, A_TIME, 0},
    {"sent_since", PR_SEARCH_SENT_SINCE, A_TIME, 0},
    {"from", PR_SEARCH_FROM, A_TEXT, 0},
    {"to", PR_SEARCH_TO, A_TEXT, 0},
    {"cc", PR_SEARCH_CC, A_TEXT, 0},
    {"bcc", PR_SEARCH_BCC, A_TEXT, 0},
    {"subject", PR_SEARCH_SUBJECT, A_TEXT, 0},
    {"body", PR_SEARCH_BODY, A_TEXT, 0},
    {"text", PR_SEARCH_TEXT, A_TEXT, 0},
    {"header", PR_SEARCH_HEADER, A_HEADER, 0},
    {"larger", PR_SEARCH_LARGER, A_SIZE, 0},
    {"smaller", PR_SEARCH_SMALLER, A_SIZE, 0},
    {"seen", PR_SEARCH_FLAG, A_FLAG, PR_FLAG_SEEN},
    {"flagged", PR_SEARCH_FLAG, A_FLAG, PR_FLAG_FLAGGED},
    {"answered", PR_SEARCH_FLAG, A_FLAG, PR_FLAG_ANSWERED},
    {"deleted", PR_SEARCH_FLAG, A_FLAG, PR_FLAG_DELETED},
    {"draft", PR_SEARCH_FLAG, A_FLAG, PR_FLAG_DRAFT},
    {"keyword", PR_SEARCH_KEYWORD, A_WORD, 0},
    {"label", PR_SEARCH_LABEL, A_WORD, 0},
    {"uid", PR_SEARCH_UIDS, A_SET, 0},
    {"gmail", PR_SEARCH_GMAIL, A_TEXT, 0},
    {"raw", PR_SEARCH_RAW, A_RAW, 0},
};

#define SEARCH_KEYS (sizeof search_keys / sizeof *search_keys)

struct search {
    struct pr_search_key *keys; /* a userdata */
    size_t count;
    const struct sweep_box *box;
};

static int wrong_value(lua_State *L, const char *name, const char *expected)
{
    return luaL_error(L, "box:search: %s: expects %s, got %s", name, expected,
                      type_words(L, -1));
}

static struct pr_search_key *add_key(lua_State *L, struct search *search,
                                     enum pr_search_by by)
{
    struct pr_search_key *key;

    if (search->count == KEYS_MOST)
        luaL_error(L, "box:search: more than %d keys", KEYS_MOST);
    key = &search->keys[search->count++];
    *key = (struct pr_search_key){.by = by};
    return key;
}

/* ---- Texts --------------------------------------------------------------- */

/* The text on top of the stack, which is fit to be searched for: a copy, as the
 * table may change while the search waits. */
static const char *text_value(lua_State *L, const struct search *search,
                              const char *name, bool may_be_empty)
{
    size_t size;
    const char *text;

    if (lua_type(L, -1) != LUA_TSTRING)
        wrong_value(L, name, "text");
    text = lua_tolstring(L, -1, &size);
    if (strlen(text) != size || strpbrk(text, "\r\n") != NULL)
        luaL_error(L, "box:search: %s: has more than one line", name);
    if (size == 0 && !may_be_empty)
        luaL_error(L,
                   "box:search: %s: is empty: that would be every message, "
                   "which box:all() says",
                   name);
    if (size > TEXT_MOST)
        luaL_error(L, "box:search: %s: is longer than %d octets", name,
                   TEXT_MOST);
    if (!text_is_utf8((struct pr_bytes){text, size}))
        luaL_error(L, "box:search: %s: is not UTF-8", name);
    return script_copy(L, search->box->plan.arena, text);
}

static const char *word_value(lua_State *L, const struct search *search,
                              size_t index)
{
    const char *name = search_keys[index].name;
    const char *text = text_value(L, search, name, false);
    bool is_label = search_keys[index].by == PR_SEARCH_LABEL;

    if (is_label && search->box->has_labels)
        return text;
    if (!is_keyword(text))
        luaL_error(L,
                   "box:search: %s: \"%s\" cannot be a keyword, which is of "
                   "ASCII letters, digits and most signs, without spaces",
                   name, text);
    return text;
}

static const char *one_text(lua_State *L, const struct search *search,
                            size_t index)
{
    return search_keys[index].kind == A_WORD
               ? word_value(L, search, index)
               : text_value(L, search, search_keys[index].name, false);
}

/* The text, or the list of texts, on top of the stack. */
static void read_text_key(lua_State *L, struct search *search, size_t index)
{
    enum pr_search_by by = search_keys[index].by;
    lua_Integer count;

    if (!lua_istable(L, -1)) {
        const char *text = one_text(L, search, index);
        add_key(L, search, by)->text = text;
        return;
    }
    count = (lua_Integer)lua_rawlen(L, -1);
    if (count == 0)
        luaL_error(L, "box:search: %s: the list is empty",
                   search_keys[index].name);
    for (lua_Integer i = 1; i <= count; i++) {
        struct pr_search_key *key;

        lua_rawgeti(L, -1, i);
        key = add_key(L, search, by);
        key->text = one_text(L, search, index);
        key->or_next = i < count;
        lua_pop(L, 1);
    }
}

static void read_header(lua_State *L, struct search *search)
{
    size_t before = search->count;

    if (!lua_istable(L, -1))
        wrong_value(L, "header", "a table such as { [\"List-Id\"] = \"dev\" }");
    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
        struct pr_search_key *key = add_key(L, search, PR_SEARCH_HEADER);

        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "box:search: header: expects names of fields");
        key->text = text_value(L, search, "header", true);
        lua_pushvalue(L, -2);
        key->name = text_value(L, search, "header", false);
        lua_pop(L, 1);
        for (const char *at = key->name; *at != '\0'; at++)
            if (*at <= ' ' || *at >= 0x7f || *at == ':')
                luaL_error(L,
                           "box:search: header: \"%s\" cannot be the name "
                           "of a field",
                           key->name);
    }
    if (search->count == before)
        luaL_error(L, "box:search: header: the table is empty");
}

static void read_raw(lua_State *L, struct search *search)
{
    const char *text = text_value(L, search, "raw", false);

    add_key(L, search, PR_SEARCH_RAW)->text = text;
}

/* ---- Numbers ------------------------------------------------------------- */

/* "2024-02-29": the beginning of that day, in UTC; false if it is none. */
static bool parse_day(const char *text, int64_t *ret)
{
    struct tm day = {0}, asked;
    const char *end = strptime(text, "%Y-%m-%d", &day);
    time_t when;

    if (end == NULL || *end != '\0')
        return false;
    asked = day;
    when = timegm(&day); /* 30 February is made 1 March */
    if (asked.tm_mday != day.tm_mday || asked.tm_mon != day.tm_mon)
        return false;
    *ret = (int64_t)when;
    return true;
}

static void read_time(lua_State *L, struct search *search, size_t index)
{
    const char *name = search_keys[index].name;
    struct pr_search_key *key = add_key(L, search, search_keys[index].by);

    if (lua_type(L, -1) == LUA_TNUMBER) {
        lua_Number ago = lua_tonumber(L, -1);

        if (!(ago >= 0 && ago < 1e11))
            luaL_error(L, "box:search: %s: the time is out of range", name);
        key->time = (int64_t)time(NULL) - (int64_t)ago;
        key->is_exact = true;
    } else if (lua_type(L, -1) != LUA_TSTRING ||
               !parse_day(lua_tostring(L, -1), &key->time)) {
        wrong_value(L, name,
                    "how long ago, such as days(30), or a day such as "
                    "\"2024-12-31\"");
    }
}

static void read_size(lua_State *L, struct search *search, size_t index)
{
    const char *name = search_keys[index].name;
    struct pr_search_key *key = add_key(L, search, search_keys[index].by);
    lua_Number octets;

    if (lua_type(L, -1) == LUA_TNUMBER) {
        octets = lua_tonumber(L, -1);
        if (!(octets >= 0 && octets < 1e15))
            luaL_error(L, "box:search: %s: is out of range", name);
        key->octets = (uint64_t)octets;
    } else if (lua_type(L, -1) != LUA_TSTRING ||
               text_to_size(lua_tostring(L, -1), &key->octets) != PR_OK) {
        wrong_value(L, name, "a number of octets, or text such as \"10M\"");
    }
}

static void read_flag(lua_State *L, struct search *search, size_t index)
{
    struct pr_search_key *key = add_key(L, search, PR_SEARCH_FLAG);

    if (!lua_isboolean(L, -1))
        wrong_value(L, search_keys[index].name, "true or false");
    key->flag = search_keys[index].flag;
    key->is_not = !lua_toboolean(L, -1);
}

/* uid = 7, uid = { 7, 9 }: numbers; uid = "1:100,200": text. */
static void read_uids(lua_State *L, struct search *search)
{
    lua_Integer count = lua_istable(L, -1) ? (lua_Integer)lua_rawlen(L, -1) : 1;
    struct pr_range *ranges;
    bool is_list = lua_istable(L, -1);

    if (count < 1 || count > 100000)
        luaL_error(L, "box:search: uid: the list is empty or too long");
    ranges = script_alloc(L, search->box->plan.arena,
                          (size_t)count * sizeof *ranges);
    for (lua_Integer i = 0; i < count; i++) {
        lua_Integer uid;
        int is_number;

        if (is_list)
            lua_rawgeti(L, -1, i + 1);
        uid = lua_tointegerx(L, -1, &is_number);
        if (!is_number || uid < 1 || uid >= UINT32_MAX)
            wrong_value(L, "uid", "a UID, or a list of UIDs");
        ranges[i] = (struct pr_range){(uint32_t)uid, (uint32_t)uid};
        if (is_list)
            lua_pop(L, 1);
    }
    *add_key(L, search, PR_SEARCH_UIDS) =
        (struct pr_search_key){.by = PR_SEARCH_UIDS,
                               .uids = ranges,
                               .uid_count = ranges_tidy(ranges, (size_t)count)};
}

/* ---- The table ----------------------------------------------------------- */

static size_t find_key(lua_State *L, const char *name)
{
    const char *names[SEARCH_KEYS + 1] = {NULL};

    for (size_t i = 0; i < SEARCH_KEYS; i++) {
        names[i] = search_keys[i].name;
        if (strcmp(names[i], name) == 0)
            return i;
    }
    raise_unknown(L, "box:search has no key", name, names);
    return 0;
}

static void read_key(lua_State *L, struct search *search, size_t index)
{
    switch (search_keys[index].kind) {
    case A_TEXT:
    case A_WORD:
        read_text_key(L, search, index);
        break;
    case A_TIME:
        read_time(L, search, index);
        break;
    case A_SIZE:
        read_size(L, search, index);
        break;
    case A_FLAG:
        read_flag(L, search, index);
        break;
    case A_HEADER:
        read_header(L, search);
        break;
    case A_SET:
        read_uids(L, search);
        break;
    case A_RAW:
        read_raw(L, search);
        break;
    }
}

/* box:search { before = days(30), flagged = false }: set of the messages that
 * all of its keys hold for. Waits */
int box_search(lua_State *L)
{
    struct search search = {.box = check_box(L, 1)->box};

    if (!lua_istable(L, 2))
        return luaL_error(L,
                          "box:search: expects a table such as { before = "
                          "days(30) }, got %s",
                          type_words(L, 2));
    lua_settop(L, 2);
    search.keys = lua_newuserdatauv(L, KEYS_MOST * sizeof *search.keys, 0);
    for (size_t i = 0; i < SEARCH_KEYS; i++) {
        /* In this order, whatever the table's is. */
        if (lua_getfield(L, 2, search_keys[i].name) != LUA_TNIL)
            read_key(L, &search, i);
        lua_pop(L, 1);
    }
    for (lua_pushnil(L); lua_next(L, 2) != 0; lua_pop(L, 1)) {
        lua_pushvalue(L, -2);
        find_key(L, luaL_tolstring(L, -1, NULL));
        lua_pop(L, 2);
    }
    if (search.count == 0)
        return luaL_error(L, "box:search: expects a key; box:all() has every "
                             "message");
    push_found(L, 1, search.keys, search.count);
    return 1;
}
