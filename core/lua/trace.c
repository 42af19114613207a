/*
 * Notes what rules look at, and counts what each of them costs.
 *
 * Out of memory only makes a trace shorter: no rule fails for it.
 */
#include <config.h>

#include "lua/trace.h"

#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "lua/script.h"

/* What is not among them costs the whole header. */
static const struct {
    const char *name;
    enum rule_cost cost;
} costs[] = {
    {"account", COST_NOTHING},
    {"folder", COST_NOTHING},
    {"uid", COST_NOTHING},
    {"size", COST_NOTHING},
    {"received", COST_NOTHING},
    {"age", COST_NOTHING},
    {"flags", COST_NOTHING},
    {"labels", COST_NOTHING},
    {"tags", COST_NOTHING},
    {"points", COST_NOTHING},
    {"from", COST_ENVELOPE},
    {"sender", COST_ENVELOPE},
    {"to", COST_ENVELOPE},
    {"cc", COST_ENVELOPE},
    {"bcc", COST_ENVELOPE},
    {"reply_to", COST_ENVELOPE},
    {"subject", COST_ENVELOPE},
    {"date", COST_ENVELOPE},
    {"message_id", COST_ENVELOPE},
    {"in_reply_to", COST_ENVELOPE},
    {"parts", COST_ENVELOPE},
    {"attachments", COST_ENVELOPE},
    {"text", COST_PART},
    {"html", COST_PART},
    {"part:text", COST_PART},
    {"part:bytes", COST_PART},
    {"part:save", COST_PART},
    {"part:true_type", COST_PART},
    {"part:archive_names", COST_PART},
    {"raw", COST_ALL},
    {"sha256", COST_ALL},
    {"the whole message", COST_ALL},
};

const char *cost_name(enum rule_cost cost)
{
    static const char *const names[] = {"nothing", "envelope", "headers",
                                        "a part", "everything"};

    return names[cost];
}

enum rule_cost cost_of(const char *name)
{
    for (size_t i = 0; i < sizeof costs / sizeof *costs; i++)
        if (strcmp(costs[i].name, name) == 0)
            return costs[i].cost;
    return COST_HEADERS;
}

/* ---- What a rule looks at ------------------------------------------------ */

static bool is_noted(const struct rule_visit *visit, const char *name)
{
    for (size_t i = 0; i < visit->read_count; i++)
        if (strcmp(visit->reads[i], name) == 0)
            return true;
    return false;
}

void trace_read(const struct message *message, const char *name)
{
    struct trace *trace = message->trace;
    struct rule_visit *visit;
    const char **reads;

    if (trace == NULL || trace->count == 0)
        return;
    visit = &trace->visits[trace->count - 1];
    if (is_noted(visit, name))
        return;
    reads = pr_arena_grow(trace->arena, visit->reads, visit->read_count,
                          &visit->reads_allocated, sizeof *reads);
    if (reads == NULL)
        return;
    visit->reads = reads;
    reads[visit->read_count] = pr_arena_text(trace->arena, name);
    if (reads[visit->read_count] == NULL)
        return;
    visit->read_count++;
    if (cost_of(name) > visit->cost)
        visit->cost = cost_of(name);
}

void trace_whole(const struct message *message)
{
    const struct trace *trace = message->trace;

    if (trace != NULL && trace->count > 0 &&
        trace->visits[trace->count - 1].cost != COST_ALL)
        trace_read(message, "the whole message");
}

/* ---- What it costs ------------------------------------------------------- */

static struct rule_visit *new_visit(const struct run *run,
                                    const struct rule *rule)
{
    struct trace *trace = run->message->trace;
    struct rule_visit *visits;

    if (trace == NULL)
        return NULL;
    visits = pr_arena_grow(trace->arena, trace->visits, trace->count,
                           &trace->allocated, sizeof *visits);
    if (visits == NULL)
        return NULL;
    trace->visits = visits;
    visits[trace->count] =
        (struct rule_visit){.rule = rule->name,
                            .file = rule->file,
                            .line = rule->line,
                            .plan_first = run->message->plan.count,
                            .plan_end = run->message->plan.count};
    return &visits[trace->count++];
}

