/*
 * Classes that only have options, and messages from text.
 */
#include "config.h"

#include "lua_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "fiber/loop.h"
#include "io/file.h"
#include "mail/spool.h"
#include "plugin/registry.h"

#ifdef HAVE_VALGRIND_VALGRIND_H
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

static char folder[64];
static char path[512];
static struct pr_buffer errors, lines, plan_text;
static pr_status plan_status;

/* ---- Classes ------------------------------------------------------------- */

static pr_status source_fails(struct pr_source *source)
{
    (void)source;
    return PR_UNSUPPORTED;
}

static pr_status source_select(struct pr_source *source, const char *name,
                               struct pr_mailbox *ret)
{
    (void)source, (void)name, (void)ret;
    return PR_UNSUPPORTED;
}

static pr_status source_list(struct pr_source *source,
                             const struct pr_range *ranges, size_t count,
                             pr_item_listed *listed, void *user)
{
    (void)source, (void)ranges, (void)count, (void)listed, (void)user;
    return PR_UNSUPPORTED;
}

static pr_status source_fetch(struct pr_source *source, struct pr_feed *feed)
{
    (void)source, (void)feed;
    return PR_UNSUPPORTED;
}

static pr_status source_settle(struct pr_source *source, struct pr_deed *deeds,
                               size_t count)
{
    (void)source, (void)deeds, (void)count;
    return PR_UNSUPPORTED;
}

static pr_status source_search(struct pr_source *source,
                               const struct pr_search_key *keys, size_t count,
                               pr_found *found, void *user)
{
    (void)source, (void)keys, (void)count, (void)found, (void)user;
    return PR_UNSUPPORTED;
}

static void source_close(struct pr_source *source)
{
    (void)source;
}

static pr_status sink_stage(struct pr_sink *sink, struct pr_delivery *delivery)
{
    (void)sink, (void)delivery;
    return PR_UNSUPPORTED;
}

static pr_status sink_commit(struct pr_sink *sink,
                             struct pr_delivery *const *batch, size_t count)
{
    (void)sink, (void)batch, (void)count;
    return PR_UNSUPPORTED;
}

static void sink_abort(struct pr_sink *sink, struct pr_delivery *delivery)
{
    (void)sink, (void)delivery;
}

static void sink_describe(const void *options, char *name, size_t size)
{
    const struct fixture_maildir *maildir = options;

    snprintf(name, size, "maildir:%s", maildir->path);
}

static pr_status check_imap(const void *options)
{
    const struct fixture_imap *imap = options;

    if (imap->net.tls == PR_TLS_NONE && !imap->net.insecure &&
        imap->net.password != NULL)
        return pr_fail(PR_CONFIG, "tls = \"none\" would show the password: say "
                                  "insecure = true if that is meant");
    return PR_OK;
}

static const struct pr_source_ops source_ops = {
    .size = sizeof source_ops,
    .open = source_fails,
    .select = source_select,
    .list = source_list,
    .fetch = source_fetch,
    .settle = source_settle,
    .search = source_search,
    .close = source_close,
};

static const struct pr_sink_ops sink_ops = {
    .size = sizeof sink_ops,
    .stage = sink_stage,
    .commit = sink_commit,
    .abort = sink_abort,
    .describe = sink_describe,
};

static const char *const layouts[] = {"fs", "maildir++", NULL};

#define OPTION(field, option_kind, ...)                                \
    {                                                                  \
        .name = #field, .kind = PR_OPTION_##option_kind,               \
        .offset = offsetof(struct fixture_maildir, field), __VA_ARGS__ \
    }

static const struct pr_option maildir_options[] = {
    OPTION(path, PATH, .required = true, .positional = true,
           .help = "where it is"),
    OPTION(layout, CHOICE, .fallback = "fs", .choices = layouts),
    OPTION(note, TEXT),
    OPTION(level, NUMBER, .fallback = "3", .least = 1, .most = 9),
    OPTION(fast, BOOLEAN, .fallback = "true"),
    OPTION(size, SIZE, .fallback = "2K"),
    OPTION(delay, DURATION, .fallback = "90s"),
    OPTION(words, LIST, .fallback = "one two"),
    {.name = NULL},
};

static const struct pr_option imap_options[] = {
    PR_NET_OPTIONS(struct fixture_imap, net, "implicit"),
    {.name = NULL},
};

static const struct pr_class imap = {
    .size = sizeof imap,
    .role = PR_ROLE_SOURCE,
    .name = "imap",
    .options = imap_options,
    .options_size = sizeof(struct fixture_imap),
    .source = &source_ops,
    .check_options = check_imap,
};

static const struct pr_class maildir = {
    .size = sizeof maildir,
    .role = PR_ROLE_SINK,
    .name = "maildir",
    .options = maildir_options,
    .options_size = sizeof(struct fixture_maildir),
    .sink = &sink_ops,
};

static const struct pr_class *const classes[] = {&imap, &maildir, NULL};

static const struct pr_plugin plugin = {
    .abi = PR_ABI,
    .size = sizeof plugin,
    .name = "fixture",
    .classes = classes,
};

/* ---- The folder ---------------------------------------------------------- */

static void receive(void *user, enum pr_level level, const char *who,
                    const char *text)
{
    bool kept = true;

    (void)user;
    if (level == PR_LOG_ERROR)
        kept = pr_buffer_printf(&errors, "%s\n", text) == PR_OK;
    if (pr_buffer_printf(&lines, "%s: %s\n", who, text) != PR_OK || !kept)
        abort();
}

