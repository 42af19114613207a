/*
 * What the accounts have done since the program began, in numbers.
 */
#include "engine/tally.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"

static const double latency_bounds[] = {0.5, 1,   2,   5,   10,   30,
                                        60,  120, 300, 900, 3600, 86400};
static const double rules_bounds[] = {0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03,
                                      0.1,    0.3,    1,     3,     10,   30};

struct tally {
    int64_t began; /* seconds since 1970 */
    int64_t midnight;
    struct tally_account *first, **end;
    struct tally_account *nobody; /* zeroes */
};

static struct tally_account *account_new(const char *name)
{
    size_t size = strlen(name) + 1;
    struct tally_account *account = memory_zeroed(1, sizeof(*account) + size);
    if (account == NULL) {
        return NULL;
    }
    memcpy(account->name, name, size);
    account->latency.bounds = latency_bounds;
    account->latency.bound_count =
        sizeof(latency_bounds) / sizeof(*latency_bounds);
    account->rules.bounds = rules_bounds;
    account->rules.bound_count = sizeof(rules_bounds) / sizeof(*rules_bounds);
    return account;
}

int64_t tally_midnight(int64_t now)
{
    time_t seconds = (time_t)now;
    struct tm local;
    if (localtime_r(&seconds, &local) == NULL) {
        return now - now % 86400;
    }
    local.tm_hour = local.tm_min = local.tm_sec = 0;
    local.tm_isdst = -1;
    return (int64_t)mktime(&local);
}

pr_status tally_new(int64_t now, struct tally **ret)
{
    struct tally *tally = memory_zeroed(1, sizeof(*tally));
    struct tally_account *nobody = account_new("");
    if (tally == NULL || nobody == NULL) {
        memory_free(tally);
        memory_free(nobody);
        return pr_fail(PR_NOMEM, "out of memory");
    }
    tally->began = now;
    tally->midnight = tally_midnight(now);
    tally->end = &tally->first;
    tally->nobody = nobody;
    *ret = tally;
    return PR_OK;
}

void tally_free(struct tally *tally)
{
    if (tally == NULL) {
        return;
    }
    while (tally->first != NULL) {
        struct tally_account *account = tally->first;
        tally->first = account->next;
        memory_free(account);
    }
    memory_free(tally->nobody);
    memory_free(tally);
}

static struct tally_account *find(struct tally *tally, const char *name)
{
    struct tally_account *account = tally->first;
    while (account != NULL && strcmp(account->name, name) != 0) {
        account = account->next;
    }
    return account;
}

/* Its record, made when missing; NULL if memory is short, which costs a number
 * and no mail. */
static struct tally_account *obtain(struct tally *tally, const char *name)
{
    struct tally_account *account = find(tally, name);
    if (account == NULL) {
        account = account_new(name);
        if (account != NULL) {
            *tally->end = account;
            tally->end = &account->next;
        }
    }
    return account;
}

static void turn_day(struct tally *tally, int64_t now)
{
    int64_t midnight = tally_midnight(now);
    if (midnight == tally->midnight) {
        return;
    }
    tally->midnight = midnight;
    for (struct tally_account *account = tally->first; account != NULL;
         account = account->next) {
        account->today = account->today_octets = 0;
    }
}

static void histogram_add(struct histogram *histogram, double value)
{
    size_t at = 0;
    while (at < histogram->bound_count && value > histogram->bounds[at]) {
        at++;
    }
    histogram->counts[at]++;
    histogram->count++;
    histogram->sum += value;
}

void tally_begin(struct tally *tally, const char *name, uint64_t today,
                 int64_t last_message)
{
    struct tally_account *account = obtain(tally, name);
    if (account != NULL) {
        account->today += today;
        account->last_message = last_message;
    }
}

/* INTERNALDATE has whole seconds, and the server's clock may go before ours. */
static void add_latency(struct tally *tally, struct tally_account *account,
                        int64_t received, int64_t now_ms)
{
    if (received <= tally->began) {
        return;
    }
    double latency = fmax(0, (double)(now_ms - received * 1000) / 1000.0);
    histogram_add(&account->latency, latency);
    account->latencies[account->latency_count++ % TALLY_LATENCIES] = latency;
}

void tally_message(struct tally *tally, const struct message_report *report,
                   int64_t now_ms)
{
    struct tally_account *account = obtain(tally, report->account);
    if (account == NULL) {
        return;
    }
    turn_day(tally, now_ms / 1000);
    if (report->rules_us > 0) {
        histogram_add(&account->rules, (double)report->rules_us / 1e6);
    }
    if (strcmp(report->status, "done") != 0) {
        account->later += strcmp(report->status, "later") == 0;
        account->failed += strcmp(report->status, "failed") == 0;
        return;
    }
    account->done++;
    account->octets += report->size;
    account->today++;
    account->today_octets += report->size;
    account->last_message = now_ms / 1000;
    add_latency(tally, account, report->received, now_ms);
}

void tally_pass(struct tally *tally, const struct account_report *report)
{
    struct tally_account *account = obtain(tally, report->account);
    if (account == NULL) {
        return;
    }
    account->passes++;
    if (report->status != PR_OK && report->status <= PR_BUG) {
        account->errors[report->status]++;
    }
}

const struct tally_account *tally_account(struct tally *tally, const char *name,
                                          int64_t now)
{
    turn_day(tally, now);
    const struct tally_account *account = find(tally, name);
    return account != NULL ? account : tally->nobody;
}

static int compare(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

double tally_median(const struct tally_account *account)
{
    double sorted[TALLY_LATENCIES];
    size_t count = account->latency_count < TALLY_LATENCIES
                       ? account->latency_count
                       : TALLY_LATENCIES;
    if (count == 0) {
        return -1;
    }
    memcpy(sorted, account->latencies, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), compare);
    return sorted[count / 2];
}

double tally_last_latency(const struct tally_account *account)
{
    return account->latency_count == 0
               ? -1
               : account->latencies[(account->latency_count - 1) %
                                    TALLY_LATENCIES];
}
