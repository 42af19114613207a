/*
 * Secrets from where they live, base64 and SASL PLAIN.
 */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <postrider/login.h>

#include "auth/secret.h"
#include "base/memory.h"
#include "fiber/loop.h"

#define SH(script) ((const char *const[]){"/bin/sh", "-c", script, NULL})

static struct pr_buffer got;

static void run(pr_fiber_fn *body)
{
    assert_int_equal(loop_run(2, body, NULL), PR_OK);
}

static void assert_secret(struct pr_secret secret, const char *text)
{
    assert_int_equal(pr_secret_read(&secret, &got), PR_OK);
    assert_string_equal(pr_buffer_text(&got), text);
    pr_secret_wipe(&got);
    assert_null(got.data);
}

static void assert_refused(struct pr_secret secret, pr_status status,
                           const char *words)
{
    assert_int_equal(pr_secret_read(&secret, &got), status);
    assert_null(got.data);
    if (strstr(pr_last_failure()->text, words) == NULL)
        fail_msg("\"%s\" lacks \"%s\"", pr_last_failure()->text, words);
}

static pr_status from_text(void *unused)
{
    (void)unused;
    assert_secret((struct pr_secret){.text = "s3cret "}, "s3cret ");
    assert_refused((struct pr_secret){.text = ""}, PR_CONFIG, "is empty");
    assert_refused((struct pr_secret){.text = "a\r\nb"}, PR_CONFIG,
                   "has a NUL, CR or LF in it");
    setenv("PR_TEST_SECRET", "from env", 1);
    struct pr_secret variable = {SECRET_ENV, "PR_TEST_SECRET", NULL, 0};
    assert_secret(variable, "from env");
    setenv("PR_TEST_SECRET", "a\nb", 1);
    assert_refused(variable, PR_CONFIG, "PR_TEST_SECRET has a NUL, CR or LF");
    unsetenv("PR_TEST_SECRET");
    assert_refused(variable, PR_CONFIG,
                   "the environment variable PR_TEST_SECRET is not set");
    return PR_OK;
}

static void a_secret_comes_from_text_or_the_environment(void **state)
{
    (void)state;
    run(from_text);
}

static struct pr_secret shell(const char *const *argv)
{
    return (struct pr_secret){.kind = SECRET_EXEC, .argv = argv};
}

static pr_status from_program(void *unused)
{
    (void)unused;
    assert_secret(shell(SH("echo s3cret; echo note")), "s3cret");
    assert_secret(shell(SH("printf 's3cret\\r\\nnote'")), "s3cret");
    assert_secret(shell(SH("printf s3cret")), "s3cret");
    assert_refused(shell(SH("echo; echo s3cret")), PR_CONFIG,
                   "the secret from /bin/sh is empty");
    assert_refused(shell(SH("printf 's3\\0cret'")), PR_CONFIG, "has a NUL");
    assert_refused(shell(SH("printf 's3\\rcret\\n'")), PR_CONFIG, "has a NUL");
    assert_refused(shell(SH("echo s3cret; echo noise >&2; "
                            "echo 'gpg: no key' >&2; exit 2")),
                   PR_IO, "/bin/sh ended with status 2: gpg: no key");
    assert_refused(shell(SH("exit 1")), PR_IO, "/bin/sh ended with status 1");
    assert_refused(shell(SH("yes")), PR_LIMIT, "/bin/sh");
    assert_refused(shell((const char *const[]){"/nonexistent/pass", NULL}),
                   PR_IO, "cannot start /nonexistent/pass");
    struct pr_secret slow = shell(SH("sleep 100"));
    slow.timeout = 100;
    assert_refused(slow, PR_TIMEOUT, "/bin/sh did not end in time");
    return PR_OK;
}

static void a_secret_is_the_first_line_of_a_program(void **state)
{
    (void)state;
    run(from_program);
}

static pr_status from_file(void *unused)
{
    char path[] = "/tmp/postrider-secret-XXXXXX", words[128];
    struct pr_secret secret = {SECRET_FILE, path, NULL, 0};
    int fd = mkostemp(path, O_CLOEXEC);

    (void)unused;
    assert_int_equal(write(fd, "s3cret\nsecond line\n", 19), 19);
    assert_secret(secret, "s3cret");
    fchmod(fd, 0640);
    snprintf(words, sizeof(words), "run: chmod 600 %s", path);
    assert_refused(secret, PR_CONFIG, words);
    fchmod(fd, 0600);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_refused(secret, PR_CONFIG, "is empty");
    close(fd);
    unlink(path);
    assert_refused(secret, PR_IO, "cannot open /tmp/postrider-secret-");
    return PR_OK;
}

