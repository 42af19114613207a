/*
 * What a client of the daemon's socket may ask.
 *
 * A field that the request does not have is refused: a slip must not turn
 * `accounts` into all of them.
 */
#include "config.h"

#include "control/request.h"

#include <jansson.h>
#include <string.h>

#include "base/text.h"
#include "control/line.h"

enum { ACCOUNTS_MOST = 10000, LINES_MOST = 100000, LINES_USUAL = 20 };

static const struct {
    const char *name;
    const char *fields[4]; /* besides "do"; ended by NULL */
} kinds[] = {
    [REQUEST_STATUS] = {"status", {"follow"}},
    [REQUEST_METRICS] = {"metrics", {NULL}},
    [REQUEST_POLL] = {"poll", {"accounts", "retry", "report", "sweep"}},
    [REQUEST_PAUSE] = {"pause", {"accounts"}},
    [REQUEST_RESUME] = {"resume", {"accounts"}},
    [REQUEST_RELOAD] = {"reload", {NULL}},
    [REQUEST_LOG] = {"log", {"follow", "level", "lines"}},
    [REQUEST_RETRY] = {"retry", {"id"}},
    [REQUEST_DROP] = {"drop", {"id"}},
    [REQUEST_CONFIRM] = {"confirm", {"id"}},
    [REQUEST_REFUSE] = {"refuse", {"id", "retry"}},
    [REQUEST_UNDO] = {"undo", {"accounts", "since", "dry_run"}},
};

enum { KINDS = sizeof(kinds) / sizeof(*kinds) };

struct parse {
    struct pr_arena *arena;
    struct request *request;
};

static pr_status wrong_kind(const char *name)
{
    const char *names[KINDS + 1] = {NULL};
    char shown[80];
    for (int i = 0; i < KINDS; i++) {
        names[i] = kinds[i].name;
    }
    const char *nearest = text_nearest(name, names);
    text_printable(pr_bytes_of(name), shown, sizeof(shown));
    return pr_fail(PR_CONFIG, "no request \"%s\"%s%s%s", shown,
                   nearest != NULL ? "; did you mean \"" : "",
                   nearest != NULL ? nearest : "",
                   nearest != NULL ? "\"?" : "");
}

static pr_status read_kind(json_t *root, struct request *request)
{
    const char *name = json_string_value(json_object_get(root, "do"));
    if (name == NULL) {
        return pr_fail(PR_CONFIG,
                       "a request has its name in \"do\": {\"do\":\"status\"}");
    }
    for (int i = 0; i < KINDS; i++) {
        if (strcmp(name, kinds[i].name) == 0) {
            request->kind = (enum request_kind)i;
            return PR_OK;
        }
    }
    return wrong_kind(name);
}

static pr_status read_boolean(const json_t *value, const char *name, bool *ret)
{
    if (!json_is_boolean(value)) {
        return pr_fail(PR_CONFIG, "\"%s\" is true or false", name);
    }
    *ret = json_is_true(value);
    return PR_OK;
}

static pr_status read_accounts(struct parse *parse, const json_t *value)
{
    size_t count = json_array_size(value);
    if (!json_is_array(value) || count > ACCOUNTS_MOST) {
        return pr_fail(PR_CONFIG, "\"accounts\" is a list of names");
    }
    /* No name at all is no choice. */
    if (count == 0) {
        return PR_OK;
    }
    const char **names =
        pr_arena_array(parse->arena, count + 1, sizeof(*names));
    for (size_t i = 0; names != NULL && i < count; i++) {
        const char *name = json_string_value(json_array_get(value, i));
        if (name == NULL) {
            return pr_fail(PR_CONFIG, "\"accounts\" is a list of names");
        }
        names[i] = pr_arena_text(parse->arena, name);
        if (names[i] == NULL) {
            return PR_NOMEM;
        }
    }
    parse->request->accounts = names;
    return names != NULL ? PR_OK : PR_NOMEM;
}

