libcore_la_SOURCES += %D%/login.c %D%/secret.c %D%/secret.h %D%/cache.c %D%/cache.h
