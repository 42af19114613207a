/*
 * Running transcripts of the SMTP and LMTP sinks and comparing what they
 * report.
 *
 *     option lmtp=true               lmtp {...}; else smtp {...}
 *     > message A Subject: x\n\nhello\n    a message, as in a C string
 *     > large B 70000                one of that many octets in one line
 *     > rest 40                      so many milliseconds pass
 *     > open                         = open ok
 *     > deliver A B                  = A ok begun
 *       (a batch)                    = B refused
 *     > check                        = check ok
 *     > close                        = closed
 *
 * "begun" stands for a delivery that was begun in the journal: its end may have
 * reached the server. On the wire, a line `N` begins the next connection.
 */
#include "config.h"

#include "../../plugins/smtp/smtp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/secret.h"
#include "base/memory.h"
#include "mail/spool.h"
#include "transcript.h"

#define MESSAGES 26
#define CONNECTIONS 8

struct replay {
    const struct transcript *transcript;
    size_t doing;
    struct smtp_options options;
    bool is_lmtp;
    struct pr_secret password;
    const char *disabled[9], *mechanisms[9], *to[9], *headers[9], *domains[9],
        *notify[9];
    struct pr_sink sink;
    struct pr_spool *messages[MESSAGES];
    struct pr_delivery deliveries[MESSAGES];
    bool is_begun[MESSAGES], is_ended[MESSAGES];
    char wrong[1200];
    char broken_promise[200];
};

static struct replay replay;
static const struct pr_log test_log = {NULL, "wire"};

/* ---- What the sink says of its deliveries -------------------------------- */

/* NOLINTBEGIN(readability-identifier-naming,bugprone-reserved-identifier) */
pr_status __wrap_pr_delivery_begin(struct pr_delivery *delivery);
void __wrap_pr_delivery_end(struct pr_delivery *delivery, pr_status result);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

static void promise(bool holds, const char *what)
{
    if (!holds)
        snprintf(replay.broken_promise, sizeof(replay.broken_promise),
                 "promise: %s", what);
}

pr_status __wrap_pr_delivery_begin(struct pr_delivery *delivery)
{
    size_t i = (size_t)(delivery - replay.deliveries);

    promise(!replay.is_begun[i], "begun twice");
    replay.is_begun[i] = true;
    return PR_OK;
}

void __wrap_pr_delivery_end(struct pr_delivery *delivery, pr_status result)
{
    size_t i = (size_t)(delivery - replay.deliveries);

    promise(replay.is_begun[i] && !replay.is_ended[i], "ended amiss");
    replay.is_ended[i] = true;
    delivery->result = result;
    if (result != PR_OK)
        memcpy(delivery->failure, pr_last_failure()->text,
               sizeof(delivery->failure));
}

/* The plugin's own allocations take part in the sweep too. */
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

/* ---- Reporting ----------------------------------------------------------- */

static const char *doing(void)
{
    return replay.doing < replay.transcript->doing_count
               ? replay.transcript->doings[replay.doing]
               : "(nothing)";
}

static void report(const char *line, const char *words)
{
    const char *expected = doing();

    if (replay.wrong[0] != '\0')
        return;
    if (expected[0] != '=' || strcmp(expected + 2, line) != 0)
        snprintf(replay.wrong, sizeof(replay.wrong),
                 "reported \"%s\", expected \"%s\" (failure: %s)", line,
                 expected, words);
    replay.doing++;
    expected = doing();
    if (expected[0] != '~' || replay.wrong[0] != '\0')
        return;
    replay.doing++;
    if (strstr(words, expected + 2) == NULL)
        snprintf(replay.wrong, sizeof(replay.wrong),
                 "the words are \"%s\", expected \"%s\"", words, expected + 2);
}

static void report_status(const char *what, pr_status status)
{
    char line[100];

    snprintf(line, sizeof(line), "%s %s", what, pr_status_name(status));
    report(line, status == PR_OK ? "" : pr_last_failure()->text);
}

static void report_delivery(size_t i)
{
    const struct pr_delivery *delivery = &replay.deliveries[i];
    char line[100];

    promise(delivery->ticket == NULL, "a ticket is left");
    promise(replay.is_begun[i] == replay.is_ended[i], "begun but not ended");
    snprintf(line, sizeof(line), "%c %s%s", (char)('A' + i),
             pr_status_name(delivery->result),
             replay.is_begun[i] ? " begun" : "");
    report(line, delivery->failure);
}

/* ---- Options ------------------------------------------------------------- */

static bool value_of(const char *option, const char *name, const char **ret)
{
    size_t size = strlen(name);

    if (strncmp(option, name, size) != 0 || option[size] != '=')
        return false;
    *ret = option + size + 1;
    return true;
}

static void add(const char *value, const char **list)
{
    while (*list != NULL)
        list++;
    *list = value;
}

