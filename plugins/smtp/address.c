/*
 * Addresses as an envelope carries them.
 */
#include "config.h"

#include "address.h"

#include <string.h>

#define LOCAL_MOST 64u   /* RFC 5321, 4.5.3.1.1 */
#define DOMAIN_MOST 255u /* 4.5.3.1.2 */
#define LABEL_MOST 63u   /* RFC 1035, 2.3.4 */

static bool is_letter_or_digit(unsigned char octet)
{
    return (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z') ||
           (octet >= '0' && octet <= '9');
}

/* RFC 5322, 3.2.3; RFC 6531, 3.3 adds UTF-8. */
static bool is_atext(unsigned char octet)
{
    return is_letter_or_digit(octet) || octet >= 0x80 ||
           (octet != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", octet) != NULL);
}

/* RFC 3629: octets that follow a first octet, 0 if it is none; the least and
 * most that the second may be. */
static size_t utf8_rest(unsigned char first, unsigned char *least,
                        unsigned char *most)
{
    *least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    *most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (first >= 0xc2 && first <= 0xdf)
        return 1;
    if (first >= 0xe0 && first <= 0xef)
        return 2;
    return first >= 0xf0 && first <= 0xf4 ? 3 : 0;
}

static bool is_utf8(struct pr_bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char first = (unsigned char)text.data[i], least, most;
        if (first < 0x80)
            continue;
        size_t rest = utf8_rest(first, &least, &most);
        if (rest == 0 || rest > text.size - 1 - i)
            return false;
        for (; rest > 0; rest--) {
            unsigned char next = (unsigned char)text.data[++i];
            if (next < least || next > most)
                return false;
            least = 0x80;
            most = 0xbf;
        }
        /* C1 controls, which terminals may obey */
        if (first == 0xc2 && (unsigned char)text.data[i] < 0xa0)
            return false;
    }
    return true;
}

static bool is_ascii(struct pr_bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (((unsigned char)text.data[i] & 0x80) != 0)
            return false;
    return true;
}

bool smtp_text_is_utf8(struct pr_bytes text)
{
    return !is_ascii(text) && is_utf8(text);
}

static bool is_dot_string(struct pr_bytes text)
{
    bool was_dot = true;

    for (size_t i = 0; i < text.size; i++) {
        bool is_dot = text.data[i] == '.';
        if (is_dot ? was_dot : !is_atext((unsigned char)text.data[i]))
            return false;
        was_dot = is_dot;
    }
    return !was_dot;
}

/* Printable octets; a backslash takes the next one as it is. */
static bool is_quoted_string(struct pr_bytes text)
{
    if (text.size < 2 || text.data[0] != '"' || text.data[text.size - 1] != '"')
        return false;
    for (size_t i = 1; i < text.size - 1; i++) {
        if (text.data[i] == '"')
            return false;
        if (text.data[i] == '\\' && ++i == text.size - 1)
            return false;
        unsigned char octet = (unsigned char)text.data[i];
        if (octet < ' ' || octet == 0x7f)
            return false;
    }
    return true;
}

/* Letters, digits and hyphens (which neither begin nor end a label). The
 * underscore is in no host name, but in names that are in use. */
static bool is_domain(struct pr_bytes text)
{
    size_t label = 0;

    for (size_t i = 0; i < text.size; i++) {
        unsigned char octet = (unsigned char)text.data[i];
        if (octet == '.') {
            if (label == 0 || text.data[i - 1] == '-')
                return false;
            label = 0;
            continue;
        }
        if (!is_letter_or_digit(octet) && octet < 0x80 && octet != '_' &&
            (octet != '-' || label == 0))
            return false;
        if (++label > LABEL_MOST)
            return false;
    }
    return label > 0 && text.data[text.size - 1] != '-';
}

/* RFC 5321, 4.1.3: dcontent between brackets. */
static bool is_literal(struct pr_bytes text)
{
    if (text.size < 3 || text.data[0] != '[' || text.data[text.size - 1] != ']')
        return false;
    for (size_t i = 1; i < text.size - 1; i++) {
        unsigned char octet = (unsigned char)text.data[i];
        if (!is_letter_or_digit(octet) && octet != '.' && octet != ':' &&
            octet != '-')
            return false;
    }
    return true;
}

/* The "@" before the domain: in a literal and in a domain there is none. */
static size_t find_at(struct pr_bytes address)
{
    size_t at = address.size;

    while (at > 0 && address.data[at - 1] != '@' && address.data[at - 1] != '"')
        at--;
    return at > 0 && address.data[at - 1] == '@' ? at - 1 : address.size;
}

enum smtp_address_kind smtp_address_kind(struct pr_bytes address,
                                         bool may_be_local)
{
    size_t at = find_at(address);
    struct pr_bytes local = {address.data, at};
    struct pr_bytes domain = smtp_address_domain(address);
    bool has_domain = at < address.size;

    if (address.size == 0 || address.size > SMTP_ADDRESS_MOST ||
        address.data[0] == '-' || local.size > LOCAL_MOST ||
        domain.size > DOMAIN_MOST)
        return SMTP_ADDRESS_NONE;
    if (!is_dot_string(local) && !is_quoted_string(local))
        return SMTP_ADDRESS_NONE;
    if (has_domain ? !is_domain(domain) && !is_literal(domain) : !may_be_local)
        return SMTP_ADDRESS_NONE;
    if (is_ascii(address))
        return SMTP_ADDRESS_ASCII;
    return is_utf8(address) ? SMTP_ADDRESS_UTF8 : SMTP_ADDRESS_NONE;
}

struct pr_bytes smtp_address_domain(struct pr_bytes address)
{
    size_t at = find_at(address);

    if (at == address.size)
        return (struct pr_bytes){address.data + at, 0};
    return (struct pr_bytes){address.data + at + 1, address.size - at - 1};
}

bool smtp_address_equal(struct pr_bytes a, struct pr_bytes b)
{
    size_t at = find_at(a);

    return at == find_at(b) && a.size == b.size &&
           memcmp(a.data, b.data, at) == 0 &&
           pr_bytes_equal_nocase(smtp_address_domain(a),
                                 smtp_address_domain(b));
}

static bool is_white(char octet)
{
    return octet == ' ' || octet == '\t' || octet == '\r' || octet == '\n';
}

static struct pr_bytes trim(struct pr_bytes text)
{
    while (text.size > 0 && is_white(text.data[0]))
        text = (struct pr_bytes){text.data + 1, text.size - 1};
    while (text.size > 0 && is_white(text.data[text.size - 1]))
        text.size--;
    if (text.size >= 2 && text.data[0] == '<' &&
        text.data[text.size - 1] == '>')
        text = (struct pr_bytes){text.data + 1, text.size - 2};
    return text;
}

bool smtp_address_next(struct pr_bytes *list, struct pr_bytes *ret)
{
    bool is_quoted = false;
    size_t end = 0;

    if (list->size == 0)
        return false;
    for (; end < list->size; end++) {
        char octet = list->data[end];
        if (octet == ',' && !is_quoted)
            break;
        if (octet == '"')
            is_quoted = !is_quoted;
        else if (octet == '\\' && is_quoted && end + 1 < list->size)
            end++;
    }
    *ret = trim((struct pr_bytes){list->data, end});
    if (end < list->size)
        end++;
    *list = (struct pr_bytes){list->data + end, list->size - end};
    return true;
}

bool smtp_name_is_valid(const char *name)
{
    struct pr_bytes text = pr_bytes_of(name);

    return is_ascii(text) && text.size <= DOMAIN_MOST &&
           (is_domain(text) || is_literal(text));
}
