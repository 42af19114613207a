/*
 * A session from its greeting to its end.
 */
#include <stdlib.h>

#include "imap.h"

#define PORT_TLS 993
#define PORT_CLEAR 143
#define LOGOUT_MS 3000u

/* ---- The octets of the line --------------------------------------------- */

static pr_status line_fill(void *user)
{
    struct imap *imap = user;
    pr_status status = pr_stream_fill(imap->stream);

    if (status == PR_EOF)
        return pr_fail(PR_NETWORK, "the server closed the connection");
    return status;
}

static struct pr_bytes line_peek(void *user)
{
    return pr_stream_peek(((struct imap *)user)->stream);
}

static void line_consume(void *user, size_t size)
{
    pr_stream_consume(((struct imap *)user)->stream, size);
}

pr_status imap_new(const struct imap_setup *setup, struct imap **ret)
{
    struct imap *imap = calloc(1, sizeof(*imap));

    if (imap == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    imap->arena = pr_arena_new();
    if (imap->arena == NULL) {
        free(imap);
        return PR_NOMEM;
    }
    const struct imap_octets line = {line_fill, line_peek, line_consume, imap};
    imap->setup = *setup;
    imap->log = setup->log;
    imap->disabled = imap_capabilities_disabled(setup->net->disable);
    imap_reader_init(&imap->reader, &line, setup->log);
    imap_response_init(&imap->response);
    pr_buffer_init(&imap->trace, 1024);
    imap_watching_init(&imap->watching);
    *ret = imap;
    return PR_OK;
}

bool imap_can(const struct imap *imap, enum imap_capability what)
{
    return (imap->capabilities & what) != 0;
}

void imap_note_capabilities(struct imap *imap, const struct imap_response *told)
{
    imap->capabilities = told->capabilities & ~imap->disabled;
    imap->append_limit =
        imap_can(imap, IMAP_CAN_APPENDLIMIT) ? told->append_limit : 0;
    imap->knows_capabilities = true;
}

/* ---- The steps of its beginning ----------------------------------------- */

static pr_status read_greeting(struct imap *imap)
{
    const struct imap_response *told = &imap->response;
    pr_status status = imap_response_read(&imap->reader, NULL, &imap->response);

    if (status != PR_OK)
        return pr_context(status, "greeting");
    if (told->kind != IMAP_CONDITION)
        return pr_fail(PR_PROTOCOL, "the server's greeting is not IMAP");
    if (told->condition == IMAP_BYE)
        return pr_fail(PR_LATER, "the server turns us away: %s",
                       imap_text(told, told->text));
    if (told->condition != IMAP_OK && told->condition != IMAP_PREAUTH)
        return pr_fail(PR_PROTOCOL, "the server's greeting is not IMAP");
    imap->is_preauthenticated = told->condition == IMAP_PREAUTH;
    if (told->code == IMAP_CODE_CAPABILITY) {
        imap_note_capabilities(imap, told);
    }
    return PR_OK;
}

pr_status imap_learn_capabilities(struct imap *imap)
{
    struct imap_command command;

    if (imap->knows_capabilities)
        return PR_OK;
    pr_status status = imap_send(imap, &command, "CAPABILITY", "CAPABILITY");
    if (status == PR_OK)
        status = imap_await(imap, &command);
    if (status == PR_OK)
        status = imap_verdict(&command, PR_PROTOCOL);
    if (status == PR_OK && !imap->knows_capabilities)
        return pr_fail(PR_PROTOCOL, "the server does not tell what it can do");
    return status;
}

/* STARTTLS (RFC 3501, 6.2.1). Nothing the server said before it counts. */
static pr_status protect(struct imap *imap)
{
    struct imap_command command;

    if (imap->is_preauthenticated)
        return pr_fail(PR_TLS, "the server skips the login on a clear line, so "
                               "TLS cannot be had (PREAUTH)");
    pr_status status = imap_learn_capabilities(imap);
    if (status != PR_OK)
        return status;
    if (!imap_can(imap, IMAP_CAN_STARTTLS))
        return pr_fail(PR_TLS, "the server does not offer STARTTLS");
    status = imap_send(imap, &command, "STARTTLS", "STARTTLS");
    if (status == PR_OK)
        status = imap_await(imap, &command);
    if (status != PR_OK)
        return status;
    if (command.condition != IMAP_OK)
        return pr_fail(PR_TLS, "STARTTLS: the server says: %s", command.text);
    imap_reader_release(&imap->reader);
    status = pr_stream_start_tls(imap->stream);
    imap->capabilities = 0;
    imap->knows_capabilities = false;
    return status;
}

/* What need not be waited for goes with the next command. */
static pr_status introduce(struct imap *imap)
{
    bool wants_utf8 = !imap->setup.plain || imap_can(imap, IMAP_CAN_ONLY_UTF8);
    pr_status status = PR_OK;

    if (wants_utf8 && imap_can(imap, IMAP_CAN_ENABLE) &&
        imap_can(imap, IMAP_CAN_UTF8))
        status = imap_send(imap, &imap->enable, "ENABLE", "ENABLE UTF8=ACCEPT");
    if (status == PR_OK && imap->setup.qresync &&
        imap_can(imap, IMAP_CAN_ENABLE) && imap_can(imap, IMAP_CAN_QRESYNC))
        status =
            imap_send(imap, &imap->enable_qresync, "ENABLE", "ENABLE QRESYNC");
    if (status == PR_OK && imap->setup.id && imap_can(imap, IMAP_CAN_ID))
        status = imap_send(imap, &imap->id, "ID",
                           "ID (\"name\" \"postrider\" \"version\" "
                           "\"" IMAP_VERSION "\")");
    if (status == PR_OK && imap_can(imap, IMAP_CAN_NAMESPACE))
        status = imap_send(imap, &imap->namespaces, "NAMESPACE", "NAMESPACE");
    return status;
}

static pr_status begin_session(struct imap *imap)
{
    pr_status status = read_greeting(imap);

    if (status == PR_OK && imap->setup.net->tls == PR_TLS_STARTTLS)
        status = protect(imap);
    if (status == PR_OK)
        status = imap_learn_capabilities(imap);
    if (status == PR_OK && !imap_can(imap, IMAP_CAN_REV1) &&
        !imap_can(imap, IMAP_CAN_REV2))
        status = pr_fail(PR_UNSUPPORTED, "the server does not speak IMAP4rev1");
    if (status == PR_OK && !imap->is_preauthenticated)
        status = imap_authenticate(imap);
    if (status == PR_OK)
        status = imap_learn_capabilities(imap);
    return status != PR_OK ? status : introduce(imap);
}

pr_status imap_connect(struct imap *imap)
{
    const struct pr_net_options *net = imap->setup.net;
    bool is_tls = net->tls == PR_TLS_IMPLICIT;
    pr_status status = pr_stream_connect(net, is_tls ? PORT_TLS : PORT_CLEAR,
                                         imap->log, &imap->stream);

    if (status == PR_OK)
        status = begin_session(imap);
    return status == PR_OK ? PR_OK : imap_break(imap, status);
}

pr_status imap_op_open(struct pr_source *source)
{
    const struct imap_options *options = source->options;
    const struct imap_setup setup = {.net = &options->net,
                                     .log = source->log,
                                     .id = options->id,
                                     .read_only = source->read_only,
                                     .qresync = source->wants_changes,
                                     .final_ms = options->final_timeout,
                                     .renew_ms = options->idle_renew};
    struct imap *imap = NULL;
    pr_status status = imap_new(&setup, &imap);

    if (status != PR_OK)
        return status;
    source->state = imap;
    return imap_connect(imap);
}

/* ---- Its end ------------------------------------------------------------ */

void imap_unselect(struct imap *imap)
{
    struct imap_known *known = imap_known_selected(imap);

    if (known != NULL)
        known->exists = imap->folder.exists;
    imap->watching.selected = IMAP_NONE;
    pr_arena_free(imap->folder.arena);
    imap->folder = (struct imap_folder){.arena = NULL};
}

static void log_out(struct imap *imap)
{
    struct imap_command command;

    if (imap->stream == NULL || imap->broken.status != PR_OK ||
        pr_is_cancelled())
        return;
    pr_stream_set_deadline(imap->stream, pr_in(LOGOUT_MS));
    imap_listen(imap, NULL, NULL, NULL);
    imap->is_leaving = true;
    pr_status status = imap_send(imap, &command, "LOGOUT", "LOGOUT");
    if (status == PR_OK)
        status = imap_await(imap, &command);
    (void)status; /* there is nobody left to tell */
}

void imap_free(struct imap *imap)
{
    if (imap == NULL)
        return;
    log_out(imap);
    imap_unselect(imap);
    pr_stream_close(imap->stream);
    imap_reader_done(&imap->reader);
    imap_response_done(&imap->response);
    pr_buffer_done(&imap->trace);
    imap_watching_done(&imap->watching);
    pr_arena_free(imap->arena);
    free(imap);
}

void imap_op_close(struct pr_source *source)
{
    imap_free(source->state);
    source->state = NULL;
}
