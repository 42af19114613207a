libcore_la_SOURCES += \
	%D%/cli.c \
	%D%/cli.h \
	%D%/terminal.h \
	%D%/terminal.c \
	%D%/report.h \
	%D%/report.c \
	%D%/fetch.c \
	%D%/check.c \
	%D%/ask.h \
	%D%/ask.c \
	%D%/daemon.c \
	%D%/status.c \
	%D%/table.h \
	%D%/table.c \
	%D%/profile.h \
	%D%/profile.c \
	%D%/poll.c \
	%D%/pause.c \
	%D%/resume.c \
	%D%/reload.c \
	%D%/log.c \
	%D%/retry.c \
	%D%/drop.c %D%/held.h %D%/held.c %D%/confirm.c %D%/refuse.c \
	%D%/undo.c %D%/pass.h \
	%D%/why.c \
	%D%/plugins.c
libcore_la_SOURCES += %D%/test.c %D%/explain.c %D%/words.h %D%/words.c \
	%D%/replay.c
