/*
 * What `postrider fetch` prints: for people, or one JSON object a line.
 */
#include "cli/report.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/terminal.h"
#include "cli/words.h"

void report_init(struct fetch_report *report,
                 const struct invocation *invocation)
{
    *report = (struct fetch_report){
        .invocation = invocation,
        .shows_summary = !invocation->json &&
                         (invocation->verbosity > 0 || invocation->dry_run ||
                          isatty(STDOUT_FILENO) == 1),
        .start = pr_now(),
    };
}

/* How it fared at one target. */
static struct target_outcome outcome_at(const struct message_report *message,
                                        size_t index)
{
    return message->outcomes != NULL
               ? message->outcomes[index]
               : (struct target_outcome){message->status, message->error};
}

/* ---- JSON
 * -------------------------------------------------------------------- */

/* Allocation trouble cuts a line short; the work itself is not disturbed. */
static void add_text(struct pr_buffer *line, const char *name,
                     const char *value)
{
    if (pr_buffer_printf(line, ",\"%s\":", name) != PR_OK) {
        return;
    }
    (void)!(value == NULL ? pr_buffer_add_text(line, "null")
                          : text_add_json(line, pr_bytes_of(value)));
}

static void add_number(struct pr_buffer *line, const char *name, uint64_t value)
{
    (void)!pr_buffer_printf(line, ",\"%s\":%llu", name,
                            (unsigned long long)value);
}

static void add_targets(struct pr_buffer *line, const char *const *targets)
{
    (void)!pr_buffer_add_text(line, ",\"targets\":[");
    for (const char *const *target = targets; *target != NULL; target++) {
        if (target != targets) {
            (void)!pr_buffer_add_text(line, ",");
        }
        (void)!text_add_json(line, pr_bytes_of(*target));
    }
    (void)!pr_buffer_add_text(line, "]");
}

static void add_outcomes(struct pr_buffer *line,
                         const struct message_report *message)
{
    (void)!pr_buffer_add_text(line, ",\"outcomes\":[");
    for (size_t i = 0; message->targets[i] != NULL; i++) {
        struct target_outcome outcome = outcome_at(message, i);
        (void)!pr_buffer_add_text(line,
                                  i > 0 ? ",{\"target\":" : "{\"target\":");
        (void)!text_add_json(line, pr_bytes_of(message->targets[i]));
        add_text(line, "status", outcome.status);
        add_text(line, "error", outcome.error);
        (void)!pr_buffer_add_text(line, "}");
    }
    (void)!pr_buffer_add_text(line, "]");
}

static void print_message_json(const struct message_report *message)
{
    struct pr_buffer line;
    pr_buffer_init(&line, 1024 * 1024);
    (void)!pr_buffer_add_text(&line, "{\"event\":\"message\"");
    add_text(&line, "account", message->account);
    add_text(&line, "folder", message->folder);
    add_number(&line, "uid", message->uid);
    add_text(&line, "message_id", message->message_id);
    add_text(&line, "from", message->sender);
    add_text(&line, "subject", message->subject);
    add_number(&line, "size", message->size);
    add_text(&line, "action", message->action);
    add_targets(&line, message->targets);
    add_outcomes(&line, message);
    add_text(&line, "rule", message->rule);
    add_number(&line, "line", (uint64_t)message->line);
    add_text(&line, "status", message->status);
    add_text(&line, "error", message->error);
    if (message->cost != NULL) {
        (void)!pr_buffer_add_text(&line, ",\"fetched\":");
        (void)!cost_json(message->cost, &line);
    }
    (void)!pr_buffer_add_text(&line, "}");
    terminal_print(pr_buffer_text(&line));
    pr_buffer_done(&line);
}

