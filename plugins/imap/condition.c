/*
 * OK, NO, BAD, PREAUTH and BYE: the response code and the words (RFC
 * 3501, 7.1).
 */
#include <string.h>

#include "capability.h"
#include "copyuid.h"
#include "response.h"

static const struct {
    const char *name;
    enum imap_code code;
} codes[] = {
    {"ALERT", IMAP_CODE_ALERT},
    {"ALREADYEXISTS", IMAP_CODE_ALREADYEXISTS},
    {"APPENDUID", IMAP_CODE_APPENDUID},
    {"AUTHENTICATIONFAILED", IMAP_CODE_AUTHENTICATIONFAILED},
    {"AUTHORIZATIONFAILED", IMAP_CODE_AUTHORIZATIONFAILED},
    {"BADEVENT", IMAP_CODE_BADEVENT},
    {"CANNOT", IMAP_CODE_CANNOT},
    {"CAPABILITY", IMAP_CODE_CAPABILITY},
    {"CLOSED", IMAP_CODE_CLOSED},
    {"CONTACTADMIN", IMAP_CODE_CONTACTADMIN},
    {"COPYUID", IMAP_CODE_COPYUID},
    {"EXPIRED", IMAP_CODE_EXPIRED},
    {"EXPUNGEISSUED", IMAP_CODE_EXPUNGEISSUED},
    {"HIGHESTMODSEQ", IMAP_CODE_HIGHESTMODSEQ},
    {"INUSE", IMAP_CODE_INUSE},
    {"LIMIT", IMAP_CODE_LIMIT},
    {"NONEXISTENT", IMAP_CODE_NONEXISTENT},
    {"NOPERM", IMAP_CODE_NOPERM},
    {"NOTIFICATIONOVERFLOW", IMAP_CODE_NOTIFICATIONOVERFLOW},
    {"OVERQUOTA", IMAP_CODE_OVERQUOTA},
    {"PERMANENTFLAGS", IMAP_CODE_PERMANENTFLAGS},
    {"PRIVACYREQUIRED", IMAP_CODE_PRIVACYREQUIRED},
    {"READ-ONLY", IMAP_CODE_READ_ONLY},
    {"READ-WRITE", IMAP_CODE_READ_WRITE},
    {"SERVERBUG", IMAP_CODE_SERVERBUG},
    {"THROTTLED", IMAP_CODE_THROTTLED},
    {"TOOBIG", IMAP_CODE_TOOBIG},
    {"TRYCREATE", IMAP_CODE_TRYCREATE},
    {"UIDNEXT", IMAP_CODE_UIDNEXT},
    {"UIDVALIDITY", IMAP_CODE_UIDVALIDITY},
    {"UNAVAILABLE", IMAP_CODE_UNAVAILABLE},
};

bool imap_condition_named(struct pr_bytes name, enum imap_condition *ret)
{
    static const char *const names[] = {"OK", "NO", "BAD", "PREAUTH", "BYE"};

    for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (pr_bytes_equal_nocase(name, pr_bytes_of(names[i]))) {
            *ret = (enum imap_condition)i;
            return true;
        }
    return false;
}

/* Where the "]" of a code is, past quoted strings; text.size if nowhere. */
static size_t code_size(struct pr_bytes text)
{
    bool is_quoted = false;

    for (size_t i = 1; i < text.size; i++) {
        if (is_quoted && text.data[i] == '\\')
            i++;
        else if (text.data[i] == '"')
            is_quoted = !is_quoted;
        else if (text.data[i] == ']' && !is_quoted)
            return i;
    }
    return text.size;
}

static void interpret_code(struct pr_bytes code, struct imap_response *ret,
                           struct pr_bytes *ret_argument)
{
    const char *space = memchr(code.data, ' ', code.size);
    struct pr_bytes name = code, argument = {code.data + code.size, 0};

    if (space != NULL) {
        name.size = (size_t)(space - code.data);
        argument.data = space + 1;
        argument.size = code.size - name.size - 1;
    }
    ret->code = IMAP_CODE_OTHER;
    for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
        if (pr_bytes_equal_nocase(name, pr_bytes_of(codes[i].name)))
            ret->code = codes[i].code;
    if (ret->code == IMAP_CODE_CAPABILITY) {
        ret->capabilities = imap_capabilities(argument);
        ret->append_limit = imap_append_limit(argument);
    }
    if (!imap_number(argument, UINT64_MAX, &ret->number))
        ret->number = 0;
    *ret_argument = argument;
}

/* "38505 3955:3957" (RFC 4315, 3). One that is malformed tells nothing, and
 * breaks nothing: it is a convenience. */
static void read_append_uid(struct pr_bytes argument, struct imap_response *ret)
{
    const char *space = memchr(argument.data, ' ', argument.size);
    struct pr_bytes validity = argument;

    if (space == NULL)
        return;
    validity.size = (size_t)(space - argument.data);
    argument.data = space + 1;
    argument.size -= validity.size + 1;
    if (!imap_number(validity, UINT32_MAX, &ret->number) ||
        imap_ranges_add(ret, argument) != PR_OK) {
        ret->number = 0;
        pr_buffer_clear(&ret->ranges);
    }
}

static pr_status keep(struct imap_response *response, struct pr_bytes text,
                      struct imap_span *ret)
{
    size_t at = response->octets.size;
    pr_status status = pr_buffer_add(&response->octets, text.data, text.size);

    return status != PR_OK ? status : imap_span_end(response, at, ret);
}

pr_status imap_condition_read(struct imap_reader *reader,
                              enum imap_condition condition,
                              struct imap_response *ret)
{
    struct pr_bytes text, argument = {"", 0};
    pr_status status = imap_read_text(reader, &text);

    if (status != PR_OK)
        return status;
    ret->condition = condition;
    if (text.size > 0 && text.data[0] == '[') {
        size_t end = code_size(text);
        if (end < text.size) {
            interpret_code((struct pr_bytes){text.data + 1, end - 1}, ret,
                           &argument);
            if (ret->code == IMAP_CODE_APPENDUID)
                read_append_uid(argument, ret);
            else if (ret->code == IMAP_CODE_COPYUID)
                imap_copyuid_read(argument, ret);
            text.data += end + 1;
            text.size -= end + 1;
        }
        while (text.size > 0 && text.data[0] == ' ') {
            text.data++;
            text.size--;
        }
    }
    status = keep(ret, argument, &ret->argument);
    return status != PR_OK ? status : keep(ret, text, &ret->text);
}
