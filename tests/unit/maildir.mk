# Unit tests of maildir.
check_PROGRAMS += tests/unit/maildir
TESTS += tests/unit/maildir
tests_unit_maildir_SOURCES = %D%/maildir.c
tests_unit_maildir_CFLAGS = $(unit_cflags)
tests_unit_maildir_LDADD = libmaildir.la $(unit_ldadd)
