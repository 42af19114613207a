# The rspamd plugin; see its README.md. What reads the replies is in librspamd.la, so that
# the tests can link it too.
noinst_LTLIBRARIES += librspamd.la
librspamd_la_SOURCES = %D%/rspamd.h %D%/reply.c
librspamd_la_CPPFLAGS = -I$(srcdir)/core/api $(JANSSON_CFLAGS)
librspamd_la_LIBADD = $(JANSSON_LIBS)

plugin_LTLIBRARIES += rspamd.la
rspamd_la_SOURCES = %D%/rspamd.c
rspamd_la_CPPFLAGS = $(librspamd_la_CPPFLAGS)
rspamd_la_LIBADD = librspamd.la libpostrider.la
rspamd_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -Wl,-z,defs

EXTRA_DIST += %D%/README.md
