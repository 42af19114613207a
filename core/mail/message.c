/*
 * Makes and frees a message with all that belongs to it.
 */
#include "config.h"

#include "mail/message.h"

#include <postrider/fiber.h>

#include "mail/decode.h"
#include "mail/spool.h"

#define FEW_PARTS 32 /* read at once; more in the pool */

pr_status message_new(const char *account, const char *folder,
                      struct pr_item *item, struct message **ret)
{
    struct pr_arena *arena = pr_arena_new();
    struct message *message =
        arena != NULL ? pr_arena_alloc(arena, sizeof *message) : NULL;
    if (message == NULL) {
        pr_arena_free(arena);
        return PR_NOMEM;
    }
    message->arena = arena;
    message->account = account;
    message->folder = folder;
    message->item = item;
    plan_init(&message->plan, arena);
    *ret = message;
    return PR_OK;
}

void message_free(struct message *message)
{
    if (message == NULL)
        return;
    if (message->kept != NULL)
        message->drop_kept(message);
    view_free(message->view);
    view_free(message->header_view);
    spool_free(message->spool);
    spool_free(message->header);
    tree_done(&message->told);
    pr_arena_free(message->arena);
}

/* ---- One fetch at a time ------------------------------------------------- */

/* The branches of a rule may ask at once: one of them fetches. False: it was
 * another, which was waited for; look again. */
static bool take_turn(struct message *message, pr_status *ret)
{
    if (message->is_fetching) {
        *ret = pr_event_wait(&message->fetched, PR_NEVER);
        return false;
    }
    message->is_fetching = true;
    return true;
}

static void end_turn(struct message *message)
{
    message->is_fetching = false;
    pr_event_wake_all(&message->fetched);
}

static pr_status fetch_header(struct message *message)
{
    pr_status status = PR_OK;
    if (take_turn(message, &status)) {
        status = message->fetch_header(message);
        end_turn(message);
        if (status == PR_OK && message->spool == NULL)
            status = pr_fail(PR_BUG, "the header of a message did not come");
    }
    return status;
}

static pr_status fetch_in_turn(struct message *message, enum pr_want want,
                               const char *part, uint64_t most)
{
    pr_status status = PR_OK;
    if (take_turn(message, &status)) {
        status = message->fetch(message, want, part, most);
        end_turn(message);
    }
    return status;
}

/* ---- The view ------------------------------------------------------------ */

/* Keeps the view, unless another fiber has made one meanwhile, or all of the
 * message came and it is of the header alone. */
static pr_status make_view(struct message *message)
{
    const struct pr_spool *spool = message->spool;
    struct view *view = NULL;
    pr_status status = view_new(spool, &view);
    if (status == PR_OK && message->view == NULL && message->spool == spool)
        message->view = view;
    else
        view_free(view);
    return status;
}

pr_status message_view(struct message *message, struct view **ret)
{
    pr_status status = PR_OK;
    while (status == PR_OK && message->spool == NULL &&
           message->fetch_header != NULL)
        status = fetch_header(message);
    if (status == PR_OK && message->spool == NULL)
        return pr_fail(PR_BUG, "a message was looked at before it was fetched");
    while (status == PR_OK && message->view == NULL)
        status = make_view(message);
    if (status == PR_OK)
        *ret = message->view;
    return status;
}

/* ---- What a header lacks ------------------------------------------------- */

pr_status message_whole(struct message *message)
{
    pr_status status = PR_OK;
    while (status == PR_OK && message->is_header_only)
        status = fetch_in_turn(message, PR_WANT_ALL, NULL, 0);
    return status;
}

/* Falls back to the whole message where `want` cannot be had by itself. */
static pr_status fetch(struct message *message, enum pr_want want,
                       const char *part, uint64_t most)
{
    pr_status status = PR_UNSUPPORTED;
    if ((message->wants & (unsigned)want) != 0)
        status = fetch_in_turn(message, want, part, most);
    if (status != PR_UNSUPPORTED)
        return status;
    message->wants = 0;
    return message_whole(message);
}

