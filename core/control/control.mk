libcore_la_SOURCES += %D%/notify.h %D%/notify.c
