# The spamd plugin; see its README.md. What reads the replies is in libspamd.la, so that
# the tests can link it too.
noinst_LTLIBRARIES += libspamd.la
libspamd_la_SOURCES = %D%/spamd.h %D%/reply.c
libspamd_la_CPPFLAGS = -I$(srcdir)/core/api

plugin_LTLIBRARIES += spamd.la
spamd_la_SOURCES = %D%/spamd.c
spamd_la_CPPFLAGS = $(libspamd_la_CPPFLAGS)
spamd_la_LIBADD = libspamd.la libpostrider.la
spamd_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -Wl,-z,defs

EXTRA_DIST += %D%/README.md
