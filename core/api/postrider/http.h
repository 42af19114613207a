/*
 * HTTP requests (RFC 9110), by libcurl, for plugins and the core.
 *
 * Only http and https, certificates and names verified, everything that comes
 * back capped. Connections are kept open and used again.
 */
#ifndef POSTRIDER_HTTP_H
#define POSTRIDER_HTTP_H

#include <postrider/buffer.h>
#include <postrider/fiber.h>
#include <postrider/message.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pr_http {
    const char *method; /* NULL: "GET", or "POST" with a body */
    const char *url;
    const char *const *headers;     /* "Name: value", ended by NULL; or NULL */
    struct pr_bytes body;           /* .data NULL: none */
    const struct pr_spool *message; /* in place of `body`: sealed; or NULL */
    const char *unix_socket; /* connect to this path, whatever the URL's host
                                is; NULL: TCP */
    const char *user;        /* Basic authentication; NULL: none */
    const char *password;
    const char *ca_file;  /* certificates to trust (PEM); NULL: the system's */
    bool is_direct;       /* by no proxy that the environment names */
    unsigned redirects;   /* followed at most; GET and HEAD only */
    size_t response_most; /* octets of the body; 0: 1 MiB */
    pr_time deadline;
    /* results */
    long status;               /* 200, 404, ... */
    struct pr_buffer response; /* the body */
    struct pr_buffer head;     /* header lines of the last response, with
                                  their CRLF; at most 64 KiB */
};

/* Makes the request and waits for all of the response. Everything in it is lent
 * for the call. pr_buffer_done both results, also after a failure. PR_OK
 * whatever the status is. PR_CONFIG for an URL that is none, PR_NETWORK,
 * PR_TLS, PR_TIMEOUT, PR_PROTOCOL, PR_LIMIT, PR_CANCELLED. */
PR_API PR_CHECKED pr_status pr_http_run(struct pr_http *http);

#ifdef __cplusplus
}
#endif
#endif