static void print_account_json(const struct account_report *account)
{
    struct pr_buffer line;
    pr_buffer_init(&line, 65536);
    int status = exit_status_of(account->status);
    const char *word = account->status == PR_OK && account->put_off == 0 ? "ok"
                       : status == EX_OK || status == EX_TEMPFAIL ? "later"
                                                                  : "failed";
    (void)!pr_buffer_add_text(&line, "{\"event\":\"account\"");
    add_text(&line, "account", account->account);
    add_text(&line, "status", word);
    add_number(&line, "messages", account->messages);
    add_number(&line, "octets", account->octets);
    add_number(&line, "put_off", account->put_off);
    add_number(&line, "ms", account->ms);
    add_text(&line, "error", account->error);
    (void)!pr_buffer_add_text(&line, "}");
    terminal_print(pr_buffer_text(&line));
    pr_buffer_done(&line);
}

/* ---- For people
 * ---------------------------------------------------------------- */

static void print_plan(const struct message_report *message)
{
    struct pr_buffer line;
    pr_buffer_init(&line, 65536);
    for (size_t i = 0; message->plan != NULL && i < message->plan->count; i++) {
        pr_buffer_clear(&line);
        (void)!pr_buffer_add_text(&line, "    ");
        (void)!plan_describe(&message->plan->entries[i], &line);
        terminal_print(pr_buffer_text(&line));
    }
    bool is_default = message->plan == NULL || !message->plan->is_final;
    for (const char *const *target = message->targets;
         (is_default || strcmp(message->action, "deliver") != 0) &&
         message->rule == NULL && *target != NULL;
         target++) {
        pr_buffer_clear(&line);
        (void)!pr_buffer_printf(&line,
                                "    deliver to %s (the account's own "
                                "delivery)",
                                *target);
        terminal_print(pr_buffer_text(&line));
    }
    pr_buffer_done(&line);
}

/* Of a message that came whole with others there is nothing to tell. */
static void print_cost(const struct message_report *message)
{
    struct pr_buffer line;
    if (message->cost == NULL ||
        (message->cost->requests == 0 && message->to_fetch == 0 &&
         message->cost->whole > 0)) {
        return;
    }
    pr_buffer_init(&line, 1000);
    (void)!cost_words(message->cost, &line);
    char text[400], octets[32];
    snprintf(text, sizeof(text), "    fetched: %.200s%s%s%s",
             pr_buffer_text(&line),
             message->to_fetch > 0 ? "; the delivery would fetch " : "",
             message->to_fetch > 0
                 ? text_octets(message->to_fetch, octets, sizeof(octets))
                 : "",
             message->to_fetch > 0 ? " more" : "");
    terminal_print(text);
    pr_buffer_done(&line);
}

/* For another try nothing is kept that is the caller's to keep. */
static const char *status_word(const struct fetch_report *report,
                               const char *status)
{
    return report->is_handed_back && strcmp(status, "later") == 0 ? "failed"
                                                                  : status;
}

/* Where it went, with what kept it from there; true if anything did. */
static bool print_targets(const struct fetch_report *report,
                          const struct message_report *message)
{
    struct pr_buffer line;
    bool has_said_why = false;
    pr_buffer_init(&line, 65536);
    for (size_t i = 0; message->targets[i] != NULL; i++) {
        struct target_outcome outcome = outcome_at(message, i);
        bool has_words = outcome.error != NULL;
        pr_buffer_clear(&line);
        (void)!pr_buffer_printf(
            &line, "    %s to %s: %s%s%s%s", message->action,
            message->targets[i], status_word(report, outcome.status),
            has_words ? " (" : "", has_words ? outcome.error : "",
            has_words ? ")" : "");
        terminal_print(pr_buffer_text(&line));
        has_said_why |= has_words;
    }
    if (message->targets[0] == NULL) {
        (void)!pr_buffer_printf(&line, "    %s: %s", message->action,
                                status_word(report, message->status));
        terminal_print(pr_buffer_text(&line));
    }
    pr_buffer_done(&line);
    return has_said_why;
}

