/*
 * A connection as a protocol sees it: octets in, octets out, TLS or not.
 *
 * Every call that waits ends at the stream's timeout without progress, at its
 * deadline, or when the fiber is cancelled. After a failure other than
 * PR_LIMIT, or PR_TIMEOUT of a reading call (which lost nothing), the stream is
 * of no more use but for pr_stream_close.
 */
#ifndef POSTRIDER_STREAM_H
#define POSTRIDER_STREAM_H

#include <postrider/buffer.h>
#include <postrider/fiber.h>
#include <postrider/log.h>
#include <postrider/option.h>

#ifdef __cplusplus
extern "C" {
#endif

enum pr_tls_mode {
    PR_TLS_IMPLICIT,
    PR_TLS_STARTTLS,
    PR_TLS_NONE,
    PR_TLS_OTHER /* and beyond: choices of a class's own; a clear line at first
                  */
};

/* The options that every class with a network connection shares. Embed it in
 * the options struct and list PR_NET_OPTIONS in the table. */
struct pr_net_options {
    const char *host; /* "/path": a unix socket */
    int64_t port;     /* 0: the default of the protocol and `tls` */
    const char *user;
    const struct pr_secret *password;
    unsigned tls;            /* enum pr_tls_mode */
    bool insecure;           /* a password may go over a clear line */
    const char *ca_file;     /* NULL: the system's certificates */
    const char *pin;         /* "sha256//BASE64" of the public key (SPKI) */
    const char *verify_name; /* NULL: host */
    const char *client_cert;
    const char *client_key;
    unsigned min_tls; /* 0: TLS 1.2, 1: TLS 1.3 */
    const char *const *auth;
    const char *const *disable;
    const char *const *tunnel; /* argv of a program whose stdio is the line */
    uint64_t timeout;          /* ms without progress; 0: none */
};

PR_API extern const char *const pr_tls_choices[]; /* implicit starttls none */
PR_API extern const char *const pr_min_tls_choices[]; /* 1.2 1.3 */

#define PR_NET_OPTION_(type, member, field, option_kind, ...)                \
    {                                                                        \
        .name = #field, .kind = PR_OPTION_##option_kind,                     \
        .offset =                                                            \
            offsetof(type, member) + offsetof(struct pr_net_options, field), \
        __VA_ARGS__                                                          \
    }

/* `member` of struct `type` is a struct pr_net_options. `tls_default` is
 * "implicit", "starttls" or "none". */
#define PR_NET_OPTIONS(type, member, tls_default) \
    PR_NET_OPTIONS_TLS(type, member, tls_default, pr_tls_choices)
/* The same with choices for `tls` that begin with those of pr_tls_choices. */
#define PR_NET_OPTIONS_TLS(type, member, tls_default, tls_choices)            \
    PR_NET_OPTION_(type, member, host, TEXT,                                  \
                   .help = "name of the server, or path of its unix socket"), \
        PR_NET_OPTION_(type, member, port, NUMBER, .least = 1, .most = 65535, \
                       .help = "TCP port; default by protocol and tls"),      \
        PR_NET_OPTION_(type, member, user, TEXT, .help = "login name"),       \
        PR_NET_OPTION_(type, member, password, SECRET,                        \
                       .help = "where the password comes from"),              \
        PR_NET_OPTION_(type, member, tls, CHOICE, .fallback = (tls_default),  \
                       .choices = (tls_choices),                              \
                       .help = "how the line is protected"),                  \
        PR_NET_OPTION_(type, member, insecure, BOOLEAN, .fallback = "false",  \
                       .help = "let a password go over a clear line"),        \
        PR_NET_OPTION_(type, member, ca_file, PATH,                           \
                       .help = "certificates to trust (PEM); default: the "   \
                               "system's"),                                   \
        PR_NET_OPTION_(type, member, pin, TEXT,                               \
                       .help = "sha256//BASE64 of the server's public key"),  \
        PR_NET_OPTION_(type, member, verify_name, TEXT,                       \
                       .help = "name the certificate must have; default: "    \
                               "host"),                                       \
        PR_NET_OPTION_(type, member, client_cert, PATH,                       \
                       .help = "certificate to show the server (PEM)"),       \
        PR_NET_OPTION_(type, member, client_key, PATH,                        \
                       .help = "key of client_cert (PEM)"),                   \
        PR_NET_OPTION_(type, member, min_tls, CHOICE, .fallback = "1.2",      \
                       .choices = pr_min_tls_choices,                         \
                       .help = "oldest TLS version to accept"),               \
        PR_NET_OPTION_(type, member, auth, LIST,                              \
                       .help = "SASL mechanisms to try, in order"),           \
        PR_NET_OPTION_(type, member, disable, LIST,                           \
                       .help = "capabilities to leave unused"),               \
        PR_NET_OPTION_(type, member, tunnel, LIST,                            \
                       .help = "program and arguments to talk through "       \
                               "instead of TCP"),                             \
        PR_NET_OPTION_(type, member, timeout, DURATION, .fallback = "60s",    \
                       .help = "give up after so long without progress")

struct pr_stream;

/* Connects: a program for `tunnel`, a unix socket for a host that begins with
 * "/", else TCP by Happy Eyeballs (RFC 8305) to `port` (used when net->port is
 * 0); then the TLS handshake when net->tls is
 * PR_TLS_IMPLICIT. `net` is lent for the stream's life. Waits.
 * PR_NETWORK, PR_TLS, PR_TIMEOUT, PR_CONFIG. */
PR_API PR_CHECKED pr_status pr_stream_connect(const struct pr_net_options *net,
                                              uint16_t port,
                                              const struct pr_log *log,
                                              struct pr_stream **ret);
/* Handshake on an open clear line. Octets that came before it and were not
 * consumed are an attack: PR_PROTOCOL. Waits. */
PR_API PR_CHECKED pr_status pr_stream_start_tls(struct pr_stream *stream);
PR_API bool pr_stream_is_secure(const struct pr_stream *stream);

/* Sends what was written, then waits until at least one more octet than before
 * is buffered. PR_EOF at the end, also one that was cut off: who is in the
 * middle of something takes it for a failure. PR_LIMIT if the buffer is full
 * (256 KiB).
 */
PR_API PR_CHECKED pr_status pr_stream_fill(struct pr_stream *stream);
/* Sends what was written, then waits until octets are buffered (PR_OK; at once
 * if some are), for as long as it takes: neither the stream's deadline nor its
 * timeout counts, but for the sending. A wait of more than a second or two
 * costs no memory that can be had back: the buffers and the fiber's stack are
 * given up. PR_OK too when pr_stream_unpark was called; PR_TIMEOUT at
 * `deadline`, and PR_CANCELLED, after both of which the stream is as it was. */
PR_API PR_CHECKED pr_status pr_stream_park(struct pr_stream *stream,
                                           pr_time deadline);
/* From another fiber: ends the wait in pr_stream_park, the next one if there is
 * none now. Does not wait. */
PR_API void pr_stream_unpark(struct pr_stream *stream);
/* What is buffered and not yet consumed; lent until the next call. */
PR_API struct pr_bytes pr_stream_peek(const struct pr_stream *stream);
PR_API void pr_stream_consume(struct pr_stream *stream, size_t size);

/* A line without its CRLF (or LF), consumed; lent until the next call. Longer
 * than `cap` octets: PR_LIMIT. */
PR_API PR_CHECKED pr_status pr_stream_read_line(struct pr_stream *stream,
                                                size_t cap,
                                                struct pr_bytes *ret);

/* Adds to the output buffer; flushes by itself (and waits) when that is large.
 */
PR_API PR_CHECKED pr_status pr_stream_write(struct pr_stream *stream,
                                            const void *data, size_t size);
/* Sends all that was written. */
PR_API PR_CHECKED pr_status pr_stream_flush(struct pr_stream *stream);

/* No wait on this stream goes on beyond `deadline`; PR_NEVER: only the timeout
 * without progress counts. */
PR_API void pr_stream_set_deadline(struct pr_stream *stream, pr_time deadline);
/* In place of the options' timeout: ms without progress, 0: none. */
PR_API void pr_stream_set_timeout(struct pr_stream *stream, uint64_t ms);

PR_API uint64_t pr_stream_octets_in(const struct pr_stream *stream);
PR_API uint64_t pr_stream_octets_out(const struct pr_stream *stream);

/* Closes at once, with a TLS close_notify if that needs no wait. NULL is fine.
 * Wakes nobody: the stream belongs to one fiber. */
PR_API void pr_stream_close(struct pr_stream *stream);

#ifdef __cplusplus
}
#endif
#endif
