/*
 * The lines of a server, taken apart.
 */
#include "reply.h"

#include <string.h>

#define CHALLENGE_MOST 128u

static bool starts_with(struct pr_bytes text, const char *head)
{
    size_t size = strlen(head);

    return text.size >= size && memcmp(text.data, head, size) == 0;
}

static void drop(struct pr_bytes *text, size_t size)
{
    text->data += size;
    text->size -= size;
}

static void drop_spaces(struct pr_bytes *text)
{
    while (text->size > 0 && *text->data == ' ')
        drop(text, 1);
}

/* ---- The first line ----------------------------------------------------- */

static const struct {
    const char *name;
    enum pop3_code code;
} codes[] = {
    {"LOGIN-DELAY", POP3_CODE_LOGIN_DELAY},
    {"IN-USE", POP3_CODE_IN_USE},
    {"SYS/TEMP", POP3_CODE_SYS_TEMP},
    {"SYS/PERM", POP3_CODE_SYS_PERM},
    {"AUTH", POP3_CODE_AUTH},
    {"UTF8", POP3_CODE_UTF8},
};

static enum pop3_code code_of(struct pr_bytes text)
{
    if (text.size == 0 || *text.data != '[')
        return POP3_CODE_NONE;
    const char *end = memchr(text.data, ']', text.size);
    if (end == NULL)
        return POP3_CODE_NONE;
    struct pr_bytes name = {text.data + 1, (size_t)(end - text.data) - 1};
    for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
        if (pr_bytes_equal_nocase(name, pr_bytes_of(codes[i].name)))
            return codes[i].code;
    return POP3_CODE_NONE;
}

bool pop3_reply_parse(struct pr_bytes line, struct pop3_reply *ret)
{
    static const struct {
        const char *text;
        enum pop3_indicator indicator;
    } indicators[] = {
        {"+OK", POP3_OK}, {"-ERR", POP3_ERR}, {"+", POP3_CONTINUE}};

    for (size_t i = 0; i < sizeof(indicators) / sizeof(*indicators); i++) {
        struct pr_bytes rest = line;
        if (!starts_with(line, indicators[i].text))
            continue;
        drop(&rest, strlen(indicators[i].text));
        if (rest.size > 0 && *rest.data != ' ')
            continue;
        drop_spaces(&rest);
        *ret =
            (struct pop3_reply){indicators[i].indicator, code_of(rest), rest};
        return true;
    }
    return false;
}

bool pop3_words_say_later(struct pr_bytes text)
{
    static const char *const signs[] = {
        "simultaneous",  "too many",      "try again",    "temporar",
        "unavailable",   "in use",        "busy",         "already",
        "later",         "too often",     "too soon",     "minutes",
        "to lock",       "maildrop lock", "mailbox lock", "locked by",
        "internal error"};

    for (size_t i = 0; i < sizeof(signs) / sizeof(*signs); i++) {
        struct pr_bytes sign = pr_bytes_of(signs[i]);
        for (size_t at = 0; at + sign.size <= text.size; at++)
            if (pr_bytes_equal_nocase(
                    (struct pr_bytes){text.data + at, sign.size}, sign))
                return true;
    }
    return false;
}

/* ---- Numbers ------------------------------------------------------------ */

bool pop3_number(struct pr_bytes *rest, uint64_t *ret)
{
    struct pr_bytes text = *rest;
    uint64_t number = 0;

    while (text.size > 0 && *text.data >= '0' && *text.data <= '9') {
        uint64_t digit = (uint64_t)(*text.data - '0');
        if (number > (UINT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
        drop(&text, 1);
    }
    if (text.data == rest->data || (text.size > 0 && *text.data != ' '))
        return false;
    drop_spaces(&text);
    *rest = text;
    *ret = number;
    return true;
}

bool pop3_entry_parse(struct pr_bytes line, uint64_t *ret_number,
                      struct pr_bytes *ret_rest)
{
    if (!pop3_number(&line, ret_number))
        return false;
    *ret_rest = line;
    return true;
}

/* ---- APOP --------------------------------------------------------------- */

/* RFC 5322, 3.2.3. */
static bool is_atom_text(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Atoms with single dots between. */
static bool is_dot_atom(struct pr_bytes text)
{
    bool is_after_atom = false;

    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '.' ? !is_after_atom : !is_atom_text(text.data[i]))
            return false;
        is_after_atom = text.data[i] != '.';
    }
    return is_after_atom;
}

/* RFC 5322, 3.6.4: no-fold-literal, as in [192.0.2.1]. */
static bool is_literal(struct pr_bytes text)
{
    if (text.size < 3 || text.data[0] != '[' || text.data[text.size - 1] != ']')
        return false;
    for (size_t i = 1; i < text.size - 1; i++)
        if (!is_atom_text(text.data[i]) && text.data[i] != '.' &&
            text.data[i] != ':')
            return false;
    return true;
}

struct pr_bytes pop3_challenge(struct pr_bytes greeting)
{
    const struct pr_bytes none = {"", 0};
    const char *begin =
        greeting.size == 0 ? NULL : memchr(greeting.data, '<', greeting.size);

    if (begin == NULL)
        return none;
    drop(&greeting, (size_t)(begin - greeting.data));
    const char *end = memchr(greeting.data, '>', greeting.size);
    const char *at = memchr(greeting.data, '@', greeting.size);
    if (end == NULL || at == NULL || at > end)
        return none;
    struct pr_bytes whole = {begin, (size_t)(end - begin) + 1};
    struct pr_bytes left = {begin + 1, (size_t)(at - begin) - 1};
    struct pr_bytes right = {at + 1, (size_t)(end - at) - 1};
    if (whole.size > CHALLENGE_MOST || !is_dot_atom(left) ||
        !(is_dot_atom(right) || is_literal(right)))
        return none;
    return whole;
}
