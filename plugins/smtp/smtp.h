/*
 * What the files of the SMTP and LMTP sinks share.
 */
#ifndef SMTP_SMTP_H
#define SMTP_SMTP_H

#include <postrider/plugin.h>

enum smtp_protocol { SMTP_SMTP, SMTP_LMTP };

/* Of both classes; `socket` is lmtp's. */
struct smtp_options {
    struct pr_net_options net;
    const char *socket; /* path of a unix socket in place of net.host */
    const char *helo;
    const char *from; /* NULL: as the message's Return-Path has it */
    const char *const *to;
    const char *const *to_header;
    const char *const *domains;
    const char *const *notify;
    unsigned dsn_return; /* enum smtp_dsn_return */
    bool soft_bounce;
    bool trace;
    int64_t hops;
    int64_t connections;
    uint64_t reply_timeout, final_timeout, idle; /* ms */
};

enum smtp_dsn_return { SMTP_RETURN_ANY, SMTP_RETURN_FULL, SMTP_RETURN_HEADERS };

/* Recipients of one message; RFC 5321, 4.5.3.1.8: a server takes so many. */
#define SMTP_RECIPIENTS_MOST 100u

/* ---- options.c ----------------------------------------------------------- */

extern const struct pr_option smtp_option_table[], lmtp_option_table[];
/* pr_class.check_options */
pr_status smtp_options_check(const void *options);
pr_status smtp_check_folder(const void *options, const char *folder);
pr_status lmtp_options_check(const void *options);
/* pr_sink_ops.describe */
void smtp_describe(const void *options, char *name, size_t size);
void lmtp_describe(const void *options, char *name, size_t size);

/* How the line is protected, with "auto" decided: not at all within this
 * machine and without a login, else by STARTTLS. */
enum pr_tls_mode smtp_tls(const struct pr_net_options *net);
/* The port used when the options name none. */
uint16_t smtp_default_port(enum smtp_protocol protocol,
                           const struct pr_net_options *net);
bool smtp_list_is_empty(const char *const *list);

/* ---- sink.c -------------------------------------------------------------- */

extern const struct pr_sink_ops smtp_sink_ops, lmtp_sink_ops;

#endif
