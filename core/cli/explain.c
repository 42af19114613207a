/*
 * `postrider explain`: rule by rule, what was looked at, what that cost, what
 * was decided, and at which line.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/terminal.h"
#include "cli/words.h"
#include "engine/look.h"
#include "fiber/loop.h"
#include "io/file.h"
#include "lua/trace.h"
#include "mail/spool.h"
#include "plugin/registry.h"
#include "state/state.h"

#define MESSAGE_MOST ((size_t)256 * 1024 * 1024)

struct explanation {
    const struct invocation *invocation;
    struct config *config;
    const char *subject; /* the argument */
    bool is_on_server;
    bool has_failed; /* a rule has */
};

/* ---- For people ---------------------------------------------------------- */

static uint64_t size_of(const struct message *message)
{
    return message->is_header_only ? message->item->size
                                   : pr_spool_wire_size(message->spool);
}

static void print_head(const struct explanation *it, struct message *message)
{
    char octets[32];
    struct pr_buffer words;
    pr_buffer_init(&words, 1000);
    (void)!message_words(message, &words);
    terminal_line("%s  %s  %s", it->subject,
                  text_octets(size_of(message), octets, sizeof(octets)),
                  pr_buffer_text(&words));
    pr_buffer_done(&words);
}

/* As a user would write it: 262144 is "256K". */
static void setting_text(uint64_t octets, char *out, size_t size)
{
    static const char *const units[] = {"", "K", "M", "G"};
    size_t unit = 0;
    while (unit < 3 && octets >= 1024 && octets % 1024 == 0) {
        octets /= 1024;
        unit++;
    }
    (void)snprintf(out, size, "%llu%s", (unsigned long long)octets,
                   units[unit]);
}

/* What came before any rule looked. */
static void print_beginning(const struct explanation *it,
                            const struct account *account,
                            const struct message_cost *first)
{
    char octets[32], most[32];
    setting_text(account->whole_below, most, sizeof(most));
    if (!it->is_on_server) {
        puts("From a file, so nothing is fetched. In brackets stands what a "
             "rule "
             "would need of a\nlarge message on a server: nothing, envelope, "
             "headers, a part or everything.");
    } else if (first->whole > 0) {
        terminal_line("Fetched at first: all of it, %s, since it is not over "
                      "whole_below (%s)",
                      text_octets(first->whole, octets, sizeof(octets)), most);
    } else {
        terminal_line(
            "Fetched at first: its header, %s, since it is over whole_below "
            "(%s)",
            text_octets(first->header, octets, sizeof(octets)), most);
    }
}

static void print_reads(const struct rule_visit *visit)
{
    terminal_add("    looks at   ");
    for (size_t i = 0; i < visit->read_count; i++) {
        terminal_add("%s%s", i > 0 ? ", " : "", visit->reads[i]);
    }
    terminal_line("%s (%s)", visit->read_count == 0 ? "nothing" : "",
                  visit->cost == COST_NOTHING ? "costs nothing"
                                              : cost_name(visit->cost));
}

static void print_fetched(const struct rule_visit *visit)
{
    struct pr_buffer words;
    pr_buffer_init(&words, 1000);
    unsigned long long requests = visit->fetched.requests;
    if (requests == 0) {
        return;
    }
    (void)!cost_words(&visit->fetched, &words);
    terminal_line("    fetches    %s, in %llu round trip%s",
                  words.size > 0 ? pr_buffer_text(&words) : "nothing that came",
                  requests, requests == 1 ? "" : "s");
    pr_buffer_done(&words);
}

static void print_asked(const struct rule_visit *visit, const struct plan *plan)
{
    struct pr_buffer line;
    pr_buffer_init(&line, 65536);
    for (size_t i = visit->plan_first; i < visit->plan_end; i++) {
        const struct plan_entry *entry = &plan->entries[i];
        pr_buffer_clear(&line);
        (void)!plan_line(entry, &line);
        terminal_line(
            "    %s   %s (line %d)%s",
            i == visit->plan_first ? "asks for" : "        ",
            pr_buffer_text(&line), entry->line,
            plan_action_is_final(entry->action) ? ", and that is final" : "");
    }
    if (visit->plan_first == visit->plan_end && visit->error == NULL) {
        puts("    asks for   nothing");
    }
    pr_buffer_done(&line);
}

static void print_visit(const struct rule_visit *visit, const struct plan *plan)
{
    terminal_line("rule \"%s\" (%s:%d)", visit->rule, visit->file, visit->line);
    if (!visit->is_taken) {
        puts("    not asked: its selector leaves this message out");
        return;
    }
    print_reads(visit);
    print_fetched(visit);
    print_asked(visit, plan);
    if (visit->error != NULL) {
        terminal_line("    fails      %s", visit->error);
    }
    terminal_add("    takes      %.2f ms", (double)visit->time / 1e3);
    if (visit->waited >= 1000) {
        terminal_add(", and %llu ms of waiting",
                     (unsigned long long)visit->waited / 1000);
    }
    terminal_print("");
}

