/*
 * TLS contexts, trusted certificates and sessions, kept for the next
 * connection.
 *
 * Each is found by a key that holds all its settings, every field with its
 * length before it, so that no two settings have one key. A context's key
 * counts in which files it was read from, so that a changed file makes a new
 * one; what is still in use lives on for those who use it. Trusted certificates
 * take a megabyte or more: all contexts that trust the same have them in
 * common. Only the loop's thread comes here.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <openssl/err.h>

#include "base/memory.h"
#include "io/tls.h"

#define CONTEXTS_MAX 16
#define STORES_MAX 8
#define SESSIONS_MAX 64
/* So many records at a time come from the kernel. */
#define READ_AHEAD_SIZE (64 * 1024)

struct kept_context {
    char *key;
    SSL_CTX *context;
};

struct kept_store {
    char *key;
    X509_STORE *store;
};

struct kept_session {
    char *key;
    SSL_SESSION *session;
};

/* The newest first. */
static struct kept_context contexts[CONTEXTS_MAX];
static struct kept_store stores[STORES_MAX];
static struct kept_session sessions[SESSIONS_MAX];

static void add_field(struct pr_buffer *key, const char *text,
                      pr_status *status)
{
    if (*status == PR_OK && text == NULL)
        *status = pr_buffer_add_text(key, "-;");
    else if (*status == PR_OK)
        *status = pr_buffer_printf(key, "%zu:%s;", strlen(text), text);
}

static void add_file(struct pr_buffer *key, const char *path, pr_status *status)
{
    struct stat file;

    add_field(key, path, status);
    if (*status == PR_OK && path != NULL && stat(path, &file) == 0)
        *status = pr_buffer_printf(
            key, "%llu.%llu.%lld.%lld.%ld;", (unsigned long long)file.st_dev,
            (unsigned long long)file.st_ino, (long long)file.st_size,
            (long long)file.st_mtim.tv_sec, file.st_mtim.tv_nsec);
}

static const char *path_or(const char *variable, const char *path)
{
    const char *value = getenv(variable);

    return value != NULL ? value : path;
}

static void add_trust(struct pr_buffer *key, const struct pr_net_options *net,
                      pr_status *status)
{
    add_file(key, net->ca_file, status);
    if (net->ca_file != NULL)
        return;
    add_file(
        key,
        path_or(X509_get_default_cert_file_env(), X509_get_default_cert_file()),
        status);
    add_file(
        key,
        path_or(X509_get_default_cert_dir_env(), X509_get_default_cert_dir()),
        status);
}

static pr_status add_context_key(struct pr_buffer *key,
                                 const struct pr_net_options *net)
{
    pr_status status = pr_buffer_printf(key, "%u;", net->min_tls);

    add_trust(key, net, &status);
    add_file(key, net->client_cert, &status);
    add_file(key, net->client_key, &status);
    return status;
}

/* The buffer's text, to be freed with memory_free(). */
static pr_status take_text(struct pr_buffer *buffer, pr_status status,
                           char **ret)
{
    if (status == PR_OK) {
        *ret = memory_text(pr_buffer_text(buffer));
        if (*ret == NULL)
            status = pr_fail(PR_NOMEM, "out of memory");
    }
    pr_buffer_done(buffer);
    return status;
}

static const char *why(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    return reason != NULL ? reason : "not readable";
}

/* A key with a passphrase: nobody is there to be asked. */
static int no_passphrase(char *data, int size, int writing, void *user)
{
    (void)data, (void)size, (void)writing, (void)user;
    return -1;
}

static pr_status use_client_certificate(SSL_CTX *context,
                                        const struct pr_net_options *net)
{
    const char *key =
        net->client_key != NULL ? net->client_key : net->client_cert;

    if (net->client_cert == NULL)
        return net->client_key == NULL
                   ? PR_OK
                   : pr_fail(PR_CONFIG, "client_key without client_cert");
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    if (!SSL_CTX_use_certificate_chain_file(context, net->client_cert))
        return pr_fail(PR_CONFIG, "client_cert %s: %s", net->client_cert,
                       why());
    if (!SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM))
        return pr_fail(PR_CONFIG, "client_key %s: %s", key, why());
    if (!SSL_CTX_check_private_key(context))
        return pr_fail(PR_CONFIG, "client_key %s does not belong to %s", key,
                       net->client_cert);
    return PR_OK;
}

