# Unit tests of maildir.
check_PROGRAMS += tests/unit/maildir
TESTS += tests/unit/maildir
tests_unit_maildir_SOURCES = %D%/maildir.c
tests_unit_maildir_CFLAGS = $(unit_cflags)
tests_unit_maildir_LDADD = libmaildir.la $(unit_ldadd)

# And of its source.
check_PROGRAMS += tests/unit/maildir_source
TESTS += tests/unit/maildir_source
tests_unit_maildir_source_SOURCES = %D%/maildir_source.c %D%/local_feed.c \
	%D%/local_feed.h
tests_unit_maildir_source_CFLAGS = $(unit_cflags)
tests_unit_maildir_source_LDADD = libmaildir.la $(unit_ldadd)
