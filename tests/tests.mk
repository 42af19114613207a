# Unit tests run by `make check`; tests/run runs everything else too. Each
# folder of the core has its fragment, so that each test names its own files.
unit_cflags = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
unit_ldadd = libcore.la $(CMOCKA_LIBS)
AM_TESTS_ENVIRONMENT = abs_srcdir='$(abs_srcdir)'; export abs_srcdir;

if HAVE_CMOCKA
include tests/unit/base.mk
include tests/unit/fiber.mk
include tests/unit/io.mk
include tests/unit/mail.mk
include tests/unit/state.mk
include tests/unit/lua.mk
include tests/unit/engine.mk
include tests/unit/control.mk
include tests/unit/maildir.mk
include tests/unit/pipe.mk
include tests/unit/mbox.mk
include tests/unit/imap.mk
include tests/unit/pop3.mk
include tests/unit/smtp.mk
include tests/wire/wire.mk
include tests/example/example.mk
endif
include tests/fuzz/fuzz.mk

EXTRA_DIST += %D%/lib/sinks.py %D%/lib/smtpd.py %D%/e2e/test_lmtp.py \
	%D%/e2e/test_smtp.py

EXTRA_DIST += %D%/run %D%/lib/packages %D%/lib/unpacked %D%/lib/build
EXTRA_DIST += %D%/lib/server.py %D%/lib/dovecot.py %D%/lib/exim.py \
	%D%/lib/otherpop.py %D%/lib/postfix.py %D%/lib/recorder.py \
	%D%/lib/messages.py %D%/lib/oddmail.py %D%/lib/valgrind.supp
EXTRA_DIST += %D%/lib/proxy.py %D%/lib/maildir.py
check_PROGRAMS += tests/lib/delay_proxy tests/lib/measure tests/lib/each
tests_lib_measure_SOURCES = %D%/lib/measure.c
tests_lib_each_SOURCES = %D%/lib/each.c
check_PROGRAMS += tests/lib/watcher
tests_lib_watcher_SOURCES = %D%/lib/watcher.c
tests_lib_watcher_LDADD = libimap.la libcore.la
tests_lib_delay_proxy_SOURCES = %D%/lib/delay_proxy.c
tests_lib_delay_proxy_CFLAGS = $(AM_CFLAGS)
EXTRA_DIST += %D%/bench/run %D%/bench/bench.py %D%/bench/contenders.py \
	%D%/bench/limits.py %D%/bench/measured_mail.py %D%/bench/accounts.py \
	%D%/bench/turns.py
EXTRA_DIST += %D%/bench/filters.py %D%/bench/filter/rules.lua \
	%D%/bench/filter/procmailrc %D%/bench/filter/mailfilter \
	%D%/bench/filter/fdm.conf %D%/bench/filter/filter.sieve
EXTRA_DIST += %D%/e2e/test_watch.py %D%/e2e/test_sweep.py %D%/e2e/test_odd.py %D%/e2e/test_sandbox.py %D%/e2e/test_names.py
EXTRA_DIST += %D%/crash/sweep.py %D%/crash/sweep_sinks.py
EXTRA_DIST += %D%/crash/sweep_sources.py
EXTRA_DIST += %D%/lib/postrider.py %D%/e2e/conftest.py \
	%D%/e2e/test_after.py %D%/e2e/test_changes.py %D%/e2e/test_cli.py \
	%D%/e2e/test_docs.py \
	%D%/e2e/test_errors.py %D%/e2e/test_fetch.py \
	%D%/e2e/test_folders.py %D%/e2e/test_limits.py \
	%D%/e2e/test_hostile.py %D%/e2e/test_rules.py %D%/e2e/test_keeping.py %D%/e2e/test_servers.py
EXTRA_DIST += %D%/e2e/test_several_sinks.py %D%/e2e/test_append.py \
	%D%/e2e/test_check.py %D%/e2e/test_deliver.py %D%/e2e/test_large.py \
	%D%/e2e/test_lua_sinks.py %D%/e2e/test_pipe.py %D%/e2e/test_pop3.py
EXTRA_DIST += %D%/lib/oldpop.py %D%/e2e/test_last.py
EXTRA_DIST += %D%/lib/mboxes.py %D%/e2e/test_mbox.py \
	%D%/e2e/test_local_sources.py
EXTRA_DIST += %D%/e2e/test_control.py %D%/e2e/test_stop.py \
	%D%/e2e/test_socket.py
EXTRA_DIST += %D%/lib/relay.py %D%/lib/inotify.py %D%/lib/watching.py \
	%D%/lib/fake_clock.c %D%/lib/fake_names.c \
	%D%/e2e/test_outages.py %D%/e2e/test_scale.py \
	%D%/lib/cyrus.py %D%/lib/courier.py %D%/e2e/test_other_imap.py \
	%D%/e2e/test_hooks_daemon.py
EXTRA_DIST += %D%/e2e/test_library.py %D%/library/attachments.lua \
	%D%/library/bulk.lua %D%/library/duplicates.lua \
	%D%/library/lists.lua %D%/library/vacation.lua