static pr_status read_id(struct parse *parse, const json_t *value)
{
    const char *id = json_string_value(value);
    if (id == NULL || id[0] == '\0') {
        return pr_fail(PR_CONFIG,
                       "\"id\" is ACCOUNT/FOLDER/UID, or the name of "
                       "what is held");
    }
    parse->request->id = pr_arena_text(parse->arena, id);
    return parse->request->id != NULL ? PR_OK : PR_NOMEM;
}

static pr_status read_level(struct request *request, const json_t *value)
{
    const char *name = json_string_value(value);
    if (name == NULL || !level_of_name(name, &request->level)) {
        return pr_fail(PR_CONFIG, "\"level\" is error, warning, info, debug or "
                                  "trace");
    }
    return PR_OK;
}

static pr_status read_lines(struct request *request, const json_t *value)
{
    json_int_t lines = json_integer_value(value);
    if (!json_is_integer(value) || lines < 0 || lines > LINES_MOST) {
        return pr_fail(PR_CONFIG, "\"lines\" is a number from 0 to %d",
                       LINES_MOST);
    }
    request->lines = (unsigned)lines;
    return PR_OK;
}

static pr_status read_since(struct request *request, const json_t *value)
{
    json_int_t since = json_integer_value(value);
    if (!json_is_integer(value) || since <= 0) {
        return pr_fail(PR_CONFIG, "\"since\" is a time in seconds since 1970");
    }
    request->since = since;
    return PR_OK;
}

static pr_status read_field(struct parse *parse, const char *name,
                            const json_t *value)
{
    struct request *request = parse->request;
    if (strcmp(name, "accounts") == 0) {
        return read_accounts(parse, value);
    }
    if (strcmp(name, "id") == 0) {
        return read_id(parse, value);
    }
    if (strcmp(name, "level") == 0) {
        return read_level(request, value);
    }
    if (strcmp(name, "lines") == 0) {
        return read_lines(request, value);
    }
    if (strcmp(name, "since") == 0) {
        return read_since(request, value);
    }
    return read_boolean(value, name,
                        strcmp(name, "follow") == 0    ? &request->follow
                        : strcmp(name, "dry_run") == 0 ? &request->dry_run
                        : strcmp(name, "retry") == 0   ? &request->retry
                        : strcmp(name, "sweep") == 0   ? &request->sweep
                                                       : &request->report);
}

static bool has_field(enum request_kind kind, const char *name)
{
    for (size_t i = 0; i < 4 && kinds[kind].fields[i] != NULL; i++) {
        if (strcmp(kinds[kind].fields[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static pr_status read_fields(struct parse *parse, json_t *root)
{
    const char *name;
    json_t *value;
    json_object_foreach(root, name, value)
    {
        if (strcmp(name, "do") == 0) {
            continue;
        }
        if (!has_field(parse->request->kind, name)) {
            char shown[80];
            text_printable(pr_bytes_of(name), shown, sizeof(shown));
            return pr_fail(PR_CONFIG, "\"%s\" has no field \"%s\"",
                           kinds[parse->request->kind].name, shown);
        }
        pr_status status = read_field(parse, name, value);
        if (status != PR_OK) {
            return status;
        }
    }
    bool needs_id = has_field(parse->request->kind, "id");
    return needs_id && parse->request->id == NULL
               ? pr_fail(PR_CONFIG, "\"%s\" needs the message in \"id\"",
                         kinds[parse->request->kind].name)
               : PR_OK;
}

pr_status request_parse(struct pr_bytes line, struct pr_arena *arena,
                        struct request *ret)
{
    json_error_t error;
    struct parse parse = {arena, ret};
    *ret = (struct request){.level = PR_LOG_INFO, .lines = LINES_USUAL};
    json_t *root = json_loadb(line.data != NULL ? line.data : "", line.size,
                              JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        return pr_fail(PR_CONFIG, "this is no line of JSON: %s (octet %d)",
                       error.text, error.position);
    }
    pr_status status = json_is_object(root)
                           ? read_kind(root, ret)
                           : pr_fail(PR_CONFIG, "a request is one JSON object");
    if (status == PR_OK) {
        status = read_fields(&parse, root);
    }
    json_decref(root);
    return status;
}
