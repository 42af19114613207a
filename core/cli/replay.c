/*
 * `postrider replay`: what other rules would have done with the mail that is
 * there.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/terminal.h"
#include "cli/words.h"
#include "engine/look.h"
#include "fiber/loop.h"
#include "mail/spool.h"

#define SINCE "30d"

struct replay {
    const struct invocation *invocation;
    struct config *now, *then; /* the rules in use, and the others */
    int64_t since;
    unsigned messages, changed, failed;
};

static const char fails[] = "fails: ";

static bool is_failure(const char *lines)
{
    return strncmp(lines, fails, strlen(fails)) == 0;
}

/* What rules make of a message, a line for each thing. */
static pr_status ask(struct config *config, const struct account *account,
                     struct message *message, struct pr_buffer *lines)
{
    pr_status status = rules_run(config, message);
    if (status == PR_SCRIPT) {
        return pr_buffer_printf(lines, "%s%s\n", fails,
                                pr_last_failure()->text);
    }
    return status == PR_OK ? plan_effects(&message->plan, account, lines)
                           : status;
}

/* The other rules get a message of their own around the same octets. */
static pr_status ask_others(struct replay *replay, struct message *message,
                            struct pr_buffer *lines)
{
    const struct account *account =
        config_account(replay->then, message->account);
    struct message *other;
    if (account == NULL) {
        return pr_buffer_printf(lines, "there is no account \"%s\"\n",
                                message->account);
    }
    pr_status status =
        message_new(message->account, message->folder, message->item, &other);
    if (status != PR_OK) {
        return status;
    }
    other->has_labels = message->has_labels;
    other->spool = message->spool;
    status = ask(replay->then, account, other, lines);
    view_free(other->view);
    other->view = NULL;
    other->spool = NULL;
    message_free(other);
    return status;
}

/* ---- What is printed ----------------------------------------------------- */

static void print_text(struct message *message, const char *now,
                       const char *then)
{
    struct pr_buffer words;
    pr_buffer_init(&words, 1000);
    (void)!message_words(message, &words);
    terminal_line("%s/%s/%u  %s", message->account, message->folder,
                  message->item->uid, pr_buffer_text(&words));
    pr_buffer_done(&words);
    print_lines("  - ", "  - ", now);
    print_lines("  + ", "  + ", then);
}

static void print_json(const struct message *message, const char *now,
                       const char *then)
{
    struct pr_buffer line;
    pr_buffer_init(&line, 1024 * 1024);
    (void)!pr_buffer_add_text(&line, "{\"event\":\"change\",\"account\":");
    (void)!text_add_json(&line, pr_bytes_of(message->account));
    (void)!pr_buffer_add_text(&line, ",\"folder\":");
    (void)!text_add_json(&line, pr_bytes_of(message->folder));
    (void)!pr_buffer_printf(&line, ",\"uid\":%u,\"now\":", message->item->uid);
    (void)!text_add_json(&line, pr_bytes_of(now));
    (void)!pr_buffer_add_text(&line, ",\"then\":");
    (void)!text_add_json(&line, pr_bytes_of(then));
    (void)!pr_buffer_add_text(&line, "}");
    terminal_print(pr_buffer_text(&line));
    pr_buffer_done(&line);
}

/* ---- What differs -------------------------------------------------------- */

static bool ends_with(const char *word, size_t size, const char *end)
{
    size_t length = strlen(end);
    return size >= length && memcmp(word + size - length, end, length) == 0;
}

static const char *base_name(const char *file)
{
    const char *slash = strrchr(file, '/');
    return slash != NULL ? slash + 1 : file;
}

/* Octets of `word` that are a file of rules and a line in it; 0: it begins with
 * none. */
static size_t place_size(const struct replay *replay, const char *word,
                         size_t size)
{
    const char *colon = memchr(word, ':', size);
    size_t name = colon != NULL ? (size_t)(colon - word) : size;
    size_t digits = strspn(word + name + (name < size), "0123456789");
    bool is_file = ends_with(word, name, ".lua") ||
                   ends_with(word, name, base_name(replay->now->file)) ||
                   ends_with(word, name, base_name(replay->then->file));
    return name < size && digits > 0 && is_file ? name + 1 + digits : 0;
}

/* Adds `text` without the places in files: a failure is the same wherever it
 * stands. */
static pr_status add_without_places(const struct replay *replay,
                                    const char *text, struct pr_buffer *buffer)
{
    pr_status status = PR_OK;
    while (status == PR_OK && *text != '\0') {
        size_t size = strcspn(text, " \n");
        size_t place = place_size(replay, text, size);
        size += text[size] != '\0';
        status = pr_buffer_add(buffer, text + place, size - place);
        text += size;
    }
    return status;
}

