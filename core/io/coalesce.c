/*
 * Questions under way, in a list: there are as many as services have places.
 */
#include "config.h"

#include "io/coalesce.h"

#include <string.h>

#include "base/memory.h"

struct question *question_begin(struct questions *questions,
                                struct pr_bytes key)
{
    struct question *question = memory_zeroed(1, sizeof(*question) + key.size);
    if (question == NULL) {
        return NULL;
    }
    question->users = 1;
    question->key_size = key.size;
    memcpy(question->key, key.data, key.size);
    question->next = questions->first;
    questions->first = question;
    return question;
}

static void take_out(struct questions *questions,
                     const struct question *question)
{
    struct question **at = &questions->first;
    while (*at != NULL && *at != question) {
        at = &(*at)->next;
    }
    if (*at != NULL) {
        *at = question->next;
    }
}

/* Keeps it for those that wait. */
static void tell(struct question *question, pr_status status,
                 struct pr_bytes answer)
{
    question->status = status;
    if (status != PR_OK) {
        question->words = memory_text(pr_last_failure()->text);
        return;
    }
    char *octets = memory_alloc(answer.size + 1);
    if (octets == NULL) {
        question->status = PR_NOMEM;
        return;
    }
    if (answer.size > 0) {
        memcpy(octets, answer.data, answer.size);
    }
    question->answer = (struct pr_bytes){octets, answer.size};
}

void question_end(struct questions *questions, struct question *question,
                  pr_status status, struct pr_bytes answer)
{
    if (question == NULL) {
        return;
    }
    take_out(questions, question);
    if (question->users > 1) {
        tell(question, status, answer);
    }
    question->has_ended = true;
    pr_event_wake_all(&question->end);
    question_release(question);
}

struct question *question_join(struct questions *questions, struct pr_bytes key)
{
    struct question *question = questions->first;
    while (question != NULL &&
           (question->key_size != key.size ||
            memcmp(question->key, key.data, key.size) != 0)) {
        question = question->next;
    }
    if (question != NULL) {
        question->users++;
        questions->shared++;
    }
    return question;
}

pr_status question_wait(struct question *question, pr_time deadline)
{
    pr_status status = PR_OK;
    while (status == PR_OK && !question->has_ended) {
        status = pr_event_wait(&question->end, deadline);
    }
    return question->has_ended ? PR_OK : status;
}

void question_release(struct question *question)
{
    if (question == NULL || --question->users > 0) {
        return;
    }
    memory_free((char *)(uintptr_t)question->answer.data);
    memory_free(question->words);
    memory_free(question);
}
