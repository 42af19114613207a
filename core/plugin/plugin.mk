libcore_la_SOURCES += %D%/registry.h
