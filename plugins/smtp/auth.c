/*
 * Logging in (RFC 4954): AUTH PLAIN, else AUTH LOGIN.
 *
 * No password goes over a clear line, and none is tried a second way once the
 * server has refused it.
 */
#include "config.h"

#include <postrider/login.h>

#include "line.h"

/* A password has 64 KiB at most; base64 makes a third more of it. */
#define RESPONSE_CAP (256u * 1024)
/* RFC 4954, 4: a command line with an initial response has its usual limit. */
#define INITIAL_MOST (512u - sizeof("AUTH PLAIN \r\n"))

static enum smtp_capability choose_mechanism(const struct smtp_line *line)
{
    if (pr_login_allows(line->net, "PLAIN") &&
        smtp_line_can(line, SMTP_CAN_AUTH_PLAIN))
        return SMTP_CAN_AUTH_PLAIN;
    if (pr_login_allows(line->net, "LOGIN") &&
        smtp_line_can(line, SMTP_CAN_AUTH_LOGIN))
        return SMTP_CAN_AUTH_LOGIN;
    return 0;
}

static pr_status read_more(struct smtp_line *line)
{
    pr_status status = smtp_line_read(line, line->options->reply_timeout);

    return status == PR_OK ? smtp_line_verdict(line, "AUTH", true) : status;
}

static pr_status send_command(struct smtp_line *line, const char *command)
{
    pr_status status = smtp_line_put(line, "%s", command);

    return status == PR_OK ? read_more(line) : status;
}

static pr_status send_plain(struct smtp_line *line, const struct pr_login *who)
{
    struct pr_buffer response = {.cap = RESPONSE_CAP};
    pr_status status = pr_login_plain(who, &response);

    if (status == PR_OK)
        status = response.size <= INITIAL_MOST
                     ? smtp_line_write(line, "AUTH PLAIN ", 11)
                     : send_command(line, "AUTH PLAIN");
    if (status == PR_OK)
        status = smtp_line_put_secret(
            line, (struct pr_bytes){response.data, response.size});
    pr_secret_wipe(&response);
    return status;
}

static pr_status send_base64(struct smtp_line *line, struct pr_bytes text)
{
    struct pr_buffer response = {.cap = RESPONSE_CAP};
    pr_status status;

    /* Whole at once: growing would leave copies of it behind. */
    if (pr_buffer_reserve(&response, (text.size + 2) / 3 * 4) == NULL)
        return pr_last_failure()->status;
    status = pr_base64_encode(text, &response);
    if (status == PR_OK)
        status = smtp_line_put_secret(
            line, (struct pr_bytes){response.data, response.size});
    pr_secret_wipe(&response);
    return status;
}

static pr_status send_login(struct smtp_line *line, const struct pr_login *who)
{
    pr_status status = send_command(line, "AUTH LOGIN");

    if (status == PR_OK)
        status = send_base64(line, who->user);
    if (status == PR_OK)
        status = read_more(line);
    return status == PR_OK ? send_base64(line, who->password) : status;
}

static pr_status log_in(struct smtp_line *line, enum smtp_capability mechanism,
                        const struct pr_login *who)
{
    pr_status status = mechanism == SMTP_CAN_AUTH_PLAIN ? send_plain(line, who)
                                                        : send_login(line, who);

    if (status == PR_OK) {
        status = smtp_line_read(line, line->options->reply_timeout);
        if (status == PR_OK)
            status = smtp_line_verdict(line, "AUTH", false);
    }
    if (line->is_broken || line->reply.code / 100 != 5)
        return status;
    return pr_fail(PR_AUTH,
                   "the server refuses the login of \"%.*s\" (%u %s); check "
                   "user and password",
                   (int)who->user.size, who->user.data, line->reply.code,
                   line->reply.text);
}

pr_status smtp_line_log_in(struct smtp_line *line)
{
    enum smtp_capability mechanism = choose_mechanism(line);
    struct pr_login who;

    if (mechanism == 0)
        return pr_fail(PR_AUTH,
                       "the server offers no way to log in that this program "
                       "knows and the configuration allows");
    pr_status status = pr_login_read(line->net, line->stream, &who);
    if (status == PR_OK)
        status = log_in(line, mechanism, &who);
    pr_login_wipe(&who);
    return status;
}
