/*
 * Sending commands, reading answers.
 *
 * Commands may overlap: each has its tag, and an answer finds its command by
 * it. What is put is sent when somebody waits, so that commands put one after
 * another travel together.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "imap.h"
#include "quote.h"

#define TRACE_CAP 1024u
#define LITERAL_MINUS_CAP 4096u /* RFC 7888, 5 */
/* Responses to one command; far more than messages in any folder. */
#define RESPONSES_CAP (16u * 1000 * 1000)

pr_status imap_break(struct imap *imap, pr_status status)
{
    if (imap->broken.status == PR_OK) {
        imap->broken = *pr_last_failure();
        imap->broken.status = status;
    }
    imap->in_flight = NULL;
    return status;
}

pr_status imap_check(const struct imap *imap)
{
    if (imap->broken.status == PR_OK)
        return PR_OK;
    return pr_fail(imap->broken.status, "%s", imap->broken.text);
}

/* ---- Sending ------------------------------------------------------------ */

static void trace_add(struct imap *imap, struct pr_bytes text)
{
    size_t room = imap->trace.cap - imap->trace.size;
    pr_status dropped;

    if (!pr_log_wants(PR_LOG_TRACE))
        return;
    dropped = pr_buffer_add(&imap->trace, text.data,
                            text.size < room ? text.size : room);
    (void)dropped;
}

static void trace_end(struct imap *imap)
{
    if (imap->trace.size > 0)
        pr_log(imap->log, PR_LOG_TRACE, "C: %s", pr_buffer_text(&imap->trace));
    pr_buffer_clear(&imap->trace);
}

static pr_status write_out(struct imap *imap, struct pr_bytes text)
{
    pr_status status = imap_check(imap);

    if (status != PR_OK)
        return status;
    imap->needs_flush = true;
    status = pr_stream_write(imap->stream, text.data, text.size);
    return status == PR_OK ? PR_OK : imap_break(imap, status);
}

pr_status imap_put_bytes(struct imap *imap, struct pr_bytes text)
{
    trace_add(imap, text);
    return write_out(imap, text);
}

pr_status imap_put(struct imap *imap, const char *text)
{
    return imap_put_bytes(imap, pr_bytes_of(text));
}

pr_status imap_put_secret(struct imap *imap, struct pr_bytes text)
{
    trace_add(imap, PR_BYTES("(hidden)"));
    return write_out(imap, text);
}

pr_status imap_begin(struct imap *imap, struct imap_command *command,
                     const char *name)
{
    *command = (struct imap_command){.name = name};
    snprintf(command->tag, sizeof(command->tag), "A%u", ++imap->last_tag);
    pr_status status = imap_put(imap, command->tag);
    if (status != PR_OK)
        return status;
    command->next = imap->in_flight;
    imap->in_flight = command;
    return imap_put(imap, " ");
}

pr_status imap_end(struct imap *imap)
{
    trace_end(imap);
    return write_out(imap, PR_BYTES("\r\n"));
}

pr_status imap_send(struct imap *imap, struct imap_command *command,
                    const char *name, const char *text)
{
    pr_status status = imap_begin(imap, command, name);

    if (status == PR_OK)
        status = imap_put(imap, text);
    return status != PR_OK ? status : imap_end(imap);
}

pr_status imap_put_octets(struct imap *imap, struct pr_bytes octets)
{
    return write_out(imap, octets);
}

pr_status imap_put_literal(struct imap *imap, struct imap_command *command,
                           uint64_t size, bool holds_nul)
{
    bool may_go_on =
        imap_can(imap, IMAP_CAN_LITERAL_PLUS) ||
        (imap_can(imap, IMAP_CAN_LITERAL_MINUS) && size <= LITERAL_MINUS_CAP);
    char head[32];

    snprintf(head, sizeof(head), "%s{%" PRIu64 "%s}", holds_nul ? "~" : "",
             size, may_go_on ? "+" : "");
    pr_status status = imap_put(imap, head);
    if (status == PR_OK)
        status = imap_end(imap);
    if (status != PR_OK || may_go_on)
        return status;
    status = imap_await_continue(imap, command);
    if (status != PR_OK || !command->is_done)
        return status;
    status = imap_verdict(command, PR_REFUSED);
    return status != PR_OK
               ? status
               : imap_break(imap,
                            pr_fail(PR_PROTOCOL,
                                    "the server answered half a command"));
}

pr_status imap_put_string(struct imap *imap, struct imap_command *command,
                          struct pr_bytes text, bool is_secret)
{
    struct pr_buffer quoted = {.cap = 64u * 1024};
    pr_status status;

