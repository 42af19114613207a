# Unit tests of control, and of what the commands make of its answers.
control_tests = tests/unit/control_request tests/unit/control_log \
	tests/unit/control_numbers tests/unit/cli_table
check_PROGRAMS += $(control_tests)
TESTS += $(control_tests)
tests_unit_control_request_SOURCES = %D%/control_request.c
tests_unit_control_request_CFLAGS = $(unit_cflags)
tests_unit_control_request_LDADD = $(unit_ldadd)
tests_unit_control_log_SOURCES = %D%/control_log.c
tests_unit_control_log_CFLAGS = $(unit_cflags)
tests_unit_control_log_LDADD = $(unit_ldadd)
tests_unit_control_numbers_SOURCES = %D%/control_numbers.c
tests_unit_control_numbers_CFLAGS = $(unit_cflags)
tests_unit_control_numbers_LDADD = $(unit_ldadd)
tests_unit_cli_table_SOURCES = %D%/cli_table.c
tests_unit_cli_table_CFLAGS = $(unit_cflags)
tests_unit_cli_table_LDADD = $(unit_ldadd)
