# Fuzz targets: one block for each. `make check` runs a target over its seeds
# and over damaged copies of them; %D%/run builds it with clang's libFuzzer.
EXTRA_DIST += %D%/run
fuzz_driver = %D%/driver.c %D%/driver.h

# The view of a message, and edits of its header.
check_PROGRAMS += tests/fuzz/view
TESTS += tests/fuzz/view
tests_fuzz_view_SOURCES = %D%/view.c $(fuzz_driver)
tests_fuzz_view_CPPFLAGS = $(AM_CPPFLAGS) -DSEEDS='"tests/data/odd"'
tests_fuzz_view_LDADD = libcore.la
