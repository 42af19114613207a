/*
 * Messages, and what rules decided, in words for people.
 */
#include "cli/words.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/terminal.h"

pr_status message_words(struct message *message, struct pr_buffer *buffer)
{
    char sender[100], subject[160];
    struct view_field field;
    struct view *view;
    size_t count, index = 0;
    pr_status status = message_view(message, &view);
    if (status != PR_OK) {
        return status;
    }
    const struct view_address *from = view_addresses(view, "From", &count);
    if (count > 0) {
        text_printable(pr_bytes_of(from[0].address), sender, sizeof(sender));
        status = pr_buffer_printf(buffer, "from %s  ", sender);
    }
    const char *title =
        view_find_field(view, "Subject", &index, &field) ? field.value : "";
    text_printable(pr_bytes_of(title), subject, sizeof(subject));
    return status == PR_OK ? pr_buffer_printf(buffer, "\"%s\"", subject)
                           : status;
}

pr_status plan_line(const struct plan_entry *entry, struct pr_buffer *buffer)
{
    struct plan_entry bare = *entry;
    bare.rule = NULL;
    return plan_describe(&bare, buffer);
}

/* One line, whatever is in the names of folders. */
static pr_status add_line(const struct plan_entry *entry, const char *rest,
                          struct pr_buffer *buffer)
{
    struct pr_buffer line;
    pr_buffer_init(&line, 65536);
    pr_status status = plan_line(entry, &line);
    struct pr_bytes left = pr_bytes_of(pr_buffer_text(&line));
    while (status == PR_OK && left.size > 0) {
        char piece[TEXT_PIECE_SIZE];
        size_t taken = text_printable_piece(left, piece);
        status = pr_buffer_add_text(buffer, piece);
        left.data += taken;
        left.size -= taken;
    }
    pr_buffer_done(&line);
    return status == PR_OK ? pr_buffer_add_text(buffer, rest) : status;
}

static bool has_effect(const struct plan_entry *entry)
{
    return entry->action != PLAN_TAG && entry->action != PLAN_SCORE &&
           entry->action != PLAN_NOTE && entry->action != PLAN_STOP;
}

static pr_status add_default(const struct account *account,
                             struct pr_buffer *buffer)
{
    pr_status status = PR_OK;
    for (size_t i = 0; status == PR_OK && i < account->deliver_count; i++) {
        const struct plan_entry entry = {.action = PLAN_DELIVER,
                                         .target = account->deliver[i]};
        status = add_line(&entry, " (the account's own delivery)\n", buffer);
    }
    return status;
}

pr_status plan_effects(const struct plan *plan, const struct account *account,
                       struct pr_buffer *buffer)
{
    const struct plan_entry *final = plan_final(plan);
    pr_status status = PR_OK;
    for (size_t i = 0; status == PR_OK && i < plan->count; i++) {
        if (has_effect(&plan->entries[i])) {
            status = add_line(&plan->entries[i], "\n", buffer);
        }
    }
    bool is_default = final == NULL || final->action == PLAN_STOP;
    return status == PR_OK && is_default ? add_default(account, buffer)
                                         : status;
}

void print_lines(const char *head, const char *rest, const char *text)
{
    while (*text != '\0') {
        size_t size = strcspn(text, "\n");
        terminal_line("%s%.*s", head, (int)size, text);
        head = rest;
        text += size + (text[size] == '\n');
    }
}

bool plan_delivers(const struct plan *plan)
{
    const struct plan_entry *final = plan_final(plan);
    for (size_t i = 0; i < plan->count; i++) {
        enum plan_action action = plan->entries[i].action;
        if (action == PLAN_DELIVER || action == PLAN_COPY ||
            action == PLAN_REDIRECT) {
            return true;
        }
    }
    return final == NULL || final->action == PLAN_STOP;
}

pr_status cost_words(const struct message_cost *cost, struct pr_buffer *buffer)
{
    const struct {
        const char *name;
        uint64_t octets;
    } kinds[] = {{"header", cost->header},
                 {"structure", cost->structure},
                 {"parts", cost->parts},
                 {"the whole", cost->whole}};

    pr_status status = PR_OK;
    for (size_t i = 0; status == PR_OK && i < 4; i++) {
        char octets[32];
        if (kinds[i].octets > 0) {
            status = pr_buffer_printf(
                buffer, "%s%s %s", buffer->size > 0 ? ", " : "", kinds[i].name,
                text_octets(kinds[i].octets, octets, sizeof(octets)));
        }
    }
    return status;
}

pr_status cost_json(const struct message_cost *cost, struct pr_buffer *buffer)
{
    return pr_buffer_printf(
        buffer,
        "{\"header\":%llu,\"structure\":%llu,\"parts\":%llu,"
        "\"whole\":%llu,\"requests\":%llu}",
        (unsigned long long)cost->header, (unsigned long long)cost->structure,
        (unsigned long long)cost->parts, (unsigned long long)cost->whole,
        (unsigned long long)cost->requests);
}
