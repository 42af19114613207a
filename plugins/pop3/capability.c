/*
 * What a server says it can do.
 */
#include "capability.h"

#include <string.h>

#include <postrider/option.h>

static const struct {
    const char *name;
    unsigned bit;
} capabilities[] = {
    {"TOP", POP3_CAN_TOP},   {"USER", POP3_CAN_USER},
    {"UIDL", POP3_CAN_UIDL}, {"PIPELINING", POP3_CAN_PIPELINE},
    {"STLS", POP3_CAN_STLS}, {"UTF8", POP3_CAN_UTF8},
    {"SASL", POP3_CAN_SASL}, {"SASL-IR", POP3_CAN_SASL_IR},
    {"LAST", POP3_CAN_LAST},
};

#define COUNT (sizeof(capabilities) / sizeof(*capabilities))

/* The next of some words with spaces between; empty at the end. */
static struct pr_bytes next_word(struct pr_bytes *rest)
{
    while (rest->size > 0 && *rest->data == ' ') {
        rest->data++;
        rest->size--;
    }
    if (rest->size == 0)
        return *rest;
    const char *space = memchr(rest->data, ' ', rest->size);
    size_t size = space == NULL ? rest->size : (size_t)(space - rest->data);
    struct pr_bytes word = {rest->data, size};
    rest->data += size;
    rest->size -= size;
    return word;
}

static unsigned mechanisms(struct pr_bytes names)
{
    unsigned set = POP3_CAN_SASL | POP3_CAN_SASL_IR;

    for (struct pr_bytes name = next_word(&names); name.size > 0;
         name = next_word(&names)) {
        if (pr_bytes_equal_nocase(name, PR_BYTES("PLAIN")))
            set |= POP3_CAN_AUTH_PLAIN;
        else if (pr_bytes_equal_nocase(name, PR_BYTES("LOGIN")))
            set |= POP3_CAN_AUTH_LOGIN;
    }
    return set;
}

static unsigned bit_of(struct pr_bytes name)
{
    for (size_t i = 0; i < COUNT; i++)
        if (pr_bytes_equal_nocase(name, pr_bytes_of(capabilities[i].name)))
            return capabilities[i].bit;
    return 0;
}

unsigned pop3_capability(struct pr_bytes line)
{
    struct pr_bytes name = next_word(&line);

    if (pr_bytes_equal_nocase(name, PR_BYTES("SASL")))
        return mechanisms(line);
    if (pr_bytes_equal_nocase(name, PR_BYTES("EXPIRE")))
        return pr_bytes_equal(next_word(&line), PR_BYTES("0"))
                   ? POP3_CAN_EXPIRE_0
                   : 0;
    return bit_of(name);
}

pr_status pop3_capabilities_check(const char *const *names)
{
    const char *known[COUNT + 1] = {NULL};

    for (size_t i = 0; i < COUNT; i++)
        known[i] = capabilities[i].name;
    return pr_words_check("disable", names, known);
}

unsigned pop3_capabilities_disabled(const char *const *names)
{
    unsigned set = 0;

    for (; names != NULL && *names != NULL; names++)
        set |= bit_of(pr_bytes_of(*names));
    if ((set & POP3_CAN_SASL) != 0)
        set |= POP3_CAN_AUTH_PLAIN | POP3_CAN_AUTH_LOGIN;
    return set;
}
