/*
 * Logging in: what every protocol needs of it. The commands that carry it are
 * the protocol's own.
 */
#ifndef POSTRIDER_LOGIN_H
#define POSTRIDER_LOGIN_H

#include <postrider/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Who logs in. */
struct pr_login {
    struct pr_bytes user;     /* lent by the options */
    struct pr_bytes password; /* within `secret` */
    struct pr_buffer secret;  /* wiped by pr_login_wipe */
};

/* Reads user and password of `net` for a login on `stream`. PR_CONFIG if one of
 * them is missing, empty, or has a NUL or a line end in it, or if the line is
 * neither protected by TLS, nor a tunnel or unix socket, nor allowed by
 * `insecure`. Waits. Wipe *ret in any case. */
PR_API PR_CHECKED pr_status pr_login_read(const struct pr_net_options *net,
                                          const struct pr_stream *stream,
                                          struct pr_login *ret);
PR_API void pr_login_wipe(struct pr_login *login);

/* Does the option `auth` allow this SASL mechanism? Without the option, all
 * are. Case does not matter (RFC 4422, 3.1). */
PR_API bool pr_login_allows(const struct pr_net_options *net,
                            const char *mechanism);

/* RFC 4616: adds the base64 of NUL user NUL password, the whole of what PLAIN
 * sends; wipe the buffer with pr_secret_wipe. PR_LIMIT if it is too small. */
PR_API PR_CHECKED pr_status pr_login_plain(const struct pr_login *login,
                                           struct pr_buffer *ret);

#define PR_APOP_SIZE 33 /* the digest in hex, with its NUL */

/* RFC 1939, 7: the digest for APOP, of `challenge` (with its angle brackets)
 * and the password. PR_UNSUPPORTED if this OpenSSL has no MD5. */
PR_API PR_CHECKED pr_status pr_login_apop(const struct pr_login *login,
                                          struct pr_bytes challenge,
                                          char ret[PR_APOP_SIZE]);

/* Adds the base64 of `bytes` (RFC 4648, 4) without line ends. */
PR_API PR_CHECKED pr_status pr_base64_encode(struct pr_bytes bytes,
                                             struct pr_buffer *ret);
/* Adds what the base64 `text` stands for; PR_PROTOCOL if it is malformed, as
 * with any octet outside the alphabet or missing padding. */
PR_API PR_CHECKED pr_status pr_base64_decode(struct pr_bytes text,
                                             struct pr_buffer *ret);

#ifdef __cplusplus
}
#endif
#endif
