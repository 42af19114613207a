/*
 * TLS by OpenSSL, on the descriptor itself.
 *
 * OpenSSL reads and writes through a BIO that is only recv and send: octets go
 * from the kernel to its record buffer and from there, decrypted, to the
 * caller's memory. Its error queue is one for the thread: it is emptied before
 * each call and read right after it, with no wait between.
 */
#include "config.h"

#include "io/tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <openssl/err.h>

#include "base/memory.h"

struct tls {
    struct transport base; /* descriptor and poller are those of `below` */
    struct transport *below;
    SSL *ssl;
    int error;      /* errno of the socket, 0: none */
    bool is_at_end; /* the socket is */
    bool is_up;     /* the handshake is done */
    bool is_broken; /* no close_notify any more */
    struct tls_peer peer;
};

static int socket_bio_read(BIO *bio, char *data, size_t size, size_t *ret_size)
{
    struct tls *tls = BIO_get_data(bio);
    ssize_t got;

    BIO_clear_retry_flags(bio);
    do {
        got = recv(tls->base.fd, data, size, 0);
    } while (got < 0 && errno == EINTR);
    *ret_size = got > 0 ? (size_t)got : 0;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        BIO_set_retry_read(bio);
    else if (got < 0)
        tls->error = errno;
    else if (got == 0)
        tls->is_at_end = true;
    return got > 0;
}

static int socket_bio_write(BIO *bio, const char *data, size_t size,
                            size_t *ret_size)
{
    struct tls *tls = BIO_get_data(bio);
    ssize_t put;

    BIO_clear_retry_flags(bio);
    do {
        put = send(tls->base.fd, data, size, MSG_NOSIGNAL);
    } while (put < 0 && errno == EINTR);
    *ret_size = put > 0 ? (size_t)put : 0;
    if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        BIO_set_retry_write(bio);
    else if (put < 0)
        tls->error = errno;
    return put > 0;
}

static long socket_bio_control(BIO *bio, int command, long number, void *data)
{
    const struct tls *tls = BIO_get_data(bio);

    (void)number, (void)data;
    if (command == BIO_CTRL_EOF)
        return tls->is_at_end;
    return command == BIO_CTRL_FLUSH;
}

/* Made once and kept. */
static const BIO_METHOD *socket_bio(void)
{
    static BIO_METHOD *method;

    if (method != NULL)
        return method;
    BIO_METHOD *fresh = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
                                     "postrider socket");
    if (fresh != NULL && BIO_meth_set_read_ex(fresh, socket_bio_read) &&
        BIO_meth_set_write_ex(fresh, socket_bio_write) &&
        BIO_meth_set_ctrl(fresh, socket_bio_control))
        return method = fresh;
    BIO_meth_free(fresh);
    return NULL;
}

static pr_status handshake_reason(unsigned long code)
{
    const char *reason = ERR_reason_error_string(code);

    if (ERR_GET_LIB(code) == ERR_LIB_SSL)
        switch (ERR_GET_REASON(code)) {
        case SSL_R_WRONG_VERSION_NUMBER:
        case SSL_R_HTTP_REQUEST:
        case SSL_R_PACKET_LENGTH_TOO_LONG:
            return pr_fail(PR_TLS, "TLS handshake: the server does not speak "
                                   "TLS here; look at port and tls");
        case SSL_R_UNSUPPORTED_PROTOCOL:
        case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
            return pr_fail(PR_TLS,
                           "TLS handshake: the server's TLS is too old "
                           "(%s)",
                           reason);
        default:
            break;
        }
    return pr_fail(PR_TLS, "TLS handshake: %s",
                   reason != NULL ? reason : "failed");
}

