/*
 * Deletions that are held, answered: by the daemon if one runs, else in the
 * state, for the next fetch.
 */
#include "config.h"

#include "cli/held.h"

#include <stdio.h>
#include <sysexits.h>

#include "cli/ask.h"
#include "cli/terminal.h"

struct answering {
    const char *name;
    enum held_answer answer;
    uint64_t messages;
};

static pr_status answer_in_state(void *user, struct state *state)
{
    struct answering *answering = user;
    const char *account;
    struct pr_arena *arena = pr_arena_new();
    pr_status status =
        arena == NULL
            ? PR_NOMEM
            : state_held_answer(state, answering->name, answering->answer,
                                arena, &account, &answering->messages);
    pr_arena_free(arena);
    return status;
}

static void take_count(void *user, const json_t *line)
{
    struct answering *answering = user;
    json_int_t count = json_integer_value(json_object_get(line, "messages"));
    answering->messages = count > 0 ? (uint64_t)count : 0;
}

static json_t *request_of(const struct answering *answering)
{
    json_t *request =
        json_pack("{s:s,s:s}", "do",
                  answering->answer == HELD_CONFIRM ? "confirm" : "refuse",
                  "id", answering->name);
    if (answering->answer == HELD_RETRY) {
        json_object_set_new(request, "retry", json_true());
    }
    return request;
}

static const char *words_for(enum held_answer answer, bool has_daemon)
{
    switch (answer) {
    case HELD_CONFIRM:
        return has_daemon ? "deleted on the server; see: postrider status"
                          : "the next `postrider fetch` deletes them";
    case HELD_REFUSE:
        return "they stay on the server and are not fetched again";
    default:
        return has_daemon ? "rules ran over them again"
                          : "the next `postrider fetch` runs the rules again";
    }
}

static int answer_one(struct call *call, const struct config *config,
                      struct answering *answering)
{
    int result = call == NULL ? ask_state(config, answer_in_state, answering)
                              : ask(call, request_of(answering), 0, take_count,
                                    answering);
    if (result == EX_OK) {
        terminal_line("%s: %llu message%s: %s", answering->name,
                      (unsigned long long)answering->messages,
                      answering->messages == 1 ? "" : "s",
                      words_for(answering->answer, call != NULL));
    }
    return result;
}

int held_run(const struct invocation *invocation, enum held_answer answer)
{
    struct call *call;
    struct config *config;
    if (invocation->argument_count == 0) {
        fputs("postrider: which account? `postrider status` names what is "
              "held\n",
              stderr);
        return EX_USAGE;
    }
    int result = ask_reach(invocation, &call, &config);
    for (char **name = invocation->arguments; result == EX_OK && *name != NULL;
         name++) {
        struct answering answering = {.name = *name, .answer = answer};
        result = answer_one(call, config, &answering);
    }
    call_close(call);
    config_free(config);
    return result;
}
