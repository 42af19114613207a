/*
 * What stands in an answer of the domain name system (RFC 1035, 4).
 *
 * The octets come from the network: nothing is read beyond their end, and names
 * are expanded by c-ares, which follows no pointer for ever.
 */
#include "config.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/cares.h"
#include "io/dns.h"

#define HEADER_SIZE 12
#define TTL_MOST (24 * 3600u) /* longer ones are cut to it */
#define TTL_OF_NOTHING 60u    /* where no SOA says how long (RFC 2308, 5) */
#define TYPE_SOA 6
#define EXCHANGERS_MOST 200

struct answer {
    const unsigned char *octets;
    size_t size, at;
};

struct record {
    unsigned type, class;
    uint32_t ttl;
    size_t data, data_size; /* where its RDATA is */
};

struct exchanger {
    unsigned preference;
    char *host; /* of c-ares */
};

struct exchangers {
    struct exchanger all[EXCHANGERS_MOST];
    size_t count;
};

static pr_status broken(void)
{
    return pr_fail(PR_PROTOCOL, "the name server's answer is broken");
}

static unsigned get16(const struct answer *answer, size_t at)
{
    return (unsigned)answer->octets[at] << 8 | answer->octets[at + 1];
}

static uint32_t get32(const struct answer *answer, size_t at)
{
    return (uint32_t)get16(answer, at) << 16 | get16(answer, at + 2);
}

/* The name at `at`; *ret_end is behind it. The caller frees *ret. */
static bool expand(const struct answer *answer, size_t at, char **ret,
                   size_t *ret_end)
{
    long length;
    if (at >= answer->size ||
        cares.expand_name(answer->octets + at, answer->octets,
                          (int)answer->size, ret, &length) != ARES_SUCCESS) {
        return false;
    }
    *ret_end = at + (size_t)length;
    return true;
}

static bool skip_name(struct answer *answer)
{
    char *name;
    size_t end;
    if (!expand(answer, answer->at, &name, &end)) {
        return false;
    }
    cares.free_string(name);
    answer->at = end;
    return true;
}

/* RFC 1035, 4.1.3. */
static bool next_record(struct answer *answer, struct record *ret)
{
    if (!skip_name(answer) || answer->size - answer->at < 10) {
        return false;
    }
    ret->type = get16(answer, answer->at);
    ret->class = get16(answer, answer->at + 2);
    ret->ttl = get32(answer, answer->at + 4);
    ret->data_size = get16(answer, answer->at + 8);
    ret->data = answer->at + 10;
    if (answer->size - ret->data < ret->data_size) {
        return false;
    }
    answer->at = ret->data + ret->data_size;
    return true;
}

/* ---- One record ---------------------------------------------------------- */

static pr_status add_address(const struct answer *answer,
                             const struct record *record,
                             struct pr_reply *reply)
{
    bool is_old = record->type == DNS_A;
    char text[INET6_ADDRSTRLEN];
    if (record->data_size != (is_old ? 4 : 16) ||
        inet_ntop(is_old ? AF_INET : AF_INET6, answer->octets + record->data,
                  text, sizeof(text)) == NULL) {
        return broken();
    }
    pr_reply_text(reply, NULL, pr_bytes_of(text));
    return PR_OK;
}

static pr_status add_name(const struct answer *answer,
                          const struct record *record, struct pr_reply *reply)
{
    char *name;
    size_t end;
    if (!expand(answer, record->data, &name, &end)) {
        return broken();
    }
    pr_reply_text(reply, NULL, pr_bytes_of(name));
    cares.free_string(name);
    return PR_OK;
}

/* RFC 7208, 3.3: the strings of one record belong together. */
static pr_status add_text(const struct answer *answer,
                          const struct record *record, struct pr_reply *reply)
{
    const unsigned char *at = answer->octets + record->data;
    const unsigned char *end = at + record->data_size;
    struct pr_buffer text = {.cap = 65536};
    pr_status status = PR_OK;
    while (status == PR_OK && at < end) {
        size_t size = *at++;
        status = size <= (size_t)(end - at) ? pr_buffer_add(&text, at, size)
                                            : broken();
        at += size;
    }
    if (status == PR_OK) {
        pr_reply_text(reply, NULL,
                      (struct pr_bytes){pr_buffer_text(&text), text.size});
    }
    pr_buffer_done(&text);
    return status;
}

static pr_status note_exchanger(const struct answer *answer,
                                const struct record *record,
                                struct exchangers *exchangers)
{
    struct exchanger *next = &exchangers->all[exchangers->count];
    size_t end;
    if (exchangers->count == EXCHANGERS_MOST) {
        return PR_OK;
    }
    if (record->data_size < 3 ||
        !expand(answer, record->data + 2, &next->host, &end)) {
        return broken();
    }
    next->preference = get16(answer, record->data);
    exchangers->count++;
    return PR_OK;
}

