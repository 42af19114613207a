# Unit tests of the POP3 plugin's pure parts; tests/wire has the rest.
pop3_tests = tests/unit/pop3_multiline tests/unit/pop3_reply
check_PROGRAMS += $(pop3_tests)
TESTS += $(pop3_tests)

tests_unit_pop3_multiline_SOURCES = %D%/pop3_multiline.c
tests_unit_pop3_multiline_CFLAGS = $(unit_cflags)
tests_unit_pop3_multiline_LDADD = libpop3.la $(unit_ldadd)
tests_unit_pop3_reply_SOURCES = %D%/pop3_reply.c
tests_unit_pop3_reply_CFLAGS = $(unit_cflags)
tests_unit_pop3_reply_LDADD = libpop3.la $(unit_ldadd)