static void print_message(const struct fetch_report *report,
                          const struct message_report *message)
{
    bool has_said_why = false;
    struct pr_buffer line;
    char sender[80], subject[80], size[32];
    pr_buffer_init(&line, 65536);
    (void)!pr_buffer_printf(
        &line, "%s/%s/%u  %s  %s  \"%s\"", message->account, message->folder,
        message->uid, text_octets(message->size, size, sizeof(size)),
        text_printable(pr_bytes_of(message->sender), sender, sizeof(sender)),
        text_printable(pr_bytes_of(message->subject), subject,
                       sizeof(subject)));
    terminal_print(pr_buffer_text(&line));
    if (report->invocation->dry_run) {
        print_plan(message);
        print_cost(message);
    } else {
        has_said_why = print_targets(report, message);
    }
    if (message->error != NULL && !has_said_why) {
        pr_buffer_clear(&line);
        (void)!pr_buffer_printf(&line, "    %s: %s",
                                report->is_handed_back ? "not delivered"
                                                       : "put off",
                                message->error);
        terminal_print(pr_buffer_text(&line));
    }
    pr_buffer_done(&line);
}

static void print_event_json(const struct event_report *event)
{
    struct pr_buffer line;
    pr_buffer_init(&line, 1024 * 1024);
    (void)!pr_buffer_add_text(&line, "{\"event\":\"hook\"");
    add_text(&line, "account", event->account);
    add_text(&line, "folder", event->folder);
    add_number(&line, "uid", event->uid);
    add_text(&line, "what", event->event);
    add_text(&line, "moved_from", event->from);
    add_text(&line, "message_id", event->message_id);
    add_text(&line, "from", event->sender);
    add_text(&line, "subject", event->subject);
    add_text(&line, "hook", event->hook);
    add_number(&line, "line", (uint64_t)event->line);
    add_text(&line, "status", event->status);
    add_text(&line, "error", event->error);
    (void)!pr_buffer_add_text(&line, "}");
    terminal_print(pr_buffer_text(&line));
    pr_buffer_done(&line);
}

static void print_event(const struct event_report *event)
{
    struct pr_buffer line;
    char sender[80], subject[80];
    pr_buffer_init(&line, 65536);
    (void)!pr_buffer_printf(
        &line, "%s/%s/%u  %s%s%s  %s  \"%s\"", event->account, event->folder,
        event->uid, event->event, event->from != NULL ? " from " : "",
        event->from != NULL ? event->from : "",
        text_printable(pr_bytes_of(event->sender), sender, sizeof(sender)),
        text_printable(pr_bytes_of(event->subject), subject, sizeof(subject)));
    terminal_print(pr_buffer_text(&line));
    for (size_t i = 0; event->plan != NULL && i < event->plan->count; i++) {
        pr_buffer_clear(&line);
        (void)!pr_buffer_add_text(&line, "    ");
        (void)!plan_describe(&event->plan->entries[i], &line);
        terminal_print(pr_buffer_text(&line));
    }
    pr_buffer_clear(&line);
    (void)!pr_buffer_printf(&line, "    %s (%s:%d): %s%s%s", event->hook,
                            event->file, event->line, event->status,
                            event->error != NULL ? ": " : "",
                            event->error != NULL ? event->error : "");
    terminal_print(pr_buffer_text(&line));
    pr_buffer_done(&line);
}

static void print_account(const struct fetch_report *report,
                          const struct account_report *account)
{
    char octets[32], line[400];
    const char *rest = account->put_off == 0 ? ""
                       : report->is_handed_back
                           ? "; not delivered, whoever called has to keep it"
                           : "; some wait for another try";
    snprintf(line, sizeof(line), "%.100s: %llu message%s, %s in %.1f s%s",
             account->account, (unsigned long long)account->messages,
             account->messages == 1 ? "" : "s",
             text_octets(account->octets, octets, sizeof(octets)),
             (double)account->ms / 1000.0, rest);
    terminal_print(line);
}

/* ---- The observer
 * ---------------------------------------------------------------- */

static void add_cost(struct fetch_report *report,
                     const struct message_report *message)
{
    if (message->cost == NULL) {
        return;
    }
    report->cost.header += message->cost->header;
    report->cost.structure += message->cost->structure;
    report->cost.parts += message->cost->parts;
    report->cost.whole += message->cost->whole;
    report->cost.requests += message->cost->requests;
    report->to_fetch += message->to_fetch;
}

