/*
 * What the commands share that ask the daemon for something.
 */
#include "config.h"

#include "cli/ask.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "fiber/loop.h"
#include "state/state.h"

/* By the configuration's name first: that needs no look into it, and works when
 * it is broken. */
static pr_status call_by_name(const struct invocation *invocation,
                              struct call **ret)
{
    const char *file;
    struct pr_arena *arena = pr_arena_new();
    pr_status status = arena == NULL
                           ? PR_NOMEM
                           : config_find(invocation->config_file, arena, &file);
    if (status == PR_OK) {
        status = call_open(NULL, file, ret);
    }
    pr_arena_free(arena);
    return status;
}

int ask_reach(const struct invocation *invocation, struct call **ret_call,
              struct config **ret_config)
{
    *ret_call = NULL;
    *ret_config = NULL;
    pr_status status = call_by_name(invocation, ret_call);
    if (status == PR_OK) {
        return EX_OK;
    }
    if (status != PR_GONE) {
        return complain(status);
    }
    int failed = load_config(invocation, ret_config);
    if (failed != 0) {
        return failed;
    }
    status = call_open((*ret_config)->state_dir, NULL, ret_call);
    if (status == PR_OK || status == PR_GONE) {
        return EX_OK;
    }
    config_free(*ret_config);
    *ret_config = NULL;
    return complain(status);
}

int ask_open(const struct invocation *invocation, struct call **ret)
{
    struct config *config;
    int failed = ask_reach(invocation, ret, &config);
    config_free(config);
    if (failed == 0 && *ret == NULL) {
        fputs("postrider: no daemon runs; start one with: postrider daemon\n",
              stderr);
        return EX_UNAVAILABLE;
    }
    return failed;
}

json_t *ask_request(const char *name, const struct invocation *invocation,
                    bool accounts)
{
    json_t *request = json_pack("{s:s}", "do", name);
    if (!accounts || invocation->argument_count == 0) {
        return request;
    }
    json_t *list = json_array();
    for (char **at = invocation->arguments; *at != NULL; at++) {
        if (json_array_append_new(list, json_string(*at)) != 0) {
            /* No UTF-8: no account is called so, and none must not be all. */
            json_array_append_new(list, json_string("?"));
        }
    }
    json_object_set_new(request, "accounts", list);
    return request;
}

int ask(struct call *call, json_t *request, unsigned timeout,
        void (*each)(void *user, const json_t *line), void *user)
{
    pr_status status = call_ask(call, request), end = PR_OK;
    bool is_last = false;
    while (status == PR_OK && !is_last) {
        json_t *line;
        status = call_next(call, timeout, &line);
        if (status != PR_OK) {
            break;
        }
        is_last = call_is_last(line, &end);
        if (each != NULL) {
            each(user, line);
        }
        json_decref(line);
    }
    if (status == PR_OK) {
        status = end;
    }
    return status == PR_OK ? EX_OK : complain(status);
}

int ask_once(const struct invocation *invocation, json_t *request,
             unsigned timeout, const char *done)
{
    struct call *call;
    int result = ask_open(invocation, &call);
    if (result != EX_OK) {
        json_decref(request);
        return result;
    }
    result = ask(call, request, timeout, NULL, NULL);
    call_close(call);
    if (result == EX_OK) {
        puts(done);
    }
    return result;
}

int ask_each(const struct invocation *invocation,
             int (*each)(struct call *call, const struct config *config,
                         char *id))
{
    struct call *call;
    struct config *config;
    if (invocation->argument_count == 0) {
        fputs("postrider: which message? `postrider status` names them\n",
              stderr);
        return EX_USAGE;
    }
    int result = ask_reach(invocation, &call, &config);
    for (char **id = invocation->arguments; result == EX_OK && *id != NULL;
         id++) {
        result = each(call, config, *id);
    }
    call_close(call);
    config_free(config);
    return result;
}

/* ---- Without a daemon ---------------------------------------------------- */

struct job {
    const struct config *config;
    pr_status (*work)(void *user, struct state *state);
    void *user;
};

static pr_status run_job(void *argument)
{
    struct job *job = argument;
    struct state *state;
    pr_status status = state_open(job->config->state_dir, &state);
    if (status != PR_OK) {
        return status;
    }
    status = job->work(job->user, state);
    state_close(state);
    return status;
}

int ask_state(const struct config *config,
              pr_status (*work)(void *user, struct state *state), void *user)
{
    struct job job = {config, work, user};
    pr_status status = loop_run(1, run_job, &job);
    return status == PR_OK ? EX_OK : complain(status);
}
