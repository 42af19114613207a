/*
 * What the Content-* fields of a part say (RFC 2045, 2183).
 */
#ifndef MAIL_CONTENT_H
#define MAIL_CONTENT_H

#include <gmime/gmime.h>

#include <postrider/buffer.h>

/* Texts are never NULL; free with content_done. They may be invalid UTF-8. */
struct content {
    char *type; /* "text/plain", lower case */
    char *charset, *filename, *disposition, *id, *boundary;
    GMimeContentEncoding encoding;
    bool is_multipart; /* with a boundary */
    bool is_message;   /* one that can be looked into */
};

/* Reads them from the octets of a part's header. Without a type that can be
 * read it is text/plain, in a digest message/rfc822 (RFC 2046, 5.1.5).
 * PR_NOMEM. */
PR_CHECKED pr_status content_read(struct pr_bytes header, bool is_in_digest,
                                  struct content *ret);
void content_done(struct content *content);

#endif
