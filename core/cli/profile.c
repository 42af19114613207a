/*
 * What the rules of the daemon have cost so far, as a table for people.
 */
#include "config.h"

#include "cli/profile.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum {
    NAME_LEAST = 8,
    NAME_MOST = 40,
    NUMBERS = 55 /* columns right of the name */
};

static long long number_at(const json_t *object, const char *name)
{
    return (long long)json_integer_value(json_object_get(object, name));
}

static const char *name_of(const json_t *rule)
{
    const char *name = json_string_value(json_object_get(rule, "rule"));
    return name != NULL ? name : "";
}

static unsigned width_of(const char *text)
{
    unsigned width = 0;
    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return width;
}

/* The name in exactly `width` columns. */
static void name_cell(const char *name, unsigned width, char *out, size_t size)
{
    unsigned taken = width_of(name);
    if (taken <= width) {
        snprintf(out, size, "%s%*s", name, (int)(width - taken), "");
        return;
    }
    size_t end = 0;
    for (unsigned shown = 0; name[end] != '\0'; end++) {
        if (((unsigned char)name[end] & 0xC0) != 0x80 && ++shown > width - 1) {
            break;
        }
    }
    snprintf(out, size, "%.*s~", (int)end, name);
}

/* Microseconds, of so many messages, as the mean of one: "0.12 ms", "1.3 s". */
static const char *mean_text(long long us, long long messages, char *out,
                             size_t size)
{
    double ms = messages > 0 ? (double)us / (double)messages / 1000.0 : 0;
    if (ms < 0.005) {
        snprintf(out, size, "-");
    } else if (ms < 1000) {
        snprintf(out, size, "%.*f ms", ms < 10 ? 2 : 0, ms);
    } else {
        snprintf(out, size, "%.1f s", ms / 1000);
    }
    return out;
}

static const char *octets_text(const json_t *rule, char *out, size_t size)
{
    const json_t *fetched = json_object_get(rule, "fetched");
    long long octets =
        number_at(fetched, "header") + number_at(fetched, "structure") +
        number_at(fetched, "parts") + number_at(fetched, "whole");
    if (octets == 0) {
        snprintf(out, size, "-");
        return out;
    }
    return text_octets((uint64_t)octets, out, size);
}

static pr_status add_rule(const json_t *rule, unsigned width,
                          struct pr_buffer *out)
{
    char name[400], lua[40], waited[40], fetched[40];
    long long messages = number_at(rule, "messages");
    name_cell(name_of(rule), width, name, sizeof(name));
    return pr_buffer_printf(
        out, "%s %8lld %8lld %7lld %9s %9s %9s\n", name, messages,
        number_at(rule, "decided"), number_at(rule, "failed"),
        mean_text(number_at(rule, "lua_us"), messages, lua, sizeof(lua)),
        mean_text(number_at(rule, "waited_us"), messages, waited,
                  sizeof(waited)),
        octets_text(rule, fetched, sizeof(fetched)));
}

static unsigned name_width(const json_t *rules, unsigned width)
{
    unsigned most = NAME_LEAST;
    for (size_t i = 0; i < json_array_size(rules); i++) {
        unsigned taken = width_of(name_of(json_array_get(rules, i)));
        most = taken > most ? taken : most;
    }
    unsigned room = width > NUMBERS + NAME_LEAST ? width - NUMBERS - 1
                                                 : (unsigned)NAME_LEAST;
    most = most > NAME_MOST ? NAME_MOST : most;
    return most > room ? room : most;
}

static pr_status add_rules(const json_t *rules, const struct table_look *look,
                           struct pr_buffer *out)
{
    unsigned width = name_width(rules, look->width);
    pr_status status = pr_buffer_printf(
        out,
        "\n%s%-*s MESSAGES  DECIDED  FAILED       LUA    WAITED   FETCHED%s\n",
        look->is_colored ? "\033[1m" : "", (int)width, "RULE",
        look->is_colored ? "\033[0m" : "");
    for (size_t i = 0; status == PR_OK && i < json_array_size(rules); i++) {
        status = add_rule(json_array_get(rules, i), width, out);
    }
    return status;
}

pr_status profile_add(const json_t *status, const struct table_look *look,
                      struct pr_buffer *out)
{
    const json_t *rules = json_object_get(status, "rules");
    if (rules == NULL) {
        return pr_buffer_add_text(
            out,
            "\nWhat rules cost is counted by the daemon, and none runs. To "
            "see it without one:\n"
            "  postrider fetch --dry-run         what they make one fetch "
            "read\n"
            "  postrider fetch --dry-run --json  with their times\n"
            "  postrider explain MESSAGE         one message, rule by "
            "rule\n");
    }
    if (json_array_size(rules) == 0) {
        return pr_buffer_add_text(out, "\nThe configuration has no rules.\n");
    }
    pr_status result = add_rules(rules, look, out);
    return result != PR_OK
               ? result
               : pr_buffer_add_text(
                     out,
                     "LUA and WAITED are a message's on average. WAITED is for "
                     "services and for mail that a\nrule made be fetched, "
                     "which "
                     "FETCHED counts: what of large messages came because it "
                     "looked.\n");
}
