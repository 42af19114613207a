/*
 * A transport that plays the server's part from a script.
 */
#include "config.h"

#include "lib/scripted.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

struct scripted {
    struct transport base;
    struct script *script;
};

static struct script *script_of(struct transport *transport)
{
    return ((struct scripted *)transport)->script;
}

static void blame(struct script *script, const char *what,
                  struct pr_bytes expected, struct pr_bytes got)
{
    char expected_text[160], got_text[160];

    if (script->words[0] != '\0')
        return;
    snprintf(script->words, sizeof(script->words),
             "step %zu: %s; expected \"%s\", got \"%s\"",
             script->client_step + 1, what,
             text_printable(expected, expected_text, sizeof(expected_text)),
             text_printable(got, got_text, sizeof(got_text)));
}

static const struct script_step *step_at(const struct script *script, size_t i)
{
    return i < script->count ? &script->steps[i] : NULL;
}

/* Moves the client's place over what asks nothing of it; *ret_barrier if it
 * stopped where the server must speak, or TLS start, first. */
static const struct script_step *client_place(struct script *script,
                                              bool *ret_barrier)
{
    const struct script_step *step;

    *ret_barrier = false;
    while ((step = step_at(script, script->client_step)) != NULL) {
        if (step->kind == SCRIPT_KIND_CLIENT) {
            if (script->client_offset < step->size)
                return step;
            script->client_offset = 0;
        } else if ((step->kind == SCRIPT_KIND_TLS ||
                    step->kind == SCRIPT_KIND_PAUSE ||
                    step->kind == SCRIPT_KIND_WAIT) &&
                   script->server_step <= script->client_step) {
            *ret_barrier = true;
            return step;
        }
        script->client_step++;
    }
    return NULL;
}

/* Moves the server's place over what it need not wait for. */
static const struct script_step *server_place(struct script *script)
{
    const struct script_step *step;
    bool barrier;

    for (;;) {
        step = step_at(script, script->server_step);
        if (step == NULL)
            return NULL;
        if (step->kind == SCRIPT_KIND_SERVER &&
            script->server_offset < step->size)
            return step;
        if (step->kind == SCRIPT_KIND_CLIENT) {
            client_place(script, &barrier);
            if (script->client_step <= script->server_step)
                return step;
        }
        if (step->kind == SCRIPT_KIND_TLS || step->kind == SCRIPT_KIND_EOF ||
            step->kind == SCRIPT_KIND_STALL ||
            step->kind == SCRIPT_KIND_PAUSE || step->kind == SCRIPT_KIND_SLOW)
            return step;
        script->server_step++;
        script->server_offset = 0;
    }
}

static size_t cut_of(struct script *script)
{
    switch (script->cut) {
    case SCRIPT_OCTETS:
        return 1;
    case SCRIPT_RANDOM:
        script->seed = script->seed * 1664525u + 1013904223u;
        return 1 + (script->seed >> 16) % 64;
    default:
        return SIZE_MAX;
    }
}

static size_t copy_out(struct script *script, char *data, size_t size)
{
    const struct script_step *step;
    size_t cut = cut_of(script), done = 0;

    if (size > cut)
        size = cut;
    while (done < size && (step = server_place(script)) != NULL &&
           step->kind == SCRIPT_KIND_SERVER) {
        size_t part = step->size - script->server_offset;
        if (part > size - done)
            part = size - done;
        memcpy(data + done, step->data + script->server_offset, part);
        script->server_offset += part;
        done += part;
        if (script->cut == SCRIPT_BY_STEP)
            break;
    }
    return done;
}

static pr_status scripted_read(struct transport *transport, void *data,
                               size_t size, pr_time deadline, size_t *ret_size)
{
    struct script *script = script_of(transport);
    const struct script_step *step = server_place(script);

    if (script->words[0] != '\0')
        return pr_fail(PR_NETWORK, "the script has failed");
    if (step != NULL && step->kind == SCRIPT_KIND_SLOW) {
        script->server_step++;
        if (deadline < pr_in(1000 * step->size))
            return pr_fail(PR_TIMEOUT, "the script is slow");
        step = server_place(script);
    }
    if (step == NULL || step->kind == SCRIPT_KIND_EOF)
        return pr_fail(PR_EOF, "the far side closed the connection");
    switch (step->kind) {
    case SCRIPT_KIND_SERVER:
        *ret_size = copy_out(script, data, size);
        return PR_OK;
    case SCRIPT_KIND_CLIENT:
        blame(script, "the client waits instead of writing",
              (struct pr_bytes){step->data, step->size}, PR_BYTES(""));
        return pr_fail(PR_TIMEOUT, "the script has failed");
    case SCRIPT_KIND_TLS:
        blame(script, "the client reads instead of starting TLS", PR_BYTES(""),
              PR_BYTES(""));
        return pr_fail(PR_TIMEOUT, "the script has failed");
    case SCRIPT_KIND_PAUSE:
        script->server_step++;
        return pr_fail(PR_TIMEOUT, "the script pauses");
    default:
        return pr_fail(PR_TIMEOUT, "the script stalls");
    }
}

