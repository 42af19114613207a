/*
 * `postrider why`: where a message went, and which line sent it there.
 */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "base/text.h"
#include "cli/cli.h"
#include "cli/terminal.h"
#include "fiber/loop.h"
#include "lua/config.h"
#include "state/state.h"

struct question {
    const struct invocation *invocation;
    const struct config *config;
    int exit_status;
};

static void print_head(const struct state_event *event)
{
    if (event->message_id == NULL || event->message_id[0] == '\0') {
        return;
    }
    terminal_line("<%s>", event->message_id);
    terminal_line("  from     %s", event->sender != NULL ? event->sender : "");
    terminal_line("  subject  %s",
                  event->subject != NULL ? event->subject : "");
}

static void print_event(const struct state_event *event)
{
    char when[40] = "?";
    time_t seconds = (time_t)event->time;
    struct tm local;
    if (localtime_r(&seconds, &local) != NULL) {
        strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &local);
    }
    terminal_add("  %s  %s/%s/%u  %s", when, event->account, event->folder,
                 event->uid, event->action != NULL ? event->action : "?");
    if (event->target != NULL) {
        terminal_add(" to %s", event->target);
    }
    if (event->rule != NULL && event->line > 0) {
        const char *slash =
            event->file != NULL ? strrchr(event->file, '/') : NULL;
        const char *file = slash != NULL         ? slash + 1
                           : event->file != NULL ? event->file
                                                 : "?";
        terminal_add(", rule \"%s\" (%s:%d)", event->rule, file, event->line);
    } else if (event->action != NULL && strcmp(event->action, "deliver") == 0) {
        terminal_add(", the account's own delivery");
    }
    terminal_add(": %s", event->outcome);
    if (event->reason != NULL && event->reason[0] != '\0') {
        terminal_add(" (%s)", event->reason);
    }
    terminal_print("");
}

static void add_field(struct pr_buffer *line, const char *name,
                      const char *value)
{
    if (value == NULL) {
        return;
    }
    (void)!pr_buffer_printf(line, ",\"%s\":", name);
    (void)!text_add_json(line, pr_bytes_of(value));
}

static void print_json(const struct state_event *event)
{
    struct pr_buffer line;
    pr_buffer_init(&line, 65536);
    (void)!pr_buffer_printf(&line, "{\"time\":%lld,\"uid\":%u,\"line\":%d",
                            (long long)event->time, event->uid, event->line);
    add_field(&line, "account", event->account);
    add_field(&line, "folder", event->folder);
    add_field(&line, "message_id", event->message_id);
    add_field(&line, "from", event->sender);
    add_field(&line, "subject", event->subject);
    add_field(&line, "action", event->action);
    add_field(&line, "target", event->target);
    add_field(&line, "rule", event->rule);
    add_field(&line, "file", event->file);
    add_field(&line, "status", event->outcome);
    add_field(&line, "reason", event->reason);
    (void)!pr_buffer_add_text(&line, "}");
    terminal_print(pr_buffer_text(&line));
    pr_buffer_done(&line);
}

static pr_status answer(struct question *question, struct state *state,
                        const char *id)
{
    struct pr_arena *arena = pr_arena_new();
    if (arena == NULL) {
        return PR_NOMEM;
    }
    struct state_event *events;
    size_t count;
    pr_status status = state_why(state, id, arena, &events, &count);
    if (status == PR_OK && count == 0) {
        terminal_complain("nothing is known of \"%s\"", id);
        question->exit_status = EX_UNAVAILABLE;
    }
    for (size_t i = 0; status == PR_OK && i < count; i++) {
        if (question->invocation->json) {
            print_json(&events[i]);
            continue;
        }
        if (i == 0) {
            print_head(&events[i]);
        }
        print_event(&events[i]);
    }
    pr_arena_free(arena);
    return status;
}

static pr_status ask(void *argument)
{
    struct question *question = argument;
    struct state *state;
    pr_status status = state_open(question->config->state_dir, &state);
    if (status != PR_OK) {
        return status;
    }
    for (char **id = question->invocation->arguments;
         status == PR_OK && *id != NULL; id++) {
        status = answer(question, state, *id);
    }
    state_close(state);
    return status;
}

static int run(const struct invocation *invocation)
{
    if (invocation->argument_count == 0) {
        fputs("postrider: which message? Give a Message-ID or "
              "ACCOUNT/FOLDER/UID\n",
              stderr);
        return EX_USAGE;
    }
    struct config *config;
    int failed = load_config(invocation, &config);
    if (failed != 0) {
        return failed;
    }
    struct question question = {invocation, config, EX_OK};
    pr_status status = loop_run(1, ask, &question);
    config_free(config);
    return status == PR_OK ? question.exit_status : complain(status);
}

const struct command command_why = {
    .name = "why",
    .arguments = "ID...",
    .summary = "Show where a message went, and which rule sent it there",
    .help = "ID is a Message-ID, or ACCOUNT/FOLDER/UID.\n",
    .options = "jv",
    .run = run,
};
