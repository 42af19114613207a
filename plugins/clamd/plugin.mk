# The clamd plugin; see its README.md. What reads the replies is in libclamd.la, so that
# the tests can link it too.
noinst_LTLIBRARIES += libclamd.la
libclamd_la_SOURCES = %D%/clamd.h %D%/reply.c
libclamd_la_CPPFLAGS = -I$(srcdir)/core/api

plugin_LTLIBRARIES += clamd.la
clamd_la_SOURCES = %D%/clamd.c
clamd_la_CPPFLAGS = $(libclamd_la_CPPFLAGS)
clamd_la_LIBADD = libclamd.la libpostrider.la
clamd_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -Wl,-z,defs

EXTRA_DIST += %D%/README.md
