/*
 * Services: what rules ask and wait for, such as a scanner or a directory.
 *
 * A class of the role PR_ROLE_SERVICE is written `rspamd { ... }` and asked by
 * its verbs: `rspamd.check(m)`. What holds for every service is the core's
 * work: a deadline, places for those that ask at the same time, a breaker that
 * leaves a service alone which failed several times in a row, a cache of
 * answers, and that the same question, of the same message, is not asked while
 * it is being asked. A plugin asks, once, and says what it was told.
 */
#ifndef POSTRIDER_SERVICE_H
#define POSTRIDER_SERVICE_H

#include <postrider/buffer.h>
#include <postrider/fiber.h>
#include <postrider/log.h>
#include <postrider/message.h>
#include <postrider/option.h>
#include <postrider/stream.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- What every service is told ------------------------------------------ */

/* The options that every service has. Embed it in the options struct and list
 * PR_SERVICE_OPTIONS in the table. */
struct pr_service_settings {
    uint64_t timeout;    /* ms for one answer */
    int64_t concurrency; /* asked at the same time; who comes later waits */
    uint64_t cache;      /* ms for which an answer is used again; 0: not */
};

#define PR_SERVICE_OPTION_(type, member, field, option_kind, ...) \
    {                                                             \
        .name = #field, .kind = PR_OPTION_##option_kind,          \
        .offset = offsetof(type, member) +                        \
                  offsetof(struct pr_service_settings, field),    \
        __VA_ARGS__                                               \
    }

/* `member` of struct `type` is a struct pr_service_settings; the defaults are
 * as a user would write them: "10s", "8", "5m". */
#define PR_SERVICE_OPTIONS(type, member, timeout_default, concurrency_default, \
                           cache_default)                                      \
    PR_SERVICE_OPTION_(type, member, timeout, DURATION,                        \
                       .fallback = (timeout_default),                          \
                       .help = "give up an answer after so long"),             \
        PR_SERVICE_OPTION_(type, member, concurrency, NUMBER, .least = 1,      \
                           .most = 1000, .fallback = (concurrency_default),    \
                           .help = "questions at the same time; further ones " \
                                   "wait"),                                    \
        PR_SERVICE_OPTION_(type, member, cache, DURATION,                      \
                           .fallback = (cache_default),                        \
                           .help = "use an answer again for so long; 0: "      \
                                   "never")

/* ---- Answers ---------------------------------------------------------------
 */

/* An answer being written: a table of named values, as the rule will see it.
 * `name` NULL makes the value the next item of a list. What does not fit (1
 * MiB) or into memory fails the whole answer, without a need to look at each
 * call. */
struct pr_reply;
PR_API void pr_reply_text(struct pr_reply *reply, const char *name,
                          struct pr_bytes text);
/* A whole number becomes an integer. */
PR_API void pr_reply_number(struct pr_reply *reply, const char *name,
                            double number);
PR_API void pr_reply_boolean(struct pr_reply *reply, const char *name,
                             bool value);
/* A table in the table; what follows is in it until pr_reply_end. */
PR_API void pr_reply_begin(struct pr_reply *reply, const char *name);
PR_API void pr_reply_end(struct pr_reply *reply);

/* ---- The operations --------------------------------------------------------
 */

/* One as the configuration has it. Lives as long as that. */
struct pr_service {
    const struct pr_class *class;
    const void *options;
    const struct pr_log *log;
    const char *name; /* as in logs: "rspamd http://localhost:11333" */
    void *state;      /* the plugin's own; freed in close */
};

/* What can be asked: `clamd.scan(m)`. */
struct pr_verb {
    const char *name;    /* a Lua identifier */
    const char *summary; /* one line, no full stop */
    bool takes_message;  /* the whole message is its first argument */
    /* Of the table after it (of the one argument, without a message), ended by
     * a zeroed entry. NULL: it takes none. */
    const struct pr_option *options;
    size_t options_size;
};

struct pr_question {
    const struct pr_verb *verb;
    const struct pr_spool
        *message;          /* sealed; NULL unless verb->takes_message */
    const void *arguments; /* the verb's options, filled; or NULL */
    pr_time deadline;      /* no wait goes on beyond it */
};

struct pr_service_ops {
    uint32_t size;
    const struct pr_verb *verbs; /* ended by a zeroed entry */
    size_t settings; /* where struct pr_service_settings is in the options */
    /* Asks once and writes the answer. Called by several fibers at the same
     * time, up to `concurrency`; waits. It counts against the service, and so
     * may close it for a time, when it fails with PR_NETWORK, PR_TLS,
     * PR_TIMEOUT, PR_EOF, PR_PROTOCOL, PR_AUTH, PR_LATER or PR_IO; PR_REFUSED,
     * PR_LIMIT and the others are of this one question. */
    pr_status (*ask)(struct pr_service *service,
                     const struct pr_question *question,
                     struct pr_reply *reply);
    /* Is it there? For `postrider check`; asks nothing about a message. Waits.
     * NULL slot: nobody knows. */
    pr_status (*check)(struct pr_service *service, pr_time deadline);
    /* When nobody asks any more; does not wait. NULL slot: nothing to free. */
    void (*close)(struct pr_service *service);
    /* Names the service for logs from its options, into `name`. */
    void (*describe)(const void *options, char *name, size_t size);
};

/* ---- For services that are asked over a connection ------------------------
 */

/* PR_LIMIT, with words, if the message of the question has more than `limit`
 * octets. */
PR_API PR_CHECKED pr_status
pr_service_check_size(const struct pr_service *service,
                      const struct pr_question *question, uint64_t limit);
/* Connects on a clear line to `host`, a name or the path of a unix socket; no
 * wait of the stream goes on beyond `deadline`. `net` is filled, and must last
 * as long as the stream. Waits. As pr_stream_connect. */
PR_API PR_CHECKED pr_status pr_service_connect(const struct pr_service *service,
                                               const char *host, int64_t port,
                                               pr_time deadline,
                                               struct pr_net_options *net,
                                               struct pr_stream **ret);
/* For pr_service_ops.describe: "clamd /run/clamav/clamd.ctl", "spamd
 * localhost:783". */
PR_API void pr_service_describe(const char *class, const char *host,
                                int64_t port, char *name, size_t size);

/* Waits until a descriptor of a library's own can be read or written, as asked,
 * for plugins whose library brings its connections with it. PR_TIMEOUT,
 * PR_CANCELLED. */
PR_API PR_CHECKED pr_status pr_wait_descriptor(int descriptor, bool to_read,
                                               bool to_write, pr_time deadline);

#ifdef __cplusplus
}
#endif
#endif
