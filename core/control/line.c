/*
 * A log line in the forms it is written in.
 */
#include "config.h"

#include "control/line.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/text.h"

bool level_of_name(const char *name, enum pr_level *ret)
{
    for (int level = PR_LOG_ERROR; level <= PR_LOG_TRACE; level++) {
        if (strcmp(name, log_level_name((enum pr_level)level)) == 0) {
            *ret = (enum pr_level)level;
            return true;
        }
    }
    return false;
}

void line_place(struct line *line, const char *const *accounts, char *room,
                size_t size)
{
    size_t best = 0;
    line->account = line->folder = "";
    for (; accounts != NULL && *accounts != NULL; accounts++) {
        size_t length = strlen(*accounts);
        if (length > best && strncmp(line->who, *accounts, length) == 0 &&
            (line->who[length] == '/' || line->who[length] == '\0')) {
            best = length;
        }
    }
    if (best == 0 || best >= size) {
        return;
    }
    memcpy(room, line->who, best);
    room[best] = '\0';
    line->account = room;
    if (line->who[best] == '/') {
        line->folder = line->who + best + 1;
    }
}

static pr_status add_clock(const struct line *line, struct pr_buffer *out)
{
    char text[16] = "??:??:??";
    time_t seconds = (time_t)(line->time / 1000);
    struct tm local;
    if (localtime_r(&seconds, &local) != NULL) {
        strftime(text, sizeof(text), "%H:%M:%S", &local);
    }
    return pr_buffer_printf(out, "%s ", text);
}

pr_status line_add_text(const struct line *line, bool is_colored,
                        struct pr_buffer *out)
{
    bool is_plain = line->level > PR_LOG_WARNING;
    const char *on = "", *off = "";
    if (is_colored && !is_plain) {
        on = line->level == PR_LOG_ERROR ? "\033[31m" : "\033[33m";
        off = "\033[0m";
    }
    pr_status status = add_clock(line, out);
    if (status != PR_OK) {
        return status;
    }
    return pr_buffer_printf(out, "%s%s%s%s%s%s%s\n", line->who,
                            line->who[0] != '\0' ? ": " : "", on,
                            is_plain ? "" : log_level_name(line->level),
                            is_plain ? "" : ": ", off, line->text);
}

static pr_status add_member(struct pr_buffer *out, const char *name,
                            const char *value)
{
    pr_status status = pr_buffer_printf(out, ",\"%s\":", name);
    return status == PR_OK ? text_add_json(out, pr_bytes_of(value)) : status;
}

pr_status line_add_json(const struct line *line, struct pr_buffer *out)
{
    char when[32] = "";
    time_t seconds = (time_t)(line->time / 1000);
    struct tm utc;
    if (gmtime_r(&seconds, &utc) != NULL) {
        strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &utc);
    }
    pr_status status =
        pr_buffer_printf(out, "{\"time\":\"%s.%03dZ\",\"level\":\"%s\"", when,
                         (int)(line->time % 1000), log_level_name(line->level));
    if (status == PR_OK && line->account[0] != '\0') {
        status = add_member(out, "account", line->account);
    }
    if (status == PR_OK && line->folder[0] != '\0') {
        status = add_member(out, "folder", line->folder);
    }
    if (status == PR_OK && line->account[0] == '\0' && line->who[0] != '\0') {
        status = add_member(out, "part", line->who);
    }
    if (status == PR_OK) {
        status = add_member(out, "text", line->text);
    }
    return status == PR_OK ? pr_buffer_add_text(out, "}") : status;
}

/* syslog(3)'s numbers. */
static int priority_of(enum pr_level level)
{
    switch (level) {
    case PR_LOG_ERROR:
        return 3;
    case PR_LOG_WARNING:
        return 4;
    case PR_LOG_INFO:
        return 6;
    default:
        return 7;
    }
}

pr_status line_add_journal(const struct line *line, struct pr_buffer *out)
{
    pr_status status = pr_buffer_printf(
        out, "MESSAGE=%s%s%s\nPRIORITY=%d\nSYSLOG_IDENTIFIER=postrider\n",
        line->who, line->who[0] != '\0' ? ": " : "", line->text,
        priority_of(line->level));
    if (status == PR_OK && line->account[0] != '\0') {
        status = pr_buffer_printf(out, "POSTRIDER_ACCOUNT=%s\n", line->account);
    }
    if (status == PR_OK && line->folder[0] != '\0') {
        status = pr_buffer_printf(out, "POSTRIDER_FOLDER=%s\n", line->folder);
    }
    return status;
}