static void a_secret_file_must_be_ours_alone(void **state)
{
    (void)state;
    run(from_file);
}

static pr_status sweep(void *unused)
{
    struct pr_secret secret = shell(SH("echo s3cret"));

    (void)unused;
    for (unsigned long n = 1;; n++) {
        memory_fail_at(n);
        pr_status status = pr_secret_read(&secret, &got);
        bool over = memory_fail_pending();
        memory_fail_at(0);
        if (over) {
            assert_int_equal(status, PR_OK);
            pr_secret_wipe(&got);
            return PR_OK;
        }
        assert_int_equal(status, PR_NOMEM);
        assert_null(got.data);
    }
}

static void reading_survives_every_lack_of_memory(void **state)
{
    (void)state;
    run(sweep);
}

struct pair {
    const char *plain, *base64;
};

static void base64_goes_both_ways(void **state)
{
    static const struct pair pairs[] = {{"", ""},
                                        {"f", "Zg=="},
                                        {"fo", "Zm8="},
                                        {"foo", "Zm9v"},
                                        {"foob", "Zm9vYg=="},
                                        {"fooba", "Zm9vYmE="},
                                        {"\xfb\xff", "+/8="}};

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
        pr_buffer_init(&got, 100);
        assert_int_equal(pr_base64_encode(pr_bytes_of(pairs[i].plain), &got),
                         PR_OK);
        assert_string_equal(pr_buffer_text(&got), pairs[i].base64);
        pr_buffer_clear(&got);
        assert_int_equal(pr_base64_decode(pr_bytes_of(pairs[i].base64), &got),
                         PR_OK);
        assert_string_equal(pr_buffer_text(&got), pairs[i].plain);
        pr_buffer_done(&got);
    }
}

static void malformed_base64_is_refused(void **state)
{
    static const char *const wrong[] = {"Z",    "Zg",   "Zg=",      "Zg==\n",
                                        "Z===", "=Zg=", "Zg==Zg==", "Zm9\n",
                                        " Zm9", "Zm9-", "====",     "Zm9v "};

    (void)state;
    pr_buffer_init(&got, 100);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_int_equal(pr_base64_decode(pr_bytes_of(wrong[i]), &got),
                         PR_PROTOCOL);
    assert_int_equal(got.size, 0);
    pr_buffer_done(&got);
}

static const struct pr_login tim = {.user = {"tim", 3},
                                    .password = {"tanstaaf", 8}};

static void plain_is_user_and_password(void **state)
{
    (void)state;
    struct pr_login who = tim;
    who.password = PR_BYTES("tanstaaftanstaaf");
    pr_buffer_init(&got, 1000);
    assert_int_equal(pr_login_plain(&who, &got), PR_OK);
    /* RFC 4616, 4, without the authorization identity */
    assert_string_equal(pr_buffer_text(&got), "AHRpbQB0YW5zdGFhZnRhbnN0YWFm");
    pr_secret_wipe(&got);
    pr_buffer_init(&got, 10);
    assert_int_equal(pr_login_plain(&who, &got), PR_LIMIT);
    pr_secret_wipe(&got);
}

static void apop_is_as_in_its_rfc(void **state)
{
    char digest[PR_APOP_SIZE];

    (void)state;
    assert_int_equal(
        pr_login_apop(&tim, PR_BYTES("<1896.697170952@dbc.mtview.ca.us>"),
                      digest),
        PR_OK);
    /* RFC 1939, 7, for the password "tanstaaf" */
    assert_string_equal(digest, "c4c9334bac560ecc979e58001b3e22fb");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_comes_from_text_or_the_environment),
        cmocka_unit_test(a_secret_is_the_first_line_of_a_program),
        cmocka_unit_test(a_secret_file_must_be_ours_alone),
        cmocka_unit_test(reading_survives_every_lack_of_memory),
        cmocka_unit_test(base64_goes_both_ways),
        cmocka_unit_test(malformed_base64_is_refused),
        cmocka_unit_test(plain_is_user_and_password),
        cmocka_unit_test(apop_is_as_in_its_rfc),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
