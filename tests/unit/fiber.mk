# Unit tests of fiber.
check_PROGRAMS += tests/unit/fiber
TESTS += tests/unit/fiber
tests_unit_fiber_SOURCES = %D%/fiber.c
tests_unit_fiber_CFLAGS = $(unit_cflags)
tests_unit_fiber_LDADD = $(unit_ldadd)
