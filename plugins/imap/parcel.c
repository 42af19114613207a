/*
 * What is sent for a delivery, measured before, and the receipt it is known
 * again by.
 *
 * A receipt is "UIDVALIDITY UIDNEXT SIZE PRINT RANK FOLDER".
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "append.h"
#include "flags.h"
#include "parse.h"

#define PIECE 16384u
#define FLAGS_CAP 8000u /* with the rest what a line may have (RFC 7162, 4) */

/* ---- Measuring ----------------------------------------------------------- */

struct measure {
    const struct pr_spool *spool;
    struct trace trace;
    bool holds_nul, has_8bit_header;
    bool header_is_over;
    char last; /* octet */
    size_t begun;
    char beginning[PRINT_OCTETS];
};

static void keep_beginning(struct measure *measure, char octet)
{
    if (measure->begun < PRINT_OCTETS)
        measure->beginning[measure->begun++] = octet;
}

static void measure_header(struct measure *measure, struct pr_bytes piece)
{
    for (size_t i = 0; i < piece.size && !measure->header_is_over; i++) {
        measure->has_8bit_header |= (piece.data[i] & 0x80) != 0;
        measure->header_is_over =
            piece.data[i] == '\n' && measure->last == '\n';
        measure->last = piece.data[i];
    }
}

static void measure_piece(struct measure *measure, struct pr_bytes piece)
{
    const char *end = piece.data + piece.size;

    for (size_t i = 0; i < piece.size && measure->begun < PRINT_OCTETS; i++) {
        if (piece.data[i] == '\n')
            keep_beginning(measure, '\r');
        keep_beginning(measure, piece.data[i]);
    }
    measure_header(measure, piece);
    measure->holds_nul |= memchr(piece.data, '\0', piece.size) != NULL;
    measure->trace.size += piece.size;
    for (const char *at = piece.data;
         (at = memchr(at, '\n', (size_t)(end - at))) != NULL; at++)
        measure->trace.size++;
}

