/*
 * Secrets kept in memory for as long as a daemon lives, so that a person who
 * typed one is not asked at each new connection.
 *
 * Only what a program tells is kept: files and variables can be read again at
 * no cost. What a server refuses is dropped, and asked for anew. A program runs
 * once, however many connections want at the same time what it tells.
 */
#include "config.h"

#include "auth/cache.h"

#include <string.h>

#include <postrider/fiber.h>

#include "auth/secret.h"
#include "base/memory.h"

struct kept {
    struct kept *next;
    const char **argv; /* owned: the program that tells it */
    struct pr_buffer value;
    bool is_here;
    bool is_asked; /* by a fiber, now */
    unsigned long answers;
    pr_status answer; /* the last one */
    char words[PR_FAILURE_MAX];
    struct pr_event answered;
};

static struct kept *all;
static bool keeps;

static void free_texts(const char **texts)
{
    for (size_t i = 0; texts != NULL && texts[i] != NULL; i++)
        memory_free((void *)texts[i]);
    memory_free(texts);
}

static const char **copy_texts(const char *const *texts)
{
    size_t count = 0;

    while (texts[count] != NULL)
        count++;
    const char **copy = memory_zeroed(count + 1, sizeof(*copy));
    for (size_t i = 0; copy != NULL && i < count; i++) {
        copy[i] = memory_text(texts[i]);
        if (copy[i] == NULL) {
            free_texts(copy);
            return NULL;
        }
    }
    return copy;
}

static bool is_of(const struct kept *kept, const struct pr_secret *secret)
{
    struct pr_secret its = *secret;

    its.argv = kept->argv;
    return secret_equals(&its, secret);
}

static struct kept *find(const struct pr_secret *secret)
{
    for (struct kept *kept = all; kept != NULL; kept = kept->next)
        if (is_of(kept, secret))
            return kept;
    return NULL;
}

static struct kept *find_or_make(const struct pr_secret *secret)
{
    struct kept *kept = find(secret);

    if (kept != NULL)
        return kept;
    kept = memory_zeroed(1, sizeof(*kept));
    if (kept == NULL)
        return NULL;
    kept->argv = copy_texts(secret->argv);
    if (kept->argv == NULL) {
        memory_free(kept);
        return NULL;
    }
    kept->next = all;
    all = kept;
    return kept;
}

static void forget(struct kept *kept)
{
    if (kept->is_here)
        pr_secret_wipe(&kept->value);
    kept->value = (struct pr_buffer){0};
    kept->is_here = false;
}

static pr_status ask(struct kept *kept, const struct pr_secret *secret)
{
    struct pr_buffer told;

    kept->is_asked = true;
    pr_status status = secret_read_anew(secret, &told);
    kept->is_asked = false;
    if (status == PR_OK) {
        pr_buffer_init(&kept->value, told.size);
        status = pr_buffer_add(&kept->value, pr_buffer_text(&told), told.size);
        kept->is_here = status == PR_OK;
        pr_secret_wipe(&told);
    }
    if (status != PR_CANCELLED) {
        kept->answers++;
        kept->answer = status;
        memcpy(kept->words, pr_last_failure()->text, sizeof(kept->words));
    }
    pr_event_wake_all(&kept->answered);
    return status;
}

/* Until the answer to a question that another fiber asked. */
static pr_status wait_for_answer(struct kept *kept)
{
    unsigned long before = kept->answers;
    pr_status status = PR_OK;

    while (kept->is_asked && status == PR_OK)
        status = pr_event_wait(&kept->answered, PR_NEVER);
    if (status == PR_OK && kept->answers != before && kept->answer != PR_OK)
        status = pr_fail(kept->answer, "%s", kept->words);
    return status;
}

pr_status secret_from_cache(const struct pr_secret *secret,
                            struct pr_buffer *ret)
{
    struct kept *kept = find_or_make(secret);
    pr_status status = PR_OK;

    if (kept == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    while (status == PR_OK && !kept->is_here)
        status = kept->is_asked ? wait_for_answer(kept) : ask(kept, secret);
    if (status == PR_OK)
        status =
            pr_buffer_add(ret, pr_buffer_text(&kept->value), kept->value.size);
    return status;
}

bool secrets_are_kept(void)
{
    return keeps;
}

void secrets_keep(bool wanted)
{
    keeps = wanted;
    while (!wanted && all != NULL) {
        struct kept *kept = all;

        all = kept->next;
        forget(kept);
        free_texts(kept->argv);
        memory_free(kept);
    }
}

bool secret_drop(const struct pr_secret *secret)
{
    struct kept *kept =
        secret != NULL && secret->kind == SECRET_EXEC ? find(secret) : NULL;
    bool was_here = kept != NULL && kept->is_here;

    if (was_here)
        forget(kept);
    return was_here;
}
