# Unit tests of state.
check_PROGRAMS += tests/unit/state
TESTS += tests/unit/state
tests_unit_state_SOURCES = %D%/state.c
tests_unit_state_CFLAGS = $(unit_cflags)
tests_unit_state_LDADD = $(unit_ldadd)
