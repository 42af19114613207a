# Unit tests of mail.
check_PROGRAMS += tests/unit/spool
TESTS += tests/unit/spool
tests_unit_spool_SOURCES = %D%/spool.c
tests_unit_spool_CFLAGS = $(unit_cflags)
tests_unit_spool_LDADD = $(unit_ldadd)
