# Unit tests of lua and plugin.
lua_fixture = %D%/lua_fixture.c %D%/lua_fixture.h
lua_tests = tests/unit/lua_config tests/unit/lua_message \
	tests/unit/lua_limits tests/unit/lua_pattern tests/unit/lua_sinks \
	tests/unit/lua_match tests/unit/lua_store tests/unit/lua_parts tests/unit/lua_map \
	tests/unit/lua_odd tests/unit/lua_fit tests/unit/lua_all

check_PROGRAMS += $(lua_tests)
TESTS += $(lua_tests)
tests_unit_lua_config_SOURCES = %D%/lua_config.c $(lua_fixture)
tests_unit_lua_config_CFLAGS = $(unit_cflags)
tests_unit_lua_config_LDADD = $(unit_ldadd)
tests_unit_lua_message_SOURCES = %D%/lua_message.c $(lua_fixture)
tests_unit_lua_message_CFLAGS = $(unit_cflags)
tests_unit_lua_message_LDADD = $(unit_ldadd)
tests_unit_lua_limits_SOURCES = %D%/lua_limits.c $(lua_fixture)
tests_unit_lua_limits_CFLAGS = $(unit_cflags)
tests_unit_lua_limits_LDADD = $(unit_ldadd)
tests_unit_lua_pattern_SOURCES = %D%/lua_pattern.c $(lua_fixture)
tests_unit_lua_pattern_CFLAGS = $(unit_cflags)
tests_unit_lua_pattern_LDADD = $(unit_ldadd) $(LUA_LIBS)
tests_unit_lua_sinks_SOURCES = %D%/lua_sinks.c $(lua_fixture)
tests_unit_lua_sinks_CFLAGS = $(unit_cflags)
tests_unit_lua_sinks_LDADD = $(unit_ldadd)

tests_unit_lua_match_SOURCES = %D%/lua_match.c $(lua_fixture)
tests_unit_lua_match_CFLAGS = $(unit_cflags)
tests_unit_lua_match_LDADD = $(unit_ldadd)

tests_unit_lua_store_SOURCES = %D%/lua_store.c $(lua_fixture)
tests_unit_lua_store_CFLAGS = $(unit_cflags)
tests_unit_lua_store_LDADD = $(unit_ldadd)

tests_unit_lua_parts_SOURCES = %D%/lua_parts.c $(lua_fixture)
tests_unit_lua_parts_CFLAGS = $(unit_cflags)
tests_unit_lua_parts_LDADD = $(unit_ldadd)

tests_unit_lua_map_SOURCES = %D%/lua_map.c $(lua_fixture)
tests_unit_lua_map_CFLAGS = $(unit_cflags)
tests_unit_lua_map_LDADD = $(unit_ldadd)

tests_unit_lua_odd_SOURCES = %D%/lua_odd.c $(lua_fixture)
tests_unit_lua_odd_CFLAGS = $(unit_cflags)
tests_unit_lua_odd_LDADD = $(unit_ldadd)

tests_unit_lua_fit_SOURCES = %D%/lua_fit.c $(lua_fixture)
tests_unit_lua_fit_CFLAGS = $(unit_cflags)
tests_unit_lua_fit_LDADD = $(unit_ldadd)

tests_unit_lua_all_SOURCES = %D%/lua_all.c $(lua_fixture)
tests_unit_lua_all_CFLAGS = $(unit_cflags)
tests_unit_lua_all_LDADD = $(unit_ldadd)

check_PROGRAMS += tests/unit/plugin
TESTS += tests/unit/plugin
tests_unit_plugin_SOURCES = %D%/plugin.c
tests_unit_plugin_CFLAGS = $(unit_cflags)
tests_unit_plugin_LDADD = $(unit_ldadd)

check_PROGRAMS += tests/unit/lua_testing
TESTS += tests/unit/lua_testing
tests_unit_lua_testing_SOURCES = %D%/lua_testing.c $(lua_fixture)
tests_unit_lua_testing_CFLAGS = $(unit_cflags)
tests_unit_lua_testing_LDADD = $(unit_ldadd)

check_PROGRAMS += tests/unit/calls
TESTS += tests/unit/calls
tests_unit_calls_SOURCES = %D%/calls.c
tests_unit_calls_CFLAGS = $(unit_cflags) $(LDAP_CFLAGS)
tests_unit_calls_LDADD = libclamd.la libspamd.la librspamd.la \
	libldapservice.la $(unit_ldadd)

# What sweeps ask for and decide.
check_PROGRAMS += tests/unit/lua_sweep
TESTS += tests/unit/lua_sweep
tests_unit_lua_sweep_SOURCES = %D%/lua_sweep.c $(lua_fixture)
tests_unit_lua_sweep_CFLAGS = $(unit_cflags)
tests_unit_lua_sweep_LDADD = $(unit_ldadd)