static void on_message(void *user, const struct message_report *message)
{
    struct fetch_report *report = user;
    report->safe_messages += strcmp(message->status, "done") == 0;
    report->messages++;
    report->octets += message->size;
    add_cost(report, message);
    if (report->invocation->json) {
        print_message_json(message);
    } else if (report->invocation->dry_run ||
               report->invocation->verbosity > 0) {
        print_message(report, message);
    }
}

static void on_event(void *user, const struct event_report *event)
{
    const struct fetch_report *report = user;
    if (report->invocation->json) {
        print_event_json(event);
    } else if (report->invocation->dry_run ||
               report->invocation->verbosity > 0) {
        print_event(event);
    }
}

static void print_sweep_json(const struct sweep_report *sweep)
{
    struct pr_buffer line;
    pr_buffer_init(&line, 1024 * 1024);
    (void)!pr_buffer_add_text(&line, "{\"event\":\"sweep\"");
    add_text(&line, "account", sweep->account);
    add_text(&line, "folder", sweep->folder);
    add_text(&line, "sweep", sweep->sweep);
    add_text(&line, "file", sweep->file);
    add_number(&line, "line", (uint64_t)sweep->line);
    add_text(&line, "action", sweep->action);
    add_text(&line, "text", sweep->text);
    add_text(&line, "to", sweep->to);
    add_number(&line, "messages", sweep->messages);
    add_text(&line, "uids", sweep->uids);
    add_text(&line, "status", sweep->status);
    add_text(&line, "error", sweep->error);
    (void)!pr_buffer_add_text(&line, "}");
    terminal_print(pr_buffer_text(&line));
    pr_buffer_done(&line);
}

/* `work/News  sweep "tidy": move 12 messages to "Trash" (config.lua:9)`. */
static void print_sweep(const struct sweep_report *sweep)
{
    struct pr_buffer line;
    bool goes = strcmp(sweep->action, "move") == 0 ||
                strcmp(sweep->action, "copy_to") == 0;
    pr_buffer_init(&line, 65536);
    (void)!pr_buffer_printf(&line, "%s/%s  sweep \"%s\": ", sweep->account,
                            sweep->folder, sweep->sweep);
    (void)!pr_buffer_add_text(
        &line, goes && sweep->action[0] == 'c' ? "copy" : sweep->action);
    if (sweep->uids[0] != '\0') {
        (void)!pr_buffer_printf(&line, " %llu message%s (UID %s)",
                                (unsigned long long)sweep->messages,
                                sweep->messages == 1 ? "" : "s", sweep->uids);
    }
    if (sweep->text != NULL) {
        (void)!pr_buffer_printf(&line, "%s \"%s\"", goes ? " to" : "",
                                sweep->text);
    }
    if (sweep->to != NULL) {
        (void)!pr_buffer_printf(&line, " to \"%s\"", sweep->to);
    }
    (void)!pr_buffer_printf(&line, " (%s:%d): %s%s%s", sweep->file, sweep->line,
                            sweep->status, sweep->error != NULL ? ": " : "",
                            sweep->error != NULL ? sweep->error : "");
    terminal_print(pr_buffer_text(&line));
    pr_buffer_done(&line);
}

static void on_sweep(void *user, const struct sweep_report *sweep)
{
    const struct fetch_report *report = user;
    if (report->invocation->json) {
        print_sweep_json(sweep);
    } else if (report->invocation->dry_run ||
               report->invocation->verbosity > 0 ||
               (report->shows_summary && sweep->action[0] != '\0')) {
        print_sweep(sweep);
    }
}

static void on_account(void *user, const struct account_report *account)
{
    struct fetch_report *report = user;
    int status = exit_status_of(account->status);
    if (status == EX_OK && account->put_off > 0) {
        status = EX_TEMPFAIL;
    }
    report->exit_status = graver_of(report->exit_status, status);
    if (report->invocation->json) {
        print_account_json(account);
    } else if (report->shows_summary) {
        print_account(report, account);
    }
}

struct engine_observer report_observer(struct fetch_report *report)
{
    return (struct engine_observer){.user = report,
                                    .message = on_message,
                                    .account = on_account,
                                    .event = on_event,
                                    .sweep = on_sweep};
}