static bool set_list(const char *option)
{
    const struct {
        const char *name;
        const char **list;
    } lists[] = {{"disable", replay.disabled},
                 {"auth", replay.mechanisms},
                 {"to", replay.to},
                 {"to_header", replay.headers},
                 {"domains", replay.domains},
                 {"notify", replay.notify}};

    const char *value;

    for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
        if (value_of(option, lists[i].name, &value)) {
            add(value, lists[i].list);
            return true;
        }
    return false;
}

static void set_option(const char *option)
{
    struct smtp_options *set = &replay.options;
    const char *value;

    if (value_of(option, "lmtp", &value))
        replay.is_lmtp = true;
    else if (value_of(option, "tls", &value))
        set->net.tls = strcmp(value, "implicit") == 0   ? PR_TLS_IMPLICIT
                       : strcmp(value, "starttls") == 0 ? PR_TLS_STARTTLS
                                                        : PR_TLS_NONE;
    else if (value_of(option, "user", &value))
        set->net.user = value;
    else if (value_of(option, "secure", &value))
        set->net.insecure = false;
    else if (value_of(option, "from", &value))
        set->from = value;
    else if (value_of(option, "idle", &value))
        set->idle = strtoul(value, NULL, 10);
    else if (value_of(option, "soft_bounce", &value))
        set->soft_bounce = true;
    else if (value_of(option, "return", &value))
        set->dsn_return =
            strcmp(value, "full") == 0 ? SMTP_RETURN_FULL : SMTP_RETURN_HEADERS;
    else if (!set_list(option))
        snprintf(replay.wrong, sizeof(replay.wrong), "unknown option %s",
                 option);
}

static void set_options(void)
{
    struct smtp_options *set = &replay.options;

    replay.password = (struct pr_secret){.kind = SECRET_TEXT, .text = "secret"};
    *set = (struct smtp_options){
        .net = {.host = "mx.example.org",
                .tls = PR_TLS_NONE,
                .insecure = true,
                .timeout = 1000,
                .password = &replay.password,
                .auth = replay.mechanisms,
                .disable = replay.disabled},
        .helo = "here.example.org",
        .to = replay.to,
        .to_header = replay.headers,
        .domains = replay.domains,
        .notify = replay.notify,
        .hops = 100,
        .connections = 1,
        .reply_timeout = 1000,
        .final_timeout = 2000,
        .idle = 1000 * 1000,
    };
    for (size_t i = 0; i < replay.transcript->option_count; i++)
        set_option(replay.transcript->options[i]);
    if (replay.to[0] == NULL)
        replay.to[0] = "alice@example.org";
    replay.sink.options = set;
    replay.sink.log = &test_log;
    replay.sink.name = "sink";
}

/* ---- Operations ---------------------------------------------------------- */

static const struct pr_sink_ops *ops(void)
{
    return replay.is_lmtp ? &lmtp_sink_ops : &smtp_sink_ops;
}

/* \n \r \\ \xNN */
static size_t unescape(const char *text, char *out)
{
    char *to = out;

    for (; *text != '\0'; text++) {
        if (*text != '\\') {
            *to++ = *text;
            continue;
        }
        text++;
        if (*text == 'x') {
            char hex[3] = {text[1], text[2], '\0'};
            *to++ = (char)(unsigned char)strtoul(hex, NULL, 16);
            text += 2;
        } else {
            *to++ = (char)(*text == 'r' ? '\r' : *text == 'n' ? '\n' : *text);
        }
    }
    return (size_t)(to - out);
}

static void define_message(const char *words)
{
    static char octets[4096];
    size_t size = unescape(words + 2, octets);
    struct pr_spool **spool = &replay.messages[words[0] - 'A'];
    pr_status status = spool_new("/tmp", 0, spool);

    if (status == PR_OK)
        status = pr_spool_append(*spool, octets, size);
    if (status == PR_OK)
        status = pr_spool_seal(*spool);
    if (status != PR_OK) {
        spool_free(*spool);
        *spool = NULL;
    }
}

/* One line of so many octets. */
static void define_large(const char *words)
{
    struct pr_spool **spool = &replay.messages[words[0] - 'A'];
    size_t left = strtoul(words + 2, NULL, 10);
    pr_status status = spool_new("/tmp", 0, spool);

    for (; left > 0 && status == PR_OK; left--)
        status = pr_spool_append(*spool, "x", 1);
    if (status == PR_OK)
        status = pr_spool_seal(*spool);
    if (status != PR_OK) {
        spool_free(*spool);
        *spool = NULL;
    }
}