static pr_status scripted_write(struct transport *transport, const void *data,
                                size_t size, pr_time deadline, size_t *ret_size)
{
    struct script *script = script_of(transport);
    const char *rest = data;
    size_t left = size;
    bool barrier;

    (void)deadline;
    while (left > 0 && script->words[0] == '\0') {
        server_place(script);
        const struct script_step *step = client_place(script, &barrier);
        struct pr_bytes got = {rest, left};
        if (step == NULL || barrier) {
            blame(script, "the client writes too much", PR_BYTES(""), got);
            break;
        }
        struct pr_bytes expected = {step->data + script->client_offset,
                                    step->size - script->client_offset};
        size_t part = expected.size < left ? expected.size : left;
        if (memcmp(expected.data, rest, part) != 0) {
            blame(script, "the client writes something else", expected, got);
            break;
        }
        script->client_offset += part;
        rest += part;
        left -= part;
    }
    if (script->words[0] != '\0')
        return pr_fail(PR_NETWORK, "the script has failed");
    *ret_size = size;
    return PR_OK;
}

static pr_status scripted_start_tls(struct transport *transport,
                                    pr_time deadline)
{
    struct script *script = script_of(transport);
    const struct script_step *step = server_place(script);

    (void)deadline;
    if (step == NULL || step->kind != SCRIPT_KIND_TLS) {
        blame(script, "the client starts TLS", PR_BYTES(""), PR_BYTES(""));
        return pr_fail(PR_TLS, "the script has failed");
    }
    script->server_step++;
    script->is_secure = true;
    return PR_OK;
}

static void scripted_close(struct transport *transport)
{
    script_of(transport)->is_closed = true;
    free(transport);
}

static const struct transport_ops scripted_ops = {
    .read = scripted_read,
    .write = scripted_write,
    .close = scripted_close,
    .start_tls = scripted_start_tls,
};

struct transport *scripted_new(struct script *script)
{
    struct scripted *scripted = calloc(1, sizeof(*scripted));

    if (scripted == NULL)
        return NULL;
    scripted->base = (struct transport){&scripted_ops, NULL, -1};
    scripted->script = script;
    return &scripted->base;
}

static struct script *installed;
static size_t installed_left;

static pr_status open_next(const struct pr_net_options *net, uint16_t port,
                           const struct pr_log *log, struct transport **ret)
{
    (void)log;
    if (installed_left == 0)
        return pr_fail(PR_NETWORK, "cannot connect to %s:%u: no more scripts",
                       net->host != NULL ? net->host : "?", (unsigned)port);
    *ret = scripted_new(installed);
    installed++;
    installed_left--;
    return *ret != NULL ? PR_OK : pr_fail(PR_NOMEM, "out of memory");
}

void scripted_install(struct script *scripts, size_t count)
{
    installed = scripts;
    installed_left = count;
    stream_connect_hook = scripts != NULL ? open_next : NULL;
}

/* The first step from `i` on that the client must do. */
static const struct script_step *duty_from(const struct script *script,
                                           size_t *i)
{
    const struct script_step *step;

    while ((step = step_at(script, *i)) != NULL &&
           step->kind != SCRIPT_KIND_CLIENT && step->kind != SCRIPT_KIND_TLS)
        ++*i;
    return step;
}

const char *script_verdict(const struct script *script)
{
    static char words[256];
    struct script copy = *script;
    bool barrier;
    char text[160];

    if (script->words[0] != '\0')
        return script->words;
    server_place(&copy);
    client_place(&copy, &barrier);
    size_t offset = barrier ? 0 : copy.client_offset;
    const struct script_step *step = duty_from(&copy, &copy.client_step);
    if (step == NULL)
        return "";
    if (step->kind == SCRIPT_KIND_TLS) {
        snprintf(words, sizeof(words), "step %zu: the client never started TLS",
                 copy.client_step + 1);
        return words;
    }
    struct pr_bytes missing = {step->data + offset, step->size - offset};
    snprintf(words, sizeof(words), "step %zu: the client never wrote \"%s\"",
             copy.client_step + 1, text_printable(missing, text, sizeof(text)));
    return words;
}
