libcore_la_SOURCES += %D%/cli.c %D%/cli.h