static bool stage(size_t i)
{
    static char keys[MESSAGES][8];
    struct pr_delivery *delivery = &replay.deliveries[i];

    char receipt[sizeof(delivery->receipt)];

    /* Of one that was tried before, what it has left is there. */
    memcpy(receipt, delivery->receipt, sizeof(receipt));
    snprintf(keys[i], sizeof(keys[i]), "key-%c", (char)('A' + i));
    *delivery = (struct pr_delivery){.spool = replay.messages[i],
                                     .folder = "",
                                     .key = keys[i],
                                     .sink = "sink",
                                     .result = PR_BUG};
    memcpy(delivery->receipt, receipt, sizeof(receipt));
    replay.is_begun[i] = replay.is_ended[i] = false;
    if (replay.messages[i] == NULL)
        return false;
    pr_status status = ops()->stage(&replay.sink, delivery);
    if (status == PR_OK)
        return true;
    delivery->result = status;
    memcpy(delivery->failure, pr_last_failure()->text,
           sizeof(delivery->failure));
    return false;
}

static void deliver(const char *names)
{
    struct pr_delivery *batch[MESSAGES];
    size_t count = 0;

    for (const char *name = names; *name != '\0'; name++)
        if (*name != ' ' && stage((size_t)(*name - 'A')))
            batch[count++] = &replay.deliveries[*name - 'A'];
    if (count > 0) {
        pr_status status = ops()->commit(&replay.sink, batch, count);
        for (size_t i = 0; status != PR_OK && i < count; i++)
            batch[i]->result = status;
    }
    for (const char *name = names; *name != '\0'; name++)
        if (*name != ' ')
            report_delivery((size_t)(*name - 'A'));
}

static void run_operation(const char *line)
{
    struct pr_sink *sink = &replay.sink;

    if (strncmp(line, "message ", 8) == 0) {
        define_message(line + 8);
    } else if (strncmp(line, "large ", 6) == 0) {
        define_large(line + 6);
    } else if (strncmp(line, "rest ", 5) == 0) {
        (void)!pr_sleep(strtoul(line + 5, NULL, 10));
    } else if (strcmp(line, "open") == 0) {
        report_status("open", ops()->open(sink));
    } else if (strncmp(line, "deliver ", 8) == 0) {
        if (sink->state != NULL)
            deliver(line + 8);
    } else if (strcmp(line, "check") == 0) {
        report_status("check", ops()->check(sink));
    } else if (strcmp(line, "close") == 0) {
        ops()->close(sink);
        report("closed", "");
    } else {
        snprintf(replay.wrong, sizeof(replay.wrong), "no operation %s", line);
    }
}

static void run_doings(void)
{
    while (replay.doing < replay.transcript->doing_count &&
           replay.wrong[0] == '\0') {
        const char *line = replay.transcript->doings[replay.doing++];
        if (line[0] == '>')
            run_operation(line + 2);
        else
            snprintf(replay.wrong, sizeof(replay.wrong),
                     "never reported: \"%s\"", line);
    }
    ops()->close(&replay.sink);
    for (size_t i = 0; i < MESSAGES; i++)
        spool_free(replay.messages[i]);
}

/* ---- All of it ----------------------------------------------------------- */

static size_t split(const struct transcript *transcript, enum script_cut cut,
                    uint32_t seed, struct script *scripts)
{
    size_t count = 0, begin = 0;

    for (size_t i = 0; i <= transcript->step_count; i++) {
        if (i < transcript->step_count &&
            transcript->steps[i].kind != SCRIPT_KIND_NEXT)
            continue;
        if (count == CONNECTIONS)
            abort();
        scripts[count++] = (struct script){.steps = transcript->steps + begin,
                                           .count = i - begin,
                                           .cut = cut,
                                           .seed = seed};
        begin = i + 1;
    }
    return count;
}

const char *transcript_run(const struct transcript *transcript,
                           enum script_cut cut, uint32_t seed)
{
    static struct script scripts[CONNECTIONS];
    size_t count = split(transcript, cut, seed, scripts);

    replay = (struct replay){.transcript = transcript};
    set_options();
    scripted_install(scripts, count);
    run_doings();
    scripted_install(NULL, 0);
    if (replay.broken_promise[0] != '\0')
        return replay.broken_promise;
    for (size_t i = 0; i < count; i++) {
        const char *verdict = script_verdict(&scripts[i]);
        size_t used = strlen(replay.wrong);
        if (verdict[0] != '\0')
            snprintf(replay.wrong + used, sizeof(replay.wrong) - used,
                     "%sconnection %zu: %s", used > 0 ? "; " : "", i + 1,
                     verdict);
    }
    return replay.wrong[0] == '\0' ? NULL : replay.wrong;
}

const char *transcript_sweep(const struct transcript *transcript)
{
    for (unsigned long n = 1;; n++) {
        memory_fail_at(n);
        const char *wrong = transcript_run(transcript, SCRIPT_WHOLE, 0);
        bool is_over = memory_fail_pending();
        memory_fail_at(0);
        if (wrong != NULL && strncmp(wrong, "promise", 7) == 0)
            return wrong;
        if (is_over)
            return wrong;
    }
}
