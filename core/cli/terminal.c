/*
 * What a person sees: log lines on standard error, and below them one line of
 * progress when that is a terminal.
 */
#include "config.h"

#include "cli/terminal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"

static struct {
    bool is_live;
    bool is_colored;
    bool is_drawn; /* a progress line stands on the screen */
} terminal;

static void wipe(void)
{
    if (terminal.is_drawn) {
        fputs("\r\033[K", stderr);
        terminal.is_drawn = false;
    }
}

static void receive(void *user, enum pr_level level, const char *who,
                    const char *text)
{
    (void)user;
    wipe();
    const char *mark = level == PR_LOG_ERROR     ? "error: "
                       : level == PR_LOG_WARNING ? "warning: "
                                                 : "";
    const char *on = "", *off = "";
    if (terminal.is_colored && level <= PR_LOG_WARNING) {
        on = level == PR_LOG_ERROR ? "\033[31m" : "\033[33m";
        off = "\033[0m";
    }
    fprintf(stderr, "postrider: %s%s%s%s%s%s\n", who,
            who[0] != '\0' ? ": " : "", on, mark, off, text);
}

void terminal_open(enum pr_level level)
{
    const char *kind = getenv("TERM");
    const char *no_color = getenv("NO_COLOR");
    terminal.is_live =
        isatty(STDERR_FILENO) == 1 && kind != NULL && strcmp(kind, "dumb") != 0;
    terminal.is_colored =
        terminal.is_live && (no_color == NULL || no_color[0] == '\0');
    log_set(level, receive, NULL);
}

void terminal_close(void)
{
    wipe();
    fflush(stdout);
    log_set(PR_LOG_WARNING, NULL, NULL);
}

bool terminal_is_live(void)
{
    return terminal.is_live;
}

/* Octets of `text` that show in `columns` columns, a character taken as one. */
static int fit(const char *text, unsigned columns)
{
    int size = 0;
    unsigned shown = 0;
    while (text[size] != '\0') {
        if (((unsigned char)text[size] & 0xC0) != 0x80 && ++shown > columns) {
            break;
        }
        size++;
    }
    return size;
}

void terminal_progress(const char *text)
{
    char shown[1000];
    if (!terminal.is_live) {
        return;
    }
    wipe();
    if (text[0] == '\0') {
        return;
    }
    struct winsize window = {0};
    unsigned columns = 80;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 1) {
        columns = window.ws_col;
    }
    text_printable(pr_bytes_of(text), shown, sizeof(shown));
    fprintf(stderr, "%.*s", fit(shown, columns - 1), shown);
    fflush(stderr);
    terminal.is_drawn = true;
}

/* ---- Lines --------------------------------------------------------------- */

static void write_shown(FILE *to, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        char piece[TEXT_PIECE_SIZE];
        size_t taken = 0;
        while (taken < left && text[taken] >= ' ' && text[taken] < 0x7f) {
            taken++;
        }
        if (taken > 0) {
            (void)fwrite(text, 1, taken, to);
        } else {
            taken = text_printable_piece((struct pr_bytes){text, left}, piece);
            fputs(piece, to);
        }
        text += taken;
        left -= taken;
    }
}

/* Nothing is written when there is no memory for it. */
static void write_list(FILE *to, const char *format, va_list list)
    PR_PRINTF(2, 0);

static void write_list(FILE *to, const char *format, va_list list)
{
    char *text;
    if (vasprintf(&text, format, list) >= 0) {
        write_shown(to, text);
        free(text);
    }
}

void terminal_print(const char *line)
{
    wipe();
    write_shown(stdout, line);
    fputc('\n', stdout);
}

void terminal_line(const char *format, ...)
{
    va_list list;
    wipe();
    va_start(list, format);
    write_list(stdout, format, list);
    va_end(list);
    fputc('\n', stdout);
}

void terminal_add(const char *format, ...)
{
    va_list list;
    wipe();
    va_start(list, format);
    write_list(stdout, format, list);
    va_end(list);
}

void terminal_complain(const char *format, ...)
{
    va_list list;
    wipe();
    fputs("postrider: ", stderr);
    va_start(list, format);
    write_list(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
}
