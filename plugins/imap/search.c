/*
 * Searching on the server: UID SEARCH (RFC 3501, 6.4.4; RFC 9051, 6.4.4), with
 * ESEARCH (RFC 4731) and WITHIN (RFC 5032) where the server has them.
 *
 * Texts go as strings, as quoted or literals, so that none of them is ever read
 * as another key.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "flags.h"
#include "imap.h"

struct searching {
    struct imap *imap;
    struct imap_command command;
    pr_found *found;
    void *user;
    uint64_t count; /* messages told so far */
};

/* ---- What cannot be asked -------------------------------------------------
 */

static bool is_ascii(const char *text)
{
    for (; text != NULL && *text != '\0'; text++)
        if ((unsigned char)*text >= 0x80)
            return false;
    return true;
}

/* Would the server take the end of the line for that of a literal's head? */
static bool ends_in_brace(const char *text)
{
    size_t size = text != NULL ? strlen(text) : 0;

    return size > 0 && text[size - 1] == '}';
}

static pr_status check_key(const struct imap *imap,
                           const struct pr_search_key *key)
{
    bool has_line_end =
        (key->text != NULL && strpbrk(key->text, "\r\n") != NULL) ||
        (key->name != NULL && strpbrk(key->name, "\r\n") != NULL);

    char date[IMAP_DATE_SIZE];

    if (key->time != 0 && !imap_date_format(key->time, date))
        return pr_fail(PR_CONFIG, "a date to search by is out of range");
    if (has_line_end)
        return pr_fail(PR_CONFIG, "what is searched for has more than one "
                                  "line");
    if (key->by == PR_SEARCH_GMAIL && !imap_can(imap, IMAP_CAN_GMAIL))
        return pr_fail(PR_UNSUPPORTED,
                       "the server cannot search by `gmail`: it does not have "
                       "X-GM-EXT-1");
    if (key->by == PR_SEARCH_RAW && !is_ascii(key->text))
        return pr_fail(PR_CONFIG,
                       "`raw` can be ASCII only: use `subject`, `text` and "
                       "their like, which know how to send other letters");
    if (key->by == PR_SEARCH_RAW && ends_in_brace(key->text))
        return pr_fail(PR_CONFIG, "`raw` cannot end with a brace, which would "
                                  "announce a literal");
    return PR_OK;
}

static pr_status check_keys(const struct imap *imap,
                            const struct pr_search_key *keys, size_t count)
{
    pr_status status = PR_OK;

    for (size_t i = 0; status == PR_OK && i < count; i++)
        status = check_key(imap, &keys[i]);
    return status;
}

/* ---- Keys -----------------------------------------------------------------
 */

static pr_status put_text(struct searching *searching, const char *word,
                          const char *text)
{
    pr_status status = imap_put(searching->imap, word);

    if (status == PR_OK)
        status = imap_put(searching->imap, " ");
    return status != PR_OK
               ? status
               : imap_put_string(searching->imap, &searching->command,
                                 pr_bytes_of(text), false);
}

static pr_status put_number(struct searching *searching, const char *word,
                            uint64_t number)
{
    char text[60];

    /* RFC 3501, 9: number has 32 bits; larger is no message. */
    if (number > UINT32_MAX)
        number = UINT32_MAX;
    snprintf(text, sizeof(text), "%s %" PRIu64, word, number);
    return imap_put(searching->imap, text);
}

/* RFC 3501, 9: date. Dates have no zone: the server goes by those that it
 * stored. */
static pr_status put_date(struct searching *searching, const char *word,
                          int64_t when)
{
    char text[IMAP_DATE_SIZE], put[60];

    if (!imap_date_format(when, text))
        return pr_fail(PR_CONFIG, "a date to search by is out of range");
    int skipped = text[1] == ' ' ? 2 : 1;
    snprintf(put, sizeof(put), "%s %.*s", word, 12 - skipped, text + skipped);
    return imap_put(searching->imap, put);
}

