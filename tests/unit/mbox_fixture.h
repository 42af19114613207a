/*
 * A mbox sink in a folder of its own, for the tests of it.
 */
#ifndef TESTS_UNIT_MBOX_FIXTURE_H
#define TESTS_UNIT_MBOX_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <postrider/plugin.h>

#include "../../plugins/mbox/mbox.h"

#define OK(call) assert_int_equal((call), PR_OK)
#define RECEIVED 1700000000
#define FROM "From MAILER-DAEMON Tue Nov 14 22:13:20 2023\n"
#define HELLO FROM "Subject: hello\n\nworld\n\n"

extern char base[64];
extern char root[128]; /* base/mail: nothing is there at first */
extern struct mbox_options options;
extern struct pr_sink sink;
extern const struct pr_sink_ops *ops;

int set_up(void **unused);
int tear_down(void **unused);
void open_sink(void);
void reopen_sink(void);

struct pr_spool *spool_of(const char *text, size_t repeat);
struct pr_delivery delivery_of(const struct pr_spool *spool, const char *folder,
                               const char *key);
pr_status commit_one(struct pr_delivery *delivery);
/* "hello" as `key`, to the folder. */
pr_status deliver(const char *folder, const char *key);
/* A text as it is, with CRLF or LF. */
pr_status deliver_text(const char *folder, const char *key, const char *text);
pr_status recover(const char *key, const char *folder);

/* The path of a file below base. */
const char *below(const char *name);
/* Its octets, to be lent until the next call. */
const char *content(const char *name);
void write_file(const char *name, const char *text);
void append_file(const char *name, const char *text);
bool exists(const char *name);
/* Files in a directory below base but those given, ended by NULL. */
int others_in(const char *directory, const char *const *known);

#endif
