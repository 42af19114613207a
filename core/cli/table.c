/*
 * The status as a table for people.
 *
 * Five facts an account in a row; trouble and what to do about it in lines
 * below, wrapped. Columns are counted in characters.
 */
#include "config.h"

#include "cli/table.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"

enum {
    WIDTH_LEAST = 60,
    NAME_LEAST = 8,
    NAME_SOME = 16, /* in 80 columns */
    NAME_MOST = 48,
    STATE_LEAST = 8,
    STATE_MOST = 40,
    INDENT = 4,
    CELL = 160,       /* octets of a cell */
    ASIDES_MOST = 25, /* put aside, that are shown */
    OTHERS = 42       /* columns right of the state, spaces included */
};

struct table {
    const struct table_look *look;
    struct pr_buffer *out;
    int64_t now;
    unsigned name_width, state_width;
    pr_status status; /* the first failure */
};

/* ---- Pieces -------------------------------------------------------------- */

static void add(struct table *table, const char *text)
{
    if (table->status == PR_OK) {
        table->status = pr_buffer_add_text(table->out, text);
    }
}

static void paint(struct table *table, const char *code)
{
    if (table->look->is_colored) {
        add(table, code);
    }
}

#define PLAIN "\033[0m"
#define BOLD "\033[1m"
#define DIM "\033[2m"
#define RED "\033[31m"
#define GREEN "\033[32m"
#define YELLOW "\033[33m"
#define CYAN "\033[36m"

static unsigned width_of(const char *text)
{
    unsigned width = 0;
    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return width;
}

/* Octets of `text` that take at most `width` columns. */
static size_t fitting(const char *text, unsigned width)
{
    size_t size = 0;
    for (unsigned shown = 0; text[size] != '\0'; size++) {
        if (((unsigned char)text[size] & 0xC0) != 0x80 && ++shown > width) {
            break;
        }
    }
    return size;
}

/* The text in exactly `width` columns, cut or filled up, and a space. */
static void add_cell(struct table *table, const char *text, unsigned width,
                     bool is_number)
{
    char cell[CELL + 16];
    unsigned taken = width_of(text);
    if (taken > width) {
        size_t size = fitting(text, width - 1);
        snprintf(cell, sizeof(cell), "%.*s~ ", (int)size, text);
    } else if (is_number) {
        snprintf(cell, sizeof(cell), "%*s%s ", (int)(width - taken), "", text);
    } else {
        snprintf(cell, sizeof(cell), "%s%*s ", text, (int)(width - taken), "");
    }
    add(table, cell);
}

/* Where to break a text so that it fits: after a space if there is one. */
static size_t line_size(const char *text, unsigned width)
{
    size_t size = fitting(text, width);
    if (text[size] == '\0') {
        return size;
    }
    size_t space = size;
    while (space > 0 && text[space] != ' ') {
        space--;
    }
    return space > 0 ? space : size;
}

/* The text in lines of their own, the first after `mark`. */
static void add_wrapped(struct table *table, unsigned indent, const char *mark,
                        const char *text)
{
    char line[1024];
    unsigned left = indent + width_of(mark);
    unsigned width = table->look->width - left;
    for (bool is_first = true; is_first || *text != '\0'; is_first = false) {
        size_t size = line_size(text, width);
        snprintf(line, sizeof(line), "%*s%s%.*s\n",
                 (int)(is_first ? indent : left), "", is_first ? mark : "",
                 (int)size, text);
        add(table, line);
        text += size;
        text += strspn(text, " ");
    }
}

/* ---- Words for values ---------------------------------------------------- */

