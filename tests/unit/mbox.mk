# Unit tests of mbox.
mbox_tests = tests/unit/mbox_lines tests/unit/mbox_sink tests/unit/mbox_crash \
	tests/unit/mbox_source
check_PROGRAMS += $(mbox_tests)
TESTS += $(mbox_tests)
mbox_fixture = %D%/mbox_fixture.c %D%/mbox_fixture.h
tests_unit_mbox_lines_SOURCES = %D%/mbox_lines.c
tests_unit_mbox_lines_CFLAGS = $(unit_cflags)
tests_unit_mbox_lines_LDADD = libmbox.la $(unit_ldadd)
tests_unit_mbox_sink_SOURCES = %D%/mbox_sink.c $(mbox_fixture)
tests_unit_mbox_sink_CFLAGS = $(unit_cflags)
tests_unit_mbox_sink_LDADD = libmbox.la $(unit_ldadd)
tests_unit_mbox_crash_SOURCES = %D%/mbox_crash.c $(mbox_fixture)
tests_unit_mbox_crash_CFLAGS = $(unit_cflags)
tests_unit_mbox_crash_LDADD = libmbox.la $(unit_ldadd)
tests_unit_mbox_source_SOURCES = %D%/mbox_source.c $(mbox_fixture) \
	%D%/local_feed.c %D%/local_feed.h
tests_unit_mbox_source_CFLAGS = $(unit_cflags)
tests_unit_mbox_source_LDADD = libmbox.la $(unit_ldadd)
