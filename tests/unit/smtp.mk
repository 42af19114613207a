# Unit tests of the SMTP plugin's pure parts; tests/wire has the rest.
smtp_tests = tests/unit/smtp_address tests/unit/smtp_content \
	tests/unit/smtp_letter tests/unit/smtp_reply
check_PROGRAMS += $(smtp_tests)
TESTS += $(smtp_tests)

tests_unit_smtp_address_SOURCES = %D%/smtp_address.c
tests_unit_smtp_address_CFLAGS = $(unit_cflags)
tests_unit_smtp_address_LDADD = libsmtp.la $(unit_ldadd)
tests_unit_smtp_content_SOURCES = %D%/smtp_content.c
tests_unit_smtp_content_CFLAGS = $(unit_cflags)
tests_unit_smtp_content_LDADD = libsmtp.la $(unit_ldadd)
tests_unit_smtp_letter_SOURCES = %D%/smtp_letter.c
tests_unit_smtp_letter_CFLAGS = $(unit_cflags)
tests_unit_smtp_letter_LDADD = libsmtp.la $(unit_ldadd)
tests_unit_smtp_reply_SOURCES = %D%/smtp_reply.c
tests_unit_smtp_reply_CFLAGS = $(unit_cflags)
tests_unit_smtp_reply_LDADD = libsmtp.la $(unit_ldadd)
