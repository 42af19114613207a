# The pipe plugin; see its README.md. The objects are in libpipe.la, so that the
# tests can link them too; the module is that and the descriptor.
noinst_LTLIBRARIES += libpipe.la
libpipe_la_SOURCES = %D%/facts.c %D%/facts.h %D%/pipe.h %D%/run.c %D%/run.h \
	%D%/sink.c
libpipe_la_CPPFLAGS = -I$(srcdir)/core/api

plugin_LTLIBRARIES += pipe.la
pipe_la_SOURCES = %D%/pipe.c
pipe_la_CPPFLAGS = $(libpipe_la_CPPFLAGS)
pipe_la_LIBADD = libpipe.la libpostrider.la
pipe_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -Wl,-z,defs

EXTRA_DIST += %D%/README.md
