/*
 * A server on the loopback for unit tests: one thread, one connection after
 * another, and certificates made on the spot.
 *
 * A server's function runs on its own thread: it must not use cmocka's
 * assertions. Anything that cannot fail here aborts when it does.
 */
#ifndef TESTS_PEER_H
#define TESTS_PEER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

/* Talks to one client over `fd`, which is blocking and closed afterwards. */
typedef void peer_serve(int fd, void *user);

struct peer {
    int listener;
    uint16_t port; /* on 127.0.0.1, chosen by the system */
    pthread_t thread;
    peer_serve *serve;
    void *user;
};

void peer_start(struct peer *peer, peer_serve *serve, void *user);
/* After the connection in hand; joins the thread. */
void peer_stop(struct peer *peer);

/* A listening socket on 127.0.0.1; closed by the caller. */
int peer_listen(int backlog, uint16_t *ret_port);
void peer_write(int fd, const void *data, size_t size);
/* Reads until the client closes. */
void peer_drain(int fd);

struct certificate {
    X509 *x509;
    EVP_PKEY *key;
};

struct certificate_wish {
    const char *cn;
    size_t cn_size;    /* 0: cn is a C string */
    const char *names; /* "DNS:mail.test,IP:127.0.0.1", or NULL */
    const struct certificate *issuer; /* NULL: signed by itself */
    bool is_ca;
    long valid_from, valid_to; /* seconds from now; both 0: for a day */
};

void certificate_make(struct certificate *ret,
                      const struct certificate_wish *wish);
void certificate_done(struct certificate *certificate);
void certificate_write(const struct certificate *certificate, const char *path);
void certificate_write_key(const struct certificate *certificate,
                           const char *path);
/* "sha256//BASE64" of its key. */
void certificate_pin(const struct certificate *certificate, char ret[64]);

/* A server's context with this certificate; SSL_CTX_free it. */
SSL_CTX *peer_context(const struct certificate *certificate);
/* The server's handshake on `fd`; NULL if it fails. peer_tls_end it. */
SSL *peer_tls(SSL_CTX *context, int fd);
void peer_tls_end(SSL *ssl);

#endif
