/*
 * Logging in: AUTHENTICATE PLAIN (RFC 4616), with the first response at once if
 * the server can (RFC 4959), else LOGIN.
 *
 * No password goes over a clear line, and none is tried a second way once the
 * server has refused it.
 */
#include <string.h>

#include "imap.h"
#include "quote.h"

#define SECRET_CAP (64u * 1024)

enum mechanism { MECHANISM_NONE, MECHANISM_PLAIN, MECHANISM_LOGIN };

static bool is_wanted(const struct imap *imap, const char *name)
{
    const char *const *wanted = imap->options->net.auth;

    if (wanted == NULL || *wanted == NULL)
        return true;
    for (; *wanted != NULL; wanted++)
        if (pr_bytes_equal_nocase(pr_bytes_of(*wanted), pr_bytes_of(name)))
            return true;
    return false;
}

static enum mechanism choose_mechanism(const struct imap *imap)
{
    if (is_wanted(imap, "PLAIN") && imap_can(imap, IMAP_CAN_AUTH_PLAIN))
        return MECHANISM_PLAIN;
    if (is_wanted(imap, "LOGIN") && !imap_can(imap, IMAP_CAN_NOT_LOGIN))
        return MECHANISM_LOGIN;
    return MECHANISM_NONE;
}

static pr_status check_line(const struct imap *imap)
{
    const struct pr_net_options *net = &imap->options->net;
    bool has_tunnel = net->tunnel != NULL && *net->tunnel != NULL;

    if (pr_stream_is_secure(imap->stream) || net->insecure || has_tunnel)
        return PR_OK;
    return pr_fail(PR_CONFIG, "a password would go over a clear line; use tls, "
                              "or insecure = true if that is meant");
}

/* NUL user NUL password, in base64. */
static pr_status encode_plain(struct pr_bytes user, struct pr_bytes password,
                              struct pr_buffer *ret)
{
    struct pr_buffer clear = {.cap = 2 * SECRET_CAP};
    pr_status status = pr_buffer_add(&clear, "", 1);

    if (status == PR_OK)
        status = pr_buffer_add(&clear, user.data, user.size);
    if (status == PR_OK)
        status = pr_buffer_add(&clear, "", 1);
    if (status == PR_OK)
        status = pr_buffer_add(&clear, password.data, password.size);
    if (status == PR_OK)
        status = imap_base64((struct pr_bytes){clear.data, clear.size}, ret);
    pr_secret_wipe(&clear);
    return status;
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
                                    struct pr_bytes user,
                                    struct pr_bytes password)
{
    struct pr_buffer response = {.cap = 4 * SECRET_CAP};
    pr_status status = encode_plain(user, password, &response);

    if (status == PR_OK)
        status = send_plain(imap, command,
                            (struct pr_bytes){response.data, response.size});
    pr_secret_wipe(&response);
    return status;
}

static pr_status login(struct imap *imap, struct imap_command *command,
                       struct pr_bytes user, struct pr_bytes password)
{
    pr_status status = imap_begin(imap, command, "LOGIN");

    if (status == PR_OK)
        status = imap_put(imap, "LOGIN ");
    if (status == PR_OK)
        status = imap_put_string(imap, command, user, false);
    if (status == PR_OK)
        status = imap_put(imap, " ");
    if (status == PR_OK)
        status = imap_put_string(imap, command, password, true);
    if (status != PR_OK)
        return command->is_done ? PR_OK : status;
    return imap_end(imap);
}

/* Capabilities of before the login may be others than those after it. */
static pr_status log_in(struct imap *imap, enum mechanism mechanism,
                        struct pr_bytes user, struct pr_bytes password)
{
    struct imap_command command = {.name = NULL};
    pr_status status = mechanism == MECHANISM_PLAIN
                           ? authenticate_plain(imap, &command, user, password)
                           : login(imap, &command, user, password);

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
                   (int)user.size, user.data, command.text);
}

pr_status imap_authenticate(struct imap *imap)
{
    const struct pr_net_options *net = &imap->options->net;
    struct pr_buffer password = {.cap = SECRET_CAP};
    struct pr_bytes user = pr_bytes_of(net->user);
    enum mechanism mechanism = choose_mechanism(imap);
    pr_status status = check_line(imap);

    if (status == PR_OK && mechanism == MECHANISM_NONE)
        status =
            pr_fail(PR_AUTH, "the server offers no way to log in that this "
                             "program knows and the configuration allows");
    if (status == PR_OK && (net->user == NULL || net->password == NULL))
        status = pr_fail(PR_CONFIG, "the server asks for a login: user and "
                                    "password are needed");
    if (status == PR_OK)
        status = pr_secret_read(net->password, &password);
    if (status != PR_OK)
        goto out;
    struct pr_bytes secret = {pr_buffer_text(&password), password.size};
    if (imap_form_of(user, false) == IMAP_FORM_NONE ||
        imap_form_of(secret, false) == IMAP_FORM_NONE)
        status = pr_fail(PR_CONFIG,
                         "a line end or NUL in the user's name or password");
    else
        status = log_in(imap, mechanism, user, secret);
out:
    pr_secret_wipe(&password);
    return status;
}