void rule_passed_over(const struct run *run, const struct rule *rule)
{
    (void)new_visit(run, rule);
}

/* The clock of the loop, in ms, is too coarse for most rules. */
static uint64_t microseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void rule_begins(struct rule_watch *watch, const struct run *run,
                 const struct rule *rule)
{
    struct rule_visit *visit = new_visit(run, rule);

    if (!watch->is_set) {
        watch->cpu = script_time(run);
        watch->start = microseconds();
    }
    watch->cost = run->message->cost;
    watch->was_final = run->message->plan.is_final;
    if (visit != NULL)
        visit->is_taken = true;
}

static struct message_cost cost_since(const struct message_cost *now,
                                      const struct message_cost *before)
{
    return (struct message_cost){
        .header = now->header - before->header,
        .structure = now->structure - before->structure,
        .parts = now->parts - before->parts,
        .whole = now->whole - before->whole,
        .requests = now->requests - before->requests,
    };
}

static void add_cost(struct message_cost *sum, const struct message_cost *cost)
{
    sum->header += cost->header;
    sum->structure += cost->structure;
    sum->parts += cost->parts;
    sum->whole += cost->whole;
    sum->requests += cost->requests;
}

/* In the one place where all of it is known; the visit is one run of it. */
static void add_to_profile(struct rule_profile *profile,
                           const struct rule_visit *visit)
{
    profile->runs++;
    profile->time += visit->time;
    profile->waited += visit->waited;
    add_cost(&profile->fetched, &visit->fetched);
}

void rule_ends(struct rule_watch *watch, const struct run *run,
               const struct rule *rule, pr_status status)
{
    uint64_t clock = script_time(run), now = microseconds();
    uint64_t cpu = (clock - watch->cpu) / 1000, wall = now - watch->start;
    struct message *message = run->message;
    struct rule_profile *profile = &rule->profile->numbers;
    struct rule_visit taken = {
        .time = cpu,
        .waited = wall > cpu ? wall - cpu : 0,
        .fetched = cost_since(&message->cost, &watch->cost),
    };
    struct rule_visit *visit;

    watch->cpu = clock;
    watch->start = now;
    watch->is_set = true;
    message->rules_us += wall;
    add_to_profile(profile, &taken);
    profile->failures += status != PR_OK && status != PR_CANCELLED;
    profile->decisions += message->plan.is_final && !watch->was_final;
    if (message->trace == NULL || message->trace->count == 0)
        return;
    visit = &message->trace->visits[message->trace->count - 1];
    visit->plan_end = message->plan.count;
    visit->time = taken.time;
    visit->waited = taken.waited;
    visit->fetched = taken.fetched;
    if (status != PR_OK)
        visit->error =
            pr_arena_text(message->trace->arena, pr_last_failure()->text);
}

/* ---- The profile --------------------------------------------------------- */

struct profile *profile_new(void)
{
    struct profile *profile = memory_zeroed(1, sizeof *profile);

    if (profile != NULL)
        profile->users = 1;
    return profile;
}

void profile_release(struct profile *profile)
{
    if (profile != NULL && --profile->users == 0)
        memory_free(profile);
}

static const struct rule *find_rule(const struct config *config,
                                    const char *name)
{
    for (size_t i = 0; i < config->rule_count; i++)
        if (strcmp(config->script->rules[i].name, name) == 0)
            return &config->script->rules[i];
    return NULL;
}

void config_share_profiles(struct config *config, const struct config *before)
{
    for (size_t i = 0; i < config->rule_count; i++) {
        struct rule *rule = &config->script->rules[i];
        const struct rule *old = find_rule(before, rule->name);

        if (old == NULL || old->profile == rule->profile)
            continue;
        profile_release(rule->profile);
        rule->profile = old->profile;
        rule->profile->users++;
    }
}

size_t config_rule_count(const struct config *config)
{
    return config->script->rule_count;
}

struct rule_profile config_rule_profile(const struct config *config,
                                        size_t index)
{
    const struct rule *rule = &config->script->rules[index];
    struct rule_profile profile = rule->profile->numbers;

    profile.rule = rule->name;
    profile.file = rule->file;
    profile.line = rule->line;
    return profile;
}
