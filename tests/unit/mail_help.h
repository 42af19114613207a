/*
 * Spools and views for the tests of mail.
 */
#ifndef UNIT_MAIL_HELP_H
#define UNIT_MAIL_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/text.h"
#include "mail/spool.h"
#include "mail/view.h"

static inline struct pr_spool *spool_of_bytes(const void *data, size_t size)
{
    struct pr_spool *spool = NULL;
    assert_int_equal(spool_new("/tmp", 0, &spool), PR_OK);
    assert_int_equal(pr_spool_append(spool, data, size), PR_OK);
    assert_int_equal(pr_spool_seal(spool), PR_OK);
    return spool;
}

static inline struct pr_spool *spool_of(const char *text)
{
    return spool_of_bytes(text, strlen(text));
}

/* tests/data/odd/NAME.eml */
static inline struct pr_spool *spool_of_odd(const char *name)
{
    static char octets[100000];
    char path[1000];
    const char *source = getenv("abs_srcdir");
    snprintf(path, sizeof path, "%s/tests/data/odd/%s.eml",
             source != NULL ? source : ".", name);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("cannot open %s", path);
    size_t size = fread(octets, 1, sizeof octets, file);
    fclose(file);
    return spool_of_bytes(octets, size);
}

/* The whole of a sealed spool, NUL-terminated. Free it. */
static inline char *spool_text(const struct pr_spool *spool)
{
    size_t size = (size_t)pr_spool_size(spool), got = 0;
    char *text = malloc(size + 1);
    assert_non_null(text);
    assert_int_equal(pr_spool_read(spool, 0, text, size, &got), PR_OK);
    assert_int_equal(got, size);
    text[size] = '\0';
    return text;
}

/* `unit` again and again, after `head`, `size` octets of it at least. */
static inline char *repeated(const char *head, const char *unit, size_t size)
{
    size_t one = strlen(unit), at = strlen(head);
    char *text = malloc(at + size + one + 1);
    assert_non_null(text);
    memcpy(text, head, at + 1);
    for (size_t end = at + size; at < end; at += one)
        memcpy(text + at, unit, one);
    text[at] = '\0';
    return text;
}

/* A view and the spool that it looks at. */
struct looked_at {
    struct pr_spool *spool;
    struct view *view;
};

static inline struct looked_at look_at(struct pr_spool *spool)
{
    struct looked_at mail = {.spool = spool};
    assert_int_equal(view_new(spool, &mail.view), PR_OK);
    return mail;
}

static inline void look_away(struct looked_at *mail)
{
    view_free(mail->view);
    spool_free(mail->spool);
}

static inline void assert_utf8(const char *text)
{
    assert_non_null(text);
    assert_true(text_is_utf8(pr_bytes_of(text)));
}

static inline double seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

#endif
