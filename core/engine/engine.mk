libcore_la_SOURCES += \
	%D%/engine.h \
	%D%/parts.h \
	%D%/engine.c \
	%D%/check.c \
	%D%/look.h \
	%D%/look.c \
	%D%/account.c \
	%D%/session.c \
	%D%/listing.c \
	%D%/fetch.c \
	%D%/ledger.c \
	%D%/feed.c \
	%D%/decide.c \
	%D%/batch.c \
	%D%/settle.c \
	%D%/recover.c \
	%D%/lineup.c \
	%D%/rematch.c \
	%D%/identify.c \
	%D%/report.c \
	%D%/tally.c \
	%D%/tally.h \
	%D%/daemon.h \
	%D%/daemon.c \
	%D%/heal.h \
	%D%/heal.c
