# Unit tests of mail.
EXTRA_DIST += %D%/mail_help.h
mail_tests = tests/unit/spool tests/unit/edits tests/unit/view \
	tests/unit/parts tests/unit/plan tests/unit/print \
	tests/unit/save
check_PROGRAMS += $(mail_tests)
TESTS += $(mail_tests)
tests_unit_spool_SOURCES = %D%/spool.c
tests_unit_spool_CFLAGS = $(unit_cflags)
tests_unit_spool_LDADD = $(unit_ldadd)
tests_unit_edits_SOURCES = %D%/edits.c
tests_unit_edits_CFLAGS = $(unit_cflags)
tests_unit_edits_LDADD = $(unit_ldadd)
tests_unit_view_SOURCES = %D%/view.c
tests_unit_view_CFLAGS = $(unit_cflags)
tests_unit_view_LDADD = $(unit_ldadd)
tests_unit_parts_SOURCES = %D%/parts.c
tests_unit_parts_CFLAGS = $(unit_cflags)
tests_unit_parts_LDADD = $(unit_ldadd)
tests_unit_plan_SOURCES = %D%/plan.c
tests_unit_plan_CFLAGS = $(unit_cflags)
tests_unit_plan_LDADD = $(unit_ldadd)
tests_unit_print_SOURCES = %D%/print.c
tests_unit_print_CFLAGS = $(unit_cflags)
tests_unit_print_LDADD = $(unit_ldadd)
tests_unit_save_SOURCES = %D%/save.c
tests_unit_save_CFLAGS = $(unit_cflags)
tests_unit_save_LDADD = $(unit_ldadd)

# Odd mail, one fault each.
EXTRA_DIST += tests/data/odd/8bit-header.eml tests/data/odd/addresses.eml \
	tests/data/odd/bare-cr.eml tests/data/odd/base64-broken.eml \
	tests/data/odd/boundary-never-used.eml tests/data/odd/boundary-prefix.eml \
	tests/data/odd/charset-gb2312.eml tests/data/odd/charset-iso-2022-jp.eml \
	tests/data/odd/charset-lies.eml tests/data/odd/charset-unknown.eml \
	tests/data/odd/charset-utf16.eml tests/data/odd/charset-utf8-broken.eml \
	tests/data/odd/charset-utf8-undeclared.eml \
	tests/data/odd/content-type-odd.eml tests/data/odd/dates-odd.eml \
	tests/data/odd/digest.eml tests/data/odd/empty.eml \
	tests/data/odd/encoded-message.eml tests/data/odd/encoded-words-odd.eml \
	tests/data/odd/field-names-odd.eml tests/data/odd/header-cut.eml \
	tests/data/odd/header-only.eml tests/data/odd/mbox-from-line.eml \
	tests/data/odd/message-id-odd.eml tests/data/odd/message-in-message.eml \
	tests/data/odd/missing-closing-boundary.eml \
	tests/data/odd/multipart-without-boundary.eml \
	tests/data/odd/no-empty-line.eml tests/data/odd/no-header.eml \
	tests/data/odd/nul-octets.eml tests/data/odd/one-line-end.eml \
	tests/data/odd/part-without-header.eml tests/data/odd/qp-broken.eml \
	tests/data/odd/rfc2231.eml tests/data/odd/utf8-header.eml \
	tests/data/odd/uuencode.eml
