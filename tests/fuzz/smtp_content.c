/*
 * A message as SMTP carries it: nothing in it ends it, in whatever cuts it
 * comes, and a server that undoes the dots has the message with its line ends
 * as CRLF.
 *
 * The first octet says how many come at a time. Addresses are tried on the
 * rest as well: what passes for one has nothing in it that a command could not
 * carry.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "../../plugins/smtp/address.h"
#include "../../plugins/smtp/content.h"
#include "driver.h"

static pr_status collect(void *user, const char *data, size_t size)
{
    return pr_buffer_add(user, data, size);
}

static void convert(struct pr_bytes message, bool stuffs_dots, size_t step,
                    struct pr_buffer *ret)
{
    struct smtp_content content;

    *ret = (struct pr_buffer){.cap = 1 << 24};
    smtp_content_init(&content, stuffs_dots, collect, ret);
    for (size_t at = 0; at < message.size; at += step) {
        size_t left = message.size - at;
        if (smtp_content_add(&content, message.data + at,
                             left < step ? left : step) != PR_OK)
            abort();
    }
    if (smtp_content_end(&content) != PR_OK)
        abort();
}

/* Undoes the dots as a server does, and looks for what could end the message.
 */
static void undo(const struct pr_buffer *sent, struct pr_buffer *ret)
{
    *ret = (struct pr_buffer){.cap = 1 << 24};
    for (size_t i = 0; i < sent->size; i++) {
        char octet = sent->data[i];
        bool begins = i == 0 || sent->data[i - 1] == '\n';
        if ((octet == '\r') !=
            (i + 1 < sent->size && sent->data[i + 1] == '\n'))
            abort();
        if (octet == '\n' && (i == 0 || sent->data[i - 1] != '\r'))
            abort();
        if (begins && octet == '.') {
            if (sent->data[++i] != '.')
                abort();
        }
        if (pr_buffer_add(ret, &octet, 1) != PR_OK)
            abort();
    }
    if (sent->size > 0 && sent->data[sent->size - 1] != '\n')
        abort();
}

static void expect_same(const struct pr_buffer *a, const struct pr_buffer *b)
{
    if (a->size != b->size ||
        (a->size > 0 && memcmp(a->data, b->data, a->size) != 0))
        abort();
}

static void try_content(struct pr_bytes message, size_t step)
{
    struct pr_buffer whole, cut, bare, undone;
    struct smtp_facts facts = {0};

    convert(message, true, message.size + 1, &whole);
    convert(message, true, step, &cut);
    convert(message, false, step, &bare);
    undo(&whole, &undone);
    expect_same(&whole, &cut);
    expect_same(&undone, &bare);
    struct smtp_content content;
    smtp_content_init(&content, false, smtp_facts_take, &facts);
    if (smtp_content_add(&content, message.data, message.size) != PR_OK ||
        smtp_content_end(&content) != PR_OK || facts.octets != bare.size)
        abort();
    pr_buffer_done(&whole);
    pr_buffer_done(&cut);
    pr_buffer_done(&bare);
    pr_buffer_done(&undone);
}

static void try_addresses(struct pr_bytes list)
{
    struct pr_bytes address;

    while (smtp_address_next(&list, &address)) {
        enum smtp_address_kind kind = smtp_address_kind(address, true);
        for (size_t i = 0; kind != SMTP_ADDRESS_NONE && i < address.size; i++) {
            unsigned char octet = (unsigned char)address.data[i];
            if (octet < ' ' || octet == 0x7f ||
                (octet >= 0x80 && kind == SMTP_ADDRESS_ASCII))
                abort();
        }
        if (kind != SMTP_ADDRESS_NONE && address.data[0] != '"' &&
            (memchr(address.data, ' ', address.size) != NULL ||
             memchr(address.data, '>', address.size) != NULL))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct pr_bytes rest = {(const char *)data + 1, size - 1};
    try_content(rest, 1 + data[0] % 16);
    try_addresses(rest);
    return 0;
}