    switch (imap_form_of(text, imap->utf8)) {
    case IMAP_FORM_NONE:
        return imap_break(imap, pr_fail(PR_CONFIG, "a line end or NUL in what "
                                                   "a command is to carry"));
    case IMAP_FORM_LITERAL:
        status = imap_put_literal(imap, command, text.size, false);
        break;
    default:
        status = imap_quote(text, &quoted);
        text = (struct pr_bytes){pr_buffer_text(&quoted), quoted.size};
        break;
    }
    if (status == PR_OK)
        status = is_secret ? imap_put_secret(imap, text)
                           : imap_put_bytes(imap, text);
    pr_secret_wipe(&quoted);
    return status;
}

/* ---- Answers ------------------------------------------------------------ */

void imap_be_patient(struct imap *imap, bool is_patient)
{
    uint64_t usual = imap->setup.net->timeout, most = imap->setup.final_ms;
    bool is_longer = most == 0 || most > usual;

    if (imap->stream != NULL && usual != 0)
        pr_stream_set_timeout(imap->stream,
                              is_patient && is_longer ? most : usual);
}

void imap_listen(struct imap *imap, imap_untagged *untagged,
                 const struct imap_receiver *receiver, void *user)
{
    imap->untagged = untagged;
    imap->receiver = receiver;
    imap->user = user;
}

static pr_status finish_command(struct imap *imap,
                                const struct imap_response *told)
{
    struct imap_command **at = &imap->in_flight;

    while (*at != NULL && strcmp((*at)->tag, told->tag) != 0)
        at = &(*at)->next;
    if (*at == NULL)
        return pr_fail(PR_PROTOCOL,
                       "the server answered a command (%s) that was not sent",
                       told->tag);
    struct imap_command *command = *at;
    *at = command->next;
    command->is_done = true;
    command->condition = told->condition;
    command->code = told->code;
    snprintf(command->text, sizeof(command->text), "%s",
             imap_text(told, told->text));
    if (told->code == IMAP_CODE_APPENDUID &&
        told->ranges.size == sizeof(command->uids)) {
        memcpy(&command->uids, told->ranges.data, sizeof(command->uids));
        command->uidvalidity = (uint32_t)told->number;
    }
    imap->responses = 0;
    return PR_OK;
}

static pr_status take_bye(const struct imap *imap,
                          const struct imap_response *told)
{
    if (imap->is_leaving)
        return PR_OK;
    return pr_fail(PR_NETWORK, "the server ended the session: %s",
                   imap_text(told, told->text));
}

/* Numbered anew while it is selected (RFC 3501, 2.3.1.1): every UID that we
 * hold may by now be another message, so nothing more is asked for in this
 * session.
 */
static pr_status check_numbering(const struct imap *imap,
                                 const struct imap_response *told)
{
    uint32_t before = imap->folder.uidvalidity;

    if (told->code != IMAP_CODE_UIDVALIDITY || before == 0 ||
        told->number == before)
        return PR_OK;
    return pr_fail(PR_NETWORK,
                   "the server numbered the folder anew while it was in use "
                   "(UIDVALIDITY %" PRIu32 " became %" PRIu64
                   "): it is looked at again from a new session",
                   before, told->number);
}

/* RFC 7162, 3.2.10: in place of EXPUNGE, once QRESYNC is enabled. */
static uint32_t count_vanished(const struct imap_response *told)
{
    uint64_t count = 0;

    for (size_t at = 0; at < told->ranges.size; at += sizeof(struct pr_range)) {
        struct pr_range range;
        memcpy(&range, told->ranges.data + at, sizeof(range));
        count += (uint64_t)range.last - range.first + 1;
    }
    return count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
}

static void note_numbers(struct imap *imap, const struct imap_response *told)
{
    struct imap_folder *folder = &imap->folder;

    if (told->kind == IMAP_EXISTS) {
        if (told->number > folder->exists)
            folder->uidnext = 0; /* told anew by SELECT only */
        folder->exists = (uint32_t)told->number;
    } else if (told->kind == IMAP_EXPUNGE && folder->exists > 0) {
        folder->exists--;
    } else if (told->kind == IMAP_VANISHED && !told->is_earlier) {
        uint32_t count = count_vanished(told);
        folder->exists -= count < folder->exists ? count : folder->exists;
    }
}

