/*
 * What the three TLS files share: settings, the check of a certificate, and
 * sessions to resume.
 */
#ifndef IO_TLS_H
#define IO_TLS_H

#include <openssl/ssl.h>

#include "io/digest.h"
#include "io/stream.h"

/* ---- tls_check.c: is it the right server? ------------------------------- */

/* What is asked of the server's certificate, and what was wrong with it. */
struct tls_peer {
    const char *name; /* lent */
    bool name_is_address;
    bool has_pin;
    unsigned char pin[DIGEST_SIZE];
    char words[PR_FAILURE_MAX]; /* "" unless it was refused */
    char *session_key;          /* lent */
};

/* PR_CONFIG if there is no name to check or the pin is malformed. */
PR_CHECKED pr_status tls_check_init(struct tls_peer *peer,
                                    const struct pr_net_options *net);
/* Asks `ssl` for the name and makes `peer` its application data. */
PR_CHECKED pr_status tls_check_apply(struct tls_peer *peer, SSL *ssl);
/* For SSL_CTX_set_cert_verify_callback. */
int tls_check_chain(X509_STORE_CTX *store, void *unused);

/* ---- tls_settings.c: contexts and sessions, kept for reuse -------------- */

/* A context for these settings, shared by all connections that have the same
 * (the contents of the files counted in); SSL_CTX_free it. PR_CONFIG with words
 * about the file that is wrong. */
PR_CHECKED pr_status tls_context(const struct pr_net_options *net,
                                 SSL_CTX **ret);

/* All that two connections must have in common for one to resume the other's
 * session. memory_free() it. */
PR_CHECKED pr_status tls_session_key(const struct pr_net_options *net,
                                     uint16_t port, char **ret);
/* A session to resume, or NULL; SSL_SESSION_free it. It is no longer kept: a
 * ticket of TLS 1.3 is shown once (RFC 8446, C.4), and one that a server chokes
 * on is not tried again. */
SSL_SESSION *tls_session_take(const char *key);
/* Takes `session`. */
void tls_session_keep(const char *key, SSL_SESSION *session);

/* Frees all contexts and sessions that are kept. */
void tls_forget(void);

#endif
