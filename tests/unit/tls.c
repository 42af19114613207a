/*
 * TLS: who is accepted, who is refused and in which words, and resumption.
 */
#include "config.h"

#include "io/tls.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/x509v3.h>

#include "base/memory.h"
#include "fiber/loop.h"
#include "io/stream.h"
#include "lib/peer.h"

static struct certificate authority;
static char folder[] = "/tmp/postrider-tls-XXXXXX";
static char ca_file[64];
static struct pr_net_options net;
static struct pr_stream *stream;

/* A server with one certificate: it greets, and echoes one line. */
struct tls_server {
    struct peer peer;
    SSL_CTX *context;
    struct certificate certificate;
    unsigned handshakes, resumed;
    bool cuts_off; /* closes without close_notify */
};

static int make_authority(void **state)
{
    (void)state;
    certificate_make(&authority, &(struct certificate_wish){
                                     .cn = "Test authority", .is_ca = true});
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(ca_file, sizeof(ca_file), "%s/ca.pem", folder);
    certificate_write(&authority, ca_file);
    return 0;
}

static int drop_authority(void **state)
{
    (void)state;
    tls_forget();
    certificate_done(&authority);
    unlink(ca_file);
    return rmdir(folder);
}

static int reset(void **state)
{
    (void)state;
    tls_forget();
    net = (struct pr_net_options){
        .host = "127.0.0.1",
        .verify_name = "mail.test",
        .ca_file = ca_file,
        .tls = PR_TLS_IMPLICIT,
        .timeout = 10000,
    };
    return 0;
}

static void greet_over_tls(int fd, void *user)
{
    struct tls_server *server = user;
    SSL *ssl = peer_tls(server->context, fd);
    char block[256];
    int got;

    if (ssl == NULL)
        return;
    server->handshakes++;
    server->resumed += (unsigned)SSL_session_reused(ssl);
    SSL_write(ssl, "* OK\r\n", 6);
    while ((got = SSL_read(ssl, block, sizeof(block))) > 0)
        SSL_write(ssl, block, got);
    if (server->cuts_off)
        SSL_free(ssl);
    else
        peer_tls_end(ssl);
}

static void server_start(struct tls_server *server,
                         const struct certificate_wish *wish)
{
    *server = (struct tls_server){.handshakes = 0};
    certificate_make(&server->certificate, wish);
    server->context = peer_context(&server->certificate);
    peer_start(&server->peer, greet_over_tls, server);
}

static void server_stop(struct tls_server *server)
{
    peer_stop(&server->peer);
    SSL_CTX_free(server->context);
    certificate_done(&server->certificate);
}

static const struct certificate_wish good = {
    .cn = "mail.test", .names = "DNS:mail.test", .issuer = &authority};

static void run(pr_fiber_fn *body, void *argument)
{
    assert_int_equal(loop_run(2, body, argument), PR_OK);
}

