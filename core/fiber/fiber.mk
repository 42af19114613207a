libcore_la_SOURCES += %D%/loop.c %D%/loop.h %D%/fiber.c %D%/fiber.h %D%/wait.c \
	%D%/offload.c %D%/stack.c %D%/stack.h %D%/context.c %D%/context.h \
	%D%/switch.S
