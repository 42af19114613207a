/*
 * What a server says it can do.
 */
#include "capability.h"

#include <string.h>

#include <postrider/option.h>

#include "parse.h"

#define APPENDLIMIT_IS "APPENDLIMIT="

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
    {"UTF8=ONLY", IMAP_CAN_UTF8 | IMAP_CAN_ONLY_UTF8},
    {"ID", IMAP_CAN_ID},
    {"NAMESPACE", IMAP_CAN_NAMESPACE},
    {"UIDPLUS", IMAP_CAN_UIDPLUS},
    {"MOVE", IMAP_CAN_MOVE},
    {"ESEARCH", IMAP_CAN_ESEARCH},
    {"MULTIAPPEND", IMAP_CAN_MULTIAPPEND},
    {"APPENDLIMIT", IMAP_CAN_APPENDLIMIT},
    {"BINARY", IMAP_CAN_BINARY},
    {"CONDSTORE", IMAP_CAN_CONDSTORE},
    {"QRESYNC", IMAP_CAN_QRESYNC},
    {"IDLE", IMAP_CAN_IDLE},
    {"NOTIFY", IMAP_CAN_NOTIFY},
    {"LIST-STATUS", IMAP_CAN_LIST_STATUS},
    {"WITHIN", IMAP_CAN_WITHIN},
    {"X-GM-EXT-1", IMAP_CAN_GMAIL},
};

#define COUNT (sizeof(capabilities) / sizeof(*capabilities))

#define REV2_INCLUDES                                              \
    (IMAP_CAN_SASL_IR | IMAP_CAN_LITERAL_MINUS | IMAP_CAN_ENABLE | \
     IMAP_CAN_NAMESPACE | IMAP_CAN_UIDPLUS | IMAP_CAN_MOVE |       \
     IMAP_CAN_ESEARCH | IMAP_CAN_IDLE | IMAP_CAN_LIST_STATUS)

unsigned imap_capability(struct pr_bytes name)
{
    for (size_t i = 0; i < COUNT; i++)
        if (pr_bytes_equal_nocase(name, pr_bytes_of(capabilities[i].name)))
            return capabilities[i].bit;
    return 0;
}

/* Takes the first name off the front. */
static struct pr_bytes take_name(struct pr_bytes *names)
{
    const char *space = memchr(names->data, ' ', names->size);
    size_t size = space == NULL ? names->size : (size_t)(space - names->data);
    struct pr_bytes name = {names->data, size};

    if (size < names->size)
        size++;
    names->data += size;
    names->size -= size;
    return name;
}

/* Its number, 0 if it is another capability. */
static uint64_t limit_in(struct pr_bytes name)
{
    size_t size = sizeof(APPENDLIMIT_IS) - 1;
    uint64_t limit;

    if (name.size <= size ||
        !pr_bytes_equal_nocase((struct pr_bytes){name.data, size},
                               PR_BYTES(APPENDLIMIT_IS)) ||
        !imap_number((struct pr_bytes){name.data + size, name.size - size},
                     UINT64_MAX, &limit))
        return 0;
    return limit;
}

unsigned imap_capabilities(struct pr_bytes names)
{
    unsigned set = 0;

    while (names.size > 0) {
        struct pr_bytes name = take_name(&names);
        set |= limit_in(name) > 0 ? (unsigned)IMAP_CAN_APPENDLIMIT
                                  : imap_capability(name);
    }
    if ((set & IMAP_CAN_QRESYNC) != 0) /* RFC 7162, 3.2 */
        set |= IMAP_CAN_CONDSTORE;
    return (set & IMAP_CAN_REV2) != 0 ? set | REV2_INCLUDES : set;
}

uint64_t imap_append_limit(struct pr_bytes names)
{
    uint64_t limit = 0;

    while (names.size > 0 && limit == 0)
        limit = limit_in(take_name(&names));
    return limit;
}

pr_status imap_capabilities_check(const char *const *names)
{
    const char *known[COUNT + 1] = {NULL};

    for (size_t i = 0; i < COUNT; i++)
        known[i] = capabilities[i].name;
    return pr_words_check("disable", names, known);
}

unsigned imap_capabilities_disabled(const char *const *names)
{
    unsigned set = 0;

    for (; names != NULL && *names != NULL; names++)
        set |= imap_capability(pr_bytes_of(*names));
    return set;
}
