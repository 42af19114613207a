libcore_la_SOURCES += %D%/loop.h