pr_status message_parts(struct message *message, struct view **ret)
{
    pr_status status = PR_OK;
    while (status == PR_OK && message->is_header_only && !message->is_told)
        status = fetch(message, PR_WANT_STRUCTURE, NULL, 0);
    if (status == PR_OK)
        status = message_view(message, ret);
    if (status == PR_OK && message->is_header_only &&
        message->told.text.data != NULL)
        view_take_tree(*ret, &message->told);
    return status;
}

/* Will `octets` more cost about as much as the whole message, which a delivery
 * would fetch as well? */
static bool is_most_of_it(const struct message *message, uint64_t octets)
{
    return octets + message->cost.parts > message->item->size / 2;
}

static pr_status need_content(struct message *message,
                              const struct view_part *part, uint64_t most)
{
    uint64_t octets = most == 0 || part->size < most ? part->size : most;

    if (part->is_multipart || is_most_of_it(message, octets))
        return message_whole(message);
    return fetch(message, PR_WANT_PART, part->path, most);
}

/* What is encoded is a third longer: twice as much fills a buffer, unless it is
 * a charset or an encoding that takes more, and then all of it is fetched. The
 * same number for parts of all sizes lets them be asked for in one command. */
static uint64_t guess_encoded(const struct pr_buffer *buffer)
{
    return 2 * (uint64_t)buffer->cap;
}

/* Text is cut between two characters. */
static bool is_full(const struct pr_buffer *buffer)
{
    return buffer->size + 4 > buffer->cap;
}

pr_status message_part(struct message *message, const char *path,
                       uint64_t octets, struct view **ret_view,
                       size_t *ret_part)
{
    for (;;) { /* the view is another once all of the message is here */
        const struct view_part *parts = NULL;
        size_t count = 0;
        pr_status status = message_parts(message, ret_view);
        if (status == PR_OK)
            status = view_parts(*ret_view, &parts, &count);
        if (status == PR_OK && !view_find_part(*ret_view, path, ret_part))
            return pr_fail(PR_GONE, "the message has no part %s", path);
        if (status == PR_OK && view_has_content(*ret_view, *ret_part, octets))
            return PR_OK;
        if (status == PR_OK)
            status = need_content(message, &parts[*ret_part], octets);
        if (status != PR_OK)
            return status;
    }
}

pr_status message_content(struct message *message, const char *path,
                          bool as_text, struct pr_buffer *buffer)
{
    uint64_t octets = guess_encoded(buffer);
    for (;;) {
        struct view *view = NULL;
        size_t part = 0;
        pr_status status = message_part(message, path, octets, &view, &part);
        if (status == PR_GONE && !message->is_header_only)
            return PR_OK;
        if (status == PR_OK)
            status = as_text ? view_part_text(view, part, buffer)
                             : view_part_octets(view, part, buffer);
        if (status != PR_OK || is_full(buffer) ||
            view_has_content(view, part, 0))
            return status;
        pr_buffer_clear(buffer);
        octets = 0;
    }
}

/* ---- What was fetched ---------------------------------------------------- */

void message_take_whole(struct message *message, struct pr_spool *spool)
{
    message->header = message->spool;
    message->header_view = message->view;
    message->spool = spool;
    message->view = NULL;
    message->is_header_only = false;
}

struct reading {
    const struct pr_part *parts;
    size_t count;
    struct tree *tree;
};

static pr_status read_told(void *argument)
{
    const struct reading *reading = argument;
    return tree_told(reading->parts, reading->count, reading->tree);
}

pr_status message_read_structure(const struct pr_part *parts, size_t count,
                                 struct tree *ret)
{
    struct reading reading = {parts, count, ret};
    decode_ready();
    return count <= FEW_PARTS ? read_told(&reading)
                              : pr_offload(read_told, &reading);
}

void message_take_structure(struct message *message, struct tree *tree)
{
    if (!message->is_header_only || message->is_told) {
        tree_done(tree);
        return;
    }
    message->told = *tree;
    message->is_told = true;
    *tree = (struct tree){.parts = {.cap = 0}};
}

pr_status message_take_part(struct message *message, const char *path,
                            uint64_t most, struct pr_spool *spool)
{
    size_t index = 0;
    if (!message->is_header_only || message->view == NULL ||
        !view_find_part(message->view, path, &index)) {
        spool_free(spool);
        return PR_OK;
    }
    return view_take_content(message->view, index, spool, most);
}
