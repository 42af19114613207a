/*
 * The environment of a program.
 *
 * What comes from the mail gets only into variables of fixed names. Addresses
 * go through a list of characters that mean nothing to a shell, a pattern or an
 * option, since scripts are written in haste: one that has others is left out,
 * never mended.
 */
#include "config.h"

#include "facts.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <postrider/header.h>

#define HEADER_MOST ((size_t)256 * 1024)
#define ADDRESS_MOST 320 /* RFC 5321, 4.5.3.1: 64 octets, "@", 255 octets */
#define FACTS_MOST 16
#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

struct list {
    struct pr_arena *arena;
    const char **entries; /* ended by NULL */
    size_t count, room;
    bool has_failed;
};

/* ---- Names and values ---------------------------------------------------- */

static size_t name_size(const char *entry)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

    return entry[0] >= '0' && entry[0] <= '9' ? 0 : strspn(entry, letters);
}

bool facts_is_variable(const char *entry)
{
    size_t size = name_size(entry);

    return size > 0 && (entry[size] == '=' || entry[size] == '\0');
}

static size_t find(const char *const *env, size_t count, const char *name,
                   size_t size)
{
    for (size_t i = 0; i < count; i++)
        if (strncmp(env[i], name, size) == 0 && env[i][size] == '=')
            return i;
    return count;
}

const char *facts_get(const char *const *env, const char *name)
{
    size_t count = 0;

    while (env[count] != NULL)
        count++;
    size_t at = find(env, count, name, strlen(name));
    return at < count ? env[at] + strlen(name) + 1 : NULL;
}

/* ---- A list of them ------------------------------------------------------ */

static bool list_new(struct list *list, struct pr_arena *arena, size_t room)
{
    *list = (struct list){.arena = arena, .room = room};
    list->entries = pr_arena_array(arena, room + 1, sizeof(*list->entries));
    return list->entries != NULL;
}

static void put(struct list *list, const char *entry, bool wins)
{
    size_t at = find(list->entries, list->count, entry, name_size(entry));

    if (at == list->count && at == list->room)
        list->has_failed = true;
    else if (at == list->count)
        list->entries[list->count++] = entry;
    else if (wins)
        list->entries[at] = entry;
}

/* Lines of a text become one: no value has control characters. */
static void add(struct list *list, const char *name, const char *value)
{
    char *entry = pr_arena_printf(list->arena, "%s=%s", name, value);

    if (entry == NULL) {
        list->has_failed = true;
        return;
    }
    for (char *at = entry; *at != '\0'; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = '?';
    put(list, entry, false);
}

static void add_number(struct list *list, const char *name, int64_t value)
{
    char *text = pr_arena_printf(list->arena, "%" PRId64, value);

    if (text == NULL)
        list->has_failed = true;
    else
        add(list, name, text);
}

static pr_status list_done(const struct list *list, const char *const **ret)
{
    if (list->has_failed)
        return pr_fail(PR_NOMEM, "out of memory for an environment");
    *ret = list->entries;
    return PR_OK;
}

/* ---- Of every message ---------------------------------------------------- */

static void add_ours(struct list *list, const char *name, const char *fallback)
{
    const char *value = getenv(name);

    if (value == NULL || value[0] == '\0')
        value = fallback;
    if (value != NULL)
        add(list, name, value);
}

static void add_more(struct list *list, const char *entry)
{
    size_t size = name_size(entry);

    if (entry[size] == '\0') {
        const char *ours = getenv(entry);
        if (ours == NULL)
            return;
        entry = pr_arena_printf(list->arena, "%s=%s", entry, ours);
    }
    if (entry == NULL)
        list->has_failed = true;
    else
        put(list, entry, true);
}

pr_status facts_base(struct pr_arena *arena, const char *const *more,
                     const char *const **ret, const char **ret_home)
{
    const struct passwd *user = getpwuid(getuid());
    const char *name = user != NULL ? user->pw_name : NULL;
    size_t count = 0;
    struct list list;

    while (more != NULL && more[count] != NULL)
        count++;
    if (!list_new(&list, arena, count + 8))
        return PR_NOMEM;
    add_ours(&list, "HOME", user != NULL ? user->pw_dir : "/");
    add_ours(&list, "PATH", DEFAULT_PATH);
    add_ours(&list, "USER", name);
    add_ours(&list, "LOGNAME", name);
    add(&list, "SHELL", "/bin/sh");
    add_ours(&list, "LANG", NULL);
    add_ours(&list, "TZ", NULL);
    for (size_t i = 0; i < count; i++)
        add_more(&list, more[i]);
    pr_status status = list_done(&list, ret);
    if (status == PR_OK)
        *ret_home = facts_get(*ret, "HOME");
    return status;
}

/* ---- Of one -------------------------------------------------------------- */

static bool is_plain(struct pr_bytes address)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        "!%+,-./:=@_";

    if (address.size > ADDRESS_MOST)
        return false;
    for (size_t i = 0; i < address.size; i++) {
        unsigned char octet = (unsigned char)address.data[i];
        if (octet < 0x80 && (octet == 0 || strchr(allowed, octet) == NULL))
            return false;
    }
    return address.size == 0 || address.data[0] != '-';
}

