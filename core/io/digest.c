/*
 * SHA-256 by OpenSSL's EVP interface.
 */
#include "config.h"

#include "io/digest.h"

#include <openssl/evp.h>

/* A digest is the context itself; the name keeps OpenSSL out of the header. */
static EVP_MD_CTX *context_of(struct digest *digest)
{
    return (EVP_MD_CTX *)digest;
}

pr_status digest_new(struct digest **ret)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    if (context == NULL)
        return pr_fail(PR_NOMEM, "out of memory");
    if (!EVP_DigestInit_ex(context, EVP_sha256(), NULL)) {
        EVP_MD_CTX_free(context);
        return pr_fail(PR_UNSUPPORTED, "OpenSSL offers no SHA-256");
    }
    *ret = (struct digest *)context;
    return PR_OK;
}

pr_status digest_add(struct digest *digest, const void *data, size_t size)
{
    if (!EVP_DigestUpdate(context_of(digest), data, size))
        return pr_fail(PR_NOMEM, "OpenSSL cannot make a digest");
    return PR_OK;
}

void digest_end(struct digest *digest, unsigned char ret[DIGEST_SIZE])
{
    if (digest != NULL && ret != NULL)
        EVP_DigestFinal_ex(context_of(digest), ret, NULL);
    EVP_MD_CTX_free(context_of(digest));
}

pr_status pr_digest(struct pr_bytes bytes, unsigned char ret[PR_DIGEST_SIZE])
{
    if (!EVP_Digest(bytes.data, bytes.size, ret, NULL, EVP_sha256(), NULL))
        return pr_fail(PR_NOMEM, "OpenSSL cannot make a digest");
    return PR_OK;
}
