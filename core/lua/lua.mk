libcore_la_SOURCES += %D%/config.h