static void print_rest(const struct config *config, const struct trace *trace)
{
    bool failed =
        trace->count > 0 && trace->visits[trace->count - 1].error != NULL;

    for (size_t i = trace->count; i < config_rule_count(config); i++) {
        struct rule_profile rule = config_rule_profile(config, i);
        terminal_line("rule \"%s\" (%s:%d)", rule.rule, rule.file, rule.line);
        terminal_line("    not asked: %s", failed ? "a rule before it failed"
                                                  : "the message was decided");
    }
}

static void print_sum(const struct message *message, bool delivers)
{
    struct pr_buffer words;
    char size[32];
    const struct message_cost *cost = &message->cost;
    pr_buffer_init(&words, 1000);
    (void)!cost_words(cost, &words);
    terminal_line(
        "Fetched in all: %s, in %llu round trip%s%s", pr_buffer_text(&words),
        (unsigned long long)cost->requests + 1, cost->requests == 0 ? "" : "s",
        !message->is_header_only ? ""
        : delivers               ? "; delivering it fetches all of it"
                                 : "");
    if (message->is_header_only) {
        terminal_line("Left on the server: the rest of %s",
                      text_octets(size_of(message), size, sizeof(size)));
    }
    pr_buffer_done(&words);
}

static void print_end(const struct account *account, const struct plan *plan,
                      bool has_failed)
{
    struct pr_buffer lines;
    if (has_failed) {
        puts("In the end: put off, and tried again; after three tries the "
             "account's own delivery");
        return;
    }
    pr_buffer_init(&lines, 256 * 1024);
    (void)!plan_effects(plan, account, &lines);
    print_lines("In the end: ", "            ", pr_buffer_text(&lines));
    pr_buffer_done(&lines);
}

/* ---- JSON ---------------------------------------------------------------- */

static void add_texts(struct pr_buffer *line, const char *const *texts,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)!pr_buffer_add_text(line, i > 0 ? "," : "");
        (void)!text_add_json(line, pr_bytes_of(texts[i]));
    }
}

static void add_entries(struct pr_buffer *line, const struct rule_visit *visit,
                        const struct plan *plan)
{
    struct pr_buffer text;
    pr_buffer_init(&text, 65536);
    for (size_t i = visit->plan_first; i < visit->plan_end; i++) {
        pr_buffer_clear(&text);
        (void)!plan_line(&plan->entries[i], &text);
        (void)!pr_buffer_add_text(line, i > visit->plan_first ? "," : "");
        (void)!text_add_json(line, pr_bytes_of(pr_buffer_text(&text)));
    }
    pr_buffer_done(&text);
}

static void print_visit_json(const struct rule_visit *visit,
                             const struct plan *plan)
{
    struct pr_buffer line;
    pr_buffer_init(&line, 1024 * 1024);
    (void)!pr_buffer_add_text(&line, "{\"event\":\"rule\",\"rule\":");
    (void)!text_add_json(&line, pr_bytes_of(visit->rule));
    (void)!pr_buffer_add_text(&line, ",\"file\":");
    (void)!text_add_json(&line, pr_bytes_of(visit->file));
    (void)!pr_buffer_printf(&line,
                            ",\"line\":%d,\"asked\":%s,\"cost\":\"%s\","
                            "\"us\":%llu,\"waited_ms\":%llu,\"fetched\":",
                            visit->line, visit->is_taken ? "true" : "false",
                            cost_name(visit->cost),
                            (unsigned long long)visit->time,
                            (unsigned long long)visit->waited / 1000);
    (void)!cost_json(&visit->fetched, &line);
    (void)!pr_buffer_add_text(&line, ",\"reads\":[");
    add_texts(&line, visit->reads, visit->read_count);
    (void)!pr_buffer_add_text(&line, "],\"plan\":[");
    add_entries(&line, visit, plan);
    (void)!pr_buffer_add_text(&line, "],\"error\":");
    (void)!(visit->error == NULL
                ? pr_buffer_add_text(&line, "null")
                : text_add_json(&line, pr_bytes_of(visit->error)));
    (void)!pr_buffer_add_text(&line, "}");
    terminal_print(pr_buffer_text(&line));
    pr_buffer_done(&line);
}

static void print_end_json(const struct explanation *it,
                           const struct account *account,
                           const struct message *message, bool has_failed)
{
    const struct plan *plan = &message->plan;
    struct pr_buffer line, effects;
    pr_buffer_init(&line, 1024 * 1024);
    pr_buffer_init(&effects, 256 * 1024);
    if (!has_failed) {
        (void)!plan_effects(plan, account, &effects);
    }
    (void)!pr_buffer_add_text(&line, "{\"event\":\"end\",\"message\":");
    (void)!text_add_json(&line, pr_bytes_of(it->subject));
    (void)!pr_buffer_printf(
        &line, ",\"failed\":%s,\"effects\":", has_failed ? "true" : "false");
    (void)!text_add_json(&line, pr_bytes_of(pr_buffer_text(&effects)));
    (void)!pr_buffer_printf(&line, ",\"size\":%llu,\"fetched\":",
                            (unsigned long long)size_of(message));
    (void)!cost_json(&message->cost, &line);
    (void)!pr_buffer_add_text(&line, "}");
    terminal_print(pr_buffer_text(&line));
    pr_buffer_done(&effects);
    pr_buffer_done(&line);
}