/* ---- Trusted certificates ------------------------------------------------ */

static pr_status make_store(const struct pr_net_options *net, X509_STORE **ret)
{
    X509_STORE *store = X509_STORE_new();
    pr_status status = PR_OK;

    if (store == NULL)
        return pr_fail(PR_NOMEM, "OpenSSL is out of memory");
    if (net->ca_file != NULL) {
        if (!X509_STORE_load_file(store, net->ca_file))
            status = pr_fail(PR_CONFIG, "ca_file %s: %s", net->ca_file, why());
    } else if (!X509_STORE_set_default_paths(store)) {
        status = pr_fail(PR_CONFIG, "the system's certificates: %s", why());
    }
    if (status == PR_OK)
        *ret = store;
    else
        X509_STORE_free(store);
    return status;
}

/* Takes both; the oldest makes room. */
static void keep_store(char *key, X509_STORE *store)
{
    struct kept_store *last = &stores[STORES_MAX - 1];

    memory_free(last->key);
    X509_STORE_free(last->store);
    memmove(stores + 1, stores, sizeof(stores) - sizeof(*stores));
    stores[0] = (struct kept_store){key, store};
}

/* Lent until the next call. */
static pr_status trusted(const struct pr_net_options *net, X509_STORE **ret)
{
    struct pr_buffer buffer = {.cap = 64 * 1024};
    pr_status status = PR_OK;
    char *key;

    add_trust(&buffer, net, &status);
    status = take_text(&buffer, status, &key);
    if (status != PR_OK)
        return status;
    for (size_t i = 0; i < STORES_MAX && stores[i].key != NULL; i++) {
        if (strcmp(stores[i].key, key) != 0)
            continue;
        memory_free(key);
        *ret = stores[i].store;
        return PR_OK;
    }
    status = make_store(net, ret);
    if (status == PR_OK)
        keep_store(key, *ret);
    else
        memory_free(key);
    return status;
}

/* ---- Contexts ------------------------------------------------------------ */

static int session_arrived(SSL *ssl, SSL_SESSION *session);

static pr_status set_up(SSL_CTX *context, const struct pr_net_options *net)
{
    int oldest = net->min_tls == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;

    if (!SSL_CTX_set_min_proto_version(context, oldest))
        return pr_fail(PR_UNSUPPORTED, "OpenSSL refuses the TLS version");
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, READ_AHEAD_SIZE);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_cert_verify_callback(context, tls_check_chain, NULL);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT |
                                                SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, session_arrived);
    X509_STORE *store = NULL;
    pr_status status = trusted(net, &store);
    if (status != PR_OK)
        return status;
    SSL_CTX_set1_cert_store(context, store);
    return use_client_certificate(context, net);
}

static pr_status make_context(const struct pr_net_options *net, SSL_CTX **ret)
{
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context == NULL)
        return pr_fail(PR_NOMEM, "OpenSSL cannot make a context");
    pr_status status = set_up(context, net);
    if (status == PR_OK)
        *ret = context;
    else
        SSL_CTX_free(context);
    ERR_clear_error();
    return status;
}

/* Takes both; the oldest makes room. */
static void keep_context(char *key, SSL_CTX *context)
{
    struct kept_context *last = &contexts[CONTEXTS_MAX - 1];

    memory_free(last->key);
    SSL_CTX_free(last->context);
    memmove(contexts + 1, contexts, sizeof(contexts) - sizeof(*contexts));
    contexts[0] = (struct kept_context){key, context};
}

