libcore_la_SOURCES += \
	%D%/cli.c \
	%D%/cli.h \
	%D%/terminal.h \
	%D%/terminal.c \
	%D%/report.h \
	%D%/report.c \
	%D%/fetch.c \
	%D%/check.c \
	%D%/why.c \
	%D%/plugins.c
libcore_la_SOURCES += %D%/test.c