static void assert_words(const char *part)
{
    if (strstr(pr_last_failure()->text, part) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", pr_last_failure()->text, part);
}

static pr_status connect_to(const struct tls_server *server)
{
    return pr_stream_connect(&net, server->peer.port, NULL, &stream);
}

/* Reads the greeting, has a line echoed, and closes. */
static void talk(void)
{
    struct pr_bytes line;

    assert_true(pr_stream_is_secure(stream));
    assert_int_equal(pr_stream_read_line(stream, 100, &line), PR_OK);
    assert_int_equal(line.size, 4);
    assert_int_equal(pr_stream_write(stream, "echo\r\n", 6), PR_OK);
    assert_int_equal(pr_stream_read_line(stream, 100, &line), PR_OK);
    assert_int_equal(line.size, 4);
    assert_memory_equal(line.data, "echo", 4);
    pr_stream_close(stream);
}

static void assert_refused(const struct tls_server *server, const char *words)
{
    assert_int_equal(connect_to(server), PR_TLS);
    assert_words(words);
}

static pr_status good_server(void *unused)
{
    struct tls_server server;

    (void)unused;
    server_start(&server, &good);
    assert_int_equal(connect_to(&server), PR_OK);
    talk();
    net.min_tls = 1;
    assert_int_equal(connect_to(&server), PR_OK);
    talk();
    server_stop(&server);
    return PR_OK;
}

static void a_server_with_the_right_certificate_is_accepted(void **state)
{
    (void)state;
    run(good_server, NULL);
}

static pr_status address_certificate(void *unused)
{
    struct tls_server server;
    struct certificate_wish wish = good;

    (void)unused;
    wish.names = "IP:127.0.0.1";
    net.verify_name = NULL;
    server_start(&server, &wish);
    assert_int_equal(connect_to(&server), PR_OK);
    talk();
    net.host = "localhost";
    assert_refused(&server, "hostname mismatch (expected localhost; it is for "
                            "127.0.0.1); if that is the right server, set "
                            "verify_name");
    net.host = "127.0.0.1";
    net.verify_name = "127.0.0.2";
    assert_refused(&server, "IP address mismatch (expected 127.0.0.2");
    server_stop(&server);
    return PR_OK;
}

static void an_address_needs_a_certificate_for_it(void **state)
{
    (void)state;
    run(address_certificate, NULL);
}

struct bad_name {
    const char *names;
    const char *expected;
    const char *words;
};

static pr_status wrong_names(void *unused)
{
    static const struct bad_name cases[] = {
        {"DNS:other.test,DNS:more.test", "mail.test",
         "(expected mail.test; it is for other.test, more.test)"},
        {NULL, "mail.test", "it is for no name"},
        {"DNS:*.test", "a.mail.test", "it is for *.test"},
        {"DNS:m*.test", "mail.test", "it is for m*.test"},
        {"DNS:*", "mail.test", "it is for *"},
        {"DNS:mail.test.evil.test", "mail.test", "mismatch"},
        {"email:me@mail.test", "mail.test", "it is for no name"},
        {"DNS:a.test,DNS:b.test,DNS:c.test,DNS:d.test,DNS:e.test,DNS:f.test",
         "mail.test", "d.test, e.test, ...)"},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct tls_server server;
        struct certificate_wish wish = good;
        wish.names = cases[i].names;
        net.verify_name = cases[i].expected;
        server_start(&server, &wish);
        assert_refused(&server, cases[i].words);
        assert_words("certificate refused: hostname mismatch");
        server_stop(&server);
        assert_int_equal(server.handshakes, 0);
    }
    return PR_OK;
}

static void a_certificate_for_another_name_is_refused(void **state)
{
    (void)state;
    run(wrong_names, NULL);
}

/* An IA5String of the subjectAltName with a NUL in it. */
static void add_nul_name(struct tls_server *server)
{
    static const unsigned char name[] = "mail.test\0.evil.test";
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    GENERAL_NAME *general = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    X509 *x509 = server->certificate.x509;

    ASN1_STRING_set(text, name, sizeof(name) - 1);
    GENERAL_NAME_set0_value(general, GEN_DNS, text);
    sk_GENERAL_NAME_push(names, general);
    X509_add1_ext_i2d(x509, NID_subject_alt_name, names, 0, X509V3_ADD_REPLACE);
    GENERAL_NAMES_free(names);
    X509_sign(x509, authority.key, EVP_sha256());
    SSL_CTX_free(server->context);
    server->context = peer_context(&server->certificate);
}

static pr_status nul_name(void *unused)
{
    struct tls_server server = {.handshakes = 0};

    (void)unused;
    certificate_make(&server.certificate,
                     &(struct certificate_wish){.cn = "mail.test\0.evil.test",
                                                .cn_size = 20,
                                                .issuer = &authority});
    server.context = peer_context(&server.certificate);
    add_nul_name(&server);
    peer_start(&server.peer, greet_over_tls, &server);
    assert_refused(&server, "it is for mail.test\\x00.evil.test)");
    server_stop(&server);
    return PR_OK;
}

static void a_nul_in_a_name_neither_matches_nor_hides(void **state)
{
    (void)state;
    run(nul_name, NULL);
}

static pr_status dates(void *unused)
{
    struct tls_server server;
    struct certificate_wish wish = good;

    (void)unused;
    wish.valid_from = -7200;
    wish.valid_to = -3600;
    server_start(&server, &wish);
    assert_refused(&server, "certificate has expired");
    server_stop(&server);
    wish.valid_from = 3600;
    wish.valid_to = 7200;
    server_start(&server, &wish);
    assert_refused(&server, "not yet valid");
    assert_words("look at this computer's clock");
    server_stop(&server);
    return PR_OK;
}

static void an_expired_certificate_is_refused(void **state)
{
    (void)state;
    run(dates, NULL);
}

static pr_status unknown_issuers(void *unused)
{
    struct tls_server server;
    struct certificate stranger;
    struct certificate_wish wish = good;

    (void)unused;
    certificate_make(&stranger, &(struct certificate_wish){
                                    .cn = "Test authority", .is_ca = true});
    wish.issuer = &stranger;
    server_start(&server, &wish);
    assert_refused(&server, "certificate refused: ");
    server_stop(&server);
    certificate_done(&stranger);
    server_start(&server, &good);
    net.ca_file = NULL; /* the system's know nothing of our authority */
    assert_refused(&server, "unable to get local issuer certificate");
    assert_words("set ca_file");
    server_stop(&server);
    wish.issuer = NULL;
    server_start(&server, &wish);
    assert_refused(&server, "self-signed certificate");
    assert_words("if it is yours, set pin");
    server_stop(&server);
    return PR_OK;
}

static void an_unknown_issuer_is_refused(void **state)
{
    (void)state;
    run(unknown_issuers, NULL);
}

static pr_status not_an_authority(void *unused)
{
    struct tls_server server;
    struct certificate leaf;
    struct certificate_wish wish = good;

    (void)unused;
    certificate_make(&leaf, &good);
    wish.issuer = &leaf;
    server_start(&server, &wish);
    SSL_CTX_add1_chain_cert(server.context, leaf.x509);
    assert_refused(&server, "certificate refused: ");
    server_stop(&server);
    certificate_done(&leaf);
    return PR_OK;
}

static void a_leaf_cannot_issue_certificates(void **state)
{
    (void)state;
    run(not_an_authority, NULL);
}

static pr_status pins(void *unused)
{
    struct tls_server server;
    char pin[64], wrong[64];
    struct certificate_wish own = good;

    (void)unused;
    server_start(&server, &good);
    certificate_pin(&server.certificate, pin);
    certificate_pin(&authority, wrong);
    net.pin = pin;
    assert_int_equal(connect_to(&server), PR_OK);
    talk();
    net.pin = wrong; /* nor is a session of before resumed */
    assert_refused(&server, "the server's key is not the pinned one but ");
    assert_words(pin);
    net.pin = pin; /* asked for besides the chain, not in its place */
    net.verify_name = "other.test";
    assert_refused(&server, "hostname mismatch");
    server_stop(&server);

    own.issuer = NULL;
    own.valid_from = -7200;
    own.valid_to = -3600;
    server_start(&server, &own);
    certificate_pin(&server.certificate, pin);
    assert_int_equal(connect_to(&server), PR_OK);
    talk();
    net.pin = wrong;
    assert_refused(&server, "the server's key is not the pinned one");
    server_stop(&server);
    return PR_OK;
}

static void a_pin_is_asked_for_and_frees_a_self_signed_one(void **state)
{
    (void)state;
    run(pins, NULL);
}

static pr_status bad_settings(void *unused)
{
    struct tls_server server;

    (void)unused;
    server_start(&server, &good);
    net.pin = "sha256//short=";
    assert_int_equal(connect_to(&server), PR_CONFIG);
    assert_words("pin must be sha256// and 44 characters of base64");
    net.pin = "sha1//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    assert_int_equal(connect_to(&server), PR_CONFIG);
    net.pin = NULL;
    net.ca_file = "/nonexistent/ca.pem";
    assert_int_equal(connect_to(&server), PR_CONFIG);
    assert_words("ca_file /nonexistent/ca.pem: ");
    net.ca_file = ca_file;
    net.client_cert = ca_file;
    assert_int_equal(connect_to(&server), PR_CONFIG);
    assert_words("client_key ");
    net.client_cert = NULL;
    net.client_key = ca_file;
    assert_int_equal(connect_to(&server), PR_CONFIG);
    assert_words("client_key without client_cert");
    server_stop(&server);
    return PR_OK;
}

static void wrong_settings_say_which(void **state)
{
    (void)state;
    run(bad_settings, NULL);
}

static pr_status old_server(void *unused)
{
    struct tls_server server;

    (void)unused;
    server_start(&server, &good);
    SSL_CTX_set_security_level(server.context, 0);
    SSL_CTX_set_min_proto_version(server.context, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(server.context, TLS1_1_VERSION);
    assert_refused(&server, "the server's TLS is too old");
    SSL_CTX_set_max_proto_version(server.context, TLS1_2_VERSION);
    assert_int_equal(connect_to(&server), PR_OK);
    talk();
    net.min_tls = 1;
    assert_refused(&server, "the server's TLS is too old");
    server_stop(&server);
    return PR_OK;
}

static void an_old_tls_is_refused(void **state)
{
    (void)state;
    run(old_server, NULL);
}

static pr_status resumption(void *maximum)
{
    struct tls_server server;

    server_start(&server, &good);
    SSL_CTX_set_max_proto_version(server.context, *(int *)maximum);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(connect_to(&server), PR_OK);
        talk();
    }
    /* Other settings share nothing. */
    struct pr_net_options before = net;
    net.min_tls = *(int *)maximum == TLS1_3_VERSION;
    net.verify_name = "mail.test.";
    assert_int_equal(connect_to(&server), PR_OK);
    talk();
    net = before;
    server_stop(&server);
    assert_int_equal(server.handshakes, 4);
    assert_int_equal(server.resumed, 2);
    return PR_OK;
}

static void a_session_is_resumed_by_the_same_settings_only(void **state)
{
    int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

    (void)state;
    run(resumption, &versions[0]);
    tls_forget();
    run(resumption, &versions[1]);
}

static pr_status talk_in_session(void *server)
{
    pr_status status = connect_to(server);

    if (status == PR_OK)
        talk();
    return status;
}

static pr_status small_stack(void *unused)
{
    struct tls_server server;
    struct pr_scope scope;

    (void)unused;
    server_start(&server, &good);
    pr_scope_init(&scope);
    assert_int_equal(
        pr_spawn(&scope, "session", PR_STACK_SESSION, talk_in_session, &server),
        PR_OK);
    assert_int_equal(pr_scope_join(&scope), PR_OK);
    server_stop(&server);
    return PR_OK;
}

static void a_handshake_fits_the_stack_of_a_session(void **state)
{
    (void)state;
    run(small_stack, NULL);
}

static pr_status tunnel(void *unused)
{
    struct tls_server server;
    char script[128];
    const char *const argv[] = {"bash", "-c", script, NULL};

    (void)unused;
    server_start(&server, &good);
    snprintf(script, sizeof(script),
             "exec 3<>/dev/tcp/127.0.0.1/%u; cat <&3 & exec cat >&3",
             (unsigned)server.peer.port);
    net.tunnel = argv;
    net.host = NULL;
    assert_int_equal(connect_to(&server), PR_OK);
    talk();
    net.verify_name = "other.test";
    assert_refused(&server, "tunnel bash: certificate refused: hostname");
    net.verify_name = NULL;
    assert_int_equal(connect_to(&server), PR_CONFIG);
    assert_words("TLS through a tunnel needs host or verify_name");
    server_stop(&server);
    return PR_OK;
}

static void a_tunnel_carries_tls(void **state)
{
    (void)state;
    run(tunnel, NULL);
}

static pr_status changed_authority(void *unused)
{
    struct tls_server server;
    struct certificate other;

    (void)unused;
    server_start(&server, &good);
    assert_int_equal(connect_to(&server), PR_OK);
    talk();
    certificate_make(
        &other, &(struct certificate_wish){.cn = "Other authority, longer name",
                                           .is_ca = true});
    certificate_write(&other, ca_file);
    certificate_done(&other);
    assert_refused(&server, "certificate refused");
    certificate_write(&authority, ca_file);
    server_stop(&server);
    return PR_OK;
}

static void a_changed_ca_file_counts_at_once(void **state)
{
    (void)state;
    run(changed_authority, NULL);
}

static pr_status client_certificates(void *unused)
{
    struct tls_server server;
    struct certificate mine;
    char certificate[80], key[80];

    (void)unused;
    snprintf(certificate, sizeof(certificate), "%s/client.pem", folder);
    snprintf(key, sizeof(key), "%s/client.key", folder);
    certificate_make(
        &mine, &(struct certificate_wish){.cn = "alice", .issuer = &authority});
    certificate_write(&mine, certificate);
    certificate_write_key(&mine, key);
    server_start(&server, &good);
    SSL_CTX_set_max_proto_version(server.context, TLS1_2_VERSION);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(server.context), authority.x509);
    SSL_CTX_set_verify(server.context,
                       SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_session_id_context(server.context, (unsigned char *)"t", 1);
    assert_refused(&server, "TLS handshake: ");
    net.client_cert = certificate;
    net.client_key = key;
    assert_int_equal(connect_to(&server), PR_OK);
    talk();
    server_stop(&server);
    certificate_done(&mine);
    unlink(certificate);
    unlink(key);
    return PR_OK;
}

static void a_client_certificate_is_shown(void **state)
{
    (void)state;
    run(client_certificates, NULL);
}

static void say_nothing(int fd, void *user)
{
    (void)user;
    peer_drain(fd);
}

static void hang_up(int fd, void *user)
{
    (void)fd, (void)user;
}

static void speak_clearly(int fd, void *user)
{
    (void)user;
    peer_write(fd, "* OK IMAP4rev1 ready\r\n", 22);
    peer_drain(fd);
}

static pr_status not_tls(void *unused)
{
    struct peer peer;

    (void)unused;
    peer_start(&peer, speak_clearly, NULL);
    assert_int_equal(pr_stream_connect(&net, peer.port, NULL, &stream), PR_TLS);
    assert_words("the server does not speak TLS here; look at port and tls");
    peer_stop(&peer);
    peer_start(&peer, hang_up, NULL);
    assert_int_equal(pr_stream_connect(&net, peer.port, NULL, &stream),
                     PR_NETWORK);
    peer_stop(&peer);
    peer_start(&peer, say_nothing, NULL);
    net.timeout = 100;
    assert_int_equal(pr_stream_connect(&net, peer.port, NULL, &stream),
                     PR_TIMEOUT);
    assert_words("the TLS handshake did not end in time");
    peer_stop(&peer);
    return PR_OK;
}

static void a_handshake_that_does_not_come_ends(void **state)
{
    (void)state;
    run(not_tls, NULL);
}

/* ---- STARTTLS ----------------------------------------------------------- */

static void upgrade(int fd, void *user)
{
    char octet, last = 0;

    peer_write(fd, "* OK\r\n", 6);
    while (last != '\n' && read(fd, &octet, 1) == 1)
        last = octet;
    peer_write(fd, "a1 OK\r\n", 7);
    greet_over_tls(fd, user);
}

static void upgrade_with_injection(int fd, void *user)
{
    (void)user;
    peer_write(fd, "* OK\r\na1 OK\r\na2 OK LOGIN\r\n", 27);
    peer_drain(fd);
}

static pr_status ask_for_tls(uint16_t port)
{
    struct pr_bytes line;

    net.tls = PR_TLS_STARTTLS;
    assert_int_equal(pr_stream_connect(&net, port, NULL, &stream), PR_OK);
    assert_int_equal(pr_stream_read_line(stream, 100, &line), PR_OK);
    assert_int_equal(pr_stream_write(stream, "a1 STARTTLS\r\n", 13), PR_OK);
    assert_int_equal(pr_stream_flush(stream), PR_OK);
    assert_int_equal(pr_stream_read_line(stream, 100, &line), PR_OK);
    assert_false(pr_stream_is_secure(stream));
    return pr_stream_start_tls(stream);
}

static pr_status starttls(void *unused)
{
    struct tls_server server = {.handshakes = 0};
    struct peer peer;

    (void)unused;
    certificate_make(&server.certificate, &good);
    server.context = peer_context(&server.certificate);
    peer_start(&server.peer, upgrade, &server);
    assert_int_equal(ask_for_tls(server.peer.port), PR_OK);
    talk();
    net.verify_name = "other.test";
    assert_int_equal(ask_for_tls(server.peer.port), PR_TLS);
    assert_false(pr_stream_is_secure(stream));
    assert_int_equal(pr_stream_fill(stream), PR_NETWORK);
    assert_int_equal(pr_stream_write(stream, "x", 1), PR_OK);
    assert_int_equal(pr_stream_flush(stream), PR_NETWORK);
    pr_stream_close(stream);
    server_stop(&server);

    peer_start(&peer, upgrade_with_injection, NULL);
    assert_int_equal(ask_for_tls(peer.port), PR_PROTOCOL);
    assert_words("possible attack");
    pr_stream_close(stream);
    peer_stop(&peer);
    return PR_OK;
}

static void starttls_upgrades_or_refuses(void **state)
{
    (void)state;
    run(starttls, NULL);
}

/* ---- Data --------------------------------------------------------------- */

#define MUCH (20u * 1024 * 1024)

static void send_much(int fd, void *user)
{
    struct tls_server *server = user;
    SSL *ssl = peer_tls(server->context, fd);
    static unsigned char block[64 * 1024];

    if (ssl == NULL)
        return;
    for (size_t i = 0; i < sizeof(block); i++)
        block[i] = (unsigned char)(i * 131 >> 3);
    for (size_t done = 0; done < MUCH; done += sizeof(block))
        if (SSL_write(ssl, block, sizeof(block)) <= 0)
            break;
    if (server->cuts_off)
        SSL_free(ssl);
    else
        peer_tls_end(ssl);
}

static pr_status read_much(void *cut_off)
{
    struct tls_server server = {.cuts_off = *(bool *)cut_off};
    size_t total = 0;
    pr_status status;

    certificate_make(&server.certificate, &good);
    server.context = peer_context(&server.certificate);
    peer_start(&server.peer, send_much, &server);
    assert_int_equal(connect_to(&server), PR_OK);
    while ((status = pr_stream_fill(stream)) == PR_OK) {
        struct pr_bytes part = pr_stream_peek(stream);
        for (size_t i = 0; i < part.size; i += 997) {
            size_t at = (total + i) % (64 * 1024);
            assert_int_equal((unsigned char)part.data[i],
                             (unsigned char)(at * 131 >> 3));
        }
        total += part.size;
        pr_stream_consume(stream, part.size);
    }
    assert_int_equal(status, PR_EOF);
    assert_words(server.cuts_off ? "dropped the connection"
                                 : "closed the connection");
    assert_int_equal(total, MUCH);
    pr_stream_close(stream);
    server_stop(&server);
    return PR_OK;
}

static void much_comes_whole_and_its_end_is_told(void **state)
{
    bool cut_off = false;

    (void)state;
    run(read_much, &cut_off);
    cut_off = true;
    run(read_much, &cut_off);
}

static pr_status sweep(void *unused)
{
    struct tls_server server;
    pr_status status;

    (void)unused;
    server_start(&server, &good);
    for (unsigned long n = 1;; n++) {
        memory_fail_at(n);
        status = connect_to(&server);
        bool over = memory_fail_pending();
        memory_fail_at(0);
        if (status == PR_OK)
            pr_stream_close(stream);
        else
            assert_int_equal(status, PR_NOMEM);
        tls_forget();
        if (over)
            break;
    }
    assert_int_equal(status, PR_OK);
    server_stop(&server);
    return PR_OK;
}

static void connecting_survives_every_lack_of_memory(void **state)
{
    (void)state;
    run(sweep, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_server_with_the_right_certificate_is_accepted,
                               reset),
        cmocka_unit_test_setup(an_address_needs_a_certificate_for_it, reset),
        cmocka_unit_test_setup(a_certificate_for_another_name_is_refused,
                               reset),
        cmocka_unit_test_setup(a_nul_in_a_name_neither_matches_nor_hides,
                               reset),
        cmocka_unit_test_setup(an_expired_certificate_is_refused, reset),
        cmocka_unit_test_setup(an_unknown_issuer_is_refused, reset),
        cmocka_unit_test_setup(a_leaf_cannot_issue_certificates, reset),
        cmocka_unit_test_setup(a_pin_is_asked_for_and_frees_a_self_signed_one,
                               reset),
        cmocka_unit_test_setup(wrong_settings_say_which, reset),
        cmocka_unit_test_setup(an_old_tls_is_refused, reset),
        cmocka_unit_test_setup(a_session_is_resumed_by_the_same_settings_only,
                               reset),
        cmocka_unit_test_setup(a_handshake_fits_the_stack_of_a_session, reset),
        cmocka_unit_test_setup(a_tunnel_carries_tls, reset),
        cmocka_unit_test_setup(a_changed_ca_file_counts_at_once, reset),
        cmocka_unit_test_setup(a_client_certificate_is_shown, reset),
        cmocka_unit_test_setup(a_handshake_that_does_not_come_ends, reset),
        cmocka_unit_test_setup(starttls_upgrades_or_refuses, reset),
        cmocka_unit_test_setup(much_comes_whole_and_its_end_is_told, reset),
        cmocka_unit_test_setup(connecting_survives_every_lack_of_memory, reset),
    };

    return cmocka_run_group_tests(tests, make_authority, drop_authority);
}
