/*
 * What a login sends; base64 and MD5 by OpenSSL.
 */
#include "config.h"

#include <limits.h>
#include <string.h>

#include <openssl/evp.h>

#include <postrider/login.h>

pr_status pr_base64_encode(struct pr_bytes bytes, struct pr_buffer *ret)
{
    if (bytes.size > INT_MAX / 2)
        return pr_fail(PR_LIMIT, "too much for base64");
    size_t size = (bytes.size + 2) / 3 * 4;
    /* The NUL that OpenSSL adds goes where the buffer keeps its own. */
    char *into = pr_buffer_reserve(ret, size);
    if (into == NULL)
        return pr_last_failure()->status;
    EVP_EncodeBlock((unsigned char *)into, (const unsigned char *)bytes.data,
                    (int)bytes.size);
    pr_buffer_grew(ret, size);
    return PR_OK;
}

static bool is_base64(struct pr_bytes text, size_t *ret_padding)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                   "abcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t size = text.size;

    *ret_padding = 0;
    if (size % 4 != 0 || size > INT_MAX)
        return false;
    while (size > 0 && *ret_padding < 2 && text.data[size - 1] == '=') {
        size--;
        ++*ret_padding;
    }
    for (size_t i = 0; i < size; i++)
        if (memchr(alphabet, text.data[i], sizeof(alphabet) - 1) == NULL)
            return false;
    return true;
}

pr_status pr_base64_decode(struct pr_bytes text, struct pr_buffer *ret)
{
    size_t padding;

    if (!is_base64(text, &padding))
        return pr_fail(PR_PROTOCOL, "malformed base64");
    if (text.size == 0)
        return PR_OK;
    char *into = pr_buffer_reserve(ret, text.size / 4 * 3);
    if (into == NULL)
        return pr_last_failure()->status;
    if (EVP_DecodeBlock((unsigned char *)into, (const unsigned char *)text.data,
                        (int)text.size) < 0)
        return pr_fail(PR_PROTOCOL, "malformed base64");
    pr_buffer_grew(ret, text.size / 4 * 3 - padding);
    return PR_OK;
}

/* ---- Who logs in --------------------------------------------------------- */

#define SECRET_CAP (64u * 1024)

static bool has_line_end(struct pr_bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] == '\0' || text.data[i] == '\r' ||
            text.data[i] == '\n')
            return true;
    return false;
}

static bool is_private(const struct pr_net_options *net,
                       const struct pr_stream *stream)
{
    bool has_tunnel = net->tunnel != NULL && *net->tunnel != NULL;
    bool is_local = net->host != NULL && net->host[0] == '/';

    return has_tunnel || is_local || net->insecure ||
           pr_stream_is_secure(stream);
}

pr_status pr_login_read(const struct pr_net_options *net,
                        const struct pr_stream *stream, struct pr_login *ret)
{
    *ret = (struct pr_login){.secret = {.cap = SECRET_CAP}};
    if (net->user == NULL || *net->user == '\0' || net->password == NULL)
        return pr_fail(PR_CONFIG, "the server asks for a login: user and "
                                  "password are needed");
    if (!is_private(net, stream))
        return pr_fail(PR_CONFIG,
                       "a password would go over a clear line; use tls, or "
                       "insecure = true if that is meant");
    ret->user = pr_bytes_of(net->user);
    pr_status status = pr_secret_read(net->password, &ret->secret);
    if (status != PR_OK)
        return status;
    ret->password =
        (struct pr_bytes){pr_buffer_text(&ret->secret), ret->secret.size};
    if (ret->password.size == 0)
        return pr_fail(PR_CONFIG, "the password is empty");
    if (has_line_end(ret->user) || has_line_end(ret->password))
        return pr_fail(PR_CONFIG,
                       "a line end or NUL in the user's name or password");
    return PR_OK;
}

void pr_login_wipe(struct pr_login *login)
{
    pr_secret_wipe(&login->secret);
    login->password = (struct pr_bytes){NULL, 0};
}

bool pr_login_allows(const struct pr_net_options *net, const char *mechanism)
{
    const char *const *wanted = net->auth;

    if (wanted == NULL || *wanted == NULL)
        return true;
    for (; *wanted != NULL; wanted++)
        if (pr_bytes_equal_nocase(pr_bytes_of(*wanted), pr_bytes_of(mechanism)))
            return true;
    return false;
}

/* ---- What is sent -------------------------------------------------------- */

pr_status pr_login_plain(const struct pr_login *login, struct pr_buffer *ret)
{
    size_t size = login->user.size + login->password.size + 2;
    struct pr_buffer message = {.cap = size};

    /* Whole at once: growing would leave copies of the password behind. */
    if (pr_buffer_reserve(&message, size) == NULL ||
        pr_buffer_reserve(ret, (size + 2) / 3 * 4) == NULL) {
        pr_buffer_done(&message);
        return pr_last_failure()->status;
    }
    pr_status status = pr_buffer_add(&message, "", 1);
    if (status == PR_OK)
        status = pr_buffer_add(&message, login->user.data, login->user.size);
    if (status == PR_OK)
        status = pr_buffer_add(&message, "", 1);
    if (status == PR_OK)
        status =
            pr_buffer_add(&message, login->password.data, login->password.size);
    if (status == PR_OK)
        status = pr_base64_encode((struct pr_bytes){message.data, message.size},
                                  ret);
    pr_secret_wipe(&message);
    return status;
}

pr_status pr_login_apop(const struct pr_login *login, struct pr_bytes challenge,
                        char ret[PR_APOP_SIZE])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_done =
        context != NULL && EVP_DigestInit_ex(context, EVP_md5(), NULL) == 1 &&
        EVP_DigestUpdate(context, challenge.data, challenge.size) == 1 &&
        EVP_DigestUpdate(context, login->password.data, login->password.size) ==
            1 &&
        EVP_DigestFinal_ex(context, digest, &size) == 1;

    EVP_MD_CTX_free(context);
    if (!is_done || size != (PR_APOP_SIZE - 1) / 2)
        return pr_fail(PR_UNSUPPORTED, "APOP: this OpenSSL has no MD5");
    for (size_t i = 0; i < size; i++) {
        ret[2 * i] = hex[digest[i] >> 4];
        ret[2 * i + 1] = hex[digest[i] & 15];
    }
    ret[PR_APOP_SIZE - 1] = '\0';
    return PR_OK;
}
