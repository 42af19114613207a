# The core: objects once in libcore.la, from which come the shared library that
# the program and the plugins link, and the test programs (which so see hidden
# symbols too).
noinst_LTLIBRARIES += libcore.la
libcore_la_SOURCES =
libcore_la_LIBADD = $(UV_LIBS) $(SSL_LIBS) $(LUA_LIBS) $(GMIME_LIBS) \
	$(SQLITE_LIBS) $(JANSSON_LIBS) $(PCRE2_LIBS) -ldl -lm

pkglib_LTLIBRARIES += libpostrider.la
libpostrider_la_SOURCES =
libpostrider_la_LIBADD = libcore.la
libpostrider_la_LDFLAGS = $(AM_LDFLAGS) -avoid-version -Wl,-z,defs

bin_PROGRAMS += postrider
postrider_SOURCES = %D%/main.c
postrider_LDADD = libpostrider.la

prapidir = $(includedir)/postrider
dist_prapi_HEADERS = %D%/api/postrider/buffer.h %D%/api/postrider/crash.h \
	%D%/api/postrider/digest.h \
	%D%/api/postrider/fiber.h %D%/api/postrider/header.h \
	%D%/api/postrider/log.h %D%/api/postrider/login.h \
	%D%/api/postrider/message.h \
	%D%/api/postrider/option.h %D%/api/postrider/plugin.h \
	%D%/api/postrider/program.h %D%/api/postrider/status.h %D%/api/postrider/stream.h \
	%D%/api/postrider/http.h %D%/api/postrider/library.h %D%/api/postrider/service.h

include core/base/base.mk
include core/fiber/fiber.mk
include core/io/io.mk
include core/auth/auth.mk
include core/mail/mail.mk
include core/state/state.mk
include core/plugin/plugin.mk
include core/lua/lua.mk
include core/engine/engine.mk
include core/control/control.mk
include core/cli/cli.mk
