/*
 * The metrics in OpenMetrics 1.0 text.
 *
 * All samples of a family stand together, as the format asks; its names end in
 * their unit, those of counters in _total.
 */
#include "config.h"

#include "control/openmetrics.h"

#include <stdio.h>
#include <string.h>

/* The first failure stays, and all that follows it is left out. */
struct writer {
    struct pr_buffer *out;
    pr_status status;
};

static void add(struct writer *writer, const char *format, ...) PR_PRINTF(2, 3);

static void add(struct writer *writer, const char *format, ...)
{
    char text[400];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    if (writer->status == PR_OK) {
        writer->status = pr_buffer_add_text(writer->out, text);
    }
}

static void add_family(struct writer *writer, const char *name,
                       const char *type, const char *unit, const char *help)
{
    add(writer, "# TYPE postrider_%s %s\n", name, type);
    if (unit != NULL) {
        add(writer, "# UNIT postrider_%s %s\n", name, unit);
    }
    add(writer, "# HELP postrider_%s %s\n", name, help);
}

/* A label's value: backslash, quote and line end are escaped. */
static void add_value(struct writer *writer, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            add(writer, "\\n");
        } else if (*text == '"' || *text == '\\') {
            add(writer, "\\%c", *text);
        } else {
            add(writer, "%c", *text);
        }
    }
}

/* postrider_NAMESUFFIX{account="..." and leaves the braces open. */
static void begin_sample(struct writer *writer, const char *name,
                         const char *suffix,
                         const struct metrics_account *account)
{
    add(writer, "postrider_%s%s{account=\"", name, suffix);
    add_value(writer, account->name);
    add(writer, "\"");
}

static void end_sample(struct writer *writer, uint64_t value)
{
    add(writer, "} %llu\n", (unsigned long long)value);
}

/* ---- Families ------------------------------------------------------------ */

static void add_messages(struct writer *writer, const struct metrics *metrics)
{
    add_family(writer, "messages", "counter", NULL,
               "Messages dealt with, by outcome.");
    for (size_t i = 0; i < metrics->account_count; i++) {
        const struct metrics_account *account = &metrics->accounts[i];

        const struct {
            const char *name;
            uint64_t count;
        } outcomes[] = {{"done", account->numbers->done},
                        {"later", account->numbers->later},
                        {"failed", account->numbers->failed}};

        for (size_t j = 0; j < 3; j++) {
            begin_sample(writer, "messages", "_total", account);
            add(writer, ",outcome=\"%s\"", outcomes[j].name);
            end_sample(writer, outcomes[j].count);
        }
    }
}

static void add_errors(struct writer *writer, const struct metrics *metrics)
{
    add_family(writer, "errors", "counter", NULL,
               "Passes over an account that failed, by kind.");
    for (size_t i = 0; i < metrics->account_count; i++) {
        const struct metrics_account *account = &metrics->accounts[i];
        for (int kind = PR_OK + 1; kind <= PR_BUG; kind++) {
            if (account->numbers->errors[kind] == 0) {
                continue;
            }
            begin_sample(writer, "errors", "_total", account);
            add(writer, ",kind=\"%s\"", pr_status_name((pr_status)kind));
            end_sample(writer, account->numbers->errors[kind]);
        }
    }
}

static void add_states(struct writer *writer, const struct metrics *metrics)
{
    static const char *const states[] = {"waiting",  "queued",   "fetching",
                                         "watching", "troubled", "paused"};
    add_family(writer, "account_state", "stateset", NULL,
               "What an account does just now.");
    for (size_t i = 0; i < metrics->account_count; i++) {
        const struct metrics_account *account = &metrics->accounts[i];
        for (size_t j = 0; j < sizeof(states) / sizeof(*states); j++) {
            begin_sample(writer, "account_state", "", account);
            add(writer, ",postrider_account_state=\"%s\"", states[j]);
            end_sample(writer, strcmp(states[j], account->state) == 0);
        }
    }
}

static uint64_t octets_of(const struct metrics_account *account)
{
    return account->numbers->octets;
}

static uint64_t passes_of(const struct metrics_account *account)
{
    return account->numbers->passes;
}

static uint64_t put_aside_of(const struct metrics_account *account)
{
    return account->put_aside;
}

static uint64_t waiting_of(const struct metrics_account *account)
{
    return account->waiting;
}

static uint64_t connections_of(const struct metrics_account *account)
{
    return account->connections;
}

static uint64_t folders_of(const struct metrics_account *account)
{
    return account->folders;
}

static uint64_t watched_of(const struct metrics_account *account)
{
    return account->watched;
}

