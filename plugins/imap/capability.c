/*
 * What a server says it can do.
 */
#include "capability.h"

#include <string.h>

static const struct {
    const char *name;
    unsigned bit;
} capabilities[] = {
    {"IMAP4rev1", IMAP_CAN_REV1},
    {"IMAP4rev2", IMAP_CAN_REV2},
    {"STARTTLS", IMAP_CAN_STARTTLS},
    {"LOGINDISABLED", IMAP_CAN_NOT_LOGIN},
    {"AUTH=PLAIN", IMAP_CAN_AUTH_PLAIN},
    {"SASL-IR", IMAP_CAN_SASL_IR},
    {"LITERAL+", IMAP_CAN_LITERAL_PLUS},
    {"LITERAL-", IMAP_CAN_LITERAL_MINUS},
    {"ENABLE", IMAP_CAN_ENABLE},
    {"UTF8=ACCEPT", IMAP_CAN_UTF8},
    {"UTF8=ONLY", IMAP_CAN_UTF8},
    {"ID", IMAP_CAN_ID},
    {"NAMESPACE", IMAP_CAN_NAMESPACE},
    {"UIDPLUS", IMAP_CAN_UIDPLUS},
    {"MOVE", IMAP_CAN_MOVE},
    {"ESEARCH", IMAP_CAN_ESEARCH},
};

#define REV2_INCLUDES                                              \
    (IMAP_CAN_SASL_IR | IMAP_CAN_LITERAL_MINUS | IMAP_CAN_ENABLE | \
     IMAP_CAN_NAMESPACE | IMAP_CAN_UIDPLUS | IMAP_CAN_MOVE | IMAP_CAN_ESEARCH)

unsigned imap_capability(struct pr_bytes name)
{
    for (size_t i = 0; i < sizeof(capabilities) / sizeof(*capabilities); i++)
        if (pr_bytes_equal_nocase(name, pr_bytes_of(capabilities[i].name)))
            return capabilities[i].bit;
    return 0;
}

unsigned imap_capabilities(struct pr_bytes names)
{
    unsigned set = 0;

    while (names.size > 0) {
        const char *space = memchr(names.data, ' ', names.size);
        size_t size = space == NULL ? names.size : (size_t)(space - names.data);
        set |= imap_capability((struct pr_bytes){names.data, size});
        if (size < names.size)
            size++;
        names.data += size;
        names.size -= size;
    }
    return (set & IMAP_CAN_REV2) != 0 ? set | REV2_INCLUDES : set;
}

unsigned imap_capabilities_disabled(const char *const *names)
{
    unsigned set = 0;

    for (; names != NULL && *names != NULL; names++)
        set |= imap_capability(pr_bytes_of(*names));
    return set;
}