static bool is_cut_off(unsigned long code)
{
    return ERR_GET_LIB(code) == ERR_LIB_SSL &&
           ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

/* What a failed call means; `code` is the oldest of the error queue. */
static pr_status tls_failed(struct tls *tls, int error, unsigned long code)
{
    if (error == SSL_ERROR_ZERO_RETURN)
        return pr_fail(PR_EOF, "the far side closed the connection");
    tls->is_broken = true;
    if (tls->peer.words[0] != '\0')
        return pr_fail(PR_TLS, "%s", tls->peer.words);
    if (tls->error != 0)
        return pr_fail_errno(PR_NETWORK, tls->error, "the connection broke");
    if (tls->is_at_end || is_cut_off(code)) {
        if (!tls->is_up)
            return pr_fail(PR_NETWORK, "the far side closed the connection in "
                                       "the TLS handshake");
        return pr_fail(PR_EOF, "the far side dropped the connection");
    }
    if (!tls->is_up)
        return handshake_reason(code);
    const char *reason = ERR_reason_error_string(code);
    return pr_fail(PR_TLS, "TLS: %s", reason != NULL ? reason : "failed");
}

/* After a call that did not go through: waits for the socket, or fails. */
static pr_status tls_retry(struct tls *tls, int result, pr_time deadline)
{
    int error = SSL_get_error(tls->ssl, result);

    if (error == SSL_ERROR_WANT_READ)
        return poller_wait(tls->base.poller, false, deadline);
    if (error == SSL_ERROR_WANT_WRITE)
        return poller_wait(tls->base.poller, true, deadline);
    unsigned long code = ERR_peek_error();
    ERR_clear_error();
    return tls_failed(tls, error, code);
}

static pr_status tls_read(struct transport *transport, void *data, size_t size,
                          pr_time deadline, size_t *ret_size)
{
    struct tls *tls = (struct tls *)transport;

    for (;;) {
        ERR_clear_error();
        int result = SSL_read_ex(tls->ssl, data, size, ret_size);
        if (result > 0)
            return PR_OK;
        pr_status status = tls_retry(tls, result, deadline);
        if (status != PR_OK)
            return status;
    }
}

static pr_status tls_write(struct transport *transport, const void *data,
                           size_t size, pr_time deadline, size_t *ret_size)
{
    struct tls *tls = (struct tls *)transport;

    for (;;) {
        ERR_clear_error();
        int result = SSL_write_ex(tls->ssl, data, size, ret_size);
        if (result > 0)
            return PR_OK;
        pr_status status = tls_retry(tls, result, deadline);
        if (status != PR_OK) {
            /* A record may be half sent. */
            tls->is_broken = true;
            return status;
        }
    }
}

static void tls_close(struct transport *transport)
{
    struct tls *tls = (struct tls *)transport;

    if (tls->is_up && !tls->is_broken) {
        ERR_clear_error();
        SSL_shutdown(tls->ssl);
    }
    SSL_free(tls->ssl);
    ERR_clear_error();
    tls->below->ops->close(tls->below);
    memory_free(tls->peer.session_key);
    memory_free(tls);
}

static const struct transport_ops tls_ops = {
    .read = tls_read,
    .write = tls_write,
    .close = tls_close,
};

static pr_status make_ssl(struct tls *tls, const struct pr_net_options *net)
{
    SSL_CTX *context;
    const BIO_METHOD *method = socket_bio();

    pr_status status = tls_context(net, &context);
    if (status != PR_OK)
        return status;
    tls->ssl = SSL_new(context);
    SSL_CTX_free(context);
    BIO *bio = method != NULL ? BIO_new(method) : NULL;
    if (tls->ssl == NULL || bio == NULL) {
        BIO_free(bio);
        return pr_fail(PR_NOMEM, "OpenSSL is out of memory");
    }
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    return tls_check_apply(&tls->peer, tls->ssl);
}

static pr_status resume(struct tls *tls, const struct pr_net_options *net,
                        uint16_t port)
{
    pr_status status = tls_session_key(net, port, &tls->peer.session_key);
    if (status != PR_OK)
        return status;
    SSL_SESSION *session = tls_session_take(tls->peer.session_key);
    if (session != NULL)
        SSL_set_session(tls->ssl, session); /* else a full handshake */
    SSL_SESSION_free(session);
    return PR_OK;
}

/* Before TLS 1.3 a session that was resumed can be resumed again. */
static void keep_old_session(struct tls *tls)
{
    if (SSL_session_reused(tls->ssl) && SSL_version(tls->ssl) < TLS1_3_VERSION)
        tls_session_keep(tls->peer.session_key, SSL_get1_session(tls->ssl));
}

static pr_status shake_hands(struct tls *tls, pr_time deadline)
{
    for (;;) {
        ERR_clear_error();
        int result = SSL_connect(tls->ssl);
        if (result > 0)
            return PR_OK;
        pr_status status = tls_retry(tls, result, deadline);
        if (status == PR_EOF) /* a close_notify in place of a handshake */
            return pr_fail(PR_NETWORK, "the far side closed the connection in "
                                       "the TLS handshake");
        if (status != PR_OK)
            return status;
    }
}

pr_status tls_connect(struct transport *below, const struct pr_net_options *net,
                      uint16_t port, pr_time deadline, const struct pr_log *log,
                      struct transport **ret)
{
    struct tls *tls = memory_zeroed(1, sizeof(*tls));

    if (tls == NULL) {
        below->ops->close(below);
        return pr_fail(PR_NOMEM, "out of memory");
    }
    tls->base = (struct transport){&tls_ops, below->poller, below->fd};
    tls->below = below;
    pr_status status = tls_check_init(&tls->peer, net);
    if (status == PR_OK)
        status = make_ssl(tls, net);
    if (status == PR_OK)
        status = resume(tls, net, port);
    if (status == PR_OK)
        status = shake_hands(tls, deadline);
    if (status != PR_OK) {
        tls_close(&tls->base);
        return status;
    }
    tls->is_up = true;
    keep_old_session(tls);
    pr_log(log, PR_LOG_DEBUG, "%s, %s%s", SSL_get_version(tls->ssl),
           SSL_get_cipher_name(tls->ssl),
           SSL_session_reused(tls->ssl) ? ", resumed" : "");
    *ret = &tls->base;
    return PR_OK;
}
