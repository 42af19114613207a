/*
 * What rules cost and how the services do that they ask, as JSON.
 */
#include "config.h"

#include "control/costs.h"

#include <string.h>
#include <time.h>

#include "control/event.h"

/* ---- Rules --------------------------------------------------------------- */

static json_t *cost_of_rule(const struct rule_profile *rule)
{
    const struct message_cost *fetched = &rule->fetched;
    return json_pack(
        "{s:o,s:o,s:i,s:I,s:I,s:I,s:I,s:I,s:{s:I,s:I,s:I,s:I,s:I}}", "rule",
        event_text(rule->rule), "file", event_text(rule->file), "line",
        rule->line, "messages", (json_int_t)rule->runs, "decided",
        (json_int_t)rule->decisions, "failed", (json_int_t)rule->failures,
        "lua_us", (json_int_t)rule->time, "waited_us", (json_int_t)rule->waited,
        "fetched", "header", (json_int_t)fetched->header, "structure",
        (json_int_t)fetched->structure, "parts", (json_int_t)fetched->parts,
        "whole", (json_int_t)fetched->whole, "requests",
        (json_int_t)fetched->requests);
}

json_t *costs_of_rules(const struct config *config)
{
    json_t *list = json_array();
    for (size_t i = 0; i < config_rule_count(config); i++) {
        struct rule_profile rule = config_rule_profile(config, i);
        json_array_append_new(list, cost_of_rule(&rule));
    }
    return list;
}

/* ---- Services ------------------------------------------------------------ */

/* Seconds since 1970 of a time of the loop's clock. */
static json_int_t seconds_of(pr_time when)
{
    pr_time now = pr_now();
    json_int_t apart = when > now ? (json_int_t)((when - now + 999) / 1000)
                                  : -(json_int_t)((now - when) / 1000);
    return (json_int_t)time(NULL) + apart;
}

static void add_service(void *user, const struct service_health *health)
{
    bool is_alone = health->is_left_alone;
    json_array_append_new(
        user,
        json_pack(
            "{s:o,s:I,s:I,s:b,s:i,s:o,s:o,s:o}", "service",
            event_text(health->name), "asked", (json_int_t)health->asked,
            "failed", (json_int_t)health->failed, "left_alone", is_alone,
            "failures", (int)health->failures, "since",
            is_alone ? json_integer(seconds_of(health->since)) : json_null(),
            "next_try",
            is_alone ? json_integer(seconds_of(health->until)) : json_null(),
            "why", is_alone ? event_text(health->why) : json_null()));
}

json_t *health_of_services(const struct config *config)
{
    json_t *list = json_array();
    config_services(config, add_service, list);
    return list;
}

/* ---- Metrics ------------------------------------------------------------- */

static pr_status add_rules(const struct config *config, struct pr_arena *arena,
                           struct metrics *metrics)
{
    size_t count = config_rule_count(config);
    struct rule_profile *rules =
        pr_arena_array(arena, count + 1, sizeof(*rules));
    if (rules == NULL) {
        return PR_NOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        rules[i] = config_rule_profile(config, i);
        rules[i].rule = pr_arena_text(arena, rules[i].rule);
        if (rules[i].rule == NULL) {
            return PR_NOMEM;
        }
    }
    metrics->rules = rules;
    metrics->rule_count = count;
    return PR_OK;
}

struct collecting {
    struct pr_arena *arena;
    struct service_health *services;
    size_t count, allocated;
    pr_status status;
};

static void collect(void *user, const struct service_health *health)
{
    struct collecting *collecting = user;
    struct service_health *services = pr_arena_grow(
        collecting->arena, collecting->services, collecting->count,
        &collecting->allocated, sizeof(*services));
    const char *name = pr_arena_text(collecting->arena, health->name);
    if (services == NULL || name == NULL) {
        collecting->status = PR_NOMEM;
        return;
    }
    collecting->services = services;
    services[collecting->count] = *health;
    services[collecting->count].name = name;
    services[collecting->count].why = NULL;
    collecting->count++;
}

/* Samples of one family must differ in their labels. */
static bool is_among(const struct service_health *services, size_t count,
                     const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(services[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

pr_status costs_add_metrics(const struct config *config, struct pr_arena *arena,
                            struct metrics *metrics)
{
    struct collecting collecting = {.arena = arena, .status = PR_OK};
    pr_status status = add_rules(config, arena, metrics);
    if (status != PR_OK) {
        return status;
    }
    config_services(config, collect, &collecting);
    size_t count = 0;
    for (size_t i = 0; i < collecting.count; i++) {
        struct service_health *one = &collecting.services[i];
        if (!is_among(collecting.services, count, one->name)) {
            collecting.services[count++] = *one;
        }
    }
    metrics->services = collecting.services;
    metrics->service_count = count;
    return collecting.status;
}
