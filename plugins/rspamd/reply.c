/*
 * rspamd's replies: JSON, read by jansson. Nothing here waits.
 */
#include "config.h"

#include <jansson.h>
#include <string.h>

#include "rspamd.h"

#define SYMBOLS_MOST 1000
#define OPTIONS_MOST 100

static pr_status broken(const char *what)
{
    return pr_fail(PR_PROTOCOL, "rspamd: a reply that is none: %s", what);
}

static pr_status parse(struct pr_bytes json, json_t **ret)
{
    json_error_t error;

    *ret = json_loadb(json.data, json.size, 0, &error);
    if (*ret == NULL)
        return broken(error.text);
    if (!json_is_object(*ret)) {
        json_decref(*ret);
        return broken("no object");
    }
    return PR_OK;
}

static struct pr_bytes text_of(const json_t *value)
{
    return (struct pr_bytes){json_string_value(value),
                             json_string_length(value)};
}

static void add_symbol(const char *name, const json_t *symbol,
                       struct pr_reply *reply)
{
    const json_t *options = json_object_get(symbol, "options");
    const json_t *description = json_object_get(symbol, "description");

    pr_reply_begin(reply, name);
    pr_reply_number(reply, "score",
                    json_number_value(json_object_get(symbol, "score")));
    if (json_is_string(description))
        pr_reply_text(reply, "description", text_of(description));
    pr_reply_begin(reply, "options");
    for (size_t i = 0; i < json_array_size(options) && i < OPTIONS_MOST; i++)
        if (json_is_string(json_array_get(options, i)))
            pr_reply_text(reply, NULL, text_of(json_array_get(options, i)));
    pr_reply_end(reply);
    pr_reply_end(reply);
}

static void add_symbols(json_t *symbols, struct pr_reply *reply)
{
    void *at = json_object_iter(symbols);

    pr_reply_begin(reply, "symbols");
    for (int i = 0; at != NULL && i < SYMBOLS_MOST; i++) {
        add_symbol(json_object_iter_key(at), json_object_iter_value(at), reply);
        at = json_object_iter_next(symbols, at);
    }
    pr_reply_end(reply);
}

/* Actions that say it is spam; "soft reject" and "greylist" ask to wait, which
 * mail that has arrived already cannot. */
static bool is_spam(const char *action)
{
    return strcmp(action, "add header") == 0 ||
           strcmp(action, "rewrite subject") == 0 ||
           strcmp(action, "reject") == 0;
}

static pr_status add_verdict(const json_t *root, struct pr_reply *reply)
{
    const json_t *score = json_object_get(root, "score");
    const json_t *action = json_object_get(root, "action");
    const json_t *subject = json_object_get(root, "subject");
    const json_t *error = json_object_get(root, "error");

    if (json_is_string(error))
        return pr_fail(PR_LATER, "rspamd: %s", json_string_value(error));
    if (!json_is_number(score) || !json_is_string(action))
        return broken("no score or no action");
    pr_reply_number(reply, "score", json_number_value(score));
    pr_reply_number(reply, "required",
                    json_number_value(json_object_get(root, "required_score")));
    pr_reply_text(reply, "action", text_of(action));
    pr_reply_boolean(reply, "spam", is_spam(json_string_value(action)));
    if (json_is_string(subject))
        pr_reply_text(reply, "subject", text_of(subject));
    add_symbols(json_object_get(root, "symbols"), reply);
    return PR_OK;
}

pr_status rspamd_read_verdict(struct pr_bytes json, struct pr_reply *reply)
{
    json_t *root;
    pr_status status = parse(json, &root);

    if (status != PR_OK)
        return status;
    status = add_verdict(root, reply);
    json_decref(root);
    return status;
}

pr_status rspamd_read_lesson(struct pr_bytes json, struct pr_reply *reply)
{
    json_t *root;
    pr_status status = parse(json, &root);

    if (status != PR_OK)
        return status;
    pr_reply_boolean(reply, "changed",
                     json_is_true(json_object_get(root, "success")));
    json_decref(root);
    return PR_OK;
}