void report_progress(struct fetch_report *report,
                     const struct engine_progress *progress)
{
    char octets[32], rate[32], line[400];
    double seconds = (double)(pr_now() - report->start) / 1000.0;
    if (progress->account == NULL) {
        return;
    }
    snprintf(line, sizeof(line),
             "%s/%s  %llu of %llu messages, %s, %.0f/s, %s/s",
             progress->account, progress->folder,
             (unsigned long long)progress->messages,
             (unsigned long long)progress->expected,
             text_octets(progress->octets, octets, sizeof(octets)),
             (double)progress->messages / seconds,
             text_octets((uint64_t)((double)progress->octets / seconds), rate,
                         sizeof(rate)));
    terminal_progress(line);
}

void report_live(struct fetch_report *report)
{
    char octets[32], line[200];
    pr_time now = pr_now();
    if (report->invocation->json || !terminal_is_live() ||
        report->messages == 0 || now < report->shown + 100) {
        return;
    }
    report->shown = now;
    snprintf(line, sizeof(line), "%llu message%s, %s",
             (unsigned long long)report->messages,
             report->messages == 1 ? "" : "s",
             text_octets(report->octets, octets, sizeof(octets)));
    terminal_progress(line);
}

/* ---- The end of a dry run --------------------------------------------------
 */

static uint64_t octets_of(const struct message_cost *cost)
{
    return cost->header + cost->structure + cost->parts + cost->whole;
}

static void print_rule_cost(const struct fetch_report *report,
                            const struct rule_profile *rule)
{
    struct pr_buffer line;
    pr_buffer_init(&line, 65536);
    if (report->invocation->json) {
        (void)!pr_buffer_add_text(&line, "{\"event\":\"rule\"");
        add_text(&line, "rule", rule->rule);
        add_number(&line, "messages", rule->runs);
        add_number(&line, "decided", rule->decisions);
        add_number(&line, "failed", rule->failures);
        add_number(&line, "lua_us", rule->time);
        add_number(&line, "waited_us", rule->waited);
        (void)!pr_buffer_add_text(&line, ",\"fetched\":");
        (void)!cost_json(&rule->fetched, &line);
        (void)!pr_buffer_add_text(&line, "}");
    } else {
        struct pr_buffer words;
        pr_buffer_init(&words, 1000);
        (void)!cost_words(&rule->fetched, &words);
        (void)!pr_buffer_printf(&line, "    because rule \"%s\" looked: %s",
                                rule->rule, pr_buffer_text(&words));
        pr_buffer_done(&words);
    }
    terminal_print(pr_buffer_text(&line));
    pr_buffer_done(&line);
}

static void print_sum(const struct fetch_report *report)
{
    struct pr_buffer line, words;
    char fetched[32], size[32], more[32];
    pr_buffer_init(&line, 65536);
    pr_buffer_init(&words, 1000);
    (void)!cost_words(&report->cost, &words);
    (void)!pr_buffer_printf(
        &line, "Fetched %s of %s: %s",
        text_octets(octets_of(&report->cost), fetched, sizeof(fetched)),
        text_octets(report->octets, size, sizeof(size)),
        words.size > 0 ? pr_buffer_text(&words) : "nothing");
    if (report->to_fetch > 0) {
        (void)!pr_buffer_printf(
            &line, "; the deliveries would fetch %s more",
            text_octets(report->to_fetch, more, sizeof(more)));
    }
    terminal_print(pr_buffer_text(&line));
    pr_buffer_done(&words);
    pr_buffer_done(&line);
}

void report_costs(const struct fetch_report *report,
                  const struct config *config)
{
    if (!report->invocation->json && report->octets > 0) {
        print_sum(report);
    }
    for (size_t i = 0; i < config_rule_count(config); i++) {
        struct rule_profile rule = config_rule_profile(config, i);
        if (report->invocation->json || octets_of(&rule.fetched) > 0) {
            print_rule_cost(report, &rule);
        }
    }
}

int report_exit_status(const struct fetch_report *report)
{
    return report->exit_status;
}