static const char *text_at(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

static int64_t number_at(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

/* "42 s", "5 min", "3 h", "2 d". */
static const char *span_text(int64_t seconds, char *out, size_t size)
{
    if (seconds < 60) {
        snprintf(out, size, "%lld s", (long long)seconds);
    } else if (seconds < 3600) {
        snprintf(out, size, "%lld min", (long long)seconds / 60);
    } else if (seconds < 2 * 86400) {
        snprintf(out, size, "%lld h", (long long)seconds / 3600);
    } else {
        snprintf(out, size, "%lld d", (long long)seconds / 86400);
    }
    return out;
}

static void past_text(int64_t now, int64_t then, char *out, size_t size)
{
    char span[32];
    if (then <= 0) {
        snprintf(out, size, "never");
    } else if (now - then < 1) {
        snprintf(out, size, "now");
    } else {
        snprintf(out, size, "%s ago",
                 span_text(now - then, span, sizeof(span)));
    }
}

static void future_text(int64_t now, int64_t then, char *out, size_t size)
{
    char span[32];
    if (then <= 0) {
        snprintf(out, size, "-");
    } else if (then <= now) {
        snprintf(out, size, "now");
    } else {
        snprintf(out, size, "in %s", span_text(then - now, span, sizeof(span)));
    }
}

/* "0.4 s", "12 s", "3 min". */
static void latency_text(const json_t *value, char *out, size_t size)
{
    double seconds = json_number_value(value);
    if (!json_is_number(value)) {
        snprintf(out, size, "-");
    } else if (seconds < 10) {
        snprintf(out, size, "%.1f s", seconds);
    } else {
        span_text((int64_t)seconds, out, size);
    }
}

static void state_text(const json_t *account, char *out, size_t size)
{
    const char *state = text_at(account, "state");
    const char *folder = text_at(account, "folder");
    long long watched = (long long)number_at(account, "watched"),
              folders = (long long)number_at(account, "folders");
    if (strcmp(state, "fetching") == 0 && folder[0] != '\0') {
        snprintf(out, size, "fetching %.100s", folder);
    } else if (strcmp(state, "watching") == 0 && folders > 0) {
        snprintf(out, size, "watching %lld of %lld", watched, folders);
    } else if (strcmp(state, "troubled") == 0) {
        snprintf(out, size, "in trouble");
    } else if (strcmp(state, "queued") == 0) {
        snprintf(out, size, "waits for a place");
    } else {
        snprintf(out, size, "%.100s", state);
    }
}

static const char *state_color(const json_t *account)
{
    const char *state = text_at(account, "state");
    return strcmp(state, "troubled") == 0   ? RED
           : strcmp(state, "paused") == 0   ? YELLOW
           : strcmp(state, "watching") == 0 ? GREEN
           : strcmp(state, "fetching") == 0 ? CYAN
                                            : "";
}

/* ---- Accounts ------------------------------------------------------------ */

static void add_trouble(struct table *table, const json_t *trouble)
{
    char text[1200], since[40];
    if (!json_is_object(trouble)) {
        return;
    }
    int64_t failures = number_at(trouble, "failures");
    past_text(table->now, number_at(trouble, "since"), since, sizeof(since));
    snprintf(text, sizeof(text), "%.900s (", text_at(trouble, "text"));
    if (failures > 1) {
        snprintf(text + strlen(text), 80, "%lld times, first %s)",
                 (long long)failures, since);
    } else {
        snprintf(text + strlen(text), 80, "%s)", since);
    }
    paint(table, RED);
    add_wrapped(table, INDENT, "", text);
    paint(table, PLAIN);
    add_wrapped(table, INDENT, "-> ", text_at(trouble, "advice"));
}

static void add_account(struct table *table, const json_t *account)
{
    char text[CELL], last[40], median[40];
    add_cell(table, text_at(account, "account"), table->name_width, false);
    state_text(account, text, sizeof(text));
    paint(table, state_color(account));
    add_cell(table, text, table->state_width, false);
    paint(table, PLAIN);
    future_text(table->now, number_at(account, "next_poll"), text,
                sizeof(text));
    add_cell(table, text, 9, false);
    past_text(table->now, number_at(account, "last_delivery"), text,
              sizeof(text));
    add_cell(table, text, 10, false);
    snprintf(
        text, sizeof(text), "%lld",
        (long long)number_at(json_object_get(account, "today"), "messages"));
    add_cell(table, text, 5, true);
    const json_t *latency = json_object_get(account, "latency");
    latency_text(json_object_get(latency, "median"), median, sizeof(median));
    latency_text(json_object_get(latency, "last"), last, sizeof(last));
    snprintf(text, sizeof(text), " %.30s%s%.30s", median,
             strcmp(median, "-") == 0 ? "" : ", ",
             strcmp(median, "-") == 0 ? "" : last);
    add(table, text);
    add(table, "\n");
    add_trouble(table, json_object_get(account, "trouble"));
    const char *shortage = text_at(account, "shortage");
    if (shortage[0] != '\0') {
        add_wrapped(table, INDENT, "no further connection: ", shortage);
    }
}

/* Names take what they need, states what is left. */
static void measure(struct table *table, const json_t *accounts)
{
    unsigned width = table->look->width;
    unsigned most = width >= 110  ? NAME_MOST
                    : width >= 80 ? NAME_SOME
                                  : NAME_LEAST;
    table->name_width = NAME_LEAST;
    for (size_t i = 0; i < json_array_size(accounts); i++) {
        unsigned taken =
            width_of(text_at(json_array_get(accounts, i), "account"));
        table->name_width =
            taken > table->name_width ? taken : table->name_width;
    }
    table->name_width = table->name_width > most ? most : table->name_width;
    unsigned left = table->name_width + 1 + OTHERS;
    table->state_width =
        width > left + STATE_LEAST ? width - left - 1 : STATE_LEAST;
    if (table->state_width > STATE_MOST) {
        table->state_width = STATE_MOST;
    }
}

static void add_accounts(struct table *table, const json_t *accounts)
{
    measure(table, accounts);
    paint(table, BOLD);
    add_cell(table, "ACCOUNT", table->name_width, false);
    add_cell(table, "STATE", table->state_width, false);
    add_cell(table, "NEXT", 9, false);
    add_cell(table, "LAST MAIL", 10, false);
    add_cell(table, "TODAY", 5, true);
    add(table, " LATENCY");
    paint(table, PLAIN);
    add(table, "\n");
    for (size_t i = 0; i < json_array_size(accounts); i++) {
        add_account(table, json_array_get(accounts, i));
    }
}

/* ---- Put aside ----------------------------------------------------------- */

static void add_aside(struct table *table, const json_t *aside)
{
    char text[1200], size[32], due[40], count[40];
    int64_t tries = number_at(aside, "tries");
    const char *subject = text_at(aside, "subject");
    paint(table, BOLD);
    snprintf(text, sizeof(text), "%.600s", text_at(aside, "id"));
    add_wrapped(table, 2, "", text);
    paint(table, PLAIN);
    if (subject[0] != '\0') {
        snprintf(text, sizeof(text), "\"%.300s\" from %.200s", subject,
                 text_at(aside, "from"));
        add_wrapped(table, INDENT, "", text);
    }
    future_text(table->now, number_at(aside, "due"), due, sizeof(due));
    snprintf(
        text, sizeof(text), "%s, %.500s",
        text_octets((uint64_t)number_at(aside, "size"), size, sizeof(size)),
        text_at(aside, "reason"));
    if (tries > 0) {
        snprintf(count, sizeof(count), "%lld times", (long long)tries);
        snprintf(text + strlen(text), 100, "; tried %s, again %s",
                 tries == 1 ? "once" : count,
                 strcmp(due, "-") == 0 ? "at the next poll" : due);
    }
    add_wrapped(table, INDENT, "", text);
}

static void add_asides(struct table *table, const json_t *status)
{
    char text[120];
    const json_t *list = json_object_get(status, "put_aside");
    int64_t total = number_at(status, "put_aside_total");
    size_t shown = json_array_size(list);
    if (total == 0) {
        return;
    }
    snprintf(text, sizeof(text), "\nPut aside: %lld message%s\n",
             (long long)total, total == 1 ? "" : "s");
    add(table, text);
    shown = shown > ASIDES_MOST ? ASIDES_MOST : shown;
    for (size_t i = 0; i < shown; i++) {
        add_aside(table, json_array_get(list, i));
    }
    if (total > (int64_t)shown) {
        snprintf(text, sizeof(text),
                 "  and %lld more: postrider status --json\n",
                 (long long)(total - (int64_t)shown));
        add(table, text);
    }
    add_wrapped(table, 2, "-> ",
                "postrider retry ID tries it now; postrider drop ID leaves it "
                "on the server and asks no more");
}

/* ---- Held ---------------------------------------------------------------- */

static void add_one_held(struct table *table, const json_t *held)
{
    char text[1600];
    int64_t messages = number_at(held, "messages");
    const char *rule = text_at(held, "rule"), *file = text_at(held, "file");
    paint(table, BOLD);
    snprintf(text, sizeof(text), "%.300s/%.600s", text_at(held, "account"),
             text_at(held, "folder"));
    add_wrapped(table, 2, "", text);
    paint(table, PLAIN);
    int length = snprintf(text, sizeof(text), "%s%lld message%s",
                          json_is_true(json_object_get(held, "whole_folder"))
                              ? "the whole folder, with "
                              : "",
                          (long long)messages, messages == 1 ? "" : "s");
    if (rule[0] != '\0') {
        (void)snprintf(text + length, sizeof(text) - (size_t)length,
                       ", by rule \"%.200s\" (%.600s:%lld)", rule, file,
                       (long long)number_at(held, "line"));
    }
    add_wrapped(table, INDENT, "", text);
}

static void add_held(struct table *table, const json_t *status)
{
    const json_t *list = json_object_get(status, "held");
    size_t count = json_array_size(list);
    if (count == 0) {
        return;
    }
    add(table, "\nDeletions held, more than limit_deletions allows:\n");
    for (size_t i = 0; i < count; i++) {
        add_one_held(table, json_array_get(list, i));
    }
    add_wrapped(table, 2, "-> ",
                "postrider confirm ACCOUNT/FOLDER deletes them; postrider "
                "refuse ACCOUNT/FOLDER leaves them on the server, with --retry "
                "the rules run over them again");
}

/* ---- Sweeps that fail -----------------------------------------------------
 */

static void add_sweeps(struct table *table, const json_t *status)
{
    const json_t *list = json_object_get(status, "sweeps");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *sweep = json_array_get(list, i);
        char text[1200], since[32];
        if (!json_is_string(json_object_get(sweep, "error"))) {
            continue;
        }
        past_text(table->now, number_at(sweep, "last"), since, sizeof(since));
        snprintf(text, sizeof(text),
                 "Sweep \"%.100s\" of %.100s failed %s: %.900s",
                 text_at(sweep, "sweep"), text_at(sweep, "account"), since,
                 text_at(sweep, "error"));
        add(table, "\n");
        add_wrapped(table, 0, "", text);
        add_wrapped(table, 2, "-> ",
                    "it runs again at its time; postrider fetch --sweep runs "
                    "it now");
    }
}

/* ---- Jobs that do not end ------------------------------------------------ */

static void add_hung_jobs(struct table *table, const json_t *status)
{
    const json_t *list = json_object_get(status, "hung_jobs");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *job = json_array_get(list, i);
        char text[400], span[32];
        snprintf(text, sizeof(text), "\n%.100s: a job of %.100s %s for %s\n",
                 text_at(job, "for"), text_at(job, "code"),
                 json_is_true(json_object_get(job, "runs"))
                     ? "has not ended"
                     : "waits for a thread",
                 span_text(number_at(job, "seconds"), span, sizeof(span)));
        add(table, text);
    }
    if (json_array_size(list) > 0) {
        add_wrapped(table, 2, "-> ",
                    "a disk or a program does not answer; what waits for it "
                    "goes on when it does");
    }
}

