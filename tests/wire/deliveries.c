/*
 * The operations of a sink, for transcripts.
 *
 *     > open                               = open ok
 *     > stage a folder=x flags=\Seen,$w received=7     = stage ok
 *       ("message a ..." is the message; "a2" is the same once more)
 *     > commit a b                         = a ok  = b refused  = commit ok
 *     > abort a                            = aborted
 *     > recover a                          = recover gone
 *     > check                              = check ok
 *     > crash                              = crashed: the sink is opened anew,
 *                                            and knows nothing of before
 *     > close                              = closed
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mail/spool.h"
#include "protocol.h"
#include "replay.h"

#define PARCELS 64

struct letter {
    char name[32];
    struct pr_delivery delivery;
    struct pr_spool *spool;
    bool is_staged;
};

static struct pr_sink sink;
static bool is_open;
static struct letter letters[PARCELS];
static size_t letter_count;

bool side_option(const char *option)
{
    (void)option;
    return false;
}

void side_begin(struct replay *replay)
{
    static const struct pr_log log = {NULL, "wire"};

    sink = (struct pr_sink){
        .options = replay->net, .log = &log, .name = "the sink"};
    is_open = false;
    letter_count = 0;
}

static pr_status open_sink(void)
{
    pr_status status = wire_protocol.sink->open(&sink);

    is_open = status == PR_OK;
    return status;
}

static void close_sink(void)
{
    if (is_open)
        wire_protocol.sink->close(&sink);
    is_open = false;
}

/* ---- Letters ------------------------------------------------------------- */

static struct letter *find(const char *name)
{
    for (size_t i = 0; i < letter_count; i++)
        if (strcmp(letters[i].name, name) == 0)
            return &letters[i];
    return NULL;
}

/* "a" and "a2" are message a. */
static const struct transcript_message *
message_of(const struct transcript *transcript, const char *name)
{
    size_t size = strcspn(name, "0123456789");

    for (size_t i = 0; i < transcript->message_count; i++)
        if (strlen(transcript->messages[i].name) == size &&
            strncmp(transcript->messages[i].name, name, size) == 0)
            return &transcript->messages[i];
    abort();
}

static pr_status fill_spool(const struct transcript_message *message,
                            struct pr_spool **ret)
{
    pr_status status = spool_new("/tmp", 0, ret);

    if (status == PR_OK)
        status =
            pr_spool_append(*ret, message->octets.data, message->octets.size);
    return status != PR_OK ? status : pr_spool_seal(*ret);
}

static void set_attribute(struct letter *letter, const char *word)
{
    static const char *const names[] = {"\\Seen", "\\Answered", "\\Flagged",
                                        "\\Deleted", "\\Draft"};
    struct pr_delivery *delivery = &letter->delivery;
    const char *value;

    if (replay_value(word, "folder", &value))
        delivery->folder = value;
    else if (replay_value(word, "received", &value))
        delivery->received = strtoll(value, NULL, 10);
    else if (replay_value(word, "keywords", &value))
        delivery->flags.keywords = value;
    else
        for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
            if (strcmp(word, names[i]) == 0)
                delivery->flags.system |= 1u << i;
}

static void run_stage(struct replay *replay, const char *const *words)
{
    struct letter *letter = find(words[0]);

    if (letter == NULL)
        letter = &letters[letter_count++];
    spool_free(letter->spool);
    *letter =
        (struct letter){.delivery = {.folder = "",
                                     .source_folder = "INBOX",
                                     .account = "test",
                                     .sink = "the sink",
                                     .key = letter->name,
                                     .uid = (uint32_t)(letter - letters) + 1}};
    snprintf(letter->name, sizeof(letter->name), "%s", words[0]);
    for (words++; *words != NULL; words++)
        set_attribute(letter, *words);
    pr_status status = fill_spool(message_of(replay->transcript, letter->name),
                                  &letter->spool);
    letter->delivery.spool = letter->spool;
    if (status == PR_OK)
        status = wire_protocol.sink->stage(&sink, &letter->delivery);
    letter->is_staged = status == PR_OK;
    replay_status(replay, "stage", status);
}

/* ---- The others ---------------------------------------------------------- */

static void report_result(struct replay *replay, struct letter *letter,
                          pr_status status)
{
    struct pr_delivery *delivery = &letter->delivery;

    letter->is_staged = false;
    if (status != PR_OK)
        return;
    if ((int)delivery->result < 0)
        snprintf(replay->broken_promise, sizeof(replay->broken_promise),
                 "%s has no result", letter->name);
    (void)pr_fail(delivery->result, "%s", delivery->failure);
    replay_status(replay, letter->name, delivery->result);
}

static void run_commit(struct replay *replay, const char *const *words)
{
    struct pr_delivery *batch[REPLAY_WORDS] = {NULL};
    struct letter *in[REPLAY_WORDS];
    size_t count = 0;

    for (; *words != NULL; words++) {
        struct letter *letter = find(*words);
        if (letter == NULL || !letter->is_staged)
            continue;
        in[count] = letter;
        batch[count++] = &letter->delivery;
        letter->delivery.result = (pr_status)-1;
    }
    pr_status status = wire_protocol.sink->commit(&sink, batch, count);
    const struct pr_failure failure = *pr_last_failure();
    for (size_t i = 0; i < count; i++)
        report_result(replay, in[i], status);
    if (status != PR_OK)
        (void)pr_fail(status, "%s", failure.text);
    replay_status(replay, "commit", status);
}

static void abort_letter(struct letter *letter)
{
    if (letter->is_staged && is_open)
        wire_protocol.sink->abort(&sink, &letter->delivery);
    letter->is_staged = false;
}

static void run_recover(struct replay *replay, const char *name)
{
    const struct letter *letter = find(name);

    if (letter != NULL)
        replay_status(replay, "recover",
                      wire_protocol.sink->recover(&sink, letter->name,
                                                  letter->delivery.receipt));
}

/* What is on its way is forgotten, and no word of farewell is said. */
static void crash(struct replay *replay)
{
    for (size_t i = 0; i < letter_count; i++)
        abort_letter(&letters[i]);
    close_sink();
    replay_report(replay, "crashed");
    if (open_sink() != PR_OK)
        replay_report(replay, "no memory");
}

/* ---- All of it ----------------------------------------------------------- */

bool side_run(struct replay *replay, const char *const *words)
{
    const char *name = words[0];

    if (strcmp(name, "open") == 0) {
        replay_status(replay, name, open_sink());
    } else if (strcmp(name, "check") == 0) {
        replay_status(replay, name, wire_protocol.sink->check(&sink));
    } else if (strcmp(name, "stage") == 0) {
        run_stage(replay, words + 1);
    } else if (strcmp(name, "commit") == 0) {
        run_commit(replay, words + 1);
    } else if (strcmp(name, "recover") == 0) {
        run_recover(replay, words[1]);
    } else if (strcmp(name, "abort") == 0) {
        abort_letter(find(words[1]));
        replay_report(replay, "aborted");
    } else if (strcmp(name, "crash") == 0) {
        crash(replay);
    } else if (strcmp(name, "close") == 0) {
        close_sink();
        replay_report(replay, "closed");
    } else {
        return false;
    }
    return true;
}

void side_end(void)
{
    for (size_t i = 0; i < letter_count; i++) {
        abort_letter(&letters[i]);
        spool_free(letters[i].spool);
        letters[i].spool = NULL;
    }
    close_sink();
}
