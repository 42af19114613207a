/*
 * spamd's replies (SpamAssassin, spamd/PROTOCOL): a status line, header lines,
 * a body. Nothing here waits.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "spamd.h"

/* "SPAMD/1.1 76 Bad header line: ..." */
pr_status spamd_read_status(struct pr_bytes line)
{
    char text[200];
    const char *code;
    char *end;
    long number;

    snprintf(text, sizeof text, "%.*s",
             (int)(line.size < 190 ? line.size : 190), line.data);
    code = strchr(text, ' ');
    if (strncmp(text, "SPAMD/", 6) != 0 || code == NULL)
        return pr_fail(PR_PROTOCOL, "spamd: a reply that is none: %s", text);
    number = strtol(code, &end, 10);
    if (end == code || number < 0)
        return pr_fail(PR_PROTOCOL, "spamd: a reply that is none: %s", text);
    switch (number) {
    case EX_OK:
        return PR_OK;
    case EX_UNAVAILABLE:
    case EX_SOFTWARE:
    case EX_OSERR:
    case EX_IOERR:
    case EX_TEMPFAIL:
    case 79: /* EX_TIMEOUT of spamd */
        return pr_fail(PR_LATER, "spamd:%s", code);
    default:
        return pr_fail(PR_REFUSED, "spamd:%s", code);
    }
}

static bool read_number(const char **at, double *ret)
{
    char *end;

    *ret = strtod(*at, &end);
    if (end == *at)
        return false;
    *at = end;
    return *ret > -1e9 && *ret < 1e9;
}

/* "True ; 15.0 / 5.0" */
static bool read_spam(const char *value, struct spamd_verdict *verdict)
{
    verdict->spam =
        strncasecmp(value, "True", 4) == 0 || strncasecmp(value, "Yes", 3) == 0;
    value = strchr(value, ';');
    if (value == NULL)
        return false;
    value++;
    if (!read_number(&value, &verdict->score))
        return false;
    value += strspn(value, " ");
    if (*value++ != '/')
        return false;
    verdict->has_spam = read_number(&value, &verdict->required);
    return verdict->has_spam;
}

static bool read_length(const char *value, struct spamd_verdict *verdict)
{
    char *end;

    errno = 0;
    verdict->length = strtoul(value, &end, 10);
    verdict->has_length = end != value && *value != '-' && errno == 0;
    return verdict->has_length;
}

pr_status spamd_read_header(struct pr_bytes line, struct spamd_verdict *verdict)
{
    char text[200];
    char *value;
    bool is_right = true;

    snprintf(text, sizeof text, "%.*s",
             (int)(line.size < 190 ? line.size : 190), line.data);
    value = strchr(text, ':');
    if (value == NULL)
        return pr_fail(PR_PROTOCOL, "spamd: a header line that is none: %s",
                       text);
    *value++ = '\0';
    value += strspn(value, " \t");
    if (strcasecmp(text, "Content-length") == 0)
        is_right = read_length(value, verdict);
    else if (strcasecmp(text, "Spam") == 0)
        is_right = read_spam(value, verdict);
    else if (strcasecmp(text, "DidSet") == 0 ||
             strcasecmp(text, "DidRemove") == 0)
        verdict->did = true;
    return is_right ? PR_OK
                    : pr_fail(PR_PROTOCOL, "spamd: %s: %s means nothing", text,
                              value);
}

void spamd_add_symbols(struct pr_bytes body, struct pr_reply *reply)
{
    pr_reply_begin(reply, "symbols");
    while (body.size > 0) {
        size_t size = 0;

        while (size < body.size && strchr(", \t\r\n", body.data[size]) == NULL)
            size++;
        if (size > 0)
            pr_reply_text(reply, NULL, (struct pr_bytes){body.data, size});
        size += size < body.size;
        body.data += size;
        body.size -= size;
    }
    pr_reply_end(reply);
}
