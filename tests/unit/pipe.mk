# Unit tests of pipe.
check_PROGRAMS += tests/unit/pipe
TESTS += tests/unit/pipe
tests_unit_pipe_SOURCES = %D%/pipe.c
tests_unit_pipe_CFLAGS = $(unit_cflags) -I$(srcdir)/plugins
tests_unit_pipe_LDADD = libpipe.la $(unit_ldadd)