/* What any response means for the session, whatever runs. */
static pr_status take(struct imap *imap, const struct imap_response *told)
{
    if (told->code == IMAP_CODE_ALERT)
        pr_log(imap->log, PR_LOG_WARNING, "the server says: %s",
               imap_text(told, told->text));
    if (told->code == IMAP_CODE_CAPABILITY || told->kind == IMAP_CAPABILITY)
        imap_note_capabilities(imap, told);
    switch (told->kind) {
    case IMAP_TAGGED: {
        pr_status status = finish_command(imap, told);
        if (status != PR_OK || told->code != IMAP_CODE_COPYUID ||
            imap->untagged == NULL)
            return status;
        return imap->untagged(imap->user, told);
    }
    case IMAP_CONTINUE:
        if (!imap->may_continue)
            return pr_fail(PR_PROTOCOL, "the server asks for more of a command "
                                        "that is whole");
        imap->was_continued = true;
        return PR_OK;
    case IMAP_CONDITION: {
        if (told->condition == IMAP_BYE)
            return take_bye(imap, told);
        pr_status status = check_numbering(imap, told);
        if (status != PR_OK)
            return status;
        break;
    }
    case IMAP_ENABLED:
        imap->utf8 |= (told->capabilities & IMAP_CAN_UTF8) != 0 &&
                      imap->enable.name != NULL;
        imap->qresync |= (told->capabilities & IMAP_CAN_QRESYNC) != 0 &&
                         imap->enable_qresync.name != NULL;
        break;
    case IMAP_NAMESPACE:
        pr_log(imap->log, PR_LOG_DEBUG, "folders are below \"%s\"",
               imap_text(told, told->mailbox.name));
        break;
    default:
        break;
    }
    pr_status status = imap_note_news(imap, told);
    if (status != PR_OK)
        return status;
    note_numbers(imap, told);
    return imap->untagged == NULL ? PR_OK : imap->untagged(imap->user, told);
}

pr_status imap_flush(struct imap *imap)
{
    pr_status status = imap_check(imap);

    if (status != PR_OK || !imap->needs_flush)
        return status;
    imap->needs_flush = false;
    status = pr_stream_flush(imap->stream);
    return status == PR_OK ? PR_OK : imap_break(imap, status);
}

pr_status imap_step(struct imap *imap)
{
    pr_status status = imap_flush(imap);

    if (status == PR_OK)
        status =
            imap_response_read(&imap->reader, imap->receiver, &imap->response);
    if (status == PR_OK && ++imap->responses > RESPONSES_CAP)
        status = pr_fail(PR_PROTOCOL, "the server does not stop answering");
    if (status == PR_OK)
        status = take(imap, &imap->response);
    return status == PR_OK ? PR_OK : imap_break(imap, status);
}

pr_status imap_await(struct imap *imap, const struct imap_command *command)
{
    pr_status status = PR_OK;

    while (status == PR_OK && !command->is_done)
        status = imap_step(imap);
    return status;
}

pr_status imap_await_continue(struct imap *imap,
                              const struct imap_command *command)
{
    pr_status status = PR_OK;

    imap->may_continue = true;
    imap->was_continued = false;
    while (status == PR_OK && !command->is_done && !imap->was_continued)
        status = imap_step(imap);
    imap->may_continue = false;
    return status;
}

/* ---- What an answer means ----------------------------------------------- */

/* Servers of old say in words only that it is their bad day. */
static bool words_say_later(const char *text)
{
    static const char *const signs[] = {"simultaneous", "too many",
                                        "try again",    "temporar",
                                        "unavailable",  "internal error"};

    for (size_t i = 0; i < sizeof(signs) / sizeof(*signs); i++) {
        size_t size = strlen(signs[i]);
        for (const char *at = text; strlen(at) >= size; at++)
            if (pr_bytes_equal_nocase((struct pr_bytes){at, size},
                                      (struct pr_bytes){signs[i], size}))
                return true;
    }
    return false;
}

static pr_status status_of(const struct imap_command *command, pr_status on_no)
{
    switch (command->code) {
    case IMAP_CODE_UNAVAILABLE:
    case IMAP_CODE_INUSE:
    case IMAP_CODE_LIMIT:
    case IMAP_CODE_SERVERBUG:
    case IMAP_CODE_THROTTLED:
        return PR_LATER;
    case IMAP_CODE_OVERQUOTA:
        return PR_FULL;
    case IMAP_CODE_AUTHENTICATIONFAILED:
    case IMAP_CODE_AUTHORIZATIONFAILED:
    case IMAP_CODE_EXPIRED:
    case IMAP_CODE_PRIVACYREQUIRED:
        return PR_AUTH;
    case IMAP_CODE_NONEXISTENT:
        return PR_GONE;
    case IMAP_CODE_CANNOT:
    case IMAP_CODE_NOPERM:
    case IMAP_CODE_TOOBIG:
        return PR_REFUSED;
    default:
        break;
    }
    if (command->condition == IMAP_BAD)
        return PR_PROTOCOL;
    return words_say_later(command->text) ? PR_LATER : on_no;
}

pr_status imap_verdict(const struct imap_command *command, pr_status on_no)
{
    if (command->condition == IMAP_OK)
        return PR_OK;
    return pr_fail(status_of(command, on_no), "%s: the server says: %s",
                   command->name, command->text);
}
