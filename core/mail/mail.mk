libcore_la_SOURCES += %D%/header.c %D%/spool.c %D%/spool.h %D%/spare.c %D%/spare.h %D%/edits.c %D%/fold.c \
	%D%/fold.h %D%/print.c %D%/print.h %D%/view.c %D%/view.h %D%/view_private.h \
	%D%/addresses.c %D%/fields.c %D%/fields.h %D%/flags.c %D%/flags.h %D%/decode.c %D%/decode.h \
	%D%/words.c %D%/words.h %D%/charset.c %D%/converters.c %D%/converters.h %D%/casing.c %D%/casing.h %D%/lines.c \
	%D%/lines.h %D%/content.c %D%/content.h %D%/tree.c %D%/tree.h %D%/told.c %D%/branch.c %D%/branch.h %D%/parts.c \
	%D%/magic.h %D%/magic.c %D%/archive.h %D%/archive.c %D%/save.c %D%/lookup.h %D%/lookup.c \
	%D%/plan.c %D%/plan.h %D%/ranges.c %D%/ranges.h %D%/message.c %D%/message.h \
	%D%/from_file.c %D%/reopen.c %D%/origin.c %D%/origin.h %D%/reply.c %D%/reply.h
