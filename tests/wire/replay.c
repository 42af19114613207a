/*
 * Running a transcript's operations and comparing what they report.
 */
#include "config.h"

#include "replay.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "protocol.h"

/* The test's own memory, which no sweep makes fail. */
static char scratch[1 << 18];
static size_t scratch_used;

void *scratch_zeroed(size_t size)
{
    char *at = scratch + scratch_used;

    scratch_used += (size + 15) & ~(size_t)15;
    if (scratch_used > sizeof(scratch))
        abort();
    return memset(at, 0, size);
}

char *scratch_text(const char *text)
{
    return strcpy(scratch_zeroed(strlen(text) + 1), text);
}

/* ---- Reporting ---------------------------------------------------------- */

void replay_report(struct replay *replay, const char *format, ...)
{
    char line[500];
    va_list arguments;

    if (replay->wrong[0] != '\0')
        return;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    const char *expected = replay->doing < replay->transcript->doing_count
                               ? replay->transcript->doings[replay->doing]
                               : "(nothing)";
    if (expected[0] != '=' || strcmp(expected + 2, line) != 0)
        snprintf(replay->wrong, sizeof(replay->wrong),
                 "reported \"%s\", expected \"%s\" (last failure: %s)", line,
                 expected, pr_last_failure()->text);
    replay->doing++;
}

void replay_status(struct replay *replay, const char *what, pr_status status)
{
    replay_report(replay, "%s %s", what, pr_status_name(status));
    const char *words = replay->doing < replay->transcript->doing_count
                            ? replay->transcript->doings[replay->doing]
                            : "";
    if (words[0] != '~' || replay->wrong[0] != '\0')
        return;
    replay->doing++;
    if (strstr(pr_last_failure()->text, words + 2) == NULL)
        snprintf(replay->wrong, sizeof(replay->wrong),
                 "the words are \"%s\", expected \"%s\"",
                 pr_last_failure()->text, words + 2);
}

/* ---- Words of an operation ---------------------------------------------- */

static size_t split(const char *line, const char *words[REPLAY_WORDS + 1])
{
    char *copy = scratch_text(line);
    size_t count = 0;

    for (char *word = strtok(copy, " "); word != NULL && count < REPLAY_WORDS;
         word = strtok(NULL, " ")) {
        for (char *c = word; *c != '\0'; c++)
            if (*c == '_')
                *c = ' ';
        words[count++] = word;
    }
    words[count] = NULL;
    return count;
}

bool replay_value(const char *word, const char *name, const char **ret)
{
    size_t size = strlen(name);

    if (strncmp(word, name, size) != 0 || word[size] != '=')
        return false;
    *ret = word + size + 1;
    return true;
}

/* ---- Options ------------------------------------------------------------ */

static void set_list(const char *value, const char **list)
{
    for (size_t i = 0; i < 8; i++)
        if (list[i] == NULL) {
            list[i] = value;
            return;
        }
}

static void set_option(struct replay *replay, const char *option)
{
    struct pr_net_options *net = replay->net;
    const char *value;

    if (wire_protocol.set_option(net, option) || side_option(option))
        return;
    if (replay_value(option, "tls", &value))
        net->tls = strcmp(value, "implicit") == 0   ? PR_TLS_IMPLICIT
                   : strcmp(value, "starttls") == 0 ? PR_TLS_STARTTLS
                                                    : PR_TLS_NONE;
    else if (replay_value(option, "insecure", &value))
        net->insecure = strcmp(value, "true") == 0;
    else if (replay_value(option, "user", &value))
        net->user = value;
    else if (replay_value(option, "password", &value))
        replay->password.text = value;
    else if (replay_value(option, "disable", &value))
        set_list(value, replay->disabled);
    else if (replay_value(option, "auth", &value))
        set_list(value, replay->mechanisms);
    else if (replay_value(option, "tunnel", &value))
        replay->tunnel[0] = value;
    else
        snprintf(replay->wrong, sizeof(replay->wrong), "unknown option %s",
                 option);
}

static void set_options(struct replay *replay)
{
    struct pr_net_options *net = wire_protocol.new_options();

    replay->net = net;
    side_begin(replay);
    replay->password =
        (struct pr_secret){.kind = SECRET_TEXT, .text = "secret"};
    net->host = "mail.example.org";
    net->user = "alice";
    net->tls = PR_TLS_NONE;
    net->insecure = true;
    net->timeout = 1000;
    for (size_t i = 0; i < replay->transcript->option_count; i++)
        set_option(replay, replay->transcript->options[i]);
    net->password = &replay->password;
    net->disable = replay->disabled;
    net->auth = replay->mechanisms;
    net->tunnel = replay->tunnel;
}

static void run_operation(struct replay *replay, const char *line)
{
    const char *words[REPLAY_WORDS + 1];

    if (split(line, words) > 0 && !side_run(replay, words))
        snprintf(replay->wrong, sizeof(replay->wrong), "no operation %s",
                 words[0]);
}

static void run_doings(struct replay *replay)
{
    const struct transcript *transcript = replay->transcript;

    while (replay->doing < transcript->doing_count &&
           replay->wrong[0] == '\0') {
        const char *line = transcript->doings[replay->doing++];
        if (line[0] == '>')
            run_operation(replay, line + 2);
        else
            snprintf(replay->wrong, sizeof(replay->wrong),
                     "never reported: \"%s\"", line);
    }
    side_end();
}

static void add_verdict(struct replay *replay, const char *verdict)
{
    size_t used = strlen(replay->wrong);

    if (verdict[0] != '\0')
        snprintf(replay->wrong + used, sizeof(replay->wrong) - used, "%s%s",
                 used > 0 ? "; " : "", verdict);
}

const char *transcript_run(const struct transcript *transcript,
                           enum script_cut cut, uint32_t seed)
{
    static struct replay replay;
    struct script scripts[TRANSCRIPT_CONNECTIONS];
    size_t count = transcript->connection_count;

    for (size_t i = 0; i < count; i++)
        scripts[i] = (struct script){.steps = transcript->steps +
                                              transcript->connections[i].first,
                                     .count = transcript->connections[i].count,
                                     .cut = cut,
                                     .seed = seed};
    replay = (struct replay){.transcript = transcript};
    scratch_used = 0;
    set_options(&replay);
    scripted_install(scripts, count);
    run_doings(&replay);
    scripted_install(NULL, 0);
    if (replay.broken_promise[0] != '\0')
        return replay.broken_promise;
    for (size_t i = 0; i < count; i++)
        add_verdict(&replay, script_verdict(&scripts[i]));
    return replay.wrong[0] == '\0' ? NULL : replay.wrong;
}

/* The plugin's own allocations take part in the sweep too (ld --wrap).
 * NOLINTBEGIN(readability-identifier-naming,bugprone-reserved-identifier) */
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
    static _Thread_local bool is_inside;

    if (is_inside)
        return __real_calloc(count, size);
    is_inside = true;
    void *memory = memory_zeroed(count, size);
    is_inside = false;
    return memory;
}

/* NOLINTEND(readability-identifier-naming,bugprone-reserved-identifier) */

const char *transcript_sweep(const struct transcript *transcript)
{
    for (unsigned long n = 1;; n++) {
        memory_fail_at(n);
        const char *wrong = transcript_run(transcript, SCRIPT_WHOLE, 0);
        bool is_over = memory_fail_pending();
        memory_fail_at(0);
        if (wrong != NULL && strncmp(wrong, "UID ", 4) == 0)
            return wrong;
        if (is_over)
            return wrong;
    }
}
