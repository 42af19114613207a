/*
 * SASL PLAIN, and base64 by OpenSSL.
 */
#include "config.h"

#include "auth/sasl.h"

#include <limits.h>
#include <string.h>

#include <openssl/evp.h>

#include <postrider/option.h>

pr_status base64_encode(struct pr_bytes bytes, struct pr_buffer *buffer)
{
    if (bytes.size > INT_MAX / 2)
        return pr_fail(PR_LIMIT, "too much for base64");
    size_t size = (bytes.size + 2) / 3 * 4;
    /* The NUL that OpenSSL adds goes where the buffer keeps its own. */
    char *into = pr_buffer_reserve(buffer, size);
    if (into == NULL)
        return pr_last_failure()->status;
    EVP_EncodeBlock((unsigned char *)into, (const unsigned char *)bytes.data,
                    (int)bytes.size);
    pr_buffer_grew(buffer, size);
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

pr_status base64_decode(struct pr_bytes text, struct pr_buffer *buffer)
{
    size_t padding;

    if (!is_base64(text, &padding))
        return pr_fail(PR_PROTOCOL, "malformed base64");
    if (text.size == 0)
        return PR_OK;
    char *into = pr_buffer_reserve(buffer, text.size / 4 * 3);
    if (into == NULL)
        return pr_last_failure()->status;
    if (EVP_DecodeBlock((unsigned char *)into, (const unsigned char *)text.data,
                        (int)text.size) < 0)
        return pr_fail(PR_PROTOCOL, "malformed base64");
    pr_buffer_grew(buffer, text.size / 4 * 3 - padding);
    return PR_OK;
}

pr_status sasl_plain(const char *user, struct pr_bytes password,
                     struct pr_buffer *buffer)
{
    size_t user_size = strlen(user);
    struct pr_buffer message = {.cap = user_size + password.size + 2};

    if (user_size == 0 || password.size == 0)
        return pr_fail(PR_CONFIG, "PLAIN needs a user and a password");
    if (memchr(password.data, '\0', password.size) != NULL)
        return pr_fail(PR_CONFIG, "the password has a NUL in it");
    /* Whole at once: growing would leave copies of the password behind. */
    if (pr_buffer_reserve(&message, message.cap) == NULL ||
        pr_buffer_reserve(buffer, (message.cap + 2) / 3 * 4) == NULL) {
        pr_buffer_done(&message);
        return pr_last_failure()->status;
    }
    pr_status status = pr_buffer_add(&message, "", 1);
    if (status == PR_OK)
        status = pr_buffer_add_text(&message, user);
    if (status == PR_OK)
        status = pr_buffer_add(&message, "", 1);
    if (status == PR_OK)
        status = pr_buffer_add(&message, password.data, password.size);
    if (status == PR_OK)
        status = base64_encode((struct pr_bytes){message.data, message.size},
                               buffer);
    pr_secret_wipe(&message);
    return status;
}
