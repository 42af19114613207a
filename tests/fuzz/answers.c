/*
 * What services and name servers answer: whatever octets it is.
 *
 * An answer that was read must be whole: what its readers wrote can be read
 * back to its end, and every table in it is ended.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "../../plugins/clamd/clamd.h"
#include "../../plugins/rspamd/rspamd.h"
#include "../../plugins/spamd/spamd.h"
#include "base/reply.h"
#include "driver.h"
#include "io/dns.h"

/* Reads the answer back, and frees it. */
static void check_answer(struct pr_reply *reply)
{
    struct pr_bytes octets = {reply->octets.data, reply->octets.size};
    struct reply_token token;
    long depth = 0;

    if (reply_status(reply) == PR_BUG)
        abort();
    if (reply_status(reply) == PR_OK) {
        while (reply_next(&octets, &token))
            depth += (token.kind == REPLY_BEGIN) - (token.kind == REPLY_END);
        if (depth != 0 || octets.size != 0)
            abort();
    }
    reply_done(reply);
}

static void check_names(const uint8_t *data, size_t size)
{
    static const enum dns_type types[] = {DNS_A, DNS_AAAA, DNS_MX, DNS_TXT,
                                          DNS_PTR};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct pr_reply reply = {0};
        uint32_t ttl;

        if (dns_read_answer(data, size, types[i], &reply, &ttl) != PR_OK) {
            reply_done(&reply);
            continue;
        }
        check_answer(&reply);
    }
}

static void check_spamd(struct pr_bytes line)
{
    struct spamd_verdict verdict = {0};
    struct pr_reply reply = {0};

    if (spamd_read_status(line) == PR_OK &&
        memchr(line.data, '/', line.size) == NULL)
        abort();
    if (spamd_read_header(line, &verdict) == PR_OK && verdict.has_spam &&
        !(verdict.score > -1e9 && verdict.score < 1e9))
        abort();
    spamd_add_symbols(line, &reply);
    check_answer(&reply);
}

/* NOLINTNEXTLINE(readability-identifier-naming) */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pr_bytes octets = {(const char *)data, size};
    struct pr_reply reply = {0};

    if (size == 0)
        return 0;
    check_names(data, size);
    check_spamd(octets);
    if (clamd_read_reply(octets, &reply) == PR_OK)
        check_answer(&reply);
    reply_done(&reply);
    if (rspamd_read_verdict(octets, &reply) == PR_OK)
        check_answer(&reply);
    reply_done(&reply);
    return 0;
}
