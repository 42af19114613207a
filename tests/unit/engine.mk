# Unit tests of engine.
check_PROGRAMS += tests/unit/engine
TESTS += tests/unit/engine
tests_unit_engine_SOURCES = %D%/engine.c %D%/fake.c %D%/fake.h
tests_unit_engine_CFLAGS = $(unit_cflags)
tests_unit_engine_LDADD = $(unit_ldadd)
