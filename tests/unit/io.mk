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

check_PROGRAMS += tests/unit/park
TESTS += tests/unit/park
tests_unit_park_SOURCES = %D%/park.c
tests_unit_park_CFLAGS = $(io_cflags)
tests_unit_park_LDADD = $(io_ldadd)

check_PROGRAMS += tests/unit/tls
TESTS += tests/unit/tls
tests_unit_tls_SOURCES = %D%/tls.c
tests_unit_tls_CFLAGS = $(io_cflags)
tests_unit_tls_LDADD = $(io_ldadd)

check_PROGRAMS += tests/unit/program
TESTS += tests/unit/program
tests_unit_program_SOURCES = %D%/program.c
tests_unit_program_CFLAGS = $(io_cflags)
tests_unit_program_LDADD = $(io_ldadd)

check_PROGRAMS += tests/unit/file
TESTS += tests/unit/file
tests_unit_file_SOURCES = %D%/file.c
tests_unit_file_CFLAGS = $(io_cflags)
tests_unit_file_LDADD = $(io_ldadd)

check_PROGRAMS += tests/unit/auth
TESTS += tests/unit/auth
tests_unit_auth_SOURCES = %D%/auth.c
tests_unit_auth_CFLAGS = $(io_cflags)
tests_unit_auth_LDADD = $(io_ldadd)

check_PROGRAMS += tests/unit/io_news
TESTS += tests/unit/io_news
tests_unit_io_news_SOURCES = %D%/io_news.c
tests_unit_io_news_CFLAGS = $(io_cflags)
tests_unit_io_news_LDADD = $(io_ldadd)
