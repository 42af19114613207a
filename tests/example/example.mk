# The plugin of docs/writing-a-plugin.md: built as a module, and into its test.
check_LTLIBRARIES += tests/example/libjournal.la tests/example/journal.la
tests_example_libjournal_la_SOURCES = %D%/journal.c
tests_example_libjournal_la_CPPFLAGS = -I$(srcdir)/core/api -D_GNU_SOURCE
tests_example_journal_la_SOURCES =
tests_example_journal_la_LIBADD = tests/example/libjournal.la libpostrider.la
tests_example_journal_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version \
	-rpath /nowhere -Wl,-z,defs

check_PROGRAMS += tests/example/journal_test
TESTS += tests/example/journal_test tests/example/listed.test
tests_example_journal_test_SOURCES = %D%/journal_test.c
tests_example_journal_test_CFLAGS = $(unit_cflags)
tests_example_journal_test_LDADD = tests/example/libjournal.la $(unit_ldadd)
EXTRA_DIST += %D%/listed.test
