# The Maildir plugin; see its README.md. The objects are in libmaildir.la, so
# that the tests can link them too; the module is that and the descriptor.
noinst_LTLIBRARIES += libmaildir.la
libmaildir_la_SOURCES = %D%/batch.c %D%/batch.h %D%/entries.c %D%/entries.h \
	%D%/fetch.c %D%/folder.c %D%/folder.h %D%/known.c %D%/known.h %D%/letter.c \
	%D%/letter.h %D%/maildir.h %D%/name.c %D%/name.h %D%/settle.c %D%/sink.c \
	%D%/source.c %D%/source.h %D%/sync.c %D%/sync.h
libmaildir_la_CPPFLAGS = -I$(srcdir)/core/api

plugin_LTLIBRARIES += maildir.la
maildir_la_SOURCES = %D%/maildir.c
maildir_la_CPPFLAGS = $(libmaildir_la_CPPFLAGS)
maildir_la_LIBADD = libmaildir.la libpostrider.la
maildir_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -Wl,-z,defs

EXTRA_DIST += %D%/README.md
