/*
 * `postrider log`: what the daemon said of late, and says from now on.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "cli/ask.h"
#include "cli/terminal.h"

enum { LINES_MOST = 100000 };

struct printer {
    bool is_json;
    bool is_colored;
};

static const char *text_at(const json_t *line, const char *name)
{
    const char *text = json_string_value(json_object_get(line, name));
    return text != NULL ? text : "";
}

/* "08:15:02" of "2026-01-31T07:15:02.123Z". */
static void print_clock(const char *when)
{
    struct tm utc = {0}, local;
    char text[16] = "??:??:??";
    if (strptime(when, "%Y-%m-%dT%H:%M:%S", &utc) != NULL) {
        time_t seconds = timegm(&utc);
        if (localtime_r(&seconds, &local) != NULL) {
            strftime(text, sizeof(text), "%H:%M:%S", &local);
        }
    }
    terminal_add("%s ", text);
}

static void print_text(const struct printer *printer, const json_t *line)
{
    const char *level = text_at(line, "level"), *folder;
    bool is_error = strcmp(level, "error") == 0;
    bool is_plain = !is_error && strcmp(level, "warning") != 0;
    const char *who = text_at(line, "account");
    who = who[0] != '\0' ? who : text_at(line, "part");
    folder = text_at(line, "folder");
    print_clock(text_at(line, "time"));
    terminal_add("%s%s%s%s", who, folder[0] != '\0' ? "/" : "", folder,
                 who[0] != '\0' ? ": " : "");
    if (!is_plain) {
        fputs(!printer->is_colored ? ""
              : is_error           ? "\033[31m"
                                   : "\033[33m",
              stdout);
        terminal_add("%s", level);
        fputs(printer->is_colored ? "\033[0m: " : ": ", stdout);
    }
    terminal_print(text_at(line, "text"));
}

static void print_line(void *user, const json_t *line)
{
    const struct printer *printer = user;
    const char *event = text_at(line, "event");
    if (strcmp(event, "missed") == 0) {
        terminal_complain(
            "%lld lines were too many and are lost",
            (long long)json_integer_value(json_object_get(line, "lines")));
    }
    if (strcmp(event, "log") != 0) {
        return;
    }
    if (printer->is_json) {
        json_t *copy = json_copy((json_t *)(uintptr_t)line);
        json_object_del(copy, "event");
        json_dumpf(copy, stdout, JSON_COMPACT);
        json_decref(copy);
        putchar('\n');
    } else {
        print_text(printer, line);
    }
    fflush(stdout);
}

static json_t *request_of(const struct invocation *invocation)
{
    json_t *request = json_pack("{s:s,s:b,s:s}", "do", "log", "follow",
                                (int)invocation->follow, "level",
                                invocation->verbosity == 0   ? "info"
                                : invocation->verbosity == 1 ? "debug"
                                                             : "trace");
    if (invocation->lines != NULL) {
        json_object_set_new(request, "lines",
                            json_integer(strtol(invocation->lines, NULL, 10)));
    }
    return request;
}

static int run(const struct invocation *invocation)
{
    const char *no_color = getenv("NO_COLOR");
    struct printer printer = {
        .is_json = invocation->json,
        .is_colored = isatty(STDOUT_FILENO) == 1 &&
                      (no_color == NULL || no_color[0] == '\0'),
    };
    struct call *call;
    char *end = NULL;
    if (invocation->lines != NULL &&
        (strtoul(invocation->lines, &end, 10) > LINES_MOST || *end != '\0' ||
         end == invocation->lines)) {
        fputs("postrider: --lines takes a number\n", stderr);
        return EX_USAGE;
    }
    int result = ask_open(invocation, &call);
    if (result != EX_OK) {
        return result;
    }
    result = ask(call, request_of(invocation),
                 invocation->follow ? 0 : ASK_SOON, print_line, &printer);
    call_close(call);
    return result;
}

const struct command command_log = {
    .name = "log",
    .arguments = "",
    .summary = "Show what the daemon said of late",
    .help = "With --follow, also what it says from now on; -v makes it say "
            "more as long as that lasts.\n",
    .options = "fjLv",
    .run = run,
};