/* ---- Services that are left alone ----------------------------------------
 */

static void add_services(struct table *table, const json_t *status)
{
    const json_t *list = json_object_get(status, "services");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *service = json_array_get(list, i);
        char text[1200], since[40], next[40];
        if (!json_is_true(json_object_get(service, "left_alone"))) {
            continue;
        }
        span_text(table->now - number_at(service, "since"), since,
                  sizeof(since));
        future_text(table->now, number_at(service, "next_try"), next,
                    sizeof(next));
        add(table, "\n");
        paint(table, RED);
        snprintf(text, sizeof(text),
                 "%.200s is left alone: it failed %lld times in a row (since "
                 "%s, asked again %s)",
                 text_at(service, "service"),
                 (long long)number_at(service, "failures"), since, next);
        add_wrapped(table, 0, "", text);
        paint(table, PLAIN);
        add_wrapped(table, INDENT, "", text_at(service, "why"));
        add_wrapped(table, 2, "-> ",
                    "rules that ask it get no answer meanwhile; to try it: "
                    "postrider check");
    }
}

/* ---- The whole ----------------------------------------------------------- */

static void add_head(struct table *table, const json_t *daemon)
{
    char text[1200], span[32];
    if (!json_is_object(daemon)) {
        add_wrapped(table, 0, "",
                    "No daemon runs; this is what is known of the last run. "
                    "Start one with: postrider daemon");
        add(table, "\n");
        return;
    }
    snprintf(text, sizeof(text), "postrider %.40s, %s for %s, pid %lld",
             text_at(daemon, "version"),
             json_is_true(json_object_get(daemon, "stopping")) ? "stopping, up"
                                                               : "up",
             span_text(table->now - number_at(daemon, "started"), span,
                       sizeof(span)),
             (long long)number_at(daemon, "pid"));
    add_wrapped(table, 0, "", text);
    const json_t *reload = json_object_get(daemon, "reload_error");
    if (json_is_object(reload)) {
        bool is_used = json_is_true(json_object_get(reload, "used"));
        past_text(table->now, number_at(reload, "time"), span, sizeof(span));
        snprintf(text, sizeof(text), "%s %s: %.900s",
                 is_used ? "The last reload failed in part"
                         : "The new configuration was refused",
                 span, text_at(reload, "text"));
        paint(table, RED);
        add_wrapped(table, 0, "", text);
        paint(table, PLAIN);
        add_wrapped(table, 0, "-> ",
                    is_used ? "correct that, then: postrider reload"
                            : "the old one is in use; correct it, then: "
                              "postrider reload");
    }
    add(table, "\n");
}

pr_status table_add(const json_t *status, const struct table_look *look,
                    struct pr_buffer *out)
{
    struct table_look used = *look;
    if (used.width < WIDTH_LEAST) {
        used.width = WIDTH_LEAST;
    }
    struct table table = {
        .look = &used, .out = out, .now = number_at(status, "time")};
    const json_t *accounts = json_object_get(status, "accounts");
    add_head(&table, json_object_get(status, "daemon"));
    if (json_array_size(accounts) == 0) {
        add(&table, "The configuration has no account.\n");
    } else {
        add_accounts(&table, accounts);
    }
    add_services(&table, status);
    add_hung_jobs(&table, status);
    add_sweeps(&table, status);
    add_asides(&table, status);
    add_held(&table, status);
    return table.status;
}
