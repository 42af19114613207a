# The mbox plugin; see its README.md. The objects are in libmbox.la, so that the
# tests can link them too; the module is that and the descriptor.
noinst_LTLIBRARIES += libmbox.la
libmbox_la_SOURCES = %D%/batch.c %D%/batch.h %D%/dot.c %D%/dot.h %D%/fetch.c \
	%D%/file.c %D%/file.h %D%/folders.c %D%/from.c %D%/from.h %D%/journal.c \
	%D%/journal.h %D%/letter.c %D%/letter.h %D%/mbox.h %D%/mend.c %D%/mend.h \
	%D%/octets.c %D%/octets.h %D%/peek.c %D%/place.c %D%/place.h %D%/quote.c \
	%D%/quote.h %D%/records.c %D%/records.h %D%/scan.c %D%/scan.h %D%/seam.c \
	%D%/seam.h %D%/settle.c %D%/sink.c %D%/source.c %D%/source.h %D%/split.c \
	%D%/split.h
libmbox_la_CPPFLAGS = -I$(srcdir)/core/api

plugin_LTLIBRARIES += mbox.la
mbox_la_SOURCES = %D%/mbox.c
mbox_la_CPPFLAGS = $(libmbox_la_CPPFLAGS)
mbox_la_LIBADD = libmbox.la libpostrider.la
mbox_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -Wl,-z,defs

EXTRA_DIST += %D%/README.md
