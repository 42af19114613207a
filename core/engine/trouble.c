/*
 * What is wrong with an account: noted, told once, and waited for.
 */
#include <time.h>

#include "auth/cache.h"
#include "base/memory.h"
#include "engine/keeper.h"
#include "engine/schedule.h"

/* So long after the network came back, what breaks is of the time before. */
#define NETWORK_NEW_MS 5000u

void keeper_note_words(struct keeper *keeper, pr_status status)
{
    memory_free(keeper->trouble_text);
    keeper->trouble_text = memory_text(pr_last_failure()->text);
    keeper->trouble_status = status;
}

void keeper_forget_trouble(struct keeper *keeper)
{
    keeper->trouble = TROUBLE_NONE;
    keeper->trouble_status = PR_OK;
    keeper->failures = keeper->refusals = 0;
    keeper->trouble_since = 0;
    memory_free(keeper->trouble_text);
    keeper->trouble_text = NULL;
}

void keeper_note_health(struct keeper *keeper)
{
    if (keeper->trouble != TROUBLE_NONE) {
        pr_log(&keeper->log, PR_LOG_INFO, "is well again after %lld s",
               (long long)(time(NULL) - keeper->trouble_since));
    }
    keeper_forget_trouble(keeper);
}

bool keeper_waits_its_time(const struct keeper *keeper)
{
    return keeper->trouble != TROUBLE_NONE &&
           keeper->trouble != TROUBLE_NETWORK;
}

/* The server refuses a secret that was kept: it may have another by now. */
bool keeper_drop_secrets(const struct account *account)
{
    const struct pr_option *option = account->source->options;
    bool any = false;
    for (; option != NULL && option->name != NULL; option++) {
        if (option->kind == PR_OPTION_SECRET) {
            const char *slot =
                (const char *)account->source_options + option->offset;
            any |= secret_drop(*(const struct pr_secret *const *)slot);
        }
    }
    return any;
}

static void tell_of_trouble(const struct keeper *keeper, uint64_t wait)
{
    bool is_first = keeper->failures == 1;
    bool is_for_person = keeper->trouble == TROUBLE_PERSON;
    pr_log(&keeper->log,
           !is_first       ? PR_LOG_DEBUG
           : is_for_person ? PR_LOG_ERROR
                           : PR_LOG_WARNING,
           "%s; next try in %llu s%s%s%s",
           keeper->trouble_text != NULL
               ? keeper->trouble_text
               : pr_status_name(keeper->trouble_status),
           (unsigned long long)((wait + 999) / 1000),
           is_for_person ? ", or with postrider poll \"" : "",
           is_for_person ? keeper->name : "", is_for_person ? "\"" : "");
}

/* A network that fails meanwhile does not make a refused login a new one. */
static void count_failure(struct keeper *keeper, enum trouble trouble)
{
    if (trouble != keeper->trouble) {
        keeper->trouble = trouble;
        keeper->failures = trouble == TROUBLE_PERSON ? keeper->refusals : 0;
    }
    if (keeper->trouble_since == 0) {
        keeper->trouble_since = time(NULL);
    }
    keeper->failures++;
    if (trouble == TROUBLE_PERSON) {
        keeper->refusals = keeper->failures;
    }
}

/* The words are in the keeper. */
void keeper_note_trouble(struct keeper *keeper, pr_status status)
{
    enum trouble trouble = backoff_kind(status);
    if (trouble == TROUBLE_NONE) {
        return;
    }
    count_failure(keeper, trouble);
    uint64_t told = trouble == TROUBLE_BUSY && keeper->trouble_text != NULL
                        ? backoff_told(keeper->trouble_text)
                        : 0;
    uint64_t wait = backoff_wait(trouble, keeper->failures, told,
                                 schedule_random(&keeper->daemon->random));
    if (trouble == TROUBLE_NETWORK && keeper->failures == 1 &&
        keeper->daemon->network_up > 0 &&
        pr_now() - keeper->daemon->network_up < NETWORK_NEW_MS) {
        wait /= 10; /* that line is of the network that was */
    }
    if (status == PR_AUTH) {
        (void)keeper_drop_secrets(keeper->account);
    }
    keeper->due = pr_in(wait);
    tell_of_trouble(keeper, wait);
    keeper_set_state(keeper, ACCOUNT_TROUBLED);
}