static pr_status take_record(const struct answer *answer,
                             const struct record *record,
                             struct pr_reply *reply,
                             struct exchangers *exchangers)
{
    switch (record->type) {
    case DNS_A:
    case DNS_AAAA:
        return add_address(answer, record, reply);
    case DNS_PTR:
        return add_name(answer, record, reply);
    case DNS_TXT:
        return add_text(answer, record, reply);
    case DNS_MX:
        return note_exchanger(answer, record, exchangers);
    default:
        return PR_OK;
    }
}

/* ---- The whole ----------------------------------------------------------- */

static int by_preference(const void *left, const void *right)
{
    const struct exchanger *a = left, *b = right;
    if (a->preference != b->preference) {
        return a->preference < b->preference ? -1 : 1;
    }
    return strcmp(a->host, b->host);
}

static void add_exchangers(struct exchangers *exchangers,
                           struct pr_reply *reply)
{
    qsort(exchangers->all, exchangers->count, sizeof(*exchangers->all),
          by_preference);
    for (size_t i = 0; i < exchangers->count; i++) {
        pr_reply_begin(reply, NULL);
        pr_reply_number(reply, "preference", exchangers->all[i].preference);
        pr_reply_text(reply, "host", pr_bytes_of(exchangers->all[i].host));
        pr_reply_end(reply);
        cares.free_string(exchangers->all[i].host);
    }
}

/* How long nothing holds: the lesser of the SOA's own time and its last field
 * (RFC 2308, 5). */
static uint32_t ttl_of_nothing(struct answer *answer, unsigned count)
{
    struct record record;
    while (count-- > 0 && next_record(answer, &record)) {
        if (record.type == TYPE_SOA && record.data_size >= 20) {
            uint32_t least = get32(answer, record.data + record.data_size - 4);
            return least < record.ttl ? least : record.ttl;
        }
    }
    return TTL_OF_NOTHING;
}

static pr_status read_records(struct answer *answer, enum dns_type type,
                              struct pr_reply *reply,
                              struct exchangers *exchangers, uint32_t *ret_ttl)
{
    unsigned count = get16(answer, 6), authorities = get16(answer, 8);
    bool is_empty = true;
    *ret_ttl = TTL_MOST;
    while (count-- > 0) {
        struct record record;
        if (!next_record(answer, &record)) {
            return broken();
        }
        if (record.ttl < *ret_ttl) {
            *ret_ttl = record.ttl;
        }
        if (record.type != (unsigned)type || record.class != 1) {
            continue; /* a CNAME on the way */
        }
        is_empty = false;
        pr_status status = take_record(answer, &record, reply, exchangers);
        if (status != PR_OK) {
            return status;
        }
    }
    if (is_empty) {
        uint32_t ttl = ttl_of_nothing(answer, authorities);
        *ret_ttl = ttl < *ret_ttl ? ttl : *ret_ttl;
    }
    return PR_OK;
}

pr_status dns_read_answer(const unsigned char *octets, size_t size,
                          enum dns_type type, struct pr_reply *reply,
                          uint32_t *ret_ttl)
{
    struct answer answer = {octets, size, HEADER_SIZE};
    struct exchangers exchangers = {.count = 0};
    pr_status status = cares_link();
    if (status != PR_OK) {
        return status;
    }
    if (size < HEADER_SIZE || size > 65535) {
        return broken();
    }
    for (unsigned count = get16(&answer, 4); count > 0; count--) {
        if (!skip_name(&answer) || size - answer.at < 4) {
            return broken();
        }
        answer.at += 4;
    }
    status = read_records(&answer, type, reply, &exchangers, ret_ttl);
    add_exchangers(&exchangers, reply);
    return status;
}

/* ---- Names --------------------------------------------------------------- */

static bool join(const char *name, const char *zone, char *out, size_t size)
{
    int length = snprintf(out, size, "%s.%s", name, zone);
    return length > 0 && (size_t)length < size;
}

bool dns_reverse(const char *address, const char *zone, char *out, size_t size)
{
    unsigned char octets[16];
    char name[16 * 4 + 1] = "";
    size_t at = 0;
    if (inet_pton(AF_INET, address, octets) == 1) {
        snprintf(name, sizeof(name), "%u.%u.%u.%u", octets[3], octets[2],
                 octets[1], octets[0]);
        return join(name, zone, out, size);
    }
    if (inet_pton(AF_INET6, address, octets) != 1) {
        return false;
    }
    for (size_t i = 16; i-- > 0;) {
        at +=
            (size_t)snprintf(name + at, sizeof(name) - at, "%x.%x%s",
                             octets[i] & 15u, octets[i] >> 4, i > 0 ? "." : "");
    }
    return join(name, zone, out, size);
}
