# Unit tests of the IMAP plugin's pure parts; tests/wire has the rest.
imap_tests = tests/unit/imap_names tests/unit/imap_parse \
	tests/unit/imap_response tests/unit/imap_structure
check_PROGRAMS += $(imap_tests)
TESTS += $(imap_tests)

tests_unit_imap_names_SOURCES = %D%/imap_names.c
tests_unit_imap_names_CFLAGS = $(unit_cflags)
tests_unit_imap_names_LDADD = libimap.la $(unit_ldadd)
tests_unit_imap_parse_SOURCES = %D%/imap_parse.c %D%/imap_octets.h
tests_unit_imap_parse_CFLAGS = $(unit_cflags)
tests_unit_imap_parse_LDADD = libimap.la $(unit_ldadd)
tests_unit_imap_response_SOURCES = %D%/imap_response.c %D%/imap_octets.h
tests_unit_imap_response_CFLAGS = $(unit_cflags)
tests_unit_imap_response_LDADD = libimap.la $(unit_ldadd)
tests_unit_imap_structure_SOURCES = %D%/imap_structure.c %D%/imap_octets.h
tests_unit_imap_structure_CFLAGS = $(unit_cflags)
tests_unit_imap_structure_LDADD = libimap.la $(unit_ldadd)

# Searches that are refused before anything is sent.
check_PROGRAMS += tests/unit/imap_search
TESTS += tests/unit/imap_search
tests_unit_imap_search_SOURCES = %D%/imap_search.c
tests_unit_imap_search_CFLAGS = $(unit_cflags)
tests_unit_imap_search_LDADD = libimap.la $(unit_ldadd)
