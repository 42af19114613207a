/*
 * Logging in: AUTHENTICATE PLAIN (RFC 4616), with the first response at once if
 * the server can (RFC 4959), else LOGIN.
 *
 * No password goes over a clear line, and none is tried a second way once the
 * server has refused it.
 */
#include <string.h>

#include <postrider/login.h>

#include "imap.h"
#include "quote.h"

/* A password has 64 KiB at most; base64 makes a third more of it. */
#define RESPONSE_CAP (256u * 1024)

enum mechanism { MECHANISM_NONE, MECHANISM_PLAIN, MECHANISM_LOGIN };

static enum mechanism choose_mechanism(const struct imap *imap)
{
    const struct pr_net_options *net = imap->setup.net;

    if (pr_login_allows(net, "PLAIN") && imap_can(imap, IMAP_CAN_AUTH_PLAIN))
        return MECHANISM_PLAIN;
    if (pr_login_allows(net, "LOGIN") && !imap_can(imap, IMAP_CAN_NOT_LOGIN))
        return MECHANISM_LOGIN;
    return MECHANISM_NONE;
}

static pr_status send_plain(struct imap *imap, struct imap_command *command,
                            struct pr_bytes response)
{
    bool at_once = imap_can(imap, IMAP_CAN_SASL_IR);
    pr_status status = imap_begin(imap, command, "AUTHENTICATE");

    if (status == PR_OK)
        status = imap_put(imap, at_once ? "AUTHENTICATE PLAIN "
                                        : "AUTHENTICATE PLAIN");
    if (status == PR_OK && !at_once) {
        status = imap_end(imap);
        if (status == PR_OK)
            status = imap_await_continue(imap, command);
        if (command->is_done)
            return status;
    }
    if (status == PR_OK)
        status = imap_put_secret(imap, response);
    return status != PR_OK ? status : imap_end(imap);
}

static pr_status authenticate_plain(struct imap *imap,
                                    struct imap_command *command,
                                    const struct pr_login *who)
{
    struct pr_buffer response = {.cap = RESPONSE_CAP};
    pr_status status = pr_login_plain(who, &response);

    if (status == PR_OK)
        status = send_plain(imap, command,
                            (struct pr_bytes){response.data, response.size});
    pr_secret_wipe(&response);
    return status;
}

static pr_status login(struct imap *imap, struct imap_command *command,
                       const struct pr_login *who)
{
    pr_status status = imap_begin(imap, command, "LOGIN");

    if (status == PR_OK)
        status = imap_put(imap, "LOGIN ");
    if (status == PR_OK)
        status = imap_put_string(imap, command, who->user, false);
    if (status == PR_OK)
        status = imap_put(imap, " ");
    if (status == PR_OK)
        status = imap_put_string(imap, command, who->password, true);
    if (status != PR_OK)
        return command->is_done ? PR_OK : status;
    return imap_end(imap);
}

/* Capabilities of before the login may be others than those after it. */
static pr_status log_in(struct imap *imap, enum mechanism mechanism,
                        const struct pr_login *who)
{
    struct imap_command command = {.name = NULL};
    pr_status status = mechanism == MECHANISM_PLAIN
                           ? authenticate_plain(imap, &command, who)
                           : login(imap, &command, who);

    imap->knows_capabilities = false;
    if (status == PR_OK)
        status = imap_await(imap, &command);
    if (status != PR_OK)
        return status;
    status = imap_verdict(&command, PR_AUTH);
    if (status != PR_AUTH && status != PR_PROTOCOL)
        return status;
    return pr_fail(PR_AUTH,
                   "the server refuses the login of \"%.*s\" (%s); check user "
                   "and password",
                   (int)who->user.size, who->user.data, command.text);
}

pr_status imap_authenticate(struct imap *imap)
{
    enum mechanism mechanism = choose_mechanism(imap);
    struct pr_login who;

    if (mechanism == MECHANISM_NONE)
        return pr_fail(PR_AUTH,
                       "the server offers no way to log in that this program "
                       "knows and the configuration allows");
    pr_status status = pr_login_read(imap->setup.net, imap->stream, &who);
    if (status == PR_OK)
        status = log_in(imap, mechanism, &who);
    pr_login_wipe(&who);
    return status;
}
