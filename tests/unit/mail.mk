# Unit tests of mail.
EXTRA_DIST += %D%/mail_help.h
mail_tests = tests/unit/spool tests/unit/edits tests/unit/view \
	tests/unit/parts tests/unit/parts_shared tests/unit/plan tests/unit/print \
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
tests_unit_parts_shared_SOURCES = %D%/parts_shared.c
tests_unit_parts_shared_CFLAGS = $(unit_cflags)
tests_unit_parts_shared_LDADD = $(unit_ldadd)
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
EXTRA_DIST += tests/data/odd

# A message of a rule's own.
check_PROGRAMS += tests/unit/reply
TESTS += tests/unit/reply
tests_unit_reply_SOURCES = %D%/reply.c
tests_unit_reply_CFLAGS = $(unit_cflags) $(GMIME_CFLAGS)
tests_unit_reply_LDADD = $(unit_ldadd) $(GMIME_LIBS)

# Sets of UIDs.
check_PROGRAMS += tests/unit/ranges
TESTS += tests/unit/ranges
tests_unit_ranges_SOURCES = %D%/ranges.c
tests_unit_ranges_CFLAGS = $(unit_cflags)
tests_unit_ranges_LDADD = $(unit_ldadd)
