/*
 * Logging in: AUTH PLAIN (RFC 5034, 4616), AUTH LOGIN, USER and PASS; APOP only
 * if the account asks for it.
 *
 * No password goes over a clear line, and none is tried a second way once the
 * server has refused it.
 */
#include <string.h>

#include <postrider/login.h>

#include "pop3.h"

/* A password has 64 KiB at most; base64 makes a third more of it. */
#define RESPONSE_CAP (256u * 1024)
/* RFC 5034, 4: with CRLF, a command has 255 octets. */
#define INITIAL_RESPONSE_MOST (255u - sizeof("AUTH PLAIN \r\n") + 1)

typedef pr_status way_fn(struct pop3 *pop3, const struct pr_login *who,
                         struct pop3_reply *ret);

/* ---- The ways ----------------------------------------------------------- */

/* Answers a challenge with what is base64 already. */
static pr_status respond(struct pop3 *pop3, struct pr_bytes response,
                         struct pop3_reply *ret)
{
    pr_status status = pop3_put_secret(pop3, response);

    if (status == PR_OK)
        status = pop3_end(pop3);
    return status != PR_OK ? status : pop3_await(pop3, ret);
}

static pr_status respond_encoded(struct pop3 *pop3, struct pr_bytes words,
                                 struct pop3_reply *ret)
{
    struct pr_buffer response = {.cap = RESPONSE_CAP};
    pr_status status = pr_base64_encode(words, &response);

    if (status == PR_OK)
        status = respond(
            pop3, (struct pr_bytes){pr_buffer_text(&response), response.size},
            ret);
    pr_secret_wipe(&response);
    return status;
}

/* A server that does not know of initial responses may ask for it again. */
static pr_status send_plain(struct pop3 *pop3, struct pr_bytes response,
                            struct pop3_reply *ret)
{
    bool at_once = pop3_can(pop3, POP3_CAN_SASL_IR) &&
                   response.size <= INITIAL_RESPONSE_MOST;
    pr_status status = pop3_put(pop3, at_once ? PR_BYTES("AUTH PLAIN ")
                                              : PR_BYTES("AUTH PLAIN"));

    if (status == PR_OK && at_once)
        status = pop3_put_secret(pop3, response);
    if (status == PR_OK)
        status = pop3_end(pop3);
    if (status == PR_OK)
        status = pop3_await(pop3, ret);
    if (status == PR_OK && ret->indicator == POP3_CONTINUE)
        return respond(pop3, response, ret);
    if (status == PR_OK && !at_once && ret->indicator == POP3_OK)
        return pr_fail(PR_PROTOCOL, "the server answered half a login");
    return status;
}

static pr_status auth_plain(struct pop3 *pop3, const struct pr_login *who,
                            struct pop3_reply *ret)
{
    struct pr_buffer response = {.cap = RESPONSE_CAP};
    pr_status status = pr_login_plain(who, &response);

    if (status == PR_OK)
        status = send_plain(
            pop3, (struct pr_bytes){pr_buffer_text(&response), response.size},
            ret);
    pr_secret_wipe(&response);
    return status;
}

static pr_status auth_login(struct pop3 *pop3, const struct pr_login *who,
                            struct pop3_reply *ret)
{
    pr_status status = pop3_ask(pop3, "AUTH LOGIN", ret);

    if (status == PR_OK && ret->indicator == POP3_CONTINUE)
        status = respond_encoded(pop3, who->user, ret);
    if (status == PR_OK && ret->indicator == POP3_CONTINUE)
        return respond_encoded(pop3, who->password, ret);
    if (status == PR_OK && ret->indicator == POP3_OK)
        return pr_fail(PR_PROTOCOL, "the server answered half a login");
    return status;
}

static pr_status user_pass(struct pop3 *pop3, const struct pr_login *who,
                           struct pop3_reply *ret)
{
    pr_status status = pop3_put(pop3, PR_BYTES("USER "));

    if (status == PR_OK)
        status = pop3_put(pop3, who->user);
    if (status == PR_OK)
        status = pop3_end(pop3);
    if (status == PR_OK)
        status = pop3_await(pop3, ret);
    if (status != PR_OK || ret->indicator != POP3_OK)
        return status;
    status = pop3_put(pop3, PR_BYTES("PASS "));
    return status != PR_OK ? status : respond(pop3, who->password, ret);
}

