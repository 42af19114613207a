# Unit tests of state.
state_fixture = %D%/state_fixture.c %D%/state_fixture.h
check_PROGRAMS += tests/unit/state
TESTS += tests/unit/state
tests_unit_state_SOURCES = %D%/state.c $(state_fixture)
tests_unit_state_CFLAGS = $(unit_cflags)
tests_unit_state_LDADD = $(unit_ldadd)

check_PROGRAMS += tests/unit/journal
TESTS += tests/unit/journal
tests_unit_journal_SOURCES = %D%/journal.c
tests_unit_journal_CFLAGS = $(unit_cflags)
tests_unit_journal_LDADD = $(unit_ldadd)

check_PROGRAMS += tests/unit/state_aside
TESTS += tests/unit/state_aside
tests_unit_state_aside_SOURCES = %D%/state_aside.c $(state_fixture)
tests_unit_state_aside_CFLAGS = $(unit_cflags)
tests_unit_state_aside_LDADD = $(unit_ldadd)

check_PROGRAMS += tests/unit/state_kept
TESTS += tests/unit/state_kept
tests_unit_state_kept_SOURCES = %D%/state_kept.c $(state_fixture)
tests_unit_state_kept_CFLAGS = $(unit_cflags)
tests_unit_state_kept_LDADD = $(unit_ldadd)

check_PROGRAMS += tests/unit/state_sightings
TESTS += tests/unit/state_sightings
tests_unit_state_sightings_SOURCES = %D%/state_sightings.c $(state_fixture)
tests_unit_state_sightings_CFLAGS = $(unit_cflags)
tests_unit_state_sightings_LDADD = $(unit_ldadd)

check_PROGRAMS += tests/unit/state_deeds
TESTS += tests/unit/state_deeds
tests_unit_state_deeds_SOURCES = %D%/state_deeds.c $(state_fixture)
tests_unit_state_deeds_CFLAGS = $(unit_cflags)
tests_unit_state_deeds_LDADD = $(unit_ldadd)
