# Unit tests of lua and plugin.
lua_fixture = %D%/lua_fixture.c %D%/lua_fixture.h

check_PROGRAMS += tests/unit/lua_config
TESTS += tests/unit/lua_config
tests_unit_lua_config_SOURCES = %D%/lua_config.c $(lua_fixture)
tests_unit_lua_config_CFLAGS = $(unit_cflags)
tests_unit_lua_config_LDADD = $(unit_ldadd)
