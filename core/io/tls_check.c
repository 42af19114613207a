/*
 * Is it the right server? Chain, name and pin, and words when it is not.
 *
 * All is decided inside the handshake, before it ends: nothing of ours goes to
 * a server that was not accepted. Names in a certificate are the far side's
 * text: they are escaped, and counted, not NUL-terminated.
 */
#include "config.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "base/text.h"
#include "io/resolver.h"
#include "io/tls.h"

#define PIN_PREFIX "sha256//"
#define PIN_TEXT_SIZE 44 /* base64 of 32 octets */
#define NAMES_SHOWN 5

static pr_status read_pin(const char *text, unsigned char ret[DIGEST_SIZE])
{
    unsigned char octets[PIN_TEXT_SIZE];
    size_t prefix = strlen(PIN_PREFIX);
    const char *base64 = text + prefix;

    if (strncmp(text, PIN_PREFIX, prefix) != 0 ||
        strlen(base64) != PIN_TEXT_SIZE || base64[PIN_TEXT_SIZE - 1] != '=' ||
        EVP_DecodeBlock(octets, (const unsigned char *)base64, PIN_TEXT_SIZE) !=
            DIGEST_SIZE + 1)
        return pr_fail(PR_CONFIG,
                       "pin must be %s and %d characters of base64, not %s",
                       PIN_PREFIX, PIN_TEXT_SIZE, text);
    memcpy(ret, octets, DIGEST_SIZE);
    return PR_OK;
}

pr_status tls_check_init(struct tls_peer *peer,
                         const struct pr_net_options *net)
{
    memset(peer, 0, sizeof(*peer));
    peer->name = net->verify_name != NULL ? net->verify_name : net->host;
    if (peer->name == NULL || peer->name[0] == '\0')
        return pr_fail(PR_CONFIG, "TLS through a tunnel needs host or "
                                  "verify_name: the server's name");
    peer->name_is_address = host_is_address(peer->name);
    peer->has_pin = net->pin != NULL;
    return peer->has_pin ? read_pin(net->pin, peer->pin) : PR_OK;
}

/* The name without the dot that ends an absolute one: certificates and SNI know
 * none (RFC 6066, 3). */
static void copy_name(const char *name, char *out, size_t size)
{
    size_t length;

    snprintf(out, size, "%s", name);
    length = strlen(out);
    if (length > 0 && out[length - 1] == '.')
        out[length - 1] = '\0';
}

pr_status tls_check_apply(struct tls_peer *peer, SSL *ssl)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    char name[256];
    int ok;

    SSL_set_app_data(ssl, peer);
    copy_name(peer->name, name, sizeof(name));
    /* RFC 9525, 6.3: no wildcard but a whole first label; never the CN. */
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (peer->name_is_address)
        ok = X509_VERIFY_PARAM_set1_ip_asc(param, name);
    else
        ok = SSL_set1_host(ssl, name) && SSL_set_tlsext_host_name(ssl, name);
    if (!ok)
        return pr_fail(PR_CONFIG, "%s cannot be the name of a server", name);
    return PR_OK;
}

static bool hash_key(X509 *leaf, unsigned char ret[DIGEST_SIZE])
{
    unsigned char *der = NULL;
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &der);

    if (size <= 0)
        return false;
    pr_status status =
        pr_digest((struct pr_bytes){(char *)der, (size_t)size}, ret);
    OPENSSL_free(der);
    return status == PR_OK;
}

static void add_names(X509 *leaf, struct pr_buffer *words)
{
    GENERAL_NAMES *names =
        X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    int shown = 0;
    char text[INET6_ADDRSTRLEN > 200 ? INET6_ADDRSTRLEN : 200];

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        int type;
        ASN1_STRING *value =
            GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type);
        if (type != GEN_DNS && type != GEN_IPADD)
            continue;
        struct pr_bytes octets = {(const char *)ASN1_STRING_get0_data(value),
                                  (size_t)ASN1_STRING_length(value)};
        if (type == GEN_DNS)
            text_printable(octets, text, 80);
        else if (octets.size == 4)
            inet_ntop(AF_INET, octets.data, text, sizeof(text));
        else if (octets.size == 16)
            inet_ntop(AF_INET6, octets.data, text, sizeof(text));
        else
            continue;
        if (++shown > NAMES_SHOWN) {
            (void)!pr_buffer_add_text(words, ", ...");
            break;
        }
        (void)!pr_buffer_printf(words, "%s%s", shown > 1 ? ", " : "", text);
    }
    if (shown == 0)
        (void)!pr_buffer_add_text(words, "no name");
    GENERAL_NAMES_free(names);
}

static const char *advice_for(int error)
{
    switch (error) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return "if that is the right server, set verify_name";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return "if it is yours, set pin";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        return "if you trust who issued it, set ca_file";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "look at this computer's clock";
    default:
        return "its administrator must renew or replace it";
    }
}

static void say_refused(struct tls_peer *peer, X509 *leaf, int error)
{
    struct pr_buffer words = {.cap = sizeof(peer->words)};

    (void)!pr_buffer_printf(&words,
                            "certificate refused: %s (expected %s; it is for ",
                            X509_verify_cert_error_string(error), peer->name);
    add_names(leaf, &words);
    (void)!pr_buffer_printf(&words, "); %s", advice_for(error));
    snprintf(peer->words, sizeof(peer->words), "%s", pr_buffer_text(&words));
    pr_buffer_done(&words);
}

static void say_wrong_pin(struct tls_peer *peer,
                          const unsigned char key[DIGEST_SIZE])
{
    unsigned char base64[PIN_TEXT_SIZE + 1];

    EVP_EncodeBlock(base64, key, DIGEST_SIZE);
    snprintf(peer->words, sizeof(peer->words),
             "the server's key is not the pinned one but %s%s; somebody may be "
             "in between, or the key was changed: ask its administrator",
             PIN_PREFIX, base64);
}

int tls_check_chain(X509_STORE_CTX *store, void *unused)
{
    SSL *ssl =
        X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_peer *peer = SSL_get_app_data(ssl);
    X509 *leaf = X509_STORE_CTX_get0_cert(store);
    unsigned char key[DIGEST_SIZE];

    (void)unused;
    int chain_ok = X509_verify_cert(store) > 0;
    int error = X509_STORE_CTX_get_error(store);
    if (peer->has_pin) {
        if (!hash_key(leaf, key) || memcmp(key, peer->pin, DIGEST_SIZE) != 0) {
            say_wrong_pin(peer, key);
            X509_STORE_CTX_set_error(store,
                                     X509_V_ERR_APPLICATION_VERIFICATION);
            return 0;
        }
        if (!chain_ok && error == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT) {
            X509_STORE_CTX_set_error(store, X509_V_OK);
            return 1;
        }
    }
    if (!chain_ok)
        say_refused(peer, leaf, error);
    return chain_ok;
}