static uint64_t failures_of(const struct metrics_account *account)
{
    return account->failures;
}

static uint64_t last_message_of(const struct metrics_account *account)
{
    return (uint64_t)account->numbers->last_message;
}

/* One number an account. */
static const struct {
    const char *name, *type, *unit, *help;
    uint64_t (*value)(const struct metrics_account *account);
} numbers[] = {
    {"messages_bytes", "counter", "bytes",
     "Octets of the messages done, as the server counts.", octets_of},
    {"passes", "counter", NULL, "Passes over an account that have ended.",
     passes_of},
    {"waiting_messages", "gauge", NULL,
     "Messages listed or in the house, and not dealt with yet.", waiting_of},
    {"put_aside_messages", "gauge", NULL,
     "Messages put aside, that wait for another try or a decision.",
     put_aside_of},
    {"connections", "gauge", NULL, "Connections open.", connections_of},
    {"folders", "gauge", NULL, "Folders of an account.", folders_of},
    {"watched_folders", "gauge", NULL, "Folders that are watched online.",
     watched_of},
    {"failures_in_a_row", "gauge", NULL,
     "Passes that failed since the last good one.", failures_of},
    {"last_message_timestamp_seconds", "gauge", "seconds",
     "When a message was last done, since 1970; 0: never.", last_message_of},
};

static void add_numbers(struct writer *writer, const struct metrics *metrics)
{
    for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
        bool is_counter = strcmp(numbers[i].type, "counter") == 0;
        add_family(writer, numbers[i].name, numbers[i].type, numbers[i].unit,
                   numbers[i].help);
        for (size_t j = 0; j < metrics->account_count; j++) {
            begin_sample(writer, numbers[i].name, is_counter ? "_total" : "",
                         &metrics->accounts[j]);
            end_sample(writer, numbers[i].value(&metrics->accounts[j]));
        }
    }
}

static void add_histogram(struct writer *writer, const char *name,
                          const struct metrics_account *account,
                          const struct histogram *histogram)
{
    uint64_t below = 0;
    for (size_t i = 0; i <= histogram->bound_count; i++) {
        below += histogram->counts[i];
        begin_sample(writer, name, "_bucket", account);
        if (i < histogram->bound_count) {
            /* A canonical number has a point or an exponent. */
            double bound = histogram->bounds[i];
            bool is_whole = bound >= 1 && bound == (double)(long)bound;
            add(writer, ",le=\"%.*f\"",
                is_whole       ? 1
                : bound < 0.01 ? 4
                               : 2,
                bound);
        } else {
            add(writer, ",le=\"+Inf\"");
        }
        end_sample(writer, below);
    }
    begin_sample(writer, name, "_count", account);
    end_sample(writer, histogram->count);
    begin_sample(writer, name, "_sum", account);
    add(writer, "} %.6f\n", histogram->sum);
}

static void add_histograms(struct writer *writer, const struct metrics *metrics)
{
    add_family(writer, "delivery_latency_seconds", "histogram", "seconds",
               "From a message's arrival at the server to its safety here.");
    for (size_t i = 0; i < metrics->account_count; i++) {
        add_histogram(writer, "delivery_latency_seconds", &metrics->accounts[i],
                      &metrics->accounts[i].numbers->latency);
    }
    add_family(writer, "rules_seconds", "histogram", "seconds",
               "Time that the rules over one message took, waits included.");
    for (size_t i = 0; i < metrics->account_count; i++) {
        add_histogram(writer, "rules_seconds", &metrics->accounts[i],
                      &metrics->accounts[i].numbers->rules);
    }
}

/* ---- Rules and services ---------------------------------------------------
 */

static uint64_t runs_of(const struct rule_profile *rule)
{
    return rule->runs;
}

static uint64_t decisions_of(const struct rule_profile *rule)
{
    return rule->decisions;
}

static uint64_t rule_failures_of(const struct rule_profile *rule)
{
    return rule->failures;
}

static uint64_t requests_of(const struct rule_profile *rule)
{
    return rule->fetched.requests;
}

static uint64_t time_of(const struct rule_profile *rule)
{
    return rule->time;
}

static uint64_t waited_of(const struct rule_profile *rule)
{
    return rule->waited;
}

/* One number a rule. */
static const struct {
    const char *name, *help;
    uint64_t (*value)(const struct rule_profile *rule);
    bool is_time; /* in microseconds, told in seconds */
} rule_numbers[] = {
    {"rule_messages", "Messages a rule ran over.", runs_of, false},
    {"rule_decisions", "Messages a rule decided.", decisions_of, false},
    {"rule_failures", "Runs of a rule that failed.", rule_failures_of, false},
    {"rule_lua_seconds", "Processor time of a rule.", time_of, true},
    {"rule_waited_seconds",
     "Time a rule waited for services and for mail to be fetched.", waited_of,
     true},
    {"rule_requests", "What a rule made be asked for of a message.",
     requests_of, false},
};