static pr_status measure_file(struct measure *measure)
{
    char *piece = calloc(1, PIECE);
    pr_status status = PR_OK;
    uint64_t at = 0;
    size_t got = 1;

    if (piece == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    while (status == PR_OK && got > 0) {
        status = pr_spool_read(measure->spool, at, piece, PIECE, &got);
        if (status == PR_OK && got > 0)
            measure_piece(measure, (struct pr_bytes){piece, got});
        at += got;
    }
    free(piece);
    return status;
}

static pr_status measure_job(void *argument)
{
    struct measure *measure = argument;
    struct pr_bytes memory = pr_spool_memory(measure->spool);
    pr_status status = PR_OK;

    if (memory.data == NULL)
        status = measure_file(measure);
    else
        measure_piece(measure, memory);
    return status != PR_OK ? status
                           : trace_print(&measure->trace,
                                         (struct pr_bytes){measure->beginning,
                                                           measure->begun});
}

/* Servers that store no NUL give 0x80 in its place. */
pr_status trace_print(struct trace *trace, struct pr_bytes octets)
{
    unsigned char digest[PR_DIGEST_SIZE];
    char *copy = calloc(1, octets.size + 1);

    if (copy == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    for (size_t i = 0; i < octets.size; i++)
        copy[i] = octets.data[i] == '\0' ? '\x80' : octets.data[i];
    pr_status status = pr_digest((struct pr_bytes){copy, octets.size}, digest);
    free(copy);
    if (status == PR_OK)
        memcpy(trace->print, digest, PRINT_SIZE);
    return status;
}

static pr_status measure(const struct pr_delivery *delivery, struct parcel *ret)
{
    struct measure *measure = calloc(1, sizeof(*measure));

    if (measure == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    measure->spool = delivery->spool;
    pr_status status = pr_spool_file(delivery->spool) < 0
                           ? measure_job(measure)
                           : pr_offload(measure_job, measure);
    ret->trace = measure->trace;
    ret->holds_nul = measure->holds_nul;
    ret->has_8bit_header = measure->has_8bit_header;
    free(measure);
    return status;
}

/* ---- Flags and date ------------------------------------------------------ */

static pr_status write_flags(const struct append *append,
                             const struct pr_delivery *delivery,
                             struct pr_buffer *ret)
{
    struct pr_buffer keywords = {.cap = FLAGS_CAP};
    unsigned dropped = 0;
    pr_status status = pr_buffer_add_text(ret, "(");

    if (status == PR_OK)
        status =
            imap_keywords_keep(delivery->flags.keywords, &keywords, &dropped);
    const struct pr_flags flags = {delivery->flags.system,
                                   pr_buffer_text(&keywords)};
    if (status == PR_OK)
        status = imap_flags_format(&flags, ret);
    if (status == PR_OK)
        status = pr_buffer_add_text(ret, ") ");
    if (status == PR_OK && dropped > 0)
        pr_log(append->log, PR_LOG_WARNING,
               "message %" PRIu32 ": %u keyword%s left out, which IMAP cannot "
               "carry",
               delivery->uid, dropped, dropped == 1 ? "" : "s");
    pr_buffer_done(&keywords);
    return status;
}

/* "(\Seen) "17-Jul-1996 02:44:25 +0000" ": each only if it is known. */
static pr_status write_attributes(const struct append *append,
                                  const struct pr_delivery *delivery,
                                  struct pr_buffer *ret)
{
    char date[IMAP_DATE_SIZE];
    pr_status status = PR_OK;

    if (append->options->flags)
        status = write_flags(append, delivery, ret);
    if (ret->size == sizeof("() ") - 1)
        pr_buffer_clear(ret);
    if (status == PR_OK && delivery->received != 0 &&
        imap_date_format(delivery->received, date)) {
        status = pr_buffer_add_text(ret, date);
        if (status == PR_OK)
            status = pr_buffer_add_text(ret, " ");
    }
    return status;
}

/* ---- Receipts ------------------------------------------------------------ */

static void write_receipt(const struct parcel *parcel, char *ret, size_t size)
{
    const struct append_folder *folder = parcel->folder;
    char print[2 * PRINT_SIZE + 1];

    for (size_t i = 0; i < PRINT_SIZE; i++)
        snprintf(print + 2 * i, 3, "%02x", parcel->trace.print[i]);
    snprintf(ret, size, "%" PRIu32 " %" PRIu32 " %" PRIu64 " %s %u %s",
             folder->uidvalidity, folder->uidnext, parcel->trace.size, print,
             parcel->rank, folder->name);
}

static struct pr_bytes take_word(const char **text)
{
    struct pr_bytes word = {*text, strcspn(*text, " ")};

    *text += word.size + ((*text)[word.size] == ' ');
    return word;
}

static bool read_print(struct pr_bytes hex, unsigned char ret[PRINT_SIZE])
{
    static const char digits[] = "0123456789abcdef";

    if (hex.size != (size_t)2 * PRINT_SIZE)
        return false;
    for (size_t i = 0; i < PRINT_SIZE; i++) {
        const char *high = strchr(digits, hex.data[2 * i]);
        const char *low = strchr(digits, hex.data[2 * i + 1]);
        if (high == NULL || low == NULL)
            return false;
        ret[i] = (unsigned char)((high - digits) << 4 | (low - digits));
    }
    return true;
}

pr_status receipt_parse(const char *text, struct receipt *ret)
{
    const char *rest = text;
    uint64_t validity, next, rank;

    *ret = (struct receipt){.folder = NULL};
    bool is_one = imap_number(take_word(&rest), UINT32_MAX, &validity) &&
                  imap_number(take_word(&rest), UINT32_MAX, &next) &&
                  imap_number(take_word(&rest), UINT64_MAX, &ret->trace.size) &&
                  read_print(take_word(&rest), ret->trace.print) &&
                  imap_number(take_word(&rest), UINT32_MAX, &rank) &&
                  rank > 0 && *rest != '\0';
    if (!is_one)
        return pr_fail(PR_BUG, "\"%.200s\" is no receipt", text);
    ret->uidvalidity = (uint32_t)validity;
    ret->uidnext = (uint32_t)next;
    ret->rank = (unsigned)rank;
    ret->folder = rest;
    return PR_OK;
}

/* ---- Parcels ------------------------------------------------------------- */

/* One more than those like it on their way. While one like it is in doubt, none
 * may follow: it could be taken for that one. */
static pr_status find_rank(const struct append *append, struct parcel *parcel)
{
    parcel->rank = 1;
    for (const struct parcel *other = append->parcels; other != NULL;
         other = other->next) {
        if (other->stand == PARCEL_DONE || other->folder != parcel->folder ||
            other->trace.size != parcel->trace.size ||
            memcmp(other->trace.print, parcel->trace.print, PRINT_SIZE) != 0)
            continue;
        if (other->delivery == NULL)
            return pr_fail(PR_LATER, "whether a message like this one has "
                                     "arrived is not known yet");
        parcel->rank++;
    }
    return PR_OK;
}

static pr_status check_parcel(const struct append *append,
                              const struct parcel *parcel)
{
    uint64_t limit = parcel->folder->limit;

    if (parcel->trace.size == 0)
        return pr_fail(PR_REFUSED, "the message is empty, and IMAP appends "
                                   "none that is");
    if (limit > 0 && parcel->trace.size > limit)
        return pr_fail(PR_REFUSED,
                       "the message has %" PRIu64 " octets, and the server "
                       "takes %" PRIu64 " at most in \"%s\"",
                       parcel->trace.size, limit, parcel->folder->name);
    if (parcel->holds_nul && (append->capabilities & IMAP_CAN_BINARY) == 0)
        return pr_fail(PR_REFUSED,
                       "the message has NUL octets, which this server cannot "
                       "take (it lacks BINARY, RFC 3516)");
    return PR_OK;
}

static pr_status fill(struct append *append, const struct pr_delivery *delivery,
                      struct parcel *parcel)
{
    pr_status status = measure(delivery, parcel);

    if (status == PR_OK)
        status = append_target(append, delivery->folder, &parcel->folder);
    if (status == PR_OK)
        status = check_parcel(append, parcel);
    return status != PR_OK ? status : find_rank(append, parcel);
}

pr_status parcel_new(struct append *append, struct pr_delivery *delivery,
                     struct parcel **ret)
{
    struct pr_buffer attributes = {.cap = FLAGS_CAP + IMAP_DATE_SIZE + 8};
    struct parcel *parcel = NULL;
    pr_status status = write_attributes(append, delivery, &attributes);

    if (status == PR_OK) {
        parcel = calloc(1, sizeof(*parcel) + attributes.size + 1);
        if (parcel == NULL)
            status = pr_fail(PR_NOMEM, "out of memory");
    }
    if (status == PR_OK)
        status = fill(append, delivery, parcel);
    if (status == PR_OK) {
        memcpy(parcel->attributes, pr_buffer_text(&attributes),
               attributes.size + 1);
        snprintf(parcel->key, sizeof(parcel->key), "%s", delivery->key);
        parcel->delivery = delivery;
        write_receipt(parcel, delivery->receipt, sizeof(delivery->receipt));
        parcel->next = append->parcels;
        append->parcels = parcel;
        *ret = parcel;
    } else {
        free(parcel);
    }
    pr_buffer_done(&attributes);
    return status;
}

void parcel_free(struct append *append, struct parcel *parcel)
{
    struct parcel **at = &append->parcels;

    while (*at != NULL && *at != parcel)
        at = &(*at)->next;
    if (*at != NULL)
        *at = parcel->next;
    free(parcel);
}

void parcel_conclude(struct parcel *parcel, pr_status result)
{
    struct pr_delivery *delivery = parcel->delivery;

    parcel->stand = PARCEL_DONE;
    delivery->result = result;
    if (result == PR_OK)
        delivery->failure[0] = '\0';
    else
        memcpy(delivery->failure, pr_last_failure()->text,
               sizeof(delivery->failure));
}
