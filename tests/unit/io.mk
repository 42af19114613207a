# Unit tests of io and auth, and what tests of protocols stand on.
check_LTLIBRARIES += tests/lib/libtesting.la
tests_lib_libtesting_la_SOURCES = tests/lib/peer.c tests/lib/peer.h \
	tests/lib/scripted.c tests/lib/scripted.h
tests_lib_libtesting_la_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/tests

io_cflags = $(unit_cflags) -I$(srcdir)/tests
io_ldadd = tests/lib/libtesting.la $(unit_ldadd)

check_PROGRAMS += tests/unit/stream
TESTS += tests/unit/stream
tests_unit_stream_SOURCES = %D%/stream.c
tests_unit_stream_CFLAGS = $(io_cflags)
tests_unit_stream_LDADD = $(io_ldadd)

check_PROGRAMS += tests/unit/tls
TESTS += tests/unit/tls
tests_unit_tls_SOURCES = %D%/tls.c
tests_unit_tls_CFLAGS = $(io_cflags)
tests_unit_tls_LDADD = $(io_ldadd)
