/*
 * A server on the loopback for unit tests.
 */
#include "config.h"

#include "lib/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#define MUST(claim) ((claim) ? (void)0 : must_fail(#claim, __LINE__))

static void must_fail(const char *claim, int line)
{
    fprintf(stderr, "peer.c:%d: %s\n", line, claim);
    ERR_print_errors_fp(stderr);
    abort();
}

int peer_listen(int backlog, uint16_t *ret_port)
{
    struct sockaddr_in where = {.sin_family = AF_INET};
    socklen_t size = sizeof(where);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    MUST(fd >= 0);
    MUST(bind(fd, (struct sockaddr *)&where, size) == 0);
    MUST(listen(fd, backlog) == 0);
    MUST(getsockname(fd, (struct sockaddr *)&where, &size) == 0);
    *ret_port = ntohs(where.sin_port);
    return fd;
}

static void *peer_run(void *argument)
{
    struct peer *peer = argument;
    int fd;

    while ((fd = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        peer->serve(fd, peer->user);
        close(fd);
    }
    return NULL;
}

void peer_start(struct peer *peer, peer_serve *serve, void *user)
{
    peer->serve = serve;
    peer->user = user;
    peer->listener = peer_listen(16, &peer->port);
    MUST(pthread_create(&peer->thread, NULL, peer_run, peer) == 0);
}

void peer_stop(struct peer *peer)
{
    shutdown(peer->listener, SHUT_RDWR); /* ends accept */
    pthread_join(peer->thread, NULL);
    close(peer->listener);
}

void peer_write(int fd, const void *data, size_t size)
{
    const char *rest = data;

    while (size > 0) {
        ssize_t put = send(fd, rest, size, MSG_NOSIGNAL);
        if (put <= 0)
            return; /* the client went away: its test knows */
        rest += put;
        size -= (size_t)put;
    }
}

void peer_drain(int fd)
{
    char block[4096];
    ssize_t got;

    do {
        got = read(fd, block, sizeof(block));
    } while (got > 0 || (got < 0 && errno == EINTR));
}

static void add_extension(X509 *x509, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;

    X509V3_set_ctx(&context, issuer, x509, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    MUST(extension != NULL);
    MUST(X509_add_ext(x509, extension, -1));
    X509_EXTENSION_free(extension);
}

static void set_name(X509 *x509, const struct certificate_wish *wish)
{
    X509_NAME *name = X509_get_subject_name(x509);
    size_t size = wish->cn_size != 0 ? wish->cn_size : strlen(wish->cn);

    MUST(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                    (const unsigned char *)wish->cn, (int)size,
                                    -1, 0));
}

void certificate_make(struct certificate *ret,
                      const struct certificate_wish *wish)
{
    long to = wish->valid_from == 0 && wish->valid_to == 0 ? 24L * 60 * 60
                                                           : wish->valid_to;
    uint32_t serial;

    ret->key = EVP_EC_gen("P-256");
    ret->x509 = X509_new();
    MUST(ret->key != NULL && ret->x509 != NULL);
    const struct certificate *issuer =
        wish->issuer != NULL ? wish->issuer : ret;
    MUST(RAND_bytes((unsigned char *)&serial, sizeof(serial)));
    MUST(X509_set_version(ret->x509, X509_VERSION_3));
    MUST(ASN1_INTEGER_set_uint64(X509_get_serialNumber(ret->x509), serial));
    MUST(X509_gmtime_adj(X509_getm_notBefore(ret->x509), wish->valid_from));
    MUST(X509_gmtime_adj(X509_getm_notAfter(ret->x509), to));
    MUST(X509_set_pubkey(ret->x509, ret->key));
    set_name(ret->x509, wish);
    MUST(X509_set_issuer_name(ret->x509, X509_get_subject_name(issuer->x509)));
    add_extension(ret->x509, issuer->x509, NID_basic_constraints,
                  wish->is_ca ? "critical,CA:TRUE" : "CA:FALSE");
    if (wish->names != NULL)
        add_extension(ret->x509, issuer->x509, NID_subject_alt_name,
                      wish->names);
    MUST(X509_sign(ret->x509, issuer->key, EVP_sha256()));
}

void certificate_done(struct certificate *certificate)
{
    X509_free(certificate->x509);
    EVP_PKEY_free(certificate->key);
}

void certificate_write(const struct certificate *certificate, const char *path)
{
    FILE *file = fopen(path, "we");

    MUST(file != NULL);
    MUST(PEM_write_X509(file, certificate->x509));
    MUST(fclose(file) == 0);
}

void certificate_write_key(const struct certificate *certificate,
                           const char *path)
{
    FILE *file = fopen(path, "we");

    MUST(file != NULL);
    MUST(PEM_write_PrivateKey(file, certificate->key, NULL, NULL, 0, NULL,
                              NULL));
    MUST(fclose(file) == 0);
}

void certificate_pin(const struct certificate *certificate, char ret[64])
{
    unsigned char *der = NULL, digest[32];
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate->x509), &der);

    MUST(size > 0);
    MUST(EVP_Digest(der, (size_t)size, digest, NULL, EVP_sha256(), NULL));
    OPENSSL_free(der);
    int prefix = snprintf(ret, 64, "sha256//");
    EVP_EncodeBlock((unsigned char *)ret + prefix, digest, sizeof(digest));
}

SSL_CTX *peer_context(const struct certificate *certificate)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    MUST(context != NULL);
    MUST(SSL_CTX_use_certificate(context, certificate->x509));
    MUST(SSL_CTX_use_PrivateKey(context, certificate->key));
    return context;
}

SSL *peer_tls(SSL_CTX *context, int fd)
{
    SSL *ssl = SSL_new(context);

    MUST(ssl != NULL && SSL_set_fd(ssl, fd));
    if (SSL_accept(ssl) > 0)
        return ssl;
    ERR_clear_error();
    SSL_free(ssl);
    return NULL;
}

void peer_tls_end(SSL *ssl)
{
    SSL_shutdown(ssl);
    SSL_free(ssl);
    ERR_clear_error();
}
