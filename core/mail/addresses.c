/*
 * The addresses of a view, by GMime.
 *
 * A list is made when it is first asked for and kept in the view's arena.
 * Groups are opened up (RFC 5322, 3.4): rules ask who, not how it was written.
 */
#include "config.h"

#include <string.h>

#include <postrider/fiber.h>

#include "mail/decode.h"
#include "mail/view_private.h"

/* Octets looked at in one field. */
#define TEXT_MAX (256 * 1024)
/* A longer text is read in the pool. */
#define SHORT_TEXT (16 * 1024)
/* Each colon may open a group. Groups in groups are against the grammar, but
 * GMime reads them, by recursion: 200 octets of stack for each. */
#define COLONS_MAX 100

struct collection {
    struct pr_arena *arena;
    struct view_address *addresses;
    size_t count, allocated;
};

/* `text` as valid UTF-8 in the arena; "" if there is no memory. */
static const char *keep(struct pr_arena *arena, const char *text)
{
    if (text == NULL || *text == '\0')
        return "";
    struct pr_buffer valid = {.cap = 3 * strlen(text)};
    const char *copy = NULL;
    if (decode_utf8(pr_bytes_of(text), &valid) == PR_OK)
        copy = pr_arena_text(arena, pr_buffer_text(&valid));
    pr_buffer_done(&valid);
    return copy != NULL ? copy : "";
}

static bool make_room(struct collection *all)
{
    if (all->count < all->allocated)
        return true;
    size_t allocated = all->allocated != 0 ? all->allocated * 4 : 4;
    struct view_address *addresses =
        pr_arena_array(all->arena, allocated, sizeof *addresses);
    if (addresses == NULL)
        return false;
    if (all->count != 0)
        memcpy(addresses, all->addresses, all->count * sizeof *addresses);
    all->addresses = addresses;
    all->allocated = allocated;
    return true;
}

static void add_address(struct collection *all, const char *name,
                        const char *address)
{
    if (all->count >= VIEW_ADDRESSES_MAX || !make_room(all))
        return;
    char *whole = pr_arena_text(all->arena, keep(all->arena, address));
    if (whole == NULL)
        return;
    char *at = strrchr(whole, '@');
    for (char *c = at; c != NULL && *c != '\0'; c++)
        *c = g_ascii_tolower(*c);
    struct pr_bytes local = pr_bytes_of(whole);
    if (at != NULL)
        local.size = (size_t)(at - whole);
    const char *local_part = pr_arena_bytes(all->arena, local);
    if (local_part == NULL)
        return;
    all->addresses[all->count++] = (struct view_address){
        .name = keep(all->arena, name),
        .address = whole,
        .local_part = local_part,
        .domain = at != NULL ? at + 1 : "",
    };
}

static void collect(InternetAddressList *list, struct collection *all)
{
    int count = list != NULL ? internet_address_list_length(list) : 0;
    for (int i = 0; i < count && all->count < VIEW_ADDRESSES_MAX; i++) {
        InternetAddress *one = internet_address_list_get_address(list, i);
        if (INTERNET_ADDRESS_IS_MAILBOX(one))
            add_address(all, internet_address_get_name(one),
                        internet_address_mailbox_get_addr(
                            INTERNET_ADDRESS_MAILBOX(one)));
        else if (INTERNET_ADDRESS_IS_GROUP(one))
            collect(
                internet_address_group_get_members(INTERNET_ADDRESS_GROUP(one)),
                all);
    }
}

static void cut_at_colons(char *text)
{
    for (unsigned colons = 0; *text != '\0'; text++)
        if (*text == ':' && ++colons > COLONS_MAX)
            *text = '\0';
}

struct job {
    const char *text;
    InternetAddressList *list; /* NULL if there is none in it */
};

/* Offloaded if the text is long. */
static pr_status parse(void *argument)
{
    struct job *job = argument;
    job->list = internet_address_list_parse(decode_options(), job->text);
    return PR_OK;
}

static pr_status read_addresses(struct pr_bytes raw, struct collection *all)
{
    struct pr_buffer text = {.cap = SIZE_MAX - 1}; /* TEXT_MAX binds it */
    struct job job = {.list = NULL};

    if (raw.size > TEXT_MAX)
        raw.size = TEXT_MAX;
    pr_status status = decode_structured(raw, &text);
    if (status == PR_OK && text.size != 0) {
        decode_ready();
        cut_at_colons(text.data);
        job.text = text.data;
        status =
            text.size <= SHORT_TEXT ? parse(&job) : pr_offload(parse, &job);
    }
    if (job.list != NULL) {
        collect(job.list, all);
        g_object_unref(job.list);
    }
    pr_buffer_done(&text);
    return status;
}

static struct address_list *make_list(struct view *view, const char *name)
{
    struct collection all = {.arena = view->arena};
    struct view_field field;
    size_t index = 0;

    while (view_find_field(view, name, &index, &field))
        if (read_addresses(field.raw, &all) != PR_OK)
            return NULL;
    struct address_list *list = pr_arena_alloc(view->arena, sizeof *list);
    char *kept_name = pr_arena_text(view->arena, name);
    if (list == NULL || kept_name == NULL)
        return NULL;
    *list = (struct address_list){
        .next = view->lists,
        .field = kept_name,
        .addresses = all.addresses,
        .count = all.count,
    };
    view->lists = list;
    return list;
}

const struct view_address *view_addresses(struct view *view, const char *name,
                                          size_t *ret_count)
{
    struct address_list *list = view->lists;
    while (list != NULL && g_ascii_strcasecmp(list->field, name) != 0)
        list = list->next;
    if (list == NULL)
        list = make_list(view, name);
    *ret_count = list != NULL ? list->count : 0;
    return list != NULL ? list->addresses : NULL;
}
