/*
 * Transcripts of IMAP sessions: what is run, what must come of it, and what
 * goes over the line meanwhile.
 *
 *     # a comment
 *     option window=2            an option of imap {...}
 *     message a Subject: x\n\ny  a message to deliver, as a C string
 *     message b 5000 x           an octet, so many times
 *     only whole                 what comes of it depends on the cuts
 *     > select INBOX             an operation (see operations.c)
 *     = select ok                a line that it must report
 *     ~ words                    what the failure just reported must say
 *     --
 *     S: * OK ready              the server sends this line and CRLF
 *     C: A1 LOGOUT               the client must write this line and CRLF
 *     S^ \x00\n                  octets as in a C string, no CRLF
 *     S# 70000 x                 an octet, so many times
 *     C^ ...
 *     W                          all above is read before more is written
 *     P                          the server is silent until the client's time
 *                                is up, then goes on
 *     D 100                      the server is silent for so many seconds,
 *                                which are not waited for; the client's time
 *                                may be up before
 *     T                          TLS is started here
 *     N                          what follows is the next connection
 *     S!                         the server closes the line
 *     S~                         the server says nothing more
 *     --                         what follows is of the next connection
 */
#ifndef WIRE_TRANSCRIPT_H
#define WIRE_TRANSCRIPT_H

#include "lib/scripted.h"

#define TRANSCRIPT_LINES 400
#define TRANSCRIPT_CONNECTIONS 8

struct transcript_message {
    const char *name;
    struct pr_bytes octets; /* as on the wire */
};

struct transcript_connection {
    size_t first, count; /* of the steps */
};

struct transcript {
    char *text; /* of the file; lines are cut in place */
    const char *options[32];
    const char *doings[TRANSCRIPT_LINES]; /* lines with > = or ~ */
    struct transcript_message messages[16];
    struct script_step steps[TRANSCRIPT_LINES];
    struct transcript_connection connections[TRANSCRIPT_CONNECTIONS];
    size_t option_count, doing_count, message_count, step_count,
        connection_count;
    bool only_whole;
    struct pr_arena *arena;
};

/* Reads a transcript; ends the test with words if it is not one. */
void transcript_read(const char *path, struct transcript *ret);
void transcript_done(struct transcript *transcript);

/* Runs the doings of `transcript` against its steps, cut in one way. Must be
 * called in a fiber. NULL, or what went wrong. */
const char *transcript_run(const struct transcript *transcript,
                           enum script_cut cut, uint32_t seed);

/* Runs it again and again, each time with one more allocation that works before
 * one fails, until none is left to fail. What it reports then does not matter,
 * but each request taken must be ended once, and nothing may be lost (which the
 * sanitizer sees). NULL, or what went wrong. */
const char *transcript_sweep(const struct transcript *transcript);

#endif
