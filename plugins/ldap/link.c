/*
 * Connections to a directory: made and bound in the thread pool, because
 * libldap blocks there, then used without blocking, and kept for later.
 */
#include <fcntl.h>
#include <lber.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "ldap_plugin.h"

#define IDLE_MOST 8
#define MESSAGE_MOST ((ber_len_t)4 * 1024 * 1024) /* one entry, as octets */

struct links {
    LDAP *idle[IDLE_MOST];
    size_t count;
};

struct opening {
    const struct ldap_options *options;
    struct pr_buffer password;
    uint64_t ms;
    LDAP *ld;
};

pr_status link_fail(LDAP *ld, int error, const char *what)
{
    char *said = NULL;
    pr_status status = PR_REFUSED;

    if (ld != NULL)
        libldap.get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &said);
    switch (error) {
    case LDAP_SERVER_DOWN:
    case LDAP_CONNECT_ERROR:
    case LDAP_LOCAL_ERROR:
        status = PR_NETWORK;
        break;
    case LDAP_TIMEOUT:
        status = PR_TIMEOUT;
        break;
    case LDAP_BUSY:
    case LDAP_UNAVAILABLE:
        status = PR_LATER;
        break;
    case LDAP_INVALID_CREDENTIALS:
    case LDAP_INSUFFICIENT_ACCESS:
    case LDAP_STRONG_AUTH_REQUIRED:
    case LDAP_CONFIDENTIALITY_REQUIRED:
        status = PR_AUTH;
        break;
    case LDAP_NO_MEMORY:
        status = PR_NOMEM;
        break;
    case LDAP_DECODING_ERROR:
        status = PR_PROTOCOL;
        break;
    case LDAP_FILTER_ERROR:
    case LDAP_INVALID_DN_SYNTAX:
        status = PR_CONFIG;
        break;
    default:
        break;
    }
    pr_fail(status, "%s: %s%s%s", what, libldap.err2string(error),
            said != NULL && said[0] != '\0' ? ": " : "",
            said != NULL ? said : "");
    libldap.memfree(said);
    return status;
}

/* ---- Opening one, in the thread pool --------------------------------------
 */

static int set_tls(const struct ldap_options *options, LDAP *ld)
{
    int demand = LDAP_OPT_X_TLS_DEMAND, client = 0;
    int error = libldap.set_option(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand);

    if (error == LDAP_SUCCESS && options->ca_file != NULL)
        error =
            libldap.set_option(ld, LDAP_OPT_X_TLS_CACERTFILE, options->ca_file);
    if (error == LDAP_SUCCESS)
        error = libldap.set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &client);
    return error;
}

static int set_up(const struct opening *opening, LDAP *ld)
{
    struct timeval time = {(time_t)(opening->ms / 1000),
                           (suseconds_t)(opening->ms % 1000 * 1000)};
    int version = LDAP_VERSION3;
    int error = libldap.set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version);

    libldap.set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, &time);
    libldap.set_option(ld, LDAP_OPT_TIMEOUT, &time);
    libldap.set_option(ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
    if (error == LDAP_SUCCESS &&
        (opening->options->starttls ||
         strncmp(opening->options->url, "ldaps", 5) == 0))
        error = set_tls(opening->options, ld);
    if (error == LDAP_SUCCESS && opening->options->starttls)
        error = libldap.start_tls_s(ld, NULL, NULL);
    return error;
}

static int log_in(struct opening *opening, LDAP *ld)
{
    struct berval secret = {opening->password.size, opening->password.data};

    return libldap.sasl_bind_s(ld, opening->options->bind_dn, LDAP_SASL_SIMPLE,
                               &secret, NULL, NULL, NULL);
}

/* From now on no call of libldap blocks: a read that has too little says so. */
static void unblock(LDAP *ld)
{
    Sockbuf *socket = NULL;
    ber_len_t most = MESSAGE_MOST;
    int fd = -1;

    libldap.get_option(ld, LDAP_OPT_DESC, &fd);
    if (fd >= 0)
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    if (libldap.get_option(ld, LDAP_OPT_SOCKBUF, &socket) == 0 &&
        socket != NULL)
        libldap.ber_sockbuf_ctrl(socket, LBER_SB_OPT_SET_MAX_INCOMING, &most);
}

static pr_status open_link(void *argument)
{
    struct opening *opening = argument;
    LDAP *ld = NULL;
    pr_status linked = libldap_link();
    int error;

    if (linked != PR_OK)
        return linked;
    error = libldap.initialize(&ld, opening->options->url);
    if (error == LDAP_SUCCESS)
        error = set_up(opening, ld);
    if (error == LDAP_SUCCESS)
        error = log_in(opening, ld);
    if (error != LDAP_SUCCESS) {
        pr_status status = link_fail(ld, error, opening->options->url);

        if (ld != NULL)
            libldap.unbind_ext_s(ld, NULL, NULL);
        return status;
    }
    unblock(ld);
    opening->ld = ld;
    return PR_OK;
}

/* ---- Keeping them ----------------------------------------------------------
 */

static pr_status open_new(struct pr_service *service, pr_time deadline,
                          LDAP **ret)
{
    struct opening opening = {.options = service->options};
    pr_time now = pr_now();
    pr_status status = PR_OK;

    opening.ms = deadline > now ? deadline - now : 1;
    pr_buffer_init(&opening.password, 65536);
    if (opening.options->password != NULL)
        status = pr_secret_read(opening.options->password, &opening.password);
    if (status == PR_OK)
        status = pr_offload(open_link, &opening);
    pr_secret_wipe(&opening.password);
    *ret = opening.ld;
    return status;
}

pr_status link_take(struct pr_service *service, pr_time deadline,
                    bool allow_idle, LDAP **ret, bool *ret_is_new)
{
    struct links *links = service->state;

    if (links == NULL) {
        links = service->state = calloc(1, sizeof *links);
        if (links == NULL)
            return pr_fail(PR_NOMEM, "out of memory");
    }
    *ret_is_new = !allow_idle || links->count == 0;
    if (*ret_is_new)
        return open_new(service, deadline, ret);
    *ret = links->idle[--links->count];
    return PR_OK;
}

void link_put(struct pr_service *service, LDAP *ld, bool is_good)
{
    struct links *links = service->state;

    if (is_good && links->count < IDLE_MOST)
        links->idle[links->count++] = ld;
    else
        libldap.unbind_ext_s(ld, NULL, NULL);
}

void link_close_all(struct pr_service *service)
{
    struct links *links = service->state;

    while (links != NULL && links->count > 0)
        libldap.unbind_ext_s(links->idle[--links->count], NULL, NULL);
    free(links);
    service->state = NULL;
}
