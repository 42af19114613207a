/*
 * `postrider status`: how the accounts do, what is put aside, what to do.
 */
#include "config.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/ask.h"
#include "cli/profile.h"
#include "cli/table.h"
#include "control/report.h"

struct view {
    bool is_json;
    bool is_terminal;
    bool redraws; /* what was shown before goes */
    bool shows_profile;
};

static void print_json(const json_t *line)
{
    json_t *copy = json_copy((json_t *)(uintptr_t)line);
    json_object_del(copy, "ok");
    json_object_del(copy, "event");
    json_dumpf(copy, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(copy);
}

/* What of the text has room on the screen; a last line says that there is more.
 */
static void print_screen(const char *text, unsigned rows)
{
    const char *end = text;
    for (unsigned row = 0; row + 2 < rows && end != NULL; row++) {
        end = strchr(end, '\n');
        end = end != NULL ? end + 1 : NULL;
    }
    if (end == NULL || end[0] == '\0' || strchr(end, '\n')[1] == '\0') {
        fputs(text, stdout);
        return;
    }
    (void)fwrite(text, 1, (size_t)(end - text), stdout);
    puts("  ... more than fits here: postrider status");
}

static void print_table(const struct view *view, const json_t *status)
{
    const char *no_color = getenv("NO_COLOR");
    struct table_look look = {.width = 80,
                              .is_colored =
                                  view->is_terminal &&
                                  (no_color == NULL || no_color[0] == '\0')};
    struct winsize window = {0};
    struct pr_buffer text;
    if (view->is_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 &&
        window.ws_col > 1) {
        look.width = window.ws_col;
    }
    pr_buffer_init(&text, (size_t)8 * 1024 * 1024);
    pr_status result = table_add(status, &look, &text);
    if (result == PR_OK && view->shows_profile) {
        result = profile_add(status, &look, &text);
    }
    if (result == PR_OK) {
        /* The cursor home, then below it nothing that was there before. */
        fputs(view->redraws ? "\033[H\033[2J" : "", stdout);
        print_screen(pr_buffer_text(&text), view->redraws && window.ws_row > 3
                                                ? window.ws_row
                                                : UINT_MAX);
    }
    pr_buffer_done(&text);
}

static void show(void *user, const json_t *line)
{
    const struct view *view = user;
    if (json_object_get(line, "accounts") == NULL) {
        return;
    }
    if (view->is_json) {
        print_json(line);
    } else {
        print_table(view, line);
    }
    fflush(stdout);
}

static void show_metrics(void *user, const json_t *line)
{
    const char *text = json_string_value(json_object_get(line, "metrics"));
    (void)user;
    fputs(text != NULL ? text : "", stdout);
}

/* ---- Without a daemon ---------------------------------------------------- */

struct rest {
    struct view *view;
    const struct config *config;
};

static pr_status show_rest(void *user, struct state *state)
{
    struct rest *rest = user;
    json_t *status;
    pr_status result = report_without_daemon(state, rest->config, &status);
    if (result == PR_OK) {
        show(rest->view, status);
        json_decref(status);
    }
    return result;
}

static int run_without(const struct invocation *invocation, struct view *view,
                       const struct config *config)
{
    struct rest rest = {view, config};
    if (invocation->metrics || invocation->follow) {
        fputs("postrider: no daemon runs; start one with: postrider daemon\n",
              stderr);
        return EX_UNAVAILABLE;
    }
    return ask_state(config, show_rest, &rest);
}

static int run_with(const struct invocation *invocation, struct view *view,
                    struct call *call)
{
    json_t *request =
        json_pack("{s:s}", "do", invocation->metrics ? "metrics" : "status");
    if (invocation->follow && !invocation->metrics) {
        json_object_set_new(request, "follow", json_true());
    }
    return ask(call, request, ASK_SOON,
               invocation->metrics ? show_metrics : show, view);
}

static int run(const struct invocation *invocation)
{
    struct call *call;
    struct config *config;
    struct view view = {.is_terminal = isatty(STDOUT_FILENO) == 1,
                        .shows_profile = invocation->profile};
    view.is_json =
        invocation->json || (invocation->follow && !view.is_terminal);
    view.redraws = invocation->follow && view.is_terminal;
    int result = ask_reach(invocation, &call, &config);
    if (result == EX_OK) {
        result = call != NULL ? run_with(invocation, &view, call)
                              : run_without(invocation, &view, config);
    }
    call_close(call);
    config_free(config);
    return result;
}

const struct command command_status = {
    .name = "status",
    .arguments = "",
    .summary = "Show how the accounts do, and what is put aside and why",
    .help = "LATENCY is the median and the last of the times from a message's "
            "arrival at the server to its\nsafety here. With --profile each "
            "rule has a row: the messages it ran over and decided, its\ntime, "
            "and what was fetched because it looked. With --follow it is drawn "
            "anew whenever\nsomething changes; where standard output is no "
            "terminal, --follow prints one JSON object\na line.\n",
    .options = "fjmpv",
    .run = run,
};