/* ---- One message --------------------------------------------------------- */

static void print_all(struct explanation *it, const struct account *account,
                      struct message *message, const struct trace *trace,
                      const struct message_cost *first, bool has_failed)
{
    if (!it->invocation->json) {
        print_head(it, message);
        print_beginning(it, account, first);
    }
    for (size_t i = 0; i < trace->count; i++) {
        if (it->invocation->json) {
            print_visit_json(&trace->visits[i], &message->plan);
        } else {
            print_visit(&trace->visits[i], &message->plan);
        }
    }
    if (it->invocation->json) {
        print_end_json(it, account, message, has_failed);
        return;
    }
    print_rest(it->config, trace);
    print_end(account, &message->plan, has_failed);
    if (it->is_on_server) {
        print_sum(message, plan_delivers(&message->plan));
    }
}

static pr_status explain(void *user, const struct account *account,
                         struct message *message)
{
    struct explanation *it = user;
    struct trace trace = {.arena = message->arena};
    const struct message_cost first = message->cost;
    message->trace = &trace;
    pr_status status = rules_run(it->config, message);
    message->trace = NULL;
    if (status != PR_OK && status != PR_SCRIPT) {
        return status;
    }
    it->has_failed = it->has_failed || status == PR_SCRIPT;
    print_all(it, account, message, &trace, &first, status == PR_SCRIPT);
    return PR_OK;
}

static pr_status explain_file(struct explanation *it)
{
    const struct invocation *invocation = it->invocation;
    const struct account *account =
        invocation->account != NULL
            ? config_account(it->config, invocation->account)
            : &it->config->accounts[0];
    const char *folder =
        invocation->folder != NULL ? invocation->folder : "INBOX";
    struct pr_item item = {.uid = 1};
    struct message *message = NULL;
    if (account == NULL) {
        return pr_fail(PR_CONFIG, "%s has no account \"%s\"", it->config->file,
                       invocation->account);
    }
    pr_status status = message_new(account->name, folder, &item, &message);
    if (status == PR_OK) { /* where large ones have their files */
        status = file_make_dirs(it->config->state_dir);
    }
    if (status == PR_OK) {
        status = spool_new(it->config->state_dir, 0, &message->spool);
    }
    if (status == PR_OK) {
        message->may_have_labels = class_may_have_labels(account->source);
        status = spool_fill(message->spool, it->subject, MESSAGE_MOST);
    }
    if (status == PR_OK) {
        status = explain(it, account, message);
    }
    message_free(message);
    return status;
}

/* A message on a server by its name, unless there is a file of that name. */
static pr_status explain_one(struct explanation *it)
{
    struct look look = {.is_lazy = true, .each = explain, .user = it};
    struct state_place place;
    pr_status status =
        state_place_parse(it->subject, it->config->arena, &place);
    if (status != PR_OK && status != PR_GONE) {
        return status;
    }
    it->is_on_server =
        status == PR_OK && place.uid != 0 && access(it->subject, F_OK) != 0;
    if (!it->is_on_server) {
        return explain_file(it);
    }
    look.account = place.account;
    look.folder = place.folder;
    look.uid = place.uid;
    return engine_look(it->config, &look);
}

static pr_status explain_all(void *argument)
{
    struct explanation *it = argument;
    pr_status status = PR_OK;
    for (char **at = it->invocation->arguments; status == PR_OK && *at != NULL;
         at++) {
        it->subject = *at;
        status = explain_one(it);
        if (at[1] != NULL && !it->invocation->json) {
            putchar('\n');
        }
    }
    return status;
}

/* ---- The command --------------------------------------------------------- */

static int run(const struct invocation *invocation)
{
    struct explanation it = {.invocation = invocation};
    if (invocation->argument_count == 0) {
        fputs("postrider: which message? Give a file, or ACCOUNT/FOLDER/UID\n",
              stderr);
        return EX_USAGE;
    }
    int failed = load_config(invocation, &it.config);
    if (failed != 0) {
        return failed;
    }
    pr_status status = loop_run(4, explain_all, &it);
    config_free(it.config);
    if (status != PR_OK) {
        return complain(status);
    }
    return it.has_failed ? EX_CONFIG : EX_OK;
}

const struct command command_explain = {
    .name = "explain",
    .arguments = "FILE|ACCOUNT/FOLDER/UID...",
    .summary = "Show what your rules make of a message, rule by rule",
    .help = "FILE holds one message; the rules see it as mail of --account "
            "(the first) in --folder (INBOX).\nACCOUNT/FOLDER/UID is fetched "
            "from its source, and left as it is. Nothing is delivered, noted\n"
            "or changed; but the services that rules ask are asked. Exit "
            "status: 0, or 78 if a rule fails.\n",
    .options = "jvaF",
    .run = run,
};