pr_status tls_context(const struct pr_net_options *net, SSL_CTX **ret)
{
    struct pr_buffer buffer = {.cap = 64 * 1024};
    char *key;

    pr_status status = take_text(&buffer, add_context_key(&buffer, net), &key);
    if (status != PR_OK)
        return status;
    for (size_t i = 0; i < CONTEXTS_MAX && contexts[i].key != NULL; i++) {
        if (strcmp(contexts[i].key, key) != 0)
            continue;
        memory_free(key);
        SSL_CTX_up_ref(contexts[i].context);
        *ret = contexts[i].context;
        return PR_OK;
    }
    status = make_context(net, ret);
    if (status != PR_OK) {
        memory_free(key);
        return status;
    }
    SSL_CTX_up_ref(*ret);
    keep_context(key, *ret);
    return PR_OK;
}

pr_status tls_session_key(const struct pr_net_options *net, uint16_t port,
                          char **ret)
{
    struct pr_buffer buffer = {.cap = 64 * 1024};

    pr_status status = add_context_key(&buffer, net);
    add_field(&buffer, net->host, &status);
    add_field(&buffer, net->verify_name, &status);
    add_field(&buffer, net->pin, &status);
    if (status == PR_OK)
        status = pr_buffer_printf(&buffer, "%u;", (unsigned)port);
    for (size_t i = 0; net->tunnel != NULL && net->tunnel[i] != NULL; i++)
        add_field(&buffer, net->tunnel[i], &status);
    return take_text(&buffer, status, ret);
}

static void drop_session(size_t i)
{
    memory_free(sessions[i].key);
    SSL_SESSION_free(sessions[i].session);
    memmove(sessions + i, sessions + i + 1,
            (SESSIONS_MAX - 1 - i) * sizeof(*sessions));
    sessions[SESSIONS_MAX - 1] = (struct kept_session){NULL, NULL};
}

/* A resumed session is not verified anew: the certificate must still hold. */
static bool is_usable(SSL_SESSION *session)
{
    const X509 *leaf = SSL_SESSION_get0_peer(session);

    return SSL_SESSION_is_resumable(session) && leaf != NULL &&
           X509_cmp_current_time(X509_get0_notAfter(leaf)) > 0;
}

SSL_SESSION *tls_session_take(const char *key)
{
    size_t i = 0;

    while (i < SESSIONS_MAX && sessions[i].key != NULL) {
        if (strcmp(sessions[i].key, key) != 0) {
            i++;
            continue;
        }
        SSL_SESSION *session = sessions[i].session;
        SSL_SESSION_up_ref(session);
        drop_session(i);
        if (is_usable(session))
            return session;
        SSL_SESSION_free(session);
    }
    return NULL;
}

void tls_session_keep(const char *key, SSL_SESSION *session)
{
    char *copy = memory_text(key);

    if (copy == NULL) {
        SSL_SESSION_free(session);
        return;
    }
    memory_free(sessions[SESSIONS_MAX - 1].key);
    SSL_SESSION_free(sessions[SESSIONS_MAX - 1].session);
    memmove(sessions + 1, sessions, sizeof(sessions) - sizeof(*sessions));
    sessions[0] = (struct kept_session){copy, session};
}

/* With TLS 1.3 it comes any time after the handshake. */
static int session_arrived(SSL *ssl, SSL_SESSION *session)
{
    const struct tls_peer *peer = SSL_get_app_data(ssl);

    tls_session_keep(peer->session_key, session);
    return 1;
}

void tls_forget(void)
{
    for (size_t i = 0; i < CONTEXTS_MAX; i++) {
        memory_free(contexts[i].key);
        SSL_CTX_free(contexts[i].context);
        contexts[i] = (struct kept_context){NULL, NULL};
    }
    for (size_t i = 0; i < STORES_MAX; i++) {
        memory_free(stores[i].key);
        X509_STORE_free(stores[i].store);
        stores[i] = (struct kept_store){NULL, NULL};
    }
    while (sessions[0].key != NULL)
        drop_session(0);
}
