/*
 * The options of smtp {...} and lmtp {...}, as tables.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "address.h"
#include "capability.h"
#include "smtp.h"

static const char *const tls_choices[] = {"implicit", "starttls", "none",
                                          "auto", NULL};
static const char *const dsn_returns[] = {"any", "full", "headers", NULL};

#define OPTION(field, option_kind, ...)                             \
    {                                                               \
        .name = #field, .kind = PR_OPTION_##option_kind,            \
        .offset = offsetof(struct smtp_options, field), __VA_ARGS__ \
    }

#define SHARED_OPTIONS                                                        \
    OPTION(to, LIST, .help = "recipients of every message"),                  \
        OPTION(from, TEXT,                                                    \
               .help = "envelope sender, \"<>\" for none; default: the "      \
                       "message's Return-Path"),                              \
        OPTION(to_header, LIST,                                               \
               .help = "header fields that name the recipients, such as "     \
                       "Delivered-To; the topmost counts"),                   \
        OPTION(domains, LIST,                                                 \
               .help = "domains that to_header may name recipients in; "      \
                       "\"*\" is any"),                                       \
        OPTION(helo, TEXT,                                                    \
               .help = "name to greet the server with; default: this "        \
                       "machine's"),                                          \
        OPTION(soft_bounce, BOOLEAN, .fallback = "false",                     \
               .help = "take a refusal for good (5xx) as one for now"),       \
        OPTION(trace, BOOLEAN, .fallback = "true",                            \
               .help = "add a Received field, by which a loop is found"),     \
        OPTION(hops, NUMBER, .fallback = "100", .least = 1, .most = 1000,     \
               .help = "refuse a message with more Received fields: a loop"), \
        OPTION(notify, LIST,                                                  \
               .help = "delivery reports to ask for (RFC 3461): never, or "   \
                       "some of success, failure, delay"),                    \
        OPTION(dsn_return, CHOICE, .fallback = "any", .choices = dsn_returns, \
               .help = "what of the message a delivery report returns"),      \
        OPTION(connections, NUMBER, .fallback = "1", .least = 1, .most = 32,  \
               .help = "connections side by side; each may leave one "        \
                       "message in doubt when it is cut"),                    \
        OPTION(reply_timeout, DURATION, .fallback = "5m",                     \
               .help = "how long to wait for the reply to a command"),        \
        OPTION(final_timeout, DURATION, .fallback = "10m",                    \
               .help = "how long to wait for the reply to a message"),        \
        OPTION(idle, DURATION, .fallback = "30s",                             \
               .help = "close a connection that was not used for so long"),   \
    {                                                                         \
        .name = NULL                                                          \
    }

const struct pr_option smtp_option_table[] = {
    PR_NET_OPTIONS_TLS(struct smtp_options, net, "auto", tls_choices),
    SHARED_OPTIONS};

const struct pr_option lmtp_option_table[] = {
    OPTION(socket, PATH, .positional = true,
           .help = "path of the server's unix socket"),
    PR_NET_OPTIONS(struct smtp_options, net, "none"), SHARED_OPTIONS};

bool smtp_list_is_empty(const char *const *list)
{
    return list == NULL || *list == NULL;
}

static bool is_this_machine(const char *host)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "::1"};

    if (host == NULL)
        return false;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (pr_bytes_equal_nocase(pr_bytes_of(host), pr_bytes_of(names[i])))
            return true;
    return host[0] == '/';
}

enum pr_tls_mode smtp_tls(const struct pr_net_options *net)
{
    bool has_tunnel = !smtp_list_is_empty(net->tunnel);

    if (net->tls < PR_TLS_OTHER)
        return (enum pr_tls_mode)net->tls;
    if (has_tunnel || (net->user == NULL && is_this_machine(net->host)))
        return PR_TLS_NONE;
    return PR_TLS_STARTTLS;
}

uint16_t smtp_default_port(enum smtp_protocol protocol,
                           const struct pr_net_options *net)
{
    if (protocol == SMTP_LMTP)
        return 24;
    enum pr_tls_mode tls = smtp_tls(net);
    return tls == PR_TLS_IMPLICIT ? 465 : tls == PR_TLS_STARTTLS ? 587 : 25;
}

/* ---- Checking ------------------------------------------------------------ */

static pr_status check_server(const struct smtp_options *set,
                              enum smtp_protocol protocol)
{
    bool has_tunnel = !smtp_list_is_empty(set->net.tunnel);
    bool has_host = set->net.host != NULL && *set->net.host != '\0';

    if (set->socket != NULL && (has_tunnel || has_host))
        return pr_fail(PR_CONFIG, "lmtp has a socket and another place; which "
                                  "of the two is it?");
    if (!has_tunnel && !has_host && set->socket == NULL)
        return protocol == SMTP_SMTP
                   ? pr_fail(PR_CONFIG, "smtp needs a host")
                   : pr_fail(PR_CONFIG, "lmtp needs a socket or a host");
    if (set->net.user != NULL && set->net.password == NULL)
        return pr_fail(PR_CONFIG, "a user without a password");
    if (set->helo != NULL && !smtp_name_is_valid(set->helo))
        return pr_fail(PR_CONFIG,
                       "helo: \"%s\" is neither a domain nor an address in "
                       "brackets",
                       set->helo);
    return PR_OK;
}

