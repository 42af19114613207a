libcore_la_SOURCES += %D%/sasl.c %D%/sasl.h %D%/secret.c %D%/secret.h