/* postrider_NAME_total{rule="..." and leaves the braces open. */
static void begin_rule(struct writer *writer, const char *name,
                       const struct rule_profile *rule)
{
    add(writer, "postrider_%s_total{rule=\"", name);
    add_value(writer, rule->rule);
    add(writer, "\"");
}

static void add_rule_octets(struct writer *writer,
                            const struct metrics *metrics)
{
    add_family(writer, "rule_fetched_bytes", "counter", "bytes",
               "Octets fetched because a rule looked, by what they were.");
    for (size_t i = 0; i < metrics->rule_count; i++) {
        const struct message_cost *fetched = &metrics->rules[i].fetched;

        const struct {
            const char *name;
            uint64_t octets;
        } kinds[] = {{"header", fetched->header},
                     {"structure", fetched->structure},
                     {"part", fetched->parts},
                     {"whole", fetched->whole}};

        for (size_t j = 0; j < 4; j++) {
            begin_rule(writer, "rule_fetched_bytes", &metrics->rules[i]);
            add(writer, ",what=\"%s\"", kinds[j].name);
            end_sample(writer, kinds[j].octets);
        }
    }
}

static void add_rules(struct writer *writer, const struct metrics *metrics)
{
    for (size_t i = 0; i < sizeof(rule_numbers) / sizeof(*rule_numbers); i++) {
        bool is_time = rule_numbers[i].is_time;
        add_family(writer, rule_numbers[i].name, "counter",
                   is_time ? "seconds" : NULL, rule_numbers[i].help);
        for (size_t j = 0; j < metrics->rule_count; j++) {
            uint64_t value = rule_numbers[i].value(&metrics->rules[j]);
            begin_rule(writer, rule_numbers[i].name, &metrics->rules[j]);
            if (is_time) {
                add(writer, "} %.6f\n", (double)value / 1e6);
            } else {
                end_sample(writer, value);
            }
        }
    }
    add_rule_octets(writer, metrics);
}

static void add_service(struct writer *writer, const char *name,
                        const struct service_health *service, uint64_t value)
{
    add(writer, "postrider_%s{service=\"", name);
    add_value(writer, service->name);
    add(writer, "\"");
    end_sample(writer, value);
}

static void add_services(struct writer *writer, const struct metrics *metrics)
{
    add_family(writer, "service_questions", "counter", NULL,
               "Questions that rules asked a service, server or program.");
    for (size_t i = 0; i < metrics->service_count; i++) {
        add_service(writer, "service_questions_total", &metrics->services[i],
                    metrics->services[i].asked);
    }
    add_family(writer, "service_failures", "counter", NULL,
               "Of these, those that failed by its fault.");
    for (size_t i = 0; i < metrics->service_count; i++) {
        add_service(writer, "service_failures_total", &metrics->services[i],
                    metrics->services[i].failed);
    }
    add_family(writer, "service_left_alone", "gauge", NULL,
               "Is it left alone just now, because it failed in a row?");
    for (size_t i = 0; i < metrics->service_count; i++) {
        add_service(writer, "service_left_alone", &metrics->services[i],
                    metrics->services[i].is_left_alone);
    }
}

pr_status openmetrics_add(const struct metrics *metrics, struct pr_buffer *out)
{
    struct writer writer = {out, PR_OK};
    add_family(&writer, "build", "info", NULL, "The program.");
    add(&writer, "postrider_build_info{version=\"%s\"} 1\n", metrics->version);
    add_family(&writer, "start_time_seconds", "gauge", "seconds",
               "When the daemon began, since 1970.");
    add(&writer, "postrider_start_time_seconds %lld\n",
        (long long)metrics->started);
    add_family(&writer, "reload_failed", "gauge", NULL,
               "Did the last reload fail?");
    add(&writer, "postrider_reload_failed %d\n", metrics->is_reload_bad);
    add_family(&writer, "queued_accounts", "gauge", NULL,
               "Accounts that wait for a place for their connection.");
    add(&writer, "postrider_queued_accounts %zu\n", metrics->queued);
    add_messages(&writer, metrics);
    add_errors(&writer, metrics);
    add_states(&writer, metrics);
    add_numbers(&writer, metrics);
    add_histograms(&writer, metrics);
    add_rules(&writer, metrics);
    add_services(&writer, metrics);
    add(&writer, "# EOF\n");
    return writer.status;
}