static pr_status apop(struct pop3 *pop3, const struct pr_login *who,
                      struct pop3_reply *ret)
{
    char digest[PR_APOP_SIZE];
    pr_status status = pr_login_apop(who, pr_bytes_of(pop3->challenge), digest);

    if (status == PR_OK)
        status = pop3_put(pop3, PR_BYTES("APOP "));
    if (status == PR_OK)
        status = pop3_put(pop3, who->user);
    if (status == PR_OK)
        status = pop3_put(pop3, PR_BYTES(" "));
    return status != PR_OK ? status : respond(pop3, pr_bytes_of(digest), ret);
}

/* ---- Choosing one ------------------------------------------------------- */

struct way {
    const char *name;
    way_fn *log_in;
    unsigned needs; /* a capability, or 0 */
};

static const struct way ways[] = {
    {"PLAIN", auth_plain, POP3_CAN_AUTH_PLAIN},
    {"LOGIN", auth_login, POP3_CAN_AUTH_LOGIN},
    {"USER", user_pass, POP3_CAN_USER},
    {"APOP", apop, 0},
};

#define WAYS (sizeof(ways) / sizeof(*ways))

/* Without CAPA there is no SASL, unless the account asks for it; and a server
 * that names neither a mechanism nor USER has just forgotten the latter. */
static bool is_offered(const struct pop3 *pop3, const struct way *way,
                       bool is_asked_for)
{
    if (way->log_in == apop)
        return is_asked_for && pop3->challenge[0] != '\0';
    if ((pop3->disabled & way->needs) != 0)
        return false;
    if (way->log_in != user_pass)
        return pop3->knows_capabilities ? (pop3->capabilities & way->needs) != 0
                                        : is_asked_for;
    return !pop3->knows_capabilities || pop3_can(pop3, POP3_CAN_USER) ||
           !pop3_can(pop3, POP3_CAN_SASL);
}

static const struct way *way_named(const struct pop3 *pop3, const char *name)
{
    for (size_t i = 0; i < WAYS; i++)
        if (pr_bytes_equal_nocase(pr_bytes_of(name), pr_bytes_of(ways[i].name)))
            return is_offered(pop3, &ways[i], true) ? &ways[i] : NULL;
    return NULL;
}

static const struct way *choose(const struct pop3 *pop3)
{
    const char *const *wanted = pop3->options->net.auth;
    const struct way *way = NULL;

    if (wanted != NULL && *wanted != NULL) {
        for (; *wanted != NULL && way == NULL; wanted++)
            way = way_named(pop3, *wanted);
        return way;
    }
    for (size_t i = 0; i < WAYS; i++)
        if (is_offered(pop3, &ways[i], false))
            return &ways[i];
    return NULL;
}

static pr_status nothing_offered(const struct pop3 *pop3)
{
    const struct pr_net_options *net = &pop3->options->net;
    bool wants_apop =
        net->auth != NULL && *net->auth != NULL && pr_login_allows(net, "APOP");

    if (!wants_apop)
        return pr_fail(PR_AUTH,
                       "the server offers no way to log in that this program "
                       "knows and the configuration allows");
    if (net->tls == PR_TLS_STARTTLS)
        return pr_fail(PR_AUTH,
                       "APOP cannot be had with STLS: its challenge came over "
                       "the clear line; leave auth out");
    return pr_fail(PR_AUTH, "the server's greeting has no message id for APOP; "
                            "leave auth out");
}

/* ---- What came of it ---------------------------------------------------- */

static pr_status verdict(const struct pop3_reply *reply, const char *way,
                         const struct pr_login *who)
{
    pr_status status = pop3_verdict(reply, way, PR_AUTH);

    if (status != PR_AUTH)
        return status;
    return pr_fail(PR_AUTH,
                   "the server refuses the login of \"%.*s\" (%.*s); check "
                   "user and password",
                   (int)who->user.size, who->user.data, (int)reply->text.size,
                   reply->text.data);
}

pr_status pop3_authenticate(struct pop3 *pop3)
{
    const struct way *way = choose(pop3);
    struct pop3_reply reply;
    struct pr_login who;

    if (way == NULL)
        return nothing_offered(pop3);
    pr_status status = pr_login_read(&pop3->options->net, pop3->stream, &who);
    if (status == PR_OK)
        status = way->log_in(pop3, &who, &reply);
    if (status == PR_OK)
        status = verdict(&reply, way->name, &who);
    pr_login_wipe(&who);
    return status;
}
