libcore_la_SOURCES += %D%/state.h