/* How long ago it was, for OLDER and YOUNGER, which count from 1. */
static uint64_t age(int64_t when)
{
    int64_t now = time(NULL);

    return now > when ? (uint64_t)(now - when) : 1;
}

static pr_status put_received(struct searching *searching,
                              const struct pr_search_key *key)
{
    bool is_before = key->by == PR_SEARCH_BEFORE;

    if (key->is_exact && imap_can(searching->imap, IMAP_CAN_WITHIN))
        return put_number(searching, is_before ? "OLDER" : "YOUNGER",
                          age(key->time));
    return put_date(searching, is_before ? "BEFORE" : "SINCE", key->time);
}

static pr_status put_flag(struct searching *searching,
                          const struct pr_search_key *key)
{
    static const struct {
        unsigned flag;
        const char *set, *clear;
    } words[] = {
        {PR_FLAG_SEEN, "SEEN", "UNSEEN"},
        {PR_FLAG_ANSWERED, "ANSWERED", "UNANSWERED"},
        {PR_FLAG_FLAGGED, "FLAGGED", "UNFLAGGED"},
        {PR_FLAG_DELETED, "DELETED", "UNDELETED"},
        {PR_FLAG_DRAFT, "DRAFT", "UNDRAFT"},
        {PR_FLAG_RECENT, "RECENT", "OLD"},
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (words[i].flag == key->flag)
            return imap_put(searching->imap,
                            key->is_not ? words[i].clear : words[i].set);
    return pr_fail(PR_BUG, "a search by no flag");
}

static pr_status put_keyword(struct searching *searching, const char *keyword)
{
    pr_status status = imap_put(searching->imap, "KEYWORD ");

    return status != PR_OK ? status : imap_put(searching->imap, keyword);
}

static pr_status put_uids(struct searching *searching,
                          const struct pr_search_key *key)
{
    struct imap_uidset set;
    struct pr_bytes text;
    pr_status status = imap_put(searching->imap, "UID ");

    imap_uidset_init(&set);
    for (size_t i = 0; status == PR_OK && i < key->uid_count; i++)
        status = imap_uidset_add(&set, key->uids[i].first, key->uids[i].last);
    if (status == PR_OK)
        status = imap_uidset_finish(&set, &text);
    if (status == PR_OK)
        status = imap_put_bytes(searching->imap, text);
    imap_uidset_done(&set);
    return status;
}

static pr_status put_label(struct searching *searching, const char *label)
{
    struct pr_buffer encoded = {.cap = IMAP_TOKEN_CAP};
    pr_status status;

    if (!imap_can(searching->imap, IMAP_CAN_GMAIL))
        return put_keyword(searching, label);
    status = imap_label_encode(searching->imap, pr_bytes_of(label), &encoded);
    if (status == PR_OK)
        status = put_text(searching, "X-GM-LABELS", pr_buffer_text(&encoded));
    pr_buffer_done(&encoded);
    return status;
}

static pr_status put_header(struct searching *searching,
                            const struct pr_search_key *key)
{
    pr_status status = put_text(searching, "HEADER", key->name);

    return status != PR_OK ? status : put_text(searching, "", key->text);
}

static pr_status put_raw(struct searching *searching, const char *text)
{
    pr_status status = imap_put(searching->imap, "(");

    if (status == PR_OK)
        status = imap_put(searching->imap, text);
    return status != PR_OK ? status : imap_put(searching->imap, ")");
}

static pr_status put_key(struct searching *searching,
                         const struct pr_search_key *key)
{
    static const char *const words[] = {
        [PR_SEARCH_FROM] = "FROM", [PR_SEARCH_TO] = "TO",
        [PR_SEARCH_CC] = "CC",     [PR_SEARCH_BCC] = "BCC",
        [PR_SEARCH_BODY] = "BODY", [PR_SEARCH_SUBJECT] = "SUBJECT",
        [PR_SEARCH_TEXT] = "TEXT", [PR_SEARCH_GMAIL] = "X-GM-RAW",
    };
    pr_status status = PR_OK;

    if (key->is_not && key->by != PR_SEARCH_FLAG)
        status = imap_put(searching->imap, "NOT ");
    if (status != PR_OK)
        return status;
    switch (key->by) {
    case PR_SEARCH_ALL:
        return imap_put(searching->imap, "ALL");
    case PR_SEARCH_BEFORE:
    case PR_SEARCH_SINCE:
        return put_received(searching, key);
    case PR_SEARCH_SENT_BEFORE:
        return put_date(searching, "SENTBEFORE", key->time);
    case PR_SEARCH_SENT_SINCE:
        return put_date(searching, "SENTSINCE", key->time);
    case PR_SEARCH_HEADER:
        return put_header(searching, key);
    case PR_SEARCH_LARGER:
        return put_number(searching, "LARGER", key->octets);
    case PR_SEARCH_SMALLER:
        return put_number(searching, "SMALLER", key->octets);
    case PR_SEARCH_FLAG:
        return put_flag(searching, key);
    case PR_SEARCH_KEYWORD:
        return put_keyword(searching, key->text);
    case PR_SEARCH_LABEL:
        return put_label(searching, key->text);
    case PR_SEARCH_UIDS:
        return put_uids(searching, key);
    case PR_SEARCH_RAW:
        return put_raw(searching, key->text);
    default:
        return put_text(searching, words[key->by], key->text);
    }
}

/* "OR a OR b c" is one key. */
static pr_status put_keys(struct searching *searching,
                          const struct pr_search_key *keys, size_t count)
{
    pr_status status = PR_OK;

    for (size_t i = 0; status == PR_OK && i < count; i++) {
        status = imap_put(searching->imap, " ");
        if (status == PR_OK && keys[i].or_next && i + 1 < count)
            status = imap_put(searching->imap, "OR ");
        if (status == PR_OK)
            status = put_key(searching, &keys[i]);
    }
    return status;
}

/* ---- Commands -------------------------------------------------------------
 */

static bool needs_charset(const struct imap *imap,
                          const struct pr_search_key *keys, size_t count)
{
    if (imap->utf8) /* RFC 6855, 3: no CHARSET then */
        return false;
    for (size_t i = 0; i < count; i++)
        if (!is_ascii(keys[i].text) || !is_ascii(keys[i].name))
            return true;
    return false;
}

/* Half a command cannot be taken back: what fails in it but by the server's
 * refusal breaks the session, so keys were checked before. */
static pr_status put_command(struct searching *searching,
                             const struct pr_search_key *keys, size_t count,
                             const struct pr_range *window)
{
    struct imap *imap = searching->imap;
    struct pr_search_key uids = {
        .by = PR_SEARCH_UIDS, .uids = window, .uid_count = 1};
    pr_status status = imap_begin(imap, &searching->command, "SEARCH");

    if (status == PR_OK)
        status = imap_put(imap, "UID SEARCH");
    if (status == PR_OK && imap_can(imap, IMAP_CAN_ESEARCH))
        status = imap_put(imap, " RETURN (ALL)");
    if (status == PR_OK && needs_charset(imap, keys, count))
        status = imap_put(imap, " CHARSET UTF-8");
    if (status == PR_OK && window != NULL)
        status = put_keys(searching, &uids, 1);
    if (status == PR_OK)
        status = put_keys(searching, keys, count);
    return status == PR_OK ? imap_end(imap) : status;
}

static pr_status note_found(void *user, const struct imap_response *told)
{
    struct searching *searching = user;
    pr_status status = PR_OK;

    if (told->kind != IMAP_SEARCH)
        return PR_OK;
    for (size_t at = 0; status == PR_OK && at < told->ranges.size;
         at += sizeof(struct pr_range)) {
        struct pr_range range;
        memcpy(&range, told->ranges.data + at, sizeof(range));
        searching->count += (uint64_t)range.last - range.first + 1;
        /* Messages that are expunged meanwhile may be told, too; but no folder
         * has all the UIDs there are. */
        if (range.last == UINT32_MAX || searching->count > UINT32_MAX / 2)
            return pr_fail(PR_PROTOCOL, "the server found more messages than "
                                        "there are");
        status = searching->found(searching->user, range);
    }
    return status;
}

static pr_status verdict(const struct searching *searching, bool has_charset)
{
    const struct imap_command *command = &searching->command;

    if (command->condition == IMAP_OK)
        return PR_OK;
    if (has_charset && command->condition == IMAP_NO)
        return pr_fail(PR_UNSUPPORTED,
                       "SEARCH: the server cannot search for letters beyond "
                       "ASCII: %s",
                       command->text);
    if (command->condition == IMAP_BAD)
        return pr_fail(PR_REFUSED, "SEARCH: the server does not understand: %s",
                       command->text);
    return imap_verdict(command, PR_REFUSED);
}

static pr_status search_window(struct searching *searching,
                               const struct pr_search_key *keys, size_t count,
                               const struct pr_range *window)
{
    struct imap *imap = searching->imap;

    imap_listen(imap, note_found, NULL, searching);
    pr_status status = put_command(searching, keys, count, window);
    if (status != PR_OK && !searching->command.is_done)
        status = imap_check(imap) != PR_OK ? status : imap_break(imap, status);
    else if (status == PR_OK)
        status = imap_await(imap, &searching->command);
    imap_listen(imap, NULL, NULL, NULL);
    return status != PR_OK && !searching->command.is_done
               ? status
               : verdict(searching, needs_charset(imap, keys, count));
}

/* ---- The operation --------------------------------------------------------
 */

/* A set of UIDs that no command can hold. */
static pr_status check_uids(const struct pr_search_key *keys, size_t count)
{
    struct imap_uidset set;
    pr_status status = PR_OK;

    for (size_t i = 0; status == PR_OK && i < count; i++) {
        imap_uidset_init(&set);
        for (size_t j = 0; status == PR_OK && j < keys[i].uid_count; j++)
            status = imap_uidset_add(&set, keys[i].uids[j].first,
                                     keys[i].uids[j].last);
        imap_uidset_done(&set);
    }
    return status == PR_LIMIT
               ? pr_fail(PR_LIMIT, "too many UIDs for one search: take the "
                                   "intersection of two sets instead, a * b")
               : status;
}

pr_status imap_op_search(struct pr_source *source,
                         const struct pr_search_key *keys, size_t count,
                         pr_found *found, void *user)
{
    struct imap *imap = source->state;
    struct searching searching = {.imap = imap, .found = found, .user = user};
    uint32_t next = imap->folder.uidnext;
    pr_status status = imap_check(imap);

    if (status == PR_OK && imap->folder.arena == NULL)
        return pr_fail(PR_BUG, "no folder is selected");
    if (status == PR_OK)
        status = check_keys(imap, keys, count);
    if (status == PR_OK)
        status = check_uids(keys, count);
    if (status == PR_OK && imap->enable.name != NULL)
        status = imap_await(imap, &imap->enable);
    if (status != PR_OK || imap->folder.exists == 0)
        return status;
    if (next == 0 || imap->folder.exists <= IMAP_SEARCH_MOST)
        return search_window(&searching, keys, count, NULL);
    for (uint32_t first = 1; status == PR_OK && first < next;) {
        bool is_last = next - first <= IMAP_SEARCH_MOST;
        struct pr_range window = {
            first, is_last ? UINT32_MAX : first + IMAP_SEARCH_MOST - 1};
        status = search_window(&searching, keys, count, &window);
        if (is_last)
            break;
        first += IMAP_SEARCH_MOST;
    }
    return status;
}
