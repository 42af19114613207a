# Unit tests of engine.
check_PROGRAMS += tests/unit/engine tests/unit/engine_identify
TESTS += tests/unit/engine tests/unit/engine_identify
engine_bench = %D%/engine_bench.c %D%/engine_bench.h %D%/fake.c %D%/fake.h
tests_unit_engine_SOURCES = %D%/engine.c $(engine_bench)
tests_unit_engine_CFLAGS = $(unit_cflags)
tests_unit_engine_LDADD = $(unit_ldadd)
tests_unit_engine_identify_SOURCES = %D%/engine_identify.c $(engine_bench)
tests_unit_engine_identify_CFLAGS = $(unit_cflags)
tests_unit_engine_identify_LDADD = $(unit_ldadd)
check_PROGRAMS += tests/unit/daemon tests/unit/schedule
TESTS += tests/unit/daemon tests/unit/schedule
tests_unit_daemon_SOURCES = %D%/daemon.c %D%/farm.c %D%/farm.h \
	%D%/fake.c %D%/fake.h
tests_unit_daemon_CFLAGS = $(unit_cflags)
tests_unit_daemon_LDADD = $(unit_ldadd)
tests_unit_schedule_SOURCES = %D%/schedule.c
tests_unit_schedule_CFLAGS = $(unit_cflags)
tests_unit_schedule_LDADD = $(unit_ldadd)
check_PROGRAMS += tests/unit/engine_guard
TESTS += tests/unit/engine_guard
tests_unit_engine_guard_SOURCES = %D%/engine_guard.c
tests_unit_engine_guard_CFLAGS = $(unit_cflags)
tests_unit_engine_guard_LDADD = $(unit_ldadd)
