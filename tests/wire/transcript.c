/*
 * Reading transcripts.
 */
#include "config.h"

#include "transcript.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *path, const char *line, const char *why)
{
    fprintf(stderr, "%s: %s: \"%s\"\n", path, why, line);
    exit(1);
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = calloc(1, 1 << 20);

    if (file == NULL || text == NULL)
        die(path, "", "cannot be read");
    size_t size = fread(text, 1, (1 << 20) - 1, file);
    text[size] = '\0';
    fclose(file);
    return text;
}

/* \r \n \\ \xNN, in place. Returns the size. */
static size_t unescape(char *text)
{
    char *to = text;

    for (const char *at = text; *at != '\0'; at++) {
        if (*at != '\\') {
            *to++ = *at;
            continue;
        }
        at++;
        if (*at == 'x') {
            char hex[3] = {at[1], at[2], '\0'};
            *to++ = (char)(unsigned char)strtoul(hex, NULL, 16);
            at += 2;
        } else {
            *to++ = (char)(*at == 'r' ? '\r' : *at == 'n' ? '\n' : *at);
        }
    }
    return (size_t)(to - text);
}

/* So many times the same octet: "70000 x". */
static struct pr_bytes repeat(struct transcript *transcript, char *text)
{
    char *octet = NULL;
    size_t size = strtoul(text, &octet, 10);
    char *data = pr_arena_alloc(transcript->arena, size + 1);

    memset(data, octet[1], size);
    return (struct pr_bytes){data, size};
}

static void add_message(struct transcript *transcript, char *line)
{
    struct transcript_message *message =
        &transcript->messages[transcript->message_count++];
    char *text = strchr(line, ' ');

    *text++ = '\0';
    message->name = line;
    if (text[0] >= '0' && text[0] <= '9') {
        message->octets = repeat(transcript, text);
    } else {
        message->octets.size = unescape(text);
        message->octets.data = text;
    }
}

static struct script_step make_step(struct transcript *transcript, char *line,
                                    bool *ret_is_step)
{
    struct script_step step = {.kind = line[0] == 'C' ? SCRIPT_KIND_CLIENT
                                                      : SCRIPT_KIND_SERVER};
    char *rest = line[0] != '\0' && line[1] != '\0' && line[2] == ' '
                     ? line + 3
                     : line + strlen(line);

    *ret_is_step = true;
    if (strncmp(line, "S!", 2) == 0)
        step.kind = SCRIPT_KIND_EOF;
    else if (strncmp(line, "S~", 2) == 0)
        step.kind = SCRIPT_KIND_STALL;
    else if (strcmp(line, "T") == 0)
        step.kind = SCRIPT_KIND_TLS;
    else if (strcmp(line, "N") == 0)
        step.kind = SCRIPT_KIND_NEXT;
    else if (strcmp(line, "P") == 0)
        step.kind = SCRIPT_KIND_PAUSE;
    else if (strcmp(line, "W") == 0)
        step.kind = SCRIPT_KIND_WAIT;
    else if (line[0] == 'D' && line[1] == ' ') {
        step.kind = SCRIPT_KIND_SLOW;
        step.size = (size_t)strtoul(line + 2, NULL, 10);
    } else if (line[1] == ':') {
        step.data = pr_arena_printf(transcript->arena, "%s\r\n", rest);
        step.size = strlen(step.data);
    } else if (line[1] == '^') {
        step.size = unescape(rest);
        step.data = rest;
    } else if (line[1] == '#') {
        struct pr_bytes octets = repeat(transcript, rest);
        step.data = octets.data;
        step.size = octets.size;
    } else {
        *ret_is_step = false;
    }
    return step;
}

static void add_line(struct transcript *transcript, const char *path,
                     char *line, bool on_wire)
{
    if (transcript->doing_count == TRANSCRIPT_LINES ||
        transcript->step_count == TRANSCRIPT_LINES ||
        transcript->option_count == 32 || transcript->message_count == 16)
        die(path, line, "too many lines");
    if (line[0] == '\0' || line[0] == '#')
        return;
    if (on_wire) {
        bool is_step;
        transcript->steps[transcript->step_count++] =
            make_step(transcript, line, &is_step);
        transcript->connections[transcript->connection_count - 1].count++;
        if (!is_step)
            die(path, line, "not a step");
    } else if (strncmp(line, "option ", 7) == 0) {
        transcript->options[transcript->option_count++] = line + 7;
    } else if (strncmp(line, "message ", 8) == 0 && strchr(line + 8, ' ')) {
        add_message(transcript, line + 8);
    } else if (strcmp(line, "only whole") == 0) {
        transcript->only_whole = true;
    } else if (strchr(">=~", line[0]) != NULL && line[1] == ' ') {
        transcript->doings[transcript->doing_count++] = line;
    } else {
        die(path, line, "not understood");
    }
}

static void add_connection(struct transcript *transcript, const char *path)
{
    if (transcript->connection_count == TRANSCRIPT_CONNECTIONS)
        die(path, "--", "too many connections");
    transcript->connections[transcript->connection_count++].first =
        transcript->step_count;
}

void transcript_read(const char *path, struct transcript *ret)
{
    *ret = (struct transcript){.text = read_file(path)};
    ret->arena = pr_arena_new();
    for (char *line = ret->text; line != NULL && *line != '\0';) {
        char *end = strchr(line, '\n');
        if (end != NULL)
            *end++ = '\0';
        if (strcmp(line, "--") == 0)
            add_connection(ret, path);
        else
            add_line(ret, path, line, ret->connection_count > 0);
        line = end;
    }
}

void transcript_done(struct transcript *transcript)
{
    pr_arena_free(transcript->arena);
    free(transcript->text);
}
