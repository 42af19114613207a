/*
 * Folders' names between the core and the wire.
 *
 * The core knows UTF-8; the wire knows modified UTF-7 or, once UTF8=ACCEPT is
 * enabled, UTF-8 as well. A name the server itself spells wrongly is shown and
 * sent back as it came.
 */
#include <string.h>

#include "imap.h"
#include "utf7.h"

#define NAME_CAP 1000u

/* A name that was shown raw. */
struct imap_raw_name {
    struct imap_raw_name *next;
    const char *name;
};

bool imap_is_inbox(const char *name)
{
    return pr_bytes_equal_nocase(pr_bytes_of(name), PR_BYTES("INBOX"));
}

static bool is_raw(const struct imap *imap, const char *name)
{
    for (const struct imap_raw_name *raw = imap->raw_names; raw != NULL;
         raw = raw->next)
        if (strcmp(raw->name, name) == 0)
            return true;
    return false;
}

static pr_status note_raw(struct imap *imap, const char *name)
{
    if (is_raw(imap, name))
        return PR_OK;
    struct imap_raw_name *raw = pr_arena_alloc(imap->arena, sizeof(*raw));
    if (raw == NULL)
        return PR_NOMEM;
    *raw = (struct imap_raw_name){imap->raw_names, name};
    imap->raw_names = raw;
    return PR_OK;
}

/* UTF-8 that people can read and files can be called: checked by writing it in
 * the other encoding, which takes nothing else. */
static bool is_fit(struct pr_bytes name)
{
    struct pr_buffer scratch = {.cap = 8u * NAME_CAP};
    bool fits = name.size > 0 && name.size <= NAME_CAP &&
                imap_utf7_encode(name, &scratch) == PR_OK;

    pr_buffer_done(&scratch);
    return fits;
}

pr_status imap_name_read(struct imap *imap, struct pr_bytes wire,
                         const char **ret)
{
    struct pr_buffer decoded = {.cap = IMAP_TOKEN_CAP};
    struct pr_bytes name = wire;
    bool shown_raw = false;
    pr_status status = PR_OK;

    *ret = NULL;
    if (!imap->utf8) {
        shown_raw = imap_utf7_decode(wire, &decoded) != PR_OK;
        if (!shown_raw)
            name = (struct pr_bytes){pr_buffer_text(&decoded), decoded.size};
    }
    if (is_fit(name)) {
        *ret = pr_arena_bytes(imap->arena, name);
        if (*ret == NULL)
            status = PR_NOMEM;
        else if (shown_raw)
            status = note_raw(imap, *ret);
    } else {
        pr_log(imap->log, PR_LOG_WARNING,
               "left out: a folder whose name is no usable text: \"%.*s\"",
               (int)(wire.size < 100 ? wire.size : 100), wire.data);
    }
    pr_buffer_done(&decoded);
    return status;
}

bool imap_name_is_plain(const char *name)
{
    for (; *name != '\0'; name++)
        if (*name < ' ' || *name > '~' || *name == '&')
            return false;
    return true;
}

pr_status imap_name_prepare(struct imap *imap, const char *name)
{
    if (imap_name_is_plain(name) && *name != '\0')
        return PR_OK;
    if (!is_fit(pr_bytes_of(name)) && !is_raw(imap, name))
        return pr_fail(PR_CONFIG, "\"%s\" cannot be a folder's name", name);
    return imap->enable.name == NULL ? PR_OK : imap_await(imap, &imap->enable);
}

pr_status imap_put_name(struct imap *imap, struct imap_command *command,
                        const char *name)
{
    struct pr_buffer encoded = {.cap = IMAP_TOKEN_CAP};
    struct pr_bytes wire = pr_bytes_of(name);
    pr_status status = PR_OK;

    if (!imap->utf8 && !is_raw(imap, name)) {
        status = imap_utf7_encode(wire, &encoded);
        if (status != PR_OK) /* half a command cannot be taken back */
            status = imap_break(imap, status);
        wire = (struct pr_bytes){pr_buffer_text(&encoded), encoded.size};
    }
    if (status == PR_OK)
        status = imap_put_string(imap, command, wire, false);
    pr_buffer_done(&encoded);
    return status;
}

/* Marks in `reach` where in `name` the pattern so far may end. */
static void advance(char p, const char *name, size_t size, char separator,
                    bool *reach)
{
    if (p != '*' && p != '%') {
        for (size_t i = size; i > 0; i--)
            reach[i] = reach[i - 1] && name[i - 1] == p;
        reach[0] = false;
        return;
    }
    for (size_t i = 1; i <= size; i++)
        reach[i] |= reach[i - 1] &&
                    (p == '*' || name[i - 1] != separator || separator == '\0');
}

bool imap_name_matches(const char *pattern, const char *name, char separator)
{
    bool reach[NAME_CAP + 1] = {true};
    size_t size = strlen(name);

    if (imap_is_inbox(pattern) && imap_is_inbox(name))
        return true;
    if (size > NAME_CAP)
        return false;
    for (; *pattern != '\0'; pattern++)
        advance(*pattern, name, size, separator, reach);
    return reach[size];
}