static pr_status differ(const struct replay *replay, const char *now,
                        const char *then, bool *ret)
{
    struct pr_buffer one, other;
    pr_buffer_init(&one, 256 * 1024);
    pr_buffer_init(&other, 256 * 1024);
    pr_status status = PR_OK;
    *ret = strcmp(now, then) != 0;
    if (*ret && is_failure(now) && is_failure(then)) {
        status = add_without_places(replay, now, &one);
        if (status == PR_OK) {
            status = add_without_places(replay, then, &other);
        }
        *ret = strcmp(pr_buffer_text(&one), pr_buffer_text(&other)) != 0;
    }
    pr_buffer_done(&one);
    pr_buffer_done(&other);
    return status;
}

/* ---- One message --------------------------------------------------------- */

static pr_status compare(void *user, const struct account *account,
                         struct message *message)
{
    struct replay *replay = user;
    struct pr_buffer now, then;
    pr_buffer_init(&now, 256 * 1024);
    pr_buffer_init(&then, 256 * 1024);
    pr_status status = ask(replay->now, account, message, &now);
    if (status == PR_OK) {
        status = ask_others(replay, message, &then);
    }
    if (status == PR_OK) {
        const char *before = pr_buffer_text(&now);
        const char *after = pr_buffer_text(&then);
        bool is_other;
        status = differ(replay, before, after, &is_other);
        replay->messages++;
        replay->changed += is_other;
        replay->failed += is_failure(after);
        if (is_other && replay->invocation->json) {
            print_json(message, before, after);
        } else if (is_other) {
            print_text(message, before, after);
        }
    }
    pr_buffer_done(&now);
    pr_buffer_done(&then);
    return status;
}

static pr_status run_replay(void *argument)
{
    struct replay *replay = argument;
    struct look look = {.account = replay->invocation->account,
                        .folder = replay->invocation->folder,
                        .since = replay->since,
                        .each = compare,
                        .user = replay};
    return engine_look(replay->now, &look);
}

/* ---- The command --------------------------------------------------------- */

static int read_since(const struct invocation *invocation, int64_t *ret)
{
    const char *text = invocation->since != NULL ? invocation->since : SINCE;
    uint64_t ms;
    if (text_to_duration(text, &ms) != PR_OK) {
        terminal_complain("--since: %s", pr_last_failure()->text);
        return EX_USAGE;
    }
    *ret = (int64_t)time(NULL) - (int64_t)(ms / 1000);
    return 0;
}

static int load_both(struct replay *replay)
{
    struct invocation other = *replay->invocation;
    int failed = load_config(replay->invocation, &replay->now);
    if (failed != 0) {
        return failed;
    }
    other.config_file = other.rules;
    failed = load_config(&other, &replay->then);
    if (failed != 0) {
        config_free(replay->now);
    }
    return failed;
}

static int summary(const struct replay *replay)
{
    if (replay->invocation->json) {
        terminal_line("{\"event\":\"summary\",\"messages\":%u,\"changed\":%u,"
                      "\"failed\":%u}",
                      replay->messages, replay->changed, replay->failed);
    } else {
        terminal_add("%u message%s, %u would fare otherwise", replay->messages,
                     replay->messages == 1 ? "" : "s", replay->changed);
        if (replay->failed > 0) {
            terminal_add(", of %u the new rules fail", replay->failed);
        }
        terminal_print("");
    }
    return replay->changed == 0 ? EX_OK : 1;
}

static int run(const struct invocation *invocation)
{
    struct replay replay = {.invocation = invocation};
    if (invocation->rules == NULL) {
        fputs("postrider: which rules? Give --rules FILE\n", stderr);
        return EX_USAGE;
    }
    int failed = read_since(invocation, &replay.since);
    if (failed == 0) {
        failed = load_both(&replay);
    }
    if (failed != 0) {
        return failed;
    }
    pr_status status = loop_run(4, run_replay, &replay);
    config_free(replay.now);
    config_free(replay.then);
    return status == PR_OK ? summary(&replay) : complain(status);
}

const struct command command_replay = {
    .name = "replay",
    .arguments = "",
    .summary = "Show what other rules would have done with your mail",
    .help = "Runs the rules in use and those of --rules FILE, a whole "
            "configuration, over the mail that is\nstill on the servers, and "
            "shows what would differ. Nothing is delivered, noted or changed; "
            "but\nthe services that rules ask are asked. Exit status: 0 "
            "nothing differs, 1 something does.\n",
    .options = "jvaFSR",
    .run = run,
};
