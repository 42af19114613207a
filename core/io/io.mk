libcore_la_SOURCES += %D%/digest.c %D%/digest.h %D%/file.c %D%/file.h \
	%D%/local.c %D%/park.c %D%/poller.c %D%/process.c %D%/process.h %D%/program.c \
	%D%/program.h %D%/resolver.c %D%/resolver.h %D%/socket.c \
	%D%/socket.h %D%/stream.c %D%/stream.h %D%/stream_parts.h %D%/tcp.c %D%/tcp.h \
	%D%/tls.c %D%/tls.h %D%/tls_check.c %D%/tls_settings.c \
	%D%/tunnel.c %D%/network.c %D%/network.h %D%/clock.c %D%/clock.h \
	%D%/proof.c %D%/proof.h %D%/attempt.c %D%/attempt.h \
	%D%/coalesce.c %D%/coalesce.h %D%/gate.c %D%/gate.h %D%/dns.c %D%/dns.h %D%/dns_answer.c %D%/cares.c %D%/cares.h \
	%D%/http.c