static pr_status check_notify(const char *const *notify)
{
    static const char *const notes[] = {"success", "failure", "delay", "never",
                                        NULL};
    const char *const *word = notify;
    pr_status status = pr_words_check("notify", notify, notes);

    while (status == PR_OK && word != NULL && *word != NULL &&
           !pr_bytes_equal_nocase(pr_bytes_of(*word), PR_BYTES("never")))
        word++;
    if (status == PR_OK && word != NULL && *word != NULL && notify[1] != NULL)
        return pr_fail(PR_CONFIG, "notify: never goes with nothing else");
    return status;
}

static pr_status check_words(const struct smtp_options *set)
{
    static const char *const mechanisms[] = {"PLAIN", "LOGIN", NULL};
    pr_status status = pr_words_check("auth", set->net.auth, mechanisms);

    if (status == PR_OK)
        status = smtp_capabilities_check(set->net.disable);
    return status == PR_OK ? check_notify(set->notify) : status;
}

static pr_status check_recipients(const struct smtp_options *set,
                                  bool may_be_local)
{
    size_t count = 0;

    for (; set->to != NULL && set->to[count] != NULL; count++)
        if (smtp_address_kind(pr_bytes_of(set->to[count]), may_be_local) ==
            SMTP_ADDRESS_NONE)
            return pr_fail(PR_CONFIG, "to: \"%s\" is no address",
                           set->to[count]);
    if (count > SMTP_RECIPIENTS_MOST)
        return pr_fail(PR_CONFIG, "to: more than %u recipients",
                       SMTP_RECIPIENTS_MOST);
    if (!smtp_list_is_empty(set->to_header) && smtp_list_is_empty(set->domains))
        return pr_fail(PR_CONFIG,
                       "to_header needs domains: whoever wrote the header "
                       "chooses the recipient among them");
    return PR_OK;
}

static pr_status check_envelope(const struct smtp_options *set,
                                bool may_be_local)
{
    const char *from = set->from;

    if (from != NULL && *from != '\0' && strcmp(from, "<>") != 0 &&
        smtp_address_kind(pr_bytes_of(from), may_be_local) == SMTP_ADDRESS_NONE)
        return pr_fail(PR_CONFIG, "from: \"%s\" is no address", from);
    return check_recipients(set, may_be_local);
}

/* A local part alone is an address for LMTP, and for the server of this very
 * machine. */
static pr_status check(const struct smtp_options *set,
                       enum smtp_protocol protocol)
{
    pr_status status = check_server(set, protocol);

    if (status == PR_OK)
        status = check_words(set);
    return status == PR_OK ? check_envelope(set, true) : status;
}

pr_status smtp_options_check(const void *options)
{
    return check(options, SMTP_SMTP);
}

pr_status lmtp_options_check(const void *options)
{
    return check(options, SMTP_LMTP);
}

/* What stands behind "/" is the recipient. */
pr_status smtp_check_folder(const void *options, const char *folder)
{
    const struct smtp_options *set = options;

    if (*folder != '\0')
        return smtp_address_kind(pr_bytes_of(folder), true) != SMTP_ADDRESS_NONE
                   ? PR_OK
                   : pr_fail(PR_CONFIG, "\"%.100s\" is no address", folder);
    if (smtp_list_is_empty(set->to) && smtp_list_is_empty(set->to_header))
        return pr_fail(PR_CONFIG, "to whom? Set to, or to_header, or write the "
                                  "address behind it: / \"a@example.org\"");
    return PR_OK;
}

/* ---- Naming -------------------------------------------------------------- */

static size_t add(char *name, size_t size, size_t used, const char *text,
                  char before)
{
    if (used < size)
        snprintf(name + used, size - used, "%c%s", before, text);
    return used + 1 + strlen(text);
}

static void describe(const struct smtp_options *set,
                     enum smtp_protocol protocol, char *name, size_t size)
{
    const char *class = protocol == SMTP_SMTP ? "smtp" : "lmtp";
    int64_t port = set->net.port;
    bool is_path = set->socket != NULL ||
                   (set->net.host != NULL && set->net.host[0] == '/');

    if (port == 0)
        port = smtp_default_port(protocol, &set->net);
    if (is_path)
        snprintf(name, size, "%s:%s", class,
                 set->socket != NULL ? set->socket : set->net.host);
    else if (!smtp_list_is_empty(set->net.tunnel))
        snprintf(name, size, "%s:tunnel %s", class, set->net.tunnel[0]);
    else
        snprintf(name, size, "%s:%s:%u", class, set->net.host, (unsigned)port);
    size_t used = strlen(name);
    char before = '/';
    for (const char *const *field = set->to_header;
         field != NULL && *field != NULL; field++) {
        used = add(name, size, used, *field, before);
        before = ',';
    }
    for (const char *const *to = set->to; to != NULL && *to != NULL; to++) {
        used = add(name, size, used, *to, before);
        before = ',';
    }
}

void smtp_describe(const void *options, char *name, size_t size)
{
    describe(options, SMTP_SMTP, name, size);
}

void lmtp_describe(const void *options, char *name, size_t size)
{
    describe(options, SMTP_LMTP, name, size);
}
