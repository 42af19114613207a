/*
 * A session from its greeting to its end.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pop3.h"

#define QUIT_MS 3000u
#define CAPABILITIES_MOST 1000u

bool pop3_can(const struct pop3 *pop3, enum pop3_capability what)
{
    return (pop3->capabilities & what) != 0;
}

size_t pop3_window(const struct pop3 *pop3)
{
    return pop3_can(pop3, POP3_CAN_PIPELINE) ? (size_t)pop3->options->window
                                             : 1;
}

/* ---- The steps of its beginning ----------------------------------------- */

static pr_status read_greeting(struct pop3 *pop3)
{
    struct pop3_reply reply;

    pop3->awaited = 1;
    pr_status status = pop3_await(pop3, &reply);
    if (status != PR_OK)
        return pr_context(status, "greeting");
    if (reply.indicator == POP3_CONTINUE)
        return pr_fail(PR_PROTOCOL, "the server's greeting is not POP3");
    if (reply.indicator == POP3_ERR)
        return pop3_verdict(&reply, "greeting", PR_LATER);
    struct pr_bytes challenge = pop3_challenge(reply.text);
    snprintf(pop3->challenge, sizeof(pop3->challenge), "%.*s",
             (int)challenge.size, challenge.data);
    return PR_OK;
}

/* RFC 2449, 5. A server that does not know CAPA says -ERR. */
static pr_status learn_capabilities(struct pop3 *pop3)
{
    struct pop3_reply reply;
    bool is_end = false;
    unsigned found = 0;
    pr_status status = pop3_ask(pop3, "CAPA", &reply);

    pop3->capabilities = 0;
    pop3->knows_capabilities = false;
    if (status != PR_OK || reply.indicator != POP3_OK)
        return status;
    pop3_lines_begin(pop3);
    for (unsigned lines = 0;; lines++) {
        struct pr_bytes line;
        status = pop3_line(pop3, &line, &is_end);
        if (status == PR_OK && lines > CAPABILITIES_MOST)
            status = pr_fail(PR_PROTOCOL,
                             "the server does not stop listing capabilities");
        if (status != PR_OK)
            return status;
        if (is_end)
            break;
        found |= pop3_capability(line);
    }
    pop3->capabilities = found & ~pop3->disabled;
    pop3->knows_capabilities = true;
    return PR_OK;
}

/* STLS (RFC 2595, 4). Nothing the server said before it counts. */
static pr_status protect(struct pop3 *pop3)
{
    struct pop3_reply reply;
    pr_status status = learn_capabilities(pop3);

    if (status != PR_OK)
        return status;
    if (pop3->knows_capabilities && !pop3_can(pop3, POP3_CAN_STLS))
        return pr_fail(PR_TLS, "the server does not offer STLS");
    status = pop3_ask(pop3, "STLS", &reply);
    if (status != PR_OK)
        return status;
    if (reply.indicator != POP3_OK)
        return pr_fail(PR_TLS, "STLS: the server says: %.*s",
                       (int)reply.text.size, reply.text.data);
    status = pr_stream_start_tls(pop3->stream);
    pop3->capabilities = 0;
    pop3->knows_capabilities = false;
    pop3->challenge[0] = '\0';
    return status;
}

/* RFC 6856, 2.1: only before the login. Without it a server may refuse, or
 * rewrite, messages whose header is UTF-8. */
static pr_status ask_for_utf8(struct pop3 *pop3)
{
    struct pop3_reply reply;

    if (!pop3_can(pop3, POP3_CAN_UTF8))
        return PR_OK;
    pr_status status = pop3_ask(pop3, "UTF8", &reply);
    if (status == PR_OK && reply.indicator != POP3_OK)
        pr_log(pop3->log, PR_LOG_DEBUG, "UTF8: the server says: %.*s",
               (int)reply.text.size, reply.text.data);
    return status;
}

/* Some servers tell only then what else they can. */
static pr_status learn_more(struct pop3 *pop3)
{
    const unsigned useful = POP3_CAN_PIPELINE | POP3_CAN_UIDL | POP3_CAN_TOP;

    if (!pop3->knows_capabilities ||
        ((pop3->capabilities | pop3->disabled) & useful) == useful)
        return PR_OK;
    return learn_capabilities(pop3);
}

static pr_status begin_session(struct pop3 *pop3)
{
    pr_status status = read_greeting(pop3);

    if (status == PR_OK && pop3->options->net.tls == PR_TLS_STARTTLS)
        status = protect(pop3);
    if (status == PR_OK)
        status = learn_capabilities(pop3);
    if (status == PR_OK)
        status = ask_for_utf8(pop3);
    if (status == PR_OK)
        status = pop3_authenticate(pop3);
    if (status != PR_OK)
        return status;
    pop3->is_logged_in = true;
    return learn_more(pop3);
}

static struct pop3 *pop3_new(const struct pr_source *source)
{
    struct pop3 *pop3 = calloc(1, sizeof(*pop3));

    if (pop3 == NULL) {
        (void)pr_fail(PR_NOMEM, "out of memory");
        return NULL;
    }
    pop3->source = source;
    pop3->options = source->options;
    pop3->log = source->log;
    pop3->disabled = pop3_capabilities_disabled(pop3->options->net.disable);
    pop3->has_no_top = (pop3->disabled & POP3_CAN_TOP) != 0;
    pr_buffer_init(&pop3->trace, 1024);
    return pop3;
}

pr_status pop3_op_open(struct pr_source *source)
{
    const struct pop3_options *options = source->options;
    bool is_tls = options->net.tls == PR_TLS_IMPLICIT;
    struct pop3 *pop3 = pop3_new(source);

    if (pop3 == NULL)
        return PR_NOMEM;
    source->state = pop3;
    pr_status status =
        pr_stream_connect(&options->net, is_tls ? POP3_PORT_TLS : POP3_PORT,
                          source->log, &pop3->stream);
    if (status == PR_OK)
        status = begin_session(pop3);
    return status == PR_OK ? PR_OK : pop3_break(pop3, status);
}

/* ---- Its end ------------------------------------------------------------ */

void pop3_unselect(struct pop3 *pop3)
{
    struct pop3_maildrop *maildrop = &pop3->maildrop;

    pr_arena_free(maildrop->arena);
    pr_buffer_done(&maildrop->entries);
    *maildrop = (struct pop3_maildrop){.arena = NULL};
}

/* NOOP. Its answer, if only it is one, says all that is wanted. */
pr_status pop3_op_keep(struct pr_source *source)
{
    struct pop3_reply reply;
    struct pop3 *pop3 = source->state;
    pr_status status = pop3_check(pop3);

    return status == PR_OK ? pop3_ask(pop3, "NOOP", &reply) : status;
}

/* Nothing was marked for deletion, so QUIT deletes nothing. */
static void log_out(struct pop3 *pop3)
{
    struct pop3_reply reply;

    if (pop3->stream == NULL || pop3->has_ended ||
        pop3->broken.status != PR_OK || pr_is_cancelled() ||
        pop3_quit_loses(pop3))
        return;
    pr_stream_set_deadline(pop3->stream, pr_in(QUIT_MS));
    pr_status status = pop3_ask(pop3, "QUIT", &reply);
    (void)status; /* there is nobody left to tell */
}

void pop3_op_close(struct pr_source *source)
{
    struct pop3 *pop3 = source->state;

    if (pop3 == NULL)
        return;
    log_out(pop3);
    source->state = NULL;
    pop3_unselect(pop3);
    pr_stream_close(pop3->stream);
    pr_buffer_done(&pop3->trace);
    free(pop3);
}
