/*
 * A transport that plays the server's part from a script: for tests of
 * protocols, without a network.
 *
 *     static const struct script_step steps[] = {
 *         SCRIPT_S("* OK ready\r\n"),
 *         SCRIPT_C("a1 LOGOUT\r\n"),
 *         SCRIPT_S("* BYE\r\na1 OK\r\n"),
 *         SCRIPT_EOF,
 *     };
 *     struct script script = {.steps = steps, .count = 4, .cut =
 * SCRIPT_RANDOM}; scripted_install(&script, 1);
 *     ... pr_stream_connect() and the protocol's own code ...
 *     assert_string_equal(script_verdict(&script), "");
 *
 * The server's octets of a step come once all that the client was to write
 * before it has been written. A client may write ahead of what it has read
 * (pipelining), but not across SCRIPT_TLS or SCRIPT_WAIT. Time is not waited
 * for: a read that would wait for ever answers PR_TIMEOUT at once.
 */
#ifndef TESTS_SCRIPTED_H
#define TESTS_SCRIPTED_H

#include "io/stream.h"

enum script_kind {
    SCRIPT_KIND_SERVER, /* octets to the client */
    SCRIPT_KIND_CLIENT, /* octets the client must write */
    SCRIPT_KIND_TLS,    /* the client must start TLS here */
    SCRIPT_KIND_WAIT,   /* all of the above is read before more is written */
    SCRIPT_KIND_EOF,    /* the server closes */
    SCRIPT_KIND_STALL,  /* the server says nothing more: PR_TIMEOUT */
    SCRIPT_KIND_PAUSE,  /* it says nothing until the client's patience is at an
                           end: PR_TIMEOUT once */
    SCRIPT_KIND_SLOW,   /* it says nothing for `size` seconds: PR_TIMEOUT once
                           if the client's patience is at an end before */
    SCRIPT_KIND_NEXT    /* of transcripts: between two connections' steps */
};

struct script_step {
    enum script_kind kind;
    const char *data;
    size_t size;
};

#define SCRIPT_S(literal)                                \
    {                                                    \
        SCRIPT_KIND_SERVER, literal, sizeof(literal) - 1 \
    }
#define SCRIPT_C(literal)                                \
    {                                                    \
        SCRIPT_KIND_CLIENT, literal, sizeof(literal) - 1 \
    }
#define SCRIPT_TLS               \
    {                            \
        SCRIPT_KIND_TLS, NULL, 0 \
    }
#define SCRIPT_WAIT               \
    {                             \
        SCRIPT_KIND_WAIT, NULL, 0 \
    }
#define SCRIPT_EOF               \
    {                            \
        SCRIPT_KIND_EOF, NULL, 0 \
    }
#define SCRIPT_PAUSE               \
    {                              \
        SCRIPT_KIND_PAUSE, NULL, 0 \
    }
#define SCRIPT_SLOW(seconds)            \
    {                                   \
        SCRIPT_KIND_SLOW, NULL, seconds \
    }
#define SCRIPT_STALL               \
    {                              \
        SCRIPT_KIND_STALL, NULL, 0 \
    }

/* How the server's octets are cut into reads. */
enum script_cut {
    SCRIPT_WHOLE,  /* as much as there is */
    SCRIPT_OCTETS, /* one at a time */
    SCRIPT_RANDOM, /* 1 to 64 at a time, by `seed` */
    SCRIPT_BY_STEP /* as much as there is, but no further than a step */
};

struct script {
    const struct script_step *steps;
    size_t count;
    enum script_cut cut;
    uint32_t seed;
    /* the test's to look at */
    bool is_secure;  /* TLS was started */
    bool is_closed;  /* the client closed */
    char words[640]; /* what went wrong first, "" if nothing did */
    /* its own: where the server is and where the client is */
    size_t server_step, server_offset;
    size_t client_step, client_offset;
};

/* A transport that plays `script`, which is lent and must outlive it. NULL: out
 * of memory. */
struct transport *scripted_new(struct script *script);

/* Lets pr_stream_connect open these in turn, one for each connection, TLS
 * included: with PR_TLS_IMPLICIT the first step must be SCRIPT_TLS. One
 * connection more fails as a refused one. NULL, 0: back to the network. */
void scripted_install(struct script *scripts, size_t count);

/* "" if the client wrote all that it was to write and nothing else, else what
 * differed, in words. */
const char *script_verdict(const struct script *script);

#endif
