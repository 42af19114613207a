# The source that reads standard input; see its README.md.
plugin_LTLIBRARIES += stdin.la
stdin_la_SOURCES = %D%/stdin.c
stdin_la_CPPFLAGS = -I$(srcdir)/core/api
stdin_la_LIBADD = libpostrider.la
stdin_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -Wl,-z,defs

EXTRA_DIST += %D%/README.md
