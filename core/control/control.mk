libcore_la_SOURCES += %D%/notify.h %D%/notify.c %D%/line.h %D%/line.c \
	%D%/repeats.h %D%/repeats.c %D%/logs.h %D%/logs.c