const char *fixture_begin(void)
{
    pr_buffer_init(&errors, 1 << 20);
    pr_buffer_init(&lines, 1 << 20);
    strcpy(folder, "/tmp/postrider-lua-XXXXXX");
    if (mkdtemp(folder) == NULL || registry_add(&plugin) != PR_OK)
        abort();
    log_set(PR_LOG_INFO, receive, NULL);
    return folder;
}

void fixture_end(void)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0)
        abort();
    pr_buffer_done(&errors);
    pr_buffer_done(&lines);
    pr_buffer_done(&plan_text);
    log_set(PR_LOG_WARNING, NULL, NULL);
}

const char *fixture_write(const char *name, const char *text)
{
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "w");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0 ||
        chmod(path, 0600) != 0)
        abort();
    return path;
}

pr_status fixture_load(const char *text, struct config **ret)
{
    pr_buffer_clear(&errors);
    pr_buffer_clear(&lines);
    return config_load(fixture_write("config.lua", text), ret);
}

const char *fixture_errors(void)
{
    return pr_buffer_text(&errors);
}

const char *fixture_log(void)
{
    return pr_buffer_text(&lines);
}

/* ---- Messages ------------------------------------------------------------ */

struct message *fixture_message(struct config *config, const char *from,
                                const char *octets)
{
    struct pr_item *item = calloc(1, sizeof *item);
    struct message *message;

    if (item == NULL)
        abort();
    *item = (struct pr_item){
        .uid = 7,
        .size = strlen(octets),
        .received = 1700000000,
        .flags = {PR_FLAG_SEEN | PR_FLAG_FLAGGED, "work $Forwarded"}};
    if (message_new(config->accounts[0].name, from, item, &message) != PR_OK ||
        spool_new(folder, 0, &message->spool) != PR_OK ||
        pr_spool_append(message->spool, octets, strlen(octets)) != PR_OK ||
        pr_spool_seal(message->spool) != PR_OK)
        abort();
    return message;
}

void fixture_message_free(struct message *message)
{
    struct pr_item *item = message->item;

    message_free(message);
    free(item);
}

/* ---- Plans --------------------------------------------------------------- */

static void add_entry(const struct plan_entry *entry)
{
    pr_status status =
        pr_buffer_printf(&plan_text, "%s:%d %s: %s", entry->file, entry->line,
                         entry->rule, plan_action_name(entry->action));

    if (status == PR_OK && entry->target.sink != NULL)
        status =
            pr_buffer_printf(&plan_text, " [%s/%s]", entry->target.sink->name,
                             entry->target.folder);
    if (status == PR_OK && entry->text != NULL)
        status = pr_buffer_printf(&plan_text, " [%s]", entry->text);
    if (status == PR_OK && entry->value != NULL)
        status = pr_buffer_printf(&plan_text, " [%s]", entry->value);
    if (status == PR_OK && entry->delay != 0)
        status = pr_buffer_printf(&plan_text, " %d ms", (int)entry->delay);
    if (status == PR_OK && entry->score != 0)
        status = pr_buffer_printf(&plan_text, " %g", entry->score);
    if (status != PR_OK || pr_buffer_add_text(&plan_text, "\n") != PR_OK)
        abort();
}

struct job {
    const char *rules, *path, *folder, *octets;
};

static pr_status load_rules(const char *rules, struct config **ret)
{
    struct pr_buffer text = {.cap = 1 << 20};
    pr_status status;

    if (pr_buffer_printf(
            &text,
            "local mail = maildir \"/m\" account \"work\" { source "
            "= imap { host = \"h\" }, deliver = mail }\n%s",
            rules) != PR_OK)
        abort();
    status = fixture_load(pr_buffer_text(&text), ret);
    pr_buffer_done(&text);
    return status;
}

static pr_status run_rules(void *argument)
{
    const struct job *job = argument;
    struct config *config;
    struct message *message;
    pr_status status = job->path != NULL ? config_load(job->path, &config)
                                         : load_rules(job->rules, &config);

    if (status != PR_OK)
        return status;
    message = fixture_message(config, job->folder, job->octets);
    status = rules_run(config, message);
    for (size_t i = 0; status == PR_OK && i < message->plan.count; i++)
        add_entry(&message->plan.entries[i]);
    fixture_message_free(message);
    config_free(config);
    return status;
}

static const char *plan_of(struct job *job)
{
    pr_buffer_done(&plan_text);
    pr_buffer_init(&plan_text, 1 << 20);
    plan_status = loop_run(2, run_rules, job);
    return plan_status == PR_OK ? pr_buffer_text(&plan_text)
                                : pr_last_failure()->text;
}

const char *fixture_plan(const char *rules, const char *from,
                         const char *octets)
{
    return plan_of(
        &(struct job){.rules = rules, .folder = from, .octets = octets});
}

const char *fixture_plan_of(const char *file, const char *from,
                            const char *octets)
{
    return plan_of(
        &(struct job){.path = file, .folder = from, .octets = octets});
}

pr_status fixture_status(void)
{
    return plan_status;
}

bool fixture_is_slow(void)
{
    return RUNNING_ON_VALGRIND;
}

const char *fixture_patience(void)
{
    return fixture_is_slow() ? "options { limits = { time = '10s' } } "
                             : "options { limits = { time = '1s' } } ";
}