static const char *address_in(struct pr_bytes header, const char *field,
                              struct pr_arena *arena)
{
    struct pr_bytes address;

    if (!pr_header_path(header, field, &address) || !is_plain(address) ||
        address.size == 0)
        return "";
    return pr_arena_bytes(arena, address);
}

static void add_addresses(struct list *list, struct pr_bytes header,
                          const char **ret_sender)
{
    static const char *const originals[] = {"X-Original-To", "Envelope-To",
                                            "X-Envelope-To"};
    const char *sender = address_in(header, "Return-Path", list->arena);
    const char *recipient = address_in(header, "Delivered-To", list->arena);
    const char *original = "";

    for (size_t i = 0; i < sizeof(originals) / sizeof(*originals) &&
                       original != NULL && original[0] == '\0';
         i++)
        original = address_in(header, originals[i], list->arena);
    if (sender == NULL || recipient == NULL || original == NULL) {
        list->has_failed = true;
        return;
    }
    *ret_sender = sender;
    add(list, "SENDER", sender);
    add(list, "RECIPIENT", recipient);
    add(list, "ORIGINAL_RECIPIENT", original[0] != '\0' ? original : recipient);
}

pr_status facts_of(const struct pr_delivery *delivery, const char *const *base,
                   struct pr_arena *arena, const char *const **ret,
                   const char **ret_sender)
{
    struct pr_buffer header;
    struct list list;
    size_t count = 0;

    while (base[count] != NULL)
        count++;
    if (!list_new(&list, arena, count + FACTS_MOST))
        return PR_NOMEM;
    for (size_t i = 0; i < count; i++)
        put(&list, base[i], true);
    add(&list, "POSTRIDER_ACCOUNT", delivery->account);
    add(&list, "POSTRIDER_FOLDER", delivery->source_folder);
    add(&list, "POSTRIDER_SUBFOLDER", delivery->folder);
    add(&list, "POSTRIDER_KEY", delivery->key);
    add_number(&list, "POSTRIDER_UID", delivery->uid);
    add_number(&list, "POSTRIDER_RECEIVED", delivery->received);
    add_number(&list, "POSTRIDER_SIZE",
               (int64_t)pr_spool_size(delivery->spool));
    pr_status status = pr_header_read(delivery->spool, HEADER_MOST, &header);
    if (status == PR_OK)
        add_addresses(&list, (struct pr_bytes){header.data, header.size},
                      ret_sender);
    pr_buffer_done(&header);
    return status == PR_OK ? list_done(&list, ret) : status;
}
