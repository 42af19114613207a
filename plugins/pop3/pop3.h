/*
 * One POP3 session: its state, and talking to the server.
 *
 * Answers come in the order of the commands (RFC 1939, 3): whoever sends one
 * reads its answer, all of it. Whatever breaks the line (a failure of the
 * stream, a breach of the protocol, a cancelled wait) makes the session broken:
 * every later call fails with the same words, and only close is of use. What a
 * server says -ERR to breaks nothing.
 */
#ifndef POP3_POP3_H
#define POP3_POP3_H

#include <postrider/plugin.h>

#include "capability.h"
#include "multiline.h"
#include "reply.h"

#define POP3_PORT_TLS 995
#define POP3_PORT 110

struct pop3_options {
    struct pr_net_options net;
    int64_t window;         /* commands in flight, where pipelining is known */
    uint64_t window_octets; /* and what is to come of them */
};

/* What LIST and UIDL tell of a message. */
struct pop3_entry {
    uint32_t number;
    uint64_t size;    /* 0: not told */
    const char *uidl; /* NULL: not told */
};

/* The maildrop, as it was at login: it does not change in a session. */
struct pop3_maildrop {
    struct pr_arena *arena;   /* of the UIDLs; NULL: nothing is selected */
    uint32_t exists;          /* STAT */
    struct pr_buffer entries; /* of struct pop3_entry, in order of number */
    size_t listed;            /* the first of them came from LIST */
    bool has_uidl;            /* UIDL was answered */
    uint32_t last;            /* LAST: those up to it were seen; 0: not known */
    unsigned char *fetched;   /* a bit for each number: RETR was answered, and
                                 DELE was not */
};

struct pop3 {
    const struct pr_source *source;
    const struct pop3_options *options;
    const struct pr_log *log;
    struct pr_stream *stream;
    unsigned capabilities; /* of enum pop3_capability, without `disabled` */
    unsigned disabled;
    bool knows_capabilities; /* CAPA was answered */
    bool has_no_top;         /* it was refused, and CAPA does not name it;
                                or it is disabled */
    bool is_logged_in;
    bool has_ended;         /* QUIT was answered, or is not to be sent */
    size_t awaited;         /* answers to come */
    bool in_response;       /* of more lines: octets to read are no surprise */
    char challenge[130];    /* for APOP, "" if there is none */
    struct pr_buffer trace; /* the command so far, for the log */
    struct pop3_multiline multiline;
    size_t pending; /* octets of the text lent out: not yet consumed */
    struct pop3_maildrop maildrop;
    struct pr_failure broken; /* PR_OK: the line stands */
};

/* ---- command.c: sending commands, reading answers. All may wait. -------- */

/* Puts a command together, then ends it. Nothing is sent before somebody waits
 * for an answer, so that commands put one after another travel together. */
PR_CHECKED pr_status pop3_put(struct pop3 *pop3, struct pr_bytes text);
/* As pop3_put; never shown in the log. */
PR_CHECKED pr_status pop3_put_secret(struct pop3 *pop3, struct pr_bytes text);
/* PR_NETWORK or PR_PROTOCOL if the server has spoken without being asked. */
PR_CHECKED pr_status pop3_end(struct pop3 *pop3);
/* put, end. */
PR_CHECKED pr_status pop3_send(struct pop3 *pop3, const char *text);
/* "VERB number". */
PR_CHECKED pr_status pop3_send_number(struct pop3 *pop3, const char *verb,
                                      uint32_t number, const char *rest);

/* Reads the first line of the next answer; ret->text is lent until the next
 * call. PR_OK whatever it says. */
PR_CHECKED pr_status pop3_await(struct pop3 *pop3, struct pop3_reply *ret);
/* send, await. */
PR_CHECKED pr_status pop3_ask(struct pop3 *pop3, const char *text,
                              struct pop3_reply *ret);

/* Reads the lines that follow a +OK: begin, then line until *ret_is_end. A line
 * is lent until the next call. */
void pop3_lines_begin(struct pop3 *pop3);
PR_CHECKED pr_status pop3_line(struct pop3 *pop3, struct pr_bytes *ret,
                               bool *ret_is_end);

/* Reads the text of a message that follows a +OK: begin, then text until
 * *ret_is_end. What comes is lent until the next call, and may be empty. */
void pop3_text_begin(struct pop3 *pop3);
PR_CHECKED pr_status pop3_text(struct pop3 *pop3, struct pr_bytes *ret,
                               bool *ret_is_end);

/* PR_OK for +OK. Else the failure in words: by the response code, else
 * `on_error`. */
pr_status pop3_verdict(const struct pop3_reply *reply, const char *command,
                       pr_status on_error);

/* Marks the session broken by the last failure, which was `status`; returns
 * it. */
pr_status pop3_break(struct pop3 *pop3, pr_status status);
/* The failure that broke the session, or PR_OK. */
PR_CHECKED pr_status pop3_check(const struct pop3 *pop3);

/* ---- session.c, auth.c -------------------------------------------------- */

bool pop3_can(const struct pop3 *pop3, enum pop3_capability what);
PR_CHECKED pr_status pop3_authenticate(struct pop3 *pop3);
/* How many commands may be in flight. */
size_t pop3_window(const struct pop3 *pop3);
/* Frees what is known of the maildrop. */
void pop3_unselect(struct pop3 *pop3);
/* Would QUIT delete a message for which there was no DELE? (RFC 2449, 6.7) */
bool pop3_quit_loses(const struct pop3 *pop3);
/* RETR of `number` was answered, or DELE was. */
void pop3_note_fetched(struct pop3 *pop3, uint32_t number, bool is_fetched);

/* ---- the operations (plugin.h: struct pr_source_ops) -------------------- */

pr_status pop3_op_open(struct pr_source *source);
pr_status pop3_op_select(struct pr_source *source, const char *name,
                         struct pr_mailbox *ret);
pr_status pop3_op_list(struct pr_source *source, const struct pr_range *ranges,
                       size_t count, pr_item_listed *listed, void *user);
pr_status pop3_op_fetch(struct pr_source *source, struct pr_feed *feed);
pr_status pop3_op_settle(struct pr_source *source, struct pr_deed *deeds,
                         size_t count);
pr_status pop3_op_keep(struct pr_source *source);
void pop3_op_close(struct pr_source *source);

#endif
